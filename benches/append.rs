//! How many events a second the log takes, and how much of that its store could do at best.
//!
//! Raw is a writer with the same group commit over the bare driver and the same rows and unique
//! indexes, but no triggers, no expected versions, no links to compute and no answer for a repeat.
//! On PostgreSQL raw is one multi-row INSERT a batch: alone in its transaction, or behind the
//! advisory lock that gapless positions need as soon as there are two nodes.

use std::sync::Arc;
use std::time::Instant;

use callers::{Callers, Ready, Work, appends, rate_of};
use chancery::event_log::{EventLog, NewEvent};
use events::chain::Link;
use rounds::{compare, say, title};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;
use uuid::Uuid;

mod callers;
mod line;
mod rounds;

const CALLERS: [usize; 4] = [1, 16, 64, 512];
const QUEUE: usize = 4096;
const LARGEST_BATCH: usize = 512;

fn main() {
    let runtime = Runtime::new().expect("a runtime starts");
    sqlite(&runtime);
    match std::env::var("CHANCERY_TEST_POSTGRES") {
        Ok(url) => postgres(&runtime, &url),
        Err(_) => say("\nPostgreSQL: skipped; CHANCERY_TEST_POSTGRES names no server"),
    }
}

fn levels(runtime: &Runtime, log: &Arc<EventLog>, raw: &Raw, goal: f64) {
    for count in CALLERS {
        let mut callers = Callers::new(count);
        let raw = |work| runtime.block_on(raw_appends(raw, work));
        let ours = |work| runtime.block_on(appends(log, work));
        callers.calibrate(raw, ours);
        let each = callers.each();
        let goal = (count == 64).then_some(goal);
        let name = format!("{count} callers, a stream each");
        compare(&name, goal, || callers.work(each), raw, ours);
    }
    let mut one = Callers::new(1);
    let raw = |work| runtime.block_on(raw_appends(raw, work));
    let ours = |work| runtime.block_on(appends_in_turn(log, work));
    one.calibrate(raw, ours);
    let each = one.each();
    let name = "64 callers in turn on one stream (raw: 1)";
    compare(name, None, || one.work(each), raw, ours);
}

/// All callers want the same stream and queue up for it, as commands do.
async fn appends_in_turn(log: &Arc<EventLog>, work: Work) -> f64 {
    let started = Instant::now();
    let count = work.iter().map(Vec::len).collect::<Vec<_>>();
    let turn = Arc::new(Mutex::new(work.into_iter().flatten().collect::<Vec<_>>().into_iter()));
    let mut callers = JoinSet::new();
    for _ in 0..64 {
        let (log, turn) = (Arc::clone(log), Arc::clone(&turn));
        callers.spawn(async move {
            loop {
                let mut next = turn.lock().await;
                let Some(Ready { stream, expected, event }) = next.next() else { break };
                log.append(&stream, expected, vec![event]).await.expect("nobody else appends");
            }
        });
    }
    callers.join_all().await;
    rate_of(&count, started)
}

/// A row as it is stored; the position is the writer's.
struct Row {
    stream: String,
    version: i64,
    id: Uuid,
    kind: &'static str,
    line: Vec<u8>,
    sealed: Vec<u8>,
    link: [u8; 32],
    written: oneshot::Sender<()>,
}

type Raw = mpsc::Sender<Row>;

async fn raw_appends(raw: &Raw, work: Work) -> f64 {
    let prepared: Vec<Vec<_>> = work
        .into_iter()
        .map(|list| {
            let prepare = |ready: Ready| {
                let link = *Link::of_line(&ready.event.line).as_bytes();
                (ready.stream.to_string(), ready.expected.next(), ready.event, link)
            };
            list.into_iter().map(prepare).collect()
        })
        .collect();
    let count = prepared.iter().map(Vec::len).collect::<Vec<_>>();
    let started = Instant::now();
    let mut callers = JoinSet::new();
    for list in prepared {
        let raw = raw.clone();
        callers.spawn(async move {
            for (stream, version, event, link) in list {
                let (written, is_written) = oneshot::channel();
                let NewEvent { id, kind, line, sealed } = event;
                let version = i64::try_from(version).expect("versions are small");
                let row = Row { stream, version, id: id.0, kind, line, sealed, link, written };
                drop(raw.send(row).await);
                is_written.await.expect("the writer answers");
            }
        });
    }
    callers.join_all().await;
    rate_of(&count, started)
}

fn sqlite(runtime: &Runtime) {
    title("append, SQLite, durable (FULL)");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let log = Arc::new(EventLog::sqlite(&folder.path().join("log.db")).expect("the log opens"));
    let raw = raw_sqlite(&folder.path().join("raw.db"));
    levels(runtime, &log, &raw, 0.7);
}

