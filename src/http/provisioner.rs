//! What those who make and run databases are told, and report. They know a database by its id alone.
//! A report is recorded as far as it is new; sent once more it changes nothing, so it may be repeated
//! until it is answered. Clocks differ: a time that has not come counts as now.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use events::database::life::Status;
use events::database::report::Seen;
use events::id::{BackupId, DatabaseId, DatabaseUserId, OrganizationId};
use events::organization::Organization;
use events::stream::Stream;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::body::ReportBody;
use super::admin::Provisioner;
use super::answer;
use super::database::{self, password};
use super::document::{ProvisionerCommands, ProvisionerReads};
use super::problem::{Code, Problem};
use super::request::{Authenticated, Parameters, PathNames};
use crate::failure::Failure;
use crate::{App, execute, query};

mod body;
mod lease_stream;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show_database_to_provision))
        .routes(routes!(report_database))
        .merge(lease_stream::routes())
}

/// A database as it is to be.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProvisionedDatabase {
    #[schema(value_type = String, example = "org_01h2xcejqtf2nbrexx3vqjhp41")]
    organization_id: OrganizationId,
    database: database::Database,
    users: Vec<ProvisionedUser>,
    /// Whether connections are let in from the networks of the allowlist only.
    ip_allowlist_enabled: bool,
    #[schema(example = json!(["192.0.2.0/24"]))]
    ip_allowlist: Vec<String>,
    backup_schedule: database::BackupSchedule,
    /// Backups that members asked for, and that have not ended.
    #[schema(value_type = Vec<String>)]
    backups_requested: Vec<BackupId>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ProvisionedUser {
    #[schema(value_type = String, example = "dbu_01h2xcejqtf2nbrexx3vqjhp41")]
    id: DatabaseUserId,
    #[schema(example = "app")]
    username: String,
    password: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Reported {
    #[schema(value_type = String, example = "db_01h2xcejqtf2nbrexx3vqjhp41")]
    id: DatabaseId,
    #[schema(value_type = String, example = "org_01h2xcejqtf2nbrexx3vqjhp41")]
    organization_id: OrganizationId,
    /// As it is recorded now; `deleted` when it is gone.
    #[schema(example = "running")]
    status: &'static str,
}

/// The database that a path names, and whose it is.
async fn named(app: &App, names: &PathNames) -> Result<(OrganizationId, DatabaseId), Problem> {
    let database: DatabaseId = names.id("database").ok_or(Problem::new(Code::NotFound))?;
    let organization = query::home::find(app, database).await?;
    Ok((organization.ok_or(Problem::new(Code::NotFound))?, database))
}

/// Shows a database as it is to be, with the passwords of its users.
#[utoipa::path(get, path = "/provisioner/databases/{database}",
    operation_id = "showDatabaseToProvision", tag = "operations",
    params(("database" = String, Path)),
    responses((status = 200, body = ProvisionedDatabase), ProvisionerReads))]
async fn show_database_to_provision(
    _: Provisioner,
    State(app): State<Arc<App>>,
    names: PathNames,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    let (organization_id, id) = named(&app, &names).await?;
    let stream = Stream::Organization(organization_id);
    let entry = app.organizations.current(&app.log, stream).await.map_err(Failure::from)?;
    let found = database::view(&entry.read().state, Some(id));
    let (_, found) = found.ok_or(Problem::new(Code::NotFound))?;
    let parts = &found.1.content.parts;
    let users = parts.users.iter().map(|(id, kept)| ProvisionedUser {
        id: *id,
        username: kept.content.username.clone(),
        password: password(&app, *id, &kept.content),
    });
    let rules = parts.allowlist.rules.values().map(|rule| rule.content.cidr.to_string());
    let waits =
        |kept: &events::kept::Kept<events::database::part::Backup>| kept.content.finished.is_none();
    let waiting = parts.backups.iter().filter(|(_, kept)| waits(kept)).map(|(id, _)| *id);
    let schedule = parts.schedule.as_ref().map(|it| it.content.clone()).unwrap_or_default();
    let body = ProvisionedDatabase {
        organization_id,
        users: users.collect(),
        ip_allowlist_enabled: parts.allowlist.is_enabled,
        ip_allowlist: rules.collect(),
        backup_schedule: schedule.into(),
        backups_requested: waiting.collect(),
        database: database::shown(&app, &found, None).await?,
    };
    Ok(([(CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(body)).into_response())
}

/// Records what was seen of a database: its state, where it is reached, what protects it, and what
/// came of backups.
#[utoipa::path(post, path = "/provisioner/databases/{database}/status",
    operation_id = "reportDatabase", tag = "operations", params(("database" = String, Path)),
    request_body = ReportBody, responses((status = 200, body = Reported), ProvisionerCommands))]
async fn report_database(
    State(app): State<Arc<App>>,
    names: PathNames,
    Authenticated(_provisioner, submission): Authenticated<Provisioner>,
) -> Result<Response, Problem> {
    let (organization_id, id) = named(&app, &names).await?;
    let order = submission.operator_order(&app)?;
    let report = submission.json::<ReportBody>()?.report(&app, id)?;
    let view = |state: &Organization| state.database(id).map(|kept| kept.content.status);
    let done =
        execute::provisioner::report(&app, organization_id, &order, id, &report, view).await?;
    let status = done.answer.map_or("deleted", Status::as_str);
    let body = Reported { id, organization_id, status };
    Ok(answer::command(StatusCode::OK, &done, body))
}

/// What a provisioner can see.
fn seen(text: &str) -> Option<Seen> {
    Some(match text {
        "provisioning" => Seen::Provisioning,
        "running" => Seen::Running,
        "stopped" => Seen::Stopped,
        "failed" => Seen::Failed,
        "deleted" => Seen::Deleted,
        _ => return None,
    })
}
