//! What counts, once, and where.

use events::chain::Link;
use events::id::{CommandId, DatabaseId, EventId};
use events::personal::Personal;
use events::recorded::{Actor, BodyMac, Cause, Position};
use events::usage;
use proptest::prelude::*;
use uuid::Uuid;

use std::collections::BTreeMap;

use events::usage::{Entry, Kind};

use super::*;

const ACME: OrganizationId = OrganizationId(Uuid::from_u128(7));
/// 2026-01-31T09:30:00Z
const NOON: i64 = 1_769_851_800_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

fn database(id: u64) -> DatabaseId {
    DatabaseId(Uuid::from_u128((id % 2).into()))
}

fn entry(id: u64, kind: Kind, millis: i64, value: u64) -> Entry {
    Entry {
        key: usage::key("proxy", &id.to_string()),
        kind,
        time: Time::from_millis(millis),
        database: database(id),
        project: None,
        value,
        shape: (kind == Kind::QueryShape).then(|| usage::shape(&format!("select {}", value % 3))),
    }
}

fn queries(id: u64, millis: i64, value: u64) -> Entry {
    entry(id, Kind::Queries, millis, value)
}

fn told(version: u64, millis: i64, entries: Vec<Entry>) -> Recorded {
    Recorded {
        position: Position(version + 1),
        stream: Stream::Usage(ACME),
        version,
        id: EventId(Uuid::from_u128(version.into())),
        at: Time::from_millis(millis),
        actor: Actor::System,
        cause: Cause {
            command: CommandId(Uuid::nil()),
            body: BodyMac([0; 32]),
            request: Uuid::nil(),
            token: None,
        },
        ip_address: Personal::Absent,
        user_agent: Personal::Absent,
        event: Event::Usage(Told { entries }),
        prev: Link::FIRST,
        link: Link::FIRST,
    }
}

/// Rows as a store keeps them.
#[derive(Debug, Default, PartialEq)]
struct Rows(BTreeMap<Key, (String, String)>);

impl Rows {
    fn take(&mut self, recorded: &[Recorded]) {
        let touched = Usage.project(recorded);
        let wanted = touched.wanted();
        let stored =
            wanted.iter().filter_map(|key| Some((key.clone(), self.0.get(key)?.1.clone())));
        for row in touched.apply(stored.collect()).expect("it fits") {
            if row.ends_before() {
                self.0.retain(|key, (sort, _)| key.scope != row.key.scope || *sort >= row.sort);
            } else if let Some(body) = row.body {
                self.0.insert(row.key, (row.sort, body));
            }
        }
    }

    fn totals(&self, of: Of, span: Span, id: &str) -> Totals {
        let row = self.0.get(&Key::new(scope_of(ACME, of, span), id));
        row.map_or_else(Totals::default, |(_, body)| serde_json::from_str(body).unwrap())
    }

    fn month(&self, month: &str) -> Option<BilledMonth> {
        let (_, body) = self.0.get(&key_of_month(ACME, month))?;
        Some(serde_json::from_str(body).unwrap())
    }

    fn outcome(&self, version: u64) -> Option<Outcome> {
        let (_, body) = self.0.get(&key_of_outcome(ACME, version))?;
        Some(serde_json::from_str(body).unwrap())
    }

    fn through(&self) -> Option<u64> {
        let (_, body) = self.0.get(&key_of_through(ACME))?;
        Some(serde_json::from_str::<Through>(body).unwrap().version)
    }

    fn keys(&self) -> usize {
        self.0.keys().filter(|key| key.scope == keys(ACME)).count()
    }
}

#[test]
fn what_was_used_counts_in_its_hour_day_and_month() {
    let mut rows = Rows::default();
    let late = queries(2, NOON + DAY, 5);
    rows.take(&[told(0, NOON, vec![queries(1, NOON, 10), late, queries(3, NOON, 7)])]);
    assert_eq!(rows.totals(Of::Organization, Span::Hour, "2026-01-31T09 ").queries, 17);
    assert_eq!(rows.totals(Of::Organization, Span::Day, "2026-01-31 ").queries, 17);
    assert_eq!(rows.totals(Of::Organization, Span::Month, "2026-01 ").queries, 17);
    assert_eq!(rows.totals(Of::Organization, Span::Month, "2026-02 ").queries, 5);
    let of = |day, id| rows.totals(Of::Database, Span::Day, &id_of(day, &database(id).to_string()));
    assert_eq!((of("2026-01-31", 1).queries, of("2026-02-01", 2).queries), (17, 5));
}

