//! The operator suspends an organization, and lets it go on: nothing of it runs meanwhile, and all it
//! has stays.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use events::id::OrganizationId;
use events::subscription::SuspendedFor;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::admin::Operator;
use super::answer;
use super::check::Checks;
use super::document::OperatorOrganizationCommands;
use super::problem::{Code, Problem};
use super::request::{Authenticated, PathNames, Submission};
use crate::{App, execute, query};

const LONGEST_REASON: usize = 500;

pub(super) fn operator_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(suspend_organization)).routes(routes!(resume_organization))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SuspendBody {
    /// For the organization's audit log; up to 500 characters.
    reason: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResumeBody {}

#[derive(Serialize, ToSchema)]
pub(crate) struct Standing {
    #[schema(value_type = String, example = "org_01h2xcejqtf2nbrexx3vqjhp41")]
    id: OrganizationId,
    /// `active` or `suspended`.
    #[schema(example = "suspended")]
    status: &'static str,
    /// `operator`, or `trial_ended`.
    suspended_for: Option<&'static str>,
}

#[utoipa::path(post, path = "/admin/organizations/{org}/suspend",
    operation_id = "suspendOrganization", tag = "operations",
    params(("org" = String, Path, description = "id or slug")), request_body = SuspendBody,
    responses((status = 200, body = Standing), OperatorOrganizationCommands))]
async fn suspend_organization(
    State(app): State<Arc<App>>,
    names: PathNames,
    Authenticated(_operator, submission): Authenticated<Operator>,
) -> Result<Response, Problem> {
    let SuspendBody { reason } = submission.json_or_empty()?;
    let mut errors = Vec::new();
    Checks::new(&mut errors).text("reason", reason.as_deref(), LONGEST_REASON);
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    suspend(&app, &names, &submission, true, reason).await
}

#[utoipa::path(post, path = "/admin/organizations/{org}/resume",
    operation_id = "resumeOrganization", tag = "operations",
    params(("org" = String, Path, description = "id or slug")), request_body = ResumeBody,
    responses((status = 200, body = Standing), OperatorOrganizationCommands))]
async fn resume_organization(
    State(app): State<Arc<App>>,
    names: PathNames,
    Authenticated(_operator, submission): Authenticated<Operator>,
) -> Result<Response, Problem> {
    let ResumeBody {} = submission.json_or_empty()?;
    suspend(&app, &names, &submission, false, None).await
}

async fn suspend(
    app: &App,
    names: &PathNames,
    submission: &Submission,
    is_suspended: bool,
    reason: Option<String>,
) -> Result<Response, Problem> {
    let named = names.text("org").unwrap_or_default();
    let organization = query::organization_overview::resolve(app, named).await?;
    let organization = organization.ok_or(Problem::new(Code::NotFound))?;
    let order = submission.operator_order(app)?;
    let done =
        execute::subscription::suspend(app, organization, &order, is_suspended, reason).await?;
    let suspended_for = done.answer.map(SuspendedFor::as_str);
    let status = if suspended_for.is_some() { "suspended" } else { "active" };
    let body = Standing { id: organization, status, suspended_for };
    Ok(answer::command(StatusCode::OK, &done, body))
}
