//! How often something may be tried: counted in memory, on each node for itself. Only failed proofs
//! of a password count, but when too many have failed, the right one has to wait as well.
//!
//! Windows slide: never are there more than so many within any minute (or hour). Proofs that are
//! under way may all fail, so no more of them run at once than may still fail; the rest waits.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::pin;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use requests::Requests;

mod requests;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// How many within how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// As clients are told.
    pub(crate) name: &'static str,
    pub(crate) most: usize,
    pub(crate) within: Duration,
}

impl Limit {
    const fn new(name: &'static str, most: usize, within: Duration) -> Self {
        Self { name, most, within }
    }
}

const FAILED_OF_PAIR: Limit = Limit::new("failed-sign-ins", 10, MINUTE);
const FAILED_OF_CLIENT: Limit = Limit::new("failed-sign-ins-of-client", 30, MINUTE);
const FAILED_OF_ACCOUNT: Limit = Limit::new("failed-sign-ins-of-account", 100, HOUR);
const PUBLIC_CALLS: Limit = Limit::new("registrations-and-mails", 10, MINUTE);
const UNKNOWN_TOKENS: Limit = Limit::new("unknown-tokens", 30, MINUTE);

/// What is left of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) limit: Limit,
    pub(crate) requests: usize,
    /// Seconds until nothing counts any more.
    pub(crate) reset_seconds: u64,
}

/// Too often; the same may be tried again after a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too often; try again in {}", seconds(.after))]
pub(crate) struct TooOften {
    pub(crate) after: Duration,
    /// Nothing is left of it.
    pub(crate) of: Left,
}

fn seconds(span: &Duration) -> String {
    format!("{} s", span.as_secs() + 1)
}

/// Where a request comes from, as far as it is told apart: of IPv6 a network is one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network(Option<IpAddr>);

impl Network {
    pub(crate) fn of(address: Option<&str>) -> Self {
        let address = address.and_then(|address| address.parse().ok());
        Self(address.map(|address| match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(whole) => {
                let [a, b, c, d, ..] = whole.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        }))
    }
}

/// What stands for an account, whether it exists or not. Nothing personal.
pub(crate) type AccountKey = [u8; 16];

/// The limits of one node.
pub(crate) struct RateLimits {
    is_on: bool,
    proofs: FailedProofs,
    public_calls: OfClients,
    unknown_tokens: OfClients,
    requests: Requests,
}

impl RateLimits {
    pub(crate) fn new(is_on: bool) -> Self {
        Self {
            is_on,
            proofs: FailedProofs::default(),
            public_calls: OfClients::new(PUBLIC_CALLS),
            unknown_tokens: OfClients::new(UNKNOWN_TOKENS),
            requests: Requests::default(),
        }
    }

    /// Lets somebody prove to be the owner of an account. Waits while so many others try that one
    /// more could fail too often.
    pub(crate) async fn proof(
        &self,
        network: Network,
        account: AccountKey,
    ) -> Result<Proof<'_>, TooOften> {
        if !self.is_on {
            return Ok(Proof { running: None });
        }
        let keys = [Key::Pair(network, account), Key::Client(network), Key::Account(account)];
        let keys = self.proofs.admit(keys).await?;
        Ok(Proof { running: Some((&self.proofs, keys)) })
    }

    /// Counts a call that anybody can make and that costs much, or sends a mail. `None` while
    /// nothing is limited.
    pub(crate) fn public_call(&self, network: Network) -> Result<Option<Left>, TooOften> {
        if !self.is_on {
            return Ok(None);
        }
        self.public_calls.count(network, Instant::now()).map(Some)
    }

    /// Refused while a client has sent too many tokens that do not exist.
    pub(crate) fn may_guess_tokens(&self, network: Network) -> Result<(), TooOften> {
        if self.is_on { self.unknown_tokens.check(network, Instant::now()) } else { Ok(()) }
    }

    /// Counts a token that does not exist.
    pub(crate) fn unknown_token(&self, network: Network) -> Result<(), TooOften> {
        if self.is_on {
            self.unknown_tokens.count(network, Instant::now()).map(drop)
        } else {
            Ok(())
        }
    }

    /// Counts a request by its credential, before anybody has looked whose that is. `None` while
    /// nothing is limited.
    pub(crate) fn request(&self, credential: &[u8]) -> Option<Result<Left, TooOften>> {
        self.is_on.then(|| self.requests.count(credential))
    }

    fn forget_old(&self) {
        let now = Instant::now();
        self.proofs.forget_old(now);
        self.public_calls.forget_old(now);
        self.unknown_tokens.forget_old(now);
    }
}

