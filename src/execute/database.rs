//! The ids of projects, databases and their parts. Each follows from the order, so that a repeat
//! means the same.

use events::id::{
    AlertId, AllowlistRuleId, BackupId, CacheRuleId, DatabaseId, DatabaseUserId, DomainId,
    PipelineId, ProjectId,
};

use super::Order;
use crate::App;

macro_rules! ids {
    ($($name:ident: $id:ident = $what:literal;)*) => {$(
        pub(crate) fn $name(app: &App, order: &Order) -> $id {
            $id(app.keyring.id_of(order.command, $what))
        }
    )*};
}

ids! {
    project: ProjectId = "project";
    domain: DomainId = "domain";
    cache_rule: CacheRuleId = "cache rule";
    database: DatabaseId = "database";
    user: DatabaseUserId = "database user";
    backup: BackupId = "backup";
    rule: AllowlistRuleId = "allowlist rule";
    alert: AlertId = "alert";
    pipeline: PipelineId = "pipeline";
}
