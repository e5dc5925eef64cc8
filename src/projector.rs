//! Follows the log and keeps the read models current: rows and progress in one transaction per
//! page. One node at a time does it; a model that meets a fact it cannot take in falls out as
//! `stuck`, and the others go on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use events::recorded::{Position, Recorded};
use projections::{ALL, Model};
use tokio::sync::watch;

use crate::causes::causes;
use crate::event_log::{EventLog, Page, Pages, ReadError};
use crate::read_store::{self, Advance, LEASE, Lease, ModelRows, Progress, ReadStore, Status};

pub(crate) mod ledger;

/// Events taken in by one transaction.
const PAGE: usize = 1000;
/// With nothing new for this long, the log is asked anyway.
const IDLE: Duration = Duration::from_secs(1);
const AFTER_A_FAILURE: Duration = Duration::from_millis(250);

/// How the projector of this node stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    #[default]
    Starting,
    /// This node advances the read models.
    Owner,
    /// Another node does.
    Standby,
    /// Something is wrong that only an operator can mend.
    Stopped(String),
}

#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error(
        "the read models know events that the log has not; rebuild them, or connect the right log"
    )]
    Diverged,
    #[error("the log is damaged")]
    Corrupt(#[source] ReadError),
}

#[derive(Debug, thiserror::Error)]
enum Interruption {
    #[error(transparent)]
    Stop(#[from] Stop),
    #[error("the log cannot be read")]
    Read(#[source] ReadError),
    #[error("the read store failed")]
    Store(#[from] read_store::Error),
    #[error("another node advances the read models now")]
    Overtaken,
}

impl From<ReadError> for Interruption {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Corrupt { .. } => Stop::Corrupt(error).into(),
            ReadError::Unavailable(_) => Self::Read(error),
        }
    }
}

pub(crate) struct Projector {
    log: Arc<EventLog>,
    store: Arc<ReadStore>,
    /// Names this node among all that share the read store.
    owner: String,
    standing: watch::Sender<Standing>,
}

/// A model with how far it has come alone.
struct Follower {
    model: &'static dyn Model,
    status: Status,
    position: Position,
    /// Where it reads while it catches up alone.
    pages: Option<Pages>,
}

impl Projector {
    pub(crate) fn new(log: Arc<EventLog>, store: Arc<ReadStore>, owner: String) -> Self {
        Self { log, store, owner, standing: watch::Sender::default() }
    }

    pub(crate) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Runs until it is told to stop, or until something is wrong that it must not pass over.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        loop {
            let ended = tokio::select! {
                ended = self.own() => ended,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            match ended {
                Ok(()) => {
                    self.standing.send_replace(Standing::Standby);
                    tokio::time::sleep(IDLE).await;
                }
                Err(Interruption::Stop(stopped)) => {
                    tracing::error!(error = causes(&stopped), "the projector stops");
                    self.standing.send_replace(Standing::Stopped(stopped.to_string()));
                    return;
                }
                Err(Interruption::Overtaken) => {
                    tracing::warn!("another node advances the read models now");
                    self.standing.send_replace(Standing::Standby);
                    tokio::time::sleep(IDLE).await;
                }
                Err(interruption) => {
                    tracing::warn!(error = causes(&interruption), "the projector pauses");
                    tokio::time::sleep(AFTER_A_FAILURE).await;
                }
            }
        }
        if let Err(error) = self.store.release(&self.owner).await {
            tracing::warn!(
                error = causes(&error),
                "the lease on the read models runs out by itself"
            );
        }
    }

    /// Advances the read models for as long as this node may. `Ok` when another node has the right.
    async fn own(&self) -> Result<(), Interruption> {
        let Some(mut lease) = self.store.lease(&self.owner).await? else { return Ok(()) };
        let mut renewed = Instant::now();
        self.check_anchor(&lease).await?;
        let mut followers = self.followers(&lease).await?;
        let mut ledger = self.ledger(&lease).await?;
        self.standing.send_replace(Standing::Owner);
        self.store.position().await?;
        loop {
            if renewed.elapsed() > LEASE / 3 {
                if !self.store.renew(&self.owner, &lease).await? {
                    return Err(Interruption::Overtaken);
                }
                renewed = Instant::now();
            }
            let mut is_behind = self.catch_up_builders(&lease, &mut followers).await?;
            is_behind |= self.grow(&lease, &mut ledger).await?;
            let page = self.log.follow(lease.position, PAGE).await?;
            if !page.events.is_empty() || page.next != lease.position {
                let recorded = self.take(&mut lease, &mut followers, &page).await?;
                ledger.see(&page, &recorded);
            }
            if page.at_head && !is_behind {
                self.log.wait(lease.position, ledger.idle(IDLE)).await;
            }
        }
    }

