//! The end of an organization, for everybody and for ever. Whoever orders it types its slug, and
//! names it in the path: nobody ends what merely happens to be active.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use events::organization::Command;
use events::permission::Permission;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Meant;
use crate::access::Access;
use crate::http::answer;
use crate::http::document::ConfirmedCommands;
use crate::http::problem::{Code, Problem};
use crate::http::request::Authenticated;
use crate::{App, execute};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(delete_organization))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteBody {
    /// The organization's slug.
    #[schema(example = "acme-engineering")]
    confirm: Option<String>,
}

#[utoipa::path(delete, path = "/organizations/{org}", operation_id = "deleteOrganization",
    tag = "organizations", params(("org" = String, Path, description = "id or slug")),
    request_body = DeleteBody,
    responses((status = 204), ConfirmedCommands))]
async fn delete_organization(
    State(app): State<Arc<App>>,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let order = submission.order(&app, &caller, Some(organization))?;
    let needed = Permission::DeleteOrganization;
    let seen = Access::seen(&app, by, organization, needed, |state| {
        state.profile().is_some_and(|profile| profile.is_personal)
    })
    .await;
    if let Some(done) = execute::organization_before(&app, organization, &order, |_| ()).await? {
        return Ok(answer::gone(&done));
    }
    let (_, is_personal) = seen?;
    if is_personal {
        // no confirmation helps
        return Err(Problem::new(Code::PersonalOrganization));
    }
    let DeleteBody { confirm } = submission.json_or_empty()?;
    let confirmation = confirm.ok_or(Problem::new(Code::ConfirmationRequired))?;
    let command =
        |_: &_| Command::Delete { confirmation: confirmation.clone(), at: app.clock.now() };
    let done = execute::organization(&app, by, organization, &order, command, |_| ()).await?;
    Ok(answer::gone(&done))
}
