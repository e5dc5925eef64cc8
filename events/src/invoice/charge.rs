//! What a month costs. A pure function of what the organization's stream says and of a pin of its
//! usage, so that anybody who has both comes to the same cents.
//!
//! - The plan and its extra seats are charged by the second of the month's seconds.
//! - Databases are charged by started clock hours (UTC): compute for each node of a running one,
//!   storage from its first start to its deletion, backups from their completion on. What differs
//!   within an hour is charged as the dearest of it.
//! - Queries over the limit of their day and bytes over the limit of their month are charged as
//!   overage, by the terms at the end of that day and of that month.
//! - In a trial nothing is charged; while the organization is suspended only storage and backups.
//! - A tier that the terms do not offer costs nothing.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::hours::Counted;
use super::line::{self, Charged, Database, Item, Line};
use super::meter::{Meter, Metered, Subscribed, is_uncounted};
use super::pin::{Month, Pin};
use crate::id::{DatabaseId, OrganizationId};
use crate::plan::{Dollars, Terms};
use crate::stream::Stream;
use crate::time::Time;

/// Of which prices by the month are the price.
pub const HOURS_A_MONTH: i64 = 720;
/// Bytes.
pub const GIGABYTE: i64 = 1_000_000_000;
/// With more lines, databases are charged together.
const MOST_LINES: usize = 1500;

/// What is charged for, and how it was charged before.
pub struct Bill<'a> {
    pub organization: OrganizationId,
    pub meter: &'a Meter,
    /// Half-open, within one calendar month.
    pub start: Time,
    pub end: Time,
    pub usage: Option<&'a Pin>,
    /// As of the month before.
    pub charged: Option<&'a Pin>,
}

impl Bill<'_> {
    /// The lines, in the order in which they are shown.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = self.subscription();
        lines.extend(self.usage());
        let rest = lines.len();
        let named = |id, database: &Metered| Some(Database { id, name: database.name.clone() });
        lines.extend(self.databases(named));
        if lines.len() > MOST_LINES {
            lines.truncate(rest);
            lines.extend(self.databases(|_, _| None));
        }
        lines
    }

    fn subscription(&self) -> Vec<Line> {
        let month = seconds(self.start.month());
        let mut lines: Vec<Line> = Vec::new();
        let charged = |span: &&Span<'_>| !span.is_free && !span.subscribed.is_suspended;
        let spans = self.meter.spans(self.start, self.end);
        for span in spans.iter().filter(charged) {
            let terms = &span.subscribed.terms;
            let line = |item, unit_price, units: u64| Line {
                item,
                start: span.start,
                end: span.end,
                quantity: Decimal::from(seconds((span.start, span.end)).saturating_mul(units)),
                per: Decimal::from(month),
                unit_price,
                amount: Dollars::ZERO,
                is_adjustment: false,
                usage: None,
            };
            if !terms.monthly_price.is_zero() {
                let (plan, label) = (terms.plan.clone(), terms.label.clone());
                lines.push(line(Item::Plan { plan, label }, terms.monthly_price, 1));
            }
            let seats = span.subscribed.extra_seats;
            if seats > 0 && !is_uncounted(span.subscribed) {
                lines.push(line(Item::Seats { seats }, terms.prices.extra_seat, seats));
            }
        }
        // plan first, then seats, each in the order of time
        lines.sort_by_key(|line| matches!(line.item, Item::Seats { .. }));
        let mut joined: Vec<Line> = Vec::with_capacity(lines.len());
        for line in lines {
            match joined.last_mut() {
                Some(before)
                    if before.item == line.item
                        && before.unit_price == line.unit_price
                        && before.end == line.start =>
                {
                    before.end = line.end;
                    before.quantity += line.quantity;
                }
                Some(_) | None => joined.push(line),
            }
        }
        joined.into_iter().map(rounded).filter(|line| !line.quantity.is_zero()).collect()
    }

    fn usage(&self) -> Vec<Line> {
        let Some(pin) = self.usage else { return vec![] };
        let mut lines = Vec::new();
        for month in pin.months.iter().filter(|month| month.start <= self.start) {
            let before = self.charged.and_then(|charged| charged.month(month.start));
            let now = self.meter.overage(month);
            let was = before.map(|before| self.meter.overage(before)).unwrap_or_default();
            let is_adjustment = month.start != self.start.month().0;
            let end = if is_adjustment { month.start.month().1 } else { self.end };
            let first_version = match (before, self.charged) {
                (Some(_), Some(charged)) => charged.version + 1,
                (None, _) | (_, None) => month.first_version,
            };
            let mut line = |item, unit_price, quantity: Decimal, per: i64, (count, sum)| {
                let usage = Charged {
                    stream: Stream::Usage(self.organization).to_string(),
                    first_version,
                    last_version: pin.version,
                    count,
                    sum,
                };
                let line = Line {
                    item,
                    start: month.start,
                    end,
                    quantity,
                    per: Decimal::from(per),
                    unit_price,
                    amount: Dollars::ZERO,
                    is_adjustment,
                    usage: Some(usage),
                };
                if quantity > Decimal::ZERO {
                    lines.push(rounded(line));
                }
            };
            let told = before.map(|it| (it.queries, it.bytes_transferred)).unwrap_or_default();
            let count = month.queries.count.saturating_sub(told.0.count);
            for (price, over) in &now.queries {
                let over = *over - was.queries.get(price).copied().unwrap_or_default();
                line(Item::Queries {}, *price, over, 1000, (count, month.queries.sum - told.0.sum));
            }
            let count = month.bytes_transferred.count.saturating_sub(told.1.count);
            let sum = month.bytes_transferred.sum - told.1.sum;
            let over = now.bytes - was.bytes;
            line(Item::Transfer {}, now.price_of_bytes, over, GIGABYTE, (count, sum));
        }
        lines
    }

    /// Lines of databases; those of the same item at the same price are one.
    fn databases(&self, named: impl Fn(DatabaseId, &Metered) -> Option<Database>) -> Vec<Line> {
        let spans = self.meter.spans(self.start, self.end);
        let mut charged: BTreeMap<(Option<Database>, Item, Dollars), Counted> = BTreeMap::new();
        for (id, database) in &self.meter.databases {
            let name = named(*id, database);
            for ((item, price), counted) in database.counted(&spans, name.as_ref()) {
                let key = (name.clone(), item, price);
                charged.entry(key).and_modify(|sum| sum.add(&counted)).or_insert(counted);
            }
        }
        let line = |((_, item, unit_price), counted): ((_, Item, Dollars), Counted)| {
            let per = match item {
                Item::Storage { .. } => HOURS_A_MONTH,
                Item::Backup { .. } => HOURS_A_MONTH * GIGABYTE,
                Item::Compute { .. }
                | Item::Plan { .. }
                | Item::Seats { .. }
                | Item::Queries {}
                | Item::Transfer {} => 1,
            };
            rounded(Line {
                item,
                start: counted.start,
                end: counted.end,
                quantity: counted.units,
                per: Decimal::from(per),
                unit_price,
                amount: Dollars::ZERO,
                is_adjustment: false,
                usage: None,
            })
        };
        charged.into_iter().map(line).collect()
    }
}

