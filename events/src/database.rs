//! Databases: the record of what exists, in which state, and since when. They are made and run
//! elsewhere, by provisioners, who act on these facts and report back.
//!
//! Whoever starts, stops or resizes a database has it so at once: what the record says is what is
//! owed and billed, and a provisioner brings the machine there. What may be ordered and reported in
//! which state is one table: [`life::Step::in_state`].
//!
//! What is billed follows from these events alone: [`crate::invoice::meter`] says how. A time within an
//! event (`since`) is when it became so, where that was earlier than it was recorded; never earlier
//! than what was recorded of the database before. While the organization is suspended nothing of it
//! runs, whatever the state says, and its end is the end of its databases.
//!
//! A name is unique among the databases that are not on their way out. What is deleted is forgotten
//! here: the log tells of it.

use serde::{Deserialize, Serialize};

use crate::id::{DatabaseId, ProjectId};
use crate::kept::Kept;
use crate::organization::{Changed, Organization};
use crate::personal::Personal;
use crate::recorded::Recorded;
use crate::time::Time;

pub mod command;
pub mod life;
pub mod part;
pub mod report;

pub use command::{Command, Rejection, decide};
pub use life::Status;
use part::Parts;

/// How many an organization has at once.
pub const MOST: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    /// A member asked for it; nothing runs yet.
    #[serde(rename = "database.created")]
    Created {
        database: DatabaseId,
        name: String,
        database_type: String,
        version: String,
        tier: String,
        region: String,
        storage_gb: u32,
        node_count: u32,
        project: Option<ProjectId>,
    },
    #[serde(rename = "database.updated")]
    Updated {
        database: DatabaseId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Changed<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        project: Option<Changed<Option<ProjectId>>>,
    },
    #[serde(rename = "database.provisioning_started")]
    ProvisioningStarted { database: DatabaseId, since: Option<Time> },
    /// It runs, for the first time or again.
    #[serde(rename = "database.started")]
    Started { database: DatabaseId, since: Option<Time> },
    #[serde(rename = "database.stopped")]
    Stopped {
        database: DatabaseId,
        since: Option<Time>,
        /// A member wants it so; a provisioner does not start it again.
        is_ordered: bool,
    },
    #[serde(rename = "database.failed")]
    Failed {
        database: DatabaseId,
        since: Option<Time>,
        #[serde(skip)]
        reason: Personal,
    },
    #[serde(rename = "database.resized")]
    Resized {
        database: DatabaseId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tier: Option<Changed<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        storage_gb: Option<Changed<u32>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node_count: Option<Changed<u32>>,
    },
    /// What a provisioner says of it now, as a whole.
    #[serde(rename = "database.facts_reported")]
    FactsReported { database: DatabaseId, facts: Facts },
    /// A member wants it gone.
    #[serde(rename = "database.deletion_started")]
    DeletionStarted { database: DatabaseId, name: String },
    /// It is gone, with all that belonged to it.
    #[serde(rename = "database.deleted")]
    Deleted { database: DatabaseId, name: String, since: Option<Time> },
}

