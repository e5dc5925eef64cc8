//! Invitations: what members do with them, and what the invited do. `…/invites` and a POST to
//! `…/members` are other names for the same, for clients that know those; they are not in the
//! document.

use std::sync::Arc;

use axum::Router;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
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

use self::bulk::{BulkBody, BulkResults};
use self::sent::{InvitationList, InviteBody};
use super::answer;
use super::authentication::Caller;
use super::document::{
    AsOf, InvitationCommands, OrganizationCommands, OrganizationReads, Unmodified,
};
use super::organization::{active, named};
use super::problem::{FieldError, Problem};
use super::request::{Authenticated, OrganizationPath, PathNames};
use crate::link_secret::{INVITATIONS, LinkSecret};
use crate::{App, query};

mod answered;
mod bulk;
mod sent;

pub(super) use self::answered::link_routes;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(create_invitation, list_invitations))
        .routes(routes!(create_invitations))
        .routes(routes!(show_invitation, cancel_invitation))
        .routes(routes!(resend_invitation))
        .routes(routes!(create_active_invitation, list_active_invitations))
        .routes(routes!(create_active_invitations))
        .routes(routes!(show_active_invitation, cancel_active_invitation))
        .routes(routes!(resend_active_invitation))
        .merge(answered::routes())
        .merge(other_names().into())
}

fn other_names() -> Router<Arc<App>> {
    let of = |organization: &str, rest: &str| format!("{organization}{rest}");
    let (named, active) = ("/organizations/{org}", "/organization");
    Router::new()
        .route(&of(named, "/members"), post(create_invitation))
        .route(&of(named, "/invites"), post(create_invitation).get(list_invitations))
        .route(&of(named, "/invites/bulk"), post(create_invitations))
        .route(&of(named, "/invites/{invitation}"), get(show_invitation).delete(cancel_invitation))
        .route(&of(named, "/invites/{invitation}/resend"), post(resend_invitation))
        .route(&of(active, "/members"), post(create_active_invitation))
        .route(&of(active, "/invites"), post(create_active_invitation).get(list_active_invitations))
        .route(&of(active, "/invites/bulk"), post(create_active_invitations))
        .route(
            &of(active, "/invites/{invitation}"),
            get(show_active_invitation).delete(cancel_active_invitation),
        )
        .route(&of(active, "/invites/{invitation}/resend"), post(resend_active_invitation))
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

/// Invites an e-mail address. The invited get a mail with a link, and the answer has another one to
/// hand on.
#[utoipa::path(post, path = "/organizations/{org}/invitations", operation_id = "createInvitation",
    tag = "invitations", params(("org" = String, Path, description = "id or slug")),
    request_body = InviteBody,
    responses((status = 201, body = Invitation), OrganizationCommands))]
async fn create_invitation(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    org: OrganizationPath,
    Authenticated(caller, submission): Authenticated,
) -> Result<Response, Problem> {
    let organization = named(&app, &headers, &org).await?;
    sent::send(&app, &caller, organization, &submission).await
}

/// Invites an e-mail address to the active organization.
#[utoipa::path(post, path = "/organization/invitations",
    operation_id = "createActiveInvitation", tag = "invitations", request_body = InviteBody,
    responses((status = 201, body = Invitation), OrganizationCommands))]
async fn create_active_invitation(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Authenticated(caller, submission): Authenticated,
) -> Result<Response, Problem> {
    let organization = active(&app, &caller, &headers).await?;
    sent::send(&app, &caller, organization, &submission).await
}

/// Invites up to 100 addresses; each is sent, or told why it is not.
#[utoipa::path(post, path = "/organizations/{org}/invitations/bulk",
    operation_id = "createInvitations", tag = "invitations",
    params(("org" = String, Path, description = "id or slug")), request_body = BulkBody,
    responses((status = 200, body = BulkResults), OrganizationCommands))]
async fn create_invitations(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    org: OrganizationPath,
    Authenticated(caller, submission): Authenticated,
) -> Result<Response, Problem> {
    let organization = named(&app, &headers, &org).await?;
    bulk::send_all(&app, &caller, organization, &submission).await
}

/// Invites up to 100 addresses to the active organization.
#[utoipa::path(post, path = "/organization/invitations/bulk",
    operation_id = "createActiveInvitations", tag = "invitations", request_body = BulkBody,
    responses((status = 200, body = BulkResults), OrganizationCommands))]
