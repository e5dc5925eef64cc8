//! What members may order of databases, and what becomes of it.

use super::life::{Status, Step};
use super::{Database, Event, MOST};
use crate::id::{DatabaseId, ProjectId};
use crate::organization::{Changed, Organization};
use crate::permission::Permission;
use crate::quota::{Excess, Quota};

#[derive(Clone)]
pub enum Command {
    Create {
        database: DatabaseId,
        wish: Wish,
    },
    /// A field that is `None` stays as it is; an inner `None` takes it out of its project.
    Update {
        database: DatabaseId,
        name: Option<String>,
        project: Option<Option<ProjectId>>,
    },
    Start {
        database: DatabaseId,
    },
    Stop {
        database: DatabaseId,
    },
    /// A field that is `None` stays as it is.
    Resize {
        database: DatabaseId,
        tier: Option<String>,
        storage_gb: Option<u32>,
        node_count: Option<u32>,
    },
    Delete {
        database: DatabaseId,
    },
}

/// A database as it is asked for.
#[derive(Clone)]
pub struct Wish {
    pub name: String,
    pub database_type: String,
    pub version: String,
    /// The organization's default when it is `None`.
    pub tier: Option<String>,
    /// The project's when it is `None`.
    pub region: Option<String>,
    pub storage_gb: u32,
    pub node_count: u32,
    pub project: Option<ProjectId>,
}

impl Command {
    fn database(&self) -> DatabaseId {
        match self {
            Self::Create { database, .. }
            | Self::Update { database, .. }
            | Self::Start { database }
            | Self::Stop { database }
            | Self::Resize { database, .. }
            | Self::Delete { database } => *database,
        }
    }

    pub fn requires(&self, _: &Organization) -> Permission {
        match self {
            Self::Create { .. }
            | Self::Update { .. }
            | Self::Start { .. }
            | Self::Stop { .. }
            | Self::Resize { .. } => Permission::ManageDatabases,
            Self::Delete { .. } => Permission::DeleteDatabases,
        }
    }

