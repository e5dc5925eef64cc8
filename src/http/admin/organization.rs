//! All organizations of the installation, for its operator. Nothing personal is among what is shown.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::response::Response;
use events::id::OrganizationId;
use events::time::Time;
use projections::organization_overview::Overview;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Operator;
use crate::http::answer;
use crate::http::document::OperatorReads;
use crate::http::problem::Problem;
use crate::http::request::Paging;
use crate::{App, query};

/// Names the list in page tokens.
const LIST: &str = "all organizations";

pub(in crate::http) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_all_organizations))
}

#[derive(Serialize, ToSchema)]
#[schema(as = OrganizationOfInstallation)]
pub(crate) struct Shown {
    #[schema(value_type = String, example = "org_01h2xcejqtf2nbrexx3vqjhp41")]
    id: OrganizationId,
    #[schema(example = "acme-engineering")]
    slug: String,
    /// Of one person alone.
    is_personal: bool,
    #[schema(example = "starter")]
    plan: String,
    /// `active` or `suspended`.
    #[schema(example = "active")]
    status: &'static str,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
    member_count: u64,
    database_count: u64,
}

impl From<Overview> for Shown {
    fn from(overview: Overview) -> Self {
        Self {
            id: overview.id,
            slug: overview.slug,
            is_personal: overview.is_personal,
            plan: overview.plan,
            status: if overview.is_suspended { "suspended" } else { "active" },
            created_at: overview.created_at,
            member_count: overview.member_count,
            database_count: overview.database_count,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = AllOrganizations)]
pub(crate) struct ShownList {
    organizations: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// Lists every organization of the installation, by slug.
#[utoipa::path(get, path = "/admin/organizations", operation_id = "listAllOrganizations",
    tag = "operations",
    params(("page_size" = Option<usize>, Query), ("page_token" = Option<String>, Query)),
    responses((status = 200, body = ShownList), OperatorReads))]
async fn list_all_organizations(
    _: Operator,
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let Paging { size, after } = Paging::of(&app, &uri, LIST)?;
    let page = query::organization_overview::list_all(&app, &after, size).await?;
    let next = page.next.map(|next| query::page_token::write(&app, LIST, &next));
    let organizations = page.items.into_iter().map(Shown::from).collect();
    let body = ShownList { organizations, next_page_token: next.clone() };
    Ok(answer::page(uri.path(), size, next.as_deref(), body))
}
