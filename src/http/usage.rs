//! Usage: told as `CloudEvents` 1.0, structured, binary or in batches, and shown by day, project or
//! database. Each event is answered for itself, when it is known whether it counts: a sender who gets no
//! answer sends the same again, and it counts once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use axum::response::Response;
use events::id::{DatabaseId, OrganizationId, ProjectId};
use events::invoice::hours::{DayHours, DayOf};
use events::permission::Permission;
use events::time::{DAY, Time};
use events::usage::ENTRIES;
use projections::usage::{Of, Span, Totals};
use serde::Serialize;
use serde_json::Number;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::cloud_event::{Slot, Status, Told};
use super::answer;
use super::authentication::Caller;
use super::document::{OrganizationCommands, OrganizationReads};
use super::organization::Meant;
use super::plan::number;
use super::problem::{Code, Problem};
use super::request::{Authenticated, Parameters};
use crate::access::{Access, Seen};
use crate::execute::{Done, Order};
use crate::failure::Failure;
use crate::query::usage::Counted;
use crate::{App, execute, query};

mod cloud_event;
mod limit;

/// How long a sender waits until its events are counted.
const COUNTED_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);
/// Days that one request shows.
const MOST_DAYS: u128 = 400;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(record_usage)).routes(routes!(show_usage))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct UsageAnswer {
    accepted: usize,
    duplicates: usize,
    rejected: usize,
    /// In the order of the request.
    events: Vec<Slot>,
}

/// Tells what was used. The body is one `CloudEvent` (`application/cloudevents+json`, or `ce-` headers
/// with the data as JSON) or up to 1000 (`application/cloudevents-batch+json`), with `data` of
/// `database_id` and `value`. Takes no idempotency key: `source` and `id` of each event are its own.
#[utoipa::path(post, path = "/usage/events", operation_id = "recordUsage", tag = "usage",
    request_body(content(
        (cloud_event::CloudEvent = "application/cloudevents+json"),
        (Vec<cloud_event::CloudEvent> = "application/cloudevents-batch+json"),
        (cloud_event::Used = "application/json"),
    )),
    responses((status = 200, body = UsageAnswer), OrganizationCommands))]
async fn record_usage(
    State(app): State<Arc<App>>,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let needed = Permission::RecordUsage;
    let (_, seen) = Access::look(&app, by, organization, needed).await?;
    let now = app.clock.now();
    let events = cloud_event::sent(&submission)?;
    if events.len() > ENTRIES {
        return Err(Problem::new(Code::PayloadTooLarge));
    }
    let told: Vec<Told> = events.iter().map(|event| Told::read(event, now)).collect();
    let known = databases(&app, &seen, organization, &told).await?;
    let all = || told.iter().filter_map(Told::entry);
    limit::spending(&app, &seen, organization, all(), now).await?;
    let refused = limit::in_trial(&app, &seen, organization, all(), now).await?;
    let mut slots = Vec::with_capacity(told.len());
    // what is recorded, and in which slot it is answered
    let (mut entries, mut places) = (Vec::new(), Vec::new());
    for told in told {
        let (entry, mut slot) = told.within(&known);
        if entry.as_ref().is_some_and(|entry| refused.refuses(entry)) {
            slot.reject("quota_exceeded", 402);
        } else if let Some(entry) = entry {
            places.push(slots.len());
            entries.push(entry);
        }
        slots.push(slot);
    }
    let mut recorded_at = None;
    if !entries.is_empty() {
        let order = submission.unkeyed_order(&app, by.actor(), caller.client.clone());
        let order = Order { token: by.token(), ..order };
        let (version, position) =
            execute::usage::record(&app, organization, &order, entries).await?;
        let outcome = if query::has_reached(&app, position, COUNTED_WITHIN).await {
            query::usage::outcome(&app, organization, version).await?
        } else {
            None
        };
        let late = "the usage is recorded and not counted yet; send it again";
        let outcome = outcome.ok_or_else(|| Failure::Unavailable(late.into()))?;
        for index in outcome.duplicates {
            slots[places[index]].repeat();
        }
        for index in outcome.reused {
            slots[places[index]].reject("id_reused", 409);
        }
        limit::reached(&app, &seen, organization, now).await?;
        recorded_at = Some(position);
    }
    let count = |status| slots.iter().filter(|slot| slot.status == status).count();
    let body = UsageAnswer {
        accepted: count(Status::Accepted),
        duplicates: count(Status::Duplicate),
        rejected: count(Status::Rejected),
        events: slots,
    };
    Ok(match recorded_at {
        Some(position) => {
            let done = Done { answer: (), position, is_replayed: false, is_caught_up: true };
            answer::command(StatusCode::OK, &done, body)
        }
        None => axum::response::IntoResponse::into_response(Json(body)),
    })
}

