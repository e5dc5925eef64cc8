//! What a provisioner reports of a database. The same report once more changes nothing, and one that
//! would lead to a state which the present one does not lead to is refused as a whole.

use super::life::{Status, Step};
use super::{Database, Encryption, Endpoint, Event, Facts, Rejection, Tls, part};
use crate::id::{BackupId, DatabaseId, SubjectId};
use crate::organization::Organization;
use crate::personal::Personal;
use crate::time::Time;

/// A state that a provisioner has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    Provisioning,
    Running,
    Stopped,
    Failed,
    Deleted,
}

#[derive(Clone, Default)]
pub struct Report {
    pub status: Option<Seen>,
    /// When it came into that state, if that was not now.
    pub since: Option<Time>,
    /// Why it failed.
    pub reason: Option<String>,
    pub endpoint: Option<Endpoint>,
    pub encryption: Option<Encryption>,
    pub tls: Option<Tls>,
    pub backups: Vec<BackupReport>,
}

#[derive(Clone)]
pub struct BackupReport {
    /// One that was asked for, or an id that follows from its end.
    pub backup: BackupId,
    pub outcome: Outcome,
}

#[derive(Clone)]
pub enum Outcome {
    Finished(part::Finished),
    /// It is kept no longer.
    Deleted,
}

/// What becomes of a report on a database that this organization has, or once had.
pub fn decide(
    organization: &Organization,
    database: DatabaseId,
    report: &Report,
) -> Result<Vec<crate::Event>, Rejection> {
    let found = organization.profile().zip(organization.database(database));
    let Some((profile, kept)) = found else {
        // what is gone is gone, however often that is said
        let is_said = report.status == Some(Seen::Deleted);
        return if is_said { Ok(vec![]) } else { Err(Rejection::NotFound) };
    };
    let found = &kept.content;
    let mut events: Vec<crate::Event> = Vec::new();
    events.extend(facts(database, found, report)?.map(Into::into));
    events.extend(backups(database, found, report).into_iter().map(Into::into));
    events.extend(status(database, found, profile.id.subject(), report)?.map(Into::into));
    Ok(events)
}

fn facts(
    database: DatabaseId,
    found: &Database,
    report: &Report,
) -> Result<Option<Event>, Rejection> {
    let before = &found.facts;
    let facts = Facts {
        endpoint: report.endpoint.clone().or_else(|| before.endpoint.clone()),
        encryption: report.encryption.clone().or_else(|| before.encryption.clone()),
        tls: report.tls.clone().or_else(|| before.tls.clone()),
    };
    if facts == *before {
        return Ok(None);
    }
    let is_due = Step::ReportFacts.is_due_in(found.status)?;
    Ok(is_due.then_some(Event::FactsReported { database, facts }))
}

fn status(
    database: DatabaseId,
    found: &Database,
    subject: SubjectId,
    report: &Report,
) -> Result<Option<Event>, Rejection> {
    let Some(seen) = report.status else { return Ok(None) };
    let step = match seen {
        Seen::Provisioning => Step::ReportProvisioning,
        Seen::Running => Step::ReportRunning,
        Seen::Stopped => Step::ReportStopped,
        Seen::Failed => Step::ReportFailed,
        Seen::Deleted => Step::ReportDeleted,
    };
    if !step.is_due_in(found.status)? {
        return Ok(None);
    }
    if seen == Seen::Running && found.status == Status::Stopped && found.is_stopped_by_order {
        return Err(Rejection::StoppedByOrder);
    }
    // clocks differ: nothing became so before what it follows on
    let since = report.since.map(|since| since.max(found.status_since));
    Ok(Some(match seen {
        Seen::Provisioning => Event::ProvisioningStarted { database, since },
        Seen::Running => Event::Started { database, since },
        Seen::Stopped => Event::Stopped { database, since, is_ordered: false },
        Seen::Failed => {
            let reason = Personal::optional(subject, report.reason.clone());
            Event::Failed { database, since, reason }
        }
        Seen::Deleted => Event::Deleted { database, name: found.name.clone(), since },
    }))
}

/// Of backups that are known to have ended so nothing is recorded twice.
fn backups(database: DatabaseId, found: &Database, report: &Report) -> Vec<part::Event> {
    let mut events: Vec<part::Event> = Vec::new();
    for BackupReport { backup, outcome } in &report.backups {
        let before = found.parts.backups.get(backup);
        let is_repeated = events.iter().any(|event| event.backup() == Some(*backup));
        let event = match outcome {
            Outcome::Finished(finished) => {
                let is_known = before.is_some_and(|it| it.content.finished.is_some());
                let event = part::Event::BackupCompleted {
                    database,
                    backup: *backup,
                    finished: finished.clone(),
                };
                (!is_known).then_some(event)
            }
            Outcome::Deleted => {
                before.map(|_| part::Event::BackupDeleted { database, backup: *backup })
            }
        };
        events.extend(event.filter(|_| !is_repeated));
    }
    events
}