fn raw_sqlite(path: &std::path::Path) -> Raw {
    let connection = rusqlite::Connection::open(path).expect("the file opens");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             CREATE TABLE event (position INTEGER PRIMARY KEY, stream TEXT NOT NULL, \
                 version INTEGER NOT NULL, event_id BLOB NOT NULL, kind TEXT NOT NULL, \
                 line BLOB NOT NULL, sealed BLOB NOT NULL, link BLOB NOT NULL, \
                 stored_at INTEGER NOT NULL, UNIQUE (stream, version), UNIQUE (event_id)) STRICT",
        )
        .expect("the table is made");
    let (raw, mut queue) = mpsc::channel::<Row>(QUEUE);
    std::thread::spawn(move || {
        let mut position = 0_i64;
        let mut insert = connection
            .prepare("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")
            .expect("the statement is sound");
        while let Some(first) = queue.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < LARGEST_BATCH
                && let Ok(row) = queue.try_recv()
            {
                batch.push(row);
            }
            connection.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
            for row in &batch {
                position += 1;
                let Row { stream, version, id, kind, line, sealed, link, .. } = row;
                let id = id.as_bytes();
                insert
                    .execute((position, stream, version, id, kind, line, sealed, link, 0))
                    .expect("the row is new");
            }
            connection.execute_batch("COMMIT").expect("the disk has room");
            for row in batch {
                let _ = row.written.send(());
            }
        }
    });
    raw
}

fn postgres(runtime: &Runtime, url: &str) {
    let name = format!("bench_{}", Uuid::new_v4().simple());
    let server = runtime.block_on(PgConnection::connect(url));
    let mut server = server.expect("the server of CHANCERY_TEST_POSTGRES answers");
    let make = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    runtime.block_on(server.execute(make)).expect("a database can be made");
    let (before, _) = url.rsplit_once('/').expect("the URL names a database");
    let url = format!("{before}/{name}");
    let log = Arc::new(runtime.block_on(EventLog::postgres(&url)).expect("the log opens"));

    title("append, PostgreSQL; raw: one INSERT a batch, no lock");
    let raw = runtime.block_on(raw_postgres(&url, "raw", Lock::None));
    levels(runtime, &log, &raw, 0.8);
    drop(raw);
    title("append, PostgreSQL; raw: advisory lock, one INSERT, COMMIT");
    let raw = runtime.block_on(raw_postgres(&url, "raw_locked", Lock::Advisory));
    levels(runtime, &log, &raw, 0.8);
    drop(raw);

    runtime.block_on(log.close());
    let remove = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
    drop(runtime.block_on(server.execute(remove)));
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lock {
    None,
    Advisory,
}

async fn raw_postgres(url: &str, schema: &str, lock: Lock) -> Raw {
    let mut connection = PgConnection::connect(url).await.expect("the server answers");
    let table = format!(
        "CREATE SCHEMA {schema}; \
         CREATE TABLE {schema}.event (position bigint PRIMARY KEY, \
             stream text COLLATE \"C\" NOT NULL, version bigint NOT NULL, event_id uuid NOT NULL, \
             kind text COLLATE \"C\" NOT NULL, line bytea NOT NULL, sealed bytea NOT NULL, \
             link bytea NOT NULL, stored_at timestamptz NOT NULL DEFAULT clock_timestamp(), \
             UNIQUE (stream, version), UNIQUE (event_id))"
    );
    connection.execute(AssertSqlSafe(table)).await.expect("the table is made");
    let insert: Arc<str> = format!(
        "INSERT INTO {schema}.event \
             (position, stream, version, event_id, kind, line, sealed, link) \
         SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::uuid[], $5::text[], \
             $6::bytea[], $7::bytea[], $8::bytea[])"
    )
    .into();
    let (raw, mut queue) = mpsc::channel::<Row>(QUEUE);
    tokio::spawn(async move {
        let mut position = 0_i64;
        let mut batch = Vec::with_capacity(LARGEST_BATCH);
        while queue.recv_many(&mut batch, LARGEST_BATCH).await > 0 {
            if lock == Lock::Advisory {
                let begin = "BEGIN; SELECT pg_advisory_xact_lock(1)";
                connection.execute(begin).await.expect("the lock is free");
            }
            let positions: Vec<i64> = (position + 1..).take(batch.len()).collect();
            position += i64::try_from(batch.len()).expect("a batch is small");
            sqlx::query(AssertSqlSafe(Arc::clone(&insert)))
                .bind(positions)
                .bind(column(&batch, |row| row.stream.as_str()))
                .bind(column(&batch, |row| row.version))
                .bind(column(&batch, |row| row.id))
                .bind(column(&batch, |row| row.kind))
                .bind(column(&batch, |row| row.line.as_slice()))
                .bind(column(&batch, |row| row.sealed.as_slice()))
                .bind(column(&batch, |row| row.link))
                .execute(&mut connection)
                .await
                .expect("the rows are new");
            if lock == Lock::Advisory {
                connection.execute("COMMIT").await.expect("the server commits");
            }
            for row in batch.drain(..) {
                let _ = row.written.send(());
            }
        }
    });
    raw
}

fn column<'a, T>(batch: &'a [Row], of: impl Fn(&'a Row) -> T) -> Vec<T> {
    batch.iter().map(of).collect()
}
