//! The one writer of the SQLite log: receive, decide, insert, commit, answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use events::chain::Link;
use events::id::EventId;
use events::recorded::Position;
use events::stream::Stream;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::Shared;
use crate::event_log::{AppendError, Appended, Expected, NewEvent, Rejected, Stored};
use crate::fail_point;

/// One transaction takes at most this many requests, bytes and events; what is over waits.
const MOST_REQUESTS: usize = 512;
const MOST_BYTES: usize = 4 * 1024 * 1024;
const MOST_EVENTS: usize = 4000;
const ATTEMPTS: u32 = 3;
const PAUSE_BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);

type Answer = Result<Appended, AppendError>;

pub(super) struct Request {
    pub(super) stream: Stream,
    pub(super) expected: Expected,
    pub(super) events: Vec<NewEvent>,
    pub(super) answer: oneshot::Sender<Answer>,
}

pub(super) struct Sequencer {
    connection: Connection,
    queue: mpsc::Receiver<Request>,
    shared: Arc<Shared>,
}

/// What a transaction found out for its requests, worth nothing before it is committed.
struct Decided {
    answers: Vec<Answer>,
    head: u64,
    last_versions: HashMap<Stream, Option<u64>>,
}

impl Sequencer {
    pub(super) fn new(
        connection: Connection,
        queue: mpsc::Receiver<Request>,
        shared: Arc<Shared>,
    ) -> Self {
        Self { connection, queue, shared }
    }

    /// Ends when the log is dropped and everything received was answered.
    pub(super) fn run(mut self) {
        let mut held_over = None;
        while let Some(first) = held_over.take().or_else(|| self.queue.blocking_recv()) {
            let (batch, over) = self.fill(first);
            held_over = over;
            fail_point::reached("log.received");
            self.settle(batch);
        }
    }

    /// Takes what has queued up while the last transaction was being written; never waits for more.
    fn fill(&mut self, first: Request) -> (Vec<Request>, Option<Request>) {
        let size = |request: &Request| -> usize { request.events.iter().map(NewEvent::size).sum() };
        let (mut bytes, mut events) = (size(&first), first.events.len());
        let mut batch = vec![first];
        while batch.len() < MOST_REQUESTS {
            let Ok(request) = self.queue.try_recv() else { break };
            bytes += size(&request);
            events += request.events.len();
            if bytes > MOST_BYTES || events > MOST_EVENTS {
                return (batch, Some(request));
            }
            batch.push(request);
        }
        (batch, None)
    }

    fn settle(&mut self, mut batch: Vec<Request>) {
        match self.attempt(&batch) {
            Ok(decided) => self.answer(batch, decided),
            // one request may be at fault: alone, it cannot hurt its neighbours
            Err(_) if batch.len() > 1 => {
                for request in batch {
                    self.settle(vec![request]);
                }
            }
            Err(error) => {
                if let Some(request) = batch.pop() {
                    drop(request.answer.send(Err(error)));
                }
            }
        }
    }

    fn answer(&self, mut batch: Vec<Request>, decided: Decided) {
        for (stream, version) in decided.last_versions {
            if let Some(version) = version {
                self.shared.last_versions.insert(stream, version);
            }
        }
        let written = batch.iter_mut().zip(&decided.answers).flat_map(|(request, answer)| {
            let written = answer.as_ref().ok().filter(|appended| !appended.replayed);
            let events = written.map(|appended| (appended, std::mem::take(&mut request.events)));
            events.into_iter().flat_map(|(appended, events)| {
                let first = appended.position.0 + 1 - events.len() as u64;
                (first..).zip(events).map(|(position, NewEvent { line, sealed, .. })| Stored {
                    position: Position(position),
                    line,
                    sealed,
                })
            })
        });
        // before the head: whoever learns of it finds its events
        self.shared.tail.extend(written);
        self.shared.head.send_replace(Position(decided.head));
        for (request, answer) in batch.into_iter().zip(decided.answers) {
            // whoever asked may have given up; the events are written all the same
            drop(request.answer.send(answer));
        }
        fail_point::reached("log.answered");
    }

