//! Plans, seats and the spend limit. Whoever may view billing reads them, owners change them; what
//! they are is read from the organization's own stream. The catalogue and the regions are public.
//! Prices are JSON numbers here, as clients of plan endpoints expect; zero among the limits means
//! unlimited.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use events::id::OrganizationId;
use events::organization::Organization;
use events::permission::Permission;
use events::plan::{Dollars, Features, Limits, Prices, Terms};
use events::platform;
use events::subscription::{Command, Subscription, Trial};
use events::time::Time;
use rust_decimal::prelude::ToPrimitive as _;
use serde::{Deserialize, Serialize};
use serde_json::Number;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::admin::Operator;
use super::authentication::Caller;
use super::document::{
    OperatorCommands, OrganizationCommands, OrganizationReads, PublicReads, Unmodified,
};
use super::field::present;
use super::organization::Meant;
use super::problem::{Code, FieldError, Problem};
use super::request::{Authenticated, PathNames, Submission};
use super::{answer, etag, held};
use crate::execute::{self, Done};
use crate::{App, catalogue};

/// More than any organization has.
pub(super) const MOST_SEATS: u64 = 100_000;
/// More than anybody owes.
pub(super) const MOST_DOLLARS: i64 = 1_000_000_000;

pub(super) fn public_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_plans))
        .routes(routes!(list_regions))
        .routes(routes!(set_catalogue_plan))
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show_plan, change_plan))
        .routes(routes!(set_seats))
        .routes(routes!(set_spend_limit))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PlanList {
    plans: Vec<Plan>,
}

/// What can be chosen.
#[derive(Serialize, ToSchema)]
pub(crate) struct Plan {
    #[schema(example = "pro")]
    name: String,
    #[schema(example = "Pro")]
    label: String,
    /// US dollars.
    #[schema(value_type = f64, example = 29)]
    monthly_price: Number,
    #[schema(value_type = Option<f64>, example = 290)]
    annual_price: Option<Number>,
    description: Option<String>,
    /// What is paid over the limits.
    #[schema(example = "$0.10 per 1,000 queries and $0.20 per GB over the limits")]
    overage_text: Option<String>,
    trial_days: u32,
    limits: PlanLimits,
}

/// Zero means unlimited.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlanLimits {
    queries_per_day: u64,
    bytes_per_month: u64,
    max_projects: u64,
    max_databases: u64,
    max_connections: u64,
    max_query_shapes: u64,
    included_seats: u64,
    audit_retention_days: u64,
    /// Nothing limits these here; old clients look for them.
    queries_per_second: u64,
    max_agent_credentials: u64,
    sso: bool,
    custom_domains: bool,
}

