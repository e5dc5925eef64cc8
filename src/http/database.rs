//! Databases of an organization. Every member reads them; developers, admins and owners create and
//! change them, admins and owners delete them. Who calls them services is answered in those words,
//! too: `plan_name` for the tier, `zone` for the region.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use events::database::life::Status;
use events::database::{self, Command};
use events::id::{DatabaseId, ProjectId};
use events::kept::Kept;
use events::organization::Organization;
use events::permission::Permission;
use events::recorded::Actor;
use events::time::Time;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::body::{CreateBody, ResizeBody, UpdateBody};
use super::answer;
use super::authentication::Caller;
use super::document::{
    AsOf, OrganizationCommands, OrganizationReads, SubscribedCommands, Unmodified,
};
use super::held::{self, List, NoFields};
use super::organization::Meant;
use super::other_name::Words;
use super::problem::{Code, Problem};
use super::request::{Authenticated, PathNames, Submission};
use crate::execute::{self, Done};
use crate::{App, query};

mod alert;
mod allowlist;
mod backup;
mod body;
mod history;
mod pipeline;
mod user;

pub(super) use self::backup::BackupSchedule;
pub(super) use self::body::regions;
pub(super) use self::user::password;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(create_database, list_databases))
        .routes(routes!(show_database, update_database, delete_database))
        .routes(routes!(start_database))
        .routes(routes!(stop_database))
        .routes(routes!(resize_database))
        .merge(history::routes())
        .merge(user::routes())
        .merge(backup::routes())
        .merge(allowlist::routes())
        .merge(alert::routes())
        .merge(pipeline::routes())
}

