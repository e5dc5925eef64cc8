//! What has happened to one database, for everybody who may read it: its part of the audit log,
//! without where requests came from and whose addresses they are.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::response::Response;
use events::id::{DatabaseId, EventId};
use events::organization::Organization;
use events::permission::Permission;
use events::time::Time;
use projections::audit_trail::Entry;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::Access;
use crate::http::answer;
use crate::http::audit_log::{AuditChange, changes, kind_of};
use crate::http::authentication::Caller;
use crate::http::document::OrganizationReads;
use crate::http::organization::Meant;
use crate::http::problem::{Code, Problem};
use crate::http::request::{Paging, PathNames};
use crate::query::audit_trail::Filter;
use crate::{App, query};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_database_events))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DatabaseEvent {
    #[schema(value_type = String, example = "evt_01h2xcejqtf2nbrexx3vqjhp41")]
    id: EventId,
    #[schema(example = "database.started")]
    action: String,
    actor: DatabaseActor,
    changes: Vec<AuditChange>,
    /// Counts the organization's events from 0.
    version: u64,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DatabaseActor {
    id: String,
    /// `user`, `token`, `operator` or `system`.
    kind: &'static str,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DatabaseEvents {
    events: Vec<DatabaseEvent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// Lists what has happened to a database, the newest first.
#[utoipa::path(get, path = "/databases/{database}/events", operation_id = "listDatabaseEvents",
    tag = "databases",
    params(("database" = String, Path), ("page_size" = Option<usize>, Query),
        ("page_token" = Option<String>, Query)),
    responses((status = 200, body = DatabaseEvents), OrganizationReads))]
async fn list_database_events(
    State(app): State<Arc<App>>,
    names: PathNames,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let (by, needed) = (&caller.principal, Permission::ReadDatabases);
    let database: Option<DatabaseId> = names.id("database");
    let is_there = |state: &Organization| database.is_some_and(|id| state.database(id).is_some());
    let (access, is_there) = Access::seen(&app, by, organization, needed, is_there).await?;
    let list = format!("events of {database:?}");
    let Paging { after, size } = Paging::of(&app, &uri, &list)?;
    let database = database.filter(|_| is_there).ok_or(Problem::new(Code::NotFound))?;
    let filter = Filter {
        resource_type: Some("database".to_owned()),
        resource_id: Some(database.to_string()),
        ..Filter::default()
    };
    let page = query::audit_trail::list(&app, &access, &filter, after.parse().ok(), size).await?;
    let mut events = Vec::with_capacity(page.items.len());
    for entry in page.items {
        events.push(shown(&app, entry).await?);
    }
    let next_page_token = page.next.map(|next| query::page_token::write(&app, &list, &next));
    let next = next_page_token.clone();
    let body = DatabaseEvents { events, next_page_token };
    Ok(answer::page(uri.path(), size, next.as_deref(), body))
}

async fn shown(app: &App, entry: Entry) -> Result<DatabaseEvent, Problem> {
    Ok(DatabaseEvent {
        id: entry.id,
        action: entry.action,
        actor: DatabaseActor { id: entry.actor.to_string(), kind: kind_of(entry.actor) },
        changes: changes(app, entry.changes).await?,
        version: entry.version,
        created_at: entry.at,
    })
}