/// What an organization pays for.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct OrganizationPlan {
    #[schema(value_type = String, example = "org_01h2xcejqtf2nbrexx3vqjhp41")]
    org_id: OrganizationId,
    #[schema(example = "pro")]
    plan: String,
    /// `manual`: invoices are paid outside.
    #[schema(example = "manual")]
    billing_provider: &'static str,
    /// `none` for a plan without a price, `trialing`, `active`, `past_due` while an invoice is
    /// overdue, or `paused` while suspended.
    #[schema(example = "active")]
    subscription_status: &'static str,
    #[schema(value_type = String, example = "2026-02-01T00:00:00.000Z")]
    current_period_start: Time,
    #[schema(value_type = String, example = "2026-02-01T00:00:00.000Z")]
    current_period_end: Time,
    /// Whether anything runs.
    enabled: bool,
    /// Whether the terms are other than those of the catalogue today.
    custom_pricing: bool,
    #[schema(value_type = f64, example = 29)]
    monthly_price: Number,
    /// US dollars a month; `null`: none.
    #[schema(value_type = Option<f64>)]
    spend_limit: Option<Number>,
    spend_capped: bool,
    #[schema(value_type = Option<String>)]
    spend_capped_at: Option<Time>,
    limits: PlanLimits,
    seats: Seats,
    #[schema(value_type = Option<String>)]
    trial_ends_at: Option<Time>,
    has_payment_method: bool,
    /// What it will be on from the end of the month.
    scheduled_plan: Option<ScheduledPlan>,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    updated_at: Time,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Seats {
    /// Zero: nobody counts them.
    included: u64,
    extra: u64,
    /// Members and pending invitations.
    used: u64,
    /// From the end of the month.
    scheduled_extra: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ScheduledPlan {
    #[schema(example = "starter")]
    plan: String,
    #[schema(value_type = String, example = "2026-02-01T00:00:00.000Z")]
    takes_effect_at: Time,
}

/// As JSON has it.
pub(super) fn number(dollars: Dollars) -> Number {
    let whole = dollars.is_integer().then(|| dollars.to_i64()).flatten().map(Number::from);
    let broken = || dollars.to_f64().and_then(Number::from_f64);
    whole.or_else(broken).unwrap_or_else(|| Number::from(0))
}

fn limits(limits: &Limits, features: Features) -> PlanLimits {
    PlanLimits {
        queries_per_day: limits.queries_per_day,
        bytes_per_month: limits.bytes_per_month,
        max_projects: limits.projects,
        max_databases: limits.databases,
        max_connections: limits.connections,
        max_query_shapes: limits.query_shapes,
        included_seats: limits.included_seats,
        audit_retention_days: limits.audit_retention_days,
        queries_per_second: 0,
        max_agent_credentials: 0,
        sso: features.sso,
        custom_domains: features.custom_domains,
    }
}

/// What whoever pays pays over the limits; nothing where there are none.
fn overage(terms: &Terms) -> Option<String> {
    let Prices { thousand_queries, gigabyte, .. } = &terms.prices;
    let has_limits = terms.limits.queries_per_day > 0 || terms.limits.bytes_per_month > 0;
    has_limits.then(|| {
        format!("${thousand_queries} per 1,000 queries and ${gigabyte} per GB over the limits")
    })
}

fn offered(terms: &Terms) -> Plan {
    Plan {
        name: terms.plan.clone(),
        label: terms.label.clone(),
        monthly_price: number(terms.monthly_price),
        annual_price: terms.annual_price.map(number),
        description: terms.description.clone(),
        overage_text: overage(terms),
        trial_days: terms.trial_days,
        limits: limits(&terms.limits, terms.features),
    }
}

/// The plans that organizations can take.
#[utoipa::path(get, path = "/plans", operation_id = "listPlans", tag = "billing",
    responses((status = 200, body = PlanList), PublicReads))]
async fn list_plans(State(app): State<Arc<App>>) -> Result<Json<PlanList>, Problem> {
    let catalogue = execute::catalogue(&app).await?;
    Ok(Json(PlanList { plans: catalogue.plans.iter().map(offered).collect() }))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RegionList {
    regions: Vec<Region>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Region {
    #[schema(example = "fsn1")]
    id: String,
}

/// The regions where databases can be.
#[utoipa::path(get, path = "/regions", operation_id = "listRegions", tag = "databases",
    responses((status = 200, body = RegionList), PublicReads))]
async fn list_regions(State(app): State<Arc<App>>) -> Result<Json<RegionList>, Problem> {
    let catalogue = execute::catalogue(&app).await?;
    let regions = catalogue.regions.iter().map(|id| Region { id: id.clone() }).collect();
    Ok(Json(RegionList { regions }))
}

/// Puts a plan into the catalogue, in the place of the one with its name. Organizations that have
/// taken that one keep its terms. The body says what a `[[plans]]` table of the catalogue's file
/// says, but the name.
#[utoipa::path(put, path = "/admin/plans/{plan}", operation_id = "setCataloguePlan",
    tag = "operations", params(("plan" = String, Path)), request_body = catalogue::PlanOfFile,
    responses((status = 200, body = Plan), OperatorCommands))]
async fn set_catalogue_plan(
    State(app): State<Arc<App>>,
    names: PathNames,
    Authenticated(_operator, submission): Authenticated<Operator>,
) -> Result<Response, Problem> {
    let body: catalogue::PlanOfFile = submission.json()?;
    let name = names.text("plan").unwrap_or_default();
    let terms = body.terms(name).map_err(|mistakes| {
        let field = |detail| FieldError { field: "plan".to_owned(), detail };
        Problem::invalid(mistakes.into_iter().map(field).collect())
    })?;
    let order = submission.operator_order(&app)?;
    let command = platform::Command::SetPlan { terms: Box::new(terms) };
    let view = |state: &platform::Platform| state.catalogue().plan(name).map(offered);
    let done = execute::platform::order(&app, &order, &command, view).await?;
    let body = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    Ok(answer::command(StatusCode::OK, &done, body))
}

