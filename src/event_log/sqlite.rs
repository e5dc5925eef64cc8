//! The log in one SQLite file. One thread owns the only writing connection and commits whatever
//! has queued up meanwhile as one transaction; only that thread ever decides what was written.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use events::recorded::Position;
use events::stream::Stream;
use quick_cache::sync::Cache;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use super::{AppendError, Appended, Columns, Expected, NewEvent, Page, ReadError, Row, Stored};
use crate::file_lock::FileLock;
use crate::sqlite_file::{self, Durability, Readers};
use sequencer::{Request, Sequencer};
use tail::Tail;

mod sequencer;
mod tail;

const MIGRATIONS: [&str; 1] = [include_str!("../../migrations/sqlite/0001_event_log.sql")];
/// Appends that may wait for the sequencer before new ones are turned away.
const QUEUE: usize = 4096;
/// Of a page, with the event that is too much: those of usage are large.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Streams whose last version is remembered; any other is read from the file.
const REMEMBERED_STREAMS: usize = 100_000;

pub struct Sqlite {
    requests: mpsc::Sender<Request>,
    readers: Arc<Readers>,
    shared: Arc<Shared>,
    /// Held for as long as the log is open: no second process appends to the file.
    _lock: FileLock,
}

/// What the sequencer tells everybody else, before it answers an append.
struct Shared {
    head: watch::Sender<Position>,
    last_versions: Cache<Stream, u64>,
    tail: Tail,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot lock `{0}`")]
    Lock(String, #[source] std::io::Error),
    #[error("another process has the log `{0}` open; stop it or choose another data folder")]
    InUse(String),
    #[error(transparent)]
    File(#[from] sqlite_file::Error),
}

impl Sqlite {
    /// Opens the file, making it when there is none, and keeps every other process from it.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let name = path.display().to_string();
        let lock_error = |error| OpenError::Lock(name.clone(), error);
        let file = File::create(path.with_extension("db.lock")).map_err(lock_error)?;
        let lock = FileLock::take(file).map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::InUse(name.clone()),
            TryLockError::Error(error) => OpenError::Lock(name.clone(), error),
        })?;
        let connection = sqlite_file::open_writer(path, Durability::Full, &MIGRATIONS)?;
        let head = sequencer::head(&connection).map_err(sqlite_file::Error::from)?;
        let shared = Arc::new(Shared {
            head: watch::Sender::new(head),
            last_versions: Cache::new(REMEMBERED_STREAMS),
            tail: Tail::default(),
        });
        let (requests, queue) = mpsc::channel(QUEUE);
        let sequencer = Sequencer::new(connection, queue, Arc::clone(&shared));
        std::thread::Builder::new()
            .name("event log".to_owned())
            .spawn(move || sequencer.run())
            .map_err(lock_error)?;
        Ok(Self { requests, readers: Arc::new(Readers::new(path)), shared, _lock: lock })
    }

    pub(super) async fn append(
        &self,
        stream: &Stream,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, AppendError> {
        let (answer, answered) = oneshot::channel();
        let request = Request { stream: *stream, expected, events, answer };
        self.requests.try_send(request).map_err(|full| AppendError::NotWritten(Box::new(full)))?;
        answered.await.unwrap_or_else(|ended| Err(AppendError::Unknown(Box::new(ended))))
    }

    pub(super) async fn read_stream(
        &self,
        stream: &Stream,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, ReadError> {
        read_stream(&self.readers, stream, from, limit).await
    }

    pub(super) async fn read_all(&self, after: Position, limit: usize) -> Result<Page, ReadError> {
        let events: Vec<Stored> = read_rows(
            &self.readers,
            "SELECT position, line, sealed FROM event WHERE position > ?1 \
             ORDER BY position LIMIT ?2",
            move |statement| {
                let (mut events, mut bytes) = (Vec::new(), 0);
                let mut rows = statement.query((after.0, limit))?;
                while bytes < MOST_BYTES
                    && let Some(row) = rows.next()?
                {
                    let event = stored(row)?;
                    bytes += tail::size(&event);
                    events.push(event);
                }
                Ok(events)
            },
        )
        .await?;
        for (expected, event) in (after.0 + 1..).zip(&events) {
            if event.position.0 != expected {
                let source = format!("position {expected} is missing").into();
                return Err(ReadError::Corrupt { position: Position(expected), source });
            }
        }
        let next = events.last().map_or(after, |last| last.position);
        let bytes: usize = events.iter().map(tail::size).sum();
        Ok(Page { at_head: events.len() < limit && bytes < MOST_BYTES, next, events })
    }

    pub(super) async fn read_rows(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Row>, ReadError> {
        rows_after(&self.readers, after, limit).await
    }

    pub(super) async fn follow(&self, after: Position, limit: usize) -> Result<Page, ReadError> {
        let head = *self.shared.head.borrow();
        match self.shared.tail.after(after, head, limit) {
            Some(events) => {
                let next = events.last().map_or(after, |last| last.position);
                Ok(Page { at_head: events.len() < limit, next, events })
            }
            None => self.read_all(after, limit).await,
        }
    }

    #[expect(clippy::unused_async, reason = "the other stores ask a server")]
    pub(super) async fn head(&self) -> Result<Position, ReadError> {
        Ok(*self.shared.head.borrow())
    }

    /// No other process appends, so what the sequencer last wrote is what there is.
    #[expect(clippy::unused_async, reason = "the other stores ask a server")]
    pub(super) async fn last_version(&self, stream: &Stream) -> Result<Option<u64>, ReadError> {
        if let Some(version) = self.shared.last_versions.get(stream) {
            return Ok(Some(version));
        }
        self.readers
            .read(|connection| sequencer::last_version(connection, &stream.to_string()))
            .map_err(ReadError::unavailable)
    }

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

    pub(super) async fn wait(&self, after: Position, up_to: Duration) {
        let mut head = self.shared.head.subscribe();
        // an error means the sequencer has ended, a time-out that nothing came: read again either way
        let _ = tokio::time::timeout(up_to, head.wait_for(|head| *head > after)).await;
    }
}

/// At most `limit` events of one stream, beginning with version `from`.
pub(super) async fn read_stream(
    readers: &Arc<Readers>,
    stream: &Stream,
    from: u64,
    limit: usize,
) -> Result<Vec<Stored>, ReadError> {
    let stream = stream.to_string();
    read_rows(
        readers,
        "SELECT position, line, sealed FROM event WHERE stream = ?1 AND version >= ?2 \
         ORDER BY version LIMIT ?3",
        move |statement| statement.query_map((stream, from, limit), stored)?.collect(),
    )
    .await
}

/// At most `limit` events strictly after a position, with what the columns say.
pub(super) async fn rows_after(
    readers: &Arc<Readers>,
    after: Position,
    limit: usize,
) -> Result<Vec<Row>, ReadError> {
    let row = |row: &rusqlite::Row<'_>| {
        let (stream, version) = (row.get(3)?, row.get(4)?);
        let (event_id, kind) = (Uuid::from_bytes(row.get(5)?), row.get(6)?);
        let columns = Columns { stream, version, event_id, kind, link: row.get(7)? };
        Ok(Row { stored: stored(row)?, columns: Some(columns) })
    };
    read_rows(
        readers,
        "SELECT position, line, sealed, stream, version, event_id, kind, link FROM event \
         WHERE position > ?1 ORDER BY position LIMIT ?2",
        move |statement| statement.query_map((after.0, limit), row)?.collect(),
    )
    .await
}

pub(super) fn head(readers: &Readers) -> Result<Position, ReadError> {
    readers.read(sequencer::head).map_err(ReadError::unavailable)
}

async fn read_rows<T: Send + 'static>(
    readers: &Arc<Readers>,
    sql: &'static str,
    rows: impl FnOnce(&mut rusqlite::Statement<'_>) -> Result<Vec<T>, rusqlite::Error> + Send + 'static,
) -> Result<Vec<T>, ReadError> {
    let readers = Arc::clone(readers);
    tokio::task::spawn_blocking(move || {
        readers.read(|connection| rows(&mut *connection.prepare_cached(sql)?))
    })
    .await
    .map_err(ReadError::unavailable)?
    .map_err(ReadError::unavailable)
}

fn stored(row: &rusqlite::Row<'_>) -> Result<Stored, rusqlite::Error> {
    Ok(Stored { position: Position(row.get(0)?), line: row.get(1)?, sealed: row.get(2)? })
}
