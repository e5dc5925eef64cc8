//! Samples of what an organization is billed.

use rust_decimal::Decimal;
use uuid::Uuid;

use super::ORGANIZATION;
use crate::Event;
use crate::id::{CreditId, CreditNoteId, DatabaseId, InvoiceId, PaymentId};
use crate::invoice::Event as Of;
use crate::invoice::line::{Charged, Database, Item, Line};
use crate::invoice::pin::{Day, Month, Pin, Told};
use crate::personal::Personal;
use crate::plan::Dollars;
use crate::subscription::Provider;
use crate::time::Time;

fn start() -> Time {
    Time::from_millis(1_767_225_600_000)
}

fn end() -> Time {
    start().month().1
}

fn usage() -> Pin {
    let day = Day { start: start(), queries: 60_000.into(), bytes_transferred: 0.into() };
    let month = Month {
        start: start(),
        first_version: 0,
        queries: Told { count: 2, sum: 60_000.into() },
        bytes_transferred: Told::default(),
        days: vec![day],
    };
    Pin { version: 7, months: vec![month] }
}

fn lines() -> Vec<Line> {
    let line = |item, quantity: u64, per: u64, unit_price, amount, usage| Line {
        item,
        start: start(),
        end: end(),
        quantity: quantity.into(),
        per: per.into(),
        unit_price,
        amount,
        is_adjustment: false,
        usage,
    };
    let database =
        || Some(Database { id: DatabaseId(Uuid::from_u128(0xdb)), name: "orders".to_owned() });
    let (plan, label) = ("starter".to_owned(), "Starter".to_owned());
    let month = 2_678_400;
    let charged = Charged {
        stream: format!("usage-{ORGANIZATION}"),
        first_version: 0,
        last_version: 7,
        count: 2,
        sum: Decimal::from(60_000),
    };
    let (ten, dime) = (Dollars::new(1000, 2), Dollars::new(10, 2));
    let compute = Item::Compute { tier: "small".to_owned(), database: database() };
    let backup = Item::Backup { database: database() };
    vec![
        line(Item::Plan { plan, label }, month, month, 9.into(), Dollars::new(900, 2), None),
        line(Item::Seats { seats: 2 }, 2 * month, month, ten, Dollars::new(2000, 2), None),
        line(Item::Queries {}, 10_000, 1000, dime, Dollars::new(100, 2), Some(charged)),
        line(Item::Transfer {}, 0, 1_000_000_000, dime, Dollars::new(0, 2), None),
        line(compute, 744, 1, Dollars::new(556, 4), Dollars::new(4137, 2), None),
        line(Item::Storage { database: None }, 7440, 720, dime, Dollars::new(103, 2), None),
        line(backup, 744_000_000_000, 720_000_000_000, dime, Dollars::new(10, 2), None),
    ]
}

/// One of each. A new variant stops the build here until it has one.
pub(super) fn samples() -> Vec<Event> {
    let invoice = InvoiceId(Uuid::from_u128(0x14));
    let payment = PaymentId(Uuid::from_u128(0x9a));
    let text = |text| Personal::known(ORGANIZATION.subject(), text);
    let amount = Dollars::new(2_500, 2);
    let number = |kind: &str| format!("{kind}-2026-000001");
    let samples = vec![
        Of::PeriodClosed { start: start(), end: end(), usage: Some(usage()), continues: true },
        Of::Itemized { invoice, lines: lines() },
        Of::Finalized {
            invoice,
            number: number("INV"),
            period_start: start(),
            period_end: end(),
            total: Dollars::new(7250, 2),
            credit_applied: amount,
            due_at: Time::from_millis(1_771_117_200_000),
        },
        Of::Paid {
            invoice,
            payment,
            provider: Provider::Manual,
            amount,
            reference: text("transfer 4711"),
        },
        Of::PaymentReversed {
            invoice,
            payment,
            amount,
            due_at: Time::from_millis(1_771_117_200_000),
            reason: text("it went back"),
        },
        Of::Overdue { invoice, amount_due: amount },
        Of::CreditNoteIssued {
            credit_note: CreditNoteId(Uuid::from_u128(0xc4)),
            number: number("CN"),
            invoice,
            amount,
            amount_due: Dollars::new(2250, 2),
            reason: text("an outage"),
        },
        Of::CreditGranted {
            credit: CreditId(Uuid::from_u128(0xcd)),
            amount,
            reason: text("a welcome"),
        },
    ];
    for sample in &samples {
        match sample {
            Of::PeriodClosed { .. }
            | Of::Itemized { .. }
            | Of::Finalized { .. }
            | Of::Paid { .. }
            | Of::PaymentReversed { .. }
            | Of::Overdue { .. }
            | Of::CreditNoteIssued { .. }
            | Of::CreditGranted { .. } => {}
        }
    }
    samples.into_iter().map(Event::from).collect()
}
