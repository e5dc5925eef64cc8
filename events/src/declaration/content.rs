//! What can be declared, as the line holds it: enough to compute a control from, and nothing that
//! anybody wrote freely. Names, purposes and reasons stand in the text that is sealed beside it;
//! here is said how many there are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::AccountId;
use crate::wire::parsed;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    ControllerRecord(ControllerRecord),
    ProcessingActivity(ProcessingActivity),
    DoraRole(DoraRole),
    DoraFunction(DoraFunction),
    AiSystem(AiSystem),
}

/// Something that applies to some and not to others: silence is not the same as "there is none".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stated {
    Given,
    /// There is none, and that was said.
    None,
    Missing,
}

/// Who is responsible (GDPR, Article 30(1)(a)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControllerRecord {
    pub has_name: bool,
    pub has_contact: bool,
    pub joint_controllers: Stated,
    pub representative: Stated,
    pub data_protection_officer: Stated,
    /// For the exemption of Article 30(5), which nobody decides here.
    pub headcount: Option<u32>,
}

/// One entry of the record of processing activities: Article 30(1), or 30(2) as a processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessingActivity {
    pub as_processor: bool,
    pub purposes: u32,
    pub subject_categories: u32,
    pub data_categories: u32,
    pub has_special_categories: bool,
    /// Categories of recipients; 0: none, and that was said. `None`: nothing was said.
    pub recipients: Option<u32>,
    /// Empty: none, and that was said. `None`: nothing was said.
    pub transfers: Option<Vec<Transfer>>,
    pub retention: Retention,
    pub has_security_measures: bool,
    /// As a processor: on whose behalf.
    pub controllers: u32,
    /// As a processor: what is done for them.
    pub processing_categories: u32,
    /// Ids of the databases in which it happens.
    pub databases: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// ISO 3166-1 alpha-2; `None`: to an international organization, which the text names.
    pub country: Option<String>,
    pub has_safeguard: bool,
}

/// The envisaged time limits of erasure (Article 30(1)(f)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retention {
    Missing,
    /// And the text says why.
    NotPossible,
    /// One for each category of data: its days, or `None` where only the text says how long.
    Limits(Vec<Option<u32>>),
}

/// What the organization is under DORA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoraRole {
    pub role: DoraRoleName,
    /// 1 to 22, as column `B_01.01.0040` of the register of information numbers them.
    pub entity_type: Option<u8>,
    /// The text names its legal entity identifier.
    pub has_lei: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoraRoleName {
    FinancialEntity,
    IctThirdPartyProvider,
    /// DORA does not apply.
    None,
}

/// A function of the organization that databases support.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoraFunction {
    pub is_critical_or_important: bool,
    pub databases: Vec<String>,
    /// Within what time it has to be back.
    pub rto_seconds: Option<u32>,
    /// How much of the newest data may be lost.
    pub rpo_seconds: Option<u32>,
}

/// A system under the EU AI Act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AiSystem {
    pub role: AiRole,
    pub high_risk: HighRisk,
    /// Ids of the databases that hold its logs.
    pub log_stores: Vec<String>,
    /// How long these logs are kept.
    pub log_retention_days: Option<u32>,
    /// The text says why they are kept for less than six months.
    pub has_retention_basis: bool,
    /// Members who oversee it. Whoever has left stays named here until somebody else is.
    pub overseers: Vec<AccountId>,
    pub is_suspended: bool,
    /// Of the instructions for use that were read.
    pub instructions: Option<DocumentDigest>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AiRole {
    Provider,
    Deployer,
    ComponentSupplier,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HighRisk {
    AnnexIii,
    AnnexI,
    No,
    Undetermined,
}

/// Of a document that is kept elsewhere: `sha256:` or `blake3:` and 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentDigest(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is `sha256:` or `blake3:` and 64 hexadecimal digits in lower case")]
pub struct InvalidDigest;

impl FromStr for DocumentDigest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let hex = text.strip_prefix("sha256:").or_else(|| text.strip_prefix("blake3:"));
        let is_hex = |hex: &str| {
            hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        hex.is_some_and(is_hex).then(|| Self(text.to_owned())).ok_or(InvalidDigest)
    }
}

