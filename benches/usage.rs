//! How fast usage is taken in, over HTTP by the real server, with batches of a thousand events from
//! senders at the same time; and what that takes in memory, over a million events.
//!
//! Raw puts the same events as rows into a table of the same database, a thousand in a transaction,
//! with the unique index that makes repeats harmless, and answers nobody. On SQLite that is one writer
//! and a commit that survives a power cut.

use std::sync::Arc;
use std::time::{Duration, Instant};

use connection::Connection;
use events::id::DatabaseId;
use events::time::Time;
use memory::Memory;
use reqwest::Method;
use rounds::{compare, say, title};
use rusqlite::Connection as Raw;
use serde_json::{Value, json};
use server::{Owner, Server};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use uuid::Uuid;

mod connection;
mod memory;
mod processor;
#[expect(dead_code, reason = "these rounds do so much, and not for so long")]
mod rounds;
#[expect(dead_code, reason = "other benches ask more of it")]
mod server;

const SENDERS: usize = 8;
const DATABASES: usize = 20;
const BATCH: usize = 1000;
/// Of each round; there are five.
const BATCHES: usize = 200;
const GOAL: f64 = 0.5;

fn main() {
    let runtime = Runtime::new().expect("a runtime starts");
    let data = tempfile::tempdir().expect("a folder can be made");
    let server = Server::start(data.path());
    let sender = runtime.block_on(Sender::new(&server));
    let mut raw = open(&data.path().join("raw.db"));

    title("Usage over HTTP, SQLite, in batches of 1000; raw: rows with a unique index");
    let memory = Memory::of(server.id());
    let (mut spent, mut grown) = (Vec::new(), Vec::new());
    let prepare = || Arc::new((0..BATCHES).map(|_| sender.batch()).collect::<Vec<_>>());
    let insert = |work: Arc<Vec<Batch>>| insert(&mut raw, &sender.organization, &work);
    let tell = |work: Arc<Vec<Batch>>| {
        let before = processor::time_of(server.id());
        let rate = runtime.block_on(tell(&server, work));
        spent.push(processor::time_of(server.id()).saturating_sub(before));
        grown.push(memory.grown().to_string());
        rate
    };
    let name = format!("{SENDERS} senders: events");
    compare(&name, Some(GOAL), prepare, insert, tell);
    let events = u32::try_from(spent.len() * BATCHES * BATCH).expect("a bench is short");
    let each = spent.iter().sum::<Duration>().as_secs_f64() * 1e6 / f64::from(events);
    say(&format!("{each:46.1} microseconds of processor time for an event"));
    say(&format!("{:>46} MB more in memory after each round", grown.join(", ")));
}

/// What one request tells: as rows, and as the request.
struct Batch {
    rows: Vec<Row>,
    request: Vec<u8>,
}

struct Row {
    source: &'static str,
    id: String,
    kind: &'static str,
    time: String,
    database: String,
    value: u64,
}

/// Who may tell what an organization uses.
struct Sender {
    organization: String,
    owner: Owner,
    databases: Vec<String>,
    now: Time,
}

