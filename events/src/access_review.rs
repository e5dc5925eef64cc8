//! Access reviews: everybody who has access at one moment is looked at, and of each it is decided
//! whether they keep it. A review only decides; who is to go is removed by the ordinary command. What
//! is reviewed is not in the line: it follows from the log up to there, and a large organization's
//! members would not fit.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{AccountId, InvalidId, ReviewId, TokenId};
use crate::organization::Organization;
use crate::permission::{Permission, Role};
use crate::personal::Personal;
use crate::recorded::{Actor, Recorded};
use crate::time::Time;
use crate::token::{Kind, Token};
use crate::wire::parsed;

/// How many may be open at once.
pub const MOST_OPEN: usize = 5;
/// How many decisions one order holds: each is an event.
pub const MOST_DECISIONS: usize = 100;

/// Whose access, or which token's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    Member(AccountId),
    Token(TokenId),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(id) => id.fmt(f),
            Self::Token(id) => id.fmt(f),
        }
    }
}

impl FromStr for Item {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.starts_with(TokenId::PREFIX) {
            return text.parse().map(Self::Token);
        }
        text.parse().map(Self::Member)
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Keep,
    Remove,
    /// Less than now, or otherwise: another role, other scopes.
    Change,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    /// Of the members at that version, and the tokens that serve at `as_of`.
    #[serde(rename = "access_review.started")]
    Started { review: ReviewId, as_of: Time, members: u64, tokens: u64 },
    /// For the first time or otherwise than before; the last one counts.
    #[serde(rename = "access_review.decided")]
    Decided {
        review: ReviewId,
        item: Item,
        decision: Decision,
        #[serde(skip)]
        reason: Personal,
    },
    #[serde(rename = "access_review.completed")]
    Completed {
        review: ReviewId,
        kept: u64,
        removed: u64,
        changed: u64,
        /// Without a decision, because they were gone before there was one.
        gone: u64,
    },
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Started { .. } => ("access_review.started", 1),
            Self::Decided { .. } => ("access_review.decided", 1),
            Self::Completed { .. } => ("access_review.completed", 1),
        }
    }

    pub fn review(&self) -> ReviewId {
        match self {
            Self::Started { review, .. }
            | Self::Decided { review, .. }
            | Self::Completed { review, .. } => *review,
        }
    }

    pub(crate) fn personal(&mut self, visit: &mut dyn FnMut(&'static str, &mut Personal)) {
        if let Self::Decided { reason, .. } = self {
            visit("reason", reason);
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    pub as_of: Time,
    pub started_by: Actor,
    pub items: BTreeMap<Item, Reviewed>,
    pub completed: Option<(Time, Actor)>,
    pub created_version: u64,
    /// Version of the last event that changed this resource: its `ETag`.
    pub changed_version: u64,
}

/// One thing that is reviewed, as it was when the review began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reviewed {
    pub access: Access,
    pub decided: Option<Decided>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    Member { role: Role },
    Token { kind: Kind, owner: Option<AccountId>, name: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    pub decision: Decision,
    pub reason: Personal,
    pub at: Time,
    pub by: Actor,
}

impl Review {
    /// What still needs a decision: what is gone meanwhile does not.
    pub fn undecided<'a>(
        &'a self,
        organization: &'a Organization,
        now: Time,
    ) -> impl Iterator<Item = Item> + 'a {
        let open = self.items.iter().filter(|(_, reviewed)| reviewed.decided.is_none());
        open.map(|(item, _)| *item).filter(move |item| is_there(organization, *item, now))
    }

    fn count(&self, decision: Option<Decision>) -> u64 {
        let decided = |it: &Reviewed| it.decided.as_ref().map(|decided| decided.decision);
        self.items.values().filter(|it| decided(it) == decision).count() as u64
    }
}

/// Whether somebody has access still, or a token serves still.
pub fn is_there(organization: &Organization, item: Item, now: Time) -> bool {
    match item {
        Item::Member(member) => organization.role_of(member).is_some(),
        Item::Token(token) => {
            organization.token(token).is_some_and(|token| token.ended(now).is_none())
        }
    }
}