    /// The line where the read models stand must be the one they were built from.
    async fn check_anchor(&self, lease: &Lease) -> Result<(), Interruption> {
        let begins = lease.position == Position::default();
        let Some(anchor) = lease.anchor.filter(|_| !begins) else { return Ok(()) };
        let before = Position(lease.position.0.saturating_sub(1));
        let page = self.log.read_all(before, 1).await?;
        let found = page.events.first().filter(|event| event.position == lease.position);
        let same = found.is_some_and(|event| events::chain::Link::of_line(&event.line) == anchor);
        if same { Ok(()) } else { Err(Stop::Diverged.into()) }
    }

    /// Every model with its standing. One that is new, or has changed its shape, starts over; one
    /// that was stuck tries again from where it stopped.
    async fn followers(&self, lease: &Lease) -> Result<Vec<Follower>, Interruption> {
        let known = self.store.progress().await?;
        let mut followers = Vec::with_capacity(ALL.len());
        let mut cleared = Vec::new();
        let mut changed = Vec::new();
        for model in ALL {
            let before = known.iter().find(|progress| progress.name == model.name());
            let follower = match before {
                Some(before) if before.version == model.version() => Follower {
                    model,
                    status: match before.status {
                        Status::Live => Status::Live,
                        Status::Building | Status::Stuck => Status::Building,
                    },
                    position: before.position,
                    pages: None,
                },
                _ => {
                    cleared.push(model.name().to_owned());
                    Follower {
                        model,
                        status: Status::Building,
                        position: Position::default(),
                        pages: None,
                    }
                }
            };
            if before.map(|before| before.status) != Some(follower.status) {
                changed.push(follower.progress(None));
            }
            followers.push(follower);
        }
        if !cleared.is_empty() || !changed.is_empty() {
            self.move_alone(lease, Vec::new(), changed, cleared).await?;
        }
        Ok(followers)
    }

    /// The trees, with their standing; they start over when their rows have changed their shape.
    async fn ledger(&self, lease: &Lease) -> Result<ledger::Follower, Interruption> {
        let known = self.store.progress().await?;
        let known = known.iter().find(|known| known.name == projections::ledger::NAME);
        let (follower, starts_over) = ledger::Follower::new(known);
        if starts_over {
            let cleared = vec![projections::ledger::NAME.to_owned()];
            let progress = vec![follower.progress(None)];
            self.move_alone(lease, Vec::new(), progress, cleared).await?;
        }
        Ok(follower)
    }

    /// Brings each model that lags behind one page nearer to where the live ones are, alone. `true`
    /// while any of them is still behind.
    async fn catch_up_builders(
        &self,
        lease: &Lease,
        followers: &mut [Follower],
    ) -> Result<bool, Interruption> {
        let mut behind = false;
        for follower in followers.iter_mut().filter(|other| other.status == Status::Building) {
            if follower.position == lease.position {
                follower.status = Status::Live;
                follower.pages = None;
                let progress = vec![follower.progress(None)];
                self.move_alone(lease, Vec::new(), progress, Vec::new()).await?;
            } else if follower.position < lease.position {
                behind = true;
                self.build(lease, follower).await?;
            }
            // one that is ahead, because it got stuck in the middle of a page, waits for the others
        }
        Ok(behind)
    }

    /// Takes one page into one model.
    async fn build(&self, lease: &Lease, follower: &mut Follower) -> Result<(), Interruption> {
        let position = follower.position;
        let pages = follower.pages.get_or_insert_with(|| Pages::after(&self.log, position, PAGE));
        let mut page = pages.next().await?;
        if page.next > lease.position {
            // read beyond the others: what is left of the page comes again
            follower.pages = None;
        }
        page.events.retain(|event| event.position <= lease.position);
        let recorded = decode(&page)?;
        match self.rows(follower.model, &recorded).await? {
            Ok(rows) => {
                follower.position = page.next.min(lease.position);
                let progress = vec![follower.progress(None)];
                self.move_alone(lease, vec![rows], progress, Vec::new()).await
            }
            Err(error) => self.stick(lease, follower, &recorded, error).await,
        }
    }

