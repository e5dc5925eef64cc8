//! How much was used, hour by hour, day by day and month by month, each sender's event counted once.
//! Which of equal events counts is decided here, in the transaction that changes the totals: the first
//! in the order of the log. Its key is kept for 40 days of recorded time, and as long as it is kept
//! whatever comes with it again is a repeat.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use events::Event;
use events::id::OrganizationId;
use events::recorded::Recorded;
use events::stream::Stream;
use events::time::Time;
use events::usage::{Entry, Event::Recorded as Told, KEYS_KEPT, Kind};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Impossible, Key, Model, Touched, Written};

mod billed;

pub use billed::{BilledDay, BilledMonth, Counted, Through, key_of_month, key_of_through};

pub const NAME: &str = "usage";

/// A shape counts once in a month, and the last word about a month comes 35 days after it.
const SHAPES_KEPT: Duration = Duration::from_hours(70 * 24);

/// Which entry of the log has a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Of the event on the usage stream.
    pub version: u64,
    /// Its place in the event.
    pub index: usize,
    /// Tells what it says; see [`Entry::content`].
    pub content: String,
    /// When it was recorded.
    pub at: Time,
}

impl Known {
    fn is_kept_at(&self, now: Time) -> bool {
        now < self.at.after(KEYS_KEPT)
    }
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
    fn add(&mut self, entry: &Entry, is_new_shape: bool) {
        let sum = |total: &mut u64| *total = total.saturating_add(entry.value);
        match entry.kind {
            Kind::Queries => sum(&mut self.queries),
            Kind::BytesTransferred => sum(&mut self.bytes_transferred),
            Kind::ConnectionSeconds => sum(&mut self.connection_seconds),
            Kind::QueryShape => self.query_shapes += u64::from(is_new_shape),
            Kind::StorageBytes => self.storage_bytes = self.storage_bytes.max(entry.value),
            Kind::BackupBytes => self.backup_bytes = self.backup_bytes.max(entry.value),
        }
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

    /// Which one an entry belongs to; `None` where it belongs to none.
    fn named(self, entry: &Entry) -> Option<String> {
        match self {
            Self::Organization => Some(String::new()),
            Self::Project => entry.project.map(|project| project.to_string()),
            Self::Database => Some(entry.database.to_string()),
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

/// Where the entry with a key stands, if it was ever told.
pub fn key_of(organization: OrganizationId, key: &str) -> Key {
    Key::new(keys(organization), key)
}

fn keys(organization: OrganizationId) -> String {
    format!("{organization} keys")
}

fn sort_of_time(at: Time) -> String {
    format!("{:016x}", u64::try_from(at.millis()).unwrap_or_default())
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
        let told =
            recorded.iter().filter_map(|recorded| match (recorded.stream, &recorded.event) {
                (Stream::Usage(organization), Event::Usage(Told { entries })) => Some(ToldAt {
                    organization,
                    version: recorded.version,
                    at: recorded.at,
                    entries: entries.clone(),
                }),
                _ => None,
            });
        Box::new(Batch { told: told.collect() })
    }
}

struct ToldAt {
    organization: OrganizationId,
    version: u64,
    at: Time,
    entries: Vec<Entry>,
}

struct Batch {
    told: Vec<ToldAt>,
}

/// Every total that an entry counts in.
fn totals_of(organization: OrganizationId, entry: &Entry) -> impl Iterator<Item = (Key, String)> {
    Span::ALL.into_iter().flat_map(move |span| {
        let within = span.of(entry.time);
        Of::ALL.into_iter().filter_map(move |of| {
            let named = of.named(entry)?;
            let id = id_of(&within, &named);
            let shape = entry.shape.as_deref().unwrap_or_default();
            let scope = scope_of(organization, of, span);
            Some((Key::new(scope, &id), format!("{id} {shape}")))
        })
    })
}

/// Where it is kept that a shape was counted in a total.
fn shape_key(total: &Key, shape: String) -> Key {
    Key::new(shapes_of(&total.scope), shape)
}

fn shapes_of(scope: &str) -> String {
    format!("{scope} shapes")
}

fn before(at: Time, span: Duration) -> Time {
    let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Time::from_millis(at.millis().saturating_sub(span))
}

impl Touched for Batch {
    fn wanted(&self) -> Vec<Key> {
        let mut wanted = Vec::new();
        for told in &self.told {
            for entry in &told.entries {
                wanted.push(key_of(told.organization, &entry.key));
                wanted.extend(billed::month_of(told.organization, entry));
                for (total, shape) in totals_of(told.organization, entry) {
                    if entry.shape.is_some() {
                        wanted.push(shape_key(&total, shape));
                    }
                    wanted.push(total);
                }
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    fn apply(self: Box<Self>, stored: HashMap<Key, String>) -> Result<Vec<Written>, Impossible> {
        let mut keys: HashMap<Key, Known> = HashMap::new();
        let mut totals: BTreeMap<Key, Totals> = BTreeMap::new();
        let mut shapes: BTreeMap<Key, Time> = BTreeMap::new();
        let mut billed = billed::Changed::default();
        let mut pruned: BTreeMap<OrganizationId, Time> = BTreeMap::new();
        for ToldAt { organization, version, at, entries } in &self.told {
            pruned.insert(*organization, *at);
            billed.came_through(*organization, *version, *at);
            for (index, entry) in entries.iter().enumerate() {
                let key = key_of(*organization, &entry.key);
                let before = match keys.get(&key) {
                    Some(known) => Some(known.clone()),
                    None => read::<Known>(&stored, &key)?,
                };
                if before.is_some_and(|known| known.is_kept_at(*at)) {
                    continue;
                }
                let known = Known { version: *version, index, content: entry.content(), at: *at };
                keys.insert(key, known);
                billed.count(*organization, *version, entry, &stored)?;
                for (total, shape) in totals_of(*organization, entry) {
                    let is_new_shape = entry.shape.is_some() && {
                        let shape = shape_key(&total, shape);
                        let is_new = !stored.contains_key(&shape) && !shapes.contains_key(&shape);
                        if is_new {
                            shapes.insert(shape, entry.time);
                        }
                        is_new
                    };
                    let row = match totals.entry(total) {
                        std::collections::btree_map::Entry::Occupied(row) => row.into_mut(),
                        std::collections::btree_map::Entry::Vacant(row) => {
                            let before = read::<Totals>(&stored, row.key())?;
                            row.insert(before.unwrap_or_default())
                        }
                    };
                    row.add(entry, is_new_shape);
                }
            }
        }
        let mut written = Vec::with_capacity(keys.len() + totals.len() + shapes.len());
        let mut oldest: HashMap<String, Time> = HashMap::new();
        for (organization, at) in pruned {
            oldest.insert(self::keys(organization), before(at, KEYS_KEPT));
            for (span, of) in Span::ALL.into_iter().flat_map(|span| Of::ALL.map(|of| (span, of))) {
                let scope = shapes_of(&scope_of(organization, of, span));
                oldest.insert(scope, before(at, SHAPES_KEPT));
            }
        }
        for (scope, oldest) in &oldest {
            written.push(Written {
                key: Key::new(scope, ""),
                sort: sort_of_time(*oldest),
                body: None,
                columns: None,
            });
        }
        let is_kept =
            |key: &Key, at: Time| oldest.get(&key.scope).is_none_or(|oldest| at >= *oldest);
        for (key, known) in keys.into_iter().filter(|(key, known)| is_kept(key, known.at)) {
            written.push(row(key, sort_of_time(known.at), &known)?);
        }
        for (key, totals) in totals {
            written.push(row(key.clone(), key.id, &totals)?);
        }
        for (key, at) in shapes.into_iter().filter(|(key, at)| is_kept(key, *at)) {
            written.push(row(key, sort_of_time(at), &())?);
        }
        written.extend(billed.written()?);
        Ok(written)
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