#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "it is called so wherever databases are told of")]
pub(crate) struct Database {
    #[schema(value_type = String, example = "db_01h2xcejqtf2nbrexx3vqjhp41")]
    id: DatabaseId,
    #[schema(example = "orders")]
    name: String,
    /// `pending`, `provisioning`, `running`, `stopped`, `failed` or `deleting`.
    #[schema(value_type = String, example = "running")]
    status: Status,
    #[schema(value_type = String, example = "2026-01-31T09:35:00.000Z")]
    status_since: Time,
    /// Why it failed, as the provisioner says.
    failure_reason: Option<String>,
    #[schema(example = "postgresql")]
    database_type: String,
    #[schema(example = "17")]
    version: String,
    #[schema(example = "micro")]
    tier: String,
    #[schema(example = "fsn1")]
    region: String,
    #[schema(example = 10)]
    storage_gb: u32,
    #[schema(example = 1)]
    node_count: u32,
    #[schema(value_type = Option<String>, example = "prj_01h2xcejqtf2nbrexx3vqjhp41")]
    project_id: Option<ProjectId>,
    /// Where it is reached; `null` until the provisioner has said it.
    endpoint: Option<Endpoint>,
    /// As the provisioner reported it.
    encryption: Option<Encryption>,
    /// As the provisioner reported it.
    tls: Option<Tls>,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
    #[schema(value_type = String, example = "usr_01h2xcejqtf2nbrexx3vqjhp41")]
    created_by: Actor,
    /// With `as_of`: which version of the organization this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of_version: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Endpoint {
    #[schema(example = "orders.fsn1.example.com")]
    host: String,
    #[schema(example = 5432)]
    port: u16,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Encryption {
    at_rest: bool,
    #[schema(example = "AES-256-XTS")]
    algorithm: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Tls {
    /// A connection without it is refused.
    required: bool,
    #[schema(example = "1.3")]
    min_version: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DatabaseList {
    databases: Vec<Database>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    /// With `as_of`: which version of the organization this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of_version: Option<u64>,
}

pub(super) type Found = (DatabaseId, Kept<database::Database>);

pub(super) fn view(state: &Organization, database: Option<DatabaseId>) -> Option<(u64, Found)> {
    let kept = state.database(database?)?.clone();
    Some((kept.changed_version, (database?, kept)))
}

pub(super) async fn shown(
    app: &App,
    (id, kept): &Found,
    as_of_version: Option<u64>,
) -> Result<Database, Problem> {
    let database = &kept.content;
    let facts = database.facts.clone();
    Ok(Database {
        id: *id,
        name: database.name.clone(),
        status: database.status,
        status_since: database.status_since,
        failure_reason: answer::shown(query::opened(app, database.failure.sealed()).await?),
        database_type: database.database_type.clone(),
        version: database.version.clone(),
        tier: database.tier.clone(),
        region: database.region.clone(),
        storage_gb: database.storage_gb,
        node_count: database.node_count,
        project_id: database.project,
        endpoint: facts.endpoint.map(|it| Endpoint { host: it.host, port: it.port }),
        encryption: facts
            .encryption
            .map(|it| Encryption { at_rest: it.at_rest, algorithm: it.algorithm }),
        tls: facts.tls.map(|it| Tls { required: it.required, min_version: it.min_version }),
        created_at: kept.created_at,
        created_by: kept.created_by,
        as_of_version,
    })
}

async fn answered(
    app: &App,
    status: StatusCode,
    done: &Done<Option<(u64, Found)>>,
    words: Words,
) -> Result<Response, Problem> {
    let (version, found) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    let body = words.of(shown(app, found, None).await?)?;
    Ok(held::tagged(status, *version, done, body))
}

/// Asks for a database. It is `pending` until a provisioner takes it up.
#[utoipa::path(post, path = "/databases", operation_id = "createDatabase", tag = "databases",
    request_body = CreateBody,
    responses((status = 201, body = Database), SubscribedCommands))]
async fn create_database(
    State(app): State<Arc<App>>,
    words: Words,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let database = execute::database::database(&app, &order);
    let catalogue = execute::catalogue(&app).await?;
    let command = || {
        let wish = submission.json::<CreateBody>()?.wish(&catalogue)?;
        Ok(Command::Create { database, wish })
    };
    let needed = Permission::ManageDatabases;
    let view = |state: &Organization| view(state, Some(database));
    let done = held::command(&app, &caller, organization, needed, &order, command, view).await?;
    answered(&app, StatusCode::CREATED, &done, words).await
}

/// Lists the databases, the newest first.
#[utoipa::path(get, path = "/databases", operation_id = "listDatabases", tag = "databases",
    params(("page_size" = Option<usize>, Query), ("page_token" = Option<String>, Query), AsOf),
    responses((status = 200, body = DatabaseList), OrganizationReads))]
async fn list_databases(
    State(app): State<Arc<App>>,
    words: Words,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let (needed, what) = (Permission::ReadDatabases, "databases");
    let list = List { organization, needed, uri: &uri, what, has_past: true };
    let all = |state: &Organization| {
        Some(state.databases().map(|(id, it)| (it.created_version, id)).collect())
    };
    let take = |state: &Organization, id| view(state, Some(id));
    let page = held::page(&app, &caller, list, all, take).await?;
    let mut databases = Vec::with_capacity(page.items.len());
    for (_, found) in page.items.iter().flatten() {
        databases.push(shown(&app, found, None).await?);
    }
    let (next_page_token, as_of_version) = (page.next(&app), page.as_of_version());
    let next = next_page_token.clone();
    let body = words.of(DatabaseList { databases, next_page_token, as_of_version })?;
    Ok(page.answered(&uri, next.as_deref(), body))
}

#[utoipa::path(get, path = "/databases/{database}", operation_id = "showDatabase",
    tag = "databases", params(("database" = String, Path), AsOf),
    responses((status = 200, body = Database), Unmodified, OrganizationReads))]
async fn show_database(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    words: Words,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let needed = Permission::ReadDatabases;
    let view = |state: &Organization| view(state, names.id("database"));
    let seen = held::one_at(&app, &caller, organization, needed, &uri, view).await?;
    if let Some(known) = seen.known(&headers) {
        return Ok(known);
    }
    let body = words.of(shown(&app, &seen.thing, seen.as_of_version).await?)?;
    Ok(seen.answered(body))
}

