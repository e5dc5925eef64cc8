//! What invoices are made from: one row for each month of the calendar, and one that tells up to which
//! version of the usage stream they count. They change in one transaction, so whoever reads them
//! together has the figures of exactly that version, and anybody who counts the stream again finds them.

use std::collections::{BTreeMap, HashMap};

use events::id::OrganizationId;
use events::time::Time;
use events::usage::{Entry, Kind};
use serde::{Deserialize, Serialize};

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
    fn add(&mut self, value: u64) {
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

    fn add(&mut self, entry: &Entry) {
        let day = self.days.entry(Span::Day.of(entry.time)).or_default();
        let (counted, of_day) = match entry.kind {
            Kind::Queries => (&mut self.queries, &mut day.queries),
            Kind::BytesTransferred => (&mut self.bytes_transferred, &mut day.bytes_transferred),
            Kind::QueryShape | Kind::StorageBytes | Kind::BackupBytes | Kind::ConnectionSeconds => {
                return;
            }
        };
        counted.add(entry.value);
        *of_day = of_day.saturating_add(entry.value);
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

/// The month that an entry is billed in.
pub(super) fn month_of(organization: OrganizationId, entry: &Entry) -> Option<Key> {
    match entry.kind {
        Kind::Queries | Kind::BytesTransferred => {
            Some(key_of_month(organization, &Span::Month.of(entry.time)))
        }
        Kind::QueryShape | Kind::StorageBytes | Kind::BackupBytes | Kind::ConnectionSeconds => None,
    }
}

/// What a run of events changes.
#[derive(Default)]
pub(super) struct Changed {
    through: BTreeMap<OrganizationId, (Through, Time)>,
    months: BTreeMap<Key, BilledMonth>,
}

impl Changed {
    pub(super) fn came_through(&mut self, organization: OrganizationId, version: u64, at: Time) {
        self.through.insert(organization, (Through { version }, at));
    }

    /// Adds an entry that counts.
    pub(super) fn count(
        &mut self,
        organization: OrganizationId,
        version: u64,
        entry: &Entry,
        stored: &HashMap<Key, String>,
    ) -> Result<(), Impossible> {
        let Some(key) = month_of(organization, entry) else { return Ok(()) };
        if !self.months.contains_key(&key) {
            let before = read::<BilledMonth>(stored, &key)?;
            self.months.insert(key.clone(), before.unwrap_or_else(|| BilledMonth::since(version)));
        }
        if let Some(month) = self.months.get_mut(&key) {
            month.add(entry);
        }
        Ok(())
    }

    pub(super) fn written(self) -> Result<Vec<Written>, Impossible> {
        let mut written = Vec::with_capacity(2 * self.through.len() + self.months.len());
        let mut oldest = BTreeMap::new();
        for (organization, (through, at)) in self.through {
            let scope = scope(organization);
            let first = Span::Month.of(before(at, SHAPES_KEPT));
            // the other row of the scope sorts behind every month
            written.push(Written {
                key: Key::new(&scope, ""),
                sort: first.clone(),
                body: None,
                columns: None,
            });
            let key = key_of_through(organization);
            written.push(row(key.clone(), key.id, &through)?);
            oldest.insert(scope, first);
        }
        let is_kept = |key: &Key| oldest.get(&key.scope).is_none_or(|oldest| key.id >= *oldest);
        for (key, month) in self.months.into_iter().filter(|(key, _)| is_kept(key)) {
            written.push(row(key.clone(), key.id, &month)?);
        }
        Ok(written)
    }
}
