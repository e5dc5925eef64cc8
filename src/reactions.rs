//! Facts that call for more: each reaction follows the log behind the projector, in a loop of its
//! own with a place of its own, so that none holds up another. What it does may happen twice, after
//! a crash, and must then be harmless.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use events::recorded::{Position, Recorded};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use crate::App;
use crate::causes::causes;
use crate::event_log::{Page, ReadError};
use crate::failure::Failure;
use crate::projector::Standing;

mod address_proof;
mod connection;
mod erasure;
mod mail;
mod outbox;
mod packet;
mod registration;
mod second_factor;

const PAGE: usize = 500;
const IDLE: Duration = Duration::from_secs(1);
/// Nobody waits for a reaction, so it lets events gather.
const BETWEEN_PAGES: Duration = Duration::from_millis(50);
/// A place is saved this often at most: each time is a sync of its own beside that of the log.
const BETWEEN_SAVES: Duration = Duration::from_secs(1);
/// After a failure it waits, each time twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(16);
/// What is under way when the program stops gets this long to end.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// Why reactions do not come further, by their names.
pub(crate) type Trouble = BTreeMap<&'static str, String>;

/// Says why one of them does not come further, or that it does.
pub(crate) fn tell(trouble: &watch::Sender<Trouble>, name: &'static str, why: Option<String>) {
    trouble.send_if_modified(|trouble| match why {
        Some(why) => trouble.insert(name, why.clone()) != Some(why),
        None => trouble.remove(name).is_some(),
    });
}

/// Every reaction there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// Completes registrations that were cut short.
    Registration,
    /// Sends the mails that events call for.
    Mail,
    /// Takes an invitation that was accepted by its mailed link as proof of the address.
    AddressProof,
    /// Copies to organizations whether their members have a second factor.
    SecondFactor,
    /// Completes erasures, and records them wherever the person was named.
    Erasure,
    /// Removes the mails of people who are erased from this node's own folder.
    Outbox,
    /// Makes compliance packets that were asked for.
    Packet,
    /// Ends leases on connections, and tells as usage what they were.
    Connection,
}

/// On which nodes a reaction runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nodes {
    /// On all: doing the same twice costs nothing.
    All,
    /// On all, each with a place of its own: what it does is done to the node itself.
    Each,
    /// On the one that advances the read models.
    Projecting,
    /// On those that sign.
    Signing,
}

