//! The contract of the log: the same promises, kept by every store.

use std::sync::Arc;
use std::time::Duration;

use chancery::event_log::{
    AppendError, Appended, EventLog, Expected, LARGEST_APPEND, MOST_EVENTS, Rejected, Stored,
};
use events::id::EventId;
use events::recorded::Position;
use events::wire;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::line::{Writer, new_stream};
use crate::oracle::{Journal, read_everything};
use store::Store;

mod eventstoredb_faults;
mod guards;
mod postgres_faults;
mod postgres_nodes;
mod skip;
mod sqlite_faults;
mod store;

/// Longer than anything takes on a busy machine; only a fault waits for it.
const SOON: Duration = Duration::from_mins(1);

/// A promise per store, as a test of its own.
macro_rules! promises {
    ($($stores:tt: $($promise:ident)*;)*) => {
        $($(promises!(@ $stores $promise);)*)*
    };
    (@ [$($store:ident)*] $promise:ident) => {
        mod $promise {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $store() {
                if let Some(store) = super::store::$store().await {
                    super::$promise(store).await;
                }
            })*
        }
    };
}

promises! {
    [sqlite postgres eventstoredb]:
        what_was_appended_is_read_back
        a_new_log_is_empty
        a_conflict_names_the_true_version
        a_repeated_append_gets_its_first_answer
        a_repeat_that_matches_only_partly_is_never_taken_for_one
        an_append_that_is_too_large_is_refused
        repeats_in_one_batch_are_written_once
        each_version_of_a_contested_stream_has_one_winner
        every_page_size_gives_the_same_sequence
        following_gives_the_same_sequence
        an_append_goes_on_when_its_caller_gives_up
        a_restart_keeps_everything;
    // these need no log of their own
    [sqlite postgres eventstoredb eventstoredb_server]:
        versions_and_positions_follow_the_order_of_the_appends
        a_stream_is_read_from_any_version
        heads_of_many_streams_come_in_their_order
        waiting_ends_when_something_is_appended
        waiting_without_news_ends_in_time;
    // a file of SQLite has one node
    [postgres eventstoredb]:
        what_a_read_has_shown_is_known_from_then_on;
    // EventStoreDB compares ids only where a repeated append would have put them; ours are made
    // of stream and command, and the stream's own fold knows its commands for ever
    [sqlite postgres]:
        an_id_is_in_the_log_only_once
        an_append_is_written_whole_or_not_at_all
        a_bad_request_leaves_its_neighbours_alone;
}

async fn append(log: &EventLog, writer: &mut Writer, count: usize) -> Appended {
    let expected = writer.expected();
    let events = writer.lines(count);
    log.append(&writer.stream, expected, events).await.expect("the log takes it")
}

fn ids(stored: &[Stored]) -> Vec<EventId> {
    stored.iter().map(|event| wire::head(&event.line).expect("a line").id).collect()
}

async fn what_was_appended_is_read_back(store: Store) {
    let log = store.open().await;
    let mut writer = Writer::new(new_stream());
    let events = writer.lines(3);
    let appended = log.append(&writer.stream, Expected::NoStream, events.clone()).await.unwrap();
    assert_eq!((appended.last, appended.replayed), (2, false));

    let read = log.read_stream(&writer.stream, 0, 10).await.unwrap();
    assert_eq!(read.len(), 3);
    for (event, stored) in events.iter().zip(&read) {
        assert_eq!((&event.line, &event.sealed), (&stored.line, &stored.sealed));
    }
    assert_eq!(read[2].position, appended.position);
    assert_eq!(read_everything(&log, 1000).await, read);
    assert_eq!(log.head().await.unwrap(), appended.position);
    assert_eq!(log.last_version(&writer.stream).await.unwrap(), Some(2));
}

async fn a_new_log_is_empty(store: Store) {
    let log = store.open().await;
    let page = log.read_all(Position(0), 10).await.unwrap();
    assert_eq!((page.events.len(), page.next, page.at_head), (0, Position(0), true));
    assert_eq!(log.head().await.unwrap(), Position(0));
    assert_eq!(log.last_version(&new_stream()).await.unwrap(), None);
    assert!(log.read_stream(&new_stream(), 0, 10).await.unwrap().is_empty());
}

