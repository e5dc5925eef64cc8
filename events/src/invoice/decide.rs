//! What time does by itself, what owners order, and what the operator grants.

use rust_decimal::Decimal;

use super::account::{Invoice, Status};
use super::line::{Line, cents, total};
use super::pin::Pin;
use super::{Event, Rejection, TERM};
use crate::id::{CreditId, CreditNoteId, InvoiceId, PaymentId};
use crate::organization::Organization;
use crate::permission::Permission;
use crate::personal::Personal;
use crate::plan::Dollars;
use crate::subscription::Provider;
use crate::time::Time;

/// Lines of one event: it must fit into a line of the log.
const LINES: usize = 100;

/// A month that is over.
#[derive(Clone, Debug)]
pub struct Close {
    /// Any time in it.
    pub month: Time,
    pub at: Time,
    /// What was told so far.
    pub usage: Option<Pin>,
}

/// Closes a month with its invoice. Does nothing to one that is closed, or has not ended, or comes
/// after one that must be closed before.
pub fn close(organization: &Organization, Close { month, at, usage }: &Close) -> Vec<Event> {
    let Some(profile) = organization.was() else { return vec![] };
    let billing = organization.billing();
    let (start, end) = month.month();
    let is_deleted = organization.profile().is_none();
    let end = billing.meter().ended_at.map_or(end, |ended| ended.clamp(start, end));
    let is_closed = billing.closed_until().is_some_and(|closed| closed > start);
    if is_closed || end > *at || start >= end || is_one_before(organization, start) {
        return vec![];
    }
    let usage = usage
        .clone()
        .filter(|pin| billing.pinned_version().is_none_or(|pinned| pin.version >= pinned));
    let lines = billing.lines(profile.id, billing.meter(), (start, end), usage.as_ref());
    let continues = !is_deleted && billing.meter().continues();
    let mut events = vec![Event::PeriodClosed { start, end, usage, continues }];
    if lines.is_empty() {
        return events;
    }
    let invoice = InvoiceId::of(profile.id, start);
    let total = total(&lines);
    let itemized = |lines: &[Line]| Event::Itemized { invoice, lines: lines.to_vec() };
    events.extend(lines.chunks(LINES).map(itemized));
    events.push(Event::Finalized {
        invoice,
        number: numbered("INV", *at, billing.next_number()),
        period_start: start,
        period_end: end,
        total,
        credit_applied: cents(total.min(billing.balance())),
        due_at: at.after(TERM),
    });
    events
}

/// Whether something is to be charged from before a month, and is not yet.
fn is_one_before(organization: &Organization, month: Time) -> bool {
    let Some(profile) = organization.was() else { return false };
    let billing = organization.billing();
    let mut start = billing.closed_until().unwrap_or(profile.created_at.month().0);
    while start < month {
        let times = start.month();
        if !billing.lines(profile.id, billing.meter(), times, None).is_empty() {
            return true;
        }
        start = times.1;
    }
    false
}

/// Like `INV-2026-000001`. The numbers of an organization run on from year to year.
fn numbered(kind: &str, at: Time, number: usize) -> String {
    let year: String = at.to_string().chars().take_while(|it| *it != '-').collect();
    format!("{kind}-{year}-{number:06}")
}

/// What an owner orders.
#[derive(Clone, Debug)]
pub enum Command {
    Pay {
        invoice: InvoiceId,
        payment: PaymentId,
        provider: Provider,
        /// By which the payment is found outside.
        reference: Option<String>,
    },
}

impl Command {
    pub fn requires(&self, _: &Organization) -> Permission {
        match self {
            Self::Pay { .. } => Permission::ManageBilling,
        }
    }

    pub fn resource_version(&self, organization: &Organization) -> Option<u64> {
        let Self::Pay { invoice, .. } = self;
        organization.billing().invoice(*invoice).map(|invoice| invoice.changed_version)
    }
}

/// All that is due is paid at once.
pub fn decide(organization: &Organization, command: &Command) -> Result<Vec<Event>, Rejection> {
    let Command::Pay { invoice, payment, provider, reference } = command;
    let subject = organization.was().ok_or(Rejection::NotFound)?.id.subject();
    let owed = invoice_of(organization, *invoice)?;
    if !owed.status.is_owed() {
        return Err(Rejection::IllegalIn(owed.status));
    }
    Ok(vec![Event::Paid {
        invoice: *invoice,
        payment: *payment,
        provider: *provider,
        amount: owed.amount_due,
        reference: Personal::optional(subject, reference.clone()),
    }])
}

fn invoice_of(organization: &Organization, id: InvoiceId) -> Result<&Invoice, Rejection> {
    organization.billing().invoice(id).ok_or(Rejection::InvoiceNotFound)
}

/// What falls due by `at`: an invoice is not paid in time.
pub fn time_passes(organization: &Organization, invoice: InvoiceId, at: Time) -> Vec<Event> {
    let overdue = organization.billing().invoice(invoice);
    let overdue = overdue.filter(|it| it.status == Status::Open && it.due_at <= at);
    let overdue = overdue.map(|it| Event::Overdue { invoice, amount_due: it.amount_due });
    overdue.into_iter().collect()
}

/// What the operator takes back of an invoice.
#[derive(Clone, Debug)]
pub struct CreditNoteWish {
    pub credit_note: CreditNoteId,
    pub invoice: InvoiceId,
    /// More than nothing, in cents.
    pub amount: Dollars,
    pub reason: Option<String>,
}

/// Also of an organization that is deleted: its last invoice may be wrong.
pub fn credit(
    organization: &Organization,
    wish: &CreditNoteWish,
    at: Time,
) -> Result<Vec<Event>, Rejection> {
    let CreditNoteWish { credit_note, invoice, amount, reason } = wish;
    let subject = organization.was().ok_or(Rejection::NotFound)?.id.subject();
    let billed = invoice_of(organization, *invoice)?;
    let left = cents(billed.total - billed.credited());
    if *amount > left || *amount <= Decimal::ZERO {
        return Err(Rejection::TooMuch { left });
    }
    Ok(vec![Event::CreditNoteIssued {
        credit_note: *credit_note,
        number: numbered("CN", at, organization.billing().next_credit_note()),
        invoice: *invoice,
        amount: cents(*amount),
        amount_due: cents(billed.amount_due - billed.amount_due.min(*amount)),
        reason: Personal::optional(subject, reason.clone()),
    }])
}

/// The operator takes back a payment that was recorded and did not come.
pub fn reverse(
    organization: &Organization,
    invoice: InvoiceId,
    reason: Option<String>,
) -> Result<Vec<Event>, Rejection> {
    let subject = organization.was().ok_or(Rejection::NotFound)?.id.subject();
    let paid = invoice_of(organization, invoice)?;
    let payment = paid.payments.last().filter(|payment| payment.reversed_at.is_none());
    let payment = payment.ok_or(Rejection::IllegalIn(paid.status))?;
    Ok(vec![Event::PaymentReversed {
        invoice,
        payment: payment.id,
        amount: payment.amount,
        due_at: paid.due_at,
        reason: Personal::optional(subject, reason),
    }])
}

/// The operator gives credit.
pub fn grant(
    organization: &Organization,
    credit: CreditId,
    amount: Dollars,
    reason: Option<String>,
) -> Result<Vec<Event>, Rejection> {
    let subject = organization.profile().ok_or(Rejection::NotFound)?.id.subject();
    let reason = Personal::optional(subject, reason);
    Ok(vec![Event::CreditGranted { credit, amount: cents(amount), reason }])
}
