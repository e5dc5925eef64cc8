//! Started clock hours: an hour counts when anything was so in it, once, and as the dearest of what
//! was so. They are charged for, and shown as usage day by day, what costs nothing included.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::charge::{GIGABYTE, Span};
use super::line::{Database, Item};
use super::meter::{Meter, Metered, Shape, Stored};
use crate::id::{DatabaseId, ProjectId};
use crate::plan::Dollars;
use crate::time::Time;

const HOUR: i64 = 3_600_000;

/// Hours of one database on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayHours {
    /// Of each node that ran.
    pub compute: Decimal,
    /// Of each 10⁹ bytes.
    pub storage_gb: Decimal,
    pub backup_gb: Decimal,
}

/// A day, a database, and the project that it was in.
pub type DayOf = (Time, DatabaseId, Option<ProjectId>);

impl DayHours {
    pub fn add(&mut self, other: &Self) {
        self.compute += other.compute;
        self.storage_gb += other.storage_gb;
        self.backup_gb += other.backup_gb;
    }
}

impl Meter {
    /// What ran and was stored from `start` to `end`, whether it cost anything or not; what a trial
    /// does not charge included. A month that is closed is remembered no longer.
    pub fn hours_by_day(&self, start: Time, end: Time) -> BTreeMap<DayOf, DayHours> {
        let mut days = BTreeMap::new();
        let mut midnight = start.day().0;
        while midnight < end {
            let next = midnight.day().1;
            let mut spans = self.spans(midnight.max(start), next.min(end));
            for span in &mut spans {
                span.is_free = false;
            }
            for (id, database) in &self.databases {
                database.hours_of_day(&spans, |project, hours| {
                    days.entry((midnight, *id, project))
                        .or_insert_with(DayHours::default)
                        .add(hours);
                });
            }
            midnight = next;
        }
        days
    }
}

/// Hours of what is charged at one price.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    /// Hours, times how many there were of it.
    pub(super) units: Decimal,
    /// When the first of them begins.
    pub(super) start: Time,
    /// When the last of them ends.
    pub(super) end: Time,
}

impl Counted {
    pub(super) fn add(&mut self, other: &Self) {
        self.units = self.units.saturating_add(other.units);
        (self.start, self.end) = (self.start.min(other.start), self.end.max(other.end));
    }
}

type Sums = BTreeMap<(Item, Dollars), Counted>;

/// Something that runs on, told in the order of time.
#[derive(Default)]
struct Hours {
    sums: Sums,
    /// The hour that was counted last, and as what.
    last: Option<(i64, Item, Dollars, u64)>,
}

impl Hours {
    /// There was so much of it from `start` to `end`.
    fn add(&mut self, (start, end): (Time, Time), item: &Item, price: Dollars, units: u64) {
        if start >= end || units == 0 {
            return;
        }
        let mut first = start.millis().div_euclid(HOUR);
        let last = (end.millis() - 1).div_euclid(HOUR);
        if let Some((hour, known, known_price, known_units)) = self.last.clone()
            && hour == first
        {
            first += 1;
            let cost = |price: Dollars, units: u64| price.saturating_mul(units.into());
            if cost(price, units) > cost(known_price, known_units) {
                self.count(hour, -1, (known, known_price, known_units));
                self.count(hour, 1, (item.clone(), price, units));
                self.last = Some((hour, item.clone(), price, units));
            }
        }
        if first <= last {
            self.count(first, last - first + 1, (item.clone(), price, units));
            self.last = Some((last, item.clone(), price, units));
        }
    }

    fn count(&mut self, first: i64, hours: i64, (item, price, units): (Item, Dollars, u64)) {
        let units = Decimal::from(units).saturating_mul(hours.into());
        let time = |hour: i64| Time::from_millis(hour * HOUR);
        let counted = Counted { units, start: time(first), end: time(first + hours.max(0)) };
        let key = (item, price);
        if hours < 0 {
            // an hour is taken back that turned out dearer
            if let Some(sum) = self.sums.get_mut(&key) {
                sum.units += units;
                if sum.units.is_zero() {
                    self.sums.remove(&key);
                } else {
                    sum.end = sum.end.min(time(first));
                }
            }
            return;
        }
        self.sums.entry(key).and_modify(|sum| sum.add(&counted)).or_insert(counted);
    }
}

