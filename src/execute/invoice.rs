//! What time and the operator do about invoices. Members pay them in the way in which they order
//! anything of an organization.

use events::Event;
use events::id::{CreditId, InvoiceId, OrganizationId};
use events::invoice::{self, Close, CreditNoteWish, Rejection};
use events::organization::Organization;
use events::plan::Dollars;
use events::recorded::Position;
use events::stream::Stream;
use events::time::Time;

use super::{Done, Error, Order, append, caught_up, into_events, system_order};
use crate::App;

/// Closes a month that is over, with its invoice. Every node gives the same order, and it is carried
/// out once.
pub(crate) async fn close(
    app: &App,
    organization: OrganizationId,
    close: &Close,
) -> Result<Position, Error> {
    let month = close.month.millis().to_be_bytes();
    let why = [b"close period".as_slice(), organization.0.as_bytes(), &month];
    let order = Order { at: Some(close.at), ..system_order(app, &why) };
    let decide = |state: &Organization| Ok(into_events(invoice::close(state, close), Event::from));
    let stream = Stream::Organization(organization);
    Ok(append(app, &app.organizations, stream, &order, decide, |_| ()).await?.position)
}

/// Says of an invoice that its term is over. Does nothing to one that is settled.
pub(crate) async fn overdue(
    app: &App,
    organization: OrganizationId,
    invoice: InvoiceId,
    at: Time,
) -> Result<Position, Error> {
    let due = at.millis().to_be_bytes();
    let why = [b"invoice overdue".as_slice(), invoice.0.as_bytes(), &due];
    let order = Order { at: Some(at), ..system_order(app, &why) };
    let decide = |state: &Organization| {
        Ok(into_events(invoice::time_passes(state, invoice, at), Event::from))
    };
    let stream = Stream::Organization(organization);
    Ok(append(app, &app.organizations, stream, &order, decide, |_| ()).await?.position)
}

/// What the operator orders.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    CreditNote(CreditNoteWish),
    Credit {
        credit: CreditId,
        amount: Dollars,
        reason: Option<String>,
    },
    Reverse {
        invoice: InvoiceId,
        reason: Option<String>,
    },
    /// The payment has come.
    Paid(invoice::Command),
}

impl Wish {
    fn decide(&self, state: &Organization, at: Time) -> Result<Vec<invoice::Event>, Rejection> {
        match self {
            Self::CreditNote(wish) => invoice::credit(state, wish, at),
            Self::Credit { credit, amount, reason } => {
                invoice::grant(state, *credit, *amount, reason.clone())
            }
            Self::Reverse { invoice, reason } => invoice::reverse(state, *invoice, reason.clone()),
            Self::Paid(command) => invoice::decide(state, command),
        }
    }
}

/// Gives an operator's order about what an organization owes; it may be deleted already.
pub(crate) async fn order<T>(
    app: &App,
    organization: OrganizationId,
    order: &Order,
    wish: &Wish,
    answer: impl Fn(&Organization) -> T,
) -> Result<Done<T>, Error> {
    let _running = app.running.enter(order)?;
    let now = app.clock.now();
    let decide = |state: &Organization| Ok(into_events(wish.decide(state, now)?, Event::from));
    let stream = Stream::Organization(organization);
    let done = append(app, &app.organizations, stream, order, decide, answer).await?;
    Ok(caught_up(app, done).await)
}
