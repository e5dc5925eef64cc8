//! What an organization owes and has paid: the state that invoices, payments and credits are decided
//! on.

use std::collections::BTreeMap;

use super::line::cents;
use super::meter::Meter;
use super::pin::Pin;
use super::{Event, charge, line};
use crate::id::{CreditId, CreditNoteId, InvoiceId, OrganizationId, PaymentId};
use crate::personal::Personal;
use crate::plan::Dollars;
use crate::recorded::Recorded;
use crate::subscription::Provider;
use crate::time::Time;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is owed.
    Open,
    Paid,
    /// It is owed, and its term is over.
    Overdue,
    /// Credit notes took all of it back before it was paid.
    Void,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Overdue => "overdue",
            Self::Void => "void",
        }
    }

    pub fn is_owed(self) -> bool {
        matches!(self, Self::Open | Self::Overdue)
    }
}

#[derive(Clone, Debug)]
pub struct Invoice {
    pub id: InvoiceId,
    pub number: String,
    pub period_start: Time,
    pub period_end: Time,
    pub total: Dollars,
    /// Credit that paid for a part of it.
    pub credit_applied: Dollars,
    pub amount_due: Dollars,
    pub status: Status,
    pub finalized_at: Time,
    pub due_at: Time,
    /// When nothing was due any more.
    pub paid_at: Option<Time>,
    /// The newest last; those that were reversed, too.
    pub payments: Vec<Payment>,
    pub credit_notes: Vec<CreditNote>,
    /// Of the events that itemize it: the first, and the one after the last.
    pub lines: (u64, u64),
    /// Of its lines, by their kind.
    sums: Sums,
    pub created_version: u64,
    pub changed_version: u64,
}

#[derive(Clone, Debug)]
pub struct Payment {
    pub id: PaymentId,
    pub provider: Provider,
    pub amount: Dollars,
    pub reference: Personal,
    pub at: Time,
    pub reversed_at: Option<Time>,
}

#[derive(Clone, Debug)]
pub struct CreditNote {
    pub id: CreditNoteId,
    pub number: String,
    pub amount: Dollars,
    pub reason: Personal,
    pub at: Time,
}

impl Invoice {
    /// Of the lines of one kind.
    pub fn sum_of(&self, kind: &str) -> Dollars {
        cents(self.sums.get(kind).copied().unwrap_or_default())
    }

    /// What credit notes took back.
    pub fn credited(&self) -> Dollars {
        let sum = |sum: Dollars, note: &CreditNote| sum.saturating_add(note.amount);
        cents(self.credit_notes.iter().fold(Dollars::ZERO, sum))
    }

    fn settle(&mut self, at: Time) {
        if !self.amount_due.is_zero() || !self.status.is_owed() {
            return;
        }
        let is_taken_back = !self.total.is_zero() && self.credited() == self.total;
        self.status = if is_taken_back { Status::Void } else { Status::Paid };
        self.paid_at = (!is_taken_back).then_some(at);
    }
}

type Sums = BTreeMap<&'static str, Dollars>;

/// A month that is closed.
#[derive(Clone, Debug)]
pub struct Period {
    pub start: Time,
    pub end: Time,
    /// `None`: nothing was charged.
    pub invoice: Option<InvoiceId>,
}

/// Credit that was given.
#[derive(Clone, Debug)]
pub struct Credit {
    pub id: CreditId,
    pub amount: Dollars,
    pub reason: Personal,
    pub at: Time,
    pub version: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Billing {
    meter: Meter,
    periods: Vec<Period>,
    pin: Option<Pin>,
    /// In the order of their numbers.
    invoices: Vec<Invoice>,
    /// Of the invoice to come: first and next version of the events that itemize it.
    itemized: Option<(u64, u64)>,
    sums: Sums,
    credits: Vec<Credit>,
    balance: Dollars,
    credit_notes: usize,
}

impl Billing {
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Months that are closed, oldest first.
    pub fn periods(&self) -> &[Period] {
        &self.periods
    }

    /// Until when everything is closed.
    pub fn closed_until(&self) -> Option<Time> {
        self.periods.last().map(|period| period.end)
    }

    /// Of the usage stream, the last version that is charged.
    pub fn pinned_version(&self) -> Option<u64> {
        self.pin.as_ref().map(|pin| pin.version)
    }

    pub(super) fn pin(&self) -> Option<&Pin> {
        self.pin.as_ref()
    }

    /// Oldest first.
    pub fn invoices(&self) -> &[Invoice] {
        &self.invoices
    }

    pub fn invoice(&self, id: InvoiceId) -> Option<&Invoice> {
        self.invoices.iter().find(|invoice| invoice.id == id)
    }

    /// What was granted, oldest first.
    pub fn credits(&self) -> &[Credit] {
        &self.credits
    }

    /// Credit that pays for the next invoice.
    pub fn balance(&self) -> Dollars {
        cents(self.balance)
    }

