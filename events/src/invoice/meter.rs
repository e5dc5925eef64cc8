//! What runs on while nobody looks: which terms an organization has, how many seats, which databases
//! of which size, which backups, and since when. It remembers what the open month is charged by, and
//! the terms of the two months before it, for usage that is told late.
//!
//! A report about a database counts from when it says, though not from before the month in which it
//! is recorded: that month may be closed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::database;
use crate::database::part;
use crate::id::{BackupId, DatabaseId, ProjectId};
use crate::plan::Terms;
use crate::recorded::Recorded;
use crate::subscription;
use crate::time::Time;
use crate::{Event, organization};

/// Terms are remembered for so long.
const REMEMBERED: Duration = Duration::from_hours(70 * 24);

#[derive(Clone, Debug, Default)]
pub struct Meter {
    /// Each holds until the next; oldest first.
    pub(super) subscribed: Vec<(Time, Subscribed)>,
    pub(super) databases: BTreeMap<DatabaseId, Metered>,
    /// When the organization was deleted.
    pub(super) ended_at: Option<Time>,
}

/// What an organization pays by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    pub terms: Arc<Terms>,
    pub extra_seats: u64,
    /// Nothing is charged until then.
    pub trial_until: Option<Time>,
    pub is_suspended: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Metered {
    pub(super) name: String,
    /// Each holds until the next; oldest first.
    pub(super) shapes: Vec<(Time, Shape)>,
    pub(super) backups: BTreeMap<BackupId, Stored>,
    /// It is being taken apart.
    is_over: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) project: Option<ProjectId>,
    pub(super) tier: String,
    pub(super) node_count: u32,
    pub(super) storage_gb: u32,
    pub(super) is_running: bool,
    pub(super) is_stored: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub(super) from: Time,
    pub(super) until: Option<Time>,
    pub(super) bytes: u64,
}

/// Adds what holds from a time on; times never go back.
fn push<T: PartialEq>(history: &mut Vec<(Time, T)>, at: Time, now: T) {
    let at = history.last().map_or(at, |(last, _)| at.max(*last));
    match history.last_mut() {
        Some((_, before)) if *before == now => {}
        Some((last, before)) if *last == at => *before = now,
        Some(_) | None => history.push((at, now)),
    }
}

/// Forgets what ended before a time.
fn forget<T>(history: &mut Vec<(Time, T)>, before: Time) {
    let ended = history.iter().skip(1).take_while(|(at, _)| *at <= before).count();
    history.drain(..ended);
}

impl Meter {
    /// What it pays by now.
    pub fn now(&self) -> Option<&Subscribed> {
        self.subscribed.last().map(|(_, now)| now)
    }

    /// As it would run on if that were so from a time on.
    #[must_use]
    pub fn supposing(&self, at: Time, suppose: impl FnOnce(&mut Subscribed)) -> Self {
        let mut supposed = self.clone();
        supposed.subscribe(at, suppose);
        supposed
    }

    /// Whether it runs on into the next month, for money.
    pub(super) fn continues(&self) -> bool {
        let is_paid = |now: &Subscribed| {
            !now.terms.monthly_price.is_zero() || (now.extra_seats > 0 && !is_uncounted(now))
        };
        self.ended_at.is_none()
            && (self.now().is_some_and(is_paid)
                || self.databases.values().any(|database| {
                    database.is_stored() || database.backups.values().any(|it| it.until.is_none())
                }))
    }

    /// Whether there is anything that an invoice could charge for in the open month.
    pub(crate) fn is_billed(&self) -> bool {
        let may_charge = |(_, it): &(Time, Subscribed)| {
            let limits = &it.terms.limits;
            let is_limited = limits.queries_per_day > 0 || limits.bytes_per_month > 0;
            is_limited || !it.terms.monthly_price.is_zero()
        };
        self.subscribed.iter().any(may_charge) || self.databases.values().any(Metered::was_stored)
    }

