//! API tokens and organization keys: a token belongs to one organization, is shown once, and serves
//! until it is revoked, replaced or has expired. A personal one ends with its owner's membership; a
//! key acts as the organization and outlives whoever made it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::chain::Link;
use crate::id::{AccountId, TokenId};
use crate::invitation;
use crate::organization::Organization;
use crate::permission::Permission;
use crate::recorded::{Actor, Recorded};
use crate::scope::Scopes;
use crate::time::Time;

/// How many tokens somebody has at once, and how many keys an organization: so many end together.
pub const MOST: usize = 100;
/// How long a replaced secret serves at most.
pub const LONGEST_OVERLAP: Duration = Duration::from_hours(24);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    #[serde(rename = "api_key.created")]
    Created {
        token: TokenId,
        kind: Kind,
        name: String,
        /// Whose it is, or who made the key.
        owner: Option<AccountId>,
        /// BLAKE3 of the whole secret, as its owner keeps it.
        secret_hash: Link,
        /// What the secret begins with, to know it by.
        prefix: String,
        scopes: Scopes,
        expires_at: Option<Time>,
    },
    /// Another takes its place; until then both serve.
    #[serde(rename = "api_key.rotated")]
    Rotated {
        token: TokenId,
        successor: TokenId,
        /// As those of the one before, like name and owner.
        kind: Kind,
        name: String,
        owner: Option<AccountId>,
        secret_hash: Link,
        prefix: String,
        scopes: Scopes,
        expires_at: Option<Time>,
        previous_valid_until: Time,
    },
    #[serde(rename = "api_key.revoked")]
    Revoked { token: TokenId },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Acts as its owner, within the owner's role.
    Personal,
    /// Acts as the organization, within the role `admin`.
    Organization,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Organization => "organization",
        }
    }
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Created { .. } => ("api_key.created", 1),
            Self::Rotated { .. } => ("api_key.rotated", 1),
            Self::Revoked { .. } => ("api_key.revoked", 1),
        }
    }

    /// The token that the event made, by itself or in the place of another.
    pub fn made(&self) -> Option<Made<'_>> {
        match self {
            Self::Created { token, kind, name, owner, secret_hash, prefix, scopes, expires_at } => {
                let (token, kind, owner, expires_at) = (*token, *kind, *owner, *expires_at);
                Some(Made { token, kind, name, owner, secret_hash, prefix, scopes, expires_at })
            }
            Self::Rotated {
                successor,
                kind,
                name,
                owner,
                secret_hash,
                prefix,
                scopes,
                expires_at,
                token: _,
                previous_valid_until: _,
            } => {
                let (token, kind, owner, expires_at) = (*successor, *kind, *owner, *expires_at);
                Some(Made { token, kind, name, owner, secret_hash, prefix, scopes, expires_at })
            }
            Self::Revoked { .. } => None,
        }
    }
}

/// A token as it was made.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    pub token: TokenId,
    pub kind: Kind,
    pub name: &'a str,
    pub owner: Option<AccountId>,
    pub secret_hash: &'a Link,
    pub prefix: &'a str,
    pub scopes: &'a Scopes,
    pub expires_at: Option<Time>,
}

/// Why a token serves no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By somebody, or with its owner's membership.
    Revoked,
    /// Another has taken its place.
    Rotated,
    Expired,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub name: String,
    /// Whose it is, or who made the key.
    pub owner: Option<AccountId>,
    pub prefix: String,
    pub scopes: Scopes,
    pub expires_at: Option<Time>,
    pub created_at: Time,
    /// What takes its place, and until when both serve.
    pub replaced: Option<(TokenId, Time)>,
    is_revoked: bool,
    /// Version of the last event that changed this resource: its `ETag`.
    pub changed_version: u64,
}

impl Token {
    /// `None` while it serves.
    pub fn ended(&self, now: Time) -> Option<Ended> {
        if self.is_revoked {
            Some(Ended::Revoked)
        } else if self.replaced.is_some_and(|(_, until)| now >= until) {
            Some(Ended::Rotated)
        } else if self.expires_at.is_some_and(|end| now >= end) {
            Some(Ended::Expired)
        } else {
            None
        }
    }

