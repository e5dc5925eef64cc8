//! A queue beside HTTP that records what members were not allowed to do, without making anybody
//! wait. Of each member and operation the first attempt in a minute is recorded at once, the rest
//! as one event with their number when the minute ends; and of each organization never more than
//! 60 in a minute. A crash loses the numbers of that minute, nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use events::id::OrganizationId;
use events::recorded::Actor;
use events::time::Time;
use prometheus::IntCounter;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::App;
use crate::access::Denied;
use crate::causes::causes;
use crate::execute::{self, Client, Order, access_attempt};
use crate::identity;

const MINUTE_MILLIS: i64 = 60_000;
/// Events of one organization in one minute.
const MOST_RECORDED: usize = 60;
/// Kinds of attempts that are told apart; the rest is counted as one more.
const MOST_TOLD_APART: usize = MOST_RECORDED - 1;
/// Attempts that wait to be looked at. Whoever makes more at once has them not recorded one by one.
const QUEUE: usize = 1024;
/// What stands for all operations that are not told apart.
const OTHERS: &str = "others";

/// One refused request.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) denied: Denied,
    pub(crate) operation: Arc<str>,
    pub(crate) request: Uuid,
    pub(crate) ip_address: Option<String>,
    pub(crate) user_agent: Option<String>,
}

/// Where requests leave their attempts.
pub(crate) struct Queue {
    sender: mpsc::Sender<Attempt>,
    full: IntCounter,
}

/// What waits to be recorded.
pub(crate) struct Waiting(mpsc::Receiver<Attempt>);

/// `full` counts what is not recorded because too much waits.
pub(crate) fn queue(full: IntCounter) -> (Queue, Waiting) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (Queue { sender, full }, Waiting(receiver))
}

impl Queue {
    /// Never waits: refusing a request must not cost more than serving it.
    pub(crate) fn tell(&self, attempt: Attempt) {
        if self.sender.try_send(attempt).is_err() {
            self.full.inc();
            tracing::warn!("too many requests are denied at once; one is not recorded");
        }
    }
}

/// One organization in one minute.
#[derive(Default)]
struct Counted {
    /// Events that were written in this minute.
    recorded: usize,
    /// Attempts that no event tells of yet.
    more: BTreeMap<(Actor, Arc<str>), u64>,
    others: u64,
}

impl Counted {
    /// `true`: it is the first of its kind and there is room to record it now.
    fn count(&mut self, actor: Actor, operation: &Arc<str>) -> bool {
        let key = (actor, Arc::clone(operation));
        if let Some(more) = self.more.get_mut(&key) {
            *more += 1;
            return false;
        }
        if self.more.len() >= MOST_TOLD_APART {
            self.others += 1;
            return false;
        }
        let now = self.recorded < MOST_RECORDED;
        self.more.insert(key, u64::from(!now));
        self.recorded += usize::from(now);
        now
    }
}

/// Runs until it is told to stop; what was counted by then is recorded.
pub(crate) async fn run(app: Arc<App>, waiting: Waiting, mut stop: watch::Receiver<bool>) {
    let Waiting(mut waiting) = waiting;
    let mut organizations = BTreeMap::new();
    let mut minute = minute_of(app.clock.now());
    loop {
        let attempt = tokio::select! {
            attempt = waiting.recv() => attempt,
            () = minute_ends(&app, minute, organizations.is_empty()) => None,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let now = minute_of(app.clock.now());
        if now > minute {
            minute = now;
            organizations = record_counted(&app, organizations).await;
        }
        let Some(attempt) = attempt else { continue };
        let Denied { by, organization, .. } = attempt.denied;
        let counted: &mut Counted = organizations.entry(organization).or_default();
        if counted.count(by.actor(), &attempt.operation) {
            record_first(&app, attempt).await;
        }
    }
    record_counted(&app, organizations).await;
}

/// Minutes since 1970.
pub(crate) fn minute_of(time: Time) -> i64 {
    time.millis().div_euclid(MINUTE_MILLIS)
}

/// Comes back when the minute may be over; never while nothing was counted in it.
pub(crate) async fn minute_ends(app: &App, minute: i64, nothing_counted: bool) {
    if nothing_counted {
        return std::future::pending().await;
    }
    // before the time is looked at, so that nobody moves it in between
    let moved = app.clock.moved();
    let left = (minute + 1) * MINUTE_MILLIS - app.clock.now().millis();
    let over = tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0)));
    tokio::select! {
        () = over => {}
        () = moved => {}
    }
}