fn items(organization: &Organization, as_of: Time) -> BTreeMap<Item, Reviewed> {
    let undecided = |access| Reviewed { access, decided: None };
    let members = organization.members().filter_map(|account| {
        let role = organization.role_of(account)?;
        Some((Item::Member(account), undecided(Access::Member { role })))
    });
    let of_token = |token: &Token| Access::Token {
        kind: token.kind,
        owner: token.owner,
        name: token.name.clone(),
    };
    let tokens = organization.live_tokens(as_of);
    let tokens = tokens.map(|(id, token)| (Item::Token(id), undecided(of_token(token))));
    members.chain(tokens).collect()
}

pub(crate) fn evolve(organization: &mut Organization, event: &Event, recorded: &Recorded) {
    if let Event::Started { review, as_of, .. } = event {
        let started = Review {
            as_of: *as_of,
            started_by: recorded.actor,
            items: items(organization, *as_of),
            completed: None,
            created_version: recorded.version,
            changed_version: recorded.version,
        };
        organization.declared.reviews.insert(*review, started);
        return;
    }
    let Some(review) = organization.declared.reviews.get_mut(&event.review()) else { return };
    review.changed_version = recorded.version;
    match event {
        Event::Started { .. } => {}
        Event::Decided { item, decision, reason, .. } => {
            if let Some(reviewed) = review.items.get_mut(item) {
                let (at, by) = (recorded.at, recorded.actor);
                let reason = reason.clone();
                reviewed.decided = Some(Decided { decision: *decision, reason, at, by });
            }
        }
        Event::Completed { .. } => review.completed = Some((recorded.at, recorded.actor)),
    }
}

#[derive(Clone)]
pub struct Verdict {
    pub item: Item,
    pub decision: Decision,
    pub reason: Option<String>,
}

#[derive(Clone)]
pub enum Command {
    Start { review: ReviewId, at: Time },
    Decide { review: ReviewId, verdicts: Vec<Verdict> },
    Complete { review: ReviewId, at: Time },
}

impl Command {
    fn review(&self) -> ReviewId {
        match self {
            Self::Start { review, .. }
            | Self::Decide { review, .. }
            | Self::Complete { review, .. } => *review,
        }
    }

    pub fn requires(&self, _: &Organization) -> Permission {
        Permission::Declare
    }

    pub fn resource_version(&self, organization: &Organization) -> Option<u64> {
        organization.declared.review(self.review()).map(|it| it.changed_version)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such review")]
    NotFound,
    #[error("the review does not have what the decision is about")]
    NotReviewed(Item),
    #[error("the review is complete")]
    Completed,
    #[error("{0} still need a decision")]
    Undecided(u64),
    #[error("5 reviews are open already")]
    TooMany,
}

pub fn decide(organization: &Organization, command: &Command) -> Result<Vec<Event>, Rejection> {
    let profile = organization.profile().ok_or(Rejection::NotFound)?;
    let reviews = &organization.declared.reviews;
    let review = command.review();
    if let Command::Start { at, .. } = command {
        if reviews.values().filter(|review| review.completed.is_none()).count() >= MOST_OPEN {
            return Err(Rejection::TooMany);
        }
        let members = organization.members().count() as u64;
        let tokens = organization.live_tokens(*at).count() as u64;
        return Ok(vec![Event::Started { review, as_of: *at, members, tokens }]);
    }
    let found = reviews.get(&review).ok_or(Rejection::NotFound)?;
    if found.completed.is_some() {
        return Err(Rejection::Completed);
    }
    match command {
        Command::Start { .. } => Ok(vec![]),
        Command::Decide { verdicts, .. } => {
            let decided = verdicts.iter().map(|Verdict { item, decision, reason }| {
                found.items.get(item).ok_or(Rejection::NotReviewed(*item))?;
                let reason = Personal::optional(profile.id.subject(), reason.clone());
                Ok(Event::Decided { review, item: *item, decision: *decision, reason })
            });
            decided.collect()
        }
        Command::Complete { at, .. } => {
            let undecided = found.undecided(organization, *at).count() as u64;
            if undecided > 0 {
                return Err(Rejection::Undecided(undecided));
            }
            Ok(vec![Event::Completed {
                review,
                kept: found.count(Some(Decision::Keep)),
                removed: found.count(Some(Decision::Remove)),
                changed: found.count(Some(Decision::Change)),
                gone: found.count(None),
            }])
        }
    }
}

#[cfg(test)]
mod tests;