impl Metered {
    /// What of it is charged where these terms hold.
    pub(super) fn counted(&self, spans: &[Span<'_>], name: Option<&Database>) -> Sums {
        let database = || name.cloned();
        let (mut compute, mut storage) = (Hours::default(), Hours::default());
        let storage_item = Item::Storage { database: database() };
        for (times, span, shape) in self.pieces(spans) {
            let prices = &span.subscribed.terms.prices;
            if shape.is_running && !span.subscribed.is_suspended {
                let price = prices.tier(&shape.tier).unwrap_or_default();
                let item = Item::Compute { tier: shape.tier.clone(), database: database() };
                compute.add(times, &item, price, shape.node_count.into());
            }
            if shape.is_stored {
                let price = prices.storage_gigabyte_month;
                storage.add(times, &storage_item, price, shape.storage_gb.into());
            }
        }
        let mut sums = compute.sums;
        let item = Item::Backup { database: database() };
        let backups = self.backups.values().map(|backup| backup.hours(spans, &item));
        for (key, counted) in std::iter::once(storage.sums).chain(backups).flatten() {
            sums.entry(key).and_modify(|sum| sum.add(&counted)).or_insert(counted);
        }
        sums.retain(|(_, price), _| !price.is_zero());
        sums
    }

    /// What of it was there in the spans of one day, project by project.
    fn hours_of_day(&self, spans: &[Span<'_>], mut add: impl FnMut(Option<ProjectId>, &DayHours)) {
        let mut hours: BTreeMap<Option<ProjectId>, (Hours, Hours)> = BTreeMap::new();
        let (item, one) = (Item::Storage { database: None }, Dollars::ONE);
        let mut project = None;
        for (times, span, shape) in self.pieces(spans) {
            project = shape.project;
            let (compute, storage) = hours.entry(shape.project).or_default();
            if shape.is_running && !span.subscribed.is_suspended {
                compute.add(times, &item, one, shape.node_count.into());
            }
            if shape.is_stored {
                storage.add(times, &item, one, shape.storage_gb.into());
            }
        }
        let units = |sums: &Sums| sums.values().map(|counted| counted.units).sum::<Decimal>();
        for (project, (compute, storage)) in &hours {
            let (compute, storage_gb) = (units(&compute.sums), units(&storage.sums));
            if !compute.is_zero() || !storage_gb.is_zero() {
                add(*project, &DayHours { compute, storage_gb, backup_gb: Decimal::ZERO });
            }
        }
        // backups are with the project that the database was in last
        let bytes: Decimal = self.backups.values().map(|it| units(&it.hours(spans, &item))).sum();
        if !bytes.is_zero() {
            let backup_gb = bytes / Decimal::from(GIGABYTE);
            add(project, &DayHours { backup_gb, ..DayHours::default() });
        }
    }

    /// Times in which neither the terms nor the database changed, in their order, trials left out.
    fn pieces<'a>(
        &'a self,
        spans: &'a [Span<'a>],
    ) -> impl Iterator<Item = ((Time, Time), &'a Span<'a>, &'a Shape)> {
        let charged = spans.iter().filter(|span| !span.is_free);
        charged.flat_map(|span| {
            let ends = self.shapes.iter().skip(1).map(|(at, _)| *at).chain([span.end]);
            self.shapes.iter().zip(ends).filter_map(move |((from, shape), until)| {
                let (from, until) = ((*from).max(span.start), until.min(span.end));
                (from < until).then_some(((from, until), span, shape))
            })
        })
    }
}

impl Stored {
    fn hours(&self, spans: &[Span<'_>], item: &Item) -> Sums {
        let mut hours = Hours::default();
        for span in spans.iter().filter(|span| !span.is_free) {
            let until = self.until.map_or(span.end, |until| until.min(span.end));
            let price = span.subscribed.terms.prices.backup_gigabyte_month;
            hours.add((self.from.max(span.start), until), item, price, self.bytes);
        }
        hours.sums
    }
}
