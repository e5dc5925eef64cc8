//! What goes wrong between the server and PostgreSQL, many times over: whatever was acknowledged is
//! there, once, and every append gets an answer.

use std::sync::Arc;

use chancery::event_log::postgres::Postgres;
use chancery::event_log::{AppendError, EventLog};
use tokio::task::block_in_place;
use tokio::time::Instant;

use super::SOON;
use crate::line::{Writer, new_stream};
use crate::oracle::{Journal, Load};
use crate::postgres::{Database, Server};
use crate::proxy::{Fault, Proxy};
use crate::rounds::rounds;

async fn open(url: &str) -> Arc<EventLog> {
    Arc::new(EventLog::Postgres(Postgres::connect(url).await.expect("the server answers")))
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_connections_lose_nothing_and_double_nothing() {
    let database = Database::create().await;
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(open(&database.url()).await);
    }
    let load = Load::start(&nodes, 8);
    let mut assassin = database.connect().await;
    let mut killed = 0;
    for _ in rounds() {
        load.journal.progress(20).await;
        let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                    WHERE datname = current_database() AND pid <> pg_backend_pid()";
        killed += sqlx::query_scalar::<_, i64>(kill).fetch_one(&mut assassin).await.unwrap();
    }
    load.journal.progress(100).await;
    let journal = load.stop().await;
    let fresh = open(&database.url()).await;
    let stored = journal.check(&fresh, true).await.len();
    eprintln!("{killed} connections killed, {stored} events, {} replayed", journal.replayed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_the_server_loses_nothing_and_doubles_nothing() {
    let server = block_in_place(Server::start_new);
    let database = server.database().await;
    let nodes = [open(&database.url()).await, open(&database.url()).await];
    let load = Load::start(&nodes, 8);
    let mut crashes = 0;
    for _ in rounds() {
        load.journal.progress(20).await;
        block_in_place(|| {
            server.crash();
            server.start();
        });
        crashes += 1;
    }
    load.journal.progress(100).await;
    let journal = load.stop().await;
    let stored = journal.check(&nodes[0], true).await.len();
    eprintln!("{crashes} crashes, {stored} events, {} replayed", journal.replayed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_whose_answer_is_lost_is_settled_once() {
    let database = Database::create().await;
    let proxy = Proxy::before(database.port()).await;
    let log = open(&database.url_through(proxy.port)).await;
    let journal = Journal::default();
    let mut writer = Writer::new(new_stream());
    let (mut struck, mut written) = (0, 0);
    for round in rounds() {
        let fault = if round % 2 == 0 { Fault::CutBeforeAnswer } else { Fault::CutAfterCommit };
        proxy.set(fault);
        let replayed = journal.replayed();
        let events = writer.lines(2);
        journal.append(&log, &mut writer, events).await;
        written += 2;
        struck += 1;
        assert_eq!(proxy.struck(), struck, "the COMMIT met the fault");
        if fault == Fault::CutBeforeAnswer {
            assert_eq!(journal.replayed(), replayed + 1, "it was written the first time");
        }
    }
    assert_eq!(journal.check(&log, true).await.len(), written);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_swallows_everything_gets_an_answer_in_time() {
    let database = Database::create().await;
    let proxy = Proxy::before(database.port()).await;
    let log = open(&database.url_through(proxy.port)).await;
    let journal = Journal::default();
    let mut writer = Writer::new(new_stream());
    let events = writer.lines(2);
    journal.append(&log, &mut writer, events).await;

    proxy.set(Fault::Hole);
    let (expected, events) = (writer.expected(), writer.lines(2));
    let started = Instant::now();
    let answer = log.append(&writer.stream, expected, events.clone()).await;
    let taken = started.elapsed();
    assert!(matches!(answer, Err(AppendError::NotWritten(_))), "{answer:?}");
    assert!(taken < SOON, "the answer took {taken:?}");

    proxy.set(Fault::None);
    journal.append(&log, &mut writer, events).await;
    assert_eq!(journal.check(&log, true).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_into_silence_is_settled_when_the_network_is_back() {
    let database = Database::create().await;
    let proxy = Proxy::before(database.port()).await;
    let log = open(&database.url_through(proxy.port)).await;
    let journal = Journal::default();
    let mut writer = Writer::new(new_stream());
    let events = writer.lines(2);
    journal.append(&log, &mut writer, events).await;
    // the one that brought the schema up to date, the listener's and the writer's
    proxy.reaches(|| proxy.connections() >= 3).await;
    for round in 1..=3 {
        proxy.set(Fault::HoleAfterCommit);
        let events = writer.lines(2);
        let heal = async {
            proxy.reaches(|| proxy.struck() == round).await;
            let connections = proxy.connections();
            // the node gives the silent connection up and tries another
            proxy.reaches(|| proxy.connections() > connections).await;
            proxy.set(Fault::None);
        };
        tokio::join!(journal.append(&log, &mut writer, events), heal);
        assert_eq!(journal.replayed(), round, "it was written the first time");
    }
    assert_eq!(journal.check(&log, true).await.len(), 8);
}
