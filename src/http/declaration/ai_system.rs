//! A system under the EU AI Act: what the organization is to it, and who oversees it.

use std::collections::BTreeSet;

use events::declaration::{self, AiRole, Content, HighRisk};
use events::id::AccountId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Written;
use crate::http::check::Checks;

const LONGEST_NAME: usize = 200;
const LONGEST_TEXT: usize = 4000;
/// A hundred years.
const LONGEST_RETENTION: u32 = 36_500;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AiSystem {
    /// `ai_system`.
    #[schema(example = "ai_system", pattern = "^ai_system$")]
    kind: String,
    /// 1 to 200 characters.
    #[schema(example = "Applicant ranking")]
    name: String,
    /// 1 to 4000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// `provider`, `deployer`, `component_supplier` or `none`.
    #[schema(value_type = String, example = "deployer")]
    role: AiRole,
    /// `annex_iii`, `annex_i`, `no` or `undetermined`.
    #[schema(value_type = String, example = "annex_iii")]
    high_risk: HighRisk,
    /// Ids of the databases that hold its logs.
    #[serde(default)]
    #[schema(example = json!(["db_01h2xcejqtf2nbrexx3vqjhp41"]))]
    log_stores: Vec<String>,
    /// For how long its logs are kept: 1 to 36500.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 200)]
    log_retention_days: Option<u32>,
    /// Why they are kept for less than six months.
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_basis: Option<String>,
    /// Ids of the members who oversee it.
    #[serde(default)]
    #[schema(value_type = Vec<String>, example = json!(["usr_01h2xcejqtf2nbrexx3vqjhp41"]))]
    overseers: Vec<AccountId>,
    /// Where it is written down that they are able to.
    #[serde(skip_serializing_if = "Option::is_none")]
    competence: Option<String>,
    #[serde(default)]
    suspended: bool,
    /// Of the instructions for use that were read: `sha256:` or `blake3:` and the digest in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions_digest: Option<String>,
}

impl Written for AiSystem {
    fn check(&self, checks: &mut Checks<'_>) {
        checks.text("name", Some(&self.name), LONGEST_NAME);
        checks.text("description", self.description.as_deref(), LONGEST_TEXT);
        checks.databases("log_stores", &self.log_stores);
        checks.up_to("log_retention_days", self.log_retention_days, LONGEST_RETENTION);
        checks.text("retention_basis", self.retention_basis.as_deref(), LONGEST_TEXT);
        checks.text("competence", self.competence.as_deref(), LONGEST_TEXT);
        if checks.count("overseers", self.overseers.len()) {
            let mut seen = BTreeSet::new();
            for (place, overseer) in self.overseers.iter().enumerate() {
                if !seen.insert(overseer) {
                    checks.wrong(&format!("overseers[{place}]"), "is there already");
                }
            }
        }
        let digest = self.instructions_digest.as_ref();
        if let Some(Err(error)) = digest.map(|it| it.parse::<declaration::DocumentDigest>()) {
            checks.wrong("instructions_digest", &error.to_string());
        }
    }

    fn content(&self) -> Content {
        Content::AiSystem(declaration::AiSystem {
            role: self.role,
            high_risk: self.high_risk,
            log_stores: self.log_stores.clone(),
            log_retention_days: self.log_retention_days,
            has_retention_basis: self.retention_basis.is_some(),
            overseers: self.overseers.clone(),
            is_suspended: self.suspended,
            instructions: self.instructions_digest.as_ref().and_then(|text| text.parse().ok()),
        })
    }
}
