//! How an audit entry tells of databases.

use events::database::Event::{
    self, Created, Deleted, DeletionStarted, FactsReported, Failed, ProvisioningStarted, Resized,
    Started, Stopped, Updated,
};
use events::time::Time;

use super::{FieldChange, Resource, personal, plain};

pub(super) fn resource(event: &Event) -> Resource {
    let name = match event {
        Created { name, .. } | DeletionStarted { name, .. } | Deleted { name, .. } => {
            Some(plain(name))
        }
        Updated { name, .. } => name.as_ref().map(|name| plain(&name.to)),
        ProvisioningStarted { .. }
        | Started { .. }
        | Stopped { .. }
        | Failed { .. }
        | Resized { .. }
        | FactsReported { .. } => None,
    };
    Resource::new("database", event.database(), name)
}

pub(super) fn changes(event: &Event) -> Vec<FieldChange> {
    let now = |field: &str, value| FieldChange::new(field, None, Some(value));
    let enters = |status: &str, since: Option<Time>| {
        let mut changes = vec![now("status", plain(status))];
        changes.extend(since.map(|since| now("since", plain(since))));
        changes
    };
    match event {
        Created {
            name,
            database_type,
            version,
            tier,
            region,
            storage_gb,
            node_count,
            project,
            database: _,
        } => vec![
            now("name", plain(name)),
            now("database_type", plain(database_type)),
            now("version", plain(version)),
            now("tier", plain(tier)),
            now("region", plain(region)),
            now("storage_gb", plain(storage_gb)),
            now("node_count", plain(node_count)),
            now("project_id", plain(project)),
        ],
        Updated { name, project, database: _ } => {
            let name = name.as_ref().map(|it| FieldChange::of("name", it));
            let project = project.as_ref().map(|it| FieldChange::of("project_id", it));
            name.into_iter().chain(project).collect()
        }
        ProvisioningStarted { since, database: _ } => enters("provisioning", *since),
        Started { since, database: _ } => enters("running", *since),
        Stopped { since, is_ordered: _, database: _ } => enters("stopped", *since),
        Failed { since, reason, database: _ } => {
            let mut changes = enters("failed", *since);
            changes.extend(personal(reason).map(|reason| now("reason", reason)));
            changes
        }
        Resized { tier, storage_gb, node_count, database: _ } => {
            let mut changes = Vec::new();
            changes.extend(tier.as_ref().map(|it| FieldChange::of("tier", it)));
            changes.extend(storage_gb.as_ref().map(|it| FieldChange::of("storage_gb", it)));
            changes.extend(node_count.as_ref().map(|it| FieldChange::of("node_count", it)));
            changes
        }
        FactsReported { facts, database: _ } => super::fields(facts),
        DeletionStarted { name: _, database: _ } => enters("deleting", None),
        Deleted { name: _, since, database: _ } => enters("deleted", *since),
    }
}