    /// Takes a page into all live models at once.
    async fn take(
        &self,
        lease: &mut Lease,
        followers: &mut [Follower],
        page: &Page,
    ) -> Result<Vec<Recorded>, Interruption> {
        let recorded = decode(page)?;
        let mut writes = Vec::new();
        for follower in followers.iter_mut().filter(|other| other.status == Status::Live) {
            follower.position = lease.position;
            match self.rows(follower.model, &recorded).await? {
                Ok(rows) => writes.push(rows),
                Err(error) => self.stick(lease, follower, &recorded, error).await?,
            }
        }
        let anchor = recorded.last().map(|last| last.link);
        let advance = Advance {
            epoch: lease.epoch,
            from: lease.position,
            to: page.next,
            anchor,
            writes,
            progress: Vec::new(),
            cleared: Vec::new(),
        };
        self.write(advance).await?;
        lease.position = page.next;
        lease.anchor = anchor.or(lease.anchor);
        Ok(recorded)
    }

    /// What a run of events does to one model. The inner error is the model's own.
    async fn rows(
        &self,
        model: &'static dyn Model,
        recorded: &[Recorded],
    ) -> Result<Result<ModelRows, String>, Interruption> {
        // a panic is a bug in one model; it must not stop the others
        let Ok(touched) = catch_unwind(AssertUnwindSafe(|| model.project(recorded))) else {
            return Ok(Err("projecting an event panicked".to_owned()));
        };
        let stored = self.store.rows_to_change(model.name(), touched.wanted()).await?;
        let applied = catch_unwind(AssertUnwindSafe(|| touched.apply(stored)));
        Ok(match applied {
            Ok(Ok(rows)) => Ok(ModelRows { model: model.name(), rows }),
            Ok(Err(impossible)) => Err(impossible.to_string()),
            Err(_) => Err("applying an event panicked".to_owned()),
        })
    }

    /// Retries a model alone, event by event, so that it stops right before the fact it cannot
    /// take in.
    async fn stick(
        &self,
        lease: &Lease,
        follower: &mut Follower,
        recorded: &[Recorded],
        error: String,
    ) -> Result<(), Interruption> {
        // from here on it is no longer one of the live ones, which a crash must not forget
        follower.status = Status::Building;
        follower.pages = None;
        let mut found = (None, error);
        for event in recorded {
            match self.rows(follower.model, std::slice::from_ref(event)).await? {
                Ok(rows) => {
                    follower.position = event.position;
                    let progress = vec![follower.progress(None)];
                    self.move_alone(lease, vec![rows], progress, Vec::new()).await?;
                }
                Err(error) => {
                    found = (Some(event.position), error);
                    break;
                }
            }
        }
        let (at, error) = found;
        let model = follower.model.name();
        let position = at.unwrap_or(follower.position);
        follower.status = Status::Stuck;
        let progress = vec![follower.progress(Some(format!("at position {position}: {error}")))];
        self.move_alone(lease, Vec::new(), progress, Vec::new()).await?;
        // said when it shows, so that whoever reads this finds it so
        tracing::error!(model, %position, error, "a read model is stuck");
        Ok(())
    }

    /// Changes single models while the live ones stay where they are.
    async fn move_alone(
        &self,
        lease: &Lease,
        writes: Vec<ModelRows>,
        progress: Vec<Progress>,
        cleared: Vec<String>,
    ) -> Result<(), Interruption> {
        let advance = Advance {
            epoch: lease.epoch,
            from: lease.position,
            to: lease.position,
            anchor: None,
            writes,
            progress,
            cleared,
        };
        self.write(advance).await
    }

    async fn write(&self, advance: Advance) -> Result<(), Interruption> {
        if self.store.advance(advance).await? { Ok(()) } else { Err(Interruption::Overtaken) }
    }
}

impl Follower {
    fn progress(&self, error: Option<String>) -> Progress {
        Progress {
            name: self.model.name().to_owned(),
            version: self.model.version(),
            status: self.status,
            position: self.position,
            error,
        }
    }
}

/// The events of a page, in order.
pub(crate) fn decode(page: &Page) -> Result<Vec<Recorded>, ReadError> {
    let stored = page.events.iter();
    let stored = stored.map(|event| (event.position, &event.line[..], &event.sealed[..]));
    events::wire::decode_all(stored)
        .map_err(|(position, error)| ReadError::Corrupt { position, source: error.into() })
}
