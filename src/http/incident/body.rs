//! What each step of an incident may say, and what is wrong with it.

use std::collections::BTreeSet;

use events::id::{AiSystemId, IncidentId};
use events::incident::{Cause, Command, Criterion, Stage};
use events::time::Time;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::http::check::Checks;
use crate::http::problem::{FieldError, Problem};

const LONGEST_TITLE: usize = 200;
const LONGEST_DESCRIPTION: usize = 4000;
const LONGEST_REFERENCE: usize = 500;

fn sound<T>(errors: Vec<FieldError>, sound: T) -> Result<T, Problem> {
    if errors.is_empty() { Ok(sound) } else { Err(Problem::invalid(errors)) }
}

#[derive(Deserialize, ToSchema)]
#[schema(as = OpenIncidentBody)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenBody {
    /// 1 to 200 characters.
    #[schema(example = "Payments are down")]
    title: String,
    /// 1 to 4000 characters.
    description: Option<String>,
    /// When it was noticed; now when left out.
    #[schema(example = "2026-01-31T09:30:00Z")]
    detected_at: Option<String>,
    /// Since when the organization knows that it is an incident; `detected_at` when left out.
    #[schema(example = "2026-01-31T09:40:00Z")]
    aware_at: Option<String>,
    /// Ids of the databases that are concerned.
    #[serde(default)]
    databases: Vec<String>,
    /// Ids of declared AI systems that are concerned.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    ai_systems: Vec<AiSystemId>,
}

impl OpenBody {
    pub(super) fn command(self, incident: IncidentId, now: Time) -> Result<Command, Problem> {
        let mut errors = Vec::new();
        let mut checks = Checks::new(&mut errors);
        checks.text("title", Some(&self.title), LONGEST_TITLE);
        checks.text("description", self.description.as_deref(), LONGEST_DESCRIPTION);
        let detected_at = checks.past("detected_at", self.detected_at.as_deref(), now);
        let aware_at = match self.aware_at.as_deref() {
            None => detected_at,
            Some(aware_at) => checks.past("aware_at", Some(aware_at), now),
        };
        checks.databases("databases", &self.databases);
        checks.count("ai_systems", self.ai_systems.len());
        let text = json!({ "title": self.title, "description": self.description }).to_string();
        let (databases, ai_systems) = (self.databases, self.ai_systems);
        let command =
            Command::Open { incident, detected_at, aware_at, databases, ai_systems, text };
        sound(errors, command)
    }
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ClassifyIncidentBody)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClassifyBody {
    /// Whether it has to be reported.
    is_major: bool,
    /// Of `clients`, `duration`, `geographical_spread`, `data_losses`, `critical_services` and
    /// `economic_impact` those that are met (DORA, Article 18(1)).
    #[serde(default)]
    #[schema(value_type = Vec<String>, example = json!(["clients", "duration"]))]
    criteria: BTreeSet<Criterion>,
    /// Now when left out.
    classified_at: Option<String>,
    /// 1 to 4000 characters.
    reason: Option<String>,
}

impl ClassifyBody {
    pub(super) fn command(self, incident: IncidentId, now: Time) -> Result<Command, Problem> {
        let mut errors = Vec::new();
        let mut checks = Checks::new(&mut errors);
        let classified_at = checks.past("classified_at", self.classified_at.as_deref(), now);
        checks.text("reason", self.reason.as_deref(), LONGEST_DESCRIPTION);
        let Self { is_major, criteria, reason, .. } = self;
        sound(errors, Command::Classify { incident, classified_at, criteria, is_major, reason })
    }
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ReportIncidentBody)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReportBody {
    /// `initial`, `intermediate` or `final`, in this order.
    #[schema(value_type = String, example = "initial")]
    stage: Stage,
    /// Now when left out.
    submitted_at: Option<String>,
    /// To whom, and under which number: 1 to 500 characters.
    reference: Option<String>,
}

impl ReportBody {
    pub(super) fn command(self, incident: IncidentId, now: Time) -> Result<Command, Problem> {
        let mut errors = Vec::new();
        let mut checks = Checks::new(&mut errors);
        let submitted_at = checks.past("submitted_at", self.submitted_at.as_deref(), now);
        checks.text("reference", self.reference.as_deref(), LONGEST_REFERENCE);
        let Self { stage, reference, .. } = self;
        sound(errors, Command::Report { incident, stage, submitted_at, reference })
    }
}

#[derive(Deserialize, ToSchema)]
#[schema(as = RecoverIncidentBody)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecoverBody {
    /// Now when left out.
    recovered_at: Option<String>,
}

impl RecoverBody {
    pub(super) fn command(&self, incident: IncidentId, now: Time) -> Result<Command, Problem> {
        let mut errors = Vec::new();
        let mut checks = Checks::new(&mut errors);
        let recovered_at = checks.past("recovered_at", self.recovered_at.as_deref(), now);
        sound(errors, Command::Recover { incident, recovered_at })
    }
}

#[derive(Deserialize, ToSchema)]
#[schema(as = CloseIncidentBody)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloseBody {
    /// `malicious_action`, `process_failure`, `system_failure`, `human_error`, `external_event` or
    /// `unknown`.
    #[schema(value_type = String, example = "system_failure")]
    cause: Cause,
    /// 1 to 4000 characters.
    #[schema(example = "A disk was full and nobody was told.")]
    root_cause: String,
}

impl CloseBody {
    pub(super) fn command(self, incident: IncidentId) -> Result<Command, Problem> {
        let mut errors = Vec::new();
        let mut checks = Checks::new(&mut errors);
        checks.text("root_cause", Some(&self.root_cause), LONGEST_DESCRIPTION);
        let Self { cause, root_cause } = self;
        sound(errors, Command::Close { incident, cause, root_cause })
    }
}
