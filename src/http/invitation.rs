//! Invitations: what members do with them, and what the invited do. `…/invites` and a POST to
//! `…/members` are other names for the same, for clients that know those; they are not in the
//! document.

use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::routing::{get, post};
use events::id::InvitationId;
use events::invitation::Status;
use events::permission::Role;
use events::personal::Sealed;
use events::recorded::Actor;
use events::time::Time;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer;
use super::problem::{FieldError, Problem};
use crate::link_secret::{INVITATIONS, LinkSecret};
use crate::{App, query};

mod answered;
mod bulk;
mod sent;

pub(super) use self::answered::{link_routes, routes_of_the_invited};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(sent::create_invitation, sent::list_invitations))
        .routes(routes!(bulk::create_invitations))
        .routes(routes!(sent::show_invitation, sent::cancel_invitation))
        .routes(routes!(sent::resend_invitation))
        .merge(other_names().into())
}

fn other_names() -> Router<Arc<App>> {
    let one = get(sent::show_invitation).delete(sent::cancel_invitation);
    Router::new()
        .route("/members", post(sent::create_invitation))
        .route("/invites", post(sent::create_invitation).get(sent::list_invitations))
        .route("/invites/bulk", post(bulk::create_invitations))
        .route("/invites/{invitation}", one)
        .route("/invites/{invitation}/resend", post(sent::resend_invitation))
}

/// By which path the document knows what has one of the other names.
pub(super) fn documented(method: &Method, path: &str) -> Option<String> {
    let by_another_name = match path.strip_suffix("/members") {
        Some(organization) if method == Method::POST => {
            return Some(format!("{organization}/invitations"));
        }
        Some(_) => None,
        None => path.split_once("/invites"),
    };
    by_another_name.map(|(organization, rest)| format!("{organization}/invitations{rest}"))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Invitation {
    #[schema(value_type = String, example = "inv_01h2xcejqtf2nbrexx3vqjhp41")]
    id: InvitationId,
    /// In lower case, the domain in its IDNA form.
    #[schema(example = "dora@example.org")]
    email: Option<String>,
    #[schema(value_type = String, example = "member")]
    role: Role,
    /// `pending`, `accepted`, `rejected`, `canceled` or `expired`.
    #[schema(value_type = String, example = "pending")]
    status: Status,
    #[schema(value_type = String, example = "2026-02-07T09:30:00.000Z")]
    expires_at: Time,
    /// Who sent it last, and so answers for it.
    #[schema(value_type = String, example = "usr_01h2xcejqtf2nbrexx3vqjhp41")]
    invited_by: Actor,
    /// For the inviter to hand on; shown when it is sent, and when it is sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        example = "https://org.example.com/invitations/mBjOO6yAYDtfmvJgqzDDAHJyEN1YWrMCbAKKYo5ldWs"
    )]
    accept_url: Option<String>,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
    /// With `as_of`: of which version of the organization this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of_version: Option<u64>,
}

/// An address as a member may see it.
async fn email(app: &App, sealed: Option<&Sealed>) -> Result<Option<String>, Problem> {
    Ok(answer::shown(query::opened(app, sealed).await?))
}

/// An invitation right after it was sent, with its link.
async fn with_link(
    app: &App,
    id: InvitationId,
    sent: &events::invitation::Invitation,
    secret: &LinkSecret,
) -> Result<Invitation, Problem> {
    Ok(Invitation {
        id,
        email: email(app, sent.email.sealed()).await?,
        role: sent.role,
        status: Status::Pending,
        expires_at: sent.expires_at,
        invited_by: sent.sender,
        accept_url: Some(format!("{}/{INVITATIONS}/{}", app.public_url, secret.reveal())),
        created_at: sent.created_at,
        as_of_version: None,
    })
}

/// A role by its name; `member` where none is named.
fn checked_role(field: &str, role: Option<&str>, errors: &mut Vec<FieldError>) -> Role {
    let Some(name) = role else { return Role::Member };
    Role::ALL.into_iter().find(|role| role.as_str() == name).unwrap_or_else(|| {
        let detail = "must be `owner`, `admin`, `developer`, `member` or `viewer`".to_owned();
        errors.push(FieldError { field: field.to_owned(), detail });
        Role::Member
    })
}
