//! One line of an invoice: what it is for, and how its amount comes about. An amount is rounded once,
//! here, half to even, to the cent; a total is the sum of its lines.

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

use crate::id::DatabaseId;
use crate::plan::Dollars;
use crate::time::Time;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub item: Item,
    /// From when on it is charged.
    pub start: Time,
    /// Until then, that moment excluded.
    pub end: Time,
    pub quantity: Decimal,
    /// Of so many.
    pub per: Decimal,
    pub unit_price: Dollars,
    /// `unit_price · quantity / per`, rounded.
    pub amount: Dollars,
    /// It belongs to a month that was closed before.
    pub is_adjustment: bool,
    /// Where the usage stands that it charges for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Charged>,
}

/// What is charged for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Item {
    /// Seconds of the month's seconds.
    Plan { plan: String, label: String },
    /// Seconds of each seat, of the month's seconds.
    Seats { seats: u64 },
    /// Queries over the limit of their day, per thousand.
    Queries {},
    /// Bytes over the limit of the month, per 10⁹.
    Transfer {},
    /// Started hours of each node.
    Compute { tier: String, database: Option<Database> },
    /// Started hours of each GB, per month of 720 hours.
    Storage { database: Option<Database> },
    /// Started hours of each byte, per 10⁹ bytes and month of 720 hours.
    Backup { database: Option<Database> },
}

/// Which database; lines name none where there are too many of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub id: DatabaseId,
    pub name: String,
}

/// Entries of the usage stream: those of its kind in these versions that count, and whose time lies
/// in the month of the line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charged {
    pub stream: String,
    pub first_version: u64,
    pub last_version: u64,
    /// How many.
    pub count: u64,
    /// Of their values, what the limit allows included.
    pub sum: Decimal,
}

impl Item {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Plan { .. } => "plan",
            Self::Seats { .. } => "seats",
            Self::Queries {} => "queries",
            Self::Transfer {} => "transfer",
            Self::Compute { .. } => "compute",
            Self::Storage { .. } => "storage",
            Self::Backup { .. } => "backup",
        }
    }

    pub fn database(&self) -> Option<&Database> {
        match self {
            Self::Plan { .. } | Self::Seats { .. } | Self::Queries {} | Self::Transfer {} => None,
            Self::Compute { database, .. }
            | Self::Storage { database }
            | Self::Backup { database } => database.as_ref(),
        }
    }
}

/// `unit_price · quantity / per` to the cent, half to even.
pub fn amount(unit_price: Dollars, quantity: Decimal, per: Decimal) -> Dollars {
    cents(unit_price.saturating_mul(quantity).checked_div(per).unwrap_or_default())
}

/// To the cent, and written so: `9.00`.
pub fn cents(dollars: Dollars) -> Dollars {
    let mut rounded = dollars.round_dp_with_strategy(2, RoundingStrategy::MidpointNearestEven);
    rounded.rescale(2);
    rounded
}

/// The sum of the lines.
pub fn total(lines: &[Line]) -> Dollars {
    let sum = lines.iter().fold(Dollars::ZERO, |sum, line| sum.saturating_add(line.amount));
    cents(sum)
}
