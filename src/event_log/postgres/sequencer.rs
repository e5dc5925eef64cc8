//! The one writer of a node: receive, lock, decide, insert, commit, answer. Only this task owns the
//! transaction, so a caller that goes away cannot tear it.
//!
//! A failed attempt is made again unchanged. It waits for the same lock, which the server holds
//! until the first attempt has become visible or is gone: its ids stand in the log, or never will.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use events::id::EventId;
use events::recorded::Position;
use events::stream::Stream;
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, Row as _};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::as_bigint;
use super::batch::{self, Answer, Known, Place, Rows};
use super::listener::{self, Hint};
use crate::event_log::{AppendError, Expected, NewEvent, Rejected};
use crate::fail_point;

/// One transaction takes at most this many requests, bytes and events; what is over waits.
const MOST_REQUESTS: usize = 512;
const MOST_BYTES: usize = 4 * 1024 * 1024;
const MOST_EVENTS: usize = 4000;
/// Streams whose last version is remembered; past these everything is forgotten.
const REMEMBERED_STREAMS: usize = 100_000;
/// The first attempt gets less than the callers' patience: behind a firewall that forgot a quiet
/// connection, another attempt on a new one still answers them in time.
const FIRST_ATTEMPT: Duration = Duration::from_secs(2);
/// A batch that waited long in the queue gets at least one honest attempt.
const SHORTEST_ATTEMPT: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// READ COMMITTED gives the statement after the lock a snapshot of its own, as it must. The lock is
/// the bytes of `chancery`: one for each database, and a transaction's own, so that it also works
/// behind a pooler.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
    SELECT pg_advisory_xact_lock(7163082334074663545); \
    SELECT coalesce(max(position), 0) FROM log.event";

const LAST_VERSIONS: &str = "SELECT named.number, \
        (SELECT max(version) FROM log.event WHERE event.stream = named.stream) \
    FROM unnest($1::text[]) WITH ORDINALITY AS named (stream, number)";

const EVENTS_IN_PLACE: &str = "SELECT wanted.number, version, event_id, position \
    FROM unnest($1::text[], $2::bigint[], $3::bigint[]) \
        WITH ORDINALITY AS wanted (stream, first, last, number) \
    JOIN log.event ON event.stream = wanted.stream \
        AND event.version BETWEEN wanted.first AND wanted.last";

const INSERT: &str = "INSERT INTO log.event \
        (position, stream, version, event_id, kind, line, sealed, link) \
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::uuid[], $5::text[], \
        $6::bytea[], $7::bytea[], $8::bytea[])";

pub(super) struct Request {
    pub(super) stream: Stream,
    pub(super) expected: Expected,
    pub(super) events: Vec<NewEvent>,
    pub(super) answer: oneshot::Sender<Answer>,
    pub(super) deadline: Instant,
    /// A transaction with these events got as far as its COMMIT, and its fate was not learned.
    pub(super) may_be_written: bool,
}

impl Request {
    fn size(&self) -> usize {
        self.events.iter().map(NewEvent::size).sum()
    }

    fn answer(self, answer: Answer) {
        // whoever asked may have given up; what is written stays written
        drop(self.answer.send(answer));
    }
}

pub(super) struct Sequencer {
    options: PgConnectOptions,
    /// Taken out while it is used: an attempt that is abandoned takes its connection with it.
    connection: Option<PgConnection>,
    hint: watch::Sender<Hint>,
    /// Taken out while it is used: what an attempt that failed had found out is forgotten.
    remembered: Remembered,
}

/// How this writer left the log. Every event raises the head, so while the head is still the same
/// nobody has written since, and these versions are the last ones.
#[derive(Default)]
struct Remembered {
    head: u64,
    last_versions: HashMap<Stream, u64>,
}

enum Failure {
    /// The server refuses a row; nothing was written, and the connection is good.
    Row(sqlx::Error),
    /// May be better next time, on a new connection.
    Passing(Arc<sqlx::Error>),
}

impl Failure {
    fn passing(error: sqlx::Error) -> Self {
        Self::Passing(Arc::new(error))
    }

    /// An error on the way to the COMMIT: nothing is written.
    fn before_commit(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(DatabaseError::code);
        let names_a_row = match code.as_deref().map(|code| code.split_at(2.min(code.len()))) {
            // under the lock this position was free: somebody wrote without it, and a fresh look helps
            Some(("23", "505")) => is_id_taken(&error),
            Some(("22" | "23" | "54", _)) => true,
            _ => false,
        };
        if names_a_row { Self::Row(error) } else { Self::passing(error) }
    }
}