async fn versions_and_positions_follow_the_order_of_the_appends(store: Store) {
    let log = store.open().await;
    let mut writers = [Writer::new(new_stream()), Writer::new(new_stream())];
    let mut last = Position(0);
    for round in 0..6 {
        let writer = &mut writers[round % 2];
        let appended = append(&log, writer, 2).await;
        assert_eq!(appended.last, (round / 2 * 2 + 1) as u64);
        assert!(appended.position > last);
        assert!(!store.is_contiguous() || appended.position.0 == last.0 + 2);
        last = appended.position;
    }
}

async fn a_conflict_names_the_true_version(store: Store) {
    let log = store.open().await;
    let mut writer = Writer::new(new_stream());
    let stranger = Writer::new(writer.stream);
    append(&log, &mut writer, 4).await;
    for (expected, stream, current) in [
        (Expected::NoStream, writer.stream, Some(3)),
        (Expected::Version(1), writer.stream, Some(3)),
        (Expected::Version(4), writer.stream, Some(3)),
        (Expected::Version(0), new_stream(), None),
    ] {
        let answer = log.append(&stream, expected, stranger.clone().lines(1)).await;
        match answer {
            Err(AppendError::Conflict { current: named }) => assert_eq!(named, current),
            other => panic!("{expected:?}: {other:?}"),
        }
    }
    assert_eq!(read_everything(&log, 1000).await.len(), 4);
}

async fn a_repeated_append_gets_its_first_answer(store: Store) {
    let log = store.open().await;
    let mut writer = Writer::new(new_stream());
    append(&log, &mut writer, 2).await;
    let (expected, events) = (writer.expected(), writer.lines(3));
    let first = log.append(&writer.stream, expected, events.clone()).await.unwrap();
    assert!(!first.replayed);
    let again = Appended { replayed: true, ..first };
    assert_eq!(log.append(&writer.stream, expected, events.clone()).await.unwrap(), again);

    for _ in 0..20 {
        append(&log, &mut writer, 5).await;
        append(&log, &mut Writer::new(new_stream()), 1).await;
    }
    assert_eq!(log.append(&writer.stream, expected, events.clone()).await.unwrap(), again);
    drop(log);
    let log = store.open().await;
    assert_eq!(log.append(&writer.stream, expected, events).await.unwrap(), again);
    assert_eq!(read_everything(&log, 1000).await.len(), 2 + 3 + 20 * 6);
}

async fn a_repeat_that_matches_only_partly_is_never_taken_for_one(store: Store) {
    let log = store.open().await;
    let mut writer = Writer::new(new_stream());
    let events = writer.lines(3);
    log.append(&writer.stream, Expected::NoStream, events.clone()).await.unwrap();
    let mut fork = Writer::new(writer.stream);
    let first_only = [events[0].clone(), fork.line(), fork.line()];
    let last_only = [fork.line(), fork.line(), events[2].clone()];
    let one_more = [events.clone(), fork.lines(1)].concat();
    for attempt in [first_only.to_vec(), last_only.to_vec(), one_more] {
        let answer = log.append(&writer.stream, Expected::NoStream, attempt).await;
        assert!(
            matches!(answer, Err(AppendError::Conflict { .. } | AppendError::Rejected(_))),
            "{answer:?}"
        );
    }
    let beginning = log.append(&writer.stream, Expected::NoStream, events[..2].to_vec()).await;
    let (last, position) = (1, log.read_stream(&writer.stream, 1, 1).await.unwrap()[0].position);
    assert_eq!(beginning.unwrap(), Appended { last, position, replayed: true });
    assert_eq!(read_everything(&log, 1000).await.len(), 3);
}

