//! What goes wrong between the server and EventStoreDB: whatever was acknowledged is there, once,
//! and every append gets an answer. The other side is a double that fails on request.

use std::sync::Arc;
use std::time::Duration;

use chancery::event_log::{AppendError, Appended, EventLog, Expected, ReadError, Rejected};
use events::chain::Walk;
use events::recorded::Position;
use eventstore_double::{Cluster, Fault, Refusal};
use tokio::task::{JoinSet, block_in_place};
use tokio::time::Instant;
use uuid::Uuid;

use super::store::connect_eventstoredb;
use super::{SOON, append};
use crate::line::{Writer, new_stream};
use crate::oracle::{Journal, Load, read_everything};
use crate::rounds::rounds;

fn start(nodes: usize) -> Cluster {
    Cluster::start(nodes).expect("a port is free")
}

async fn open(cluster: &Cluster) -> Arc<EventLog> {
    Arc::new(connect_eventstoredb(&cluster.url()).await)
}

fn restart(cluster: &Cluster, node: usize) {
    block_in_place(|| cluster.restart(node)).expect("its port is free again");
}

/// One more append of two events, which has to succeed sooner or later.
async fn append_two(journal: &Journal, log: &EventLog, writer: &mut Writer) {
    let events = writer.lines(2);
    journal.append(log, writer, events).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_go_on_when_a_node_dies() {
    let cluster = start(3);
    let log = open(&cluster).await;
    let (journal, mut writer) = (Journal::default(), Writer::new(new_stream()));
    append_two(&journal, &log, &mut writer).await;
    let mut taken = Vec::new();
    for _ in 0..4 {
        let leader = cluster.leader().expect("the last append found one");
        cluster.kill(leader);
        let died = Instant::now();
        append_two(&journal, &log, &mut writer).await;
        taken.push(died.elapsed());
        restart(&cluster, leader);
    }
    // a machine may be busy for a while, but not each time
    taken.sort();
    assert!(taken[1] < Duration::from_secs(5) && taken[3] < SOON, "{taken:?}");
    assert_eq!(journal.check(&log, false).await.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_up_later_is_found() {
    let cluster = Cluster::stopped(1).expect("a port is free");
    let log = open(&cluster).await;
    let (journal, mut writer) = (Journal::default(), Writer::new(new_stream()));
    let events = writer.lines(2);
    let started = Instant::now();
    let answer = log.append(&writer.stream, Expected::NoStream, events.clone()).await;
    assert!(matches!(answer, Err(AppendError::NotWritten(_))), "{answer:?}");
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    assert!(matches!(log.last_version(&writer.stream).await, Err(ReadError::Unavailable(_))));

    restart(&cluster, 0);
    journal.append(&log, &mut writer, events).await;
    assert_eq!(journal.check(&log, false).await.len(), 2);
    assert_eq!(eventual_version(&log, &writer).await, Some(1));
}

/// The last version once the tail is fresh again.
async fn eventual_version(log: &EventLog, writer: &Writer) -> Option<u64> {
    let started = Instant::now();
    loop {
        match log.last_version(&writer.stream).await {
            Ok(version) => return version,
            Err(error) => assert!(started.elapsed() < SOON, "{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_moves_is_followed() {
    let cluster = start(3);
    let log = open(&cluster).await;
    let (journal, mut writer) = (Journal::default(), Writer::new(new_stream()));
    for round in 0..9 {
        cluster.elect(round % 3);
        append_two(&journal, &log, &mut writer).await;
        assert_eq!(eventual_version(&log, &writer).await, Some(round as u64 * 2 + 1));
    }
    assert_eq!(journal.check(&log, false).await.len(), 18);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_ready_has_written_nothing() {
    let cluster = start(1);
    let log = open(&cluster).await;
    let mut writer = Writer::new(new_stream());
    for refusal in [Refusal::NotReady, Refusal::TooBusy] {
        let (expected, events) = (writer.expected(), writer.lines(2));
        cluster.refuse_all(Some(refusal));
        let answer = log.append(&writer.stream, expected, events.clone()).await;
        assert!(matches!(answer, Err(AppendError::NotWritten(_))), "{answer:?}");
        cluster.refuse_all(None);
        let appended = log.append(&writer.stream, expected, events).await.unwrap();
        assert!(!appended.replayed);
    }
    cluster.fail_appends([Fault::NotReady, Fault::TooBusy]);
    let (expected, events) = (writer.expected(), writer.clone().lines(1));
    while cluster.faults_left() > 0 {
        let answer = log.append(&writer.stream, expected, events.clone()).await;
        assert!(matches!(answer, Err(AppendError::NotWritten(_))), "{answer:?}");
    }
    assert_eq!(cluster.stored().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_whose_answer_is_lost_is_settled_once() {
    let cluster = start(1);
    let log = open(&cluster).await;
    let (journal, mut writer) = (Journal::default(), Writer::new(new_stream()));
    for faults in [
        vec![Fault::CommitThenDrop],
        vec![Fault::DropBeforeCommit],
        vec![Fault::CommitThenTimeOut],
        vec![Fault::TimeOutBeforeCommit],
        vec![Fault::CommitThenDrop, Fault::DropBeforeCommit, Fault::CommitThenTimeOut],
    ] {
        cluster.fail_appends(faults);
        append_two(&journal, &log, &mut writer).await;
        assert_eq!(cluster.faults_left(), 0);
    }
    assert_eq!(journal.check(&log, false).await.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_is_never_called_not_written() {
    let cluster = start(1);
    let log = open(&cluster).await;
    let mut writer = Writer::new(new_stream());
    let events = writer.lines(2);
    // written, though a repeat is turned away
    cluster.fail_appends([Fault::CommitThenDrop, Fault::NotReady, Fault::TooBusy]);
    let appended = log.append(&writer.stream, Expected::NoStream, events).await.unwrap();
    assert_eq!((appended.last, cluster.faults_left()), (1, 0));
    assert_eq!(cluster.stored().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_hangs_is_repeated_in_time() {
    let cluster = start(1);
    let log = open(&cluster).await;
    let (journal, mut writer) = (Journal::default(), Writer::new(new_stream()));
    let started = Instant::now();
    cluster.fail_appends([Fault::Hang]);
    append_two(&journal, &log, &mut writer).await;
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    assert_eq!(journal.check(&log, false).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_is_written_late_is_written_once() {
    for late in [Duration::from_secs(2), Duration::from_millis(5_500)] {
        let cluster = start(1);
        let log = open(&cluster).await;
        let (journal, mut writer) = (Journal::default(), Writer::new(new_stream()));
        cluster.fail_appends([Fault::HangThenCommit(late)]);
        append_two(&journal, &log, &mut writer).await;
        append_two(&journal, &log, &mut writer).await;
        // the late one comes while these are written
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(1) {
            append_two(&journal, &log, &mut writer).await;
        }
        journal.check(&log, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_swallows_everything_is_left() {
    let cluster = start(3);
    let log = open(&cluster).await;
    let (journal, mut writer) = (Journal::default(), Writer::new(new_stream()));
    append_two(&journal, &log, &mut writer).await;
    for (silent, next) in [(0, 1), (1, 2)] {
        cluster.freeze(silent);
        cluster.elect(next);
        let started = Instant::now();
        append_two(&journal, &log, &mut writer).await;
        assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
        // whatever the silent node was sent reaches it now
        cluster.thaw(silent);
        append_two(&journal, &log, &mut writer).await;
    }
    assert_eq!(journal.check(&log, false).await.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_cut_short_is_not_taken_for_the_whole() {
    let cluster = start(1);
    let log = open(&cluster).await;
    let mut writer = Writer::new(new_stream());
    let last = append(&log, &mut writer, 6).await;
    assert_eq!(eventual_version(&log, &writer).await, Some(5));
    let unseen = Writer::new(new_stream());
    for events in 0..4 {
        cluster.end_reads_after(Some(events));
        let read = log.read_stream(&writer.stream, 0, 100).await;
        assert!(matches!(read, Err(ReadError::Unavailable(_))), "{read:?}");
        let started = Instant::now();
        while events == 0 && log.last_version(&unseen.stream).await.is_ok() {
            assert!(started.elapsed() < SOON, "an end that is not there is not the end");
        }
        cluster.end_reads_after(None);
        assert_eq!(eventual_version(&log, &writer).await, Some(last.last));
    }
    assert_eq!(read_everything(&log, 2).await.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scavenge_makes_holes_and_nothing_else() {
    let cluster = start(1);
    let log = open(&cluster).await;
    let mut writer = Writer::new(new_stream());
    let (mut seen, mut after) = (Vec::new(), Position(0));
    for round in 0..20 {
        append(&log, &mut writer, 2).await;
        cluster.write_system_record();
        let page = log.read_all(after, 100).await.unwrap();
        assert!(page.next > page.events.last().unwrap().position, "past the server's own record");
        (seen, after) = ([seen, page.events].concat(), page.next);
        // the place the reader stands at is the newest record: only later can it go
        append(&log, &mut writer, 1).await;
        if round % 2 == 0 {
            cluster.scavenge(0);
        }
    }
    seen.extend(log.read_all(after, 100).await.unwrap().events);
    assert_eq!(seen, read_everything(&log, 3).await);
    let mut walk = Walk::new(&writer.stream);
    for event in &seen {
        walk.step(&event.line).unwrap();
    }
    assert_eq!(walk.end().0, 60);
    assert_eq!(eventual_version(&log, &writer).await, Some(59));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_lags_is_not_believed() {
    let cluster = start(3);
    let log = open(&cluster).await;
    let (journal, mut writer) = (Journal::default(), Writer::new(new_stream()));
    let mut after = Position(0);
    for round in 0..12 {
        for node in 0..3 {
            cluster.lag(node, if cluster.leader() == Some(node) { 0 } else { 5 });
        }
        append_two(&journal, &log, &mut writer).await;
        let page = log.read_all(after, 100).await.unwrap();
        assert_eq!(page.events.len(), 2);
        after = page.next;
        let version = eventual_version(&log, &writer).await;
        assert_eq!(version, Some(round * 2 + 1));
        if round % 4 == 3 {
            cluster.elect((cluster.leader().unwrap() + 1) % 3);
        }
    }
    assert_eq!(journal.check(&log, false).await.len(), 24);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_tail_knows_no_last_version() {
    let cluster = start(1);
    let log = open(&cluster).await;
    let mut writer = Writer::new(new_stream());
    append(&log, &mut writer, 3).await;
    assert_eq!(log.last_version(&writer.stream).await.unwrap(), Some(2));
    cluster.hang_reads(true);
    let hung = Instant::now();
    // the bound is on when it is asked: how long the answer takes is the machine's
    let mut asked = hung.elapsed();
    while let Ok(version) = log.last_version(&writer.stream).await {
        assert_eq!(version, Some(2));
        assert!(asked < Duration::from_secs(3), "{asked:?}");
        asked = hung.elapsed();
    }
    cluster.hang_reads(false);
    assert_eq!(eventual_version(&log, &writer).await, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_node_appends_is_known_here_within_a_second() {
    let cluster = start(1);
    let (here, there) = (open(&cluster).await, open(&cluster).await);
    let mut writer = Writer::new(new_stream());
    assert_eq!(here.last_version(&writer.stream).await.unwrap(), None);
    for version in 0..5 {
        let appended = append(&there, &mut writer, 1).await;
        let written = Instant::now();
        loop {
            let asked = written.elapsed();
            match here.last_version(&writer.stream).await {
                Ok(told) if told == Some(version) => break,
                Ok(_) => assert!(asked < Duration::from_secs(3), "{asked:?}"),
                // on a slow machine the last page may be too old to tell anything
                Err(error) => assert!(asked < SOON, "{error}"),
            }
            here.wait(Position(appended.position.0 - 1), Duration::from_secs(1)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_is_left_out_is_found() {
    let cluster = start(1);
    let log = open(&cluster).await;
    let mut writer = Writer::new(new_stream());
    let events = writer.lines(3);
    let first = log.append(&writer.stream, Expected::NoStream, events.clone()).await.unwrap();
    append(&log, &mut writer, 2).await;
    cluster.leave_positions_out(true);
    let again = log.append(&writer.stream, Expected::NoStream, events).await.unwrap();
    assert_eq!(again, Appended { replayed: true, ..first });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_an_operator_deleted_is_reported() {
    let cluster = start(1);
    let log = open(&cluster).await;
    let mut writer = Writer::new(new_stream());
    append(&log, &mut writer, 3).await;
    cluster.tombstone(&writer.stream.to_string());
    let answer = log.append(&writer.stream, writer.expected(), writer.clone().lines(1)).await;
    let is_refused = matches!(answer, Err(AppendError::Rejected(Rejected::Store(_))));
    assert!(is_refused, "{answer:?}");
    let read = log.read_stream(&writer.stream, 0, 10).await;
    assert!(matches!(read, Err(ReadError::Corrupt { .. })), "{read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_ends_a_session_and_costs_its_neighbours_nothing() {
    let cluster = start(1);
    let log = open(&cluster).await;
    let journal = Arc::new(Journal::default());
    let mut writers = JoinSet::new();
    for number in 0..40 {
        let (log, journal) = (Arc::clone(&log), Arc::clone(&journal));
        writers.spawn(async move {
            let mut writer = Writer::new(new_stream());
            for round in 0..10 {
                append_two(&journal, &log, &mut writer).await;
                if (number + round) % 10 == 0 {
                    let mut stranger = Writer::new(writer.stream);
                    let events = stranger.lines(1);
                    let answer = log.append(&writer.stream, Expected::NoStream, events).await;
                    let current = Some(round * 2 + 1);
                    let is_conflict = matches!(
                        answer,
                        Err(AppendError::Conflict { current: named }) if named == current
                    );
                    assert!(is_conflict, "{answer:?}");
                }
            }
        });
    }
    writers.join_all().await;
    assert_eq!(journal.check(&log, false).await.len(), 40 * 10 * 2);
    assert_eq!(journal.replayed(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_die_at_random_lose_nothing_and_double_nothing() {
    let cluster = start(3);
    let logs = [open(&cluster).await, open(&cluster).await];
    let load = Load::start(&logs, 6);
    let mut killed = 0;
    for _ in rounds() {
        load.journal.progress(20).await;
        let node = usize::from(Uuid::new_v4().as_bytes()[0]) % cluster.nodes();
        let faults = [Fault::CommitThenDrop, Fault::CommitThenTimeOut, Fault::DropBeforeCommit];
        cluster.fail_appends(faults);
        cluster.kill(node);
        load.journal.progress(5).await;
        restart(&cluster, node);
        killed += 1;
    }
    load.journal.progress(50).await;
    let journal = load.stop().await;
    let stored = journal.check(&logs[0], false).await;
    assert_eq!(stored.len(), cluster.stored().len());
    eprintln!("{killed} nodes killed, {} events, {} replayed", stored.len(), journal.replayed());
}
