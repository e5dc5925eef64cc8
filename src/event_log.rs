//! The append-only log, on whichever store holds it.
//!
//! What every store promises, and `tests/event_log.rs` checks on each of them:
//! 1. a reader that saw position *p* sees the same events at all positions up to *p* for ever;
//! 2. a stream's versions are 0, 1, 2, … without gaps, in the order of their positions;
//! 3. after an acknowledged append every read on the same node sees it;
//! 4. the same stream, expectation and event ids always give the same answer, however late;
//! 5. *conflict*, *rejected* and *not written* mean that nothing was written;
//! 6. an append is written whole or not at all;
//! 7. what one read has shown is known to every later read on the same node.

use std::error::Error as StdError;
use std::path::Path;
use std::time::Duration;

use events::id::EventId;
use events::recorded::Position;
use events::stream::Stream;

#[cfg(feature = "eventstore")]
pub mod eventstoredb;
mod pages;
pub mod postgres;
mod reader;
pub mod sqlite;

pub use pages::Pages;
pub(crate) use reader::{Columns, LogReader, Row};

/// Bytes of one append, lines and sealed values together: what every store can hold.
pub const LARGEST_APPEND: usize = 900 * 1024;
/// Events of one append.
pub const MOST_EVENTS: usize = 500;
/// How long [`EventLog::append`] tries to learn the fate of an append before it gives up.
const SETTLE_WITHIN: Duration = Duration::from_secs(30);

pub type Cause = Box<dyn StdError + Send + Sync>;

/// Three stores, known today; a trait would put a type parameter on every handler.
pub enum EventLog {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
    #[cfg(feature = "eventstore")]
    EventStoreDb(eventstoredb::EventStoreDb),
}

/// What the writer believes the stream's last version to be. There is no "any": only an exact
/// expectation makes a repeated append harmless for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    NoStream,
    Version(u64),
}

impl Expected {
    /// The expectation of a writer that knows the first `count` events of a stream.
    pub fn after(count: u64) -> Self {
        count.checked_sub(1).map_or(Self::NoStream, Self::Version)
    }

    /// The version the first appended event will have.
    pub fn next(self) -> u64 {
        match self {
            Self::NoStream => 0,
            Self::Version(last) => last + 1,
        }
    }
}

/// One event to append: its finished line, which already names stream, version and `prev`.
#[derive(Clone, Debug)]
pub struct NewEvent {
    pub id: EventId,
    pub kind: &'static str,
    pub line: Vec<u8>,
    /// What stands sealed beside the line; empty where nothing does.
    pub sealed: Vec<u8>,
}

impl NewEvent {
    fn size(&self) -> usize {
        self.line.len() + self.sealed.len()
    }
}

/// One event as the store holds it. The line says the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub position: Position,
    pub line: Vec<u8>,
    pub sealed: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Version of the last event of this append.
    pub last: u64,
    pub position: Position,
    /// The same append was here before; nothing was written now. `EventStoreDB` does not tell:
    /// there a repeat of what another node appended moments ago may pass for the first.
    pub replayed: bool,
}

