//! Samples of what becomes of projects and databases: one of each type.

use uuid::Uuid;

use super::ORGANIZATION;
use crate::Event;
use crate::database::part::{self, Alert, Comparison, Finished, Metric, Schedule};
use crate::database::{self, Encryption, Endpoint, Facts, Tls};
use crate::id::{
    AlertId, AllowlistRuleId, BackupId, CacheRuleId, DatabaseId, DatabaseUserId, DomainId,
    PipelineId, ProjectId,
};
use crate::organization::{Changed, ChangedPersonal};
use crate::personal::Personal;
use crate::project::{self, CacheRule};
use crate::time::Time;

const PROJECT: ProjectId = ProjectId(Uuid::from_u128(0x97));
const DATABASE: DatabaseId = DatabaseId(Uuid::from_u128(0xdb));

fn text(text: &str) -> Personal {
    Personal::known(ORGANIZATION.subject(), text)
}

fn since() -> Time {
    Time::from_millis(1_767_323_000_000)
}

/// One of each. A new variant stops the build here until it has one.
pub(super) fn samples() -> Vec<Event> {
    let projects = of_projects().into_iter().map(Event::Project);
    let databases = of_databases().into_iter().map(Event::Database);
    projects.chain(databases).chain(of_parts().into_iter().map(Event::DatabasePart)).collect()
}

fn of_projects() -> Vec<project::Event> {
    use project::Event::{
        CacheRuleRemoved, CacheRuleSet, Created, Deleted, DomainAdded, DomainRemoved, Updated,
    };
    let (project, name) = (PROJECT, "Shop".to_owned());
    let (domain, hostname) = (DomainId(Uuid::from_u128(0xd0)), "db.example.com".to_owned());
    let rule = CacheRuleId(Uuid::from_u128(0xc4));
    let samples = vec![
        Created {
            project,
            name: name.clone(),
            region: Some("fsn1".to_owned()),
            description: text("What the shop needs"),
            tags: text("[\"shop\"]"),
        },
        Updated {
            project,
            name: Some(Changed { from: "Shop".to_owned(), to: "Store".to_owned() }),
            region: Some(Changed { from: Some("fsn1".to_owned()), to: None }),
            description: ChangedPersonal { from: text("What"), to: text("Why") },
            tags: ChangedPersonal { from: text("[\"shop\"]"), to: text("[]") },
        },
        Deleted { project, name },
        DomainAdded { project, domain, hostname: hostname.clone() },
        DomainRemoved { project, domain, hostname },
        CacheRuleSet {
            project,
            rule,
            content: CacheRule {
                query_shape: "a3f5".to_owned(),
                ttl_seconds: 60,
                stale_seconds: 30,
                is_enabled: true,
            },
        },
        CacheRuleRemoved { project, rule },
    ];
    for sample in &samples {
        match sample {
            Created { .. }
            | Updated { .. }
            | Deleted { .. }
            | DomainAdded { .. }
            | DomainRemoved { .. }
            | CacheRuleSet { .. }
            | CacheRuleRemoved { .. } => {}
        }
    }
    samples
}

