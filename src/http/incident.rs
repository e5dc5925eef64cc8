//! Incidents: opened, classified, reported, recovered from and closed with a cause. Each step is
//! stated by an owner or admin, with the time at which it was taken; now, where none is given.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use events::id::{AiSystemId, IncidentId};
use events::incident::{self, Cause, Command, Criterion, Stage};
use events::organization::Organization;
use events::personal::Personal;
use events::recorded::Actor;
use events::time::Time;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::body::{ClassifyBody, CloseBody, OpenBody, RecoverBody, ReportBody};
use super::authentication::Caller;
use super::document::{OrganizationCommands, OrganizationReads, Unmodified};
use super::organization::Meant;
use super::problem::{Code, Problem};
use super::request::{Authenticated, Parameters, PathNames, Submission};
use super::setting::opened;
use super::{answer, etag, stated};
use crate::execute::Done;
use crate::{App, execute, query};

mod body;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(open_incident, list_incidents))
        .routes(routes!(show_incident))
        .routes(routes!(classify_incident))
        .routes(routes!(report_incident))
        .routes(routes!(recover_incident))
        .routes(routes!(close_incident))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Incident {
    #[schema(value_type = String, example = "inc_01h2xcejqtf2nbrexx3vqjhp41")]
    id: IncidentId,
    #[schema(example = "Payments are down")]
    title: Option<String>,
    description: Option<String>,
    /// `open` or `closed`.
    #[schema(example = "open")]
    status: &'static str,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    detected_at: Time,
    #[schema(value_type = String, example = "2026-01-31T09:40:00.000Z")]
    aware_at: Time,
    databases: Vec<String>,
    #[schema(value_type = Vec<String>)]
    ai_systems: Vec<AiSystemId>,
    /// The last one; `null` before there is one.
    classification: Option<Classification>,
    /// In the order in which they were recorded.
    reports: Vec<Report>,
    #[schema(value_type = Option<String>)]
    recovered_at: Option<Time>,
    #[schema(value_type = Option<String>, example = "system_failure")]
    cause: Option<Cause>,
    root_cause: Option<String>,
    #[schema(value_type = Option<String>)]
    closed_at: Option<Time>,
    #[schema(value_type = Option<String>)]
    closed_by: Option<Actor>,
    #[schema(value_type = String, example = "2026-01-31T09:45:00.000Z")]
    opened_at: Time,
    #[schema(value_type = String, example = "usr_01h2xcejqtf2nbrexx3vqjhp41")]
    opened_by: Actor,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Classification {
    #[schema(value_type = String)]
    classified_at: Time,
    is_major: bool,
    #[schema(value_type = Vec<String>, example = json!(["clients", "duration"]))]
    criteria: Vec<Criterion>,
    reason: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Report {
    #[schema(value_type = String, example = "initial")]
    stage: Stage,
    #[schema(value_type = String)]
    submitted_at: Time,
    reference: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct IncidentList {
    incidents: Vec<Incident>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

async fn written(app: &App, text: &Personal) -> Result<Option<String>, Problem> {
    Ok(answer::shown(query::opened(app, text.sealed()).await?))
}

async fn shown(
    app: &App,
    id: IncidentId,
    incident: &incident::Incident,
) -> Result<Incident, Problem> {
    let text = opened(app, &incident.text).await?;
    let classification = match &incident.classification {
        None => None,
        Some(classified) => Some(Classification {
            classified_at: classified.at,
            is_major: classified.is_major,
            criteria: classified.criteria.iter().copied().collect(),
            reason: written(app, &classified.reason).await?,
        }),
    };
    let mut reports = Vec::with_capacity(incident.reports.len());
    for report in &incident.reports {
        let reference = written(app, &report.reference).await?;
        let (stage, submitted_at) = (report.stage, report.submitted_at);
        reports.push(Report { stage, submitted_at, reference });
    }
    let closed = incident.closed.as_ref();
    let root_cause = match closed {
        None => None,
        Some(closed) => written(app, &closed.root_cause).await?,
    };
    Ok(Incident {
        id,
        title: stated::written(text.as_ref(), "title"),
        description: stated::written(text.as_ref(), "description"),
        status: if closed.is_some() { "closed" } else { "open" },
        detected_at: incident.detected_at,
        aware_at: incident.aware_at,
        databases: incident.databases.clone(),
        ai_systems: incident.ai_systems.clone(),
        classification,
        reports,
        recovered_at: incident.recovered_at,
        cause: closed.map(|closed| closed.cause),
        root_cause,
        closed_at: closed.map(|closed| closed.at),
        closed_by: closed.map(|closed| closed.by),
        opened_at: incident.opened_at,
        opened_by: incident.opened_by,
    })
}

type View = Option<(IncidentId, incident::Incident)>;

fn view(state: &Organization, incident: Option<IncidentId>) -> View {
    let incident = incident?;
    Some((incident, state.declared().incident(incident)?.clone()))
}

async fn answered(app: &App, status: StatusCode, done: &Done<View>) -> Result<Response, Problem> {
    let (id, incident) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    let body = shown(app, *id, incident).await?;
    Ok(etag::tagged(incident.changed_version, answer::command(status, done, body)))
}

/// Records that something has happened.
#[utoipa::path(post, path = "/incidents", operation_id = "openIncident", tag = "compliance",
    request_body = OpenBody,
    responses((status = 201, body = Incident), OrganizationCommands))]
async fn open_incident(
    State(app): State<Arc<App>>,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let incident = execute::stated::incident(&app, &order);
    let command = || {
        let command = submission.json::<OpenBody>()?.command(incident, app.clock.now())?;
        Ok(move |_: &Organization| command.clone())
    };
    let view = |state: &Organization| view(state, Some(incident));
    let done = stated::order(&app, &caller, organization, &order, command, view).await?;
    answered(&app, StatusCode::CREATED, &done).await
}

/// Lists the incidents, the newest first.
#[utoipa::path(get, path = "/incidents", operation_id = "listIncidents", tag = "compliance",
    params(("page_size" = Option<usize>, Query), ("page_token" = Option<String>, Query)),
    responses((status = 200, body = IncidentList), OrganizationReads))]
