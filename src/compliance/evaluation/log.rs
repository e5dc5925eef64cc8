//! What stood in an organization before the event at hand: its state, and with which right the
//! command acts that the event belongs to. One command is judged by what stood when it began.

use std::time::Duration;

use events::State as _;
use events::id::CommandId;
use events::organization::{self, Organization};
use events::permission::{Permission, Role};
use events::recorded::{Actor, Recorded};
use events::time::Time;

/// A right is asked for when a request comes; what follows from it is recorded this much later at
/// most.
pub(crate) const RECORDED_WITHIN: Duration = Duration::from_mins(1);

/// A half-open span of time: `from` is in it, `to` is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) from: Time,
    pub(crate) to: Time,
}

impl Period {
    pub(crate) fn contains(self, at: Time) -> bool {
        self.from <= at && at < self.to
    }

    /// What two spans share, if it lasts.
    pub(crate) fn overlap(self, other: Self) -> Option<Self> {
        let shared = Self { from: self.from.max(other.from), to: self.to.min(other.to) };
        (shared.from < shared.to).then_some(shared)
    }

    pub(crate) fn millis(self) -> i64 {
        self.to.millis().saturating_sub(self.from.millis())
    }
}

/// As what the actor of a command stood when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The system or its operator.
    Platform,
    Person {
        role: Option<Role>,
        /// The token that carried the order, if one did, was theirs and served.
        is_token_valid: bool,
    },
    Key {
        is_valid: bool,
    },
}

impl Standing {
    fn of(organization: &Organization, recorded: &Recorded) -> Self {
        let asked_at = earlier(recorded.at, RECORDED_WITHIN);
        let serves =
            |token| organization.token(token).is_some_and(|token| token.ended(asked_at).is_none());
        match recorded.actor {
            Actor::System | Actor::Operator => Self::Platform,
            Actor::Account(account) => {
                let is_own = |token| {
                    let acts_for =
                        organization.token(token).and_then(events::token::Token::acts_for);
                    acts_for == Some(account)
                };
                let token = recorded.cause.token;
                let is_token_valid = token.is_none_or(|token| is_own(token) && serves(token));
                Self::Person { role: organization.role_of(account), is_token_valid }
            }
            Actor::Token(token) => {
                let is_key = organization
                    .token(token)
                    .is_some_and(|token| token.kind == events::token::Kind::Organization);
                Self::Key { is_valid: is_key && serves(token) }
            }
        }
    }

    pub(crate) fn may(self, permission: Permission) -> bool {
        match self {
            Self::Platform => true,
            Self::Person { role, .. } => role.is_some_and(|role| role.may(permission)),
            Self::Key { is_valid } => is_valid && Role::Admin.may(permission),
        }
    }
}

pub(crate) fn earlier(at: Time, span: Duration) -> Time {
    let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Time::from_millis(at.millis().saturating_sub(span))
}

#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) period: Period,
    /// As it was before the event at hand.
    pub(crate) organization: Organization,
    pub(crate) created_at: Option<Time>,
    pub(crate) deleted_at: Option<Time>,
    /// Something was recorded at the end of the period or after it.
    pub(crate) is_closed: bool,
    /// Time of the last event that was taken; time never goes back.
    pub(crate) now: Time,
    pub(crate) standing: Standing,
    /// The event at hand belongs to the command of the one before it.
    pub(crate) is_same_command: bool,
    command: Option<CommandId>,
}

impl Log {
    pub(crate) fn new(period: Period) -> Self {
        Self {
            period,
            organization: Organization::default(),
            created_at: None,
            deleted_at: None,
            is_closed: false,
            now: Time::from_millis(i64::MIN),
            standing: Standing::Platform,
            is_same_command: false,
            command: None,
        }
    }

    /// Looks at the next event; `false` when it lies behind the period, like all that follow.
    pub(crate) fn begin(&mut self, recorded: &Recorded) -> bool {
        self.is_closed |= recorded.at >= self.period.to;
        if self.is_closed {
            return false;
        }
        self.now = self.now.max(recorded.at);
        self.is_same_command = self.command == Some(recorded.cause.command);
        if !self.is_same_command {
            self.command = Some(recorded.cause.command);
            self.standing = Standing::of(&self.organization, recorded);
        }
        true
    }

    /// Takes the event in, after every control has seen it.
    pub(crate) fn end(&mut self, recorded: &Recorded) {
        if let events::Event::Organization(event) = &recorded.event {
            match event {
                organization::Event::Created { .. } => {
                    self.created_at.get_or_insert(self.now);
                }
                organization::Event::Deleted { .. } => {
                    self.deleted_at.get_or_insert(self.now);
                }
                organization::Event::Updated { .. } => {}
            }
        }
        self.organization.evolve(recorded);
    }

    pub(crate) fn is_in_period(&self) -> bool {
        self.period.contains(self.now)
    }

    /// Whether it is certain by now that the organization existed in a part of the period.
    pub(super) fn has_existed_in_period(&self) -> bool {
        self.now > self.period.from && self.window().is_some()
    }

    /// The part of the period in which the organization existed.
    pub(crate) fn window(&self) -> Option<Period> {
        let life = Period { from: self.created_at?, to: self.deleted_at.unwrap_or(self.period.to) };
        self.period.overlap(life)
    }
}
