//! What somebody wants to be told of a database. Who measures it reads these rules and tells.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use events::database::part::{self, Command, Comparison, Metric, Order};
use events::id::{AlertId, DatabaseId};
use events::kept::Kept;
use events::organization::Organization;
use events::permission::Permission;
use events::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::execute;
use crate::http::answer;
use crate::http::authentication::Caller;
use crate::http::check::Checks;
use crate::http::document::{OrganizationCommands, OrganizationReads, Unmodified};
use crate::http::held::{self, List, NoFields};
use crate::http::organization::Meant;
use crate::http::problem::{Code, Problem};
use crate::http::request::{Authenticated, PathNames};

/// A day.
const LONGEST_SECONDS: u32 = 24 * 60 * 60;
/// The largest number that every reader of JSON keeps exactly.
const LARGEST_THRESHOLD: u64 = (1 << 53) - 1;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(create_alert, list_alerts)).routes(routes!(
        show_alert,
        replace_alert,
        remove_alert
    ))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Alert {
    #[schema(value_type = String, example = "alr_01h2xcejqtf2nbrexx3vqjhp41")]
    id: AlertId,
    #[schema(example = "disk")]
    name: String,
    #[schema(value_type = String, example = "storage_percent")]
    metric: Metric,
    #[schema(value_type = String, example = "above")]
    comparison: Comparison,
    #[schema(example = 80)]
    threshold: u64,
    for_seconds: u32,
    enabled: bool,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AlertList {
    alerts: Vec<Alert>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlertBody {
    /// 3 to 63 of `a-z 0-9 -`, unique in the database.
    #[schema(example = "disk")]
    name: String,
    /// `cpu_percent`, `memory_percent`, `storage_percent`, `connections`, `queries_per_second` or
    /// `replication_lag_seconds`.
    #[schema(value_type = String, example = "storage_percent")]
    metric: Metric,
    /// `above` or `below`.
    #[schema(value_type = String, example = "above")]
    comparison: Comparison,
    #[schema(example = 80)]
    threshold: u64,
    /// For how long it must be so: 0 to 86400.
    #[serde(default)]
    #[schema(example = 300)]
    for_seconds: u32,
    #[serde(default = "yes")]
    enabled: bool,
}

fn yes() -> bool {
    true
}

impl AlertBody {
    fn content(self) -> Result<part::Alert, Problem> {
        let mut errors = Vec::new();
        let mut checks = Checks::new(&mut errors);
        checks.name("name", &self.name);
        if self.threshold > LARGEST_THRESHOLD {
            checks.wrong("threshold", "must be 0 to 9007199254740991");
        }
        if self.for_seconds > LONGEST_SECONDS {
            checks.wrong("for_seconds", "must be 0 to 86400");
        }
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let Self { name, metric, comparison, threshold, for_seconds, enabled: is_enabled } = self;
        Ok(part::Alert { name, metric, comparison, threshold, for_seconds, is_enabled })
    }
}

type Found = (AlertId, Kept<part::Alert>);

fn view(
    state: &Organization,
    database: Option<DatabaseId>,
    alert: Option<AlertId>,
) -> Option<(u64, Found)> {
    let kept = state.database(database?)?.content.parts.alerts.get(&alert?)?.clone();
    Some((kept.changed_version, (alert?, kept)))
}

fn shown((id, kept): &Found) -> Alert {
    let alert = kept.content.clone();
    Alert {
        id: *id,
        name: alert.name,
        metric: alert.metric,
        comparison: alert.comparison,
        threshold: alert.threshold,
        for_seconds: alert.for_seconds,
        enabled: alert.is_enabled,
        created_at: kept.created_at,
    }
}

#[utoipa::path(post, path = "/databases/{database}/alerts", operation_id = "createAlert",
    tag = "databases", params(("database" = String, Path)), request_body = AlertBody,
    responses((status = 201, body = Alert), OrganizationCommands))]