async fn an_id_is_in_the_log_only_once(store: Store) {
    let log = store.open().await;
    let mut writer = Writer::new(new_stream());
    append(&log, &mut writer, 1).await;
    let taken = ids(&log.read_stream(&writer.stream, 0, 1).await.unwrap())[0];
    for stream in [writer.stream, new_stream()] {
        let mut thief = if stream == writer.stream { writer.clone() } else { Writer::new(stream) };
        let expected = thief.expected();
        let stolen = vec![thief.line(), thief.line_with_id(taken)];
        let answer = log.append(&stream, expected, stolen).await;
        assert!(matches!(answer, Err(AppendError::Rejected(Rejected::IdTaken))), "{answer:?}");
    }
    let mut twice = Writer::new(new_stream());
    let id = EventId(Uuid::new_v4());
    let events = vec![twice.line_with_id(id), twice.line_with_id(id)];
    let answer = log.append(&twice.stream, Expected::NoStream, events).await;
    assert!(matches!(answer, Err(AppendError::Rejected(Rejected::IdTaken))), "{answer:?}");
    assert_eq!(read_everything(&log, 1000).await.len(), 1);
}

async fn an_append_is_written_whole_or_not_at_all(store: Store) {
    let log = store.open().await;
    let mut holder = Writer::new(new_stream());
    append(&log, &mut holder, 1).await;
    let taken = ids(&log.read_stream(&holder.stream, 0, 1).await.unwrap())[0];
    let mut writer = Writer::new(new_stream());
    let mut events = writer.lines(MOST_EVENTS - 1);
    events.push(writer.line_with_id(taken));
    let answer = log.append(&writer.stream, Expected::NoStream, events).await;
    assert!(matches!(answer, Err(AppendError::Rejected(_))), "{answer:?}");
    assert_eq!(log.last_version(&writer.stream).await.unwrap(), None);

    let whole = append(&log, &mut Writer::new(writer.stream), MOST_EVENTS).await;
    assert_eq!(whole.last, MOST_EVENTS as u64 - 1);
    assert_eq!(read_everything(&log, 1000).await.len(), 1 + MOST_EVENTS);
}

async fn an_append_that_is_too_large_is_refused(store: Store) {
    let log = store.open().await;
    let mut writer = Writer::new(new_stream());
    let none = log.append(&writer.stream, Expected::NoStream, vec![]).await;
    assert!(matches!(none, Err(AppendError::Rejected(Rejected::Count(0)))), "{none:?}");
    let many = log.append(&writer.stream, Expected::NoStream, writer.clone().lines(501)).await;
    assert!(matches!(many, Err(AppendError::Rejected(Rejected::Count(501)))), "{many:?}");

    let mut large = writer.line();
    large.sealed = vec![7; LARGEST_APPEND - large.line.len() + 1];
    let answer = log.append(&writer.stream, Expected::NoStream, vec![large.clone()]).await;
    assert!(matches!(answer, Err(AppendError::Rejected(Rejected::Size(_)))), "{answer:?}");
    large.sealed.pop();
    log.append(&writer.stream, Expected::NoStream, vec![large]).await.expect("exactly the limit");
}

async fn a_bad_request_leaves_its_neighbours_alone(store: Store) {
    let log = Arc::new(store.open().await);
    let mut holder = Writer::new(new_stream());
    append(&log, &mut holder, 1).await;
    let taken = ids(&log.read_stream(&holder.stream, 0, 1).await.unwrap())[0];
    let mut requests = JoinSet::new();
    for number in 0..200 {
        let log = Arc::clone(&log);
        requests.spawn(async move {
            let mut writer = Writer::new(new_stream());
            let is_bad = number % 40 == 7;
            let event = if is_bad { writer.line_with_id(taken) } else { writer.line() };
            let answer = log.append(&writer.stream, Expected::NoStream, vec![event]).await;
            assert_eq!(answer.is_ok(), !is_bad, "{answer:?}");
            if is_bad {
                assert!(matches!(answer, Err(AppendError::Rejected(Rejected::IdTaken))));
            }
        });
    }
    while let Some(request) = requests.join_next().await {
        request.expect("each request got the answer it deserves");
    }
    assert_eq!(read_everything(&log, 1000).await.len(), 1 + 195);
}