async fn create_active_invitations(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Authenticated(caller, submission): Authenticated,
) -> Result<Response, Problem> {
    let organization = active(&app, &caller, &headers).await?;
    bulk::send_all(&app, &caller, organization, &submission).await
}

/// Lists invitations, the newest first.
#[utoipa::path(get, path = "/organizations/{org}/invitations", operation_id = "listInvitations",
    tag = "invitations",
    params(("org" = String, Path, description = "id or slug"), sent::ListParameters, AsOf),
    responses((status = 200, body = InvitationList), OrganizationReads))]
async fn list_invitations(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    org: OrganizationPath,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let organization = named(&app, &headers, &org).await?;
    sent::list(&app, &caller, organization, &uri).await
}

/// Lists the invitations of the active organization.
#[utoipa::path(get, path = "/organization/invitations", operation_id = "listActiveInvitations",
    tag = "invitations", params(sent::ListParameters, AsOf),
    responses((status = 200, body = InvitationList), OrganizationReads))]
async fn list_active_invitations(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let organization = active(&app, &caller, &headers).await?;
    sent::list(&app, &caller, organization, &uri).await
}

#[utoipa::path(get, path = "/organizations/{org}/invitations/{invitation}",
    operation_id = "showInvitation", tag = "invitations",
    params(("org" = String, Path, description = "id or slug"), ("invitation" = String, Path), AsOf),
    responses((status = 200, body = Invitation), Unmodified, OrganizationReads))]
async fn show_invitation(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    org: OrganizationPath,
    names: PathNames,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let organization = named(&app, &headers, &org).await?;
    sent::show(&app, &caller, organization, names.id("invitation"), &headers, &uri).await
}

#[utoipa::path(get, path = "/organization/invitations/{invitation}",
    operation_id = "showActiveInvitation", tag = "invitations",
    params(("invitation" = String, Path), AsOf),
    responses((status = 200, body = Invitation), Unmodified, OrganizationReads))]
async fn show_active_invitation(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    names: PathNames,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let organization = active(&app, &caller, &headers).await?;
    sent::show(&app, &caller, organization, names.id("invitation"), &headers, &uri).await
}

/// Sends an invitation again: with a new link, while the old one is dead, for another week.
#[utoipa::path(post, path = "/organizations/{org}/invitations/{invitation}/resend",
    operation_id = "resendInvitation", tag = "invitations",
    params(("org" = String, Path, description = "id or slug"), ("invitation" = String, Path)),
    responses((status = 200, body = Invitation), InvitationCommands))]
async fn resend_invitation(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    org: OrganizationPath,
    names: PathNames,
    Authenticated(caller, submission): Authenticated,
) -> Result<Response, Problem> {
    let organization = named(&app, &headers, &org).await?;
    sent::resend(&app, &caller, organization, names.id("invitation"), &submission).await
}

#[utoipa::path(post, path = "/organization/invitations/{invitation}/resend",
    operation_id = "resendActiveInvitation", tag = "invitations",
    params(("invitation" = String, Path)),
    responses((status = 200, body = Invitation), InvitationCommands))]
async fn resend_active_invitation(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    names: PathNames,
    Authenticated(caller, submission): Authenticated,
) -> Result<Response, Problem> {
    let organization = active(&app, &caller, &headers).await?;
    sent::resend(&app, &caller, organization, names.id("invitation"), &submission).await
}

/// Withdraws an invitation that is pending.
#[utoipa::path(delete, path = "/organizations/{org}/invitations/{invitation}",
    operation_id = "cancelInvitation", tag = "invitations",
    params(("org" = String, Path, description = "id or slug"), ("invitation" = String, Path)),
    responses((status = 204), InvitationCommands))]
async fn cancel_invitation(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    org: OrganizationPath,
    names: PathNames,
    Authenticated(caller, submission): Authenticated,
) -> Result<Response, Problem> {
    let organization = named(&app, &headers, &org).await?;
    sent::cancel(&app, &caller, organization, names.id("invitation"), &submission).await
}

#[utoipa::path(delete, path = "/organization/invitations/{invitation}",
    operation_id = "cancelActiveInvitation", tag = "invitations",
    params(("invitation" = String, Path)),
    responses((status = 204), InvitationCommands))]
async fn cancel_active_invitation(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    names: PathNames,
    Authenticated(caller, submission): Authenticated,
) -> Result<Response, Problem> {
    let organization = active(&app, &caller, &headers).await?;
    sent::cancel(&app, &caller, organization, names.id("invitation"), &submission).await
}