fn rounded(line: Line) -> Line {
    Line { amount: line::amount(line.unit_price, line.quantity, line.per), ..line }
}

/// Whole seconds; the spans of a month have as many as the month.
fn seconds((start, end): (Time, Time)) -> u64 {
    let seconds = |time: Time| time.millis().div_euclid(1000);
    u64::try_from(seconds(end) - seconds(start)).unwrap_or_default()
}

/// A time in which the same terms hold.
pub(super) struct Span<'a> {
    pub(super) start: Time,
    pub(super) end: Time,
    pub(super) subscribed: &'a Subscribed,
    /// It is a trial.
    pub(super) is_free: bool,
}

/// What is used beyond the limits of one month.
#[derive(Default)]
struct Overage {
    /// By the price of a thousand.
    queries: BTreeMap<Dollars, Decimal>,
    bytes: Decimal,
    price_of_bytes: Dollars,
}

impl Meter {
    /// A time, cut where the terms change and where a trial ends.
    pub(super) fn spans(&self, start: Time, end: Time) -> Vec<Span<'_>> {
        let end = self.ended_at.map_or(end, |ended| ended.min(end));
        let mut spans = Vec::new();
        let ends = self.subscribed.iter().skip(1).map(|(at, _)| *at).chain([end]);
        for ((from, subscribed), until) in self.subscribed.iter().zip(ends) {
            let (from, until) = ((*from).max(start), until.min(end));
            let free_until =
                subscribed.trial_until.map_or(from, |trial| trial.clamp(from, until.max(from)));
            for (start, end, is_free) in [(from, free_until, true), (free_until, until, false)] {
                if start < end {
                    spans.push(Span { start, end, subscribed, is_free });
                }
            }
        }
        spans
    }

    /// What is charged beyond the limits. The terms at the end of a day hold for the day, and those
    /// at the end of a month for the month.
    fn overage(&self, month: &Month) -> Overage {
        let mut overage = Overage::default();
        let mut bytes = Decimal::ZERO;
        for day in &month.days {
            let (start, end) = day.start.day();
            let Some(terms) = self.terms_at_the_end(start, end) else { continue };
            bytes += day.bytes_transferred;
            if let Some(limit) = limited(terms.limits.queries_per_day) {
                let over = (day.queries - limit).max(Decimal::ZERO);
                *overage.queries.entry(terms.prices.thousand_queries).or_default() += over;
            }
        }
        let (start, end) = month.start.month();
        if let Some(terms) = self.terms_at_the_end(start, end)
            && let Some(limit) = limited(terms.limits.bytes_per_month)
        {
            overage.bytes = (bytes - limit).max(Decimal::ZERO);
            overage.price_of_bytes = terms.prices.gigabyte;
        }
        overage
    }

    /// `None` in a trial, and when there was no organization.
    fn terms_at_the_end(&self, start: Time, end: Time) -> Option<&Terms> {
        let spans = self.spans(start, end);
        let last = spans.last().filter(|span| !span.is_free)?;
        let subscribed: &Subscribed = last.subscribed;
        Some(&subscribed.terms)
    }
}

/// Zero limits nothing.
fn limited(limit: u64) -> Option<Decimal> {
    (limit > 0).then(|| Decimal::from(limit))
}
