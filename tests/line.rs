//! Real lines for tests of the log: encoded, versioned and chained as the server does it.

use chancery::event_log::{Expected, NewEvent, Stored};
use events::chain::Link;
use events::id::{AccountId, CommandId, EventId, SubjectId};
use events::personal::Personal;
use events::recorded::{Actor, BodyMac, Cause};
use events::stream::Stream;
use events::time::Time;
use events::wire::{self, Draft};
use events::{Event, address};
use uuid::Uuid;

pub(crate) fn new_stream() -> Stream {
    Stream::Address(SubjectId(Uuid::new_v4()))
}

/// Writes the lines of one stream, one after the other.
#[derive(Clone)]
pub(crate) struct Writer {
    pub(crate) stream: Stream,
    next: u64,
    prev: Link,
}

impl Writer {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, next: 0, prev: Link::FIRST }
    }

    /// Goes on where these lines, the whole stream, end.
    pub(crate) fn after(stream: Stream, stored: &[Stored]) -> Self {
        let prev = stored.last().map_or(Link::FIRST, |last| Link::of_line(&last.line));
        Self { stream, next: stored.len() as u64, prev }
    }

    pub(crate) fn expected(&self) -> Expected {
        Expected::after(self.next)
    }

    pub(crate) fn line(&mut self) -> NewEvent {
        self.line_with_id(EventId(Uuid::new_v4()))
    }

    pub(crate) fn line_with_id(&mut self, id: EventId) -> NewEvent {
        let account = AccountId(Uuid::from_u128(self.next.into()));
        let at = Time::from_millis(i64::try_from(self.next).expect("few lines"));
        let event = Event::Address(address::Event::Claimed { account });
        let line = self.line_of(id, at, event);
        let sealed = if self.next.is_multiple_of(2) { vec![] } else { id.0.as_bytes().to_vec() };
        NewEvent { sealed, ..line }
    }

    /// The next line, for an event without personal values.
    pub(crate) fn line_of(&mut self, id: EventId, at: Time, event: Event) -> NewEvent {
        let mut draft = Draft {
            stream: &self.stream,
            version: self.next,
            id,
            at,
            actor: &Actor::System,
            cause: &Cause {
                command: CommandId(id.0),
                body: BodyMac([7; 32]),
                request: Uuid::nil(),
                token: None,
            },
            ip_address: Personal::Absent,
            user_agent: Personal::Absent,
            event,
            prev: self.prev,
        };
        let encoded = wire::encode(&mut draft, |_| [0; 16]).expect("a line that can be written");
        self.prev = Link::of_line(&encoded.line);
        self.next += 1;
        NewEvent { id, kind: encoded.kind, line: encoded.line, sealed: Vec::new() }
    }

    pub(crate) fn lines(&mut self, count: usize) -> Vec<NewEvent> {
        (0..count).map(|_| self.line()).collect()
    }
}
