//! Sessions: signing in, new tokens for old ones, and signing out.

use events::account::{Account, Command, EndReason, Proof, Rejection, decide};
use events::id::{AccountId, SessionId};
use events::time::Time;

use super::{Done, Error, Order, account};
use crate::App;
use crate::identity::Identity;
use crate::session_token::{RefreshToken, Tokens};

/// A session's tokens, and when the session token ends.
pub(crate) struct Opened {
    pub(crate) tokens: Tokens,
    pub(crate) expires_at: Time,
}

/// The tokens of a session whose id follows from the command that starts it, so that a repeat
/// shows them again.
pub(super) fn first_tokens(app: &App, order: &Order, account: AccountId) -> Tokens {
    let session = SessionId(app.keyring.id_of(order.command, "session"));
    Tokens::of(&app.keyring, account, session, 0)
}

/// When the session token ends that a session has now.
pub(super) fn expiry(state: &Account, session: SessionId) -> Time {
    let always = Time::from_millis(i64::MIN);
    state.session(session, always).map_or(always, |session| session.expires_at)
}

/// Starts a session for somebody whose password was just proven.
pub(crate) async fn start(
    app: &App,
    order: &Order,
    identity: &Identity,
    second_factor: Option<Proof>,
) -> Result<Done<Opened>, Error> {
    let tokens = first_tokens(app, order, identity.account);
    let session = tokens.session.session;
    let command = Command::StartSession {
        session,
        secrets: tokens.secrets(),
        password_set_by: identity.password_set_by(),
        second_factor,
        now: app.clock.now(),
    };
    let answer = |state: &Account| expiry(state, session);
    let done = account::order(app, identity.account, order, &command, answer).await?;
    Ok(done.map(|expires_at| Opened { tokens, expires_at }))
}

/// New tokens for a refresh token. One that was replaced ends its session, unless it comes so soon
/// that only an answer was lost: then the same new tokens are given once more.
pub(crate) async fn refresh(
    app: &App,
    order: &Order,
    token: &RefreshToken,
) -> Result<Done<Opened>, Error> {
    let RefreshToken { account: id, session, generation, .. } = *token;
    let now = app.clock.now();
    let of_generation = |generation| Tokens::of(&app.keyring, id, session, generation);
    let decide = |state: &Account| {
        let known = state.session(session, now).ok_or(Rejection::SessionOver)?;
        let command = Command::Refresh {
            session,
            generation,
            presented: token.secret_hash(),
            next: of_generation(known.generation + 1).secrets(),
            now,
        };
        decide(state, &command)
    };
    let answer = |state: &Account| {
        state.session(session, now).map(|session| (session.generation, session.expires_at))
    };
    let done = account::deciding(app, id, order, decide, answer).await?;
    let (generation, expires_at) = done.answer.ok_or(Rejection::SessionOver)?;
    Ok(done.map(|_| Opened { tokens: of_generation(generation), expires_at }))
}

/// Ends a session at once, on every node.
pub(crate) async fn end(
    app: &App,
    order: &Order,
    owner: AccountId,
    session: SessionId,
    reason: EndReason,
) -> Result<Done<()>, Error> {
    let command = Command::EndSession { session, reason, now: app.clock.now() };
    account::order(app, owner, order, &command, |_| ()).await
}