/// The organization's databases among those that are named, with the project of each that is still
/// there.
async fn databases(
    app: &App,
    seen: &Seen,
    organization: OrganizationId,
    told: &[Told],
) -> Result<HashMap<DatabaseId, Option<ProjectId>>, Problem> {
    let named: BTreeSet<_> =
        told.iter().filter_map(|told| told.entry().map(|entry| entry.database)).collect();
    let mut known = seen.at(|state| {
        let project = |id: &DatabaseId| Some((*id, state.database(*id)?.content.project));
        named.iter().filter_map(project).collect::<HashMap<_, _>>()
    });
    let gone: Vec<_> = named.into_iter().filter(|id| !known.contains_key(id)).collect();
    let gone = query::home::among(app, organization, &gone).await?;
    known.extend(gone.into_iter().map(|id| (id, None)));
    Ok(known)
}

#[derive(Serialize, ToSchema)]
pub(crate) struct UsageList {
    usage: Vec<Usage>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Usage {
    /// Where it is grouped by day.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-01-31")]
    day: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database_id: Option<String>,
    queries_total: u64,
    bytes_transferred: u64,
    /// For how long connections were held, all together.
    connection_seconds: u64,
    /// Different ones on a day; over several days the sum of these.
    query_shapes: u64,
    /// The most that was reported at any moment.
    storage_bytes: u64,
    backup_bytes: u64,
    /// Started clock hours of each node that ran.
    #[schema(value_type = f64, example = 24)]
    compute_hours: Number,
    /// Started clock hours of each 10⁹ bytes.
    #[schema(value_type = f64, example = 240)]
    storage_gb_hours: Number,
    #[schema(value_type = f64, example = 12.5)]
    backup_gb_hours: Number,
}

#[derive(Clone, Copy)]
enum Group {
    Day,
    Project,
    Database,
}

const PARAMETERS: [&str; 3] = ["start_date", "end_date", "group_by"];

/// What was used, by day, project or database. Both dates are included; without any, it is this
/// month.
#[utoipa::path(get, path = "/usage", operation_id = "showUsage", tag = "usage",
    params(("start_date" = Option<String>, Query), ("end_date" = Option<String>, Query),
        ("group_by" = Option<String>, Query, description = "`day`, `project` or `database`")),
    responses((status = 200, body = UsageList), OrganizationReads))]
