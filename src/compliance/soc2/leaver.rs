//! Whoever's membership ended lost their tokens in time and did nothing afterwards.

use std::collections::BTreeMap;

use events::id::{AccountId, CommandId, TokenId};
use events::recorded::{Actor, Recorded};
use events::time::Time;
use events::{Event, invitation, membership, token};
use serde_json::{Value, json};

use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::Findings;
use crate::compliance::evaluation::log::{Log, Period};

/// A personal token, as far as it must have an end.
struct Token {
    owner: Option<AccountId>,
    /// By its expiry, or by the end of the overlap with its successor.
    ends_at: Option<Time>,
    revoked: Option<(Time, u64)>,
}

impl Token {
    fn end(&self) -> Option<Time> {
        [self.ends_at, self.revoked.map(|(at, _)| at)].into_iter().flatten().min()
    }
}

struct Leaver {
    member: AccountId,
    how: &'static str,
    at: Time,
    version: u64,
    command: CommandId,
    tokens: Vec<TokenId>,
    /// What they did after it.
    later: Vec<u64>,
    has_returned: bool,
}

pub(crate) struct Leavers {
    most_latency: i64,
    tokens: BTreeMap<TokenId, Token>,
    /// The tokens of each, so that nobody's are looked for among all.
    owned: BTreeMap<AccountId, Vec<TokenId>>,
    gone: Vec<Leaver>,
    /// Where in `gone` somebody who has not returned last stands.
    away: BTreeMap<AccountId, usize>,
}

impl Leavers {
    pub(crate) fn new(most_latency_seconds: i64) -> Self {
        Self {
            most_latency: most_latency_seconds.saturating_mul(1000),
            tokens: BTreeMap::new(),
            owned: BTreeMap::new(),
            gone: Vec::new(),
            away: BTreeMap::new(),
        }
    }

    fn take_token(&mut self, at: Time, version: u64, event: &token::Event) {
        if let Some(made) = event.made() {
            let owner = made.owner.filter(|_| made.kind == token::Kind::Personal);
            let token = Token { owner, ends_at: made.expires_at, revoked: None };
            if let Some(owner) = token.owner {
                self.owned.entry(owner).or_default().push(made.token);
            }
            self.tokens.insert(made.token, token);
        }
        match event {
            token::Event::Created { .. } => {}
            token::Event::Rotated { token, previous_valid_until, .. } => {
                if let Some(token) = self.tokens.get_mut(token) {
                    let until = *previous_valid_until;
                    token.ends_at = Some(token.ends_at.map_or(until, |end| end.min(until)));
                }
            }
            token::Event::Revoked { token } => {
                if let Some(token) = self.tokens.get_mut(token) {
                    token.revoked.get_or_insert((at, version));
                }
            }
        }
    }

    fn leaves(&mut self, log: &Log, recorded: &Recorded, member: AccountId, how: &'static str) {
        let serves = |token: &&TokenId| {
            let token = self.tokens.get(token);
            token.is_some_and(|token| token.end().is_none_or(|end| end > log.now))
        };
        let owned = self.owned.get(&member).map_or(&[][..], Vec::as_slice);
        let tokens = owned.iter().filter(serves).copied().collect();
        self.away.insert(member, self.gone.len());
        self.gone.push(Leaver {
            member,
            how,
            at: log.now,
            version: recorded.version,
            command: recorded.cause.command,
            tokens,
            later: Vec::new(),
            has_returned: false,
        });
    }

    /// What somebody does who is gone; coming back is no such thing, and neither is what was refused.
    fn watch(&mut self, recorded: &Recorded) {
        let Actor::Account(account) = recorded.actor else { return };
        let is_allowed = matches!(
            &recorded.event,
            Event::AccessAttempt(_)
                | Event::Invitation(invitation::Event::Rejected { .. })
                | Event::Membership(membership::Event::Joined { .. })
        );
        let Some(gone) = self.away.get(&account).filter(|_| !is_allowed) else { return };
        let leaver = &mut self.gone[*gone];
        if leaver.command != recorded.cause.command {
            leaver.later.push(recorded.version);
        }
    }
}

impl Check for Leavers {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        self.watch(recorded);
        if let Event::Token(event) = &recorded.event {
            self.take_token(log.now, recorded.version, event);
        }
        let Event::Membership(event) = &recorded.event else { return };
        match event {
            membership::Event::Removed { member, .. } => {
                self.leaves(log, recorded, *member, "removed");
            }
            membership::Event::Left { member, .. } => self.leaves(log, recorded, *member, "left"),
            membership::Event::Joined { member, .. } => {
                if let Some(gone) = self.away.remove(member) {
                    self.gone[gone].has_returned = true;
                }
            }
            membership::Event::RoleChanged { .. }
            | membership::Event::SecondFactorChanged { .. }
            | membership::Event::OwnershipTransferred { .. } => {}
        }
    }

    fn finish(self: Box<Self>, log: &Log, window: Period) -> Findings {
        let mut found = Findings::default();
        let mut longest = 0;
        let in_period = self.gone.iter().filter(|leaver| log.period.contains(leaver.at));
        for leaver in in_period {
            let (mut late, mut versions): (Vec<Value>, _) = (vec![], vec![leaver.version]);
            for id in &leaver.tokens {
                let token = &self.tokens[id];
                let end = token.end().unwrap_or(window.to).min(window.to);
                let latency = Period { from: leaver.at, to: end }.millis();
                longest = longest.max(latency);
                versions.extend(token.revoked.map(|(_, version)| version));
                if latency > self.most_latency {
                    late.push(json!(id));
                }
            }
            found.cited.add(leaver.version);
            found.member(&json!({
                "at": leaver.at,
                "how": leaver.how,
                "member": leaver.member,
                "returned": leaver.has_returned,
                "tokens": leaver.tokens.len().to_string(),
                "versions": versions,
            }));
            if !late.is_empty() || !leaver.later.is_empty() {
                versions.extend(&leaver.later);
                found.exceptions.push(json!({
                    "did_afterwards": leaver.later,
                    "late_tokens": late,
                    "member": leaver.member,
                    "versions": versions,
                }));
            }
        }
        found.observe("max_latency_seconds", longest / 1000);
        found
    }
}