impl fmt::Display for DocumentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for DocumentDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DocumentDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

impl Content {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ControllerRecord(_) => "controller_record",
            Self::ProcessingActivity(_) => "processing_activity",
            Self::DoraRole(_) => "dora_role",
            Self::DoraFunction(_) => "dora_function",
            Self::AiSystem(_) => "ai_system",
        }
    }

    /// What has still to be said for the declaration to be complete, by the names of the fields.
    pub fn missing(&self) -> Vec<&'static str> {
        let all = match self {
            Self::ControllerRecord(record) => record.needs(),
            Self::ProcessingActivity(activity) => activity.needs(),
            Self::DoraRole(role) => role.needs(),
            Self::DoraFunction(function) => function.needs(),
            Self::AiSystem(system) => system.needs(),
        };
        all.into_iter().filter_map(|(field, is_there)| (!is_there).then_some(field)).collect()
    }

    /// Ids of the databases that it names.
    pub fn databases(&self) -> &[String] {
        match self {
            Self::ProcessingActivity(activity) => &activity.databases,
            Self::DoraFunction(function) => &function.databases,
            Self::AiSystem(system) => &system.log_stores,
            Self::ControllerRecord(_) | Self::DoraRole(_) => &[],
        }
    }

    /// The members that it names.
    pub fn members(&self) -> &[AccountId] {
        match self {
            Self::AiSystem(system) => &system.overseers,
            Self::ControllerRecord(_)
            | Self::ProcessingActivity(_)
            | Self::DoraRole(_)
            | Self::DoraFunction(_) => &[],
        }
    }
}

/// A field, and whether it says what it has to say.
type Needs = Vec<(&'static str, bool)>;

impl ControllerRecord {
    fn needs(&self) -> Needs {
        let is_stated = |stated| stated != Stated::Missing;
        vec![
            ("name", self.has_name),
            ("contact", self.has_contact),
            ("joint_controllers", is_stated(self.joint_controllers)),
            ("representative", is_stated(self.representative)),
            ("data_protection_officer", is_stated(self.data_protection_officer)),
        ]
    }
}

impl ProcessingActivity {
    fn needs(&self) -> Needs {
        let safeguards = self.transfers.iter().flatten().all(|transfer| transfer.has_safeguard);
        let mut needs = if self.as_processor {
            vec![
                ("controllers", self.controllers > 0),
                ("processing_categories", self.processing_categories > 0),
            ]
        } else {
            vec![
                ("purposes", self.purposes > 0),
                ("subject_categories", self.subject_categories > 0),
                ("data_categories", self.data_categories > 0),
                ("recipients", self.recipients.is_some()),
                ("retention", self.retention != Retention::Missing),
            ]
        };
        needs.push(("transfers", self.transfers.is_some()));
        needs.push(("transfers.safeguard", safeguards));
        needs.push(("security_measures", self.has_security_measures));
        needs
    }
}

impl DoraRole {
    fn needs(&self) -> Needs {
        let is_entity = self.role == DoraRoleName::FinancialEntity;
        vec![
            ("entity_type", !is_entity || self.entity_type.is_some()),
            ("lei", !is_entity || self.has_lei),
        ]
    }
}

impl DoraFunction {
    fn needs(&self) -> Needs {
        vec![
            ("databases", !self.databases.is_empty()),
            ("rto_seconds", !self.is_critical_or_important || self.rto_seconds.is_some()),
            ("rpo_seconds", !self.is_critical_or_important || self.rpo_seconds.is_some()),
        ]
    }
}

impl AiSystem {
    fn needs(&self) -> Needs {
        let is_due = self.role != AiRole::None && self.high_risk != HighRisk::No;
        let is_deployer = self.role == AiRole::Deployer;
        vec![
            ("high_risk", self.high_risk != HighRisk::Undetermined),
            ("log_stores", !is_due || !self.log_stores.is_empty()),
            ("log_retention_days", !is_due || self.log_retention_days.is_some()),
            ("overseers", !is_due || !is_deployer || !self.overseers.is_empty()),
            ("instructions", !is_due || !is_deployer || self.instructions.is_some()),
        ]
    }
}
