//! This node's own reading of the end of the log: what wakes readers, and the last versions of
//! streams. An answer from here is never older than the last page, and too old a page is no answer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use events::recorded::Position;
use events::stream::Stream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::page::{self, Entry as Event};
use super::slot::Slots;

/// How often an idle log is asked for more.
const IDLE: Duration = Duration::from_millis(250);
const PAGE: usize = 256;
/// Shorter than other reads: nothing may be answered while this one hangs.
const PAGE_WITHIN: Duration = Duration::from_secs(3);
/// From this age on the tail no longer knows the last versions.
const STALE_AFTER: Duration = Duration::from_secs(1);
/// Streams whose last version is remembered.
const REMEMBERED_STREAMS: usize = 500_000;

#[derive(Debug, thiserror::Error)]
#[error("the end of the log was last read more than a second ago")]
pub(super) struct Stale;

/// What is known about a stream's last version.
pub(super) enum Known {
    Version(Option<u64>),
    /// The stream has to be asked; what it says may be kept with this ticket.
    Unseen(Ticket),
}

pub(super) struct Ticket {
    forgotten: u64,
}

struct Versions {
    /// `None`: there was no such stream.
    last: HashMap<Stream, Option<u64>>,
    /// How often everything was forgotten to keep the map small.
    forgotten: u64,
    /// Every later event will be seen.
    read_to: Position,
}

impl Versions {
    /// Takes note of an event that is in the log. It may be old: then later ones of its stream are
    /// known here, or nothing of it is.
    fn note(&mut self, stream: Stream, version: u64, position: Position) {
        if self.read_to < position || self.last.contains_key(&stream) {
            self.raise(stream, version);
        }
    }

    fn raise(&mut self, stream: Stream, version: u64) {
        if self.last.len() >= REMEMBERED_STREAMS && !self.last.contains_key(&stream) {
            self.last.clear();
            self.forgotten += 1;
        }
        let last = self.last.entry(stream).or_default();
        *last = (*last).max(Some(version));
    }
}

struct Shared {
    versions: Mutex<Versions>,
    /// The last event of ours that this node has seen, at first the end of the log.
    head: watch::Sender<Position>,
}

impl Shared {
    fn versions(&self) -> MutexGuard<'_, Versions> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn advance_head(&self, position: Position) {
        self.head.send_if_modified(|head| {
            let is_newer = *head < position;
            *head = position.max(*head);
            is_newer
        });
    }
}

pub(super) struct Tail {
    shared: Arc<Shared>,
    /// When the request was sent that last found the end of the log.
    at_head: watch::Receiver<Option<Instant>>,
    reader: JoinHandle<()>,
}

impl Tail {
    pub(super) fn follow(slots: Arc<Slots>) -> Self {
        let versions = Versions { last: HashMap::new(), forgotten: 0, read_to: Position(u64::MAX) };
        let shared =
            Arc::new(Shared { versions: Mutex::new(versions), head: watch::Sender::default() });
        let (found, at_head) = watch::channel(None);
        let reader = tokio::spawn(read(slots, Arc::clone(&shared), found));
        Self { shared, at_head, reader }
    }

    /// Takes note of an append of this node that is in the log.
    pub(super) fn has_appended(&self, stream: Stream, last: u64, position: Position) {
        self.has_shown(stream, last, position);
        self.shared.advance_head(position);
    }

    /// Takes note of what a read is about to show: whoever acts on it may ask for its stream before
    /// this node's own reading comes there.
    pub(super) fn has_shown(&self, stream: Stream, version: u64, position: Position) {
        self.shared.versions().note(stream, version, position);
    }

    /// The same of a page.
    pub(super) fn have_shown(&self, page: &[Event]) {
        let mut versions = self.shared.versions();
        for Event { stream, revision, stored } in page {
            versions.note(*stream, *revision, stored.position);
        }
    }

    /// Returns when the end of the log was found for the first time, or when the time is over.
    pub(super) async fn begin(&self, within: Duration) {
        let mut at_head = self.at_head.clone();
        // without it the tail knows less, and what it knows is still right
        let _ = timeout(within, at_head.wait_for(Option::is_some)).await;
    }