#[test]
fn the_first_of_equal_keys_counts_in_one_event_and_over_many() {
    let mut rows = Rows::default();
    let other = Entry { value: 99, ..queries(1, NOON, 10) };
    rows.take(&[told(0, NOON, vec![queries(1, NOON, 10), queries(1, NOON, 10), other.clone()])]);
    rows.take(&[told(1, NOON, vec![other]), told(2, NOON, vec![queries(1, NOON, 10)])]);
    assert_eq!(rows.totals(Of::Organization, Span::Day, "2026-01-31 ").queries, 10);
    let outcome = |duplicates: &[usize], reused: &[usize]| Outcome {
        duplicates: duplicates.to_vec(),
        reused: reused.to_vec(),
    };
    assert_eq!(rows.outcome(0), Some(outcome(&[1], &[2])));
    assert_eq!(rows.outcome(1), Some(outcome(&[], &[0])));
    assert_eq!(rows.outcome(2), Some(outcome(&[0], &[])));
    rows.take(&[told(3, NOON + DAY, vec![]), told(4, NOON + DAY + 1, vec![])]);
    assert_eq!((rows.outcome(2), rows.outcome(3)), (None, Some(Outcome::default())));
}

#[test]
fn a_key_is_forgotten_after_forty_days() {
    let mut rows = Rows::default();
    rows.take(&[told(0, NOON, vec![queries(1, NOON, 10)])]);
    rows.take(&[told(1, NOON + 40 * DAY - 1, vec![queries(1, NOON, 10)])]);
    assert_eq!(
        (rows.totals(Of::Organization, Span::Day, "2026-01-31 ").queries, rows.keys()),
        (10, 1)
    );
    let late = queries(2, NOON + 41 * DAY, 1);
    rows.take(&[told(2, NOON + 41 * DAY, vec![late])]);
    assert_eq!(rows.keys(), 1);
}

#[test]
fn a_shape_counts_once_in_each_span() {
    let mut rows = Rows::default();
    let shape = |id, millis, form| entry(id, Kind::QueryShape, millis, form);
    let entries =
        vec![shape(1, NOON, 1), shape(3, NOON, 4), shape(5, NOON, 2), shape(7, NOON + DAY, 1)];
    rows.take(&[told(0, NOON, entries)]);
    rows.take(&[told(1, NOON, vec![shape(9, NOON, 1)])]);
    assert_eq!(rows.totals(Of::Organization, Span::Day, "2026-01-31 ").query_shapes, 2);
    assert_eq!(rows.totals(Of::Organization, Span::Day, "2026-02-01 ").query_shapes, 1);
    assert_eq!(rows.totals(Of::Organization, Span::Month, "2026-01 ").query_shapes, 2);
}

#[test]
fn what_is_billed_counts_once_in_its_month_and_day() {
    let mut rows = Rows::default();
    let bytes = entry(4, Kind::BytesTransferred, NOON, 6);
    let first = vec![entry(1, Kind::QueryShape, NOON, 1), entry(2, Kind::StorageBytes, NOON, 1)];
    rows.take(&[told(0, NOON, first)]);
    assert_eq!(rows.month("2026-01"), None);
    rows.take(&[told(1, NOON, vec![queries(3, NOON, 10), bytes, queries(3, NOON, 10)])]);
    let next = vec![queries(3, NOON, 10), queries(5, NOON - DAY, 3), queries(6, NOON + DAY, 5)];
    rows.take(&[told(2, NOON, next)]);
    let day = |queries, bytes_transferred| BilledDay { queries, bytes_transferred };
    let january = BilledMonth {
        first_version: 1,
        queries: Counted { count: 2, sum: 13 },
        bytes_transferred: Counted { count: 1, sum: 6 },
        days: [("2026-01-30".to_owned(), day(3, 0)), ("2026-01-31".to_owned(), day(10, 6))].into(),
    };
    assert_eq!(rows.month("2026-01"), Some(january));
    let february = rows.month("2026-02").map(|month| (month.first_version, month.queries.sum));
    assert_eq!((february, rows.through()), (Some((2, 5)), Some(2)));
    rows.take(&[told(3, NOON, vec![queries(3, NOON, 10)])]);
    assert_eq!(rows.through(), Some(3));
}

