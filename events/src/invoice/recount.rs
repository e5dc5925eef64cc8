//! Counts a usage stream again, from its events alone, by the rule that is said in
//! [`crate::usage`]: the first of equal keys counts, as long as it is remembered. It is written apart
//! from the read model that is charged by, so that the two can be compared.

use std::collections::{BTreeMap, HashMap};

use rust_decimal::Decimal;

use super::pin::{Day, Month, Pin, Told};
use crate::time::Time;
use crate::usage::{Entry, KEYS_KEPT, Kind};

/// Months are kept until so long after their end: usage is never told later.
const MONTHS_KEPT: i64 = 70 * 24 * 3_600_000;
const DAY: i64 = 24 * 3_600_000;

#[derive(Default)]
pub struct Recount {
    /// When each key was recorded first.
    known: HashMap<String, Time>,
    months: BTreeMap<Time, Counted>,
    version: Option<u64>,
    forgotten_at: Option<Time>,
}

struct Counted {
    first_version: u64,
    queries: Told,
    bytes_transferred: Told,
    days: BTreeMap<Time, (Decimal, Decimal)>,
}

impl Recount {
    /// Takes the next event of the stream.
    pub fn take(&mut self, version: u64, at: Time, entries: &[Entry]) {
        self.forget(at);
        self.version = Some(version);
        for entry in entries {
            let is_kept = |known: &Time| at < known.after(KEYS_KEPT);
            if self.known.get(&entry.key).is_some_and(is_kept) {
                continue;
            }
            self.known.insert(entry.key.clone(), at);
            self.count(version, entry);
        }
    }

    fn count(&mut self, version: u64, entry: &Entry) {
        let is_queries = match entry.kind {
            Kind::Queries => true,
            Kind::BytesTransferred => false,
            Kind::QueryShape | Kind::StorageBytes | Kind::BackupBytes | Kind::ConnectionSeconds => {
                return;
            }
        };
        let value = Decimal::from(entry.value);
        let month = self.months.entry(entry.time.month().0).or_insert_with(|| Counted {
            first_version: version,
            queries: Told::default(),
            bytes_transferred: Told::default(),
            days: BTreeMap::new(),
        });
        let day = month.days.entry(entry.time.day().0).or_default();
        let (told, of_day) = if is_queries {
            (&mut month.queries, &mut day.0)
        } else {
            (&mut month.bytes_transferred, &mut day.1)
        };
        told.count += 1;
        told.sum += value;
        *of_day += value;
    }

    /// What can make no difference any more.
    fn forget(&mut self, at: Time) {
        let is_time = |last: Time| at.millis() - last.millis() > DAY;
        if !self.forgotten_at.is_none_or(is_time) {
            return;
        }
        self.forgotten_at = Some(at);
        self.known.retain(|_, known| at < known.after(KEYS_KEPT));
        let oldest = Time::from_millis(at.millis() - MONTHS_KEPT).month().0;
        self.months.retain(|month, _| *month >= oldest);
    }

    /// The last version that was taken.
    pub fn version(&self) -> Option<u64> {
        self.version
    }

    /// What stands now about these months, as a pin of them has it.
    pub fn months(&self, among: &Pin) -> Vec<Month> {
        let counted = among.months.iter().filter_map(|pinned| {
            let counted = self.months.get(&pinned.start)?;
            let day = |(start, (queries, bytes)): (&Time, &(Decimal, Decimal))| Day {
                start: *start,
                queries: *queries,
                bytes_transferred: *bytes,
            };
            Some(Month {
                start: pinned.start,
                first_version: counted.first_version,
                queries: counted.queries,
                bytes_transferred: counted.bytes_transferred,
                days: counted.days.iter().map(day).collect(),
            })
        });
        counted.collect()
    }
}
