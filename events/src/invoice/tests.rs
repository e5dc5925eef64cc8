//! What months cost: the figures of the pages, and what holds for any life of an organization.

use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;
use uuid::Uuid;

use super::line::Line;
use super::pin::{Day, Month, Pin, Told};
use super::*;
use crate::database::{self, part};
use crate::given::{ACME, ANA, created_by, recorded};
use crate::id::{BackupId, DatabaseId};
use crate::organization::{Changed, Organization};
use crate::plan::{Catalogue, Terms};
use crate::recorded::Recorded;
use crate::stream::Stream;
use crate::subscription::{Event as Subscribed, SuspendedFor};
use crate::{Event as Fact, State as _};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn dollars(text: &str) -> Dollars {
    text.parse().expect("dollars")
}

fn at(text: &str) -> Time {
    text.parse().expect("a time")
}

fn terms(plan: &str) -> Arc<Terms> {
    Arc::new(Catalogue::built_in().plan(plan).expect("it is built in").clone())
}

/// An organization's life, told in the order of time.
#[derive(Default)]
struct Life {
    organization: Organization,
    version: u64,
    events: Vec<Fact>,
}

impl Life {
    fn begins(when: Time) -> Self {
        let mut life = Self::default();
        life.happens(when, created_by(ANA));
        life
    }

    fn happens(&mut self, when: Time, event: impl Into<Fact>) {
        let event: Fact = event.into();
        let recorded = recorded(Stream::Organization(ACME), self.version, event.clone());
        self.organization.evolve(&Recorded { at: when, ..recorded });
        self.version += 1;
        self.events.push(event);
    }

    fn takes(&mut self, when: Time, plan: &str) {
        self.takes_on_trial(when, plan, None);
    }

    fn takes_on_trial(&mut self, when: Time, plan: &str, trial_ends_at: Option<Time>) {
        let previous = self.organization.subscription().terms().plan.clone();
        let terms = Box::new((*terms(plan)).clone());
        self.happens(when, Subscribed::PlanChanged { previous, terms, trial_ends_at });
    }

    fn has_seats(&mut self, when: Time, to: u64) {
        let from = self.organization.subscription().extra_seats;
        self.happens(when, Subscribed::SeatsChanged { extra_seats: Changed { from, to } });
    }

    fn creates(&mut self, when: Time, number: u128, tier: &str, nodes: u32) -> DatabaseId {
        let database = DatabaseId(Uuid::from_u128(number));
        let created = database::Event::Created {
            database,
            name: format!("d{number}"),
            database_type: "postgresql".to_owned(),
            version: "17".to_owned(),
            tier: tier.to_owned(),
            region: "fsn1".to_owned(),
            storage_gb: 10,
            node_count: nodes,
            project: None,
        };
        self.happens(when, created);
        database
    }

    fn starts(&mut self, when: Time, database: DatabaseId) {
        self.happens(when, database::Event::Started { database, since: None });
    }

    fn stops(&mut self, when: Time, database: DatabaseId) {
        self.happens(when, database::Event::Stopped { database, since: None, is_ordered: true });
    }

    fn resizes(&mut self, when: Time, database: DatabaseId, from: &str, to: &str) {
        let tier = Some(Changed { from: from.to_owned(), to: to.to_owned() });
        let resized =
            database::Event::Resized { database, tier, storage_gb: None, node_count: None };
        self.happens(when, resized);
    }

    /// Closes the month of a time an hour after its end, and gives what that recorded.
    fn closes(&mut self, month: Time, usage: Option<Pin>) -> Vec<Event> {
        let at = month.month().1.after(GRACE);
        let events = close(&self.organization, &Close { month, at, usage });
        for event in &events {
            self.happens(at, event.clone());
        }
        events
    }

    fn bills(&mut self, month: Time, usage: Option<Pin>) -> Vec<Line> {
        lines_of(&self.closes(month, usage))
    }
}

fn lines_of(events: &[Event]) -> Vec<Line> {
    let mut all = Vec::new();
    for event in events {
        if let Event::Itemized { lines, .. } = event {
            all.extend(lines.iter().cloned());
        }
    }
    all
}

