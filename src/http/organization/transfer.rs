//! Giving an organization to another member. It takes the giver's password once more: a session
//! that somebody left open must not be enough. A wrong one is 403, not 401, because the session
//! itself is good and clients sign out at 401.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use events::id::AccountId;
use events::membership::{Command, Rejection};
use events::permission::{Permission, Role};
use events::principal;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Meant, Organization, answered, view};
use crate::access::{Access, Denied};
use crate::http::document::OrganizationCommands;
use crate::http::problem::{Code, FieldError, Problem};
use crate::http::request::Authenticated;
use crate::{App, execute, identity};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(transfer_organization))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferBody {
    /// A member of the organization.
    #[schema(example = "usr_01h2xcejqtf2nbrexx3vqjhp41")]
    new_owner_id: String,
    /// The caller's own.
    #[schema(value_type = String, example = "correct horse battery")]
    password: SecretString,
    /// What the caller is afterwards: `owner`, `admin` (unless said otherwise) or `member`.
    #[schema(example = "admin")]
    keep_role: Option<String>,
}

#[utoipa::path(post, path = "/transfer", operation_id = "transferOrganization",
    tag = "organizations", request_body = TransferBody,
    responses((status = 200, body = Organization), OrganizationCommands))]
async fn transfer_organization(
    State(app): State<Arc<App>>,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let (by, identity) = (&caller.principal, caller.signed_in()?);
    let from = identity.account;
    let order = submission.order(&app, &caller, Some(organization))?;
    let access = Access::check(&app, by, organization, Permission::TransferOrganization).await;
    let before = execute::organization_before(&app, organization, &order, view(*by)).await?;
    if let Some(done) = before {
        return answered(&app, StatusCode::OK, &done).await;
    }
    access?;
    let TransferBody { new_owner_id, password, keep_role } = submission.json()?;
    let (to, kept_role) = checked(&new_owner_id, keep_role.as_deref())?;
    let source = submission.origin.source();
    if !identity::proves_again(&app, identity, password, source).await? {
        let because = principal::Refusal::Role;
        let denied = Denied { by: *by, organization, because };
        return Err(Problem::new(Code::WrongPassword).recorded_as(denied));
    }
    let command = |_: &_| Command::Transfer { from, to, kept_role };
    let done = execute::organization(&app, by, organization, &order, command, view(*by)).await;
    if let Err(execute::Error::Membership(Rejection::NotAMember)) = done {
        return Err(not_a_member());
    }
    answered(&app, StatusCode::OK, &done?).await
}

fn checked(new_owner: &str, keep_role: Option<&str>) -> Result<(AccountId, Role), Problem> {
    let to = new_owner.parse().map_err(|_| not_a_member())?;
    let kept_role = match keep_role {
        None => Some(Role::Admin),
        Some(name) => Role::named(name)
            .filter(|role| matches!(role, Role::Owner | Role::Admin | Role::Member)),
    };
    let kept_role = kept_role.ok_or_else(|| {
        let detail = "must be owner, admin or member".to_owned();
        Problem::invalid(vec![FieldError { field: "keep_role".to_owned(), detail }])
    })?;
    Ok((to, kept_role))
}

fn not_a_member() -> Problem {
    let detail = "must be the user id of a member".to_owned();
    Problem::invalid(vec![FieldError { field: "new_owner_id".to_owned(), detail }])
}
