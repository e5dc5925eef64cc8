//! How an audit entry tells of what belongs to a database. It is about the database, so that a
//! database's own history is all that is about it; which part is its first change.

use events::database::part::Event::{
    self, AlertRemoved, AlertSet, AllowlistSwitched, BackupCompleted, BackupDeleted,
    BackupRequested, PasswordReset, PasswordRevealed, PipelineRemoved, PipelineSet, RuleAdded,
    RuleRemoved, ScheduleSet, UserCreated, UserDeleted,
};

use super::{FieldChange, Resource, personal, plain};

pub(super) fn resource(event: &Event) -> Resource {
    Resource::new("database", event.database(), None)
}

pub(super) fn changes(event: &Event) -> Vec<FieldChange> {
    let now = |field: &str, value| FieldChange::new(field, None, Some(value));
    let was = |field: &str, value| FieldChange::new(field, Some(value), None);
    match event {
        UserCreated { user, username, database: _ } => {
            vec![now("user", plain(user)), now("username", plain(username))]
        }
        PasswordReset { user, issue, database: _ }
        | PasswordRevealed { user, issue, database: _ } => {
            vec![now("user", plain(user)), now("issue", plain(issue))]
        }
        UserDeleted { user, username, database: _ } => {
            vec![was("user", plain(user)), was("username", plain(username))]
        }
        BackupRequested { backup, database: _ } => vec![now("backup", plain(backup))],
        BackupCompleted { backup, finished, database: _ } => {
            let mut changes = vec![now("backup", plain(backup))];
            changes.extend(super::fields(finished));
            changes
        }
        BackupDeleted { backup, database: _ } => vec![was("backup", plain(backup))],
        ScheduleSet { schedule, database: _ } => super::fields(schedule),
        RuleAdded { rule, cidr, description, database: _ } => {
            let mut changes = vec![now("rule", plain(rule)), now("cidr", plain(cidr))];
            changes.extend(personal(description).map(|text| now("description", text)));
            changes
        }
        RuleRemoved { rule, cidr, database: _ } => {
            vec![was("rule", plain(rule)), was("cidr", plain(cidr))]
        }
        AllowlistSwitched { is_enabled, database: _ } => {
            vec![FieldChange::new("is_enabled", Some(plain(!is_enabled)), Some(plain(is_enabled)))]
        }
        AlertSet { alert, content, database: _ } => {
            let mut changes = vec![now("alert", plain(alert))];
            changes.extend(super::fields(content));
            changes
        }
        AlertRemoved { alert, name, database: _ } => {
            vec![was("alert", plain(alert)), was("name", plain(name))]
        }
        PipelineSet { pipeline, name, schedule, is_enabled, ends, database: _ } => {
            let mut changes = vec![
                now("pipeline", plain(pipeline)),
                now("name", plain(name)),
                now("schedule", plain(schedule)),
                now("is_enabled", plain(is_enabled)),
            ];
            changes.extend(personal(ends).map(|ends| now("ends", ends)));
            changes
        }
        PipelineRemoved { pipeline, name, database: _ } => {
            vec![was("pipeline", plain(pipeline)), was("name", plain(name))]
        }
    }
}
