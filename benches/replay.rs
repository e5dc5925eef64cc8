//! How fast the whole log is read and understood, and how fast one stream is loaded and folded.
//!
//! Raw is one prepared statement that streams all rows, and `serde_json` into a plain struct with
//! the members of a line: no typed ids, no link over the bytes, no pages.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use chancery::event_log::{EventLog, Expected, NewEvent, Pages};
use events::State as _;
use events::chain::Link;
use events::organization::Organization;
use events::recorded::Position;
use events::stream::Stream;
use futures_util::TryStreamExt as _;
use line::Writer;
use rounds::{compare, length, say, title};
use serde::Deserialize;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use uuid::Uuid;

mod line;
mod rounds;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const STREAMS: usize = 2_000;
const EVENTS_EACH: usize = 100;
const ALL: u32 = 200_000;
/// What the projector takes at once.
const PAGE: usize = 1000;

/// The members of a line, each as JSON has it.
#[derive(Deserialize)]
#[expect(dead_code, reason = "reading them is the work")]
struct Line<D> {
    #[serde(rename = "_sd")]
    digests: Vec<String>,
    #[serde(rename = "_sd_alg")]
    digest_algorithm: String,
    actor: String,
    cause: Cause,
    data: D,
    id: String,
    prev: String,
    recorded_at: String,
    stream: String,
    #[serde(rename = "type")]
    kind: String,
    type_version: u32,
    v: u8,
    version: u64,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "reading them is the work")]
struct Cause {
    command: String,
    body: String,
    request: String,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "reading them is the work")]
struct Created {
    organization: String,
    slug: String,
    owner: String,
    name: String,
    country: String,
    is_personal: bool,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "reading them is the work")]
struct Updated {
    name: Change,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "reading them is the work")]
struct Change {
    from: String,
    to: String,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "reading them is the work")]
struct Sealed {
    field: String,
    subject: String,
    #[serde(rename = "box")]
    contents: String,
}

/// How much of a row raw makes sense of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    Bytes,
    Line,
    LineAndSealed,
}

fn read_row(read: Read, version: i64, line: &[u8], sealed: &[u8]) {
    let sound = "the rows are as they were written";
    if read == Read::Bytes {
        black_box((line.to_vec(), sealed.to_vec()));
        return;
    }
    if version == 0 {
        black_box(serde_json::from_slice::<Line<Created>>(line).expect(sound));
    } else {
        black_box(serde_json::from_slice::<Line<Updated>>(line).expect(sound));
    }
    if read == Read::LineAndSealed {
        black_box(serde_json::from_slice::<Vec<Sealed>>(sealed).expect(sound));
    }
}

fn main() {
    let runtime = Runtime::new().expect("a runtime starts");
    sqlite(&runtime);
    match std::env::var("CHANCERY_TEST_POSTGRES") {
        Ok(url) => postgres(&runtime, &url),
        Err(_) => say("\nPostgreSQL: skipped; CHANCERY_TEST_POSTGRES names no server"),
    }
}

/// Writes the log and gives its streams.
async fn fill(log: &Arc<EventLog>) -> Vec<Stream> {
    let mut streams = Vec::with_capacity(STREAMS);
    let mut appends = JoinSet::new();
    for _ in 0..STREAMS {
        let mut writer = Writer::new();
        streams.push(writer.stream);
        let log = Arc::clone(log);
        if appends.len() >= 32 {
            appends.join_next().await;
        }
        appends.spawn(async move {
            let events: Vec<NewEvent> = (0..EVENTS_EACH).map(|_| writer.line()).collect();
            let stream = writer.stream;
            log.append(&stream, Expected::NoStream, events).await.expect("the streams are new");
        });
    }
    appends.join_all().await;
    streams
}

fn per_second(count: u32, started: Instant) -> f64 {
    f64::from(count) / started.elapsed().as_secs_f64()
}

/// The whole log by pages, as the projector and a rebuild read it.
async fn replay(log: &Arc<EventLog>) -> f64 {
    let started = Instant::now();
    let mut pages = Pages::after(log, Position::default(), PAGE);
    let mut count = 0;
    loop {
        let page = pages.next().await.expect("the log can be read");
        let stored = page.events.iter();
        let stored = stored.map(|event| (event.position, &event.line[..], &event.sealed[..]));
        let recorded = events::wire::decode_all(stored).expect("the log holds events");
        count += u32::try_from(recorded.len()).expect("a page is short");
        black_box(recorded);
        if page.at_head {
            break;
        }
    }
    assert_eq!(count, ALL, "every event is read once");
    per_second(count, started)
}

/// One stream after the other, each read, decoded, checked line by line and folded.
async fn load(log: &EventLog, streams: &[Stream]) -> f64 {
    let started = Instant::now();
    let mut count = 0;
    for stream in streams {
        let mut organization = Organization::default();
        let mut prev = Link::FIRST;
        let stored = log.read_stream(stream, 0, PAGE).await.expect("the log can be read");
        for (version, event) in (0..).zip(&stored) {
            let recorded = events::wire::decode(event.position, &event.line, &event.sealed)
                .expect("the log holds events");
            assert!(recorded.version == version && recorded.stream == *stream);
            assert_eq!(recorded.prev, prev, "each line links to the one before");
            organization.evolve(&recorded);
            prev = recorded.link;
        }
        assert_eq!(stored.len(), EVENTS_EACH);
        black_box(organization);
        count += 1;
    }
    per_second(count, started)
}

