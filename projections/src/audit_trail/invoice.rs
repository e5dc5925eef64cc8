//! How an audit entry tells of closed months, invoices, payments and credit. The lines of an invoice
//! are read with it.

use events::id::OrganizationId;
use events::invoice::Event;

use super::{FieldChange, Resource, personal, plain};

pub(super) fn resource(organization: OrganizationId, event: &Event) -> Resource {
    match event {
        Event::PeriodClosed { .. } => Resource::new("period", organization, None),
        Event::Itemized { invoice, .. }
        | Event::Finalized { invoice, .. }
        | Event::Paid { invoice, .. }
        | Event::PaymentReversed { invoice, .. }
        | Event::Overdue { invoice, .. } => Resource::new("invoice", invoice, None),
        Event::CreditNoteIssued { credit_note, .. } => {
            Resource::new("credit_note", credit_note, None)
        }
        Event::CreditGranted { credit, .. } => Resource::new("credit", credit, None),
    }
}

pub(super) fn changes(event: &Event) -> Vec<FieldChange> {
    let to = |field, value| FieldChange::new(field, None, Some(value));
    match event {
        Event::PeriodClosed { start, end, usage, .. } => {
            let pinned = usage.as_ref().map(|pin| to("usage_version", plain(pin.version)));
            [to("start", plain(start)), to("end", plain(end))].into_iter().chain(pinned).collect()
        }
        Event::Itemized { lines, .. } => vec![to("lines", plain(lines.len()))],
        Event::Finalized { number, total, credit_applied, due_at, .. } => vec![
            to("number", plain(number)),
            to("total", plain(total)),
            to("credit_applied", plain(credit_applied)),
            to("due_at", plain(due_at)),
        ],
        Event::Paid { payment, provider, amount, reference, .. } => {
            let reference = personal(reference).map(|reference| to("reference", reference));
            let paid = [
                to("payment", plain(payment)),
                to("provider", plain(provider)),
                to("amount", plain(amount)),
            ];
            paid.into_iter().chain(reference).collect()
        }
        Event::PaymentReversed { payment, amount, reason, .. } => {
            let reason = personal(reason).map(|reason| to("reason", reason));
            let back = [to("payment", plain(payment)), to("amount", plain(amount))];
            back.into_iter().chain(reason).collect()
        }
        Event::Overdue { amount_due, .. } => vec![to("amount_due", plain(amount_due))],
        Event::CreditNoteIssued { number, invoice, amount, amount_due, reason, .. } => {
            let reason = personal(reason).map(|reason| to("reason", reason));
            let issued = [
                to("number", plain(number)),
                to("invoice", plain(invoice)),
                to("amount", plain(amount)),
                to("amount_due", plain(amount_due)),
            ];
            issued.into_iter().chain(reason).collect()
        }
        Event::CreditGranted { amount, reason, .. } => {
            let reason = personal(reason).map(|reason| to("reason", reason));
            [to("amount", plain(amount))].into_iter().chain(reason).collect()
        }
    }
}