#[derive(Debug, thiserror::Error)]
enum Interruption {
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
    #[error("the operational state failed")]
    Operational(#[from] crate::operational::Error),
    #[error("a command of the reaction failed")]
    Command(#[from] crate::execute::Error),
    #[error("a store failed")]
    Store(#[from] Failure),
    #[error(transparent)]
    Mail(#[from] crate::mail::Undelivered),
    #[error("a read model cannot be asked")]
    Query(#[from] crate::query::Error),
    #[error("the read models are behind")]
    Behind,
    #[error("an erasure does not come further")]
    Erasure(#[from] crate::erasure::Error),
    #[error("a packet cannot be made")]
    Packet(#[from] crate::packet::made::Error),
}

impl Reaction {
    pub(crate) const ALL: [Self; 8] = [
        Self::Registration,
        Self::Mail,
        Self::AddressProof,
        Self::SecondFactor,
        Self::Erasure,
        Self::Outbox,
        Self::Packet,
        Self::Connection,
    ];

    /// Names its place in the log; never reuse one for something else.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Registration => "complete_registrations",
            Self::Mail => "mail",
            Self::AddressProof => "address_proof",
            Self::SecondFactor => "second_factor",
            Self::Erasure => "erasure",
            Self::Outbox => "outbox",
            Self::Packet => "packets",
            Self::Connection => "connections",
        }
    }

    /// What its place is called in the operational state.
    pub(crate) fn place(self, app: &App) -> String {
        match self.nodes() {
            Nodes::All | Nodes::Projecting | Nodes::Signing => self.name().to_owned(),
            Nodes::Each => format!("{} of {}", self.name(), app.node),
        }
    }

    /// Whether events of this type call for anything; asked before they are decoded.
    fn wants(self, kind: &str) -> bool {
        match self {
            Self::Registration => registration::wants(kind),
            Self::Mail => mail::wants(kind),
            Self::AddressProof => address_proof::wants(kind),
            Self::SecondFactor => second_factor::wants(kind),
            Self::Erasure => erasure::wants(kind),
            Self::Outbox => outbox::wants(kind),
            Self::Packet => packet::wants(kind),
            Self::Connection => connection::wants(kind),
        }
    }

    fn nodes(self) -> Nodes {
        match self {
            Self::Registration => Nodes::All,
            Self::Mail
            | Self::AddressProof
            | Self::SecondFactor
            | Self::Erasure
            | Self::Connection => Nodes::Projecting,
            Self::Outbox => Nodes::Each,
            Self::Packet => Nodes::Signing,
        }
    }

    /// Whether doing something twice is so unwelcome that each step is saved at once.
    fn saves_each_step(self) -> bool {
        match self {
            Self::Registration
            | Self::AddressProof
            | Self::SecondFactor
            | Self::Erasure
            | Self::Outbox
            | Self::Packet
            | Self::Connection => false,
            Self::Mail => true,
        }
    }

    async fn react(self, app: &App, recorded: &Recorded) -> Result<(), Interruption> {
        match self {
            Self::Registration => registration::react(app, recorded).await,
            Self::Mail => mail::react(app, recorded).await,
            Self::AddressProof => address_proof::react(app, recorded).await,
            Self::SecondFactor => second_factor::react(app, recorded).await,
            Self::Erasure => erasure::react(app, recorded).await,
            Self::Outbox => outbox::react(app, recorded).await,
            Self::Packet => packet::react(app, recorded).await,
            Self::Connection => connection::react(app, recorded).await,
        }
    }

    /// What is to be done though nothing has happened: asked at least once a second.
    async fn resume(self, app: &App) -> Result<(), Interruption> {
        match self {
            Self::Registration
            | Self::AddressProof
            | Self::SecondFactor
            | Self::Erasure
            | Self::Outbox
            | Self::Packet => Ok(()),
            Self::Mail => mail::resume(app).await,
            Self::Connection => connection::resume(app).await,
        }
    }
}

/// Runs every reaction until it is told to stop. `trouble` names those that do not come further.
pub(crate) async fn run(
    app: Arc<App>,
    trouble: watch::Sender<Trouble>,
    stop: watch::Receiver<bool>,
) {
    let reader = Arc::new(Reader::default());
    let mut running = JoinSet::new();
    for reaction in Reaction::ALL {
        let follower = Follower {
            app: Arc::clone(&app),
            reaction,
            reader: Arc::clone(&reader),
            trouble: trouble.clone(),
        };
        let stop = stop.clone();
        running.spawn(async move { follower.run(stop).await });
    }
    while running.join_next().await.is_some() {}
}

/// The last page that was read, for whoever stands at the same place.
#[derive(Default)]
struct Reader {
    last: Mutex<Option<(Position, Arc<Page>)>>,
}

impl Reader {
    async fn page(&self, app: &App, after: Position) -> Result<Arc<Page>, ReadError> {
        let mut last = self.last.lock().await;
        if let Some((place, page)) = &*last
            && *place == after
            && !page.events.is_empty()
        {
            return Ok(Arc::clone(page));
        }
        let page = Arc::new(app.log.follow(after, PAGE).await?);
        *last = Some((after, Arc::clone(&page)));
        Ok(page)
    }
}

/// One reaction on its way through the log.
struct Follower {
    app: Arc<App>,
    reaction: Reaction,
    reader: Arc<Reader>,
    trouble: watch::Sender<Trouble>,
}

/// How far a reaction has come, and how much of that is saved.
struct Place {
    at: Position,
    saved: Position,
    saved_at: Instant,
}

impl Follower {
    async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut stopped = stop.clone();
        let late = async {
            drop(stopped.wait_for(|stop| *stop).await);
            tokio::time::sleep(FINISH_WITHIN).await;
        };
        tokio::select! {
            () = self.follow(&mut stop) => {}
            () = late => {}
        }
    }

    async fn follow(&self, stop: &mut watch::Receiver<bool>) {
        let mut pause = FIRST_PAUSE;
        let mut place = None;
        loop {
            let failed = match self.advance(&mut place, stop).await {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    self.tell(None);
                    false
                }
                Err(error) => {
                    let reaction = self.reaction.name();
                    // whoever reads the line finds the same in `/readyz`
                    self.tell(Some(error.to_string()));
                    tracing::warn!(error = causes(&error), reaction, "a reaction pauses");
                    true
                }
            };
            let wait = async {
                match (&place, failed) {
                    (_, true) => tokio::time::sleep(pause).await,
                    (Some(Place { at, .. }), false) => {
                        self.app.log.wait(*at, IDLE).await;
                        tokio::time::sleep(BETWEEN_PAGES).await;
                    }
                    (None, false) if self.reaction.nodes() == Nodes::Signing => {
                        std::future::pending::<()>().await;
                    }
                    // until this node is the one to do it
                    (None, false) => {
                        let mut standing = self.app.projector.clone();
                        drop(standing.wait_for(|standing| *standing == Standing::Owner).await);
                    }
                }
            };
            tokio::select! {
                () = wait => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            if failed {
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    fn tell(&self, why: Option<String>) {
        tell(&self.trouble, self.reaction.name(), why);
    }

    fn is_here(&self) -> bool {
        match self.reaction.nodes() {
            Nodes::All | Nodes::Each => true,
            Nodes::Projecting => *self.app.projector.borrow() == Standing::Owner,
            Nodes::Signing => self.app.signer.is_here(),
        }
    }

    /// Goes on to the head of the log. Without the right to, it gives up its place.
    async fn advance(
        &self,
        place: &mut Option<Place>,
        stop: &watch::Receiver<bool>,
    ) -> Result<(), Interruption> {
        loop {
            if !self.is_here() {
                *place = None;
                return Ok(());
            }
            let place = match place {
                Some(place) => place,
                None => {
                    let at = self.app.operational.cursor(&self.reaction.place(&self.app)).await?;
                    place.insert(Place { at, saved: at, saved_at: Instant::now() })
                }
            };
            self.reaction.resume(&self.app).await?;
            let page = self.reader.page(&self.app, place.at).await?;
            self.take(place, &page, stop).await?;
            if page.at_head || *stop.borrow() {
                return Ok(());
            }
        }
    }

    async fn take(
        &self,
        place: &mut Place,
        page: &Page,
        stop: &watch::Receiver<bool>,
    ) -> Result<(), Interruption> {
        let wanted = page.events.iter().filter(|event| {
            events::wire::kind_of_line(&event.line).is_none_or(|kind| self.reaction.wants(kind))
        });
        for event in wanted {
            let recorded =
                events::wire::decode(event.position, &event.line, &event.sealed).map_err(
                    |error| ReadError::Corrupt { position: event.position, source: error.into() },
                )?;
            self.reaction.react(&self.app, &recorded).await?;
            // saved only behind what was done: after a crash it is done once more
            place.at = event.position;
            if self.reaction.saves_each_step() {
                self.save(place).await?;
            }
            if *stop.borrow() || !self.is_here() {
                return Ok(());
            }
        }
        place.at = page.next.max(place.at);
        if place.at > place.saved && place.saved_at.elapsed() >= BETWEEN_SAVES {
            self.save(place).await?;
        }
        Ok(())
    }

    async fn save(&self, place: &mut Place) -> Result<(), Interruption> {
        self.app.operational.move_cursor(&self.reaction.place(&self.app), place.at).await?;
        place.saved = place.at;
        place.saved_at = Instant::now();
        Ok(())
    }
}
