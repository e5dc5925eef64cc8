//! A reader that follows the log never skips an event, however the writers' commits interleave.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chancery::event_log::EventLog;
use events::recorded::Position;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::{SOON, Store, append};
use crate::line::{Writer, new_stream};
use crate::oracle::{Journal, read_everything};
use crate::postgres::Database;

const WRITERS: usize = 16;

/// Up to 4 ms, so that commits overtake each other.
fn random_pause() -> Duration {
    Duration::from_micros(u64::from(Uuid::new_v4().as_bytes()[0]) * 16)
}

/// Lets 16 writers append to the nodes in turn while one tail follows; the number it skipped.
async fn skipped(nodes: &[Arc<EventLog>], contiguous: bool) -> usize {
    let journal = Arc::new(Journal::default());
    let done = Arc::new(AtomicBool::new(false));
    let tail = tokio::spawn({
        let (log, done) = (Arc::clone(&nodes[0]), Arc::clone(&done));
        async move {
            let (mut seen, mut after) = (Vec::new(), Position(0));
            loop {
                let was_done = done.load(Ordering::SeqCst);
                let page = log.read_all(after, 7).await.expect("the log can be read");
                seen.extend(page.events);
                after = page.next;
                if page.at_head && was_done {
                    return seen;
                }
                if page.at_head {
                    log.wait(after, Duration::from_secs(1)).await;
                }
            }
        }
    });
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        let (log, journal) = (Arc::clone(&nodes[number % nodes.len()]), Arc::clone(&journal));
        writers.spawn(async move {
            let mut writer = Writer::new(new_stream());
            for count in 0..60 {
                sleep(random_pause()).await;
                let events = writer.lines(1 + count % 2);
                journal.append(&log, &mut writer, events).await;
            }
        });
    }
    writers.join_all().await;
    done.store(true, Ordering::SeqCst);
    let seen = tail.await.expect("the tail goes on");
    let stored = journal.check(&nodes[0], contiguous).await;
    assert_eq!(stored.len(), WRITERS * 90);
    assert!(seen.is_sorted_by_key(|event| event.position), "the tail goes forwards only");
    let seen: HashSet<Position> = seen.iter().map(|event| event.position).collect();
    stored.iter().filter(|event| !seen.contains(&event.position)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tail_of_a_sqlite_log_skips_nothing() {
    let store = Store::sqlite();
    assert_eq!(skipped(&[Arc::new(store.open().await)], store.is_contiguous()).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tail_of_an_eventstoredb_log_skips_nothing() {
    let store = Store::eventstoredb();
    let nodes = [Arc::new(store.open().await), Arc::new(store.open().await)];
    assert_eq!(skipped(&nodes, store.is_contiguous()).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tail_of_a_postgresql_log_skips_nothing_where_a_naive_one_does() {
    let store = Store::Postgres(Database::create().await);
    let nodes = [Arc::new(store.open().await), Arc::new(store.open().await)];
    assert_eq!(skipped(&nodes, store.is_contiguous()).await, 0);
    let Store::Postgres(database) = &store else { panic!("this is the PostgreSQL log") };
    assert!(naive_skips(database).await, "the test would not notice a log that skips");
}

/// Whether a log over a sequence loses events for its reader: the order of its numbers is not the
/// order of its commits.
async fn naive_skips(database: &Database) -> bool {
    let mut reader = database.connect().await;
    reader.execute("CREATE TABLE naive (position bigserial PRIMARY KEY)").await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (mut connection, stop) = (database.connect().await, Arc::clone(&stop));
        writers.spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let mut transaction = connection.begin().await.unwrap();
                let insert = "INSERT INTO naive DEFAULT VALUES";
                transaction.execute(insert).await.unwrap();
                sleep(random_pause()).await;
                transaction.commit().await.unwrap();
            }
        });
    }
    let started = Instant::now();
    let (mut seen, mut last) = (0_i64, 0_i64);
    let mut has_skipped = false;
    while !has_skipped && started.elapsed() < SOON {
        let page: Vec<i64> =
            sqlx::query_scalar("SELECT position FROM naive WHERE position > $1 ORDER BY position")
                .bind(last)
                .fetch_all(&mut reader)
                .await
                .unwrap();
        seen += i64::try_from(page.len()).unwrap();
        last = page.last().copied().unwrap_or(last);
        let up_to_last: i64 = sqlx::query_scalar("SELECT count(*) FROM naive WHERE position <= $1")
            .bind(last)
            .fetch_one(&mut reader)
            .await
            .unwrap();
        has_skipped = up_to_last > seen;
    }
    stop.store(true, Ordering::SeqCst);
    writers.join_all().await;
    has_skipped
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_transaction_elsewhere_does_not_stall_the_tail() {
    let (database, other) = (Database::create().await, Database::create().await);
    let mut elsewhere: PgConnection = other.connect().await;
    let mut far = elsewhere.begin().await.unwrap();
    far.execute("SELECT txid_current()").await.unwrap();
    let mut same_database: PgConnection = database.connect().await;
    let mut near = same_database.begin().await.unwrap();
    near.execute("SELECT txid_current()").await.unwrap();

    let store = Store::Postgres(database);
    let log = store.open().await;
    let mut writer = Writer::new(new_stream());
    let tail = async {
        append(&log, &mut writer, 3).await;
        read_everything(&log, 1000).await
    };
    assert_eq!(timeout(SOON, tail).await.expect("nothing waits").len(), 3);
    far.commit().await.unwrap();
    near.commit().await.unwrap();
}