/// What only a provisioner knows. What it has never said is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encryption {
    /// Whether what is stored is encrypted.
    pub at_rest: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Whether a connection without it is refused.
    pub required: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_version: Option<String>,
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Created { .. } => ("database.created", 1),
            Self::Updated { .. } => ("database.updated", 1),
            Self::ProvisioningStarted { .. } => ("database.provisioning_started", 1),
            Self::Started { .. } => ("database.started", 1),
            Self::Stopped { .. } => ("database.stopped", 1),
            Self::Failed { .. } => ("database.failed", 1),
            Self::Resized { .. } => ("database.resized", 1),
            Self::FactsReported { .. } => ("database.facts_reported", 1),
            Self::DeletionStarted { .. } => ("database.deletion_started", 1),
            Self::Deleted { .. } => ("database.deleted", 1),
        }
    }

    pub fn database(&self) -> DatabaseId {
        match self {
            Self::Created { database, .. }
            | Self::Updated { database, .. }
            | Self::ProvisioningStarted { database, .. }
            | Self::Started { database, .. }
            | Self::Stopped { database, .. }
            | Self::Failed { database, .. }
            | Self::Resized { database, .. }
            | Self::FactsReported { database, .. }
            | Self::DeletionStarted { database, .. }
            | Self::Deleted { database, .. } => *database,
        }
    }

    pub(crate) fn personal(&mut self, visit: &mut dyn FnMut(&'static str, &mut Personal)) {
        if let Self::Failed { reason, .. } = self {
            visit("reason", reason);
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    pub name: String,
    pub database_type: String,
    pub version: String,
    pub tier: String,
    pub region: String,
    pub storage_gb: u32,
    pub node_count: u32,
    pub project: Option<ProjectId>,
    pub status: Status,
    /// When it came into this state.
    pub status_since: Time,
    /// It is stopped because a member wants that.
    pub is_stopped_by_order: bool,
    /// Why it failed, while it has.
    pub failure: Personal,
    pub facts: Facts,
    pub parts: Parts,
}

impl Organization {
    pub fn database(&self, id: DatabaseId) -> Option<&Kept<Database>> {
        self.databases.get(&id)
    }

    /// Those on their way out, too.
    pub fn databases(&self) -> impl ExactSizeIterator<Item = (DatabaseId, &Kept<Database>)> {
        self.databases.iter().map(|(id, it)| (*id, it))
    }
}

pub(crate) fn evolve(organization: &mut Organization, event: &Event, recorded: &Recorded) {
    let changes_count = matches!(event, Event::Created { .. } | Event::Deleted { .. });
    if changes_count {
        // how many there are is shown with the organization
        organization.is_changed_by(recorded);
    }
    let databases = &mut organization.databases;
    let Event::Created {
        database,
        name,
        database_type,
        version,
        tier,
        region,
        storage_gb,
        node_count,
        project,
    } = event
    else {
        if let Event::Deleted { database, .. } = event {
            databases.remove(database);
        } else if let Some(kept) = databases.get_mut(&event.database()) {
            kept.changed_by(recorded).take(event, recorded.at);
        }
        return;
    };
    let created = Database {
        name: name.clone(),
        database_type: database_type.clone(),
        version: version.clone(),
        tier: tier.clone(),
        region: region.clone(),
        storage_gb: *storage_gb,
        node_count: *node_count,
        project: *project,
        status: Status::Pending,
        status_since: recorded.at,
        is_stopped_by_order: false,
        failure: Personal::Absent,
        facts: Facts::default(),
        parts: Parts::default(),
    };
    databases.insert(*database, Kept::new(created, recorded));
}

impl Database {
    fn take(&mut self, event: &Event, at: Time) {
        match event {
            Event::Created { .. } | Event::Deleted { .. } => {}
            Event::Updated { name, project, .. } => {
                if let Some(name) = name {
                    self.name.clone_from(&name.to);
                }
                if let Some(project) = project {
                    self.project = project.to;
                }
            }
            Event::ProvisioningStarted { since, .. } => {
                self.enters(Status::Provisioning, since.unwrap_or(at));
            }
            Event::Started { since, .. } => self.enters(Status::Running, since.unwrap_or(at)),
            Event::Stopped { since, is_ordered, .. } => {
                self.enters(Status::Stopped, since.unwrap_or(at));
                self.is_stopped_by_order = *is_ordered;
            }
            Event::Failed { since, reason, .. } => {
                self.enters(Status::Failed, since.unwrap_or(at));
                self.failure = reason.clone();
            }
            Event::Resized { tier, storage_gb, node_count, .. } => {
                if let Some(tier) = tier {
                    self.tier.clone_from(&tier.to);
                }
                if let Some(storage_gb) = storage_gb {
                    self.storage_gb = storage_gb.to;
                }
                if let Some(node_count) = node_count {
                    self.node_count = node_count.to;
                }
            }
            Event::FactsReported { facts, .. } => self.facts = facts.clone(),
            Event::DeletionStarted { .. } => self.enters(Status::Deleting, at),
        }
    }

    fn enters(&mut self, status: Status, since: Time) {
        self.status = status;
        self.status_since = since;
        self.is_stopped_by_order = false;
        self.failure = Personal::Absent;
    }
}

#[cfg(test)]
mod tests;