/// What an answer shows: the state right after a command. `None` when there is no such
/// organization any more.
type View = Option<Viewed>;

struct Viewed {
    subscription: Subscription,
    created_at: Time,
    used_seats: u64,
    /// An invoice was not paid in time.
    is_past_due: bool,
}

fn view(organization: &Organization, now: Time) -> View {
    Some(Viewed {
        subscription: organization.subscription().clone(),
        created_at: organization.profile()?.created_at,
        used_seats: organization.used_seats(now),
        is_past_due: organization.billing().is_overdue(),
    })
}

async fn shown(
    app: &App,
    org_id: OrganizationId,
    Viewed { subscription, created_at, used_seats, is_past_due }: &Viewed,
) -> Result<OrganizationPlan, Problem> {
    let terms = subscription.terms();
    let catalogue = execute::catalogue(app).await?;
    let (current_period_start, current_period_end) = app.clock.now().month();
    let is_suspended = subscription.suspended.is_some();
    let spend_capped_at = subscription.capped_at(app.clock.now());
    let subscription_status = match subscription.trial {
        _ if is_suspended => "paused",
        Trial::Until(_) => "trialing",
        Trial::None | Trial::Over if *is_past_due => "past_due",
        Trial::None | Trial::Over if terms.monthly_price.is_zero() => "none",
        Trial::None | Trial::Over => "active",
    };
    Ok(OrganizationPlan {
        org_id,
        plan: terms.plan.clone(),
        billing_provider: app.payments.as_str(),
        subscription_status,
        current_period_start,
        current_period_end,
        enabled: !is_suspended,
        custom_pricing: catalogue.plan(&terms.plan) != Some(terms),
        monthly_price: number(terms.monthly_price),
        spend_limit: subscription.spend_limit.map(number),
        spend_capped: spend_capped_at.is_some(),
        spend_capped_at,
        limits: limits(&terms.limits, terms.features),
        seats: Seats {
            included: terms.limits.included_seats,
            extra: subscription.extra_seats,
            used: *used_seats,
            scheduled_extra: subscription.scheduled_seats.as_ref().map(|scheduled| scheduled.to),
        },
        trial_ends_at: match subscription.trial {
            Trial::Until(end) => Some(end),
            Trial::None | Trial::Over => None,
        },
        has_payment_method: subscription.has_payment_method(),
        scheduled_plan: subscription
            .scheduled_plan()
            .map(|(terms, at)| ScheduledPlan { plan: terms.plan.clone(), takes_effect_at: at }),
        created_at: *created_at,
        updated_at: subscription.changed_at.unwrap_or(*created_at),
    })
}

/// What the organization pays for.
#[utoipa::path(get, path = "/plan", operation_id = "showPlan", tag = "billing",
    responses((status = 200, body = OrganizationPlan), Unmodified, OrganizationReads))]
async fn show_plan(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let (needed, now) = (Permission::ViewBilling, app.clock.now());
    let view = held::read(&app, &caller, organization, needed, |state| view(state, now)).await?;
    let view = view.ok_or(Problem::new(Code::NotFound))?;
    let version = tag(&view, now);
    if let Some(known) = etag::not_modified(&headers, version.clone()) {
        return Ok(known);
    }
    let body = Json(shown(&app, organization, &view).await?);
    Ok(etag::tagged(version, body.into_response()))
}

/// Its own version; seats, period and invoices change beside it.
fn tag(viewed: &Viewed, now: Time) -> etag::Version {
    let Viewed { subscription, used_seats, is_past_due, .. } = viewed;
    let rest = format!("{used_seats}-{}-{}", now.month().1.millis(), u8::from(*is_past_due));
    etag::Version::with(subscription.changed_version, rest)
}

async fn answered(
    app: &App,
    organization: OrganizationId,
    done: &Done<View>,
) -> Result<Response, Problem> {
    let view = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    let body = shown(app, organization, view).await?;
    let response = answer::command(StatusCode::OK, done, body);
    Ok(etag::tagged(tag(view, app.clock.now()), response))
}

