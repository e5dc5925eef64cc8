//! What members may order of the parts of a database, and what becomes of it.

use super::{Alert, Event, MOST, MOST_BACKUPS, Parts, Schedule};
use crate::database::Rejection;
use crate::database::life::Step;
use crate::id::{AlertId, AllowlistRuleId, BackupId, DatabaseId, DatabaseUserId, PipelineId};
use crate::organization::Organization;
use crate::permission::Permission;
use crate::personal::Personal;
use crate::setting::IpNet;

#[derive(Clone)]
pub struct Command {
    pub database: DatabaseId,
    pub order: Order,
}

#[derive(Clone)]
pub enum Order {
    CreateUser { user: DatabaseUserId, username: String },
    ResetPassword { user: DatabaseUserId },
    RevealPassword { user: DatabaseUserId },
    DeleteUser { user: DatabaseUserId },
    BackUp { backup: BackupId },
    DeleteBackup { backup: BackupId },
    SetSchedule { schedule: Schedule },
    AddRule { rule: AllowlistRuleId, cidr: IpNet, description: Option<String> },
    RemoveRule { rule: AllowlistRuleId },
    SwitchAllowlist { is_enabled: bool },
    CreateAlert { alert: AlertId, content: Alert },
    ReplaceAlert { alert: AlertId, content: Alert },
    RemoveAlert { alert: AlertId },
    CreatePipeline { pipeline: PipelineId, wish: PipelineWish },
    ReplacePipeline { pipeline: PipelineId, wish: PipelineWish },
    RemovePipeline { pipeline: PipelineId },
}

/// A pipeline as it is asked for.
#[derive(Clone)]
pub struct PipelineWish {
    pub name: String,
    pub schedule: Option<String>,
    pub is_enabled: bool,
    /// A JSON object: source and target.
    pub ends: String,
}

impl Command {
    pub fn requires(&self, _: &Organization) -> Permission {
        match self.order {
            Order::RevealPassword { .. } => Permission::UseDatabases,
            Order::CreateUser { .. }
            | Order::ResetPassword { .. }
            | Order::DeleteUser { .. }
            | Order::AddRule { .. }
            | Order::RemoveRule { .. }
            | Order::SwitchAllowlist { .. }
            | Order::CreateAlert { .. }
            | Order::ReplaceAlert { .. }
            | Order::RemoveAlert { .. } => Permission::ManageDatabases,
            Order::BackUp { .. } | Order::SetSchedule { .. } => Permission::ManageBackups,
            Order::DeleteBackup { .. } => Permission::DeleteBackups,
            Order::CreatePipeline { .. }
            | Order::ReplacePipeline { .. }
            | Order::RemovePipeline { .. } => Permission::ManagePipelines,
        }
    }

    pub fn resource_version(&self, organization: &Organization) -> Option<u64> {
        let parts = &organization.database(self.database)?.content.parts;
        match &self.order {
            Order::CreateUser { user, .. }
            | Order::ResetPassword { user }
            | Order::RevealPassword { user }
            | Order::DeleteUser { user } => parts.users.get(user).map(|it| it.changed_version),
            Order::BackUp { backup } | Order::DeleteBackup { backup } => {
                parts.backups.get(backup).map(|it| it.changed_version)
            }
            // before anybody has set it, there is no version that anybody has seen
            Order::SetSchedule { .. } => {
                Some(parts.schedule.as_ref().map_or(u64::MAX, |it| it.changed_version))
            }
            Order::AddRule { rule, .. } | Order::RemoveRule { rule } => {
                parts.allowlist.rules.get(rule).map(|it| it.changed_version)
            }
            Order::SwitchAllowlist { .. } => Some(parts.allowlist.changed_version),
            Order::CreateAlert { alert, .. }
            | Order::ReplaceAlert { alert, .. }
            | Order::RemoveAlert { alert } => parts.alerts.get(alert).map(|it| it.changed_version),
            Order::CreatePipeline { pipeline, .. }
            | Order::ReplacePipeline { pipeline, .. }
            | Order::RemovePipeline { pipeline } => {
                parts.pipelines.get(pipeline).map(|it| it.changed_version)
            }
        }
    }
}

