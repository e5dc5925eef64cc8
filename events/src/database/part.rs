//! What belongs to one database: its users, backups and their schedule, the networks it lets in, its
//! alerts and pipelines. All of it ends with the database.
//!
//! A user's password is in no event: it follows from the user's id and how often it was set.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Database;
use crate::id::{AlertId, AllowlistRuleId, BackupId, DatabaseId, DatabaseUserId, PipelineId};
use crate::kept::Kept;
use crate::organization::Organization;
use crate::personal::Personal;
use crate::recorded::Recorded;
use crate::setting::IpNet;
use crate::time::Time;

pub mod command;

pub use super::Rejection;
pub use command::{Command, Order, PipelineWish, decide};

/// How many of each kind one database has.
pub const MOST: usize = 100;
/// Backups that are kept of it.
pub const MOST_BACKUPS: usize = 1_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    #[serde(rename = "database_user.created")]
    UserCreated { database: DatabaseId, user: DatabaseUserId, username: String },
    /// The password is the next one.
    #[serde(rename = "database_user.password_reset")]
    PasswordReset { database: DatabaseId, user: DatabaseUserId, issue: u64 },
    /// Somebody was shown the password.
    #[serde(rename = "database_user.password_revealed")]
    PasswordRevealed { database: DatabaseId, user: DatabaseUserId, issue: u64 },
    #[serde(rename = "database_user.deleted")]
    UserDeleted { database: DatabaseId, user: DatabaseUserId, username: String },
    #[serde(rename = "backup.requested")]
    BackupRequested { database: DatabaseId, backup: BackupId },
    /// It has ended, well or not.
    #[serde(rename = "backup.completed")]
    BackupCompleted { database: DatabaseId, backup: BackupId, finished: Finished },
    /// It is kept no longer.
    #[serde(rename = "backup.deleted")]
    BackupDeleted { database: DatabaseId, backup: BackupId },
    #[serde(rename = "backup_schedule.set")]
    ScheduleSet { database: DatabaseId, schedule: Schedule },
    #[serde(rename = "database_allowlist.rule_added")]
    RuleAdded {
        database: DatabaseId,
        rule: AllowlistRuleId,
        cidr: IpNet,
        #[serde(skip)]
        description: Personal,
    },
    #[serde(rename = "database_allowlist.rule_removed")]
    RuleRemoved { database: DatabaseId, rule: AllowlistRuleId, cidr: IpNet },
    #[serde(rename = "database_allowlist.switched")]
    AllowlistSwitched { database: DatabaseId, is_enabled: bool },
    /// Made, or put in the place of what it was.
    #[serde(rename = "alert.set")]
    AlertSet { database: DatabaseId, alert: AlertId, content: Alert },
    #[serde(rename = "alert.removed")]
    AlertRemoved { database: DatabaseId, alert: AlertId, name: String },
    /// Made, or put in the place of what it was.
    #[serde(rename = "pipeline.set")]
    PipelineSet {
        database: DatabaseId,
        pipeline: PipelineId,
        name: String,
        /// As cron writes it, in UTC; `None`: whenever there is something new.
        schedule: Option<String>,
        is_enabled: bool,
        /// A JSON object: source and target.
        #[serde(skip)]
        ends: Personal,
    },
    #[serde(rename = "pipeline.removed")]
    PipelineRemoved { database: DatabaseId, pipeline: PipelineId, name: String },
}

/// What came of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finished {
    pub succeeded: bool,
    pub started_at: Option<Time>,
    pub finished_at: Time,
    /// What is stored and billed; 0 when it failed.
    pub size_bytes: u64,
    pub is_encrypted: Option<bool>,
    /// Where it is kept, if that is not where the database is.
    pub region: Option<String>,
}

/// When backups are made without being asked for, and for how long they are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    pub is_enabled: bool,
    pub interval_hours: u32,
    /// Hour of the day, UTC, from which the intervals count.
    pub hour: u32,
    pub retention_days: u32,
}