    pub fn is_revoked(&self) -> bool {
        self.is_revoked
    }

    /// The account it acts for; a key acts for none.
    pub fn acts_for(&self) -> Option<AccountId> {
        match self.kind {
            Kind::Personal => self.owner,
            Kind::Organization => None,
        }
    }
}

impl Organization {
    pub fn token(&self, token: TokenId) -> Option<&Token> {
        self.tokens.get(&token)
    }

    /// All there ever were.
    pub fn tokens(&self) -> impl Iterator<Item = (&TokenId, &Token)> {
        self.tokens.iter()
    }

    /// Those that serve.
    pub fn live_tokens(&self, now: Time) -> impl Iterator<Item = (TokenId, &Token)> {
        let live = move |token: &&Token| token.ended(now).is_none();
        self.tokens.iter().map(|(id, token)| (*id, token)).filter(move |(_, token)| live(token))
    }
}

pub(crate) fn evolve(organization: &mut Organization, event: &Event, recorded: &Recorded) {
    let tokens = &mut organization.tokens;
    if let Some(Made { token, kind, name, owner, prefix, scopes, expires_at, .. }) = event.made() {
        let made = Token {
            kind,
            name: name.to_owned(),
            owner,
            prefix: prefix.to_owned(),
            scopes: scopes.clone(),
            expires_at,
            created_at: recorded.at,
            replaced: None,
            is_revoked: false,
            changed_version: recorded.version,
        };
        tokens.insert(token, made);
    }
    let mut edit = |token: &TokenId, edit: &dyn Fn(&mut Token)| {
        if let Some(token) = tokens.get_mut(token) {
            edit(token);
            token.changed_version = recorded.version;
        }
    };
    match event {
        Event::Created { .. } => {}
        Event::Rotated { token, successor, previous_valid_until, .. } => edit(token, &|token| {
            token.replaced = Some((*successor, *previous_valid_until));
        }),
        Event::Revoked { token } => edit(token, &|token| token.is_revoked = true),
    }
}

/// The end of all tokens of somebody whose membership ends.
pub(crate) fn end_with(organization: &mut Organization, member: AccountId, recorded: &Recorded) {
    let tokens = organization.tokens.values_mut();
    for token in tokens.filter(|token| token.acts_for() == Some(member) && !token.is_revoked) {
        token.is_revoked = true;
        token.changed_version = recorded.version;
    }
}

/// The end of every token of somebody whose membership ends.
pub(crate) fn orphaned(
    organization: &Organization,
    member: AccountId,
) -> impl Iterator<Item = Event> {
    let theirs = organization.tokens.iter().filter(move |(_, token)| {
        token.acts_for() == Some(member) && !token.is_revoked && token.replaced.is_none()
    });
    theirs.take(MOST).map(|(token, _)| Event::Revoked { token: *token })
}

/// A token about to be made.
#[derive(Clone, Debug)]
pub struct Draft {
    pub token: TokenId,
    pub secret_hash: Link,
    pub prefix: String,
    pub scopes: Scopes,
    pub expires_at: Option<Time>,
}

/// A successor for a token. `scopes` and `expires_at` are those of the old one where they are
/// `None`; the new one then lives as long from now as the old one did.
#[derive(Clone, Debug)]
pub struct Rotation {
    pub token: TokenId,
    pub by: Option<AccountId>,
    pub successor: TokenId,
    pub secret_hash: Link,
    pub prefix: String,
    pub scopes: Option<Scopes>,
    pub expires_at: Option<Option<Time>>,
    pub overlap: Duration,
    pub at: Time,
}

#[derive(Clone, Debug)]
pub enum Command {
    Create {
        draft: Draft,
        kind: Kind,
        name: String,
        /// Who makes it; none for a key that makes another.
        by: Option<AccountId>,
        at: Time,
    },
    Rotate(Box<Rotation>),
    Revoke {
        token: TokenId,
        by: Option<AccountId>,
        at: Time,
    },
}