    pub fn resource_version(&self, organization: &Organization) -> Option<u64> {
        organization.database(self.database()).map(|it| it.changed_version)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such database")]
    NotFound,
    #[error("another one has the name")]
    NameTaken,
    #[error("there is no such project")]
    NoSuchProject,
    #[error("the organization does not allow the region")]
    RegionNotAllowed,
    #[error("neither the database nor its project has a region")]
    RegionMissing,
    #[error("storage only grows")]
    StorageShrinks,
    #[error("this cannot be done to a database that is in this state")]
    IllegalIn(Status),
    #[error("a member has stopped the database")]
    StoppedByOrder,
    #[error("the network is on the list already")]
    NetworkListed,
    #[error("the backup is not finished")]
    BackupUnfinished,
    #[error("the organization is suspended")]
    Suspended,
    #[error("the plan allows no more")]
    QuotaExceeded(Excess),
    #[error("there are as many of them as there may be")]
    TooMany,
}

pub fn decide(organization: &Organization, command: &Command) -> Result<Vec<Event>, Rejection> {
    organization.profile().ok_or(Rejection::NotFound)?;
    let database = command.database();
    if let Command::Create { wish, .. } = command {
        return Ok(vec![created(organization, database, wish)?]);
    }
    let found = &organization.database(database).ok_or(Rejection::NotFound)?.content;
    let step = match command {
        Command::Create { .. } | Command::Update { .. } => Step::Update,
        Command::Start { .. } => Step::Start,
        Command::Stop { .. } => Step::Stop,
        Command::Resize { .. } => Step::Resize,
        Command::Delete { .. } => Step::Delete,
    };
    if !step.is_due_in(found.status)? {
        return Ok(vec![]);
    }
    let event = match command {
        Command::Create { .. } => return Ok(vec![]),
        Command::Update { name, project, .. } => {
            return updated(organization, database, found, name.as_ref(), *project);
        }
        Command::Start { .. } => {
            runs(organization)?;
            Event::Started { database, since: None }
        }
        Command::Stop { .. } => Event::Stopped { database, since: None, is_ordered: true },
        Command::Resize { tier, storage_gb, node_count, .. } => {
            return resized(database, found, tier.as_ref(), *storage_gb, *node_count);
        }
        Command::Delete { .. } => Event::DeletionStarted { database, name: found.name.clone() },
    };
    Ok(vec![event])
}

/// Whether anything of the organization runs.
fn runs(organization: &Organization) -> Result<(), Rejection> {
    let is_suspended = organization.profile().is_some_and(|profile| profile.is_suspended);
    if is_suspended { Err(Rejection::Suspended) } else { Ok(()) }
}

fn created(
    organization: &Organization,
    database: DatabaseId,
    wish: &Wish,
) -> Result<Event, Rejection> {
    runs(organization)?;
    let settings = organization.settings();
    let project = match wish.project {
        None => None,
        Some(project) => Some(organization.project(project).ok_or(Rejection::NoSuchProject)?),
    };
    let of_project = project.and_then(|project| project.content.region.as_ref());
    let region = wish.region.as_ref().or(of_project).ok_or(Rejection::RegionMissing)?;
    if !settings.allows_region(region) {
        return Err(Rejection::RegionNotAllowed);
    }
    name_is_free(organization, &wish.name)?;
    if let Some(excess) = organization.without_room(Quota::Databases) {
        return Err(Rejection::QuotaExceeded(excess));
    }
    if organization.databases.len() >= MOST {
        return Err(Rejection::TooMany);
    }
    let tier = wish.tier.as_ref().unwrap_or(&settings.default_tier);
    Ok(Event::Created {
        database,
        name: wish.name.clone(),
        database_type: wish.database_type.clone(),
        version: wish.version.clone(),
        tier: tier.clone(),
        region: region.clone(),
        storage_gb: wish.storage_gb,
        node_count: wish.node_count,
        project: wish.project,
    })
}

fn name_is_free(organization: &Organization, name: &str) -> Result<(), Rejection> {
    let stays = organization.databases().filter(|(_, it)| it.content.status != Status::Deleting);
    let is_taken = stays.into_iter().any(|(_, it)| it.content.name == name);
    if is_taken { Err(Rejection::NameTaken) } else { Ok(()) }
}

fn changed<T: Clone + PartialEq>(from: &T, to: Option<&T>) -> Option<Changed<T>> {
    let to = to.filter(|to| *to != from)?;
    Some(Changed { from: from.clone(), to: to.clone() })
}

fn updated(
    organization: &Organization,
    database: DatabaseId,
    before: &Database,
    name: Option<&String>,
    project: Option<Option<ProjectId>>,
) -> Result<Vec<Event>, Rejection> {
    let name = changed(&before.name, name);
    if let Some(name) = &name {
        name_is_free(organization, &name.to)?;
    }
    let project = changed(&before.project, project.as_ref());
    if let Some(Changed { to: Some(project), .. }) = &project {
        organization.project(*project).ok_or(Rejection::NoSuchProject)?;
    }
    let is_nothing = name.is_none() && project.is_none();
    Ok(if is_nothing { vec![] } else { vec![Event::Updated { database, name, project }] })
}

fn resized(
    database: DatabaseId,
    before: &Database,
    tier: Option<&String>,
    storage_gb: Option<u32>,
    node_count: Option<u32>,
) -> Result<Vec<Event>, Rejection> {
    if storage_gb.is_some_and(|storage_gb| storage_gb < before.storage_gb) {
        return Err(Rejection::StorageShrinks);
    }
    let tier = changed(&before.tier, tier);
    let storage_gb = changed(&before.storage_gb, storage_gb.as_ref());
    let node_count = changed(&before.node_count, node_count.as_ref());
    let is_nothing = tier.is_none() && storage_gb.is_none() && node_count.is_none();
    let event = Event::Resized { database, tier, storage_gb, node_count };
    Ok(if is_nothing { vec![] } else { vec![event] })
}