/// As many streams as fill a round.
fn calibrated(streams: &[Stream], mut load: impl FnMut(&[Stream]) -> f64) -> Vec<Stream> {
    let rate = load(&streams[..50]);
    #[expect(clippy::cast_possible_truncation, reason = "a count of streams is small")]
    #[expect(clippy::cast_sign_loss, reason = "rates are positive")]
    let count = (rate * length().as_secs_f64()) as usize;
    streams.iter().copied().cycle().take(count.max(50)).collect()
}

fn sqlite(runtime: &Runtime) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("log.db");
    let log = Arc::new(EventLog::sqlite(&path).expect("the log opens"));
    let streams = runtime.block_on(fill(&log));

    title("replay, SQLite: events");
    let ours = |()| runtime.block_on(replay(&log));
    let line = |()| raw_sqlite(&path, Read::Line);
    compare("whole log; raw: typed lines", Some(0.5), || (), line, ours);
    let both = |()| raw_sqlite(&path, Read::LineAndSealed);
    compare("whole log; raw: typed lines and sealed values", None, || (), both, ours);

    title("load and fold, SQLite: streams of 100 events");
    let ours = |streams: Vec<Stream>| runtime.block_on(load(&log, &streams));
    let streams = calibrated(&streams, |streams| ours(streams.to_vec()));
    let bytes = |streams| raw_load_sqlite(&path, streams, Read::Bytes);
    compare("raw: bytes of the rows", None, || streams.clone(), bytes, ours);
    let line = |streams| raw_load_sqlite(&path, streams, Read::Line);
    compare("raw: typed lines", None, || streams.clone(), line, ours);
}

fn raw_sqlite(path: &Path, read: Read) -> f64 {
    let connection = rusqlite::Connection::open(path).expect("the file opens");
    let mut statement = connection
        .prepare("SELECT version, line, sealed FROM event ORDER BY position")
        .expect("the statement is sound");
    let started = Instant::now();
    let mut rows = statement.query(()).expect("the log can be read");
    let count = raw_rows(&mut rows, read);
    assert_eq!(count, ALL, "every event is read once");
    per_second(count, started)
}

fn raw_rows(rows: &mut rusqlite::Rows<'_>, read: Read) -> u32 {
    let mut count = 0;
    while let Some(row) = rows.next().expect("the log can be read") {
        let blob = |column| row.get_ref(column).and_then(|value| Ok(value.as_blob()?));
        let (line, sealed) = (blob(1).expect("a line"), blob(2).expect("sealed values"));
        read_row(read, row.get(0).expect("a version"), line, sealed);
        count += 1;
    }
    count
}

fn raw_load_sqlite(path: &Path, streams: Vec<Stream>, read: Read) -> f64 {
    let connection = rusqlite::Connection::open(path).expect("the file opens");
    let mut statement = connection
        .prepare("SELECT version, line, sealed FROM event WHERE stream = ?1 ORDER BY version")
        .expect("the statement is sound");
    let names: Vec<String> = streams.iter().map(Stream::to_string).collect();
    let started = Instant::now();
    for name in &names {
        let mut rows = statement.query([name]).expect("the log can be read");
        raw_rows(&mut rows, read);
    }
    per_second(u32::try_from(names.len()).expect("few streams"), started)
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
    let streams = runtime.block_on(fill(&log));
    let connection = || runtime.block_on(PgConnection::connect(&url)).expect("the server answers");
    runtime.block_on(connection().execute("VACUUM ANALYZE log.event")).expect("it can be done");

    title("replay, PostgreSQL: events");
    let ours = |()| runtime.block_on(replay(&log));
    let line = |()| runtime.block_on(raw_postgres(&mut connection(), Read::Line));
    compare("whole log; raw: typed lines", Some(0.8), || (), line, ours);
    let both = |()| runtime.block_on(raw_postgres(&mut connection(), Read::LineAndSealed));
    compare("whole log; raw: typed lines and sealed values", None, || (), both, ours);

    title("load and fold, PostgreSQL: streams of 100 events");
    let ours = |streams: Vec<Stream>| runtime.block_on(load(&log, &streams));
    let streams = calibrated(&streams, |streams| ours(streams.to_vec()));
    let bytes = |list| runtime.block_on(raw_load_postgres(&mut connection(), list, Read::Bytes));
    compare("raw: bytes of the rows", None, || streams.clone(), bytes, ours);
    let line = |list| runtime.block_on(raw_load_postgres(&mut connection(), list, Read::Line));
    compare("raw: typed lines", None, || streams.clone(), line, ours);

    runtime.block_on(log.close());
    let remove = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
    drop(runtime.block_on(server.execute(remove)));
}

async fn raw_postgres(connection: &mut PgConnection, read: Read) -> f64 {
    let started = Instant::now();
    let mut rows = sqlx::query("SELECT version, line, sealed FROM log.event ORDER BY position")
        .fetch(connection);
    let mut count = 0;
    while let Some(row) = rows.try_next().await.expect("the log can be read") {
        read_row(read, row.get(0), row.get(1), row.get(2));
        count += 1;
    }
    assert_eq!(count, ALL, "every event is read once");
    per_second(count, started)
}

async fn raw_load_postgres(connection: &mut PgConnection, streams: Vec<Stream>, read: Read) -> f64 {
    let names: Vec<String> = streams.iter().map(Stream::to_string).collect();
    let started = Instant::now();
    let count = u32::try_from(names.len()).expect("few streams");
    for name in names {
        let rows = sqlx::query(
            "SELECT version, line, sealed FROM log.event WHERE stream = $1 ORDER BY version",
        )
        .bind(name)
        .fetch_all(&mut *connection)
        .await;
        for row in rows.expect("the log can be read") {
            read_row(read, row.get(0), row.get(1), row.get(2));
        }
    }
    per_second(count, started)
}