/// Gives the order that the body makes, if the caller may manage billing at all.
async fn order(
    app: &App,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
    command: impl FnOnce(&Submission, Time) -> Result<Command, Problem>,
) -> Result<Response, Problem> {
    let (needed, now) = (Permission::ManageBilling, app.clock.now());
    let order = submission.order(app, &caller, Some(organization))?;
    let command = || command(&submission, now);
    let view = |state: &Organization| view(state, now);
    let done = held::command(app, &caller, organization, needed, &order, command, view).await?;
    answered(app, organization, &done).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanBody {
    /// Name of a plan of the catalogue.
    #[schema(example = "pro")]
    plan: String,
    /// At least so many seats beside those that the plan includes, from now on.
    #[serde(default)]
    extra_seats: u64,
}

/// Takes another plan: a dearer one at once, a cheaper one at the end of the month, and only if
/// what there is fits. Naming the plan that it has takes a change back that is scheduled.
#[utoipa::path(put, path = "/plan", operation_id = "changePlan", tag = "billing",
    request_body = PlanBody,
    responses((status = 200, body = OrganizationPlan), OrganizationCommands))]
async fn change_plan(
    State(app): State<Arc<App>>,
    meant: Meant<Authenticated>,
) -> Result<Response, Problem> {
    let catalogue = execute::catalogue(&app).await?;
    order(&app, meant, |submission, at| {
        let PlanBody { plan, extra_seats } = submission.json()?;
        let terms = catalogue.plan(&plan).ok_or_else(|| {
            let names: Vec<_> = catalogue.plans.iter().map(|terms| terms.plan.as_str()).collect();
            wrong("plan", &format!("must be one of {}", names.join(", ")))
        })?;
        are_few(extra_seats)?;
        let terms = Arc::new(terms.clone());
        Ok(Command::ChangePlan { terms, extra_seats, at, month_ends_at: at.month().1 })
    })
    .await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeatsBody {
    /// Beside those that the plan includes.
    #[schema(example = 2)]
    extra_seats: u64,
}

/// Adds seats at once, or takes them away at the end of the month.
#[utoipa::path(put, path = "/seats", operation_id = "setSeats", tag = "billing",
    request_body = SeatsBody,
    responses((status = 200, body = OrganizationPlan), OrganizationCommands))]
async fn set_seats(
    State(app): State<Arc<App>>,
    meant: Meant<Authenticated>,
) -> Result<Response, Problem> {
    order(&app, meant, |submission, at| {
        let SeatsBody { extra_seats } = submission.json()?;
        are_few(extra_seats)?;
        Ok(Command::SetSeats { extra_seats, at, month_ends_at: at.month().1 })
    })
    .await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpendLimitBody {
    /// US dollars a month with at most two decimals; `null` takes the limit away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<f64>, example = 100)]
    spend_limit: Option<Option<Number>>,
}

/// Says how much may be spent in a month.
#[utoipa::path(put, path = "/spend-limit", operation_id = "setSpendLimit", tag = "billing",
    request_body = SpendLimitBody,
    responses((status = 200, body = OrganizationPlan), OrganizationCommands))]
async fn set_spend_limit(
    State(app): State<Arc<App>>,
    meant: Meant<Authenticated>,
) -> Result<Response, Problem> {
    order(&app, meant, |submission, _| {
        let SpendLimitBody { spend_limit } = submission.json()?;
        let spend_limit =
            spend_limit.ok_or_else(|| wrong("spend_limit", "must be a number or null"))?;
        let sound = |limit: &Dollars| {
            limit.scale() <= 2 && !limit.is_sign_negative() && *limit <= MOST_DOLLARS.into()
        };
        let read = |limit: Number| {
            let limit = limit.to_string().parse().ok().filter(sound);
            limit.ok_or_else(|| wrong("spend_limit", "must be dollars with at most two decimals"))
        };
        Ok(Command::SetSpendLimit { spend_limit: spend_limit.map(read).transpose()? })
    })
    .await
}

fn are_few(extra_seats: u64) -> Result<(), Problem> {
    if extra_seats > MOST_SEATS {
        return Err(wrong("extra_seats", &format!("must be 0 to {MOST_SEATS}")));
    }
    Ok(())
}

fn wrong(field: &str, detail: &str) -> Problem {
    Problem::invalid(vec![FieldError { field: field.to_owned(), detail: detail.to_owned() }])
}
