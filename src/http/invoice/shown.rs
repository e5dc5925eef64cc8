//! How invoices are shown. Money is written as decimal strings, with the currency beside them; each
//! line says how its amount comes about: `unit_price · quantity / per`, rounded half to even.

use events::id::{CreditNoteId, DatabaseId, InvoiceId, PaymentId};
use events::invoice::line::{Charged, Item};
use events::invoice::{self, CURRENCY, Draft, Invoice, Line};
use events::plan::Dollars;
use events::subscription::Provider;
use events::time::Time;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::http::answer;
use crate::http::problem::Problem;
use crate::{App, query};

/// Of one month.
#[derive(Serialize, ToSchema)]
#[schema(as = Invoice)]
pub(crate) struct ShownInvoice {
    #[schema(value_type = String, example = "ivc_01h2xcejqtf2nbrexx3vqjhp41")]
    pub(super) id: InvoiceId,
    /// Without gaps; `null` while it is a draft.
    #[schema(example = "INV-2026-000001")]
    pub(super) number: Option<String>,
    /// `draft`, `open`, `paid`, `overdue` or `void`.
    #[schema(example = "open")]
    pub(super) status: &'static str,
    #[schema(example = "USD")]
    pub(super) currency: &'static str,
    #[schema(value_type = String, example = "2026-01-01T00:00:00.000Z")]
    pub(super) period_start: Time,
    /// That moment excluded.
    #[schema(value_type = String, example = "2026-02-01T00:00:00.000Z")]
    pub(super) period_end: Time,
    /// The sum of the lines.
    #[schema(value_type = String, example = "29.00")]
    pub(super) subtotal: Dollars,
    #[schema(value_type = String, example = "0.00")]
    pub(super) tax_rate: Dollars,
    #[schema(value_type = String, example = "0.00")]
    pub(super) tax_amount: Dollars,
    #[schema(value_type = String, example = "29.00")]
    pub(super) total: Dollars,
    /// Credit that paid for a part.
    #[schema(value_type = String, example = "10.00")]
    pub(super) credit_applied: Dollars,
    /// What credit notes took back.
    #[schema(value_type = String, example = "0.00")]
    pub(super) amount_credited: Dollars,
    #[schema(value_type = String, example = "19.00")]
    pub(super) amount_due: Dollars,
    #[schema(value_type = Option<String>, example = "2026-02-15T01:00:00.000Z")]
    pub(super) due_at: Option<Time>,
    #[schema(value_type = Option<String>)]
    pub(super) paid_at: Option<Time>,
    /// When it was finalized; `null` while it is a draft.
    #[schema(value_type = Option<String>, example = "2026-02-01T01:00:00.000Z")]
    pub(super) created_at: Option<Time>,
}

/// With everything that belongs to it.
#[derive(Serialize, ToSchema)]
pub(crate) struct InvoiceDetails {
    #[serde(flatten)]
    pub(super) invoice: ShownInvoice,
    pub(super) lines: Vec<ShownLine>,
    pub(super) payments: Vec<ShownPayment>,
    pub(super) credit_notes: Vec<ShownCreditNote>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = InvoiceLine)]
pub(crate) struct ShownLine {
    /// `plan`, `seats`, `queries`, `transfer`, `compute`, `storage` or `backup`.
    #[schema(example = "compute")]
    pub(super) kind: &'static str,
    #[schema(example = "Compute of orders, small")]
    pub(super) description: String,
    pub(super) database: Option<ShownDatabase>,
    #[schema(value_type = String, example = "2026-01-01T00:00:00.000Z")]
    pub(super) start: Time,
    #[schema(value_type = String, example = "2026-02-01T00:00:00.000Z")]
    pub(super) end: Time,
    #[schema(value_type = String, example = "744")]
    pub(super) quantity: Decimal,
    /// What is counted.
    #[schema(example = "node hours")]
    pub(super) unit: &'static str,
    /// Of so many the price is the price.
    #[schema(value_type = String, example = "1")]
    pub(super) per: Decimal,
    #[schema(value_type = String, example = "0.0556")]
    pub(super) unit_price: Dollars,
    #[schema(value_type = String, example = "41.37")]
    pub(super) amount: Dollars,
    /// It belongs to an earlier month: it was told late.
    pub(super) is_adjustment: bool,
    pub(super) usage: Option<ShownUsage>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = InvoicedDatabase)]
