//! Writers that put load on a log while a test breaks things, and the judge of what the log then
//! holds: everything acknowledged is there, once, in its place, and every chain is whole.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use chancery::event_log::{AppendError, EventLog, NewEvent, Stored};
use events::chain::Walk;
use events::id::EventId;
use events::recorded::Position;
use events::stream::Stream;
use events::wire;
use tokio::task::JoinSet;

use crate::line::{Writer, new_stream};

struct Acknowledged {
    stream: Stream,
    ids: Vec<EventId>,
    /// Of the last event.
    version: u64,
    position: Position,
}

/// What the writers asked for and what they were told.
#[derive(Default)]
pub(crate) struct Journal {
    tried: Mutex<HashSet<EventId>>,
    acknowledged: Mutex<Vec<Acknowledged>>,
    count: AtomicU64,
    replayed: AtomicU64,
}

impl Journal {
    pub(crate) fn acknowledged(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    pub(crate) fn events_acknowledged(&self) -> usize {
        self.acknowledged.lock().unwrap().iter().map(|told| told.ids.len()).sum()
    }

    /// Appends that only a repeat could settle.
    pub(crate) fn replayed(&self) -> u64 {
        self.replayed.load(Ordering::SeqCst)
    }

    /// Notes ids that somebody tries to append.
    pub(crate) fn tried(&self, ids: &[EventId]) {
        self.tried.lock().unwrap().extend(ids);
    }

    /// Waits for `more` acknowledgements from now on.
    pub(crate) async fn progress(&self, more: u64) {
        let until = self.acknowledged() + more;
        while self.acknowledged() < until {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }

    /// Appends until it is settled. The stream has only one writer, so a conflict is a fault.
    pub(crate) async fn append(&self, log: &EventLog, writer: &mut Writer, events: Vec<NewEvent>) {
        let ids: Vec<EventId> = events.iter().map(|event| event.id).collect();
        self.tried(&ids);
        let expected = {
            let before = wire::head(&events[0].line).expect("a line").version;
            chancery::event_log::Expected::after(before)
        };
        loop {
            match log.append(&writer.stream, expected, events.clone()).await {
                Ok(appended) => {
                    self.acknowledged.lock().unwrap().push(Acknowledged {
                        stream: writer.stream,
                        ids,
                        version: appended.last,
                        position: appended.position,
                    });
                    self.replayed.fetch_add(appended.replayed.into(), Ordering::SeqCst);
                    self.count.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                Err(AppendError::NotWritten(_) | AppendError::Unknown(_)) => {
                    tokio::task::yield_now().await;
                }
                Err(error) => panic!("{} at {expected:?}: {error}", writer.stream),
            }
        }
    }

    /// Reads the whole log and compares. Positions are contiguous where the store promises it.
    pub(crate) async fn check(&self, log: &EventLog, contiguous: bool) -> Vec<Stored> {
        let stored = read_everything(log, 1000).await;
        let mut places = HashMap::new();
        let mut walks: HashMap<Stream, Walk> = HashMap::new();
        let mut last = Position(0);
        for event in &stored {
            assert!(event.position > last, "{} comes after {last}", event.position);
            assert!(!contiguous || event.position.0 == last.0 + 1, "no hole after {last}");
            last = event.position;
            let head = wire::head(&event.line).expect("a stored line can be read");
            let walk = walks.entry(head.stream).or_insert_with(|| Walk::new(&head.stream));
            walk.step(&event.line).unwrap_or_else(|broken| panic!("{}: {broken}", head.stream));
            let twice = places.insert(head.id, (head.stream, head.version, event.position));
            assert!(twice.is_none(), "{} is stored twice", head.id);
        }
        let tried = self.tried.lock().unwrap();
        assert!(places.keys().all(|id| tried.contains(id)), "nothing is stored that nobody wrote");
        for told in self.acknowledged.lock().unwrap().iter() {
            for (version, id) in (0..=told.version).rev().zip(told.ids.iter().rev()) {
                let place =
                    places.get(id).unwrap_or_else(|| panic!("{id} was acknowledged, is lost"));
                assert_eq!((place.0, place.1), (told.stream, version), "{id} stands in its place");
            }
            let last = told.ids.last().expect("an append has events");
            assert_eq!(places[last].2, told.position, "the answer named the position of {last}");
        }
        stored
    }
}

pub(crate) async fn read_everything(log: &EventLog, page: usize) -> Vec<Stored> {
    let (mut stored, mut after) = (Vec::new(), Position(0));
    loop {
        let page = log.read_all(after, page).await.expect("the log can be read");
        assert!(page.events.last().is_none_or(|last| last.position <= page.next));
        stored.extend(page.events);
        after = page.next;
        if page.at_head {
            return stored;
        }
    }
}

/// Writers on streams of their own, spread over some nodes, until they are told to stop.
pub(crate) struct Load {
    pub(crate) journal: Arc<Journal>,
    stop: Arc<AtomicBool>,
    writers: JoinSet<()>,
}

impl Load {
    pub(crate) fn start(logs: &[Arc<EventLog>], writers_each: usize) -> Self {
        let journal = Arc::new(Journal::default());
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = JoinSet::new();
        for log in logs {
            for _ in 0..writers_each {
                let (log, journal, stop) =
                    (Arc::clone(log), Arc::clone(&journal), Arc::clone(&stop));
                writers.spawn(async move {
                    let mut writer = Writer::new(new_stream());
                    let mut count = 0;
                    while !stop.load(Ordering::SeqCst) {
                        count += 1;
                        let events = writer.lines(1 + count % 3);
                        journal.append(&log, &mut writer, events).await;
                    }
                });
            }
        }
        Self { journal, stop, writers }
    }

    pub(crate) async fn stop(mut self) -> Arc<Journal> {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(ended) = self.writers.join_next().await {
            ended.expect("no writer met an answer that must not be");
        }
        self.journal
    }
}
