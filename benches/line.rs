//! Real lines: renamings of organizations, encoded, chained and with sealed values of the usual
//! size beside them, made before anything is measured.

use chancery::event_log::NewEvent;
use events::Event;
use events::chain::Link;
use events::id::{AccountId, CommandId, EventId, OrganizationId, SubjectId};
use events::organization::{self, Changed, ChangedPersonal};
use events::personal::Personal;
use events::recorded::{Actor, BodyMac, Cause};
use events::stream::Stream;
use events::time::Time;
use events::wire::{self, Draft, SealedField};
use uuid::Uuid;

/// Writes the lines of one organization, one after the other.
pub(crate) struct Writer {
    pub(crate) stream: Stream,
    pub(crate) owner: AccountId,
    /// Version of the line it writes next.
    pub(crate) next: u64,
    pub(crate) prev: Link,
    /// Of every line; each comes a millisecond after the one before where none is named.
    pub(crate) at: Option<Time>,
}

impl Writer {
    pub(crate) fn new() -> Self {
        let organization = OrganizationId(Uuid::new_v4());
        let owner = AccountId(Uuid::new_v4());
        Self {
            stream: Stream::Organization(organization),
            owner,
            next: 0,
            prev: Link::FIRST,
            at: None,
        }
    }

    pub(crate) fn line(&mut self) -> NewEvent {
        let event = self.event();
        self.write(event)
    }

    /// The next line, with this event in it.
    pub(crate) fn write(&mut self, event: Event) -> NewEvent {
        let subject = SubjectId(self.owner.0);
        let id = EventId(Uuid::new_v4());
        let later = i64::try_from(self.next).unwrap_or(0);
        let at = self.at.unwrap_or_else(|| Time::from_millis(1_780_000_000_000 + later));
        let mut draft = Draft {
            stream: &self.stream,
            version: self.next,
            id,
            at,
            actor: &Actor::Account(self.owner),
            cause: &Cause {
                command: CommandId(id.0),
                body: BodyMac([7; 32]),
                request: id.0,
                token: None,
            },
            ip_address: Personal::known(subject, "192.0.2.17"),
            user_agent: Personal::known(subject, "Mozilla/5.0 (X11; Linux x86_64)"),
            event,
            prev: self.prev,
        };
        let encoded = wire::encode(&mut draft, |_| *id.0.as_bytes()).expect("it can be written");
        // nonce and tag are 40 bytes; sealing itself is no part of these measurements
        let boxes: Vec<String> = encoded
            .disclosures
            .iter()
            .map(|disclosure| wire::base64url(&vec![b'x'; disclosure.text.len() + 40]))
            .collect();
        let sealed: Vec<SealedField<'_>> = encoded
            .disclosures
            .iter()
            .zip(&boxes)
            .map(|(disclosure, sealed_box)| SealedField {
                field: disclosure.field.into(),
                subject,
                sealed_box: sealed_box.into(),
            })
            .collect();
        let sealed = wire::encode_sealed(&sealed);
        self.prev = Link::of_line(&encoded.line);
        self.next += 1;
        NewEvent { id, kind: encoded.kind, line: encoded.line, sealed }
    }

    fn event(&self) -> Event {
        let Stream::Organization(organization) = self.stream else {
            unreachable!("it writes organizations only")
        };
        if self.next == 0 {
            return Event::Organization(organization::Event::Created {
                organization,
                slug: format!("organization-{}", organization.0.simple()),
                owner: self.owner,
                is_personal: false,
                country: Some("DE".to_owned()),
                name: Some("Name 0".to_owned()),
                personal_name: Personal::Absent,
                billing_email: Personal::Absent,
            });
        }
        let [from, to] = [self.next - 1, self.next].map(|number| format!("Name {number}"));
        Event::Organization(organization::Event::Updated {
            name: Some(Changed { from, to }),
            country: None,
            personal_name: ChangedPersonal::default(),
            billing_email: ChangedPersonal::default(),
        })
    }
}
