//! What only the operator does. The credential is the operator's own, of no account.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use events::duration;
use events::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::checked;
use super::document::OperatorCommands;
use super::problem::{Code, FieldError, Problem};
use super::request::Submission;
use crate::App;
use crate::due;
use crate::failure::Failure;

pub(super) mod organization;

/// Farthest that one call moves the clock.
const FARTHEST_DAYS: u64 = 400;
const SECONDS_OF_A_DAY: u64 = 24 * 60 * 60;

/// Served only where the clock can be moved.
pub(super) fn clock_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(advance_clock))
}

/// Proof that the operator's credential came with the request.
pub(super) struct Operator;

impl FromRequestParts<Arc<App>> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let is_operator = bearer(parts).is_some_and(|token| app.operator_token.is(token));
        if is_operator { Ok(Self) } else { Err(Problem::new(Code::OperatorOnly)) }
    }
}

/// Proof that a provisioner's credential came with the request, or the operator's.
pub(super) struct Provisioner;

impl FromRequestParts<Arc<App>> for Provisioner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let is_known =
            |token: &str| app.provisioner_token.is(token) || app.operator_token.is(token);
        let is_provisioner = bearer(parts).is_some_and(is_known);
        if is_provisioner { Ok(Self) } else { Err(Problem::new(Code::ProvisionerOnly)) }
    }
}

fn bearer(parts: &Parts) -> Option<&str> {
    let header = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdvanceBody {
    /// A whole number of `s`, `m`, `h` or `d`; 400 days at most.
    #[schema(example = "31d")]
    advance: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ClockAnswer {
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    now: Time,
}

#[utoipa::path(post, path = "/admin/clock", operation_id = "advanceClock", tag = "operations",
    description = "Moves the clock of all nodes on, for tests: whatever falls due until then is \
                   done first, in order, each at its own time. Only with `--test-clock`.",
    request_body = AdvanceBody,
    responses((status = 200, body = ClockAnswer), OperatorCommands))]
async fn advance_clock(
    _: Operator,
    State(app): State<Arc<App>>,
    submission: Submission,
) -> Result<Json<ClockAnswer>, Problem> {
    let body: AdvanceBody = submission.json()?;
    let mut errors = Vec::new();
    let span = checked("advance", duration::parse(&body.advance), &mut errors);
    let is_near = |span: &std::time::Duration| span.as_secs() <= FARTHEST_DAYS * SECONDS_OF_A_DAY;
    let Some(span) = span.filter(is_near) else {
        if errors.is_empty() {
            let detail = "must be 400 days at most".to_owned();
            errors.push(FieldError { field: "advance".to_owned(), detail });
        }
        return Err(Problem::invalid(errors));
    };
    let now = due::advance(&app, span).await.map_err(Failure::from)?;
    Ok(Json(ClockAnswer { now }))
}