impl Default for Schedule {
    /// As long as nobody has said anything.
    fn default() -> Self {
        Self { is_enabled: false, interval_hours: 24, hour: 3, retention_days: 7 }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    pub name: String,
    pub metric: Metric,
    pub comparison: Comparison,
    /// In the unit of the metric.
    pub threshold: u64,
    /// For how long it must be so.
    pub for_seconds: u32,
    pub is_enabled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    CpuPercent,
    MemoryPercent,
    StoragePercent,
    Connections,
    QueriesPerSecond,
    ReplicationLagSeconds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    Above,
    Below,
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        let kind = match self {
            Self::UserCreated { .. } => "database_user.created",
            Self::PasswordReset { .. } => "database_user.password_reset",
            Self::PasswordRevealed { .. } => "database_user.password_revealed",
            Self::UserDeleted { .. } => "database_user.deleted",
            Self::BackupRequested { .. } => "backup.requested",
            Self::BackupCompleted { .. } => "backup.completed",
            Self::BackupDeleted { .. } => "backup.deleted",
            Self::ScheduleSet { .. } => "backup_schedule.set",
            Self::RuleAdded { .. } => "database_allowlist.rule_added",
            Self::RuleRemoved { .. } => "database_allowlist.rule_removed",
            Self::AllowlistSwitched { .. } => "database_allowlist.switched",
            Self::AlertSet { .. } => "alert.set",
            Self::AlertRemoved { .. } => "alert.removed",
            Self::PipelineSet { .. } => "pipeline.set",
            Self::PipelineRemoved { .. } => "pipeline.removed",
        };
        (kind, 1)
    }

    pub fn database(&self) -> DatabaseId {
        match self {
            Self::UserCreated { database, .. }
            | Self::PasswordReset { database, .. }
            | Self::PasswordRevealed { database, .. }
            | Self::UserDeleted { database, .. }
            | Self::BackupRequested { database, .. }
            | Self::BackupCompleted { database, .. }
            | Self::BackupDeleted { database, .. }
            | Self::ScheduleSet { database, .. }
            | Self::RuleAdded { database, .. }
            | Self::RuleRemoved { database, .. }
            | Self::AllowlistSwitched { database, .. }
            | Self::AlertSet { database, .. }
            | Self::AlertRemoved { database, .. }
            | Self::PipelineSet { database, .. }
            | Self::PipelineRemoved { database, .. } => *database,
        }
    }

    /// The backup that it is about.
    pub fn backup(&self) -> Option<BackupId> {
        match self {
            Self::BackupRequested { backup, .. }
            | Self::BackupCompleted { backup, .. }
            | Self::BackupDeleted { backup, .. } => Some(*backup),
            Self::UserCreated { .. }
            | Self::PasswordReset { .. }
            | Self::PasswordRevealed { .. }
            | Self::UserDeleted { .. }
            | Self::ScheduleSet { .. }
            | Self::RuleAdded { .. }
            | Self::RuleRemoved { .. }
            | Self::AllowlistSwitched { .. }
            | Self::AlertSet { .. }
            | Self::AlertRemoved { .. }
            | Self::PipelineSet { .. }
            | Self::PipelineRemoved { .. } => None,
        }
    }