/// A piece of the whole log, in the order of positions.
#[derive(Clone, Debug)]
pub struct Page {
    pub events: Vec<Stored>,
    /// Where the next page begins: pass it as `after`. Never behind the last event here.
    pub next: Position,
    /// Nothing more was there when this page was read.
    pub at_head: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error("the stream moved on: its last version is {current:?}")]
    Conflict { current: Option<u64> },
    #[error("the append is refused for good")]
    Rejected(#[source] Rejected),
    #[error("the log did not take the append; nothing was written")]
    NotWritten(#[source] Cause),
    #[error("it is not known whether the append was written")]
    Unknown(#[source] Cause),
}

#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    #[error("an append holds 1 to 500 events, not {0}")]
    Count(usize),
    #[error("an append holds at most 900 KiB, not {0} bytes")]
    Size(usize),
    #[error("an event with one of these ids is elsewhere in the log")]
    IdTaken,
    #[error("the store refuses the append")]
    Store(#[source] Cause),
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the log cannot be read now")]
    Unavailable(#[source] Cause),
    #[error("the log is damaged at position {position}")]
    Corrupt { position: Position, source: Cause },
}

impl ReadError {
    pub(crate) fn unavailable(cause: impl Into<Cause>) -> Self {
        Self::Unavailable(cause.into())
    }
}

impl EventLog {
    /// The log in one file of this process.
    pub fn sqlite(path: &Path) -> Result<Self, sqlite::OpenError> {
        sqlite::Sqlite::open(path).map(Self::Sqlite)
    }

    /// The log in a PostgreSQL database that other nodes may share.
    pub async fn postgres(url: &str) -> Result<Self, postgres::ConnectError> {
        postgres::Postgres::connect(url).await.map(Self::Postgres)
    }

    /// The log in EventStoreDB or KurrentDB; the server may come later.
    #[cfg(feature = "eventstore")]
    pub async fn event_store_db(url: &str) -> Result<Self, eventstoredb::ConnectError> {
        eventstoredb::EventStoreDb::connect(url).await.map(Self::EventStoreDb)
    }

    /// Takes no more appends and lets go of the store.
    pub async fn close(&self) {
        match self {
            // what was acknowledged is durable, and nobody waits for the rest any more
            Self::Sqlite(_) => {}
            Self::Postgres(log) => log.close().await,
            #[cfg(feature = "eventstore")]
            Self::EventStoreDb(log) => log.close(),
        }
    }

    /// Appends all events or none. An unknown outcome is settled by repeating the very same
    /// append; only when that does not succeed within 30 s is the answer `Unknown`.
    pub async fn append(
        &self,
        stream: &Stream,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, AppendError> {
        if events.is_empty() || events.len() > MOST_EVENTS {
            return Err(AppendError::Rejected(Rejected::Count(events.len())));
        }
        let size = events.iter().map(NewEvent::size).sum();
        if size > LARGEST_APPEND {
            return Err(AppendError::Rejected(Rejected::Size(size)));
        }
        let started = tokio::time::Instant::now();
        let mut pause = Duration::from_millis(20);
        let mut is_unsettled = false;
        loop {
            let outcome = self.append_once(stream, expected, &events).await;
            let cause = match outcome {
                Err(AppendError::Unknown(cause)) => cause,
                // says that this attempt wrote nothing, not what became of the one before
                Err(AppendError::NotWritten(cause)) if is_unsettled => cause,
                Err(AppendError::Rejected(Rejected::Store(cause))) if is_unsettled => cause,
                outcome => return outcome,
            };
            if started.elapsed() >= SETTLE_WITHIN {
                return Err(AppendError::Unknown(cause));
            }
            is_unsettled = true;
            tracing::warn!(%stream, %cause, "the outcome of an append is unknown; repeating it");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    async fn append_once(
        &self,
        stream: &Stream,
        expected: Expected,
        events: &[NewEvent],
    ) -> Result<Appended, AppendError> {
        match self {
            Self::Sqlite(log) => log.append(stream, expected, events.to_vec()).await,
            Self::Postgres(log) => log.append(stream, expected, events.to_vec()).await,
            #[cfg(feature = "eventstore")]
            Self::EventStoreDb(log) => log.append(stream, expected, events.to_vec()).await,
        }
    }

    /// Whether [`Appended::replayed`] is always right. EventStoreDB does not say so itself, and a
    /// repeat of what another node appended moments ago passes for a first append.
    pub fn tells_repeats(&self) -> bool {
        match self {
            Self::Sqlite(_) | Self::Postgres(_) => true,
            #[cfg(feature = "eventstore")]
            Self::EventStoreDb(_) => false,
        }
    }

    /// Whether the positions are 1, 2, 3, …: then it is known where a full page ends before it is
    /// read. EventStoreDB's are places in its files.
    fn is_gapless(&self) -> bool {
        match self {
            Self::Sqlite(_) | Self::Postgres(_) => true,
            #[cfg(feature = "eventstore")]
            Self::EventStoreDb(_) => false,
        }
    }

    /// At most `limit` events of one stream, beginning with version `from`.
    pub async fn read_stream(
        &self,
        stream: &Stream,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, ReadError> {
        match self {
            Self::Sqlite(log) => log.read_stream(stream, from, limit).await,
            Self::Postgres(log) => log.read_stream(stream, from, limit).await,
            #[cfg(feature = "eventstore")]
            Self::EventStoreDb(log) => log.read_stream(stream, from, limit).await,
        }
    }

    /// At most `limit` events of the whole log, strictly after a position; position 0 is before
    /// the first event.
    pub async fn read_all(&self, after: Position, limit: usize) -> Result<Page, ReadError> {
        match self {
            Self::Sqlite(log) => log.read_all(after, limit).await,
            Self::Postgres(log) => log.read_all(after, limit).await,
            #[cfg(feature = "eventstore")]
            Self::EventStoreDb(log) => log.read_all(after, limit).await,
        }
    }

    /// At most `limit` events strictly after a position, as they lie in the store: what its own
    /// columns say may contradict the lines, and positions may be missing.
    pub(crate) async fn read_rows(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Row>, ReadError> {
        match self {
            Self::Sqlite(log) => log.read_rows(after, limit).await,
            Self::Postgres(log) => log.read_rows(after, limit).await,
            #[cfg(feature = "eventstore")]
            Self::EventStoreDb(log) => {
                let (mut after, mut rows) = (after, Vec::new());
                loop {
                    let page = log.read_all(after, limit).await?;
                    let events = page.events.into_iter();
                    rows.extend(events.map(|stored| Row { stored, columns: None }));
                    after = page.next;
                    // a page can be empty and not the last
                    if page.at_head || !rows.is_empty() {
                        return Ok(rows);
                    }
                }
            }
        }
    }

    /// The same for whoever has come to the head and stays there: what this process has written
    /// just now may come from memory.
    pub async fn follow(&self, after: Position, limit: usize) -> Result<Page, ReadError> {
        match self {
            Self::Sqlite(log) => log.follow(after, limit).await,
            Self::Postgres(log) => log.read_all(after, limit).await,
            #[cfg(feature = "eventstore")]
            Self::EventStoreDb(log) => log.read_all(after, limit).await,
        }
    }

    /// Position of the last event; 0 for an empty log.
    pub async fn head(&self) -> Result<Position, ReadError> {
        match self {
            Self::Sqlite(log) => log.head().await,
            Self::Postgres(log) => log.head().await,
            #[cfg(feature = "eventstore")]
            Self::EventStoreDb(log) => log.head().await,
        }
    }

    /// Version of a stream's last event.
    pub async fn last_version(&self, stream: &Stream) -> Result<Option<u64>, ReadError> {
        match self {
            Self::Sqlite(log) => log.last_version(stream).await,
            Self::Postgres(log) => log.last_version(stream).await,
            #[cfg(feature = "eventstore")]
            Self::EventStoreDb(log) => log.last_version(stream).await,
        }
    }

    /// The same of many streams at once, in their order: one question to the log where that can be.
    pub async fn last_versions(&self, streams: &[Stream]) -> Result<Vec<Option<u64>>, ReadError> {
        match self {
            Self::Sqlite(log) => log.last_versions(streams).await,
            Self::Postgres(log) => log.last_versions(streams).await,
            #[cfg(feature = "eventstore")]
            Self::EventStoreDb(log) => log.last_versions(streams).await,
        }
    }

    /// Returns when there may be events after `after`, at the latest after `up_to`. May return
    /// early: a hint, never a source of truth.
    pub async fn wait(&self, after: Position, up_to: Duration) {
        match self {
            Self::Sqlite(log) => log.wait(after, up_to).await,
            Self::Postgres(log) => log.wait(after, up_to).await,
            #[cfg(feature = "eventstore")]
            Self::EventStoreDb(log) => log.wait(after, up_to).await,
        }
    }
}