pub(crate) struct ShownDatabase {
    #[schema(value_type = String, example = "db_01h2xcejqtf2nbrexx3vqjhp41")]
    id: DatabaseId,
    #[schema(example = "orders")]
    name: String,
}

/// The entries of the usage stream that a line charges for, what the limit allows included.
#[derive(Serialize, ToSchema)]
#[schema(as = InvoicedUsage)]
pub(crate) struct ShownUsage {
    #[schema(example = "usage-org_01h2xcejqtf2nbrexx3vqjhp41")]
    stream: String,
    first_version: u64,
    last_version: u64,
    count: u64,
    #[schema(value_type = String, example = "60000")]
    sum: Decimal,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Payment)]
pub(crate) struct ShownPayment {
    #[schema(value_type = String, example = "pmt_01h2xcejqtf2nbrexx3vqjhp41")]
    pub(super) id: PaymentId,
    /// `succeeded` or `reversed`.
    #[schema(example = "succeeded")]
    pub(super) status: &'static str,
    #[schema(value_type = String, example = "manual")]
    pub(super) provider: Provider,
    #[schema(value_type = String, example = "19.00")]
    pub(super) amount: Dollars,
    pub(super) reference: Option<String>,
    #[schema(value_type = String, example = "2026-02-03T10:00:00.000Z")]
    pub(super) created_at: Time,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CreditNote)]
pub(crate) struct ShownCreditNote {
    #[schema(value_type = String, example = "crn_01h2xcejqtf2nbrexx3vqjhp41")]
    pub(super) id: CreditNoteId,
    #[schema(example = "CN-2026-000001")]
    pub(super) number: String,
    #[schema(value_type = String, example = "5.00")]
    pub(super) amount: Dollars,
    pub(super) reason: Option<String>,
    #[schema(value_type = String, example = "2026-02-03T10:00:00.000Z")]
    pub(super) created_at: Time,
}

fn nothing() -> Dollars {
    invoice::line::cents(Dollars::ZERO)
}

impl ShownInvoice {
    pub(super) fn of(invoice: &Invoice) -> Self {
        Self {
            id: invoice.id,
            number: Some(invoice.number.clone()),
            status: invoice.status.as_str(),
            currency: CURRENCY,
            period_start: invoice.period_start,
            period_end: invoice.period_end,
            subtotal: invoice.total,
            tax_rate: nothing(),
            tax_amount: nothing(),
            total: invoice.total,
            credit_applied: invoice.credit_applied,
            amount_credited: invoice.credited(),
            amount_due: invoice.amount_due,
            due_at: Some(invoice.due_at),
            paid_at: invoice.paid_at,
            created_at: Some(invoice.finalized_at),
        }
    }

    /// As clients of a bare list of invoices know it.
    pub(super) fn in_other_words(&self) -> Value {
        json!({
            "id": self.id,
            "invoice_number": self.number,
            "status": if self.status == "open" { "pending" } else { self.status },
            "period_start": self.period_start,
            "period_end": self.period_end,
            "subtotal": self.subtotal,
            "tax_rate": self.tax_rate,
            "tax_amount": self.tax_amount,
            "total": self.total,
            "amount_due": self.amount_due,
            "currency": self.currency,
            "due_date": self.due_at,
            "paid_at": self.paid_at,
            "created_at": self.created_at,
        })
    }

