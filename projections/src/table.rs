//! An in-memory table: folds events into the rows a reader would see, in reading order.

use std::collections::HashMap;

use events::chain::Link;
use events::id::{AccountId, CommandId, EventId, InvitationId, OrganizationId};
use events::organization::{self, Changed, ChangedPersonal};
use events::permission::Role;
use events::personal::Personal;
use events::recorded::{Actor, BodyMac, Cause, Position, Recorded};
use events::stream::Stream;
use events::time::Time;
use events::{Event, membership};
use uuid::Uuid;

use crate::{Pending, ReadModel, Touched as _};

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

pub(crate) fn joined(member: AccountId, role: Role) -> Event {
    let invitation = InvitationId(member.0);
    let joined = membership::Event::Joined { member, role, invitation, is_address_proven: false };
    Event::Membership(joined)
}

pub(crate) fn renamed(from: &str, to: &str) -> Event {
    Event::Organization(organization::Event::Updated {
        name: Some(Changed { from: from.to_owned(), to: to.to_owned() }),
        country: None,
        personal_name: ChangedPersonal::default(),
        billing_email: ChangedPersonal::default(),
    })
}

pub(crate) fn rows_after<M: ReadModel>(past: impl IntoIterator<Item = Event>) -> Vec<M::Row> {
    let recorded: Vec<Recorded> = (0_u64..)
        .zip(past)
        .map(|(version, event)| Recorded {
            position: Position(version + 1),
            stream: Stream::Organization(ACME),
            version,
            id: EventId(Uuid::from_u128(u128::from(version) + 100)),
            at: Time::from_millis(0),
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
        })
        .collect();
    let pending = Box::new(Pending::<M>::of(&recorded));
    assert_eq!(pending.wanted(), [], "a run that begins with the first event edits nothing older");
    let mut written = pending.apply(HashMap::new()).expect("the events fit the rows");
    written.sort_by(|a, b| (&a.key.scope, &a.sort).cmp(&(&b.key.scope, &b.sort)));
    written
        .into_iter()
        .filter_map(|row| row.body)
        .map(|body| serde_json::from_str(&body).expect("a row reads back"))
        .collect()
}
