//! How much of its plan's limits an organization has used. One pool for all of its projects.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use events::organization::Organization;
use events::permission::Permission;
use events::time::Time;
use projections::usage::Span;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::authentication::Caller;
use super::document::OrganizationReads;
use super::organization::Meant;
use super::problem::Problem;
use crate::access::Access;
use crate::{App, query};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show_quotas))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Quotas {
    quotas: Vec<ShownQuota>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Quota)]
pub(crate) struct ShownQuota {
    #[schema(example = "queries_per_day")]
    name: &'static str,
    /// `null`: unlimited.
    limit: Option<u64>,
    used: u64,
    /// `null`: unlimited.
    remaining: Option<u64>,
    /// `null`: it does not.
    #[schema(value_type = Option<String>, example = "2026-02-01T00:00:00.000Z")]
    resets_at: Option<Time>,
}

fn quota(name: &'static str, limit: Option<u64>, used: u64, resets_at: Option<Time>) -> ShownQuota {
    let remaining = limit.map(|limit| limit.saturating_sub(used));
    ShownQuota { name, limit, used, remaining, resets_at }
}

/// What the plan limits, and how much of it is used.
#[utoipa::path(get, path = "/quotas", operation_id = "showQuotas", tag = "usage",
    responses((status = 200, body = Quotas), OrganizationReads))]
async fn show_quotas(
    State(app): State<Arc<App>>,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Json<Quotas>, Problem> {
    let (by, needed, now) = (&caller.principal, Permission::ReadUsage, app.clock.now());
    let view = |state: &Organization| {
        let seats = state.subscription().seats();
        (*state.limits(), seats, state.used_seats(now), state.counted())
    };
    let (_, (limits, seats, used_seats, counted)) =
        Access::seen(&app, by, organization, needed, view).await?;
    let day = query::usage::total(&app, organization, Span::Day, now).await?;
    let month = query::usage::total(&app, organization, Span::Month, now).await?;
    let (midnight, month_ends) = (now.day().1, now.month().1);
    let limit = |limit: u64| (limit > 0).then_some(limit);
    let mut quotas = vec![
        quota("queries_per_day", limit(limits.queries_per_day), day.queries, Some(midnight)),
        quota(
            "bytes_per_month",
            limit(limits.bytes_per_month),
            month.bytes_transferred,
            Some(month_ends),
        ),
        quota("query_shapes", limit(limits.query_shapes), month.query_shapes, Some(month_ends)),
        quota("seats", seats, used_seats, None),
    ];
    let counted = counted.map(|(what, used, limit)| quota(what.as_str(), limit, used, None));
    quotas.extend(counted);
    let connections = query::connection::count(&app, organization).await?;
    quotas.push(quota("connections", limit(limits.connections), connections, None));
    Ok(Json(Quotas { quotas }))
}