    /// What is at or before this was in the log before now.
    pub(super) fn known(&self) -> Position {
        *self.shared.head.borrow()
    }

    /// Returns when an event after `after` was seen.
    pub(super) async fn event_after(&self, after: Position) {
        // fails only when the sender is gone, and it is not
        let _ = self.shared.head.subscribe().wait_for(|head| *head > after).await;
    }

    /// The last version the tail saw, however old.
    pub(super) fn seen(&self, stream: &Stream) -> Option<u64> {
        self.shared.versions().last.get(stream).copied().flatten()
    }

    /// Returns when the end of the log was found, and not long ago.
    pub(super) async fn confirm_fresh(&self) -> Result<(), Stale> {
        let is_fresh = |at: &Option<Instant>| at.is_some_and(|at| at.elapsed() <= STALE_AFTER);
        let mut at_head = self.at_head.clone();
        // a busy machine is given a moment; an old answer is never given
        let fresh = timeout(STALE_AFTER, at_head.wait_for(is_fresh)).await;
        fresh.is_ok_and(|found| found.is_ok()).then_some(()).ok_or(Stale)
    }

    pub(super) async fn last_version(&self, stream: &Stream) -> Result<Known, Stale> {
        self.confirm_fresh().await?;
        let versions = self.shared.versions();
        Ok(match versions.last.get(stream) {
            Some(version) => Known::Version(*version),
            None => Known::Unseen(Ticket { forgotten: versions.forgotten }),
        })
    }

    /// Keeps what the stream itself said. All events up to `read_to` were in the log before the
    /// stream was asked, and later ones are seen here: so the higher one is right.
    pub(super) fn learn(&self, ticket: Ticket, stream: Stream, last: Option<u64>) -> Option<u64> {
        let mut versions = self.shared.versions();
        if versions.forgotten != ticket.forgotten {
            return last.max(versions.last.get(&stream).copied().flatten());
        }
        if let Some(version) = last {
            versions.raise(stream, version);
        } else if let Entry::Vacant(entry) = versions.last.entry(stream) {
            entry.insert(None);
        }
        last.max(versions.last.get(&stream).copied().flatten())
    }

    pub(super) fn close(&self) {
        self.reader.abort();
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.close();
    }
}

async fn read(slots: Arc<Slots>, shared: Arc<Shared>, found: watch::Sender<Option<Instant>>) {
    let mut after = loop {
        match page::end_of_log(&slots, PAGE_WITHIN).await {
            Ok(end) => break end,
            Err(failure) => tracing::debug!(cause = %failure, "cannot find the end of the log"),
        }
        tokio::time::sleep(IDLE).await;
    };
    shared.versions().read_to = after;
    shared.advance_head(after);
    loop {
        let asked = Instant::now();
        // at once: each alone costs a delayed acknowledgement
        let (end, page) = tokio::join!(
            page::end_of_log(&slots, PAGE_WITHIN),
            page::after(&slots, after, PAGE, PAGE_WITHIN),
        );
        let has_more = match (end, page) {
            (Ok(end), Ok(page)) => {
                let has_moved = page.next > after;
                after = page.next;
                take(&shared, &page);
                // the end proves the page whole, which may have been cut short; an end before what
                // was seen is that of a node that lags
                if end == after || (end < after && has_moved) {
                    found.send_replace(Some(asked));
                }
                has_moved && end > after
            }
            (Err(failure), _) | (_, Err(failure)) => {
                tracing::debug!(cause = %failure, "cannot read the end of the log");
                false
            }
        };
        if !has_more {
            tokio::time::sleep(IDLE).await;
        }
    }
}

fn take(shared: &Shared, page: &page::Page) {
    let mut versions = shared.versions();
    for Event { stream, revision, .. } in &page.events {
        versions.raise(*stream, *revision);
    }
    versions.read_to = page.next;
    drop(versions);
    if let Some(last) = page.events.last() {
        shared.advance_head(last.stored.position);
    }
}
