//! The log in one PostgreSQL table, for one node or many. Positions are handed out under a lock
//! that the writing transaction holds until its commit is visible, so no reader ever sees a hole.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use events::recorded::Position;
use events::stream::Stream;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::{ConnectOptions as _, Row as _};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, timeout};

use super::{AppendError, Appended, Cause, Expected, NewEvent, Page, ReadError, Stored};
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
        let rows = self.rows(query).await?;
        let mut events = Vec::with_capacity(rows.len());
        for (expected, row) in (from..).zip(&rows) {
            let event = stored(row)?;
            if count(row, 3)? != Some(expected) {
                return Err(missing(event.position, format!("{stream} lacks version {expected}")));
            }
            events.push(event);
        }
        Ok(events)
    }

    pub(super) async fn read_all(&self, after: Position, limit: usize) -> Result<Page, ReadError> {
        let limit = limit.max(1);
        // one statement is one snapshot: a head of another one could hide events for ever. Where
        // there is no row, nothing comes after this position, and the head is not needed
        let sql = "SELECT position, line, sealed, (SELECT max(position) FROM log.event) \
                   FROM log.event WHERE position > $1 ORDER BY position LIMIT $2";
        let query = || sqlx::query(sql).bind(as_bigint(after.0)).bind(as_bigint(limit));
        let rows = self.rows(query).await?;
        let head = rows.first().map_or(Ok(None), |row| count(row, 3))?.unwrap_or_default();
        let mut events = Vec::with_capacity(rows.len());
        let mut next = after.0;
        if head > after.0 {
            for row in &rows {
                if count(row, 0)? != Some(next + 1) {
                    return Err(missing(Position(next + 1), "the position is missing"));
                }
                events.push(stored(row)?);
                next += 1;
            }
            if events.len() < limit && next != head {
                return Err(missing(Position(next + 1), "the position is missing"));
            }
        }
        Ok(Page { events, next: Position(next), at_head: next >= head })
    }

    pub(super) async fn head(&self) -> Result<Position, ReadError> {
        let sql = "SELECT coalesce(max(position), 0) FROM log.event";
        let rows = self.rows(|| sqlx::query(sql)).await?;
        Ok(Position(rows.first().map_or(Ok(None), |row| count(row, 0))?.unwrap_or_default()))
    }

    pub(super) async fn last_version(&self, stream: &Stream) -> Result<Option<u64>, ReadError> {
        let sql = "SELECT max(version) FROM log.event WHERE stream = $1";
        let rows = self.rows(|| sqlx::query(sql).bind(stream.to_string())).await?;
        rows.first().map_or(Ok(None), |row| count(row, 0))
    }

    pub(super) async fn wait(&self, after: Position, up_to: Duration) {
        let mut hint = self.hint.subscribe();
        let rereads = hint.borrow_and_update().rereads;
        let news = hint.wait_for(|hint| hint.head > after || hint.rereads != rereads);
        // a time-out says no less than a hint: read again
        drop(timeout(up_to, news).await);
    }

    /// A connection that died in the pool costs another try, not a ping before every read.
    async fn rows<'q>(
        &self,
        query: impl Fn() -> Query<'q, sqlx::Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, ReadError> {
        let mut tries_left = READERS;
        loop {
            let mut connection = self.readers.acquire().await.map_err(ReadError::unavailable)?;
            let error = match timeout(READ_WITHIN, query().fetch_all(&mut *connection)).await {
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

fn count(row: &PgRow, column: usize) -> Result<Option<u64>, ReadError> {
    let count: Option<i64> = row.try_get(column).map_err(ReadError::unavailable)?;
    Ok(count.and_then(|count| count.try_into().ok()))
}

fn stored(row: &PgRow) -> Result<Stored, ReadError> {
    let bytes = |column: usize| row.try_get(column).map_err(ReadError::unavailable);
    let position = Position(count(row, 0)?.unwrap_or_default());
    Ok(Stored { position, line: bytes(1)?, sealed: bytes(2)? })
}

fn missing(position: Position, what: impl Into<Cause>) -> ReadError {
    ReadError::Corrupt { position, source: what.into() }
}
