//! One sign-in and what comes of it: a session token for an hour, and a refresh token that buys the
//! next one. All tokens of a session are one family and end with it.
//!
//! A refresh replaces both tokens. For a grace of 30 seconds the old ones still serve: the session
//! token for requests that are under way, the refresh token for a client that never saw the answer
//! and asks again (it gets the very same tokens). Whoever brings a replaced refresh token later ends
//! the session: it is in two hands.

use std::time::Duration;

use crate::account::{EndReason, Event, Rejection};
use crate::chain::Link;
use crate::id::{OrganizationId, SessionId};
use crate::time::Time;

/// How long a session token serves.
const TOKEN: Duration = Duration::from_hours(1);
/// How long a refresh token serves when it is not used.
const IDLE: Duration = Duration::from_hours(30 * 24);
/// How long a session can be refreshed at all.
const WHOLE: Duration = Duration::from_hours(90 * 24);
/// How long replaced tokens still serve.
const GRACE: Duration = Duration::from_secs(30);

/// What the log keeps of a session's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Secrets {
    pub secret_hash: Link,
    pub refresh_hash: Link,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub secret_hash: Link,
    pub expires_at: Time,
    refresh_hash: Option<Link>,
    refresh_expires_at: Time,
    ends_at: Time,
    /// How often it was refreshed.
    pub generation: u32,
    pub started_at: Time,
    /// When its tokens were made.
    pub refreshed_at: Time,
    replaced: Option<Link>,
    /// What requests act on that name no organization, unless it is the personal one.
    pub organization: Option<OrganizationId>,
}

impl Session {
    /// The session token that a request may bring now: its hash, and the one it has replaced.
    pub fn serving(&self, now: Time) -> impl Iterator<Item = &Link> {
        let current = (now < self.expires_at).then_some(&self.secret_hash);
        current.into_iter().chain(self.replaced.as_ref().filter(|_| self.is_in_grace(now)))
    }

    /// When the session ends if nobody refreshes it any more.
    pub fn over_at(&self) -> Time {
        match self.refresh_hash {
            Some(_) => self.expires_at.max(self.refresh_expires_at),
            None => self.expires_at,
        }
    }

    fn is_in_grace(&self, now: Time) -> bool {
        self.generation > 0 && now < self.refreshed_at.after(GRACE)
    }

    pub(super) fn of(event: &Event, at: Time) -> Option<Self> {
        let Event::SessionStarted {
            session: _,
            secret_hash,
            expires_at,
            refresh_hash,
            refresh_expires_at,
            ends_at,
        } = event
        else {
            return None;
        };
        Some(Self {
            secret_hash: *secret_hash,
            expires_at: *expires_at,
            refresh_hash: *refresh_hash,
            refresh_expires_at: *refresh_expires_at,
            ends_at: *ends_at,
            generation: 0,
            started_at: at,
            refreshed_at: at,
            replaced: None,
            organization: None,
        })
    }

    pub(super) fn take(&mut self, refreshed: &Event, at: Time) {
        let Event::SessionRefreshed {
            session: _,
            generation,
            secret_hash,
            expires_at,
            refresh_hash,
            refresh_expires_at,
        } = refreshed
        else {
            return;
        };
        self.replaced = (at < self.expires_at).then_some(self.secret_hash);
        self.secret_hash = *secret_hash;
        self.expires_at = *expires_at;
        self.refresh_hash = Some(*refresh_hash);
        self.refresh_expires_at = *refresh_expires_at;
        self.generation = *generation;
        self.refreshed_at = at;
    }
}

pub(super) fn start(session: SessionId, secrets: Secrets, now: Time) -> Event {
    Event::SessionStarted {
        session,
        secret_hash: secrets.secret_hash,
        expires_at: now.after(TOKEN),
        refresh_hash: Some(secrets.refresh_hash),
        refresh_expires_at: now.after(IDLE),
        ends_at: now.after(WHOLE),
    }
}

/// `presented` is the hash of a refresh token of this `generation` that the caller has found to be
/// genuine: what it says about itself was not made up.
pub(super) fn refresh(
    session: SessionId,
    state: &Session,
    generation: u32,
    presented: Link,
    next: Secrets,
    now: Time,
) -> Result<Vec<Event>, Rejection> {
    let refresh_hash = state.refresh_hash.ok_or(Rejection::SessionOver)?;
    if generation < state.generation {
        let is_retry = generation + 1 == state.generation && state.is_in_grace(now);
        let reason = EndReason::RefreshReused;
        return Ok(if is_retry { vec![] } else { vec![Event::SessionEnded { session, reason }] });
    }
    if generation != state.generation || presented != refresh_hash {
        return Err(Rejection::SessionOver);
    }
    if now >= state.refresh_expires_at || now >= state.ends_at {
        return Err(Rejection::SessionOver);
    }
    Ok(vec![Event::SessionRefreshed {
        session,
        generation: generation + 1,
        secret_hash: next.secret_hash,
        expires_at: now.after(TOKEN).min(state.ends_at),
        refresh_hash: next.refresh_hash,
        refresh_expires_at: now.after(IDLE).min(state.ends_at),
    }])
}