async fn repeats_in_one_batch_are_written_once(store: Store) {
    let log = Arc::new(store.open().await);
    let mut writer = Writer::new(new_stream());
    let (stream, events, later) = (writer.stream, writer.lines(2), writer.lines(1));
    let mut requests = JoinSet::new();
    for number in 0..40 {
        let (log, events, later) = (Arc::clone(&log), events.clone(), later.clone());
        requests.spawn(async move {
            if number % 4 == 3 {
                // belongs after the others; until it fits, the answer is a conflict
                loop {
                    match log.append(&stream, Expected::Version(1), later.clone()).await {
                        Err(AppendError::Conflict { current: None }) => {}
                        answer => return answer.expect("the log takes it"),
                    }
                }
            }
            log.append(&stream, Expected::NoStream, events).await.expect("the log takes it")
        });
    }
    let answers = requests.join_all().await;
    for last in [1, 2] {
        let same: Vec<_> = answers.iter().filter(|answer| answer.last == last).collect();
        assert_eq!(same.iter().filter(|answer| !answer.replayed).count(), 1);
        assert!(same.iter().all(|answer| answer.position == same[0].position));
    }
    assert_eq!(read_everything(&log, 1000).await.len(), 3);
}

async fn each_version_of_a_contested_stream_has_one_winner(store: Store) {
    const EACH: usize = 12;
    let log = Arc::new(store.open().await);
    let stream = new_stream();
    let mut racers = JoinSet::new();
    for _ in 0..16 {
        let log = Arc::clone(&log);
        racers.spawn(async move {
            let (mut won, mut conflicts) = (Vec::new(), 0);
            while won.len() < EACH {
                let stored = log.read_stream(&stream, 0, 10_000).await.unwrap();
                let mut writer = Writer::after(stream, &stored);
                let (expected, event) = (writer.expected(), writer.line());
                match log.append(&stream, expected, vec![event.clone()]).await {
                    Ok(appended) => won.push((appended.last, event.id)),
                    Err(AppendError::Conflict { current }) => {
                        assert!(current >= Some(expected.next()), "{current:?}, {expected:?}");
                        conflicts += 1;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            (won, conflicts)
        });
    }
    let (mut won, mut conflicts) = (Vec::new(), 0);
    for (racer, lost) in racers.join_all().await {
        won.extend(racer);
        conflicts += lost;
    }
    won.sort_unstable();
    let stored = Journal::default();
    let winners: Vec<EventId> = won.iter().map(|(_, id)| *id).collect();
    assert_eq!(
        won.iter().map(|(version, _)| *version).collect::<Vec<_>>(),
        (0..192).collect::<Vec<_>>()
    );
    assert!(conflicts > 0, "the racers met");
    stored.tried(&winners);
    let everything = stored.check(&log, store.is_contiguous()).await;
    assert_eq!(ids(&everything), winners);
}

async fn following_gives_the_same_sequence(store: Store) {
    let log = store.open().await;
    let mut writers = [Writer::new(new_stream()), Writer::new(new_stream())];
    let (mut followed, mut after) = (Vec::new(), Position(0));
    for round in 0..6 {
        append(&log, &mut writers[round % 2], 3).await;
        loop {
            let page = log.follow(after, 2).await.unwrap();
            followed.extend(page.events);
            after = page.next;
            if page.at_head {
                break;
            }
        }
    }
    assert_eq!(followed, read_everything(&log, 1000).await);
    drop(log);
    let log = store.open().await;
    append(&log, &mut writers[0], 1).await;
    let page = log.follow(Position(0), 1000).await.unwrap();
    assert_eq!(page.events, read_everything(&log, 1000).await);
}

async fn what_a_read_has_shown_is_known_from_then_on(store: Store) {
    let (writing, reading) = (store.open().await, store.open().await);
    let mut writer = Writer::new(new_stream());
    append(&writing, &mut writer, 1).await;
    let mut last = reading.last_version(&writer.stream).await.unwrap();
    let mut after = Position(0);
    for _ in 0..10 {
        append(&writing, &mut writer, 2).await;
        // often before the node has read so far by itself
        let page = reading.follow(after, 100).await.unwrap();
        for event in &page.events {
            last = last.max(Some(wire::head(&event.line).expect("a line").version));
        }
        let known = reading.last_version(&writer.stream).await.unwrap();
        assert!(known >= last, "a read has shown {last:?}, and only {known:?} is known");
        after = page.next;
    }
}

async fn every_page_size_gives_the_same_sequence(store: Store) {
    let log = store.open().await;
    let mut writers = [Writer::new(new_stream()), Writer::new(new_stream())];
    for round in 0..8 {
        append(&log, &mut writers[round % 2], 1 + round % 4).await;
    }
    let everything = read_everything(&log, 1000).await;
    assert_eq!(everything.len(), 20);
    for size in 1..=21 {
        assert_eq!(read_everything(&log, size).await, everything, "pages of {size}");
    }
    for (index, event) in everything.iter().enumerate() {
        let page = log.read_all(event.position, 1000).await.unwrap();
        assert_eq!(page.events, everything[index + 1..]);
        assert!(page.at_head);
    }
}

async fn heads_of_many_streams_come_in_their_order(store: Store) {
    let log = store.open().await;
    let (mut one, mut other) = (Writer::new(new_stream()), Writer::new(new_stream()));
    append(&log, &mut one, 3).await;
    append(&log, &mut other, 1).await;
    let streams = [other.stream, new_stream(), one.stream, other.stream];
    let heads = log.last_versions(&streams).await.unwrap();
    assert_eq!(heads, [Some(0), None, Some(2), Some(0)]);
    assert_eq!(log.last_versions(&[]).await.unwrap(), []);
}

async fn a_stream_is_read_from_any_version(store: Store) {
    let log = store.open().await;
    let mut writer = Writer::new(new_stream());
    append(&log, &mut Writer::new(new_stream()), 3).await;
    append(&log, &mut writer, 10).await;
    let whole = log.read_stream(&writer.stream, 0, 100).await.unwrap();
    for from in 0..12_u64 {
        let start = usize::try_from(from).unwrap().min(10);
        for limit in 1..12 {
            let part = log.read_stream(&writer.stream, from, limit).await.unwrap();
            assert_eq!(part, whole[start..(start + limit).min(10)]);
        }
    }
}

async fn waiting_ends_when_something_is_appended(store: Store) {
    let log = Arc::new(store.open().await);
    let mut writer = Writer::new(new_stream());
    append(&log, &mut writer, 1).await;
    for _ in 0..10 {
        let head = log.head().await.unwrap();
        let waiter = tokio::spawn({
            let log = Arc::clone(&log);
            async move {
                // a hint may be early; the promise is that a tail which waits like this gets on
                while log.read_all(head, 10).await.unwrap().events.is_empty() {
                    log.wait(head, SOON).await;
                }
            }
        });
        append(&log, &mut writer, 1).await;
        timeout(SOON / 2, waiter).await.expect("woken by the append").unwrap();
    }
}

async fn waiting_without_news_ends_in_time(store: Store) {
    let log = store.open().await;
    let started = Instant::now();
    log.wait(Position(0), Duration::from_millis(50)).await;
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

async fn an_append_goes_on_when_its_caller_gives_up(store: Store) {
    let log = store.open().await;
    for _ in 0..20 {
        let mut writer = Writer::new(new_stream());
        let events = writer.lines(2);
        let given_up =
            timeout(Duration::ZERO, log.append(&writer.stream, Expected::NoStream, events.clone()));
        drop(given_up.await);
        let settled = log.append(&writer.stream, Expected::NoStream, events).await.unwrap();
        assert_eq!(settled.last, 1);
    }
    assert_eq!(read_everything(&log, 1000).await.len(), 40);
}

async fn a_restart_keeps_everything(store: Store) {
    let mut writer = Writer::new(new_stream());
    let mut before = Vec::new();
    for _ in 0..4 {
        let log = store.open().await;
        assert_eq!(read_everything(&log, 1000).await, before);
        append(&log, &mut writer, 7).await;
        before = read_everything(&log, 1000).await;
        assert_eq!(log.head().await.unwrap(), before.last().unwrap().position);
    }
    assert_eq!(before.len(), 28);
}