fn shown(lines: &[Line]) -> Vec<(&str, String)> {
    lines.iter().map(|line| (line.item.as_str(), line.amount.to_string())).collect()
}

fn pin(version: u64, days: &[(Time, u64, u64)]) -> Pin {
    let mut months: Vec<Month> = Vec::new();
    for (start, queries, bytes) in days {
        let month = start.month().0;
        if months.last().is_none_or(|last| last.start != month) {
            let (queries, bytes_transferred) = (Told::default(), Told::default());
            let days = vec![];
            months.push(Month { start: month, first_version: 0, queries, bytes_transferred, days });
        }
        let last = months.last_mut().expect("one was put");
        let (queries, bytes_transferred) = (Decimal::from(*queries), Decimal::from(*bytes));
        last.queries = Told { count: last.queries.count + 1, sum: last.queries.sum + queries };
        last.bytes_transferred.sum += bytes_transferred;
        last.days.push(Day { start: *start, queries, bytes_transferred });
    }
    Pin { version, months }
}

const JANUARY: Time = Time::from_millis(1_767_225_600_000);

#[test]
fn what_the_pages_say_comes_out_to_the_cent() {
    let start = at("2026-01-01T00:00:00Z");
    assert_eq!(start, JANUARY);
    let mut starter = Life::begins(start);
    starter.takes(start, "starter");
    let usage = pin(3, &[(start, 60_000, 0)]);
    let lines = starter.bills(JANUARY, Some(usage));
    assert_eq!(shown(&lines), [("plan", "9.00".to_owned()), ("queries", "1.00".to_owned())]);

    let mut pro = Life::begins(start);
    pro.takes(start, "pro");
    let usage = pin(3, &[(start, 0, 40_000_000_000), (start.after(LONG), 0, 30_000_000_000)]);
    let lines = pro.bills(JANUARY, Some(usage));
    assert_eq!(shown(&lines), [("plan", "29.00".to_owned()), ("transfer", "4.00".to_owned())]);

    let mut scale = Life::begins(start);
    scale.takes(start, "scale");
    scale.has_seats(start, 2);
    let lines = scale.bills(JANUARY, None);
    assert_eq!(shown(&lines), [("plan", "99.00".to_owned()), ("seats", "20.00".to_owned())]);
}

const LONG: Duration = Duration::from_hours(48);

#[test]
fn a_seat_is_charged_from_the_second_on_in_which_it_is_added() {
    let mut life = Life::begins(JANUARY);
    life.takes(JANUARY, "pro");
    // 15.5 of 31 days
    life.has_seats(Time::from_millis(JANUARY.millis() + 31 * DAY / 2), 1);
    let lines = life.bills(JANUARY, None);
    assert_eq!(shown(&lines), [("plan", "29.00".to_owned()), ("seats", "5.00".to_owned())]);
}

#[test]
fn a_trial_costs_nothing_and_what_comes_after_it_does() {
    let mut life = Life::begins(JANUARY);
    let end = Time::from_millis(JANUARY.millis() + 14 * DAY);
    life.takes_on_trial(JANUARY, "starter", Some(end));
    let orders = life.creates(JANUARY, 1, "small", 1);
    life.starts(JANUARY, orders);
    life.stops(end, orders);
    // told an hour late: the trial ended when it ended
    life.happens(end.after(GRACE), Subscribed::TrialEnded { has_payment_method: false });
    let over = Time::from_millis(JANUARY.millis() + 20 * DAY);
    let lines =
        life.bills(JANUARY, Some(pin(1, &[(JANUARY, 900_000, 1 << 50), (over, 51_000, 0)])));
    let plan = (dollars("9") * Decimal::from(17) / Decimal::from(31)).round_dp(2);
    let storage = (Decimal::from(17 * 24 * 10) / Decimal::from(7200)).round_dp(2);
    let expected = [
        ("plan", plan.to_string()),
        ("queries", "0.10".to_owned()),
        ("storage", storage.to_string()),
    ];
    assert_eq!(shown(&lines), expected);
}