#[test]
fn a_month_is_dropped_seventy_days_after_its_end() {
    let mut rows = Rows::default();
    rows.take(&[told(0, NOON, vec![queries(1, NOON, 10)])]);
    // 2026-04-11T09:30:00Z: 70 days ago it was January
    rows.take(&[told(1, NOON + 70 * DAY, vec![])]);
    assert!(rows.month("2026-01").is_some());
    rows.take(&[told(2, NOON + 71 * DAY, vec![])]);
    assert_eq!((rows.month("2026-01"), rows.through()), (None, Some(2)));
}

#[test]
fn the_seconds_of_connections_are_added_up() {
    let mut rows = Rows::default();
    let held = |id, seconds| entry(id, Kind::ConnectionSeconds, NOON, seconds);
    rows.take(&[told(0, NOON, vec![held(1, 60), held(1, 60), held(3, 7)])]);
    assert_eq!(rows.totals(Of::Organization, Span::Day, "2026-01-31 ").connection_seconds, 67);
}

/// How many days before it was told something was used, and what.
fn entries() -> impl Strategy<Value = Vec<(i64, u64, Kind, u64)>> {
    let kind = prop::sample::select(Kind::ALL.to_vec());
    prop::collection::vec((0_i64..35, 0_u64..20, kind, 0_u64..5), 0..12)
}

proptest! {
    #[test]
    fn pages_of_any_size_lead_to_the_same_rows(
        told_entries in prop::collection::vec((entries(), 0_i64..30), 1..12),
        size in 1_usize..5,
    ) {
        let mut at = NOON;
        let log: Vec<_> = (0..).zip(told_entries).map(|(version, (entries, days))| {
            at += days * DAY;
            let entry = |(ago, id, kind, value)| entry(id, kind, at - ago * DAY, value);
            told(version, at, entries.into_iter().map(entry).collect())
        }).collect();
        let (mut whole, mut pieces) = (Rows::default(), Rows::default());
        whole.take(&log);
        for page in log.chunks(size) {
            pieces.take(page);
        }
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn what_is_billed_is_what_counted_by_then(
        told_entries in prop::collection::vec(entries(), 1..12),
    ) {
        let (mut rows, mut seen) = (Rows::default(), BTreeMap::new());
        for (version, entries) in (0..).zip(told_entries) {
            let entry = |(ago, id, kind, value)| entry(id, kind, NOON - ago * DAY, value);
            let entries: Vec<_> = entries.into_iter().map(entry).collect();
            for entry in entries.clone() {
                seen.entry(entry.key.clone()).or_insert(entry);
            }
            rows.take(&[told(version, NOON, entries)]);
            prop_assert_eq!(rows.through(), Some(version));
            for month in ["2025-12", "2026-01"] {
                let sum = |kind| {
                    let here = seen.values().filter(|entry| {
                        entry.kind == kind && Span::Month.of(entry.time) == month
                    });
                    let values: Vec<_> = here.map(|entry| entry.value).collect();
                    Counted { count: values.len() as u64, sum: values.iter().sum() }
                };
                let row = rows.month(month);
                let billed = row.as_ref().map(|row| (row.queries, row.bytes_transferred));
                let expected = (sum(Kind::Queries), sum(Kind::BytesTransferred));
                prop_assert_eq!(billed.unwrap_or_default(), expected);
                let days = row.iter().flat_map(|row| row.days.values());
                let days: u64 = days.map(|day| day.queries + day.bytes_transferred).sum();
                prop_assert_eq!(days, expected.0.sum + expected.1.sum);
            }
        }
    }
}
