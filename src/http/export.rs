//! What somebody takes along: of their account, or of an organization they run.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{OriginalUri, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use events::id::{InvitationId, OrganizationId, SessionId, TokenId};
use events::invitation::Status;
use events::organization::Name;
use events::permission::{Permission, Role};
use events::scope::Scopes;
use events::stream::Stream;
use events::time::Time;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::account::{User, user};
use super::answer;
use super::authentication::{Caller, SignedIn};
use super::document::{OrganizationReads, Reads};
use super::organization::Meant;
use super::problem::{Code, Problem};
use super::request::Parameters;
use crate::access::Access;
use crate::failure::Failure;
use crate::identity::Identity;
use crate::{App, export, identity, query, session_activity};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(export_account))
}

/// What is done with one organization, on paths that begin where its own ends.
pub(crate) fn routes_of_one() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(export_organization))
}

/// Everything held about one person.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountExport {
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    exported_at: Time,
    account: User,
    sessions: Vec<ExportedSession>,
    memberships: Vec<ExportedMembership>,
    /// Those ever sent to the account's address.
    invitations: Vec<ExportedInvitation>,
    tokens: Vec<ExportedToken>,
    /// What was recorded of the account, oldest first: position, hash, the line itself and the personal
    /// values that its digests stand for, secrets aside.
    #[schema(value_type = Vec<Object>)]
    events: [(); 0],
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ExportedSession {
    #[schema(value_type = String, example = "ses_01h2xcejqtf2nbrexx3vqjhp41")]
    id: SessionId,
    device: Option<String>,
    ip_address: Option<String>,
    #[schema(value_type = Option<String>)]
    last_used_at: Option<Time>,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
    #[schema(value_type = String, example = "2026-03-02T09:30:00.000Z")]
    expires_at: Time,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ExportedMembership {
    #[schema(value_type = String, example = "org_01h2xcejqtf2nbrexx3vqjhp41")]
    organization_id: OrganizationId,
    #[schema(example = "acme-engineering")]
    slug: String,
    name: Option<String>,
    #[schema(value_type = String, example = "member")]
    role: Role,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    joined_at: Time,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ExportedInvitation {
    #[schema(value_type = String, example = "inv_01h2xcejqtf2nbrexx3vqjhp41")]
    id: InvitationId,
    #[schema(value_type = String, example = "org_01h2xcejqtf2nbrexx3vqjhp41")]
    organization_id: OrganizationId,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    sent_at: Time,
    /// `null`, as the role, when the organization is gone.
    #[schema(value_type = Option<String>, example = "pending")]
    status: Option<Status>,
    #[schema(value_type = Option<String>, example = "member")]
    role: Option<Role>,
}

/// A token that serves, without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExportedToken {
    #[schema(value_type = String, example = "tok_01h2xcejqtf2nbrexx3vqjhp41")]
    id: TokenId,
    #[schema(value_type = String, example = "org_01h2xcejqtf2nbrexx3vqjhp41")]
    organization_id: OrganizationId,
    name: String,
    prefix: String,
    #[schema(value_type = Vec<String>)]
    scopes: Scopes,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
    #[schema(value_type = Option<String>)]
    expires_at: Option<Time>,
}

/// Everything held about the caller, secrets aside.
#[utoipa::path(get, path = "/account/export", operation_id = "exportAccount", tag = "accounts",
    responses((status = 200, body = AccountExport), Reads))]
async fn export_account(
    State(app): State<Arc<App>>,
    caller: SignedIn,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    let Identity { account, person, .. } = &caller.identity;
    let (memberships, tokens) = of_organizations(&app, &caller.identity).await?;
    let beginning = AccountExport {
        exported_at: app.clock.now(),
        account: user(&app, *account, person).await?,
        sessions: sessions(&app, &caller.identity).await?,
        memberships,
        invitations: invitations(&app, &caller.identity).await?,
        tokens,
        events: [],
    };
    let beginning = serde_json::to_vec(&beginning).map_err(|_| Problem::new(Code::Internal))?;
    let pieces = export::of_account(&app, *account, beginning).await?;
    Ok(download("application/json", "account.json", Body::from_stream(pieces)))
}

