//! Incidents as an organization records them: when it was noticed, how grave it is, what was
//! reported to whom and when it was over. The times are those that members state; when they stated
//! them is in the log beside it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::declared::Declared;
use crate::id::{AiSystemId, IncidentId};
use crate::organization::Organization;
use crate::permission::Permission;
use crate::personal::Personal;
use crate::recorded::{Actor, Recorded};
use crate::time::Time;

/// How many may be open at once.
pub const MOST_OPEN: usize = 500;
/// How many reports one incident may have.
pub const MOST_REPORTS: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    #[serde(rename = "incident.opened")]
    Opened {
        incident: IncidentId,
        detected_at: Time,
        /// When the organization knew that it was an incident.
        aware_at: Time,
        /// Ids of the databases that are concerned.
        databases: Vec<String>,
        /// Declared AI systems that are concerned.
        ai_systems: Vec<AiSystemId>,
        /// A JSON object: title and description.
        #[serde(skip)]
        text: Personal,
    },
    /// For the first time, or anew with better knowledge.
    #[serde(rename = "incident.classified")]
    Classified {
        incident: IncidentId,
        classified_at: Time,
        criteria: BTreeSet<Criterion>,
        is_major: bool,
        /// Why, if somebody wrote it.
        #[serde(skip)]
        reason: Personal,
    },
    #[serde(rename = "incident.reported")]
    Reported {
        incident: IncidentId,
        stage: Stage,
        submitted_at: Time,
        /// To whom and under which number, if somebody wrote it.
        #[serde(skip)]
        reference: Personal,
    },
    #[serde(rename = "incident.recovered")]
    Recovered { incident: IncidentId, recovered_at: Time },
    #[serde(rename = "incident.closed")]
    Closed {
        incident: IncidentId,
        cause: Cause,
        /// What the cause was, in words.
        #[serde(skip)]
        root_cause: Personal,
    },
}

