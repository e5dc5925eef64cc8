//! What time it is: asked for in one place, so that it can be moved in another. With `--test-clock`
//! it stands a span ahead of the machine's. The span is kept in the operational state, shared by
//! all nodes, and never gets smaller.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use events::time::Time;
use tokio::sync::watch;

use crate::operational::{self, Operational};

#[derive(Clone, Debug)]
pub(crate) struct Clock {
    read: fn() -> SystemTime,
    /// Milliseconds ahead of the machine; only tests move it.
    ahead: Option<Arc<watch::Sender<i64>>>,
}

impl Default for Clock {
    /// The machine's own time.
    fn default() -> Self {
        Self { read: SystemTime::now, ahead: None }
    }
}

impl Clock {
    /// One that can be moved.
    pub(crate) async fn movable(operational: &Operational) -> Result<Self, operational::Error> {
        let (ahead, _) = watch::channel(operational.clock_ahead().await?);
        Ok(Self { ahead: Some(Arc::new(ahead)), ..Self::default() })
    }

    pub(crate) fn is_movable(&self) -> bool {
        self.ahead.is_some()
    }

    pub(crate) fn now(&self) -> Time {
        let ahead = self.ahead.as_ref().map_or(0, |ahead| *ahead.borrow());
        Time::from_millis(self.machine().saturating_add(ahead))
    }

    fn machine(&self) -> i64 {
        let since = (self.read)().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    /// Learns how far another node has moved it.
    pub(crate) async fn look(&self, operational: &Operational) -> Result<(), operational::Error> {
        if self.is_movable() {
            self.learn(operational.clock_ahead().await?);
        }
        Ok(())
    }

    /// Moves it on to a time, for all nodes; a time that is past moves nothing.
    pub(crate) async fn move_to(
        &self,
        time: Time,
        operational: &Operational,
    ) -> Result<(), operational::Error> {
        let ahead = time.millis().saturating_sub(self.machine());
        self.learn(operational.move_clock(ahead).await?);
        Ok(())
    }

    fn learn(&self, ahead: i64) {
        if let Some(known) = &self.ahead {
            known.send_if_modified(|known| {
                let is_later = ahead > *known;
                *known = ahead.max(*known);
                is_later
            });
        }
    }

    /// Comes back when somebody moves it after this was called.
    pub(crate) fn moved(&self) -> impl Future<Output = ()> + use<> {
        let moves = self.ahead.as_ref().map(|ahead| ahead.subscribe());
        async move {
            let Some(mut moves) = moves else { return std::future::pending().await };
            // whoever has the clock is there as long as somebody waits for it
            let _ = moves.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_goes_back() {
        let (ahead, _) = watch::channel(5000);
        let clock = Clock { read: || UNIX_EPOCH, ahead: Some(Arc::new(ahead)) };
        assert_eq!(clock.now(), Time::from_millis(5000));
        clock.learn(3000);
        assert_eq!(clock.now(), Time::from_millis(5000));
        clock.learn(7000);
        assert_eq!(clock.now(), Time::from_millis(7000));
    }
}
