//! The words the decider tests are written in: given a past, when a command, then an outcome.

use uuid::Uuid;

use crate::chain::Link;
use crate::id::{AccountId, CommandId, EventId, InvitationId, OrganizationId, TokenId};
use crate::organization::{self, Changed, ChangedPersonal, Organization};
use crate::permission::Role;
use crate::personal::Personal;
use crate::principal::{Principal, Who};
use crate::recorded::{Actor, BodyMac, Cause, Position, Recorded};
use crate::scope::Level;
use crate::stream::Stream;
use crate::time::Time;
use crate::{Command, Event, State, invitation, membership, slug, token};

pub(crate) const ANA: AccountId = AccountId(Uuid::from_u128(1));
pub(crate) const BEN: AccountId = AccountId(Uuid::from_u128(2));
pub(crate) const ACME: OrganizationId = OrganizationId(Uuid::from_u128(7));

pub(crate) fn created_by(owner: AccountId) -> Event {
    Event::Organization(organization::Event::Created {
        organization: ACME,
        slug: "acme".to_owned(),
        owner,
        is_personal: false,
        country: None,
        name: Some("Acme".to_owned()),
        personal_name: Personal::Absent,
        billing_email: Personal::Absent,
    })
}

pub(crate) fn personal_of(owner: AccountId) -> Event {
    Event::Organization(organization::Event::Created {
        organization: ACME,
        slug: slug::personal(ACME),
        owner,
        is_personal: true,
        country: None,
        name: None,
        personal_name: Personal::known(ACME.subject(), "A."),
        billing_email: Personal::Absent,
    })
}

pub(crate) fn joined(member: AccountId, role: Role) -> Event {
    let invitation = InvitationId(member.0);
    let joined = membership::Event::Joined { member, role, invitation, is_address_proven: false };
    Event::Membership(joined)
}

/// Somebody who has signed in, with a request that may go as far as any.
pub(crate) fn person(account: AccountId) -> Principal {
    Principal {
        who: Who::Account(account),
        level: Level::Admin,
        address: None,
        signed_in_at: Time::EPOCH,
        has_second_factor: false,
        now: Time::EPOCH,
    }
}

pub(crate) fn token_of(
    token: TokenId,
    kind: token::Kind,
    owner: AccountId,
    scopes: &[&str],
) -> Event {
    let scopes: Vec<_> = scopes.iter().map(|it| it.parse().expect("a scope")).collect();
    Event::Token(token::Event::Created {
        token,
        kind,
        name: "ci".to_owned(),
        owner: Some(owner),
        secret_hash: Link::of_line(b"secret"),
        prefix: "chy_pat_0AbC".to_owned(),
        scopes: scopes.into(),
        expires_at: None,
    })
}

pub(crate) fn renamed(from: &str, to: &str) -> organization::Event {
    organization::Event::Updated {
        name: Some(Changed { from: from.to_owned(), to: to.to_owned() }),
        country: None,
        personal_name: ChangedPersonal::default(),
        billing_email: ChangedPersonal::default(),
    }
}

/// An event as if it had been recorded, at a version that is also its position and its time.
pub(crate) fn recorded(stream: Stream, version: u64, event: Event) -> Recorded {
    let millis = i64::try_from(version).expect("few events");
    Recorded {
        position: Position(version),
        stream,
        version,
        id: EventId(Uuid::from_u128(version.into())),
        at: Time::from_millis(millis),
        actor: Actor::Account(ANA),
        cause: Cause {
            command: CommandId(Uuid::nil()),
            body: BodyMac([0; 32]),
            request: Uuid::nil(),
            token: None,
        },
        ip_address: Personal::Absent,
        user_agent: Personal::Absent,
        event,
        prev: Link::FIRST,
        link: Link::FIRST,
    }
}

pub(crate) fn given<const N: usize>(past: [Event; N]) -> Given {
    let mut state = Organization::default();
    for (version, event) in (0..).zip(past) {
        state.evolve(&recorded(Stream::Organization(ACME), version, event));
    }
    Given(state)
}

pub(crate) struct Given(Organization);

impl Given {
    pub(crate) fn when<C: Command>(self, command: C) -> Outcome<C::Rejection> {
        Outcome(command.decide(&self.0))
    }

    pub(crate) fn when_answered(
        self,
        answer: invitation::Answer,
    ) -> Outcome<invitation::Rejection> {
        Outcome(invitation::answer(&self.0, &answer))
    }

    pub(crate) fn state(self) -> Organization {
        self.0
    }
}

pub(crate) struct Outcome<R>(Result<Vec<Event>, R>);

impl<R: PartialEq + std::fmt::Debug> Outcome<R> {
    #[track_caller]
    pub(crate) fn then<E: Into<Event>, const N: usize>(self, expected: [E; N]) {
        assert_eq!(self.0, Ok(expected.map(Into::into).to_vec()));
    }

    #[track_caller]
    pub(crate) fn then_rejected(self, expected: R) {
        assert_eq!(self.0, Err(expected));
    }
}