#[test]
fn every_started_hour_counts_once_and_as_the_dearest() {
    let mut life = Life::begins(JANUARY);
    let minute = |minutes: i64| Time::from_millis(JANUARY.millis() + minutes * 60_000);
    let orders = life.creates(JANUARY, 1, "small", 2);
    life.starts(minute(50), orders);
    // stopped and started within the same hours
    life.stops(minute(70), orders);
    life.starts(minute(80), orders);
    life.resizes(minute(100), orders, "small", "large");
    life.resizes(minute(110), orders, "large", "medium");
    life.stops(minute(121), orders);
    let deletion = database::Event::DeletionStarted { database: orders, name: "d1".to_owned() };
    life.happens(minute(190), deletion);
    let lines = life.bills(JANUARY, None);
    let hours: Vec<_> = lines
        .iter()
        .map(|line| {
            let Item::Compute { tier, .. } = &line.item else {
                return (line.item.as_str(), line.quantity);
            };
            (tier.as_str(), line.quantity)
        })
        .collect();
    // 00: small; 01: small, large, medium; 02: medium; storage 00 to 03
    let expected = [
        ("large", Decimal::from(2)),
        ("medium", Decimal::from(2)),
        ("small", Decimal::from(2)),
        ("storage", Decimal::from(40)),
    ];
    assert_eq!(hours, expected);
}

#[test]
fn while_it_is_suspended_only_what_is_stored_is_charged() {
    let mut life = Life::begins(JANUARY);
    life.takes(JANUARY, "pro");
    let orders = life.creates(JANUARY, 1, "small", 1);
    life.starts(JANUARY, orders);
    let because = SuspendedFor::Operator;
    let day = |days: i64| Time::from_millis(JANUARY.millis() + days * DAY);
    life.happens(day(1), Subscribed::Suspended { because, reason: Personal::Absent });
    life.happens(day(2), Subscribed::Resumed {});
    life.stops(day(3), orders);
    let lines = life.bills(JANUARY, None);
    let sum = |kind| {
        let of_kind = lines.iter().filter(|line| line.item.as_str() == kind);
        of_kind.map(|line| line.quantity).sum::<Decimal>()
    };
    assert_eq!(sum("plan"), Decimal::from(30 * 86_400));
    assert_eq!(sum("compute"), Decimal::from(48));
    assert_eq!(sum("storage"), Decimal::from(31 * 24 * 10));
}

#[test]
fn a_backup_is_charged_until_it_is_deleted() {
    let mut life = Life::begins(JANUARY);
    let orders = life.creates(JANUARY, 1, "free", 1);
    life.starts(JANUARY, orders);
    let backup = BackupId(Uuid::from_u128(5));
    let finished = part::Finished {
        succeeded: true,
        started_at: None,
        finished_at: JANUARY,
        size_bytes: 72_000_000_000,
        is_encrypted: None,
        region: None,
    };
    life.happens(JANUARY, part::Event::BackupCompleted { database: orders, backup, finished });
    let deleted = Time::from_millis(JANUARY.millis() + 100 * HOUR);
    life.happens(deleted, part::Event::BackupDeleted { database: orders, backup });
    let lines = life.bills(JANUARY, None);
    let backups = lines.iter().find(|line| line.item.as_str() == "backup").expect("it is charged");
    // 72 GB for 100 of 720 hours at 0.05
    assert_eq!(backups.amount.to_string(), "0.50");
}

