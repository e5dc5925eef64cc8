//! A queue beside HTTP that records in an account's own stream that somebody failed to prove to be
//! its owner, without making anybody wait: a known address is answered as fast as an unknown one,
//! of which only the counter of refusals tells. The first failure of a kind in a minute is recorded
//! at once, with where it came from; the rest as one event with their number when the minute ends. A
//! crash loses the numbers of that minute, nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use events::account::FailedProof;
use events::id::{AccountId, SubjectId};
use events::recorded::Actor;
use prometheus::IntCounter;
use tokio::sync::{mpsc, watch};

use crate::App;
use crate::causes::causes;
use crate::denied_attempts::{minute_ends, minute_of};
use crate::execute::{self, Client, Order, second_factor};

/// Failures that wait to be looked at. Whoever makes more at once has them not recorded one by one.
const QUEUE: usize = 1024;
/// Kinds of failures that are told apart in one minute, over all accounts.
const MOST_TOLD_APART: usize = 10_000;

/// One failed proof.
pub(crate) struct Attempt {
    pub(crate) account: AccountId,
    /// Under whose key it is sealed where it came from.
    pub(crate) subject: SubjectId,
    pub(crate) reason: FailedProof,
    pub(crate) ip_address: Option<String>,
    pub(crate) user_agent: Option<String>,
}

/// Where proofs leave their failures.
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
    /// Never waits.
    pub(crate) fn tell(&self, attempt: Attempt) {
        if self.sender.try_send(attempt).is_err() {
            self.full.inc();
            tracing::warn!("too many sign-ins fail at once; one is not recorded");
        }
    }
}

/// What failed in one minute beside what is recorded already.
#[derive(Default)]
struct Counted(BTreeMap<(AccountId, FailedProof), u64>);

enum Counting {
    /// The first of its kind.
    First,
    More,
    /// Too much is told apart already.
    Dropped,
}

impl Counted {
    fn count(&mut self, account: AccountId, reason: FailedProof) -> Counting {
        if let Some(more) = self.0.get_mut(&(account, reason)) {
            *more += 1;
            return Counting::More;
        }
        if self.0.len() >= MOST_TOLD_APART {
            return Counting::Dropped;
        }
        self.0.insert((account, reason), 0);
        Counting::First
    }
}

/// Runs until it is told to stop; what was counted by then is recorded.
pub(crate) async fn run(app: Arc<App>, waiting: Waiting, mut stop: watch::Receiver<bool>) {
    let Waiting(mut waiting) = waiting;
    let mut counted = Counted::default();
    let mut minute = minute_of(app.clock.now());
    loop {
        let attempt = tokio::select! {
            attempt = waiting.recv() => attempt,
            () = minute_ends(&app, minute, counted.0.is_empty()) => None,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let now = minute_of(app.clock.now());
        if now > minute {
            minute = now;
            record_counted(&app, std::mem::take(&mut counted)).await;
        }
        if let Some(attempt) = attempt {
            take(&app, &mut counted, attempt).await;
        }
    }
    while let Ok(attempt) = waiting.try_recv() {
        take(&app, &mut counted, attempt).await;
    }
    record_counted(&app, counted).await;
}

async fn take(app: &App, counted: &mut Counted, attempt: Attempt) {
    match counted.count(attempt.account, attempt.reason) {
        Counting::First => record_first(app, attempt).await,
        Counting::More => {}
        Counting::Dropped => app.failed_sign_ins.full.inc(),
    }
}

async fn record_first(app: &App, attempt: Attempt) {
    let Attempt { account, subject, reason, ip_address, user_agent } = attempt;
    // whoever tried has proven to be nobody
    let order = execute::fresh_order(app, Actor::System);
    let order = Order { client: Some(Client { subject, ip_address, user_agent }), ..order };
    record(app, account, &order, reason, 1).await;
}

async fn record_counted(app: &App, counted: Counted) {
    for ((account, reason), more) in counted.0 {
        if more > 0 {
            let order = execute::fresh_order(app, Actor::System);
            record(app, account, &order, reason, more).await;
        }
    }
}

async fn record(app: &App, account: AccountId, order: &Order, reason: FailedProof, count: u64) {
    let recorded = second_factor::note_failed_proof(app, account, order, reason, count).await;
    if let Err(error) = recorded {
        tracing::warn!(error = causes(&error), %account, "a failed sign-in is not recorded");
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_first_of_a_kind_is_told_and_the_rest_counted() {
        let mut counted = Counted::default();
        let ana = AccountId(Uuid::from_u128(1));
        let mut count = |reason| counted.count(ana, reason);
        assert!(matches!(count(FailedProof::Password), Counting::First));
        assert!(matches!(count(FailedProof::SecondFactor), Counting::First));
        for _ in 0..3 {
            assert!(matches!(count(FailedProof::Password), Counting::More));
        }
        assert_eq!(counted.0[&(ana, FailedProof::Password)], 3);
        assert_eq!(counted.0[&(ana, FailedProof::SecondFactor)], 0);
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let mut counted = Counted::default();
        for account in 0..20_000 {
            counted.count(AccountId(Uuid::from_u128(account)), FailedProof::Password);
        }
        assert_eq!(counted.0.len(), MOST_TOLD_APART);
    }
}
