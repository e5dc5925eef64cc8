//! What invoices are made from, and what stands on them.

use std::collections::BTreeMap;

use events::Event;
use events::id::OrganizationId;
use events::invoice::hours::{DayHours, DayOf};
use events::invoice::pin::{Day, Month, Told};
use events::invoice::{self, Invoice, Line, Pin};
use events::stream::Stream;
use events::time::Time;
use projections::usage::{BilledMonth, Span};
use rust_decimal::Decimal;

use super::{Error, usage};
use crate::access::Access;
use crate::failure::Failure;
use crate::{App, past};

/// Usage is told at most 35 days late: before a month, so many can change.
const MONTHS_BEFORE: u32 = 2;

/// What was told about a month, and about those before it that can still change, up to the version
/// that the read model has come to; `None` when nothing was ever told.
pub(crate) async fn pin(
    app: &App,
    organization: OrganizationId,
    month: Time,
) -> Result<Option<Pin>, Error> {
    let mut months = vec![month.month().0];
    for _ in 0..MONTHS_BEFORE {
        let first = months[0];
        months.insert(0, Time::from_millis(first.millis() - 1).month().0);
    }
    let names: Vec<String> = months.iter().map(|month| Span::Month.of(*month)).collect();
    let named: Vec<&str> = names.iter().map(String::as_str).collect();
    let (through, told) = usage::billing(app, organization, &named).await?;
    let Some(version) = through else { return Ok(None) };
    let months = months
        .iter()
        .zip(&names)
        .filter_map(|(start, name)| told.get(name).map(|told| of_month(*start, told)));
    Ok(Some(Pin { version, months: months.collect::<Result<_, _>>()? }))
}

fn of_month(start: Time, told: &BilledMonth) -> Result<Month, Error> {
    let days = told.days.iter().map(|(day, used)| {
        let start = format!("{day}T00:00:00.000Z")
            .parse()
            .map_err(|error| Error::Failed(Failure::Broken(Box::new(error))))?;
        Ok(Day {
            start,
            queries: Decimal::from(used.queries),
            bytes_transferred: Decimal::from(used.bytes_transferred),
        })
    });
    let counted = |it: projections::usage::Counted| Told { count: it.count, sum: it.sum.into() };
    Ok(Month {
        start,
        first_version: told.first_version,
        queries: counted(told.queries),
        bytes_transferred: counted(told.bytes_transferred),
        days: days.collect::<Result<_, Error>>()?,
    })
}

/// What ran and was stored from `start` to `end`, day by day. For months that are closed the whole
/// stream is read again.
pub(crate) async fn hours(
    app: &App,
    access: &Access,
    start: Time,
    end: Time,
) -> Result<BTreeMap<DayOf, DayHours>, Error> {
    let end = end.min(app.clock.now());
    let stream = Stream::Organization(access.organization());
    let entry = app.organizations.current(&app.log, stream).await.map_err(Failure::from)?;
    {
        let folded = entry.read();
        let billing = folded.state.billing();
        if billing.closed_until().is_none_or(|closed| closed <= start) {
            return Ok(billing.meter().hours_by_day(start, end));
        }
    }
    let meter = past::meter(app, access.organization()).await?;
    Ok(meter.hours_by_day(start, end))
}

/// The lines of an invoice, from the log. Who asks must have been let in.
pub(crate) async fn lines(
    app: &App,
    organization: OrganizationId,
    invoice: &Invoice,
) -> Result<Vec<Line>, Error> {
    let mut lines = Vec::new();
    for recorded in past::events(app, organization, invoice.lines).await? {
        if let Event::Invoice(invoice::Event::Itemized { lines: some, .. }) = recorded.event {
            lines.extend(some);
        }
    }
    Ok(lines)
}