    pub(crate) fn personal(&mut self, visit: &mut dyn FnMut(&'static str, &mut Personal)) {
        if let Self::RuleAdded { description, .. } = self {
            visit("description", description);
        }
        if let Self::PipelineSet { ends, .. } = self {
            visit("ends", ends);
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    pub users: BTreeMap<DatabaseUserId, Kept<User>>,
    pub backups: BTreeMap<BackupId, Kept<Backup>>,
    /// Nobody has set it as long as it is `None`.
    pub schedule: Option<Kept<Schedule>>,
    pub allowlist: Allowlist,
    pub alerts: BTreeMap<AlertId, Kept<Alert>>,
    pub pipelines: BTreeMap<PipelineId, Kept<Pipeline>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub username: String,
    /// Which password it has, counted from 1.
    pub issue: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backup {
    /// A member asked for it; otherwise the schedule did.
    pub is_requested: bool,
    /// `None` while it is under way.
    pub finished: Option<Finished>,
}

impl Parts {
    /// What its backups take together.
    pub fn backup_bytes(&self) -> u64 {
        let sizes = self.backups.values().filter_map(|kept| kept.content.finished.as_ref());
        sizes.fold(0, |sum: u64, finished| sum.saturating_add(finished.size_bytes))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowlist {
    /// Otherwise every network is let in.
    pub is_enabled: bool,
    pub rules: BTreeMap<AllowlistRuleId, Kept<Rule>>,
    /// Version of the last event that changed it or one of its rules.
    pub changed_version: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub cidr: IpNet,
    pub description: Personal,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    pub name: String,
    pub schedule: Option<String>,
    pub is_enabled: bool,
    /// A JSON object: source and target.
    pub ends: Personal,
}

pub(crate) fn evolve(organization: &mut Organization, event: &Event, recorded: &Recorded) {
    let Some(kept) = organization.databases.get_mut(&event.database()) else { return };
    let Database { parts, .. } = &mut kept.content;
    match event {
        Event::UserCreated { user, username, .. } => {
            let content = User { username: username.clone(), issue: 1 };
            parts.users.insert(*user, Kept::new(content, recorded));
        }
        Event::PasswordReset { user, issue, .. } => {
            if let Some(user) = parts.users.get_mut(user) {
                user.changed_by(recorded).issue = *issue;
            }
        }
        Event::PasswordRevealed { .. } => {}
        Event::UserDeleted { user, .. } => {
            parts.users.remove(user);
        }
        Event::BackupRequested { backup, .. } => {
            let content = Backup { is_requested: true, finished: None };
            parts.backups.insert(*backup, Kept::new(content, recorded));
        }
        Event::BackupCompleted { backup, finished, .. } => {
            let new = Kept::new(Backup::default(), recorded);
            let backup = parts.backups.entry(*backup).or_insert(new);
            backup.changed_by(recorded).finished = Some(finished.clone());
        }
        Event::BackupDeleted { backup, .. } => {
            parts.backups.remove(backup);
        }
        Event::ScheduleSet { schedule, .. } => {
            let kept = parts.schedule.get_or_insert_with(|| Kept::new(schedule.clone(), recorded));
            kept.changed_by(recorded).clone_from(schedule);
        }
        Event::RuleAdded { rule, cidr, description, .. } => {
            let content = Rule { cidr: *cidr, description: description.clone() };
            parts.allowlist.rules.insert(*rule, Kept::new(content, recorded));
            parts.allowlist.changed_version = recorded.version;
        }
        Event::RuleRemoved { rule, .. } => {
            parts.allowlist.rules.remove(rule);
            parts.allowlist.changed_version = recorded.version;
        }
        Event::AllowlistSwitched { is_enabled, .. } => {
            parts.allowlist.is_enabled = *is_enabled;
            parts.allowlist.changed_version = recorded.version;
        }
        Event::AlertSet { alert, content, .. } => {
            let new = Kept::new(content.clone(), recorded);
            parts.alerts.entry(*alert).or_insert(new).changed_by(recorded).clone_from(content);
        }
        Event::AlertRemoved { alert, .. } => {
            parts.alerts.remove(alert);
        }
        Event::PipelineSet { pipeline, name, schedule, is_enabled, ends, .. } => {
            let content = Pipeline {
                name: name.clone(),
                schedule: schedule.clone(),
                is_enabled: *is_enabled,
                ends: ends.clone(),
            };
            let new = Kept::new(content.clone(), recorded);
            *parts.pipelines.entry(*pipeline).or_insert(new).changed_by(recorded) = content;
        }
        Event::PipelineRemoved { pipeline, .. } => {
            parts.pipelines.remove(pipeline);
        }
    }
}