impl Command {
    pub fn requires(&self, organization: &Organization) -> Permission {
        let (token, by) = match self {
            Self::Create { kind: Kind::Organization, .. } => return Permission::ManageKeys,
            Self::Create { kind: Kind::Personal, .. } => return Permission::UseOwnTokens,
            Self::Rotate(rotation) => (rotation.token, rotation.by),
            Self::Revoke { token, by, .. } => (*token, *by),
        };
        match organization.token(token).map(|token| (token.kind, token.owner)) {
            Some((Kind::Organization, _)) => Permission::ManageKeys,
            Some((Kind::Personal, owner)) if owner != by => Permission::ManageTokens,
            Some((Kind::Personal, _)) | None => Permission::UseOwnTokens,
        }
    }

    pub fn resource_version(&self, organization: &Organization) -> Option<u64> {
        let token = match self {
            Self::Create { .. } => return None,
            Self::Rotate(rotation) => rotation.token,
            Self::Revoke { token, .. } => *token,
        };
        organization.token(token).map(|token| token.changed_version)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such token")]
    NotFound,
    #[error("a personal token belongs to a person")]
    NobodyToActFor,
    #[error("there are 100 of them already")]
    TooMany,
    #[error("only its owner may have the secret of a personal token")]
    NotTheOwner,
    #[error("the token was revoked, replaced or has expired")]
    Ended,
    #[error("a successor may do no more than the token it replaces")]
    MoreScopes,
}

pub fn decide(
    organization: &Organization,
    command: &Command,
) -> Result<Vec<crate::Event>, Rejection> {
    organization.profile().ok_or(Rejection::NotFound)?;
    match command {
        Command::Create { kind: Kind::Personal, by: None, .. } => Err(Rejection::NobodyToActFor),
        Command::Create { draft, kind, name, by, at } => {
            if is_full(organization, *kind, *by, *at) {
                return Err(Rejection::TooMany);
            }
            let Draft { token, secret_hash, prefix, scopes, expires_at } = draft.clone();
            Ok(vec![crate::Event::Token(Event::Created {
                token,
                kind: *kind,
                name: name.clone(),
                owner: *by,
                secret_hash,
                prefix,
                scopes,
                expires_at,
            })])
        }
        Command::Rotate(rotation) => rotate(organization, rotation).map(|event| vec![event.into()]),
        Command::Revoke { token, at, .. } => {
            let found = organization.token(*token).ok_or(Rejection::NotFound)?;
            if found.is_revoked || found.ended(*at) == Some(Ended::Rotated) {
                return Ok(vec![]);
            }
            let revoked = crate::Event::Token(Event::Revoked { token: *token });
            // whoever had the key must not keep a way in
            let ended = invitation::orphaned(organization, Actor::Token(*token), None);
            Ok(std::iter::once(revoked).chain(ended.map(crate::Event::Invitation)).collect())
        }
    }
}

fn is_full(organization: &Organization, kind: Kind, by: Option<AccountId>, at: Time) -> bool {
    let alike =
        |token: &Token| token.kind == kind && (kind == Kind::Organization || token.owner == by);
    organization.live_tokens(at).filter(|(_, token)| alike(token)).count() >= MOST
}

fn rotate(organization: &Organization, rotation: &Rotation) -> Result<Event, Rejection> {
    let Rotation { token, by, successor, secret_hash, prefix, scopes, expires_at, overlap, at } =
        rotation.clone();
    let old = organization.token(token).ok_or(Rejection::NotFound)?;
    if old.kind == Kind::Personal && old.owner != by {
        return Err(Rejection::NotTheOwner);
    }
    if old.ended(at).is_some() || old.replaced.is_some() {
        return Err(Rejection::Ended);
    }
    let scopes = scopes.unwrap_or_else(|| old.scopes.clone());
    if !old.scopes.include_all(&scopes) {
        return Err(Rejection::MoreScopes);
    }
    let as_before = || old.expires_at.map(|end| at.after(old.created_at.until(end)));
    let end = at.after(overlap.min(LONGEST_OVERLAP));
    Ok(Event::Rotated {
        token,
        successor,
        kind: old.kind,
        name: old.name.clone(),
        owner: old.owner,
        secret_hash,
        prefix,
        scopes,
        expires_at: expires_at.unwrap_or_else(as_before),
        previous_valid_until: old.expires_at.map_or(end, |expiry| expiry.min(end)),
    })
}

#[cfg(test)]
mod tests;
