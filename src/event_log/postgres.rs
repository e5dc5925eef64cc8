//! The log in one PostgreSQL table, for one node or many. Positions are handed out under a lock
//! that the writing transaction holds until its commit is visible, so no reader ever sees a hole.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use events::recorded::Position;
use events::stream::Stream;
use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::{ConnectOptions as _, Row as _};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, timeout};

use super::{
    AppendError, Appended, Cause, Columns, Expected, NewEvent, Page, ReadError, Row, Stored,
};
use crate::postgres_database;
use listener::Hint;
use sequencer::{Request, Sequencer};

mod batch;
mod listener;
mod sequencer;

/// Appends that may wait for the sequencer before new ones are turned away.
const QUEUE: usize = 4096;
const READERS: u32 = 10;
const READ_WITHIN: Duration = Duration::from_secs(10);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long an append may wait for its answer, unless the sequencer is just about to give it.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

pub struct Postgres {
    requests: mpsc::Sender<Request>,
    readers: PgPool,
    hint: watch::Sender<Hint>,
    closing: Arc<Notify>,
    sequencer: Mutex<Option<JoinHandle<()>>>,
    listener: AbortHandle,
}

#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("cannot reach PostgreSQL")]
    Unreachable(#[source] Cause),
    #[error(transparent)]
    Database(#[from] postgres_database::Error),
}

impl ConnectError {
    fn unreachable(cause: impl Into<Cause>) -> Self {
        Self::Unreachable(cause.into())
    }
}

impl Postgres {
    /// Connects to the database of the URL and makes the schema `log` there when it is missing.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        let options: PgConnectOptions = url.parse().map_err(ConnectError::unreachable)?;
        let options = options.application_name("chancery log").disable_statement_logging();
        let mut connection = timeout(CONNECT_WITHIN, options.connect())
            .await
            .map_err(ConnectError::unreachable)?
            .map_err(ConnectError::unreachable)?;
        postgres_database::bring_up_to_date(&mut connection).await?;
        let writer = writer_options(&options, &mut connection).await?;

        let readers = PgPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(CONNECT_WITHIN)
            .test_before_acquire(false)
            .connect_lazy_with(options.clone());
        let hint = watch::Sender::new(Hint::default());
        let listener = tokio::spawn(listener::listen(options.clone(), hint.clone())).abort_handle();
        let closing = Arc::new(Notify::new());
        let (requests, queue) = mpsc::channel(QUEUE);
        let sequencer = Sequencer::new(writer, hint.clone());
        let sequencer = tokio::spawn(sequencer.run(queue, Arc::clone(&closing)));
        let sequencer = Mutex::new(Some(sequencer));
        Ok(Self { requests, readers, hint, closing, sequencer, listener })
    }

    /// The same for who only reads: changes nothing, also no schema, and takes no appends.
    pub(super) fn to_read(url: &str) -> Result<Self, ConnectError> {
        let options: PgConnectOptions = url.parse().map_err(ConnectError::unreachable)?;
        let options = options.application_name("chancery log reader").disable_statement_logging();
        let readers = PgPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(CONNECT_WITHIN)
            .connect_lazy_with(options.options([("default_transaction_read_only", "on")]));
        // nobody hears what is asked here
        let (requests, _) = mpsc::channel(QUEUE);
        let listener = tokio::spawn(async {}).abort_handle();
        let (hint, closing) = (watch::Sender::new(Hint::default()), Arc::new(Notify::new()));
        Ok(Self { requests, readers, hint, closing, sequencer: Mutex::new(None), listener })
    }

    /// Takes no more appends, answers those it has, and lets go of the server.
    pub async fn close(&self) {
        self.closing.notify_one();
        let sequencer = self.sequencer.lock().expect("nothing panics with the lock held").take();
        if let Some(sequencer) = sequencer
            && let Err(error) = sequencer.await
        {
            tracing::error!(%error, "the sequencer of the log had failed");
        }
        self.listener.abort();
        self.readers.close().await;
    }

    pub(super) async fn append(
        &self,
        stream: &Stream,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, AppendError> {
        let (answer, answered) = oneshot::channel();
        let deadline = Instant::now() + ANSWER_WITHIN;
        let request =
            Request { stream: *stream, expected, events, answer, deadline, may_be_written: false };
        self.requests.try_send(request).map_err(|full| AppendError::NotWritten(Box::new(full)))?;
        answered.await.unwrap_or_else(|ended| Err(AppendError::Unknown(Box::new(ended))))
    }

    pub(super) async fn read_stream(
        &self,
        stream: &Stream,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, ReadError> {
        let sql = "SELECT position, line, sealed, version FROM log.event \
                   WHERE stream = $1 AND version >= $2 ORDER BY version LIMIT $3";
        let (first, most) = (as_bigint(from), as_bigint(limit));
        let query = || sqlx::query(sql).bind(stream.to_string()).bind(first).bind(most);
        let rows = self.rows(query, |row| Ok((stored(row)?, count(row, 3)?))).await?;
        let mut events = Vec::with_capacity(rows.len());
        for (expected, (event, version)) in (from..).zip(rows) {
            if version != Some(expected) {
                return Err(missing(event.position, format!("{stream} lacks version {expected}")));
            }
            events.push(event);
        }
        Ok(events)
    }

    pub(super) async fn read_all(&self, after: Position, limit: usize) -> Result<Page, ReadError> {
        let limit = limit.max(1);
        // one statement is one snapshot: where it gives less than was asked for, it saw the head
        let sql = "SELECT position, line, sealed FROM log.event \
                   WHERE position > $1 ORDER BY position LIMIT $2";
        let query = || sqlx::query(sql).bind(as_bigint(after.0)).bind(as_bigint(limit));
        let events = self.rows(query, stored).await?;
        for (expected, event) in (after.0 + 1..).zip(&events) {
            if event.position.0 != expected {
                return Err(missing(Position(expected), "the position is missing"));
            }
        }
        let next = events.last().map_or(after, |last| last.position);
        Ok(Page { at_head: events.len() < limit, next, events })
    }

    pub(super) async fn read_rows(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Row>, ReadError> {
        let sql = "SELECT position, line, sealed, stream, version, event_id, kind, link \
                   FROM log.event WHERE position > $1 ORDER BY position LIMIT $2";
        let query = || sqlx::query(sql).bind(as_bigint(after.0)).bind(as_bigint(limit));
        let row = |row: &PgRow| {
            let version = count(row, 4)?.unwrap_or(u64::MAX);
            let (stream, event_id) = (row.try_get(3)?, row.try_get(5)?);
            let (kind, link) = (row.try_get(6)?, row.try_get(7)?);
            let columns = Columns { stream, version, event_id, kind, link };
            Ok(Row { stored: stored(row)?, columns: Some(columns) })
        };
        self.rows(query, row).await
    }

    pub(super) async fn head(&self) -> Result<Position, ReadError> {
        let sql = "SELECT coalesce(max(position), 0) FROM log.event";
        let found = self.rows(|| sqlx::query(sql), |row| count(row, 0)).await?;
        Ok(Position(found.into_iter().next().flatten().unwrap_or_default()))
    }

    pub(super) async fn last_version(&self, stream: &Stream) -> Result<Option<u64>, ReadError> {
        let sql = "SELECT max(version) FROM log.event WHERE stream = $1";
        let query = || sqlx::query(sql).bind(stream.to_string());
        Ok(self.rows(query, |row| count(row, 0)).await?.into_iter().next().flatten())
    }

    pub(super) async fn last_versions(
        &self,
        streams: &[Stream],
    ) -> Result<Vec<Option<u64>>, ReadError> {
        // one look at the end of the index for each stream
        let sql = "SELECT (SELECT max(version) FROM log.event WHERE stream = wanted.stream) \
                   FROM unnest($1::text[]) WITH ORDINALITY AS wanted (stream, place) ORDER BY place";
        let names: Vec<String> = streams.iter().map(Stream::to_string).collect();
        self.rows(|| sqlx::query(sql).bind(names.clone()), |row| count(row, 0)).await
    }

    pub(super) async fn wait(&self, after: Position, up_to: Duration) {
        let mut hint = self.hint.subscribe();
        let rereads = hint.borrow_and_update().rereads;
        let news = hint.wait_for(|hint| hint.head > after || hint.rereads != rereads);
        // a time-out says no less than a hint: read again
        drop(timeout(up_to, news).await);
    }

    /// A connection that died in the pool costs another try, not a ping before every read. Each
    /// row is taken as it comes, so that none waits for the others in the form of the wire.
    async fn rows<'q, T>(
        &self,
        query: impl Fn() -> Query<'q, sqlx::Postgres, PgArguments>,
        take: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, ReadError> {
        let mut tries_left = READERS;
        loop {
            let mut connection = self.readers.acquire().await.map_err(ReadError::unavailable)?;
            let read = async {
                let mut rows = query().fetch(&mut *connection);
                let mut taken = Vec::new();
                while let Some(row) = rows.try_next().await? {
                    taken.push(take(&row)?);
                }
                Ok::<_, sqlx::Error>(taken)
            };
            let error = match timeout(READ_WITHIN, read).await {
                Ok(Ok(rows)) => return Ok(rows),
                Ok(Err(error)) => error,
                Err(late) => {
                    tries_left = 0;
                    sqlx::Error::Io(late.into())
                }
            };
            // whoever got this connection next would meet what is wrong with it
            drop(connection.detach());
            if tries_left == 0 || !is_lost(&error) {
                return Err(ReadError::unavailable(error));
            }
            tries_left -= 1;
        }
    }
}

/// Whether an error says that the connection, not the query, is at fault.
fn is_lost(error: &sqlx::Error) -> bool {
    match error.as_database_error() {
        Some(error) => {
            error.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("08"))
        }
        None => matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_)),
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// The writer's session. A writer that stops half-way, or that the network has lost, must let go of
/// the lock soon: every node waits for it.
async fn writer_options(
    options: &PgConnectOptions,
    connection: &mut sqlx::PgConnection,
) -> Result<PgConnectOptions, ConnectError> {
    let options = options.clone().options([
        ("lock_timeout", "10s"),
        ("statement_timeout", "15s"),
        ("idle_in_transaction_session_timeout", "5s"),
        ("client_connection_check_interval", "2s"),
        ("tcp_user_timeout", "15s"),
    ]);
    let is_weak = "SELECT current_setting('synchronous_commit') IN ('off', 'local')";
    let is_weak: bool = sqlx::query_scalar(is_weak)
        .fetch_one(connection)
        .await
        .map_err(ConnectError::unreachable)?;
    // stronger ones, like remote_apply, stay
    Ok(if is_weak { options.options([("synchronous_commit", "on")]) } else { options })
}

/// A count the way PostgreSQL takes it; what is too large for it is beyond any event.
fn as_bigint(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

fn count(row: &PgRow, column: usize) -> Result<Option<u64>, sqlx::Error> {
    let count: Option<i64> = row.try_get(column)?;
    Ok(count.and_then(|count| count.try_into().ok()))
}

fn stored(row: &PgRow) -> Result<Stored, sqlx::Error> {
    let position = Position(count(row, 0)?.unwrap_or_default());
    Ok(Stored { position, line: row.try_get(1)?, sealed: row.try_get(2)? })
}

fn missing(position: Position, what: impl Into<Cause>) -> ReadError {
    ReadError::Corrupt { position, source: what.into() }
}
