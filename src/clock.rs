//! What time it is: a value that is asked for in one place, so that it can be moved in another.

use std::time::{SystemTime, UNIX_EPOCH};

use events::time::Time;

/// The machine's own time.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    read: fn() -> SystemTime,
}

impl Default for Clock {
    fn default() -> Self {
        Self { read: SystemTime::now }
    }
}

impl Clock {
    pub(crate) fn now(&self) -> Time {
        let since = (self.read)().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
