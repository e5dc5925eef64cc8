//! Appends that are chained and proven beside the same appends without: the same log and the same
//! callers, but lines that name no `prev`, and nobody who grows a tree.
//!
//! The store hashes each line on both sides, as it always does: so the proven side hashes it once
//! more, and once more for the line that names it. The trees are grown as the projector does, from
//! the log, 50 ms at a time, in a read store of their own.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chancery::event_log::EventLog;
use events::chain::Link;
use events::recorded::Position;
use events::tree::Hash;
use events::wire;
use projections::ledger::{self, Leaf};
use projections::{Key, Written};
use rusqlite::{Connection, OptionalExtension as _};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::callers::{Callers, Ready, Work, appends, rate_of};
use crate::rounds::{compare, title};

const CALLERS: usize = 64;
const GOAL: f64 = 0.9;
const PAGE: usize = 1000;
const WAIT: Duration = Duration::from_millis(50);

pub(crate) fn measure(runtime: &Runtime) {
    title("append, SQLite, durable (FULL); raw: neither chain nor ledger");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let open = |name: &str| EventLog::sqlite(&folder.path().join(name)).expect("the log opens");
    let (bare, log) = (Arc::new(open("bare.db")), Arc::new(open("log.db")));
    let rows = Rows::open(&folder.path().join("read.db"));
    let grows = Arc::new(AtomicBool::new(true));
    let follower = {
        let (log, grows, handle) = (Arc::clone(&log), Arc::clone(&grows), runtime.handle().clone());
        std::thread::spawn(move || handle.block_on(follow(&log, rows, &grows)))
    };
    let raw = |work: Work| runtime.block_on(appends(&bare, without_links(work)));
    let ours = |work: Work| runtime.block_on(linked(&log, work));
    let mut callers = Callers::new(CALLERS);
    callers.calibrate(raw, ours);
    let each = callers.each();
    compare("64 callers, a stream each", Some(GOAL), || callers.work(each), raw, ours);
    grows.store(false, Ordering::Relaxed);
    let (seen, head) = (follower.join().expect("it does not panic"), runtime.block_on(log.head()));
    assert_eq!(seen, head.expect("the log can be read"), "the trees came to the end of the log");
}

fn without_links(mut work: Work) -> Work {
    for ready in work.iter_mut().flatten() {
        let line = &mut ready.event.line;
        let at = line.windows(8).position(|part| part == b"\"prev\":\"").expect("a line has one");
        let length = line[at + 8..].iter().position(|byte| *byte == b',').expect("more follows");
        line.drain(at..=at + 8 + length);
    }
    work
}

async fn linked(log: &Arc<EventLog>, work: Work) -> f64 {
    let count = work.iter().map(Vec::len).collect::<Vec<_>>();
    let (started, mut callers) = (Instant::now(), JoinSet::new());
    for list in work {
        let log = Arc::clone(log);
        callers.spawn(async move {
            for Ready { stream, expected, event } in list {
                black_box((Link::of_line(&event.line), Link::of_line(&event.line)));
                log.append(&stream, expected, vec![event]).await.expect("nobody else appends");
            }
        });
    }
    callers.join_all().await;
    rate_of(&count, started)
}

/// Grows the trees until nothing is left and nothing comes any more.
async fn follow(log: &EventLog, mut rows: Rows, grows: &AtomicBool) -> Position {
    let (mut position, mut waiting, mut since) = (Position::default(), Vec::new(), Instant::now());
    loop {
        let is_last = !grows.load(Ordering::Relaxed);
        let page = log.follow(position, PAGE).await.expect("the log can be read");
        if waiting.is_empty() {
            since = Instant::now();
        }
        waiting.extend(page.events.iter().map(|stored| {
            let head = wire::head(&stored.line).expect("a line");
            let hash = Hash::of_leaf(&stored.line);
            Leaf { position: stored.position, stream: head.stream, version: head.version, hash }
        }));
        position = page.next;
        let is_due = since.elapsed() >= WAIT || waiting.len() > 4 * PAGE || is_last;
        if is_due && !waiting.is_empty() {
            rows.take(&std::mem::take(&mut waiting));
        }
        if page.at_head && is_last {
            return position;
        }
        if page.at_head {
            log.wait(position, WAIT).await;
        }
    }
}

/// Rows of the model, as the read store keeps them.
struct Rows(Connection);

impl Rows {
    fn open(path: &Path) -> Self {
        let connection = Connection::open(path).expect("the file opens");
        let table = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
            CREATE TABLE row (model TEXT NOT NULL, scope TEXT NOT NULL, id TEXT NOT NULL, \
                sort TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (model, scope, id)) STRICT; \
            CREATE INDEX row_in_order ON row (model, scope, sort)";
        connection.execute_batch(table).expect("the table is made");
        Self(connection)
    }

    fn take(&mut self, leaves: &[Leaf]) {
        let sound = "nobody else has the file";
        let transaction = self.0.transaction().expect(sound);
        let mut known = HashMap::new();
        for key in ledger::wanted(leaves) {
            let select = "SELECT body FROM row WHERE model = ?1 AND scope = ?2 AND id = ?3";
            let mut select = transaction.prepare_cached(select).expect(sound);
            let row = select.query_row((ledger::NAME, &key.scope, &key.id), |row| row.get(0));
            let body: Option<String> = row.optional().expect(sound);
            known.extend(body.map(|body| (key, body)));
        }
        for Written { key: Key { scope, id }, sort, body, .. } in
            ledger::grow(leaves, &known).expect("they are in order")
        {
            let put = "INSERT OR REPLACE INTO row VALUES (?1, ?2, ?3, ?4, ?5)";
            let mut put = transaction.prepare_cached(put).expect(sound);
            put.execute((ledger::NAME, scope, id, sort, body)).expect(sound);
        }
        transaction.commit().expect(sound);
    }
}
