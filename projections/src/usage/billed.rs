//! What invoices are made from: one row for each month of the calendar, and one that tells up to which
//! version of the usage stream they count. They change in one transaction, so whoever reads them
//! together has the figures of exactly that version, and anybody who counts the stream again finds them.

use std::collections::{BTreeMap, HashMap, btree_map};

use events::id::OrganizationId;
use events::usage::Kind;
use serde::{Deserialize, Serialize};

use super::batch::{End, Place, Sums};
use super::{SHAPES_KEPT, Span, before, read, row};
use crate::{Impossible, Key, Written};

/// How far the stream is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Through {
    /// The last version of the usage stream that is counted.
    pub version: u64,
}

/// What is billed of what was used in one month of the calendar (UTC).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BilledMonth {
    /// Version of the first event with an entry that counts here.
    pub first_version: u64,
    pub queries: Counted,
    pub bytes_transferred: Counted,
    /// Every day with any, like `2026-01-31`.
    pub days: BTreeMap<String, BilledDay>,
}

/// Entries that count, and what they say together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    pub count: u64,
    pub sum: u64,
}

impl Counted {
    pub(super) fn add(&mut self, value: u64) {
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BilledDay {
    pub queries: u64,
    pub bytes_transferred: u64,
}

impl BilledMonth {
    fn since(first_version: u64) -> Self {
        Self {
            first_version,
            queries: Counted::default(),
            bytes_transferred: Counted::default(),
            days: BTreeMap::new(),
        }
    }

    fn add(&mut self, day: String, sums: &Sums) {
        let day = self.days.entry(day).or_default();
        for (month, day, more) in [
            (&mut self.queries, &mut day.queries, sums.queries),
            (&mut self.bytes_transferred, &mut day.bytes_transferred, sums.bytes_transferred),
        ] {
            month.count += more.count;
            month.sum = month.sum.saturating_add(more.sum);
            *day = day.saturating_add(more.sum);
        }
    }
}

/// Where it stands up to which version the months count: [`Through`].
pub fn key_of_through(organization: OrganizationId) -> Key {
    Key::new(scope(organization), "through")
}

/// Where a month stands, like `2026-01`: [`BilledMonth`]. There is no row for one in which nothing
/// that is billed was used, nor for one that ended more than 70 days before the last event.
pub fn key_of_month(organization: OrganizationId, month: &str) -> Key {
    Key::new(scope(organization), month)
}

fn scope(organization: OrganizationId) -> String {
    format!("{organization} billing")
}

pub(super) fn is_billed(kind: Kind) -> bool {
    match kind {
        Kind::Queries | Kind::BytesTransferred => true,
        Kind::QueryShape | Kind::StorageBytes | Kind::BackupBytes | Kind::ConnectionSeconds => {
            false
        }
    }
}

/// The month that a place is billed in.
pub(super) fn month_of(place: &Place) -> Key {
    key_of_month(place.organization, &Span::Month.of(place.hour))
}

/// The months that a run of events changes.
#[derive(Default)]
pub(super) struct Changed(BTreeMap<Key, BilledMonth>);

impl Changed {
    pub(super) fn count(
        &mut self,
        place: &Place,
        sums: &Sums,
        stored: &HashMap<Key, String>,
    ) -> Result<(), Impossible> {
        let Some(first) = sums.first_billed else { return Ok(()) };
        let key = month_of(place);
        let month = match self.0.entry(key) {
            btree_map::Entry::Occupied(row) => row.into_mut(),
            btree_map::Entry::Vacant(row) => {
                let before = read::<BilledMonth>(stored, row.key())?;
                row.insert(before.unwrap_or_else(|| BilledMonth::since(first)))
            }
        };
        // places come in no order of versions
        month.first_version = month.first_version.min(first);
        month.add(Span::Day.of(place.hour), sums);
        Ok(())
    }

    pub(super) fn written(
        self,
        ends: &BTreeMap<OrganizationId, End>,
    ) -> Result<Vec<Written>, Impossible> {
        let mut written = Vec::with_capacity(2 * ends.len() + self.0.len());
        let mut oldest = BTreeMap::new();
        for (organization, end) in ends {
            let (scope, first) = (scope(*organization), before(end.at, SHAPES_KEPT));
            let first = Span::Month.of(first);
            // the other row of the scope sorts behind every month
            written.push(Written {
                key: Key::new(&scope, ""),
                sort: first.clone(),
                body: None,
                columns: None,
            });
            let key = key_of_through(*organization);
            written.push(row(key.clone(), key.id, &Through { version: end.version })?);
            oldest.insert(scope, first);
        }
        let is_kept = |key: &Key| oldest.get(&key.scope).is_none_or(|oldest| key.id >= *oldest);
        for (key, month) in self.0.into_iter().filter(|(key, _)| is_kept(key)) {
            written.push(row(key.clone(), key.id, &month)?);
        }
        Ok(written)
    }
}