/// Runs until dropped: forgets what is too long ago to matter.
pub(crate) async fn forget(limits: &RateLimits) {
    loop {
        tokio::time::sleep(MINUTE).await;
        limits.forget_old();
    }
}

/// A proof under way; it has succeeded unless it is said to have failed.
#[must_use]
pub(crate) struct Proof<'a> {
    running: Option<(&'a FailedProofs, [Key; 3])>,
}

impl Proof<'_> {
    /// Ends it. What is left to its client is told by the client's own failures alone: what others
    /// have tried with the account is none of its business.
    pub(crate) fn ended(mut self, has_failed: bool) -> Option<Left> {
        let (proofs, keys) = self.running.take()?;
        let now = Instant::now();
        proofs.ended(keys, has_failed, now);
        let [pair, client, _] = keys;
        let left = [pair, client].map(|key| proofs.left(key, now));
        left.into_iter().min_by_key(|left| left.requests)
    }
}

impl Drop for Proof<'_> {
    fn drop(&mut self) {
        if let Some((proofs, keys)) = self.running.take() {
            proofs.ended(keys, false, Instant::now());
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Pair(Network, AccountKey),
    Client(Network),
    Account(AccountKey),
}

impl Key {
    fn limit(self) -> Limit {
        match self {
            Self::Pair(..) => FAILED_OF_PAIR,
            Self::Client(_) => FAILED_OF_CLIENT,
            Self::Account(_) => FAILED_OF_ACCOUNT,
        }
    }
}

/// When something happened, the oldest first.
#[derive(Default)]
struct Window(VecDeque<Instant>);

impl Window {
    /// Forgets what is too long ago; `true` when nothing is left.
    fn slide(&mut self, limit: Limit, now: Instant) -> bool {
        let is_old = |at: &Instant| now.saturating_duration_since(*at) >= limit.within;
        while self.0.front().is_some_and(is_old) {
            self.0.pop_front();
        }
        self.0.is_empty()
    }

    /// Refused while there is no room.
    fn full(&self, limit: Limit, now: Instant) -> Option<TooOften> {
        let oldest = *self.0.front().filter(|_| self.0.len() >= limit.most)?;
        let after = limit.within.saturating_sub(now.saturating_duration_since(oldest));
        Some(TooOften { after, of: self.left(limit, now) })
    }

    fn left(&self, limit: Limit, now: Instant) -> Left {
        let until_none_counts = self.0.back().map_or(Duration::ZERO, |newest| {
            limit.within.saturating_sub(now.saturating_duration_since(*newest))
        });
        Left {
            limit,
            requests: limit.most.saturating_sub(self.0.len()),
            reset_seconds: until_none_counts.as_millis().div_ceil(1000).try_into().unwrap_or(0),
        }
    }
}

#[derive(Default)]
struct Failures {
    failed: Window,
    /// Proofs under way.
    running: usize,
}

#[derive(Default)]
struct FailedProofs {
    of: Mutex<HashMap<Key, Failures>>,
    ended: Notify,
}

/// Whether a proof may run now.
enum Turn {
    Admitted,
    /// When one has ended that is under way.
    Later,
}

impl FailedProofs {
    async fn admit(&self, keys: [Key; 3]) -> Result<[Key; 3], TooOften> {
        loop {
            let mut ended = pin!(self.ended.notified());
            // from here on no end is missed
            ended.as_mut().enable();
            match self.try_admit(keys, Instant::now())? {
                Turn::Admitted => return Ok(keys),
                Turn::Later => ended.await,
            }
        }
    }

    fn try_admit(&self, keys: [Key; 3], now: Instant) -> Result<Turn, TooOften> {
        let mut of = self.of.lock().expect("nothing panics with the lock held");
        let mut must_wait = false;
        for key in keys {
            let Some(failures) = of.get_mut(&key) else { continue };
            failures.failed.slide(key.limit(), now);
            if let Some(refusal) = failures.failed.full(key.limit(), now) {
                return Err(refusal);
            }
            must_wait |= failures.failed.0.len() + failures.running >= key.limit().most;
        }
        if must_wait {
            return Ok(Turn::Later);
        }
        for key in keys {
            of.entry(key).or_default().running += 1;
        }
        Ok(Turn::Admitted)
    }

    fn ended(&self, keys: [Key; 3], has_failed: bool, now: Instant) {
        let mut of = self.of.lock().expect("nothing panics with the lock held");
        for key in keys {
            let Entry::Occupied(mut found) = of.entry(key) else { continue };
            let failures = found.get_mut();
            failures.running -= 1;
            if has_failed {
                failures.failed.0.push_back(now);
            } else if failures.running == 0 && failures.failed.0.is_empty() {
                found.remove();
            }
        }
        drop(of);
        self.ended.notify_waiters();
    }

    fn left(&self, key: Key, now: Instant) -> Left {
        let of = self.of.lock().expect("nothing panics with the lock held");
        let limit = key.limit();
        of.get(&key).map_or_else(
            || Window::default().left(limit, now),
            |failures| failures.failed.left(limit, now),
        )
    }

    fn forget_old(&self, now: Instant) {
        let mut of = self.of.lock().expect("nothing panics with the lock held");
        of.retain(|key, failures| !failures.failed.slide(key.limit(), now) || failures.running > 0);
    }
}

/// How often each client did one thing.
struct OfClients {
    limit: Limit,
    of: Mutex<HashMap<Network, Window>>,
}

impl OfClients {
    fn new(limit: Limit) -> Self {
        Self { limit, of: Mutex::default() }
    }

    fn check(&self, network: Network, now: Instant) -> Result<(), TooOften> {
        let mut of = self.of.lock().expect("nothing panics with the lock held");
        let Some(window) = of.get_mut(&network) else { return Ok(()) };
        window.slide(self.limit, now);
        window.full(self.limit, now).map_or(Ok(()), Err)
    }

    fn count(&self, network: Network, now: Instant) -> Result<Left, TooOften> {
        let mut of = self.of.lock().expect("nothing panics with the lock held");
        let window = of.entry(network).or_default();
        window.slide(self.limit, now);
        if let Some(refusal) = window.full(self.limit, now) {
            return Err(refusal);
        }
        window.0.push_back(now);
        Ok(window.left(self.limit, now))
    }

    fn forget_old(&self, now: Instant) {
        let mut of = self.of.lock().expect("nothing panics with the lock held");
        of.retain(|_, window| !window.slide(self.limit, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(last: u8) -> Network {
        Network::of(Some(&format!("192.0.2.{last}")))
    }

    fn keys(network: Network, account: u8) -> [Key; 3] {
        let account = [account; 16];
        [Key::Pair(network, account), Key::Client(network), Key::Account(account)]
    }

    /// How many proofs fail before one is refused.
    fn failures(proofs: &FailedProofs, keys: [Key; 3], at: Instant) -> usize {
        (0..1000)
            .find(|_| match proofs.try_admit(keys, at) {
                Ok(Turn::Admitted) => {
                    proofs.ended(keys, true, at);
                    false
                }
                Ok(Turn::Later) => panic!("nothing is under way"),
                Err(_) => true,
            })
            .expect("there is an end to it")
    }

    #[test]
    fn failures_count_for_the_pair_the_client_and_the_account() {
        let (proofs, now) = (FailedProofs::default(), Instant::now());
        assert_eq!(failures(&proofs, keys(network(1), 1), now), 10);
        let of_client: usize =
            (2..8).map(|account| failures(&proofs, keys(network(1), account), now)).sum();
        assert_eq!(of_client, 20, "thirty from one client");
        let of_account: usize =
            (2..30).map(|client| failures(&proofs, keys(network(client), 1), now)).sum();
        assert_eq!(of_account, 90, "a hundred for one account");
        let later = now + MINUTE;
        assert_eq!(failures(&proofs, keys(network(1), 1), later), 0, "the hour is not over");
        assert_eq!(failures(&proofs, keys(network(1), 2), later), 10);
        proofs.forget_old(now + HOUR + MINUTE);
        assert!(proofs.of.lock().unwrap().is_empty(), "nothing is kept for ever");
    }

    #[tokio::test]
    async fn a_client_is_told_of_its_own_failures_only() {
        let limits = RateLimits::new(true);
        for client in 2..9 {
            limits.proof(network(client), [1; 16]).await.unwrap().ended(true);
        }
        let left = limits.proof(network(1), [1; 16]).await.unwrap().ended(true).unwrap();
        assert_eq!((left.limit, left.requests), (FAILED_OF_PAIR, 9));
        for account in 2..24 {
            limits.proof(network(1), [account; 16]).await.unwrap().ended(true);
        }
        let left = limits.proof(network(1), [1; 16]).await.unwrap().ended(false).unwrap();
        assert_eq!((left.limit, left.requests), (FAILED_OF_CLIENT, 7));
        assert!((1..=60).contains(&left.reset_seconds));
        assert_eq!(
            RateLimits::new(false).proof(network(1), [1; 16]).await.unwrap().ended(true),
            None
        );
    }

    #[test]
    fn a_success_counts_for_nothing() {
        let (proofs, now) = (FailedProofs::default(), Instant::now());
        for _ in 0..100 {
            let admitted = proofs.try_admit(keys(network(1), 1), now);
            assert!(matches!(admitted, Ok(Turn::Admitted)));
            proofs.ended(keys(network(1), 1), false, now);
        }
        assert!(proofs.of.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn no_more_run_at_once_than_may_fail() {
        let limits = RateLimits::new(true);
        let mut running = Vec::new();
        for _ in 0..10 {
            running.push(limits.proof(network(1), [1; 16]).await.unwrap());
        }
        let mut eleventh = pin!(limits.proof(network(1), [1; 16]));
        let mut asked = pin!(async { futures_util::poll!(&mut eleventh).is_pending() });
        assert!(asked.as_mut().await, "it waits");
        running.pop().unwrap().ended(true);
        drop(running);
        drop(eleventh.await.unwrap());
        for _ in 0..9 {
            limits.proof(network(1), [1; 16]).await.unwrap().ended(true);
        }
        let refused = limits.proof(network(1), [1; 16]).await.err().unwrap();
        assert!(refused.after <= MINUTE && refused.after > MINUTE / 2, "{refused}");
    }

    #[test]
    fn clients_are_counted_by_network() {
        let calls = OfClients::new(PUBLIC_CALLS);
        let now = Instant::now();
        for host in 0..10 {
            let left = calls.count(Network::of(Some(&format!("2001:db8::{host}"))), now).unwrap();
            assert_eq!((left.requests, left.reset_seconds), (9 - host, 60));
        }
        let refused = calls.count(Network::of(Some("2001:db8::ff")), now + MINUTE / 4).unwrap_err();
        assert_eq!((refused.after, refused.of.requests), (MINUTE * 3 / 4, 0));
        assert_eq!(calls.check(Network::of(Some("2001:db8::1")), now + MINUTE / 4), Err(refused));
        calls.count(Network::of(Some("2001:db8:0:1::1")), now).unwrap();
        calls.count(Network::of(Some("2001:db8::ff")), now + MINUTE).unwrap();
    }
}