fn of_databases() -> Vec<database::Event> {
    use database::Event::{
        Created, Deleted, DeletionStarted, FactsReported, Failed, ProvisioningStarted, Resized,
        Started, Stopped, Updated,
    };
    let (database, name) = (DATABASE, "orders".to_owned());
    let samples = vec![
        Created {
            database,
            name: name.clone(),
            database_type: "postgresql".to_owned(),
            version: "17".to_owned(),
            tier: "micro".to_owned(),
            region: "fsn1".to_owned(),
            storage_gb: 10,
            node_count: 1,
            project: Some(PROJECT),
        },
        Updated {
            database,
            name: Some(Changed { from: name.clone(), to: "orders-two".to_owned() }),
            project: Some(Changed { from: None, to: Some(PROJECT) }),
        },
        ProvisioningStarted { database, since: Some(since()) },
        Started { database, since: None },
        Stopped { database, since: Some(since()), is_ordered: false },
        Failed { database, since: Some(since()), reason: text("the disk is full") },
        Resized {
            database,
            tier: Some(Changed { from: "micro".to_owned(), to: "small".to_owned() }),
            storage_gb: Some(Changed { from: 10, to: 20 }),
            node_count: Some(Changed { from: 1, to: 2 }),
        },
        FactsReported {
            database,
            facts: Facts {
                endpoint: Some(Endpoint { host: "orders.example.com".to_owned(), port: 5432 }),
                encryption: Some(Encryption {
                    at_rest: true,
                    algorithm: Some("AES-256-XTS".to_owned()),
                }),
                tls: Some(Tls { required: true, min_version: Some("1.3".to_owned()) }),
            },
        },
        DeletionStarted { database, name: name.clone() },
        Deleted { database, name, since: Some(since()) },
    ];
    for sample in &samples {
        match sample {
            Created { .. }
            | Updated { .. }
            | ProvisioningStarted { .. }
            | Started { .. }
            | Stopped { .. }
            | Failed { .. }
            | Resized { .. }
            | FactsReported { .. }
            | DeletionStarted { .. }
            | Deleted { .. } => {}
        }
    }
    samples
}

fn of_parts() -> Vec<part::Event> {
    use part::Event::{
        AlertRemoved, AlertSet, AllowlistSwitched, BackupCompleted, BackupDeleted, BackupRequested,
        PasswordReset, PasswordRevealed, PipelineRemoved, PipelineSet, RuleAdded, RuleRemoved,
        ScheduleSet, UserCreated, UserDeleted,
    };
    let database = DATABASE;
    let (user, username) = (DatabaseUserId(Uuid::from_u128(0xdb0)), "app".to_owned());
    let backup = BackupId(Uuid::from_u128(0xba));
    let (alert, pipeline) = (AlertId(Uuid::from_u128(0xa1)), PipelineId(Uuid::from_u128(0x919)));
    let rule = AllowlistRuleId(Uuid::from_u128(0xa11));
    let cidr = "192.0.2.0/24".parse().expect("a network");
    let samples = vec![
        UserCreated { database, user, username: username.clone() },
        PasswordReset { database, user, issue: 2 },
        PasswordRevealed { database, user, issue: 2 },
        UserDeleted { database, user, username },
        BackupRequested { database, backup },
        BackupCompleted {
            database,
            backup,
            finished: Finished {
                succeeded: true,
                started_at: Some(since()),
                finished_at: Time::from_millis(1_767_323_040_000),
                size_bytes: 1_500_000_000,
                is_encrypted: Some(true),
                region: Some("nbg1".to_owned()),
            },
        },
        BackupDeleted { database, backup },
        ScheduleSet { database, schedule: Schedule::default() },
        RuleAdded { database, rule, cidr, description: text("Office") },
        RuleRemoved { database, rule, cidr },
        AllowlistSwitched { database, is_enabled: true },
        AlertSet {
            database,
            alert,
            content: Alert {
                name: "disk".to_owned(),
                metric: Metric::StoragePercent,
                comparison: Comparison::Above,
                threshold: 80,
                for_seconds: 300,
                is_enabled: true,
            },
        },
        AlertRemoved { database, alert, name: "disk".to_owned() },
        PipelineSet {
            database,
            pipeline,
            name: "to-warehouse".to_owned(),
            schedule: Some("0 3 * * *".to_owned()),
            is_enabled: true,
            ends: text("{\"source\":\"orders\",\"target\":\"warehouse\"}"),
        },
        PipelineRemoved { database, pipeline, name: "to-warehouse".to_owned() },
    ];
    for sample in &samples {
        match sample {
            UserCreated { .. }
            | PasswordReset { .. }
            | PasswordRevealed { .. }
            | UserDeleted { .. }
            | BackupRequested { .. }
            | BackupCompleted { .. }
            | BackupDeleted { .. }
            | ScheduleSet { .. }
            | RuleAdded { .. }
            | RuleRemoved { .. }
            | AllowlistSwitched { .. }
            | AlertSet { .. }
            | AlertRemoved { .. }
            | PipelineSet { .. }
            | PipelineRemoved { .. } => {}
        }
    }
    samples
}