async fn sessions(app: &App, identity: &Identity) -> Result<Vec<ExportedSession>, Problem> {
    let (account, subject) = (identity.account, identity.person.subject);
    let mut uses = session_activity::of_account(app, account, subject).await?;
    let mut sessions = Vec::new();
    for (id, session) in identity::sessions(app, account).await? {
        let place = uses.iter().position(|last| last.session == id);
        let last = place.map(|place| uses.swap_remove(place));
        let last_used_at = last.as_ref().map(|last| last.at);
        let (device, ip_address) = last.map_or((None, None), |last| (last.device, last.ip_address));
        sessions.push(ExportedSession {
            id,
            device: answer::shown(device),
            ip_address: answer::shown(ip_address),
            last_used_at,
            created_at: session.started_at,
            expires_at: session.over_at(),
        });
    }
    Ok(sessions)
}

async fn of_organizations(
    app: &App,
    identity: &Identity,
) -> Result<(Vec<ExportedMembership>, Vec<ExportedToken>), Problem> {
    let (account, now) = (identity.account, app.clock.now());
    let (mut memberships, mut tokens) = (Vec::new(), Vec::new());
    for organization_id in query::membership_list::all(app, account).await? {
        let stream = Stream::Organization(organization_id);
        let entry = app.organizations.current(&app.log, stream).await.map_err(Failure::from)?;
        let found = {
            let state = &entry.read().state;
            let theirs = state.live_tokens(now).filter(|(_, it)| it.acts_for() == Some(account));
            tokens.extend(theirs.map(|(id, token)| ExportedToken {
                id,
                organization_id,
                name: token.name.clone(),
                prefix: token.prefix.clone(),
                scopes: token.scopes.clone(),
                created_at: token.created_at,
                expires_at: token.expires_at,
            }));
            let member = state.member(account).map(|member| (member.role, member.joined_at));
            state.profile().cloned().zip(member)
        };
        let Some((profile, (role, joined_at))) = found else { continue };
        let name = match &profile.name {
            Name::Plain(name) => Some(name.clone()),
            Name::Personal(name) => answer::shown(query::opened(app, name.sealed()).await?),
        };
        let slug = profile.slug;
        memberships.push(ExportedMembership { organization_id, slug, name, role, joined_at });
    }
    Ok((memberships, tokens))
}

async fn invitations(app: &App, identity: &Identity) -> Result<Vec<ExportedInvitation>, Problem> {
    let mut invitations = Vec::new();
    for sent in query::invitee_list::all(app, identity.person.subject).await? {
        let stream = Stream::Organization(sent.organization);
        let entry = app.organizations.current(&app.log, stream).await.map_err(Failure::from)?;
        let folded = entry.read();
        let found = folded.state.invitation(sent.invitation);
        invitations.push(ExportedInvitation {
            id: sent.invitation,
            organization_id: sent.organization,
            sent_at: sent.sent_at,
            status: found.map(|found| found.status_at(app.clock.now())),
            role: found.map(|found| found.role),
        });
    }
    Ok(invitations)
}

/// Everything the organization holds but secrets, one JSON object a line: its events (`kind` is
/// `event`), oldest first, its members, what it used (`usage`), and last a `manifest` with how many
/// lines of what there are and the BLAKE3 of them.
#[utoipa::path(get, path = "/export", operation_id = "exportOrganization", tag = "organizations",
    responses((status = 200, content_type = "application/x-ndjson", body = String),
        OrganizationReads))]
async fn export_organization(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let access = Access::check(&app, by, organization, Permission::ExportOrganization).await?;
    Parameters::of(&uri, &[])?;
    let pieces = export::of_organization(&app, &access).await?;
    let name = format!("{organization}.ndjson");
    Ok(download("application/x-ndjson", &name, Body::from_stream(pieces)))
}

/// An answer that is kept as a file, and by nobody on the way.
pub(super) fn download(kind: &str, name: &str, body: Body) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [
        (CONTENT_TYPE, kind.to_owned()),
        (CONTENT_DISPOSITION, disposition),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, body).into_response()
}
