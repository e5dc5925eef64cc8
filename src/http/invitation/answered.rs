//! What the invited do: see what they are invited to, accept, decline. The secret of the link is
//! the right to it, and only whoever has the invited address can use it.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{OriginalUri, Path, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use events::id::{InvitationId, OrganizationId};
use events::invitation::{Holder, Status};
use events::organization::{Name, Profile};
use events::permission::Role;
use events::personal::{Opened, Personal};
use events::recorded::Actor;
use events::time::Time;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::answer;
use crate::http::authentication::{Caller, SignedIn};
use crate::http::document::{InvitationCommands, InvitationReads};
use crate::http::organization::{self, Organization};
use crate::http::problem::{Code, Problem};
use crate::http::request::{Authenticated, Parameters};
use crate::link_secret::LinkSecret;
use crate::{App, execute, identity, query};

pub(crate) fn routes_of_the_invited() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(accept_invitation)).routes(routes!(decline_invitation))
}

/// Under `/v1` only: without it the address is that of the link itself, a page for people.
pub(crate) fn link_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show_offer))
}

/// What the link of an invitation shows.
#[derive(Serialize, ToSchema)]
pub(crate) struct Offer {
    organization: OfferedOrganization,
    inviter: Inviter,
    /// Masked, unless it is the caller's own.
    #[schema(example = "d***@example.org")]
    email: Option<String>,
    #[schema(value_type = String, example = "member")]
    role: Role,
    #[schema(value_type = String, example = "pending")]
    status: Status,
    #[schema(value_type = String, example = "2026-02-07T09:30:00.000Z")]
    expires_at: Time,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct OfferedOrganization {
    #[schema(value_type = String, example = "org_01h2xcejqtf2nbrexx3vqjhp41")]
    id: OrganizationId,
    #[schema(example = "Acme Engineering")]
    name: Option<String>,
    #[schema(example = "acme-engineering")]
    slug: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Inviter {
    #[schema(example = "Ana")]
    name: Option<String>,
}

async fn offered(app: &App, profile: &Profile) -> Result<OfferedOrganization, Problem> {
    let name = match &profile.name {
        Name::Plain(name) => Some(name.clone()),
        Name::Personal(name) => answer::shown(query::opened(app, name.sealed()).await?),
    };
    Ok(OfferedOrganization { id: profile.id, name, slug: profile.slug.clone() })
}

/// Shows what an invitation is to, by the secret of its link. Needs no credential.
#[utoipa::path(get, path = "/invitations/{secret}", operation_id = "showInvitationOffer",
    tag = "invitations",
    params(("secret" = String, Path, description = "the last part of the link")),
    responses((status = 200, body = Offer), InvitationReads))]