async fn list_incidents(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let all = |state: &Organization| {
        let all = state.declared().incidents();
        all.map(|(id, it)| (it.created_version, id)).collect()
    };
    let take = |state: &Organization, id| view(state, Some(id));
    let page = stated::page(&app, &caller, organization, &uri, "incidents", all, take).await?;
    let mut incidents = Vec::with_capacity(page.items.len());
    for (id, incident) in page.items.iter().flatten() {
        incidents.push(shown(&app, *id, incident).await?);
    }
    let next_page_token = page.next(&app);
    let next = next_page_token.clone();
    Ok(page.answered(&uri, next.as_deref(), IncidentList { incidents, next_page_token }))
}

#[utoipa::path(get, path = "/incidents/{incident}", operation_id = "showIncident",
    tag = "compliance", params(("incident" = String, Path)),
    responses((status = 200, body = Incident), Unmodified, OrganizationReads))]
async fn show_incident(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let found = |state: &Organization| view(state, names.id("incident"));
    let found = stated::read(&app, &caller, organization, found).await?;
    Parameters::of(&uri, &[])?;
    let (id, incident) = found.ok_or(Problem::new(Code::NotFound))?;
    if let Some(known) = etag::not_modified(&headers, incident.changed_version) {
        return Ok(known);
    }
    let body = Json(shown(&app, id, &incident).await?);
    Ok(etag::tagged(incident.changed_version, body.into_response()))
}

/// One more step of the incident that the path names.
async fn step(
    app: &App,
    names: &PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
    command: impl FnOnce(&Submission, IncidentId, Time) -> Result<Command, Problem>,
) -> Result<Response, Problem> {
    let order = submission.order(app, &caller, Some(organization))?;
    let incident = names.id("incident");
    let command = || {
        let incident = incident.ok_or(Problem::new(Code::NotFound))?;
        let command = command(&submission, incident, app.clock.now())?;
        Ok(move |_: &Organization| command.clone())
    };
    let view = |state: &Organization| view(state, incident);
    let done = stated::order(app, &caller, organization, &order, command, view).await?;
    answered(app, StatusCode::OK, &done).await
}

/// Says how grave it is, for the first time or anew.
#[utoipa::path(post, path = "/incidents/{incident}/classify", operation_id = "classifyIncident",
    tag = "compliance", params(("incident" = String, Path)), request_body = ClassifyBody,
    responses((status = 200, body = Incident), OrganizationCommands))]
async fn classify_incident(
    State(app): State<Arc<App>>,
    names: PathNames,
    meant: Meant<Authenticated>,
) -> Result<Response, Problem> {
    step(&app, &names, meant, |submission, incident, now| {
        submission.json::<ClassifyBody>()?.command(incident, now)
    })
    .await
}

/// Records that a report was submitted to an authority. It is submitted elsewhere.
#[utoipa::path(post, path = "/incidents/{incident}/report", operation_id = "reportIncident",
    tag = "compliance", params(("incident" = String, Path)), request_body = ReportBody,
    responses((status = 200, body = Incident), OrganizationCommands))]
async fn report_incident(
    State(app): State<Arc<App>>,
    names: PathNames,
    meant: Meant<Authenticated>,
) -> Result<Response, Problem> {
    step(&app, &names, meant, |submission, incident, now| {
        submission.json::<ReportBody>()?.command(incident, now)
    })
    .await
}

/// Says since when things are as they were before.
#[utoipa::path(post, path = "/incidents/{incident}/recover", operation_id = "recoverIncident",
    tag = "compliance", params(("incident" = String, Path)), request_body = Option<RecoverBody>,
    responses((status = 200, body = Incident), OrganizationCommands))]
async fn recover_incident(
    State(app): State<Arc<App>>,
    names: PathNames,
    meant: Meant<Authenticated>,
) -> Result<Response, Problem> {
    step(&app, &names, meant, |submission, incident, now| {
        submission.json_or_empty::<RecoverBody>()?.command(incident, now)
    })
    .await
}

/// Ends it, with its cause. Reports may still follow.
#[utoipa::path(post, path = "/incidents/{incident}/close", operation_id = "closeIncident",
    tag = "compliance", params(("incident" = String, Path)), request_body = CloseBody,
    responses((status = 200, body = Incident), OrganizationCommands))]
async fn close_incident(
    State(app): State<Arc<App>>,
    names: PathNames,
    meant: Meant<Authenticated>,
) -> Result<Response, Problem> {
    step(&app, &names, meant, |submission, incident, _| {
        submission.json::<CloseBody>()?.command(incident)
    })
    .await
}
