//! How much was used, hour by hour, day by day and month by month, each sender's event counted once.
//! Which of equal events counts is decided here, in the transaction that changes the totals: the first
//! in the order of the log. Its key is kept for 40 days of recorded time, and as long as it is kept
//! whatever comes with it again is a repeat.

use std::collections::HashMap;
use std::time::Duration;

use events::Event;
use events::id::OrganizationId;
use events::recorded::Recorded;
use events::stream::Stream;
use events::time::{DAY, Time};
use events::usage::{Event::Recorded as Told, KEYS_KEPT};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Impossible, Key, Model, Touched, Written};
use batch::{Batch, Place, Sums};

mod batch;
mod billed;

pub use billed::{BilledDay, BilledMonth, Counted, Through, key_of_month, key_of_through};

pub const NAME: &str = "usage";

/// A shape counts once in a month, and the last word about a month comes 35 days after it.
const SHAPES_KEPT: Duration = Duration::from_hours(70 * 24);
/// Whoever told something asks at once what became of it.
const OUTCOMES_KEPT: Duration = DAY;

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// Tells what its entry says; see [`Entry::content`].
    content: String,
    /// When it was recorded.
    at: Time,
}

impl Known {
    fn is_kept_at(&self, now: Time) -> bool {
        now < self.at.after(KEYS_KEPT)
    }
}

/// What became of the entries of one event, for who told them: by their places in the event those
/// that do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The same was told before, and counts once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub duplicates: Vec<usize>,
    /// Something else was told before under this key; that counts, and this does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reused: Vec<usize>,
}

/// What was used in one span of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub queries: u64,
    pub bytes_transferred: u64,
    pub connection_seconds: u64,
    /// Different ones.
    pub query_shapes: u64,
    /// The most that was kept at any moment.
    pub storage_bytes: u64,
    pub backup_bytes: u64,
}

impl Totals {
    fn add(&mut self, sums: &Sums) {
        let add = |total: &mut u64, more: u64| *total = total.saturating_add(more);
        add(&mut self.queries, sums.queries.sum);
        add(&mut self.bytes_transferred, sums.bytes_transferred.sum);
        add(&mut self.connection_seconds, sums.connection_seconds);
        self.storage_bytes = self.storage_bytes.max(sums.storage_bytes);
        self.backup_bytes = self.backup_bytes.max(sums.backup_bytes);
    }
}

/// Over what is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Span {
    Hour,
    Day,
    /// Of the calendar.
    Month,
}

impl Span {
    const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Month];

    fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The span that a time is in, as text that sorts like time: `2026-01-31T09`.
    pub fn of(self, time: Time) -> String {
        let mut text = time.to_string();
        text.truncate(match self {
            Self::Hour => "2026-01-31T09".len(),
            Self::Day => "2026-01-31".len(),
            Self::Month => "2026-01".len(),
        });
        text
    }
}

/// Of what is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Of {
    Organization,
    Project,
    Database,
}

impl Of {
    const ALL: [Self; 3] = [Self::Organization, Self::Project, Self::Database];

    fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Project => "project",
            Self::Database => "database",
        }
    }

    /// Which one a place belongs to; `None` where it belongs to none.
    fn named(self, place: &Place) -> Option<String> {
        match self {
            Self::Organization => Some(String::new()),
            Self::Project => place.project.map(|project| project.to_string()),
            Self::Database => Some(place.database.to_string()),
        }
    }
}

/// The scope of totals; their ids, which are their sort keys too, are [`id_of`].
pub fn scope_of(organization: OrganizationId, of: Of, span: Span) -> String {
    format!("{organization} {} {}", of.as_str(), span.as_str())
}

/// Id and sort key of one total: the span, and what is counted.
pub fn id_of(span: &str, named: &str) -> String {
    format!("{span} {named}")
}

/// Where it stands what became of the entries of an event on the usage stream: [`Outcome`]. It is
/// there for a day of recorded time.
pub fn key_of_outcome(organization: OrganizationId, version: u64) -> Key {
    Key::new(outcomes(organization), version)
}

fn outcomes(organization: OrganizationId) -> String {
    format!("{organization} outcomes")
}

/// Where it stands that something was told under a key, as long as that is remembered.
pub fn key_of(organization: OrganizationId, key: &str) -> Key {
    Key::new(keys(organization), key)
}

fn keys(organization: OrganizationId) -> String {
    format!("{organization} keys")
}

fn sort_of_time(at: Time) -> String {
    format!("{:016x}", u64::try_from(at.millis()).unwrap_or_default())
}

fn before(at: Time, span: Duration) -> Time {
    let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Time::from_millis(at.millis().saturating_sub(span))
}

/// The read model.
pub struct Usage;

impl Model for Usage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        2
    }

    fn project(&self, recorded: &[Recorded]) -> Box<dyn Touched> {
        let mut batch = Batch::default();
        for recorded in recorded {
            if let (Stream::Usage(organization), Event::Usage(Told { entries })) =
                (recorded.stream, &recorded.event)
            {
                batch.take(organization, recorded, entries);
            }
        }
        Box::new(batch)
    }
}

fn read<T: DeserializeOwned>(
    stored: &HashMap<Key, String>,
    key: &Key,
) -> Result<Option<T>, Impossible> {
    let row = stored.get(key).map(|body| serde_json::from_str(body));
    row.transpose().map_err(unreadable)
}

fn row(key: Key, sort: String, row: &impl Serialize) -> Result<Written, Impossible> {
    let body = Some(serde_json::to_string(row).map_err(unreadable)?);
    Ok(Written { key, sort, body, columns: None })
}

fn unreadable(source: serde_json::Error) -> Impossible {
    Impossible::Unreadable { model: NAME, source }
}

#[cfg(test)]
mod tests;
