//! Connections that proxies hold open to databases, as leases: a proxy takes one for each connection,
//! renews it within a minute, and gives it back. Whoever may tell usage may hold them. They stand in no
//! log, so answers name no position.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use events::id::{ConnectionId, DatabaseId};
use events::permission::Permission;
use events::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::authentication::Caller;
use super::document::{Commands, OrganizationReads, SubscribedCommands};
use super::held::NoFields;
use super::organization::Meant;
use super::problem::{Code, FieldError, Problem};
use super::request::{Authenticated, Paging, PathNames};
use super::{answer, checked};
use crate::access::Access;
use crate::execute::connection::Held;
use crate::operational::connection::Lease;
use crate::{App, execute, query};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(open_connection, list_connections))
        .routes(routes!(renew_connection, close_connection))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectionBody {
    #[schema(example = "db_01h2xcejqtf2nbrexx3vqjhp41")]
    database_id: String,
}

/// A lease on a connection to a database.
#[derive(Serialize, ToSchema)]
pub(crate) struct Connection {
    #[schema(value_type = String, example = "con_01h2xcejqtf2nbrexx3vqjhp41")]
    id: ConnectionId,
    #[schema(value_type = String, example = "db_01h2xcejqtf2nbrexx3vqjhp41")]
    database_id: DatabaseId,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
    /// It ends then, unless it is renewed: a minute after it was taken or last renewed.
    #[schema(value_type = String, example = "2026-01-31T09:31:00.000Z")]
    expires_at: Time,
}

impl From<Lease> for Connection {
    fn from(Lease { held, expires_at, .. }: Lease) -> Self {
        let (id, database_id, created_at) = (held.lease, held.database, held.began_at);
        Self { id, database_id, created_at, expires_at }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ConnectionList {
    connections: Vec<Connection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

fn held(status: StatusCode, Held { lease, is_replayed }: Held) -> Response {
    answer::operational(status, is_replayed, Json(Connection::from(lease)))
}

/// Takes a lease on a connection, while the plan has room for one and the database runs.
#[utoipa::path(post, path = "/connections", operation_id = "openConnection", tag = "usage",
    request_body = ConnectionBody,
    responses((status = 201, body = Connection), SubscribedCommands))]
async fn open_connection(
    State(app): State<Arc<App>>,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let order = submission.order(&app, &caller, Some(organization))?;
    Access::check(&app, by, organization, Permission::RecordUsage).await?;
    let ConnectionBody { database_id } = submission.json()?;
    let mut errors: Vec<FieldError> = Vec::new();
    let Some(database) = checked("database_id", database_id.parse(), &mut errors) else {
        return Err(Problem::invalid(errors));
    };
    let taken = execute::connection::take(&app, by, organization, &order, database).await?;
    Ok(held(StatusCode::CREATED, taken))
}

/// Lists the leases that live, the newest first.
#[utoipa::path(get, path = "/connections", operation_id = "listConnections", tag = "usage",
    params(("page_size" = Option<u64>, Query), ("page_token" = Option<String>, Query)),
    responses((status = 200, body = ConnectionList), OrganizationReads))]
async fn list_connections(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let access = Access::check(&app, by, organization, Permission::ReadUsage).await?;
    let list = format!("connections of {organization}");
    let Paging { size, after } = Paging::of(&app, &uri, &list)?;
    let page = query::connection::list(&app, &access, &after, size).await?;
    let next = page.next.map(|next| query::page_token::write(&app, &list, &next));
    let connections = page.items.into_iter().map(Connection::from).collect();
    let body = ConnectionList { connections, next_page_token: next.clone() };
    Ok(answer::page(uri.path(), size, next.as_deref(), body))
}

fn named(names: &PathNames) -> Result<ConnectionId, Problem> {
    names.id("connection").ok_or(Problem::new(Code::NotFound))
}

/// Lets a lease live for another minute. One that has ended is not there any more: take another.
#[utoipa::path(put, path = "/connections/{connection}", operation_id = "renewConnection",
    tag = "usage", params(("connection" = String, Path)),
    responses((status = 200, body = Connection), SubscribedCommands))]
async fn renew_connection(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let order = submission.order(&app, &caller, Some(organization))?;
    Access::check(&app, by, organization, Permission::RecordUsage).await?;
    let NoFields {} = submission.json_or_empty()?;
    let renewed =
        execute::connection::renew(&app, by, organization, &order, named(&names)?).await?;
    Ok(held(StatusCode::OK, renewed))
}

/// Gives a lease back.
#[utoipa::path(delete, path = "/connections/{connection}", operation_id = "closeConnection",
    tag = "usage", params(("connection" = String, Path)),
    responses((status = 204), Commands))]
async fn close_connection(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    Access::check(&app, &caller.principal, organization, Permission::RecordUsage).await?;
    let NoFields {} = submission.json_or_empty()?;
    let id = named(&names)?;
    let is_replayed = execute::connection::release(&app, organization, &order, id).await?;
    Ok(answer::operational(StatusCode::NO_CONTENT, is_replayed, ().into_response()))
}