    fn subscribe(&mut self, at: Time, change: impl FnOnce(&mut Subscribed)) {
        let Some((_, now)) = self.subscribed.last() else { return };
        let mut changed = now.clone();
        change(&mut changed);
        push(&mut self.subscribed, at, changed);
    }

    /// A month is closed: what ended until then is not charged any more.
    pub(super) fn close(&mut self, end: Time) {
        let remembered = i64::try_from(REMEMBERED.as_millis()).unwrap_or(i64::MAX);
        forget(&mut self.subscribed, Time::from_millis(end.millis().saturating_sub(remembered)));
        self.databases.retain(|_, database| {
            forget(&mut database.shapes, end);
            database.backups.retain(|_, it| it.until.is_none_or(|until| until > end));
            !database.is_over || database.shapes.len() > 1 || !database.backups.is_empty()
        });
    }

    /// Takes the next event of the organization. A meter that takes all of them and closes no month
    /// remembers everything.
    pub fn evolve(&mut self, recorded: &Recorded) {
        let at = recorded.at;
        match &recorded.event {
            Event::Organization(event) => self.evolve_organization(event, at),
            Event::Subscription(event) => self.evolve_subscription(event, at),
            Event::Database(event) => self.evolve_database(event, at),
            Event::DatabasePart(event) => self.evolve_part(event, at),
            Event::Invoice(_)
            | Event::Membership(_)
            | Event::Invitation(_)
            | Event::Setting(_)
            | Event::Token(_)
            | Event::AccessAttempt(_)
            | Event::Erasure(_)
            | Event::Declaration(_)
            | Event::Incident(_)
            | Event::AccessReview(_)
            | Event::RestoreTest(_)
            | Event::Evidence(_)
            | Event::Project(_)
            | Event::Usage(_)
            | Event::Platform(_)
            | Event::Address(_)
            | Event::Account(_) => {}
        }
    }

    fn evolve_organization(&mut self, event: &organization::Event, at: Time) {
        match event {
            organization::Event::Created { .. } => {
                let terms = Terms::unlimited();
                let first =
                    Subscribed { terms, extra_seats: 0, trial_until: None, is_suspended: false };
                push(&mut self.subscribed, at, first);
            }
            organization::Event::Updated { .. } => {}
            organization::Event::Deleted { .. } => {
                self.ended_at = Some(at);
                for database in self.databases.values_mut() {
                    database.ends(at);
                }
            }
        }
    }

    fn evolve_subscription(&mut self, event: &subscription::Event, at: Time) {
        use subscription::Event;
        match event {
            Event::PlanChanged { terms, trial_ends_at, .. } => {
                let terms = Arc::new((**terms).clone());
                let trial_until = *trial_ends_at;
                self.subscribe(at, |now| *now = Subscribed { terms, trial_until, ..now.clone() });
            }
            Event::TrialEnded { .. } => self.subscribe(at, |now| now.trial_until = None),
            Event::SeatsChanged { extra_seats } => {
                self.subscribe(at, |now| now.extra_seats = extra_seats.to);
            }
            Event::Suspended { .. } => self.subscribe(at, |now| now.is_suspended = true),
            Event::Resumed {} => self.subscribe(at, |now| now.is_suspended = false),
            Event::PlanChangeScheduled { .. }
            | Event::PlanChangeCanceled { .. }
            | Event::SeatsChangeScheduled { .. }
            | Event::SeatsChangeCanceled { .. }
            | Event::SpendLimitChanged { .. }
            | Event::SpendLimitReached { .. }
            | Event::PaymentMethodAdded { .. }
            | Event::PaymentMethodRemoved { .. } => {}
        }
    }

