//! How many requests come with one credential, proven or not: 100 a second, 200 at once. What is
//! kept of each is one time, until which what it asked for would have been spread evenly (GCRA).

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;

use super::{Left, Limit, TooOften};

/// Requests at once.
const BURST: u64 = 200;
/// In how many seconds that many are allowed again.
const WINDOW_SECONDS: u64 = 2;
const NANOS_EACH: u64 = WINDOW_SECONDS * 1_000_000_000 / BURST;
const LIMIT: Limit = Limit::new("default", 200, Duration::from_secs(WINDOW_SECONDS));
/// Credentials that are remembered; of more, those seen long ago start anew.
const CREDENTIALS: usize = 100_000;

pub(super) struct Requests {
    began: Instant,
    /// Of this process only: nobody can tell which credentials share a place.
    hasher: RandomState,
    /// Nanoseconds since the beginning.
    until: Cache<u64, Arc<AtomicU64>>,
}

impl Default for Requests {
    fn default() -> Self {
        let until = Cache::new(CREDENTIALS);
        Self { began: Instant::now(), hasher: RandomState::new(), until }
    }
}

impl Requests {
    pub(super) fn count(&self, credential: &[u8], now: Instant) -> Result<Left, TooOften> {
        let place = self.hasher.hash_one(credential);
        let fresh = || Ok::<_, std::convert::Infallible>(Arc::new(AtomicU64::new(0)));
        let Ok(until) = self.until.get_or_insert_with(&place, fresh);
        let now = now.saturating_duration_since(self.began).as_nanos();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        let all = NANOS_EACH * BURST;
        let after = |until: u64| until.max(now) + NANOS_EACH;
        let counted = until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |until| {
            Some(after(until)).filter(|after| after - now <= all)
        });
        match counted {
            Ok(before) => {
                let taken = after(before) - now;
                Ok(Left {
                    limit: LIMIT,
                    requests: usize::try_from((all - taken) / NANOS_EACH).unwrap_or(0),
                    reset_seconds: taken.div_ceil(1_000_000_000),
                })
            }
            Err(until) => Err(TooOften {
                after: Duration::from_nanos(after(until) - now - all),
                of: Left { limit: LIMIT, requests: 0, reset_seconds: WINDOW_SECONDS },
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_a_hundred_a_second() {
        let requests = Requests::default();
        let now = requests.began;
        let allowed = |at| (0..1000).filter(|_| requests.count(b"ana", at).is_ok()).count();
        let left = requests.count(b"ana", now).unwrap();
        assert_eq!(left, Left { limit: LIMIT, requests: 199, reset_seconds: 1 });
        assert_eq!(allowed(now), 199);
        assert_eq!(requests.count(b"ana", now).unwrap_err().after, Duration::from_millis(10));
        assert_eq!(allowed(now + Duration::from_secs(1)), 100);
        assert_eq!(allowed(now + Duration::from_mins(1)), 200);
        let last = requests.count(b"ben", now + Duration::from_mins(1)).unwrap();
        assert_eq!(last.requests, 199, "somebody else's requests do not count");
    }
}
