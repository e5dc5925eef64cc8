//! How many requests come with one credential, proven or not: 100 a second, 200 at once (GCRA).
//!
//! Anybody can make up credentials, so `governor` counts in a store of ours that never remembers
//! more than so many; its own keep every key until they are swept.

use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use quick_cache::sync::Cache;

use super::{Left, Limit, TooOften};

/// Requests at once.
const BURST: u32 = 200;
/// In how many seconds that many are allowed again.
const WINDOW_SECONDS: u32 = 2;
const EACH_SECOND: u32 = BURST / WINDOW_SECONDS;
/// Credentials that are remembered; of more, those seen long ago start anew.
const CREDENTIALS: usize = 100_000;

const LIMIT: Limit =
    Limit::new("default", BURST as usize, Duration::from_secs(WINDOW_SECONDS as u64));

pub(super) struct Requests<C: Clock = MonotonicClock> {
    /// Of this process only: nobody can tell which credentials share a place.
    hasher: RandomState,
    clock: C,
    limiter: RateLimiter<u64, Remembered, C, StateInformationMiddleware>,
}

/// What was counted, by a credential's hash.
struct Remembered(Cache<u64, Arc<InMemoryState>>);

impl StateStore for Remembered {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, place: &u64, count: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let fresh = || Ok::<_, std::convert::Infallible>(Arc::default());
        let Ok(counted) = self.0.get_or_insert_with(place, fresh);
        counted.measure_and_replace(&NotKeyed::NonKey, count)
    }
}

impl Default for Requests {
    fn default() -> Self {
        Self::by(MonotonicClock)
    }
}

impl<C: Clock + Clone> Requests<C> {
    fn by(clock: C) -> Self {
        const {
            assert!(BURST.is_multiple_of(WINDOW_SECONDS), "the headers tell the very limit");
        }
        let of = |number| NonZeroU32::new(number).expect("it is a constant above zero");
        let quota = Quota::per_second(of(EACH_SECOND)).allow_burst(of(BURST));
        let remembered = Remembered(Cache::new(CREDENTIALS));
        let limiter = RateLimiter::new(quota, remembered, clock.clone());
        Self { hasher: RandomState::new(), clock, limiter }
    }

    pub(super) fn count(&self, credential: &[u8]) -> Result<Left, TooOften> {
        match self.limiter.check_key(&self.hasher.hash_one(credential)) {
            Ok(left) => {
                let requests = left.remaining_burst_capacity();
                let reset_seconds = u64::from((BURST - requests).div_ceil(EACH_SECOND));
                Ok(Left { limit: LIMIT, requests: requests as usize, reset_seconds })
            }
            Err(refused) => Err(TooOften {
                after: refused.wait_time_from(self.clock.now()),
                of: Left { limit: LIMIT, requests: 0, reset_seconds: u64::from(WINDOW_SECONDS) },
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_a_hundred_a_second() {
        let clock = FakeRelativeClock::default();
        let requests = Requests::by(clock.clone());
        let allowed = || (0..1000).filter(|_| requests.count(b"ana").is_ok()).count();
        let left = requests.count(b"ana").unwrap();
        assert_eq!(left, Left { limit: LIMIT, requests: 199, reset_seconds: 1 });
        assert_eq!(allowed(), 199);
        assert_eq!(requests.count(b"ana").unwrap_err().after, Duration::from_millis(10));
        clock.advance(Duration::from_secs(1));
        assert_eq!(allowed(), 100);
        clock.advance(Duration::from_mins(1));
        assert_eq!(allowed(), 200);
        let last = requests.count(b"ben").unwrap();
        assert_eq!(last.requests, 199, "somebody else's requests do not count");
    }

    #[test]
    fn the_time_until_nothing_counts_any_more_is_rounded_up() {
        let requests = Requests::by(FakeRelativeClock::default());
        let resets: Vec<u64> =
            (0..BURST).map(|_| requests.count(b"ana").unwrap().reset_seconds).collect();
        assert_eq!((resets[0], resets[99], resets[100], resets[199]), (1, 1, 2, 2));
    }
}
