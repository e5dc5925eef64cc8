//! Sign in, stay signed in, see where one is signed in, and sign out.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest as _, OriginalUri, Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::response::{IntoResponse as _, Response};
use events::account::{EndReason, Session};
use events::id::{AccountId, OrganizationId, SessionId};
use events::recorded::Actor;
use events::time::Time;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::account::{User, user};
use super::answer;
use super::authentication::SignedIn;
use super::document::{Commands, PublicCommands, Reads};
use super::problem::{Code, Problem};
use super::request::{Authenticated, Paging, Submission};
use crate::address::Address;
use crate::causes::causes;
use crate::execute::session::Opened;
use crate::execute::{Done, register, session};
use crate::identity::{self, Identity, Proven};
use crate::session_activity::{self, LastUse};
use crate::session_token::RefreshToken;
use crate::{App, query};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(sign_in))
        .routes(routes!(refresh))
        .routes(routes!(sign_out))
        .routes(routes!(list_sessions))
        .routes(routes!(end_session))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignInBody {
    #[schema(example = "ana@example.org")]
    email: String,
    #[schema(value_type = String, example = "correct horse battery")]
    password: SecretString,
    /// Of an account with a second factor: a code of its authenticator, or a backup code.
    #[schema(value_type = Option<String>, example = "492039")]
    totp_code: Option<SecretString>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SignInAnswer {
    /// The session token; send it as `Authorization: Bearer`.
    #[schema(example = "chy_ses_AYjH...")]
    token: String,
    /// An hour from now.
    #[schema(value_type = String, example = "2026-01-31T10:30:00.000Z")]
    expires_at: Time,
    /// Gets the next session token, once; serves for 30 days.
    #[schema(example = "chy_ref_AYjH...")]
    refresh_token: String,
    user: User,
    /// The caller's organizations that ask for a second factor which the caller has not: they let
    /// nobody in without one from their next sign-in. `null` when that cannot be told now.
    #[schema(value_type = Option<Vec<String>>)]
    organizations_requiring_2fa: Option<Vec<OrganizationId>>,
}

#[utoipa::path(post, path = "/auth/login", operation_id = "signIn", tag = "sessions",
    request_body = SignInBody,
    responses((status = 200, body = SignInAnswer), PublicCommands))]
async fn sign_in(State(app): State<Arc<App>>, submission: Submission) -> Result<Response, Problem> {
    let body: SignInBody = submission.json()?;
    // what is no address belongs to nobody
    let address: Address =
        body.email.parse().map_err(|_| Problem::new(Code::InvalidCredentials))?;
    let SignInBody { password, totp_code, .. } = body;
    let from = submission.origin.source();
    let (proven, left) = identity::by_password(&app, &address, password, totp_code, from).await?;
    let Proven { identity: owner, code, .. } =
        proven.map_err(|wrong| Problem::from(wrong).limited(left))?;
    register::complete(&app, owner.account).await?;
    let client = submission.origin.client(owner.person.subject);
    let order = submission.unkeyed_order(&app, Actor::Account(owner.account), client.clone());
    let done = session::start(&app, &order, &owner, code).await?;
    let Opened { tokens, expires_at } = &done.answer;
    session_activity::note_use(&app, tokens.session.session, owner.account, &client);
    let body = SignInAnswer {
        token: tokens.session.reveal(),
        expires_at: *expires_at,
        refresh_token: tokens.refresh.reveal(),
        user: user(&app, owner.account, &owner.person).await?,
        organizations_requiring_2fa: requiring_2fa(&app, &owner).await,
    };
    Ok(answer::limited(left, answer::command(StatusCode::OK, &done, body)))
}