async fn record_first(app: &App, attempt: Attempt) {
    let Attempt { denied, operation, request, ip_address, user_agent } = attempt;
    let Denied { by, organization, .. } = denied;
    let subject = match by.account() {
        // a key is nobody, so that what it came from belongs to the organization
        None => Some(organization.subject()),
        Some(account) => match identity::person(app, account).await {
            Ok(person) => person.map(|person| person.subject),
            Err(error) => {
                tracing::warn!(error = causes(&error), "who was denied cannot be told");
                None
            }
        },
    };
    let client = subject.map(|subject| Client { subject, ip_address, user_agent });
    let order = execute::fresh_order(app, by.actor());
    let order = Order { request, client, token: by.token(), ..order };
    record(app, organization, &order, &operation, 1).await;
}

/// Records what was counted in a minute that is over. What that writes belongs to the next one.
async fn record_counted(
    app: &App,
    organizations: BTreeMap<OrganizationId, Counted>,
) -> BTreeMap<OrganizationId, Counted> {
    let mut next = BTreeMap::new();
    for (organization, counted) in organizations {
        let mut recorded = 0;
        for ((actor, operation), more) in counted.more {
            if more > 0 {
                let order = execute::fresh_order(app, actor);
                record(app, organization, &order, &operation, more).await;
                recorded += 1;
            }
        }
        if counted.others > 0 {
            let order = execute::fresh_order(app, Actor::System);
            record(app, organization, &order, OTHERS, counted.others).await;
            recorded += 1;
        }
        if recorded > 0 {
            next.insert(organization, Counted { recorded, ..Counted::default() });
        }
    }
    next
}

async fn record(
    app: &App,
    organization: OrganizationId,
    order: &Order,
    operation: &str,
    count: u64,
) {
    let recorded = access_attempt::record(app, organization, order, operation, count).await;
    if let Err(error) = recorded {
        tracing::warn!(error = causes(&error), %organization, "a denied attempt is not recorded");
    }
}

#[cfg(test)]
mod tests {
    use events::id::AccountId;

    use super::*;

    const ANA: Actor = Actor::Account(AccountId(Uuid::from_u128(1)));

    #[test]
    fn the_first_of_its_kind_is_recorded_and_the_rest_counted() {
        let mut counted = Counted::default();
        let (read, write): (Arc<str>, Arc<str>) = ("read".into(), "write".into());
        assert!(counted.count(ANA, &read) && counted.count(ANA, &write));
        assert!(!counted.count(ANA, &read) && !counted.count(ANA, &read));
        assert_eq!(counted.more[&(ANA, read)], 2);
    }

    #[test]
    fn no_minute_has_more_than_sixty() {
        let mut counted = Counted { recorded: 50, ..Counted::default() };
        let operation: Arc<str> = "read".into();
        let recorded = (0..100)
            .filter(|account| {
                counted.count(Actor::Account(AccountId(Uuid::from_u128(*account))), &operation)
            })
            .count();
        assert_eq!(recorded, 10, "fifty were written in this minute before");
        let waiting = counted.more.values().filter(|more| **more > 0).count();
        assert!(waiting + usize::from(counted.others > 0) <= MOST_RECORDED);
        let told: u64 = counted.more.values().sum::<u64>() + counted.others;
        assert_eq!(told, 90, "none is forgotten");
    }
}