fn is_id_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(DatabaseError::constraint) == Some("event_event_id")
}

impl Sequencer {
    pub(super) fn new(options: PgConnectOptions, hint: watch::Sender<Hint>) -> Self {
        Self { options, connection: None, hint, remembered: Remembered::default() }
    }

    /// Ends when the log is closed or dropped and everything received was answered.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Request>, closing: Arc<Notify>) {
        let mut received = Vec::with_capacity(MOST_REQUESTS);
        let mut waiting = VecDeque::new();
        loop {
            if waiting.is_empty() {
                tokio::select! {
                    count = queue.recv_many(&mut received, MOST_REQUESTS) => {
                        if count == 0 {
                            return;
                        }
                    }
                    () = closing.notified() => {
                        queue.close();
                        continue;
                    }
                }
                waiting.extend(received.drain(..));
                // whoever was just answered comes back now, and not one commit later
                tokio::task::yield_now().await;
            }
            while waiting.len() < MOST_REQUESTS
                && let Ok(request) = queue.try_recv()
            {
                waiting.push_back(request);
            }
            let batch = take_batch(&mut waiting);
            fail_point::reached("log.received");
            self.settle(batch).await;
            fail_point::reached("log.answered");
        }
    }

    /// Answers every request. One that the server refuses is found by halving, so that it cannot
    /// hurt its neighbours.
    async fn settle(&mut self, batch: Vec<Request>) {
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            if let Some(mut refused) = self.write(part).await {
                let second = refused.split_off(refused.len() / 2);
                parts.extend([second, refused]);
            }
        }
    }

    /// Writes and answers the requests, or hands them back because one of them is refused.
    async fn write(&mut self, mut part: Vec<Request>) -> Option<Vec<Request>> {
        let mut pause = SHORTEST_PAUSE;
        let mut longest = FIRST_ATTEMPT;
        while let Some(first_deadline) = part.iter().map(|request| request.deadline).min() {
            let left = first_deadline.saturating_duration_since(Instant::now());
            let within = left.min(longest).max(SHORTEST_ATTEMPT);
            let attempt = timeout(within, self.attempt(&mut part)).await;
            let attempt =
                attempt.unwrap_or_else(|late| Err(Failure::passing(sqlx::Error::Io(late.into()))));
            match attempt {
                Ok(answers) => {
                    for (request, answer) in part.into_iter().zip(answers) {
                        request.answer(answer);
                    }
                    return None;
                }
                Err(Failure::Row(_)) if part.len() > 1 => return Some(part),
                Err(Failure::Row(error)) => {
                    let refused = part.pop()?;
                    refused.answer(Err(AppendError::Rejected(rejection(error))));
                    return None;
                }
                Err(Failure::Passing(error)) => {
                    tracing::warn!(%error, requests = part.len(), "the log could not write; trying again");
                    part = give_up_on_late(part, &error);
                    longest = Duration::MAX;
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        None
    }

    async fn attempt(&mut self, part: &mut [Request]) -> Result<Vec<Answer>, Failure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(Failure::passing)?,
        };
        let remembered = std::mem::take(&mut self.remembered);
        match transaction(&mut connection, part, remembered).await {
            Ok((answers, remembered)) => {
                self.connection = Some(connection);
                listener::committed(&self.hint, Position(remembered.head));
                self.remembered = remembered;
                Ok(answers)
            }
            Err(failure) => {
                if matches!(failure, Failure::Row(_))
                    && connection.execute("ROLLBACK").await.is_ok()
                {
                    self.connection = Some(connection);
                }
                Err(failure)
            }
        }
    }
}

/// Takes from the front what fits into one transaction.
fn take_batch(waiting: &mut VecDeque<Request>) -> Vec<Request> {
    let (mut bytes, mut events) = (0, 0);
    let fit = waiting
        .iter()
        .take(MOST_REQUESTS)
        .take_while(|request| {
            bytes += request.size();
            events += request.events.len();
            bytes <= MOST_BYTES && events <= MOST_EVENTS
        })
        .count();
    // the limits of one append are below those of a batch; still, the front must never get stuck
    waiting.drain(..fit.max(1).min(waiting.len())).collect()
}

fn give_up_on_late(part: Vec<Request>, error: &Arc<sqlx::Error>) -> Vec<Request> {
    let now = Instant::now();
    let (late, rest) = part.into_iter().partition(|request| request.deadline <= now);
    let late: Vec<Request> = late;
    for request in late {
        let cause = Box::new(Arc::clone(error));
        let answer = if request.may_be_written {
            AppendError::Unknown(cause)
        } else {
            AppendError::NotWritten(cause)
        };
        request.answer(Err(answer));
    }
    rest
}