/// Nobody is kept from signing in because this is not known.
async fn requiring_2fa(app: &App, owner: &Identity) -> Option<Vec<OrganizationId>> {
    match query::membership_list::requiring_second_factor(app, owner).await {
        Ok(organizations) => Some(organizations),
        Err(error) => {
            let error = causes(&error);
            tracing::warn!(error, "who requires a second factor cannot be told");
            None
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshBody {
    #[schema(value_type = String, example = "chy_ref_AYjH...")]
    refresh_token: SecretString,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RefreshAnswer {
    #[schema(example = "chy_ses_AYjH...")]
    token: String,
    #[schema(value_type = String, example = "2026-01-31T10:30:00.000Z")]
    expires_at: Time,
    /// The one that was sent serves no more.
    #[schema(example = "chy_ref_AYjH...")]
    refresh_token: String,
}

/// New tokens for old ones. A refresh token that was used before ends the session, unless it comes
/// within 30 seconds: then the answer was lost, and is given once more.
#[utoipa::path(post, path = "/auth/refresh", operation_id = "refreshSession", tag = "sessions",
    request_body = RefreshBody,
    responses((status = 200, body = RefreshAnswer), PublicCommands))]
async fn refresh(State(app): State<Arc<App>>, submission: Submission) -> Result<Response, Problem> {
    let body: RefreshBody = submission.json()?;
    let done = refreshed(&app, &submission, &body.refresh_token).await?;
    let Opened { tokens, expires_at } = &done.answer;
    let body = RefreshAnswer {
        token: tokens.session.reveal(),
        expires_at: *expires_at,
        refresh_token: tokens.refresh.reveal(),
    };
    Ok(answer::command(StatusCode::OK, &done, body))
}

async fn refreshed(
    app: &App,
    submission: &Submission,
    text: &SecretString,
) -> Result<Done<Opened>, Problem> {
    let invalid = || Problem::new(Code::InvalidToken);
    let token = RefreshToken::genuine(&app.keyring, text.expose_secret()).ok_or_else(invalid)?;
    let person = identity::person(app, token.account).await?.ok_or_else(invalid)?;
    let client = submission.origin.client(person.subject);
    let order = submission.unkeyed_order(app, Actor::Account(token.account), client.clone());
    let done = session::refresh(app, &order, &token).await?;
    session_activity::note_use(app, token.session, token.account, &client);
    Ok(done)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignOutBody {
    /// Of the session to end, when its session token has run out.
    #[schema(value_type = Option<String>, example = "chy_ref_AYjH...")]
    refresh_token: Option<SecretString>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Nothing {}

/// Ends the session whose refresh token stands in the body, else the one whose token is sent as
/// `Authorization: Bearer`. One that has ended already stays ended.
#[utoipa::path(post, path = "/auth/logout", operation_id = "signOut", tag = "sessions",
    request_body = Option<SignOutBody>,
    responses((status = 200, body = Nothing), Commands))]
async fn sign_out(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (account, session, submission) = if request.headers().contains_key(AUTHORIZATION) {
        let Authenticated(caller, submission) =
            Authenticated::<SignedIn>::from_request(request, &app).await?;
        match named_to_end(&app, &submission)? {
            Some((account, session)) => (account, Some(session), submission),
            None => {
                let session = caller.identity.session.map(|session| session.id);
                (caller.identity.account, session, submission)
            }
        }
    } else {
        let submission = Submission::from_request(request, &app).await?;
        let named = named_to_end(&app, &submission)?;
        let (account, session) = named.ok_or(Problem::new(Code::Unauthenticated))?;
        (account, Some(session), submission)
    };
    // a password opens no session, so there is none to end
    let Some(session) = session else {
        return Ok(Json(Nothing {}).into_response());
    };
    match end(&app, &submission, account, session, EndReason::SignedOut).await {
        Err(problem) if problem.is(Code::NotFound) => Ok(Json(Nothing {}).into_response()),
        done => Ok(answer::command(StatusCode::OK, &done?, Nothing {})),
    }
}

/// The session whose refresh token stands in the body.
fn named_to_end(
    app: &App,
    submission: &Submission,
) -> Result<Option<(AccountId, SessionId)>, Problem> {
    let body: SignOutBody = submission.json_or_empty()?;
    let Some(text) = body.refresh_token else { return Ok(None) };
    let token = RefreshToken::genuine(&app.keyring, text.expose_secret());
    let token = token.ok_or(Problem::new(Code::InvalidToken))?;
    Ok(Some((token.account, token.session)))
}

async fn end(
    app: &App,
    submission: &Submission,
    account: AccountId,
    session: SessionId,
    reason: EndReason,
) -> Result<Done<()>, Problem> {
    let person = identity::person(app, account).await?;
    let person = person.ok_or(Problem::new(Code::InvalidToken))?;
    let client = submission.origin.client(person.subject);
    let order = submission.unkeyed_order(app, Actor::Account(account), client);
    Ok(session::end(app, &order, account, session, reason).await?)
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SessionList {
    sessions: Vec<ShownSession>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct ShownSession {
    #[schema(value_type = String, example = "ses_01h2xcejqtf2nbrexx3vqjhp41")]
    id: SessionId,
    /// The one this request came with.
    is_current: bool,
    /// The `User-Agent` it was last used with.
    device: Option<String>,
    ip_address: Option<String>,
    /// To the minute.
    #[schema(value_type = String, example = "2026-01-31T09:45:00.000Z")]
    last_used_at: Time,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
    /// When it ends unless it is refreshed.
    #[schema(value_type = String, example = "2026-03-02T09:30:00.000Z")]
    expires_at: Time,
}

#[utoipa::path(get, path = "/auth/sessions", operation_id = "listSessions", tag = "sessions",
    params(("page_size" = Option<usize>, Query), ("page_token" = Option<String>, Query)),
    responses((status = 200, body = SessionList), Reads))]
async fn list_sessions(
    State(app): State<Arc<App>>,
    caller: SignedIn,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let list = format!("sessions of {}", caller.identity.account);
    let paging = Paging::of(&app, &uri, &list)?;
    let sessions = identity::sessions(&app, caller.identity.account).await?;
    let (page, next) = page_of(sessions, &paging);
    let (account, subject) = (caller.identity.account, caller.identity.person.subject);
    let uses = session_activity::of_account(&app, account, subject).await?;
    let mut uses: HashMap<SessionId, LastUse> =
        uses.into_iter().map(|last| (last.session, last)).collect();
    let current = caller.identity.session.map(|session| session.id);
    let shown = page.into_iter().map(|(id, session)| {
        let last = uses.remove(&id);
        let last_used_at = last.as_ref().map_or(session.refreshed_at, |last| last.at);
        let (device, ip_address) = last.map_or((None, None), |last| (last.device, last.ip_address));
        ShownSession {
            id,
            is_current: current == Some(id),
            device: answer::shown(device),
            ip_address: answer::shown(ip_address),
            last_used_at: last_used_at.max(session.refreshed_at),
            created_at: session.started_at,
            expires_at: session.over_at(),
        }
    });
    let sessions = shown.collect();
    let next_page_token = next.map(|next| query::page_token::write(&app, &list, &next));
    let next = next_page_token.clone();
    let body = SessionList { sessions, next_page_token };
    Ok(answer::page(uri.path(), paging.size, next.as_deref(), body))
}

/// The newest first. An account has few sessions, and all of them are in memory.
fn page_of(
    sessions: Vec<(SessionId, Session)>,
    paging: &Paging,
) -> (Vec<(SessionId, Session)>, Option<String>) {
    let place = |(id, session): &(SessionId, Session)| {
        format!("{:016x} {id}", i64::MAX - session.started_at.millis())
    };
    let mut sessions = sessions;
    sessions.sort_by_cached_key(place);
    sessions.retain(|session| place(session) > paging.after);
    let has_more = sessions.len() > paging.size;
    sessions.truncate(paging.size);
    let next = sessions.last().filter(|_| has_more).map(place);
    (sessions, next)
}

#[utoipa::path(delete, path = "/auth/sessions/{id}", operation_id = "endSession", tag = "sessions",
    params(("id" = String, Path)),
    responses((status = 204), Commands))]
async fn end_session(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
    Authenticated(caller, submission): Authenticated<SignedIn>,
) -> Result<Response, Problem> {
    let account = caller.identity.account;
    let order = submission.order(&app, &caller, None)?;
    if let Some(done) = crate::execute::account::before(&app, account, &order, |_| ()).await? {
        return Ok(answer::gone(&done));
    }
    let id = id.ok().and_then(|Path(id)| id.parse().ok()).ok_or(Problem::new(Code::NotFound))?;
    let is_own = caller.identity.session.is_some_and(|current| current.id == id);
    let reason = if is_own { EndReason::SignedOut } else { EndReason::Revoked };
    Ok(answer::gone(&session::end(&app, &order, account, id, reason).await?))
}