/// What is ordered of the database that the path names.
async fn ordered(
    app: &App,
    names: &PathNames,
    words: Words,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
    command: impl FnOnce(&Submission, DatabaseId) -> Result<Command, Problem>,
) -> Result<Response, Problem> {
    let order = submission.order(app, &caller, Some(organization))?;
    let database = names.id("database");
    let command = || command(&submission, database.ok_or(Problem::new(Code::NotFound))?);
    let needed = Permission::ManageDatabases;
    let view = |state: &Organization| view(state, database);
    let done = held::command(app, &caller, organization, needed, &order, command, view).await?;
    answered(app, StatusCode::OK, &done, words).await
}

/// Renames a database, or puts it into another project.
#[utoipa::path(patch, path = "/databases/{database}", operation_id = "updateDatabase",
    tag = "databases", params(("database" = String, Path)), request_body = UpdateBody,
    responses((status = 200, body = Database), OrganizationCommands))]
async fn update_database(
    State(app): State<Arc<App>>,
    names: PathNames,
    words: Words,
    meant: Meant<Authenticated>,
) -> Result<Response, Problem> {
    let command =
        |submission: &Submission, database| submission.json::<UpdateBody>()?.command(database);
    ordered(&app, &names, words, meant, command).await
}

/// Starts a stopped database. One that runs goes on.
#[utoipa::path(post, path = "/databases/{database}/start", operation_id = "startDatabase",
    tag = "databases", params(("database" = String, Path)),
    responses((status = 200, body = Database), SubscribedCommands))]
async fn start_database(
    State(app): State<Arc<App>>,
    names: PathNames,
    words: Words,
    meant: Meant<Authenticated>,
) -> Result<Response, Problem> {
    let command = |submission: &Submission, database| {
        let NoFields {} = submission.json_or_empty()?;
        Ok(Command::Start { database })
    };
    ordered(&app, &names, words, meant, command).await
}

/// Stops a running database. It keeps what it stores, and pays for that alone.
#[utoipa::path(post, path = "/databases/{database}/stop", operation_id = "stopDatabase",
    tag = "databases", params(("database" = String, Path)),
    responses((status = 200, body = Database), OrganizationCommands))]
async fn stop_database(
    State(app): State<Arc<App>>,
    names: PathNames,
    words: Words,
    meant: Meant<Authenticated>,
) -> Result<Response, Problem> {
    let command = |submission: &Submission, database| {
        let NoFields {} = submission.json_or_empty()?;
        Ok(Command::Stop { database })
    };
    ordered(&app, &names, words, meant, command).await
}

/// Gives a running or stopped database another tier, more storage or another number of nodes.
#[utoipa::path(post, path = "/databases/{database}/resize", operation_id = "resizeDatabase",
    tag = "databases", params(("database" = String, Path)), request_body = ResizeBody,
    responses((status = 200, body = Database), OrganizationCommands))]
async fn resize_database(
    State(app): State<Arc<App>>,
    names: PathNames,
    words: Words,
    meant: Meant<Authenticated>,
) -> Result<Response, Problem> {
    let catalogue = execute::catalogue(&app).await?;
    let command = |submission: &Submission, database| {
        submission.json::<ResizeBody>()?.command(database, &catalogue)
    };
    ordered(&app, &names, words, meant, command).await
}

/// Begins to delete a database, with all that belongs to it. It is `deleting` until the provisioner
/// says that it is gone; nothing brings it back.
#[utoipa::path(delete, path = "/databases/{database}", operation_id = "deleteDatabase",
    tag = "databases", params(("database" = String, Path)),
    responses((status = 204), OrganizationCommands))]
async fn delete_database(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let command = || {
        let database = names.id("database").ok_or(Problem::new(Code::NotFound))?;
        let NoFields {} = submission.json_or_empty()?;
        Ok(Command::Delete { database })
    };
    let needed = Permission::DeleteDatabases;
    let done = held::command(&app, &caller, organization, needed, &order, command, |_| ()).await?;
    Ok(answer::gone(&done))
}