async fn create_alert(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let (database, alert) = (names.id("database"), execute::database::alert(&app, &order));
    let command = || {
        let database = database.ok_or(Problem::new(Code::NotFound))?;
        let content = submission.json::<AlertBody>()?.content()?;
        Ok(Command { database, order: Order::CreateAlert { alert, content } })
    };
    let needed = Permission::ManageDatabases;
    let view = |state: &Organization| view(state, database, Some(alert));
    let done = held::command(&app, &caller, organization, needed, &order, command, view).await?;
    let (version, found) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    Ok(held::tagged(StatusCode::CREATED, *version, &done, shown(found)))
}

#[utoipa::path(get, path = "/databases/{database}/alerts", operation_id = "listAlerts",
    tag = "databases",
    params(("database" = String, Path), ("page_size" = Option<usize>, Query),
        ("page_token" = Option<String>, Query)),
    responses((status = 200, body = AlertList), OrganizationReads))]
async fn list_alerts(
    State(app): State<Arc<App>>,
    names: PathNames,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let database: Option<DatabaseId> = names.id("database");
    let (needed, what) = (Permission::ReadDatabases, format!("alerts of {database:?}"));
    let list = List { organization, needed, uri: &uri, what: &what, has_past: false };
    let all = |state: &Organization| {
        let all = &state.database(database?)?.content.parts.alerts;
        Some(all.iter().map(|(id, it)| (it.created_version, *id)).collect())
    };
    let take = |state: &Organization, id| view(state, database, Some(id));
    let page = held::page(&app, &caller, list, all, take).await?;
    let alerts = page.items.iter().flatten().map(|(_, found)| shown(found)).collect();
    let next_page_token = page.next(&app);
    let next = next_page_token.clone();
    Ok(page.answered(&uri, next.as_deref(), AlertList { alerts, next_page_token }))
}

#[utoipa::path(get, path = "/databases/{database}/alerts/{alert}", operation_id = "showAlert",
    tag = "databases", params(("database" = String, Path), ("alert" = String, Path)),
    responses((status = 200, body = Alert), Unmodified, OrganizationReads))]
async fn show_alert(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let needed = Permission::ReadDatabases;
    let view = |state: &Organization| view(state, names.id("database"), names.id("alert"));
    let seen = held::one(&app, &caller, organization, needed, &uri, view).await?;
    Ok(seen.known(&headers).unwrap_or_else(|| seen.answered(shown(&seen.thing))))
}

#[utoipa::path(put, path = "/databases/{database}/alerts/{alert}",
    operation_id = "replaceAlert", tag = "databases",
    params(("database" = String, Path), ("alert" = String, Path)), request_body = AlertBody,
    responses((status = 200, body = Alert), OrganizationCommands))]
async fn replace_alert(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let (database, alert) = (names.id("database"), names.id("alert"));
    let command = || {
        let (database, alert) = database.zip(alert).ok_or(Problem::new(Code::NotFound))?;
        let content = submission.json::<AlertBody>()?.content()?;
        Ok(Command { database, order: Order::ReplaceAlert { alert, content } })
    };
    let needed = Permission::ManageDatabases;
    let view = |state: &Organization| view(state, database, alert);
    let done = held::command(&app, &caller, organization, needed, &order, command, view).await?;
    let (version, found) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    Ok(held::tagged(StatusCode::OK, *version, &done, shown(found)))
}

#[utoipa::path(delete, path = "/databases/{database}/alerts/{alert}",
    operation_id = "removeAlert", tag = "databases",
    params(("database" = String, Path), ("alert" = String, Path)),
    responses((status = 204), OrganizationCommands))]
async fn remove_alert(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let command = || {
        let database = names.id("database").ok_or(Problem::new(Code::NotFound))?;
        let alert = names.id("alert").ok_or(Problem::new(Code::NotFound))?;
        let NoFields {} = submission.json_or_empty()?;
        Ok(Command { database, order: Order::RemoveAlert { alert } })
    };
    let needed = Permission::ManageDatabases;
    let done = held::command(&app, &caller, organization, needed, &order, command, |_| ()).await?;
    Ok(answer::gone(&done))
}
