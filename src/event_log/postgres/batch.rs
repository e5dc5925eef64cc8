//! What becomes of each request of a batch, decided from what its transaction read under the lock.
//! Pure: the same requests and the same log always get the same answers.

use std::collections::HashMap;

use events::chain::Link;
use events::id::EventId;
use events::recorded::Position;
use events::stream::Stream;
use uuid::Uuid;

use super::as_bigint;
use super::sequencer::Request;
use crate::event_log::{AppendError, Appended, Rejected};

pub(super) type Answer = Result<Appended, AppendError>;

/// What stands in the log, as far as a batch needs to know; grows while the batch is decided.
#[derive(Default)]
pub(super) struct Known {
    pub(super) head: u64,
    /// Nothing is here for a stream that does not exist.
    pub(super) last_versions: HashMap<Stream, u64>,
    pub(super) events: HashMap<(Stream, u64), Place>,
}

#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) id: EventId,
    pub(super) position: u64,
}

/// The rows to insert, column by column.
#[derive(Default)]
pub(super) struct Rows<'a> {
    pub(super) position: Vec<i64>,
    pub(super) stream: Vec<String>,
    pub(super) version: Vec<i64>,
    pub(super) id: Vec<Uuid>,
    pub(super) kind: Vec<&'static str>,
    pub(super) line: Vec<&'a [u8]>,
    pub(super) sealed: Vec<&'a [u8]>,
    pub(super) link: Vec<[u8; 32]>,
}

impl Known {
    fn next_version(&self, stream: Stream) -> u64 {
        self.last_versions.get(&stream).map_or(0, |last| last + 1)
    }

    /// Whether the request can only be a repeat or a conflict, so that the ids in its place count.
    pub(super) fn is_behind(&self, request: &Request) -> bool {
        request.expected.next() < self.next_version(request.stream)
    }
}

pub(super) fn decide<'a>(batch: &'a [Request], known: &mut Known) -> (Vec<Answer>, Rows<'a>) {
    let mut rows = Rows::default();
    let answers = batch
        .iter()
        .map(|request| {
            if request.expected.next() == known.next_version(request.stream) {
                Ok(stage(request, known, &mut rows))
            } else {
                earlier(request, known)
            }
        })
        .collect();
    (answers, rows)
}

fn stage<'a>(request: &'a Request, known: &mut Known, rows: &mut Rows<'a>) -> Appended {
    let stream = request.stream.to_string();
    let mut last = 0;
    for (version, event) in (request.expected.next()..).zip(&request.events) {
        known.head += 1;
        let place = Place { id: event.id, position: known.head };
        known.events.insert((request.stream, version), place);
        rows.position.push(as_bigint(known.head));
        rows.stream.push(stream.clone());
        rows.version.push(as_bigint(version));
        rows.id.push(event.id.0);
        rows.kind.push(event.kind);
        rows.line.push(&event.line);
        rows.sealed.push(&event.sealed);
        rows.link.push(*Link::of_line(&event.line).as_bytes());
        last = version;
    }
    known.last_versions.insert(request.stream, last);
    Appended { last, position: Position(known.head), replayed: false }
}

/// The first answer to this very append if its ids already stand where it wants them.
fn earlier(request: &Request, known: &Known) -> Answer {
    let stream = request.stream;
    let places: Vec<_> = (request.expected.next()..)
        .zip(&request.events)
        .map(|(version, event)| {
            let place = known.events.get(&(stream, version));
            (version, place.filter(|place| place.id == event.id))
        })
        .collect();
    match places.last() {
        Some((last, Some(place))) if places.iter().all(|(_, place)| place.is_some()) => {
            Ok(Appended { last: *last, position: Position(place.position), replayed: true })
        }
        _ if places.iter().any(|(_, place)| place.is_some()) => {
            Err(AppendError::Rejected(Rejected::IdTaken))
        }
        _ => {
            let current = known.last_versions.get(&stream).copied();
            Err(AppendError::Conflict { current })
        }
    }
}
