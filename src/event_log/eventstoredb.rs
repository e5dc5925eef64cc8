//! The log in EventStoreDB or `KurrentDB`, through the official client, of which nothing is believed:
//! every call has its own time limit, a dead client is replaced, and an append whose fate is
//! unknown is settled by repeating it, which is harmless for ever with an exact expectation.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use events::recorded::Position;
use events::stream::Stream;
use eventstore::{
    ClientSettings, ClientSettingsParseError, EventData, ExpectedRevision, StreamPosition,
};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use super::{AppendError, Appended, Expected, NewEvent, Page, ReadError, Rejected, Stored};
use crate::fail_point;
use repeats::Repeats;
use session::{Append, Written};
use slot::{Failure, Slots};
use tail::{Known, Tail};

mod fate;
mod page;
mod repeats;
mod session;
mod slot;
mod tail;

const APPEND_WITHIN: Duration = Duration::from_secs(5);
const READ_WITHIN: Duration = Duration::from_secs(10);
/// How long opening, and each append until then, waits for the end of the log to be found.
const READY_WITHIN: Duration = Duration::from_secs(2);
/// More only queue up inside the server.
const APPENDS_IN_FLIGHT: usize = 256;

#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error(
        "the connection string cannot be read; it looks like \
         `esdb://name:password@host:2113?tls=true`"
    )]
    ConnectionString(#[source] ClientSettingsParseError),
    #[error("cannot read the certificates in `{0}`")]
    Certificates(String, #[source] std::io::Error),
}

#[derive(Debug, thiserror::Error)]
enum Unexpected {
    #[error("too many appends are in flight")]
    Busy,
    #[error("the answer was cut short")]
    CutShort,
    #[error("version {0} is missing; was the stream truncated or deleted?")]
    Missing(u64),
    #[error("the append came through late")]
    Late,
    #[error("the stream was deleted")]
    Deleted,
    #[error("the append ends at version {0} where another was expected; was the stream deleted?")]
    Misnumbered(u64),
}

/// A read takes about 45 ms over a quiet connection, far less over a busy one: the client leaves
/// Nagle's algorithm on, and there is no way to turn it off.
pub struct EventStoreDb {
    slots: Arc<Slots>,
    tail: Tail,
    in_flight: Semaphore,
    repeats: Repeats,
}

impl EventStoreDb {
    /// Never fails because no server is there: the log works once one is. Must come before
    /// anything that installs a TLS provider for the process, or the client breaks for good.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        let settings = settings(url)?;
        let slots = Arc::new(Slots::new(settings));
        let tail = Tail::follow(Arc::clone(&slots));
        tail.begin(READY_WITHIN).await;
        let in_flight = Semaphore::new(APPENDS_IN_FLIGHT);
        Ok(Self { slots, tail, in_flight, repeats: Repeats::default() })
    }

    /// Gives the connection up; calls after this find no server.
    pub fn close(&self) {
        self.tail.close();
        self.slots.close();
    }

    pub(super) async fn append(
        &self,
        stream: &Stream,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, AppendError> {
        let deadline = Instant::now() + APPEND_WITHIN;
        let Ok(Ok(_permit)) = timeout_at(deadline, self.in_flight.acquire()).await else {
            return Err(AppendError::NotWritten(Unexpected::Busy.into()));
        };
        let ids: Vec<_> = events.iter().map(|event| event.id.0).collect();
        if ids.iter().collect::<HashSet<_>>().len() < ids.len() {
            // the server would take them, and never again recognize the append
            return Err(AppendError::Rejected(Rejected::IdTaken));
        }
        // only who knows the end of the log can tell a repeat
        self.tail.begin(READY_WITHIN).await;
        // in this order: an append that is answered before the second is known by the first
        let same = self.repeats.enter(ids[0]);
        let known = self.tail.known();
        let last = expected.next() + (ids.len() as u64).saturating_sub(1);
        let is_undecided = Arc::new(AtomicBool::new(false));
        let append = Append {
            stream: stream.to_string(),
            expected: match expected {
                Expected::NoStream => ExpectedRevision::NoStream,
                Expected::Version(version) => ExpectedRevision::Exact(version),
            },
            events: events.into_iter().map(event_data).collect(),
            is_undecided: Arc::clone(&is_undecided),
            within: deadline.saturating_duration_since(Instant::now()),
        };
        fail_point::reached("log.received");
        let answer = self
            .slots
            .call(append.within, |connection| {
                let append = append.clone();
                async move { connection.session.append(&connection.client, append).await }
            })
            .await
            .map_err(fate::of_append);
        match answer {
            Ok(written) => {
                fail_point::reached("log.committed");
                let position = self.written(stream, last, &written, &ids).await?;
                // The server does not tell a repeat. Positions only rise, so one that was known
                // before the append was sent proves it; what another node appended moments ago,
                // before the tail saw it, is not recognized.
                let is_told = written.position != 0;
                let replayed = !is_told || position <= known || same.is_repeat();
                Ok(Appended { last, position, replayed })
            }
            Err(AppendError::Conflict { current: None }) => {
                Err(self.conflict(stream, expected, &ids).await)
            }
            Err(error) if is_undecided.load(Ordering::Relaxed) => Err(fate::after_undecided(error)),
            Err(error) => Err(error),
        }
    }

    /// Where a written append ends.
    async fn written(
        &self,
        stream: &Stream,
        last: u64,
        written: &Written,
        ids: &[Uuid],
    ) -> Result<Position, AppendError> {
        if written.last != last {
            tracing::error!(%stream, "an append has other versions in the log than in its lines");
            let misnumbered = Unexpected::Misnumbered(written.last);
            return Err(AppendError::Unknown(misnumbered.into()));
        }
        let position = match written.position {
            0 => self.position_of(stream, last, ids).await?,
            told => Position(told),
        };
        self.tail.has_appended(*stream, last, position);
        Ok(position)
    }

    /// The server may leave the position out when it recognizes a repeated append.
    async fn position_of(
        &self,
        stream: &Stream,
        version: u64,
        ids: &[Uuid],
    ) -> Result<Position, AppendError> {
        let from = StreamPosition::Position(version);
        let said = page::of_stream(&self.slots, stream, from, 1, APPEND_WITHIN).await;
        let said = said.map_err(|failure| AppendError::Unknown(failure.into()))?;
        said.and_then(|said| said.events.into_iter().next())
            .filter(|event| event.revision == version && Some(&event.id) == ids.last())
            .map(|event| Position(event.position.commit))
            .ok_or_else(|| AppendError::Unknown(Unexpected::Missing(version).into()))
    }

    /// The server answers "no stream" for a stream that is not there, and for one that begins
    /// this append and goes on differently: two appends that share an id, which is a bug.
    async fn conflict(&self, stream: &Stream, expected: Expected, ids: &[Uuid]) -> AppendError {
        let from = StreamPosition::Position(expected.next());
        let said = page::of_stream(&self.slots, stream, from, ids.len(), APPEND_WITHIN).await;
        let said = match said {
            Ok(said) => said,
            Err(failure) => return AppendError::Unknown(failure.into()),
        };
        let events = said.map_or_else(Vec::new, |said| said.events);
        let mut places = events.iter().map(|event| event.id).zip(ids);
        if events.len() == ids.len() && places.all(|(stored, id)| stored == *id) {
            // written after all, by an attempt that was given up
            return AppendError::Unknown(Unexpected::Late.into());
        }
        if events.iter().any(|event| ids.contains(&event.id)) {
            tracing::error!(%stream, "an append shares only some of its ids with one in the log");
            return AppendError::Rejected(Rejected::IdTaken);
        }
        match self.read_last_version(stream).await {
            Ok(current) => AppendError::Conflict { current },
            Err(failure) => AppendError::Unknown(failure.into()),
        }
    }

    pub(super) async fn read_stream(
        &self,
        stream: &Stream,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, ReadError> {
        let seen = self.tail.seen(stream);
        let start = StreamPosition::Position(from);
        let said = page::of_stream(&self.slots, stream, start, limit, READ_WITHIN)
            .await
            .map_err(unreadable)?;
        if from == 0 && limit > 0 && said.as_ref().is_some_and(|said| said.events.is_empty()) {
            // a stream that is there has a first event
            return Err(ReadError::unavailable(Unexpected::CutShort));
        }
        let (events, told) =
            said.map_or((Vec::new(), None), |said| (said.events, said.last_version));
        let mut version = from;
        for event in &events {
            if event.revision != version {
                return Err(ReadError::Corrupt {
                    position: Position(event.position.commit),
                    source: Unexpected::Missing(version).into(),
                });
            }
            version += 1;
        }
        if events.len() < limit && told.max(seen).is_some_and(|last| version <= last) {
            return Err(ReadError::unavailable(Unexpected::CutShort));
        }
        if let Some(last) = events.last() {
            self.tail.has_shown(*stream, last.revision, Position(last.position.commit));
        }
        Ok(events.into_iter().map(page::stored).collect())
    }

    pub(super) async fn read_all(&self, after: Position, limit: usize) -> Result<Page, ReadError> {
        let page = page::after(&self.slots, after, limit, READ_WITHIN).await.map_err(unreadable)?;
        self.tail.have_shown(&page.events);
        let events = page.events.into_iter().map(|entry| entry.stored).collect();
        Ok(Page { events, next: page.next, at_head: page.at_head })
    }

    /// Position of the last event in the server, which need not be one of ours.
    pub(super) async fn head(&self) -> Result<Position, ReadError> {
        page::end_of_log(&self.slots, READ_WITHIN).await.map_err(unreadable)
    }

    pub(super) async fn last_version(&self, stream: &Stream) -> Result<Option<u64>, ReadError> {
        match self.tail.last_version(stream).await.map_err(ReadError::unavailable)? {
            Known::Version(version) => Ok(version),
            Known::Unseen(ticket) => {
                let last = self.read_last_version(stream).await.map_err(unreadable)?;
                Ok(self.tail.learn(ticket, *stream, last))
            }
        }
    }

    /// The tail knows most of them.
    pub(super) async fn last_versions(
        &self,
        streams: &[Stream],
    ) -> Result<Vec<Option<u64>>, ReadError> {
        let mut versions = Vec::with_capacity(streams.len());
        for stream in streams {
            versions.push(self.last_version(stream).await?);
        }
        Ok(versions)
    }

    async fn read_last_version(&self, stream: &Stream) -> Result<Option<u64>, Failure> {
        let end = StreamPosition::End;
        let Some(said) = page::of_stream(&self.slots, stream, end, 1, READ_WITHIN).await? else {
            return Ok(None);
        };
        // a stream that is there has a last event
        let last = said.events.first().ok_or(Failure::CutShort)?;
        Ok(Some(last.revision))
    }

    pub(super) async fn wait(&self, after: Position, up_to: Duration) {
        let _ = timeout(up_to, self.tail.event_after(after)).await;
    }
}

fn settings(url: &str) -> Result<ClientSettings, ConnectError> {
    let separator = if url.contains('?') { '&' } else { '?' };
    // the last one counts: whatever was asked for, only the leader is read and written
    let mut url = format!("{url}{separator}nodePreference=leader");
    // a dead node is left sooner than the client would
    for (name, milliseconds) in [("discoveryInterval", 100), ("gossipTimeout", 1_500)] {
        if !url.contains(name) {
            url = format!("{url}&{name}={milliseconds}");
        }
    }
    let settings: ClientSettings = url.parse().map_err(ConnectError::ConnectionString)?;
    if let Some(file) = settings.tls_ca_file() {
        // the client would panic
        std::fs::File::open(file)
            .map_err(|error| ConnectError::Certificates(file.clone(), error))?;
    }
    Ok(settings)
}

/// The line as JSON byte for byte, so that the server's own tools can show it.
fn event_data(event: NewEvent) -> EventData {
    let line = serde_json::from_slice::<&RawValue>(&event.line).ok();
    // reading drops white space around the value
    let data = line
        .filter(|line| line.get().len() == event.line.len())
        .and_then(|line| EventData::json(event.kind, &line).ok())
        .unwrap_or_else(|| EventData::binary(event.kind, Bytes::copy_from_slice(&event.line)));
    data.id(event.id.0).metadata(Bytes::from(event.sealed))
}

fn unreadable(failure: Failure) -> ReadError {
    if let Failure::Server(eventstore::Error::ResourceDeleted) = failure {
        let position = Position::default();
        return ReadError::Corrupt { position, source: Unexpected::Deleted.into() };
    }
    ReadError::unavailable(failure)
}