fn rejection(error: sqlx::Error) -> Rejected {
    if is_id_taken(&error) { Rejected::IdTaken } else { Rejected::Store(Box::new(error)) }
}

/// The answers are worth nothing unless this returns `Ok`.
async fn transaction(
    connection: &mut PgConnection,
    part: &mut [Request],
    mut remembered: Remembered,
) -> Result<(Vec<Answer>, Remembered), Failure> {
    let mut known =
        begin_and_read(connection, part, &mut remembered).await.map_err(Failure::before_commit)?;
    let (answers, rows) = batch::decide(part, &mut known);
    remembered.head = known.head;
    remembered.last_versions.extend(known.last_versions);
    if rows.position.is_empty() {
        connection.execute("COMMIT").await.map_err(Failure::passing)?;
        return Ok((answers, remembered));
    }
    insert(connection, rows).await.map_err(Failure::before_commit)?;
    fail_point::reached("log.inserted");
    for (request, answer) in part.iter_mut().zip(&answers) {
        request.may_be_written |= answer.is_ok();
    }
    let commit = format!("NOTIFY {}, '{}'; COMMIT", listener::CHANNEL, known.head);
    connection.execute(AssertSqlSafe(commit)).await.map_err(Failure::passing)?;
    fail_point::reached("log.committed");
    Ok((answers, remembered))
}

async fn begin_and_read(
    connection: &mut PgConnection,
    part: &[Request],
    remembered: &mut Remembered,
) -> Result<Known, sqlx::Error> {
    let begun = sqlx::raw_sql(BEGIN).fetch_all(&mut *connection).await?;
    let head: i64 = begun.last().ok_or(sqlx::Error::RowNotFound)?.try_get(0)?;
    let mut known = Known { head: head.unsigned_abs(), ..Known::default() };
    if remembered.head != known.head || remembered.last_versions.len() > REMEMBERED_STREAMS {
        remembered.last_versions.clear();
    }
    let mut asked = Vec::new();
    for request in part {
        match remembered.last_versions.get(&request.stream) {
            Some(last) => {
                known.last_versions.insert(request.stream, *last);
            }
            None => asked.push(request.stream),
        }
    }
    if !asked.is_empty() {
        asked.sort_unstable();
        asked.dedup();
        let names: Vec<String> = asked.iter().map(Stream::to_string).collect();
        let rows: Vec<(i64, Option<i64>)> =
            sqlx::query_as(LAST_VERSIONS).bind(names).fetch_all(&mut *connection).await?;
        for (number, last) in rows {
            if let (Some(stream), Some(last)) = (numbered(&asked, number), last) {
                known.last_versions.insert(*stream, last.unsigned_abs());
            }
        }
    }

    let behind: Vec<&Request> = part.iter().filter(|request| known.is_behind(request)).collect();
    if behind.is_empty() {
        return Ok(known);
    }
    let names: Vec<String> = behind.iter().map(|request| request.stream.to_string()).collect();
    let first = |request: &Request| request.expected.next();
    let last = |request: &Request| first(request).saturating_add(request.events.len() as u64 - 1);
    let firsts: Vec<i64> = behind.iter().map(|request| as_bigint(first(request))).collect();
    let lasts: Vec<i64> = behind.iter().map(|request| as_bigint(last(request))).collect();
    let rows: Vec<(i64, i64, Uuid, i64)> = sqlx::query_as(EVENTS_IN_PLACE)
        .bind(names)
        .bind(firsts)
        .bind(lasts)
        .fetch_all(connection)
        .await?;
    for (number, version, id, position) in rows {
        if let Some(request) = numbered(&behind, number) {
            let place = Place { id: EventId(id), position: position.unsigned_abs() };
            known.events.insert((request.stream, version.unsigned_abs()), place);
        }
    }
    Ok(known)
}

/// The one that `WITH ORDINALITY` gave this number.
fn numbered<T>(sent: &[T], number: i64) -> Option<&T> {
    sent.get(usize::try_from(number).ok()?.checked_sub(1)?)
}

async fn insert(connection: &mut PgConnection, rows: Rows<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(INSERT)
        .bind(rows.position)
        .bind(rows.stream)
        .bind(rows.version)
        .bind(rows.id)
        .bind(rows.kind)
        .bind(rows.line)
        .bind(rows.sealed)
        .bind(rows.link)
        .execute(connection)
        .await?;
    Ok(())
}