/// What makes an incident grave (DORA, Article 18(1)(a) to (f)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// (a) Clients, counterparts or transactions affected, or reputation.
    Clients,
    /// (b) How long it lasts.
    Duration,
    /// (c) How far it spreads.
    GeographicalSpread,
    /// (d) Data losses.
    DataLosses,
    /// (e) How critical the services are.
    CriticalServices,
    /// (f) What it costs.
    EconomicImpact,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Initial,
    Intermediate,
    Final,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    MaliciousAction,
    ProcessFailure,
    SystemFailure,
    HumanError,
    ExternalEvent,
    /// It could not be found out.
    Unknown,
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Opened { .. } => ("incident.opened", 1),
            Self::Classified { .. } => ("incident.classified", 1),
            Self::Reported { .. } => ("incident.reported", 1),
            Self::Recovered { .. } => ("incident.recovered", 1),
            Self::Closed { .. } => ("incident.closed", 1),
        }
    }

    pub fn incident(&self) -> IncidentId {
        match self {
            Self::Opened { incident, .. }
            | Self::Classified { incident, .. }
            | Self::Reported { incident, .. }
            | Self::Recovered { incident, .. }
            | Self::Closed { incident, .. } => *incident,
        }
    }

    pub(crate) fn personal(&mut self, visit: &mut dyn FnMut(&'static str, &mut Personal)) {
        match self {
            Self::Opened { text, .. } => visit("text", text),
            Self::Classified { reason, .. } => visit("reason", reason),
            Self::Reported { reference, .. } => visit("reference", reference),
            Self::Closed { root_cause, .. } => visit("root_cause", root_cause),
            Self::Recovered { .. } => {}
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    pub detected_at: Time,
    pub aware_at: Time,
    pub databases: Vec<String>,
    pub ai_systems: Vec<AiSystemId>,
    pub text: Personal,
    /// The last one.
    pub classification: Option<Classification>,
    /// In the order in which they were recorded.
    pub reports: Vec<Report>,
    pub recovered_at: Option<Time>,
    pub closed: Option<Closed>,
    pub opened_at: Time,
    pub opened_by: Actor,
    pub created_version: u64,
    /// Version of the last event that changed this resource: its `ETag`.
    pub changed_version: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classification {
    pub at: Time,
    pub criteria: BTreeSet<Criterion>,
    pub is_major: bool,
    pub reason: Personal,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub stage: Stage,
    pub submitted_at: Time,
    pub reference: Personal,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    pub at: Time,
    pub by: Actor,
    pub cause: Cause,
    pub root_cause: Personal,
}

pub(crate) fn evolve(declared: &mut Declared, event: &Event, recorded: &Recorded) {
    if let Event::Opened { incident, detected_at, aware_at, databases, ai_systems, text } = event {
        let opened = Incident {
            detected_at: *detected_at,
            aware_at: *aware_at,
            databases: databases.clone(),
            ai_systems: ai_systems.clone(),
            text: text.clone(),
            classification: None,
            reports: vec![],
            recovered_at: None,
            closed: None,
            opened_at: recorded.at,
            opened_by: recorded.actor,
            created_version: recorded.version,
            changed_version: recorded.version,
        };
        declared.incidents.insert(*incident, opened);
        return;
    }
    let Some(incident) = declared.incidents.get_mut(&event.incident()) else { return };
    incident.changed_version = recorded.version;
    match event {
        Event::Opened { .. } => {}
        Event::Classified { classified_at, criteria, is_major, reason, .. } => {
            incident.classification = Some(Classification {
                at: *classified_at,
                criteria: criteria.clone(),
                is_major: *is_major,
                reason: reason.clone(),
            });
        }
        Event::Reported { stage, submitted_at, reference, .. } => incident.reports.push(Report {
            stage: *stage,
            submitted_at: *submitted_at,
            reference: reference.clone(),
        }),
        Event::Recovered { recovered_at, .. } => incident.recovered_at = Some(*recovered_at),
        Event::Closed { cause, root_cause, .. } => {
            incident.closed = Some(Closed {
                at: recorded.at,
                by: recorded.actor,
                cause: *cause,
                root_cause: root_cause.clone(),
            });
        }
    }
}

#[derive(Clone)]
pub enum Command {
    Open {
        incident: IncidentId,
        detected_at: Time,
        aware_at: Time,
        databases: Vec<String>,
        ai_systems: Vec<AiSystemId>,
        /// A JSON object.
        text: String,
    },
    Classify {
        incident: IncidentId,
        classified_at: Time,
        criteria: BTreeSet<Criterion>,
        is_major: bool,
        reason: Option<String>,
    },
    Report {
        incident: IncidentId,
        stage: Stage,
        submitted_at: Time,
        reference: Option<String>,
    },
    Recover {
        incident: IncidentId,
        recovered_at: Time,
    },
    Close {
        incident: IncidentId,
        cause: Cause,
        root_cause: String,
    },
}

impl Command {
    fn incident(&self) -> IncidentId {
        match self {
            Self::Open { incident, .. }
            | Self::Classify { incident, .. }
            | Self::Report { incident, .. }
            | Self::Recover { incident, .. }
            | Self::Close { incident, .. } => *incident,
        }
    }

    pub fn requires(&self, _: &Organization) -> Permission {
        Permission::Declare
    }

    pub fn resource_version(&self, organization: &Organization) -> Option<u64> {
        organization.declared.incident(self.incident()).map(|it| it.changed_version)
    }
}

/// What has a time of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Aware,
    Classified,
    Submitted,
    Recovered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such incident")]
    NotFound,
    #[error("an AI system that it names is not declared")]
    UnknownAiSystem,
    #[error("what it names lies before the incident was detected")]
    BeforeDetection(Step),
    #[error("it is not classified yet")]
    NotClassified,
    #[error("a report of an earlier stage comes first")]
    ReportOutOfOrder,
    #[error("the incident is closed")]
    Closed,
    #[error("there are too many already")]
    TooMany,
}

pub fn decide(organization: &Organization, command: &Command) -> Result<Vec<Event>, Rejection> {
    let profile = organization.profile().ok_or(Rejection::NotFound)?;
    let subject = profile.id.subject();
    let sealed = |text: &Option<String>| Personal::optional(subject, text.clone());
    let incident = command.incident();
    if let Command::Open { detected_at, aware_at, databases, ai_systems, text, .. } = command {
        can_open(organization, ai_systems)?;
        if aware_at < detected_at {
            return Err(Rejection::BeforeDetection(Step::Aware));
        }
        return Ok(vec![Event::Opened {
            incident,
            detected_at: *detected_at,
            aware_at: *aware_at,
            databases: databases.clone(),
            ai_systems: ai_systems.clone(),
            text: Personal::known(subject, text.clone()),
        }]);
    }
    let found = organization.declared.incident(incident).ok_or(Rejection::NotFound)?;
    let after_detection = |at: &Time, step: Step| {
        if *at < found.detected_at { Err(Rejection::BeforeDetection(step)) } else { Ok(*at) }
    };
    // the final report may follow the end of the incident
    if found.closed.is_some() && !matches!(command, Command::Report { .. }) {
        return Err(Rejection::Closed);
    }
    let event = match command {
        Command::Open { .. } => return Ok(vec![]),
        Command::Classify { classified_at, criteria, is_major, reason, .. } => Event::Classified {
            incident,
            classified_at: after_detection(classified_at, Step::Classified)?,
            criteria: criteria.clone(),
            is_major: *is_major,
            reason: sealed(reason),
        },
        Command::Report { stage, submitted_at, reference, .. } => {
            can_report(found, *stage)?;
            let submitted_at = after_detection(submitted_at, Step::Submitted)?;
            Event::Reported { incident, stage: *stage, submitted_at, reference: sealed(reference) }
        }
        Command::Recover { recovered_at, .. } => Event::Recovered {
            incident,
            recovered_at: after_detection(recovered_at, Step::Recovered)?,
        },
        Command::Close { cause, root_cause, .. } => {
            let root_cause = Personal::known(subject, root_cause.clone());
            found.classification.as_ref().ok_or(Rejection::NotClassified)?;
            Event::Closed { incident, cause: *cause, root_cause }
        }
    };
    Ok(vec![event])
}

fn can_open(organization: &Organization, ai_systems: &[AiSystemId]) -> Result<(), Rejection> {
    let declared = &organization.declared;
    let is_declared = |system: &AiSystemId| {
        declared.declaration(crate::declaration::DeclarationId::AiSystem(*system)).is_some()
    };
    if !ai_systems.iter().all(is_declared) {
        return Err(Rejection::UnknownAiSystem);
    }
    let open = declared.incidents.values().filter(|incident| incident.closed.is_none());
    if open.count() >= MOST_OPEN { Err(Rejection::TooMany) } else { Ok(()) }
}

fn can_report(incident: &Incident, stage: Stage) -> Result<(), Rejection> {
    incident.classification.as_ref().ok_or(Rejection::NotClassified)?;
    if incident.reports.len() >= MOST_REPORTS {
        return Err(Rejection::TooMany);
    }
    let has = |stage| incident.reports.iter().any(|report| report.stage == stage);
    let is_due = match stage {
        Stage::Initial => true,
        Stage::Intermediate => has(Stage::Initial),
        Stage::Final => has(Stage::Intermediate),
    };
    if is_due { Ok(()) } else { Err(Rejection::ReportOutOfOrder) }
}

#[cfg(test)]
mod tests;
