//! The words the decider tests are written in: given a past, when a command, then an outcome.

use uuid::Uuid;

use crate::chain::Link;
use crate::id::{AccountId, CommandId, EventId, OrganizationId};
use crate::organization::{self, Changed, ChangedPersonal, Organization};
use crate::personal::Personal;
use crate::recorded::{Actor, BodyMac, Cause, Position, Recorded};
use crate::stream::Stream;
use crate::time::Time;
use crate::{Event, State};

pub(crate) const ANA: AccountId = AccountId(Uuid::from_u128(1));
pub(crate) const ACME: OrganizationId = OrganizationId(Uuid::from_u128(7));

pub(crate) fn created_by(owner: AccountId) -> organization::Event {
    organization::Event::Created {
        organization: ACME,
        slug: "acme".to_owned(),
        owner,
        is_personal: false,
        country: None,
        name: Some("Acme".to_owned()),
        personal_name: Personal::Absent,
        billing_email: Personal::Absent,
    }
}

pub(crate) fn personal_of(owner: AccountId) -> organization::Event {
    organization::Event::Created {
        organization: ACME,
        slug: organization::personal_slug(ACME),
        owner,
        is_personal: true,
        country: None,
        name: None,
        personal_name: Personal::known(ACME.subject(), "A."),
        billing_email: Personal::Absent,
    }
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

pub(crate) fn given<const N: usize>(past: [organization::Event; N]) -> Given {
    let mut state = Organization::default();
    for (version, event) in (0..).zip(past) {
        state.evolve(&recorded(Stream::Organization(ACME), version, Event::Organization(event)));
    }
    Given(state)
}

pub(crate) struct Given(Organization);

impl Given {
    pub(crate) fn when(self, command: organization::Command) -> Outcome {
        Outcome(organization::decide(&self.0, &command))
    }

    pub(crate) fn state(self) -> Organization {
        self.0
    }
}

pub(crate) struct Outcome(Result<Vec<organization::Event>, organization::Rejection>);

impl Outcome {
    #[track_caller]
    pub(crate) fn then<const N: usize>(self, expected: [organization::Event; N]) {
        assert_eq!(self.0, Ok(expected.to_vec()));
    }

    #[track_caller]
    pub(crate) fn then_rejected(self, expected: organization::Rejection) {
        assert_eq!(self.0, Err(expected));
    }
}
