//! No token or key served longer than it may, and none without an end.

use std::collections::BTreeMap;

use events::id::{AccountId, TokenId};
use events::recorded::{Actor, Recorded};
use events::time::Time;
use events::{Event, membership, organization, token};
use serde_json::json;

use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::Findings;
use crate::compliance::evaluation::log::{Log, Period};

struct Token {
    version: u64,
    kind: token::Kind,
    owner: Option<AccountId>,
    by: Actor,
    scopes: events::scope::Scopes,
    created_at: Time,
    expires_at: Option<Time>,
    /// By another in its place, a revocation, or the end of its owner's membership.
    ended_at: Option<Time>,
    is_revoked: bool,
}

impl Token {
    fn end(&mut self, at: Time) {
        self.ended_at = Some(self.ended_at.map_or(at, |end| end.min(at)));
    }
}

pub(crate) struct Tokens {
    most_age: i64,
    made: BTreeMap<TokenId, Token>,
    owned: BTreeMap<AccountId, Vec<TokenId>>,
}

impl Tokens {
    pub(crate) fn new(most_age_seconds: i64) -> Self {
        let most_age = most_age_seconds.saturating_mul(1000);
        Self { most_age, made: BTreeMap::new(), owned: BTreeMap::new() }
    }

    fn end(&mut self, token: TokenId, at: Time) {
        if let Some(token) = self.made.get_mut(&token) {
            token.end(at);
            token.is_revoked = true;
        }
    }

    fn take_token(&mut self, log: &Log, recorded: &Recorded, event: &token::Event) {
        if let Some(made) = event.made() {
            let owner = made.owner.filter(|_| made.kind == token::Kind::Personal);
            if let Some(owner) = owner {
                self.owned.entry(owner).or_default().push(made.token);
            }
            let token = Token {
                version: recorded.version,
                kind: made.kind,
                owner: made.owner,
                by: recorded.actor,
                scopes: made.scopes.clone(),
                created_at: log.now,
                expires_at: made.expires_at,
                ended_at: None,
                is_revoked: false,
            };
            self.made.insert(made.token, token);
        }
        match event {
            token::Event::Created { .. } => {}
            token::Event::Rotated { token, previous_valid_until, .. } => {
                if let Some(token) = self.made.get_mut(token) {
                    token.end(*previous_valid_until);
                }
            }
            token::Event::Revoked { token } => self.end(*token, log.now),
        }
    }
}

impl Check for Tokens {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        if let Event::Token(event) = &recorded.event {
            self.take_token(log, recorded, event);
        }
        if let Event::Membership(
            membership::Event::Removed { member, .. } | membership::Event::Left { member, .. },
        ) = &recorded.event
        {
            // the end of a membership ends its tokens, revoked one by one or not
            for token in self.owned.remove(member).unwrap_or_default() {
                self.end(token, log.now);
            }
        }
        if let Event::Organization(organization::Event::Deleted { .. }) = &recorded.event {
            for token in self.made.values_mut() {
                token.end(log.now);
            }
        }
    }

    fn finish(self: Box<Self>, _: &Log, window: Period) -> Findings {
        let mut found = Findings::default();
        let mut oldest = 0;
        let mut tokens: Vec<_> = self.made.into_iter().collect();
        tokens.sort_by_key(|(_, token)| token.version);
        for (id, token) in tokens {
            let end = [token.expires_at, token.ended_at].into_iter().flatten().min();
            let life = Period { from: token.created_at, to: end.unwrap_or(window.to) };
            let Some(served) = window.overlap(life) else { continue };
            let age = Period { from: token.created_at, to: served.to }.millis();
            oldest = oldest.max(age);
            found.cited.add(token.version);
            found.member(&json!({
                "created_at": token.created_at,
                "created_by": token.by,
                "ended_at": token.ended_at,
                "expires_at": token.expires_at,
                "kind": token.kind.as_str(),
                "owner": token.owner,
                "revoked": token.is_revoked,
                "scopes": token.scopes,
                "token": id,
                "version": token.version,
            }));
            let no_end = token.expires_at.is_none().then_some("no expiry");
            let too_old = (age > self.most_age).then_some("older than allowed");
            let reasons: Vec<_> = no_end.into_iter().chain(too_old).collect();
            if !reasons.is_empty() {
                let versions = [token.version];
                let found_wrong = json!({ "reasons": reasons, "token": id, "versions": versions });
                found.exceptions.push(found_wrong);
            }
        }
        found.observe("oldest_seconds", oldest / 1000);
        found
    }
}