    pub fn is_overdue(&self) -> bool {
        self.invoices.iter().any(|invoice| invoice.status == Status::Overdue)
    }

    pub(super) fn next_number(&self) -> usize {
        self.invoices.len() + 1
    }

    pub(super) fn next_credit_note(&self) -> usize {
        self.credit_notes + 1
    }

    /// What is charged from `start` to `end`, within one month that is not closed, by a meter that
    /// may suppose something.
    pub fn lines(
        &self,
        organization: OrganizationId,
        meter: &Meter,
        (start, end): (Time, Time),
        usage: Option<&Pin>,
    ) -> Vec<line::Line> {
        charge::Bill { organization, meter, start, end, usage, charged: self.pin.as_ref() }.lines()
    }

    pub(crate) fn evolve(&mut self, recorded: &Recorded) {
        self.meter.evolve(recorded);
        if let crate::Event::Invoice(event) = &recorded.event {
            self.take(event, recorded);
        }
    }

    fn take(&mut self, event: &Event, recorded: &Recorded) {
        match event {
            Event::PeriodClosed { start, end, usage, .. } => {
                self.meter.close(*end);
                self.periods.push(Period { start: *start, end: *end, invoice: None });
                self.pin = usage.clone().or(self.pin.take());
                (self.itemized, self.sums) = (None, Sums::new());
            }
            Event::Itemized { lines, .. } => {
                for line in lines {
                    *self.sums.entry(line.item.as_str()).or_default() += line.amount;
                }
                let (first, _) = self.itemized.unwrap_or((recorded.version, recorded.version));
                self.itemized = Some((first, recorded.version + 1));
            }
            Event::Finalized {
                invoice,
                number,
                period_start,
                period_end,
                total,
                credit_applied,
                due_at,
            } => {
                let mut finalized = Invoice {
                    id: *invoice,
                    number: number.clone(),
                    period_start: *period_start,
                    period_end: *period_end,
                    total: *total,
                    credit_applied: *credit_applied,
                    amount_due: cents(*total - *credit_applied),
                    status: Status::Open,
                    finalized_at: recorded.at,
                    due_at: *due_at,
                    paid_at: None,
                    payments: vec![],
                    credit_notes: vec![],
                    lines: self.itemized.take().unwrap_or_default(),
                    sums: std::mem::take(&mut self.sums),
                    created_version: recorded.version,
                    changed_version: recorded.version,
                };
                finalized.settle(recorded.at);
                self.balance -= *credit_applied;
                self.invoices.push(finalized);
                if let Some(period) = self.periods.last_mut() {
                    period.invoice = Some(*invoice);
                }
            }
            Event::CreditGranted { credit, amount, reason } => {
                self.balance = self.balance.saturating_add(*amount);
                self.credits.push(Credit {
                    id: *credit,
                    amount: *amount,
                    reason: reason.clone(),
                    at: recorded.at,
                    version: recorded.version,
                });
            }
            Event::Paid { invoice, .. }
            | Event::PaymentReversed { invoice, .. }
            | Event::Overdue { invoice, .. }
            | Event::CreditNoteIssued { invoice, .. } => {
                let id = *invoice;
                if let Some(invoice) = self.invoices.iter_mut().find(|it| it.id == id) {
                    invoice.changed_version = recorded.version;
                    self.balance += invoice.take(event, recorded.at);
                }
                self.credit_notes += usize::from(matches!(event, Event::CreditNoteIssued { .. }));
            }
        }
    }
}

impl Invoice {
    /// What happened to it. Gives what came back as credit.
    fn take(&mut self, event: &Event, at: Time) -> Dollars {
        match event {
            Event::Paid { payment, provider, amount, reference, .. } => {
                self.payments.push(Payment {
                    id: *payment,
                    provider: *provider,
                    amount: *amount,
                    reference: reference.clone(),
                    at,
                    reversed_at: None,
                });
                self.amount_due = cents(self.amount_due - *amount);
                self.settle(at);
            }
            Event::PaymentReversed { payment, amount, .. } => {
                if let Some(payment) = self.payments.iter_mut().find(|it| it.id == *payment) {
                    payment.reversed_at = Some(at);
                }
                self.amount_due = cents(self.amount_due + *amount);
                self.status = Status::Open;
                self.paid_at = None;
            }
            Event::Overdue { .. } => self.status = Status::Overdue,
            Event::CreditNoteIssued { credit_note, number, amount, reason, .. } => {
                self.credit_notes.push(CreditNote {
                    id: *credit_note,
                    number: number.clone(),
                    amount: *amount,
                    reason: reason.clone(),
                    at,
                });
                let owed = (*amount).min(self.amount_due);
                self.amount_due = cents(self.amount_due - owed);
                self.settle(at);
                return *amount - owed;
            }
            Event::PeriodClosed { .. }
            | Event::Itemized { .. }
            | Event::Finalized { .. }
            | Event::CreditGranted { .. } => {}
        }
        Dollars::ZERO
    }
}
