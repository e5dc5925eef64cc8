//! Keeps the trees over the logs, a step behind the models that advance together: lines are taken in
//! some at a time, because nobody who changes something waits for a proof.

use std::time::{Duration, Instant};

use events::recorded::{Position, Recorded};
use events::tree::Hash;
use events::wire;
use projections::ledger::{self, Leaf};

use super::{Interruption, PAGE, Projector};
use crate::event_log::{Page, Pages, ReadError, Stored};
use crate::read_store::{Lease, ModelRows, Progress, Status};

/// Lines wait at most so long to be taken in.
const WAIT: Duration = Duration::from_millis(50);
/// And no more of them at once.
const MOST: usize = 4000;

/// How far the trees have grown, and what comes next.
pub(crate) struct Follower {
    status: Status,
    position: Position,
    /// Where it reads while it catches up.
    pages: Option<Pages>,
    /// Lines that the other models have taken in already, up to here.
    waiting: Vec<Leaf>,
    up_to: Position,
    since: Instant,
}

impl Follower {
    /// `known` is its standing as the store has it. One of another shape starts over.
    pub(crate) fn new(known: Option<&Progress>) -> (Self, bool) {
        let known = known.filter(|known| known.version == ledger::VERSION);
        let position = known.map_or(Position::default(), |known| known.position);
        let follower = Self {
            status: Status::Building,
            position,
            pages: None,
            waiting: Vec::new(),
            up_to: position,
            since: Instant::now(),
        };
        (follower, known.is_none())
    }

    /// Takes note of what the others have just taken in.
    pub(super) fn see(&mut self, page: &Page, recorded: &[Recorded]) {
        if self.status != Status::Live {
            return;
        }
        if self.waiting.is_empty() {
            self.since = Instant::now();
        }
        let events = page.events.iter().zip(recorded);
        let proven = events.filter(|(_, recorded)| ledger::has_tree(&recorded.stream));
        self.waiting.extend(proven.map(|(stored, recorded)| Leaf {
            position: stored.position,
            stream: recorded.stream,
            version: recorded.version,
            hash: Hash::of_leaf(&stored.line),
        }));
        self.up_to = page.next;
    }

    fn is_due(&self) -> bool {
        self.up_to > self.position && (self.since.elapsed() >= WAIT || self.waiting.len() > MOST)
    }

    /// How long the others may wait for something new before it is this one's turn.
    pub(super) fn idle(&self, otherwise: Duration) -> Duration {
        if self.up_to > self.position { WAIT } else { otherwise }
    }

    pub(crate) fn progress(&self, error: Option<String>) -> Progress {
        Progress {
            name: ledger::NAME.to_owned(),
            version: ledger::VERSION,
            status: self.status,
            position: self.position,
            error,
        }
    }
}

impl Projector {
    /// Brings the trees a step further. `true` while they are far behind.
    pub(super) async fn grow(
        &self,
        lease: &Lease,
        follower: &mut Follower,
    ) -> Result<bool, Interruption> {
        match follower.status {
            Status::Stuck => Ok(false),
            Status::Live => {
                if follower.is_due() {
                    let leaves = std::mem::take(&mut follower.waiting);
                    self.take_leaves(lease, follower, &leaves, follower.up_to).await?;
                }
                Ok(false)
            }
            Status::Building => {
                if follower.position >= lease.position {
                    follower.status = Status::Live;
                    follower.pages = None;
                    follower.up_to = follower.position;
                    let progress = vec![follower.progress(None)];
                    self.move_alone(lease, Vec::new(), progress, Vec::new()).await?;
                    return Ok(false);
                }
                self.read_leaves(lease, follower).await?;
                Ok(true)
            }
        }
    }

    /// Takes one page of the log.
    async fn read_leaves(
        &self,
        lease: &Lease,
        follower: &mut Follower,
    ) -> Result<(), Interruption> {
        let position = follower.position;
        let pages = follower.pages.get_or_insert_with(|| Pages::after(&self.log, position, PAGE));
        let mut page = pages.next().await?;
        if page.next > lease.position {
            // read beyond the others: what is left of the page comes again
            follower.pages = None;
        }
        page.events.retain(|event| event.position <= lease.position);
        let leaves = page.events.iter().filter_map(|stored| leaf(stored).transpose());
        let leaves = leaves.collect::<Result<Vec<_>, _>>()?;
        self.take_leaves(lease, follower, &leaves, page.next.min(lease.position)).await
    }

    async fn take_leaves(
        &self,
        lease: &Lease,
        follower: &mut Follower,
        leaves: &[Leaf],
        up_to: Position,
    ) -> Result<(), Interruption> {
        let stored = self.store.rows(ledger::NAME, &ledger::wanted(leaves)).await?;
        match ledger::grow(leaves, &stored) {
            Ok(rows) => {
                follower.position = up_to;
                let rows = vec![ModelRows { model: ledger::NAME, rows }];
                self.move_alone(lease, rows, vec![follower.progress(None)], Vec::new()).await
            }
            Err(impossible) => {
                follower.status = Status::Stuck;
                let error = impossible.to_string();
                let position = follower.position;
                let progress =
                    vec![follower.progress(Some(format!("after position {position}: {error}")))];
                self.move_alone(lease, Vec::new(), progress, Vec::new()).await?;
                tracing::error!(model = ledger::NAME, %position, error, "a read model is stuck");
                Ok(())
            }
        }
    }
}

/// What a stored line is in the tree of its log, if its log has one.
pub(crate) fn leaf(stored: &Stored) -> Result<Option<Leaf>, ReadError> {
    let head = wire::head(&stored.line)
        .map_err(|error| ReadError::Corrupt { position: stored.position, source: error.into() })?;
    Ok(ledger::has_tree(&head.stream).then(|| Leaf {
        position: stored.position,
        stream: head.stream,
        version: head.version,
        hash: Hash::of_leaf(&stored.line),
    }))
}
