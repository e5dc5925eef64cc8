//! Several nodes on one PostgreSQL log.

use std::sync::Arc;

use chancery::event_log::postgres::Postgres;
use chancery::event_log::{AppendError, EventLog, Expected};
use events::recorded::Position;
use sqlx::{Connection as _, Executor as _};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{SOON, append};
use crate::line::{Writer, new_stream};
use crate::oracle::{Load, read_everything};
use crate::postgres::Database;

async fn node(database: &Database) -> EventLog {
    EventLog::Postgres(Postgres::connect(&database.url()).await.expect("the server answers"))
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_at_once_make_one_schema() {
    for _ in 0..5 {
        let database = Arc::new(Database::create().await);
        let mut starting = JoinSet::new();
        for _ in 0..6 {
            let database = Arc::clone(&database);
            starting.spawn(async move { node(&database).await });
        }
        let nodes = starting.join_all().await;
        for log in &nodes {
            append(log, &mut Writer::new(new_stream()), 1).await;
        }
        for log in &nodes {
            assert_eq!(read_everything(log, 1000).await.len(), nodes.len());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_on_one_node_wakes_the_others() {
    let database = Database::create().await;
    let (here, there) = (node(&database).await, node(&database).await);
    let mut writer = Writer::new(new_stream());
    for head in 0..20 {
        let tail = async {
            while there.read_all(Position(head), 10).await.unwrap().events.is_empty() {
                there.wait(Position(head), SOON).await;
            }
        };
        let (_, woken) = tokio::join!(append(&here, &mut writer, 1), timeout(SOON / 2, tail));
        woken.expect("woken by the append");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_race_for_one_stream_agree_on_one_winner() {
    let database = Database::create().await;
    let nodes = [node(&database).await, node(&database).await, node(&database).await];
    let stream = new_stream();
    for _ in 0..20 {
        let stored = nodes[0].read_stream(&stream, 0, 1000).await.unwrap();
        let attempt = |log| {
            let mut writer = Writer::after(stream, &stored);
            let (expected, events) = (writer.expected(), writer.lines(1));
            EventLog::append(log, &stream, expected, events)
        };
        let (a, b, c) = tokio::join!(attempt(&nodes[0]), attempt(&nodes[1]), attempt(&nodes[2]));
        let current = stored.len() as u64;
        let won = [a, b, c].into_iter().filter(|answer| match answer {
            Ok(appended) => appended.last == current,
            Err(AppendError::Conflict { current: named }) => {
                assert_eq!(*named, Some(current));
                false
            }
            Err(error) => panic!("{error}"),
        });
        assert_eq!(won.count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_stops_half_way_holds_the_others_up_only_for_a_while() {
    let database = Database::create().await;
    let log = node(&database).await;
    append(&log, &mut Writer::new(new_stream()), 1).await;
    let mut stopped = database.connect().await;
    stopped.execute("SET idle_in_transaction_session_timeout = '3s'").await.unwrap();
    let mut transaction = stopped.begin().await.unwrap();
    transaction.execute("SELECT pg_advisory_xact_lock(7163082334074663545)").await.unwrap();

    let mut writer = Writer::new(new_stream());
    let appended = timeout(SOON, append(&log, &mut writer, 1)).await.expect("the lock is freed");
    assert_eq!(appended.position, Position(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_answers_what_was_received_and_takes_no_more() {
    let database = Database::create().await;
    let log = Arc::new(node(&database).await);
    let load = Load::start(&[Arc::new(node(&database).await)], 4);
    let mut requests = JoinSet::new();
    for _ in 0..200 {
        let log = Arc::clone(&log);
        requests.spawn(async move {
            let mut writer = Writer::new(new_stream());
            let events = writer.lines(1);
            log.append(&writer.stream, Expected::NoStream, events).await
        });
    }
    let EventLog::Postgres(postgres) = log.as_ref() else { panic!("this is the PostgreSQL log") };
    timeout(SOON, postgres.close()).await.expect("closing ends");
    let mut written = 0;
    for answer in requests.join_all().await {
        match answer {
            Ok(_) => written += 1,
            Err(AppendError::NotWritten(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let others = load.stop().await;
    let stored = read_everything(&node(&database).await, 1000).await.len();
    let others = others.events_acknowledged();
    assert_eq!(stored, written + others);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_said_in_time() {
    let nowhere = "postgres://postgres@127.0.0.1:1/none";
    let answer = timeout(SOON, Postgres::connect(nowhere)).await;
    assert!(answer.expect("in time").is_err());
}
