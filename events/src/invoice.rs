//! What an organization is billed: its months, the invoice of each, and how that is settled.
//!
//! A month (UTC) is closed an hour after its end, so that usage may still come; [`Event::PeriodClosed`]
//! pins how far the usage stream was counted then. What is charged follows from the organization's
//! own stream and from that pin, and from nothing else: [`charge`] says how. What is told later is
//! charged with the next month, as an adjustment. A month in which nothing is charged and nothing
//! goes on is not closed at all.
//!
//! An invoice is never changed once it stands. Whatever was wrong is made good by credit notes; they
//! lower what is still due, and what is paid already comes back as credit, which pays for later
//! invoices before anything else does.

use serde::{Deserialize, Serialize};

use crate::id::{CreditId, CreditNoteId, InvoiceId, PaymentId};
use crate::personal::Personal;
use crate::plan::Dollars;
use crate::subscription::Provider;
use crate::time::Time;

pub mod account;
pub mod charge;
mod decide;
mod draft;
pub mod hours;
pub mod line;
pub mod meter;
pub mod pin;
pub mod recount;

pub use account::{Billing, Credit, CreditNote, Invoice, Payment, Period, Status};
pub use decide::{
    Close, Command, CreditNoteWish, close, credit, decide, grant, reverse, time_passes,
};
pub use draft::Draft;
pub use line::{Item, Line};
pub use meter::Subscribed;
pub use pin::Pin;

/// How long there is to pay.
pub const TERM: std::time::Duration = std::time::Duration::from_hours(14 * 24);
/// How long after its end a month is closed.
pub const GRACE: std::time::Duration = std::time::Duration::from_hours(1);
/// The only currency.
pub const CURRENCY: &str = "USD";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    /// Nothing more is charged for it but what is told late.
    #[serde(rename = "period.closed")]
    PeriodClosed {
        start: Time,
        end: Time,
        /// `None`: no usage was ever told.
        usage: Option<Pin>,
        /// Whether something goes on that the next month will have to be closed for.
        continues: bool,
    },
    /// Lines of the invoice that is finalized by the same append; there may be several.
    #[serde(rename = "invoice.itemized")]
    Itemized { invoice: InvoiceId, lines: Vec<Line> },
    /// From now on it is owed, unless credit pays for all of it.
    #[serde(rename = "invoice.finalized")]
    Finalized {
        invoice: InvoiceId,
        number: String,
        period_start: Time,
        period_end: Time,
        /// The sum of its lines.
        total: Dollars,
        credit_applied: Dollars,
        due_at: Time,
    },
    #[serde(rename = "invoice.paid")]
    Paid {
        invoice: InvoiceId,
        payment: PaymentId,
        provider: Provider,
        amount: Dollars,
        /// By which the payment is found outside.
        #[serde(skip)]
        reference: Personal,
    },
    /// A payment that was recorded did not come, or went back: the invoice is owed again.
    #[serde(rename = "invoice.payment_reversed")]
    PaymentReversed {
        invoice: InvoiceId,
        payment: PaymentId,
        amount: Dollars,
        due_at: Time,
        #[serde(skip)]
        reason: Personal,
    },
    #[serde(rename = "invoice.overdue")]
    Overdue { invoice: InvoiceId, amount_due: Dollars },
    #[serde(rename = "credit_note.issued")]
    CreditNoteIssued {
        credit_note: CreditNoteId,
        number: String,
        invoice: InvoiceId,
        amount: Dollars,
        /// What is still owed after it.
        amount_due: Dollars,
        #[serde(skip)]
        reason: Personal,
    },
    #[serde(rename = "credit.granted")]
    CreditGranted {
        credit: CreditId,
        amount: Dollars,
        #[serde(skip)]
        reason: Personal,
    },
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::PeriodClosed { .. } => ("period.closed", 1),
            Self::Itemized { .. } => ("invoice.itemized", 1),
            Self::Finalized { .. } => ("invoice.finalized", 1),
            Self::Paid { .. } => ("invoice.paid", 1),
            Self::PaymentReversed { .. } => ("invoice.payment_reversed", 1),
            Self::Overdue { .. } => ("invoice.overdue", 1),
            Self::CreditNoteIssued { .. } => ("credit_note.issued", 1),
            Self::CreditGranted { .. } => ("credit.granted", 1),
        }
    }

    pub(crate) fn personal(&mut self, visit: &mut dyn FnMut(&'static str, &mut Personal)) {
        match self {
            Self::Paid { reference, .. } => visit("reference", reference),
            Self::PaymentReversed { reason, .. }
            | Self::CreditNoteIssued { reason, .. }
            | Self::CreditGranted { reason, .. } => visit("reason", reason),
            Self::PeriodClosed { .. }
            | Self::Itemized { .. }
            | Self::Finalized { .. }
            | Self::Overdue { .. } => {}
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such organization")]
    NotFound,
    #[error("there is no such invoice")]
    InvoiceNotFound,
    #[error("the invoice is {}", .0.as_str())]
    IllegalIn(Status),
    #[error("there is no more than {left} left to credit")]
    TooMuch { left: Dollars },
}

#[cfg(test)]
mod tests;