    /// With so much credit to pay for it.
    pub(super) fn of_draft(draft: &Draft, balance: Dollars) -> Self {
        let credit_applied = invoice::line::cents(draft.total.min(balance));
        Self {
            id: draft.id,
            number: None,
            status: "draft",
            currency: CURRENCY,
            period_start: draft.start,
            period_end: draft.end,
            subtotal: draft.total,
            tax_rate: nothing(),
            tax_amount: nothing(),
            total: draft.total,
            credit_applied,
            amount_credited: nothing(),
            amount_due: draft.total - credit_applied,
            due_at: None,
            paid_at: None,
            created_at: None,
        }
    }
}

impl InvoiceDetails {
    pub(super) async fn of(app: &App, invoice: &Invoice, lines: &[Line]) -> Result<Self, Problem> {
        let mut payments = Vec::with_capacity(invoice.payments.len());
        for payment in &invoice.payments {
            let reference = query::opened(app, payment.reference.sealed()).await?;
            payments.push(ShownPayment {
                id: payment.id,
                status: if payment.reversed_at.is_some() { "reversed" } else { "succeeded" },
                provider: payment.provider,
                amount: payment.amount,
                reference: answer::shown(reference),
                created_at: payment.at,
            });
        }
        let mut credit_notes = Vec::with_capacity(invoice.credit_notes.len());
        for note in &invoice.credit_notes {
            let reason = query::opened(app, note.reason.sealed()).await?;
            credit_notes.push(ShownCreditNote {
                id: note.id,
                number: note.number.clone(),
                amount: note.amount,
                reason: answer::shown(reason),
                created_at: note.at,
            });
        }
        let lines = lines.iter().map(ShownLine::of).collect();
        Ok(Self { invoice: ShownInvoice::of(invoice), lines, payments, credit_notes })
    }

    pub(super) fn of_draft(draft: &Draft, balance: Dollars) -> Self {
        Self {
            invoice: ShownInvoice::of_draft(draft, balance),
            lines: draft.lines.iter().map(ShownLine::of).collect(),
            payments: vec![],
            credit_notes: vec![],
        }
    }
}

impl ShownLine {
    fn of(line: &Line) -> Self {
        let database = line.item.database();
        Self {
            kind: line.item.as_str(),
            description: description(line),
            database: database.map(|it| ShownDatabase { id: it.id, name: it.name.clone() }),
            start: line.start,
            end: line.end,
            quantity: line.quantity.normalize(),
            unit: unit(&line.item),
            per: line.per,
            unit_price: line.unit_price,
            amount: line.amount,
            is_adjustment: line.is_adjustment,
            usage: line.usage.as_ref().map(ShownUsage::of),
        }
    }
}

impl ShownUsage {
    fn of(charged: &Charged) -> Self {
        Self {
            stream: charged.stream.clone(),
            first_version: charged.first_version,
            last_version: charged.last_version,
            count: charged.count,
            sum: charged.sum.normalize(),
        }
    }
}

fn unit(item: &Item) -> &'static str {
    match item {
        Item::Plan { .. } => "seconds",
        Item::Seats { .. } => "seat seconds",
        Item::Queries {} => "queries",
        Item::Transfer {} => "bytes",
        Item::Compute { .. } => "node hours",
        Item::Storage { .. } => "GB hours",
        Item::Backup { .. } => "byte hours",
    }
}

/// In words, for people.
pub(super) fn description(line: &Line) -> String {
    let name = |what: &str| match line.item.database() {
        Some(database) => format!("{what} of {}", database.name),
        None => format!("{what} of all databases"),
    };
    let text = match &line.item {
        Item::Plan { label, .. } => format!("Plan {label}"),
        Item::Seats { seats: 1 } => "1 extra seat".to_owned(),
        Item::Seats { seats } => format!("{seats} extra seats"),
        Item::Queries {} => "Queries over the daily limit".to_owned(),
        Item::Transfer {} => "Transfer over the monthly limit".to_owned(),
        Item::Compute { tier, .. } => format!("{}, {tier}", name("Compute")),
        Item::Storage { .. } => name("Storage"),
        Item::Backup { .. } => name("Backups"),
    };
    if line.is_adjustment { format!("{text}, told late") } else { text }
}
