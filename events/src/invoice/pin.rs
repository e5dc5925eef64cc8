//! Usage as an invoice takes it: month by month and day by day, counted up to one version of the
//! usage stream.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::time::Time;

/// Everything that was told up to a version, as far as it can still change: late usage is at most 35
/// days late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Of the usage stream, the last that was counted.
    pub version: u64,
    /// Oldest first.
    pub months: Vec<Month>,
}

/// What counts among what was told about one month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Month {
    pub start: Time,
    /// Of the usage stream, the first that told anything about this month.
    pub first_version: u64,
    pub queries: Told,
    pub bytes_transferred: Told,
    /// Days on which there was anything, oldest first.
    pub days: Vec<Day>,
}

/// Entries of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    pub count: u64,
    pub sum: Decimal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Day {
    pub start: Time,
    pub queries: Decimal,
    pub bytes_transferred: Decimal,
}

impl Pin {
    pub(crate) fn month(&self, start: Time) -> Option<&Month> {
        self.months.iter().find(|month| month.start == start)
    }
}