impl Sender {
    async fn new(server: &Server) -> Self {
        let owner = server.registers("owner@example.org").await;
        let body = json!({ "name": "Usage", "slug": "usage" });
        let founded = server.asks(Method::POST, "/v1/organizations", &owner, Some(&body)).await;
        let organization = founded["id"].as_str().expect("an id").to_owned();
        let mut databases = Vec::new();
        for number in 0..DATABASES {
            let name = format!("database-{number}");
            let body = json!({ "name": name, "database_type": "postgresql", "region": "fsn1" });
            let path = format!("/v1/organizations/{organization}/databases");
            let made = server.asks(Method::POST, &path, &owner, Some(&body)).await;
            let id: DatabaseId = made["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
            databases.push(id.to_string());
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.expect("the clock is right").as_millis();
        let now = Time::from_millis(i64::try_from(now).expect("the clock is right"));
        Self { organization, owner, databases, now }
    }

    fn batch(&self) -> Batch {
        let rows: Vec<Row> = (0..BATCH).map(|number| self.row(number)).collect();
        let events: Vec<Value> = rows.iter().map(Row::event).collect();
        let body = serde_json::to_vec(&events).expect("it is JSON");
        let mut request = format!(
            "POST /v1/organizations/{}/usage/events HTTP/1.1\r\nhost: bench\r\n\
             authorization: Bearer {}\r\nuser-agent: bench\r\n\
             content-type: application/cloudevents-batch+json\r\ncontent-length: {}\r\n\r\n",
            self.organization,
            self.owner.token,
            body.len()
        )
        .into_bytes();
        request.extend(body);
        Batch { rows, request }
    }

    fn row(&self, number: usize) -> Row {
        let (kind, value) = match number % 20 {
            19 => ("storage_bytes", 40_000_000_000),
            odd if odd % 2 == 1 => ("bytes_transferred", 1_000_000 + odd as u64),
            even => ("queries", 1 + even as u64),
        };
        // what an hour brought
        let ago = 3600 * i64::try_from(number).unwrap_or_default();
        let time = Time::from_millis(self.now.millis() - ago);
        let id = Uuid::new_v4().to_string();
        let database = self.databases[number % DATABASES].clone();
        let source = "//proxy.example.com/7";
        Row { source, id, kind, time: time.to_string(), database, value }
    }
}

impl Row {
    fn event(&self) -> Value {
        let Self { source, id, kind, time, database, value } = self;
        json!({
            "specversion": "1.0", "id": id, "source": source, "type": kind, "time": time,
            "data": { "database_id": database, "value": value },
        })
    }
}

fn open(path: &std::path::Path) -> Raw {
    let raw = Raw::open(path).expect("a file can be made");
    raw.pragma_update(None, "journal_mode", "WAL").expect("the option is there");
    raw.pragma_update(None, "synchronous", "FULL").expect("the option is there");
    raw.execute_batch(
        "CREATE TABLE used (organization TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, \
         time TEXT NOT NULL, database TEXT NOT NULL, value INTEGER NOT NULL) STRICT; \
         CREATE UNIQUE INDEX used_once ON used (organization, source, id);",
    )
    .expect("the tables are new");
    raw
}

/// How many a second.
fn insert(raw: &mut Raw, organization: &str, work: &[Batch]) -> f64 {
    let started = Instant::now();
    for batch in work {
        let transaction = raw.transaction().expect("nobody else writes");
        let sql = "INSERT INTO used VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
        let mut insert = transaction.prepare_cached(sql).expect("the table is there");
        for Row { source, id, kind, time, database, value } in &batch.rows {
            let row = (organization, source, id, kind, time, database, value);
            assert_eq!(insert.execute(row).expect("the disk has room"), 1);
        }
        drop(insert);
        transaction.commit().expect("the disk has room");
    }
    rate(work, started)
}

/// The same, by senders who take the batches in turns.
async fn tell(server: &Server, work: Arc<Vec<Batch>>) -> f64 {
    let address = server.url.strip_prefix("http://").expect("it is plain HTTP").to_owned();
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut senders = JoinSet::new();
    let started = Instant::now();
    for _ in 0..SENDERS {
        let (work, next, address) = (Arc::clone(&work), Arc::clone(&next), address.clone());
        senders.spawn(async move {
            let mut connection = Connection::open(&address).await;
            loop {
                let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let Some(batch) = work.get(number) else { break };
                let (status, body) = connection.ask(&batch.request).await;
                assert_eq!(status, 200, "{}", String::from_utf8_lossy(body));
                assert!(body.starts_with(b"{\"accepted\":1000,"), "each is new");
            }
        });
    }
    senders.join_all().await;
    rate(&work, started)
}

fn rate(work: &[Batch], started: Instant) -> f64 {
    let events = u32::try_from(work.len() * BATCH).expect("a round is short");
    f64::from(events) / started.elapsed().as_secs_f64()
}
