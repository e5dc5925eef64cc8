//! What time it is: a value that is asked for in one place.

use std::time::{SystemTime, UNIX_EPOCH};

use events::time::Time;

#[derive(Clone, Debug, Default)]
pub(crate) struct Clock;

impl Clock {
    pub(crate) fn now(&self) -> Time {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