pub fn decide(organization: &Organization, command: &Command) -> Result<Vec<Event>, Rejection> {
    let profile = organization.profile().ok_or(Rejection::NotFound)?;
    let (database, subject) = (command.database, profile.id.subject());
    let found = &organization.database(database).ok_or(Rejection::NotFound)?.content;
    let step = match command.order {
        Order::BackUp { .. } => Step::BackUp,
        Order::CreateUser { .. }
        | Order::ResetPassword { .. }
        | Order::RevealPassword { .. }
        | Order::DeleteUser { .. }
        | Order::DeleteBackup { .. }
        | Order::SetSchedule { .. }
        | Order::AddRule { .. }
        | Order::RemoveRule { .. }
        | Order::SwitchAllowlist { .. }
        | Order::CreateAlert { .. }
        | Order::ReplaceAlert { .. }
        | Order::RemoveAlert { .. }
        | Order::CreatePipeline { .. }
        | Order::ReplacePipeline { .. }
        | Order::RemovePipeline { .. } => Step::ChangeParts,
    };
    step.is_due_in(found.status)?;
    let parts = &found.parts;
    let event = match &command.order {
        Order::CreateUser { user, username } => {
            if parts.users.values().any(|it| it.content.username == *username) {
                return Err(Rejection::NameTaken);
            }
            has_room(parts.users.len(), MOST)?;
            Event::UserCreated { database, user: *user, username: username.clone() }
        }
        Order::ResetPassword { user } => {
            let issue = parts.users.get(user).ok_or(Rejection::NotFound)?.content.issue + 1;
            Event::PasswordReset { database, user: *user, issue }
        }
        Order::RevealPassword { user } => {
            let issue = parts.users.get(user).ok_or(Rejection::NotFound)?.content.issue;
            Event::PasswordRevealed { database, user: *user, issue }
        }
        Order::DeleteUser { user } => {
            let found = parts.users.get(user).ok_or(Rejection::NotFound)?;
            let username = found.content.username.clone();
            Event::UserDeleted { database, user: *user, username }
        }
        Order::BackUp { backup } => {
            has_room(parts.backups.len(), MOST_BACKUPS)?;
            Event::BackupRequested { database, backup: *backup }
        }
        Order::DeleteBackup { backup } => {
            let found = parts.backups.get(backup).ok_or(Rejection::NotFound)?;
            found.content.finished.as_ref().ok_or(Rejection::BackupUnfinished)?;
            Event::BackupDeleted { database, backup: *backup }
        }
        Order::SetSchedule { schedule } => {
            if parts.schedule.as_ref().is_some_and(|it| it.content == *schedule) {
                return Ok(vec![]);
            }
            Event::ScheduleSet { database, schedule: schedule.clone() }
        }
        Order::AddRule { rule, cidr, description } => {
            if parts.allowlist.rules.values().any(|it| it.content.cidr == *cidr) {
                return Err(Rejection::NetworkListed);
            }
            has_room(parts.allowlist.rules.len(), MOST)?;
            let description = Personal::optional(subject, description.clone());
            Event::RuleAdded { database, rule: *rule, cidr: *cidr, description }
        }
        Order::RemoveRule { rule } => {
            let found = parts.allowlist.rules.get(rule).ok_or(Rejection::NotFound)?;
            Event::RuleRemoved { database, rule: *rule, cidr: found.content.cidr }
        }
        Order::SwitchAllowlist { is_enabled } if parts.allowlist.is_enabled == *is_enabled => {
            return Ok(vec![]);
        }
        Order::SwitchAllowlist { is_enabled } => {
            Event::AllowlistSwitched { database, is_enabled: *is_enabled }
        }
        Order::CreateAlert { .. } | Order::ReplaceAlert { .. } | Order::RemoveAlert { .. } => {
            return alert(database, parts, &command.order);
        }
        Order::CreatePipeline { pipeline, wish } => {
            pipeline_name_is_free(parts, *pipeline, &wish.name)?;
            has_room(parts.pipelines.len(), MOST)?;
            wish.set(database, *pipeline, subject)
        }
        Order::ReplacePipeline { pipeline, wish } => {
            parts.pipelines.get(pipeline).ok_or(Rejection::NotFound)?;
            pipeline_name_is_free(parts, *pipeline, &wish.name)?;
            wish.set(database, *pipeline, subject)
        }
        Order::RemovePipeline { pipeline } => {
            let found = parts.pipelines.get(pipeline).ok_or(Rejection::NotFound)?;
            let name = found.content.name.clone();
            Event::PipelineRemoved { database, pipeline: *pipeline, name }
        }
    };
    Ok(vec![event])
}

fn alert(database: DatabaseId, parts: &Parts, order: &Order) -> Result<Vec<Event>, Rejection> {
    let set = |alert, content: &Alert| {
        let is_named_so = |(id, it): (_, &crate::kept::Kept<Alert>)| {
            id != &alert && it.content.name == content.name
        };
        if parts.alerts.iter().any(is_named_so) {
            return Err(Rejection::NameTaken);
        }
        Ok(vec![Event::AlertSet { database, alert, content: content.clone() }])
    };
    match order {
        Order::CreateAlert { alert, content } => {
            has_room(parts.alerts.len(), MOST)?;
            set(*alert, content)
        }
        Order::ReplaceAlert { alert, content } => {
            let before = parts.alerts.get(alert).ok_or(Rejection::NotFound)?;
            if before.content == *content { Ok(vec![]) } else { set(*alert, content) }
        }
        Order::RemoveAlert { alert } => {
            let name = &parts.alerts.get(alert).ok_or(Rejection::NotFound)?.content.name;
            Ok(vec![Event::AlertRemoved { database, alert: *alert, name: name.clone() }])
        }
        Order::CreateUser { .. }
        | Order::ResetPassword { .. }
        | Order::RevealPassword { .. }
        | Order::DeleteUser { .. }
        | Order::BackUp { .. }
        | Order::DeleteBackup { .. }
        | Order::SetSchedule { .. }
        | Order::AddRule { .. }
        | Order::RemoveRule { .. }
        | Order::SwitchAllowlist { .. }
        | Order::CreatePipeline { .. }
        | Order::ReplacePipeline { .. }
        | Order::RemovePipeline { .. } => Ok(vec![]),
    }
}

fn has_room(count: usize, most: usize) -> Result<(), Rejection> {
    if count >= most { Err(Rejection::TooMany) } else { Ok(()) }
}

fn pipeline_name_is_free(parts: &Parts, own: PipelineId, name: &str) -> Result<(), Rejection> {
    let mut others = parts.pipelines.iter().filter(|(id, _)| **id != own);
    let is_taken = others.any(|(_, it)| it.content.name == name);
    if is_taken { Err(Rejection::NameTaken) } else { Ok(()) }
}

impl PipelineWish {
    fn set(
        &self,
        database: DatabaseId,
        pipeline: PipelineId,
        subject: crate::id::SubjectId,
    ) -> Event {
        Event::PipelineSet {
            database,
            pipeline,
            name: self.name.clone(),
            schedule: self.schedule.clone(),
            is_enabled: self.is_enabled,
            ends: Personal::known(subject, self.ends.clone()),
        }
    }
}