    /// Repeats a transaction that failed: what was already written is recognised by its ids.
    fn attempt(&mut self, batch: &[Request]) -> Result<Decided, AppendError> {
        let mut may_be_written = false;
        for attempt in 1.. {
            let (error, at_commit) = match self.transaction(batch) {
                Ok(decided) => return Ok(decided),
                Err(failure) => failure,
            };
            may_be_written |= at_commit;
            let passing = matches!(
                error.sqlite_error_code(),
                Some(
                    ErrorCode::DatabaseBusy
                        | ErrorCode::DatabaseLocked
                        | ErrorCode::SystemIoFailure
                )
            );
            if (passing || at_commit) && attempt < ATTEMPTS {
                std::thread::sleep(PAUSE_BETWEEN_ATTEMPTS);
                continue;
            }
            return Err(refusal(error, may_be_written));
        }
        unreachable!("the loop returns at its last attempt")
    }

    fn transaction(&mut self, batch: &[Request]) -> Result<Decided, (rusqlite::Error, bool)> {
        let before_commit = |error| (error, false);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(before_commit)?;
        let decided = decide(&transaction, batch).map_err(before_commit)?;
        fail_point::reached("log.inserted");
        transaction.commit().map_err(|error| (error, true))?;
        fail_point::reached("log.committed");
        Ok(decided)
    }
}

fn refusal(error: rusqlite::Error, may_be_written: bool) -> AppendError {
    if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) {
        return AppendError::Rejected(Rejected::IdTaken);
    }
    // a full disk rolls the transaction back; a failed sync may have written it
    let full = error.sqlite_error_code() == Some(ErrorCode::DiskFull);
    if may_be_written && !full {
        AppendError::Unknown(Box::new(error))
    } else {
        AppendError::NotWritten(Box::new(error))
    }
}

fn decide(connection: &Connection, batch: &[Request]) -> Result<Decided, rusqlite::Error> {
    let mut head = head(connection)?.0;
    let mut last_versions = HashMap::with_capacity(batch.len());
    let mut answers = Vec::with_capacity(batch.len());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let mut insert = connection.prepare_cached(
        "INSERT INTO event (position, stream, version, event_id, kind, line, sealed, link, stored_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for request in batch {
        let name = request.stream.to_string();
        let known = last_versions.get(&request.stream).copied();
        let current = match known {
            Some(current) => current,
            None => last_version(connection, &name)?,
        };
        let first = request.expected.next();
        let next = current.map_or(0, |last| last + 1);
        if first != next {
            last_versions.insert(request.stream, current);
            let earlier = written_before(connection, &name, first, &request.events)?;
            answers.push(earlier.ok_or(AppendError::Conflict { current }));
            continue;
        }
        for (version, event) in (first..).zip(&request.events) {
            head += 1;
            insert.execute((
                head,
                &name,
                version,
                event.id.0.as_bytes(),
                event.kind,
                &event.line,
                &event.sealed,
                Link::of_line(&event.line).as_bytes(),
                now,
            ))?;
        }
        let last = first + request.events.len() as u64 - 1;
        last_versions.insert(request.stream, Some(last));
        answers.push(Ok(Appended { last, position: Position(head), replayed: false }));
    }
    Ok(Decided { answers, head, last_versions })
}

/// The first answer to this very append, when its ids already stand where it wants them.
fn written_before(
    connection: &Connection,
    stream: &str,
    first: u64,
    events: &[NewEvent],
) -> Result<Option<Appended>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(
        "SELECT event_id, position FROM event WHERE stream = ?1 AND version >= ?2 \
         ORDER BY version LIMIT ?3",
    )?;
    let there: Vec<(EventId, u64)> = statement
        .query_map((stream, first, events.len()), |row| {
            Ok((EventId(uuid::Uuid::from_bytes(row.get(0)?)), row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    let same = there.iter().map(|(id, _)| *id).eq(events.iter().map(|event| event.id));
    Ok(there.last().filter(|_| same).map(|(_, position)| Appended {
        last: first + events.len() as u64 - 1,
        position: Position(*position),
        replayed: true,
    }))
}

pub(super) fn head(connection: &Connection) -> Result<Position, rusqlite::Error> {
    connection
        .prepare_cached("SELECT COALESCE(MAX(position), 0) FROM event")?
        .query_row([], |row| row.get(0))
        .map(Position)
}

pub(super) fn last_version(
    connection: &Connection,
    stream: &str,
) -> Result<Option<u64>, rusqlite::Error> {
    connection
        .prepare_cached(
            "SELECT version FROM event WHERE stream = ?1 ORDER BY version DESC LIMIT 1",
        )?
        .query_row([stream], |row| row.get(0))
        .optional()
}
