//! Projects and databases of an organization as JSON.

use std::collections::BTreeMap;
use std::fmt::Display;

use events::database::Database;
use events::database::part::{Backup, Parts};
use events::kept::Kept;
use events::project::Project;
use serde_json::{Map, Value, json};

use super::shown::personal;

fn each<K: Display, T>(
    kept: &BTreeMap<K, Kept<T>>,
    shown: impl Fn(&T) -> Value,
) -> Map<String, Value> {
    kept.iter().map(|(id, it)| (id.to_string(), shown(&it.content))).collect()
}

pub(super) fn project(kept: &Kept<Project>) -> Value {
    let project = &kept.content;
    json!({
        "name": project.name,
        "region": project.region,
        "description": personal(&project.description),
        "tags": personal(&project.tags),
        "domains": each(&project.domains, |hostname| json!(hostname)),
        "cache_rules": each(&project.cache_rules, |rule| json!(rule)),
        "created_at": kept.created_at,
    })
}

pub(super) fn database(kept: &Kept<Database>) -> Value {
    let database = &kept.content;
    json!({
        "name": database.name,
        "status": database.status,
        "status_since": database.status_since,
        "failure": personal(&database.failure),
        "database_type": database.database_type,
        "version": database.version,
        "tier": database.tier,
        "region": database.region,
        "storage_gb": database.storage_gb,
        "node_count": database.node_count,
        "project": database.project,
        "facts": database.facts,
        "parts": parts(&database.parts),
        "created_at": kept.created_at,
    })
}

fn parts(parts: &Parts) -> Value {
    let Parts { users, backups, schedule, allowlist, alerts, pipelines } = parts;
    let backup = |backup: &Backup| json!({ "is_requested": backup.is_requested, "finished": backup.finished });
    json!({
        "users": each(users, |user| json!({ "username": user.username, "issue": user.issue })),
        "backups": each(backups, backup),
        "schedule": schedule.as_ref().map(|it| &it.content),
        "allowlist_is_enabled": allowlist.is_enabled,
        "allowlist": each(&allowlist.rules, |rule| json!({
            "cidr": rule.cidr, "description": personal(&rule.description),
        })),
        "alerts": each(alerts, |alert| json!(alert)),
        "pipelines": each(pipelines, |pipeline| json!({
            "name": pipeline.name,
            "schedule": pipeline.schedule,
            "is_enabled": pipeline.is_enabled,
            "ends": personal(&pipeline.ends),
        })),
    })
}
