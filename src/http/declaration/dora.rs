//! What an organization is under DORA, and which functions its databases support.

use events::declaration::{self, Content, DoraRoleName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Written;
use crate::http::check::Checks;

const LONGEST_NAME: usize = 200;
const LONGEST_DESCRIPTION: usize = 4000;
/// As the register of information numbers the types of financial entities.
const MOST_ENTITY_TYPES: u32 = 22;
/// A year.
const LONGEST_OBJECTIVE: u32 = 365 * 24 * 60 * 60;
const LEI_LENGTH: usize = 20;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DoraRole {
    /// `dora_role`.
    #[schema(example = "dora_role", pattern = "^dora_role$")]
    kind: String,
    /// `financial_entity`, `ict_third_party_provider`, or `none` when DORA does not apply.
    #[schema(value_type = String, example = "financial_entity")]
    role: DoraRoleName,
    /// 1 to 22, as column `B_01.01.0040` of the register of information numbers them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1)]
    entity_type: Option<u8>,
    /// Legal entity identifier: 20 capital letters and digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "5493001KJTIIGC8Y1R12")]
    lei: Option<String>,
    /// 1 to 200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    competent_authority: Option<String>,
}

impl Written for DoraRole {
    fn check(&self, checks: &mut Checks<'_>) {
        checks.up_to("entity_type", self.entity_type.map(u32::from), MOST_ENTITY_TYPES);
        if self.entity_type.is_some() && self.role != DoraRoleName::FinancialEntity {
            checks.wrong("entity_type", "is for a financial entity only");
        }
        checks.text("competent_authority", self.competent_authority.as_deref(), LONGEST_NAME);
        let is_lei = |lei: &String| {
            let is_sound = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
            lei.len() == LEI_LENGTH && lei.bytes().all(is_sound)
        };
        if self.lei.as_ref().is_some_and(|lei| !is_lei(lei)) {
            checks.wrong("lei", "must be 20 capital letters and digits");
        }
    }

    fn content(&self) -> Content {
        Content::DoraRole(declaration::DoraRole {
            role: self.role,
            entity_type: self.entity_type,
            has_lei: self.lei.is_some(),
        })
    }
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DoraFunction {
    /// `dora_function`.
    #[schema(example = "dora_function", pattern = "^dora_function$")]
    kind: String,
    /// 1 to 200 characters.
    #[schema(example = "Payments")]
    name: String,
    /// 1 to 4000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    critical_or_important: bool,
    /// Ids of the databases that support it.
    #[serde(default)]
    #[schema(example = json!(["db_01h2xcejqtf2nbrexx3vqjhp41"]))]
    databases: Vec<String>,
    /// Within what time it has to be back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 3600)]
    rto_seconds: Option<u32>,
    /// How much of the newest data may be lost; 0: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 300)]
    rpo_seconds: Option<u32>,
}

impl Written for DoraFunction {
    fn check(&self, checks: &mut Checks<'_>) {
        checks.text("name", Some(&self.name), LONGEST_NAME);
        checks.text("description", self.description.as_deref(), LONGEST_DESCRIPTION);
        checks.databases("databases", &self.databases);
        checks.up_to("rto_seconds", self.rto_seconds, LONGEST_OBJECTIVE);
        if self.rpo_seconds.is_some_and(|seconds| seconds > LONGEST_OBJECTIVE) {
            checks.wrong("rpo_seconds", &format!("must be 0 to {LONGEST_OBJECTIVE}"));
        }
    }

    fn content(&self) -> Content {
        Content::DoraFunction(declaration::DoraFunction {
            is_critical_or_important: self.critical_or_important,
            databases: self.databases.clone(),
            rto_seconds: self.rto_seconds,
            rpo_seconds: self.rpo_seconds,
        })
    }
}