async fn show_usage(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Json<UsageList>, Problem> {
    let by = &caller.principal;
    let access = Access::check(&app, by, organization, Permission::ReadUsage).await?;
    let parameters = Parameters::of(&uri, &PARAMETERS)?;
    let (start, end) = days(&parameters, app.clock.now())?;
    let group = match parameters.get("group_by") {
        None | Some("day") => Group::Day,
        Some("project") => Group::Project,
        Some("database") => Group::Database,
        Some(_) => return Err(invalid("group_by", "`day`, `project` or `database`")),
    };
    let of = match group {
        Group::Day => Of::Organization,
        Group::Project => Of::Project,
        Group::Database => Of::Database,
    };
    let counted = query::usage::list(&app, &access, of, Span::Day, (start, end)).await?;
    let hours = query::billing::hours(&app, &access, start.day().0, end.day().1).await?;
    let usage = match group {
        Group::Day => every_day(counted, &hours, start, end),
        Group::Project | Group::Database => summed(counted, &hours, group),
    };
    Ok(Json(UsageList { usage }))
}

/// What was told, and what ran.
#[derive(Default)]
struct Sum {
    totals: Totals,
    hours: DayHours,
}

fn every_day(
    counted: Vec<Counted>,
    hours: &BTreeMap<DayOf, DayHours>,
    start: Time,
    end: Time,
) -> Vec<Usage> {
    let mut of_day: BTreeMap<String, DayHours> = BTreeMap::new();
    for ((day, _, _), hours) in hours {
        of_day.entry(Span::Day.of(*day)).or_default().add(hours);
    }
    let mut counted: BTreeMap<_, _> = counted.into_iter().map(|it| (it.span, it.totals)).collect();
    let mut days = Vec::new();
    let mut at = start;
    while at <= end {
        let day = Span::Day.of(at);
        let totals = counted.remove(&day).unwrap_or_default();
        let hours = of_day.remove(&day).unwrap_or_default();
        days.push(Usage { day: Some(day), ..shown(&Sum { totals, hours }) });
        at = at.after(DAY);
    }
    days
}

fn summed(counted: Vec<Counted>, hours: &BTreeMap<DayOf, DayHours>, group: Group) -> Vec<Usage> {
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    for ((_, database, project), hours) in hours {
        let named = match group {
            Group::Project => project.map(|project| project.to_string()),
            Group::Day | Group::Database => Some(database.to_string()),
        };
        if let Some(named) = named {
            sums.entry(named).or_default().hours.add(hours);
        }
    }
    for Counted { named, totals, .. } in counted {
        let sum = &mut sums.entry(named).or_default().totals;
        sum.queries = sum.queries.saturating_add(totals.queries);
        sum.bytes_transferred = sum.bytes_transferred.saturating_add(totals.bytes_transferred);
        sum.connection_seconds = sum.connection_seconds.saturating_add(totals.connection_seconds);
        sum.query_shapes = sum.query_shapes.saturating_add(totals.query_shapes);
        sum.storage_bytes = sum.storage_bytes.max(totals.storage_bytes);
        sum.backup_bytes = sum.backup_bytes.max(totals.backup_bytes);
    }
    let named = |(named, sum): (String, Sum)| match group {
        Group::Project => Usage { project_id: Some(named), ..shown(&sum) },
        Group::Day | Group::Database => Usage { database_id: Some(named), ..shown(&sum) },
    };
    sums.into_iter().map(named).collect()
}

fn shown(Sum { totals, hours }: &Sum) -> Usage {
    Usage {
        day: None,
        project_id: None,
        database_id: None,
        queries_total: totals.queries,
        bytes_transferred: totals.bytes_transferred,
        connection_seconds: totals.connection_seconds,
        query_shapes: totals.query_shapes,
        storage_bytes: totals.storage_bytes,
        backup_bytes: totals.backup_bytes,
        compute_hours: number(hours.compute),
        storage_gb_hours: number(hours.storage_gb),
        backup_gb_hours: number(hours.backup_gb.round_dp(6)),
    }
}

/// The first and the last day that are asked for: this month without any, up to today without an end.
fn days(parameters: &Parameters, now: Time) -> Result<(Time, Time), Problem> {
    let day = |name: &str| {
        let Some(text) = parameters.get(name) else { return Ok(None) };
        let midnight = format!("{text}T00:00:00.000Z").parse::<Time>();
        midnight.map(Some).map_err(|_| invalid(name, "a day like 2026-01-31"))
    };
    let end = day("end_date")?.unwrap_or(now);
    let start = day("start_date")?.unwrap_or(end.month().0);
    if start > end || start.until(end).as_millis() > MOST_DAYS * DAY.as_millis() {
        return Err(invalid("start_date", "at most 400 days before `end_date`"));
    }
    Ok((start, end))
}

fn invalid(name: &str, what: &str) -> Problem {
    Problem::with_detail(Code::InvalidParameter, format!("`{name}` must be {what}"))
}