#[test]
fn usage_that_is_told_late_is_charged_with_the_next_month() {
    let mut life = Life::begins(JANUARY);
    life.takes(JANUARY, "starter");
    let day = |days: i64| Time::from_millis(JANUARY.millis() + days * DAY);
    life.bills(JANUARY, Some(pin(4, &[(day(0), 55_000, 0), (day(30), 10_000, 0)])));
    let told = [(day(0), 56_000, 0), (day(30), 49_000, 0), (day(31), 52_000, 0)];
    let lines = life.bills(day(40), Some(pin(9, &told)));
    let late = lines.iter().find(|line| line.is_adjustment).expect("there is one");
    assert_eq!((late.start, late.end), JANUARY.month());
    assert_eq!((late.quantity, late.amount), (Decimal::from(1000), dollars("0.10")));
    let charged = late.usage.as_ref().expect("it names the usage");
    assert_eq!((charged.first_version, charged.last_version), (5, 9));
    assert_eq!(charged.sum, Decimal::from(40_000));
    let expected = ["plan", "queries", "queries"].map(str::to_owned);
    assert_eq!(
        lines.iter().map(|line| line.item.as_str().to_owned()).collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn a_month_without_anything_ends_what_was_to_be_closed() {
    let mut life = Life::begins(JANUARY);
    let closed = life.closes(JANUARY, None);
    assert!(matches!(closed[..], [Event::PeriodClosed { continues: false, .. }]));
    assert_eq!(life.closes(JANUARY, None), []);
}

#[test]
fn the_last_month_ends_with_the_organization() {
    let mut life = Life::begins(JANUARY);
    life.takes(JANUARY, "pro");
    let end = Time::from_millis(JANUARY.millis() + 31 * DAY / 2);
    let deleted = crate::organization::Event::Deleted {
        members: 1,
        pending_invitations: 0,
        tokens: 0,
        projects: 0,
        databases: 0,
        is_billed: true,
    };
    life.happens(end, deleted);
    let events = close(&life.organization, &Close { month: JANUARY, at: end, usage: None });
    assert_eq!(shown(&lines_of(&events)), [("plan", "14.50".to_owned())]);
    assert!(matches!(events[0], Event::PeriodClosed { continues: false, .. }));
}

fn credit_note(number: u128, invoice: InvoiceId, amount: &str) -> CreditNoteWish {
    let credit_note = CreditNoteId(Uuid::from_u128(number));
    CreditNoteWish { credit_note, invoice, amount: dollars(amount), reason: None }
}

#[test]
fn credit_pays_first_and_what_was_paid_comes_back_as_credit() {
    let mut life = Life::begins(JANUARY);
    life.takes(JANUARY, "pro");
    let granted = CreditId(Uuid::from_u128(1));
    for event in grant(&life.organization, granted, dollars("10"), None).expect("it is there") {
        life.happens(JANUARY, event);
    }
    life.closes(JANUARY, None);
    let invoice = life.organization.billing().invoices()[0].clone();
    assert_eq!(invoice.number, "INV-2026-000001");
    assert_eq!(invoice.amount_due, dollars("19.00"));
    assert_eq!(life.organization.billing().balance(), dollars("0.00"));

    // first what is owed is lowered, then what credit paid comes back
    let now = invoice.finalized_at;
    for event in credit(&life.organization, &credit_note(1, invoice.id, "25"), now).expect("legal")
    {
        life.happens(now, event);
    }
    let billing = life.organization.billing();
    assert_eq!(billing.invoices()[0].status, Status::Paid);
    assert_eq!(billing.balance(), dollars("6.00"));
    let more = credit(&life.organization, &credit_note(2, invoice.id, "4.01"), now);
    assert_eq!(more, Err(Rejection::TooMuch { left: dollars("4.00") }));
}

#[test]
fn what_is_taken_back_before_it_is_paid_is_void() {
    let mut life = Life::begins(JANUARY);
    life.takes(JANUARY, "pro");
    life.closes(JANUARY, None);
    let id = life.organization.billing().invoices()[0].id;
    for event in credit(&life.organization, &credit_note(1, id, "29"), JANUARY).expect("legal") {
        life.happens(JANUARY, event);
    }
    assert_eq!(life.organization.billing().invoices()[0].status, Status::Void);
    let payment = PaymentId(Uuid::from_u128(1));
    let pay = Command::Pay { invoice: id, payment, provider: Provider::Manual, reference: None };
    assert_eq!(decide(&life.organization, &pay), Err(Rejection::IllegalIn(Status::Void)));
}

#[test]
fn months_partition_ten_years() {
    let start = at("2024-01-01T00:00:00Z");
    for day in 0..3653 {
        let begins = Time::from_millis(start.millis() + day * DAY + day * 997 % DAY);
        let (mut from, mut until) = begins.month();
        assert!(from <= begins && begins < until);
        for _ in 0..13 {
            let next = until.month();
            assert_eq!(next.0, until, "no gap and no overlap");
            assert_eq!(Time::from_millis(until.millis() - 1).month(), (from, until));
            (from, until) = next;
        }
    }
}

mod properties;