async fn show_offer(
    State(app): State<Arc<App>>,
    caller: Option<Caller>,
    secret: Result<Path<String>, PathRejection>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    let secret = secret.ok().and_then(|Path(secret)| LinkSecret::parse(&secret));
    let secret = secret.ok_or(Problem::new(Code::NotFound))?;
    let offer = query::invitation_offer::show(&app, &secret.hash()).await?;
    if !offer.is_open {
        return Err(Problem::new(Code::InvitationClosed));
    }
    let invitation = offer.invitation;
    let is_callers = caller.is_some_and(|caller| caller.client.subject == invitation.invitee);
    let body = Offer {
        organization: offered(&app, &offer.organization).await?,
        inviter: Inviter { name: name_of(&app, invitation.sender).await? },
        email: address(&app, &invitation.email, is_callers).await?,
        role: invitation.role,
        status: Status::Pending,
        expires_at: invitation.expires_at,
    };
    let mut response = Json(body).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The name of somebody who sent an invitation; what is no person has none here.
async fn name_of(app: &App, sender: Actor) -> Result<Option<String>, Problem> {
    let Actor::Account(account) = sender else { return Ok(None) };
    let Some(person) = identity::person(app, account).await? else { return Ok(None) };
    Ok(answer::shown(query::opened(app, person.name.sealed()).await?))
}

/// Enough of an address to know one's own by.
async fn address(app: &App, email: &Personal, is_whole: bool) -> Result<Option<String>, Problem> {
    let opened = query::opened(app, email.sealed()).await?;
    Ok(answer::shown(match opened {
        Some(Opened::Known(address)) if !is_whole => Some(Opened::Known(masked(&address))),
        opened => opened,
    }))
}

fn masked(address: &str) -> String {
    let (local, domain) = address.rsplit_once('@').unwrap_or_default();
    let first: String = local.chars().take(1).collect();
    format!("{first}***@{domain}")
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenBody {
    /// The last part of the link.
    #[schema(value_type = String, example = "mBjOO6yAYDtfmvJgqzDDAHJyEN1YWrMCbAKKYo5ldWs")]
    token: SecretString,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Accepted {
    organization: Organization,
    #[schema(value_type = String, example = "member")]
    role: Role,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Declined {
    organization: OfferedOrganization,
    #[schema(value_type = String, example = "member")]
    role: Role,
}

/// Which invitation of which organization, and in whose hands.
async fn held(
    app: &App,
    caller: &SignedIn,
    token: &SecretString,
) -> Result<(OrganizationId, InvitationId, Holder), Problem> {
    let secret = LinkSecret::parse(token.expose_secret());
    let link = secret.ok_or(Problem::new(Code::NotFound))?.hash();
    let (organization, invitation) = query::invitation_offer::find(app, &link).await?;
    let identity = &caller.identity;
    let holder = Holder { account: identity.account, subject: identity.person.subject, link };
    Ok((organization, invitation, holder))
}

/// Makes the caller a member. Accepting once more changes nothing, and is no mistake.
#[utoipa::path(post, path = "/invitations/accept", operation_id = "acceptInvitation",
    tag = "invitations", request_body = TokenBody,
    responses((status = 200, body = Accepted), InvitationCommands))]
async fn accept_invitation(
    State(app): State<Arc<App>>,
    Authenticated(caller, submission): Authenticated<SignedIn>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, None)?;
    execute::refuse_other_body(&app, &order).await?;
    let body: TokenBody = submission.json()?;
    let (organization, invitation, by) = held(&app, &caller, &body.token).await?;
    let view = organization::view(caller.principal);
    let done =
        execute::invitation::accept(&app, organization, &order, invitation, by, view).await?;
    let joined = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    let (profile, counts, owner, role) = joined;
    let organization = organization::founded(&app, *owner, profile, *counts, *role).await?;
    Ok(answer::command(StatusCode::OK, &done, Accepted { organization, role: *role }))
}

/// Refuses an invitation for good. Declining once more changes nothing, and is no mistake.
#[utoipa::path(post, path = "/invitations/decline", operation_id = "declineInvitation",
    tag = "invitations", request_body = TokenBody,
    responses((status = 200, body = Declined), InvitationCommands))]
async fn decline_invitation(
    State(app): State<Arc<App>>,
    Authenticated(caller, submission): Authenticated<SignedIn>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, None)?;
    execute::refuse_other_body(&app, &order).await?;
    let body: TokenBody = submission.json()?;
    let (organization, invitation, by) = held(&app, &caller, &body.token).await?;
    let view = |state: &events::organization::Organization| {
        let role = state.invitation(invitation)?.role;
        Some((state.profile()?.clone(), role))
    };
    let done =
        execute::invitation::decline(&app, organization, &order, invitation, by, view).await?;
    let (profile, role) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    let body = Declined { organization: offered(&app, profile).await?, role: *role };
    Ok(answer::command(StatusCode::OK, &done, body))
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn a_masked_address_tells_its_owner_enough() {
        assert_eq!(masked("dora@example.org"), "d***@example.org");
        assert_eq!(masked("é@example.org"), "é***@example.org");
    }
}