    fn evolve_database(&mut self, event: &database::Event, at: Time) {
        use database::Event;
        let id = event.database();
        if let Event::Created { name, tier, storage_gb, node_count, project, .. } = event {
            let shape = Shape {
                project: *project,
                tier: tier.clone(),
                node_count: *node_count,
                storage_gb: *storage_gb,
                is_running: false,
                is_stored: false,
            };
            let metered = Metered {
                name: name.clone(),
                shapes: vec![(at, shape)],
                backups: BTreeMap::new(),
                is_over: false,
            };
            self.databases.insert(id, metered);
            return;
        }
        let Some(database) = self.databases.get_mut(&id) else { return };
        let reported = |since: &Option<Time>| since.map_or(at, |since| since.max(at.month().0));
        match event {
            Event::Created { .. }
            | Event::ProvisioningStarted { .. }
            | Event::FactsReported { .. } => {}
            Event::Updated { name, project, .. } => {
                if let Some(name) = name {
                    database.name.clone_from(&name.to);
                }
                if let Some(project) = project {
                    database.change(at, |shape| shape.project = project.to);
                }
            }
            Event::Started { since, .. } => database.change(reported(since), |shape| {
                (shape.is_running, shape.is_stored) = (true, true);
            }),
            Event::Stopped { since, .. } | Event::Failed { since, .. } => {
                database.change(reported(since), |shape| shape.is_running = false);
            }
            Event::Resized { tier, storage_gb, node_count, .. } => database.change(at, |shape| {
                if let Some(tier) = tier {
                    shape.tier.clone_from(&tier.to);
                }
                shape.storage_gb = storage_gb.as_ref().map_or(shape.storage_gb, |size| size.to);
                shape.node_count = node_count.as_ref().map_or(shape.node_count, |count| count.to);
            }),
            Event::DeletionStarted { .. } | Event::Deleted { .. } => database.ends(at),
        }
    }

    fn evolve_part(&mut self, event: &part::Event, at: Time) {
        match event {
            part::Event::BackupCompleted { database, backup, finished } if finished.succeeded => {
                if let Some(database) = self.databases.get_mut(database).filter(|it| !it.is_over) {
                    let stored = Stored { from: at, until: None, bytes: finished.size_bytes };
                    database.backups.insert(*backup, stored);
                }
            }
            part::Event::BackupDeleted { database, backup } => {
                let database = self.databases.get_mut(database);
                if let Some(stored) = database.and_then(|it| it.backups.get_mut(backup)) {
                    stored.until = stored.until.or(Some(at));
                }
            }
            part::Event::BackupCompleted { .. }
            | part::Event::UserCreated { .. }
            | part::Event::PasswordReset { .. }
            | part::Event::PasswordRevealed { .. }
            | part::Event::UserDeleted { .. }
            | part::Event::BackupRequested { .. }
            | part::Event::ScheduleSet { .. }
            | part::Event::RuleAdded { .. }
            | part::Event::RuleRemoved { .. }
            | part::Event::AllowlistSwitched { .. }
            | part::Event::AlertSet { .. }
            | part::Event::AlertRemoved { .. }
            | part::Event::PipelineSet { .. }
            | part::Event::PipelineRemoved { .. } => {}
        }
    }
}

/// Nobody counts the seats of such terms.
pub(super) fn is_uncounted(subscribed: &Subscribed) -> bool {
    subscribed.terms.limits.included_seats == 0
}

impl Metered {
    fn is_stored(&self) -> bool {
        self.shapes.last().is_some_and(|(_, shape)| shape.is_stored)
    }

    fn was_stored(&self) -> bool {
        self.shapes.iter().any(|(_, shape)| shape.is_stored) || !self.backups.is_empty()
    }

    fn change(&mut self, at: Time, change: impl FnOnce(&mut Shape)) {
        let Some((_, now)) = self.shapes.last() else { return };
        let mut changed = now.clone();
        change(&mut changed);
        push(&mut self.shapes, at, changed);
    }

    /// Nothing of it is charged any more.
    fn ends(&mut self, at: Time) {
        self.is_over = true;
        self.change(at, |shape| (shape.is_running, shape.is_stored) = (false, false));
        for stored in self.backups.values_mut() {
            stored.until = stored.until.or(Some(at));
        }
    }
}
