//! Operator verb: every invoice of an organization, computed again from its events and its usage, by
//! the log itself or by an export of it. What was charged must follow from what was recorded, to the
//! cent: the usage that each closed month pins, its lines, the totals, the numbers and the credit.

use std::io::Write as _;

use anyhow::bail;
use events::invoice::recount::Recount;
use events::invoice::{Line, Pin, line};
use events::organization::Organization;
use events::plan::Dollars;
use events::recorded::Recorded;
use events::time::Time;
use events::{Event, State as _, invoice, usage};
use serde::Serialize;

use crate::config::Flags;
use crate::replay::source::{Read, Source};

/// Whose invoices.
#[derive(clap::Args)]
#[group(id = "recomputing")]
pub struct Recompute {
    #[command(flatten)]
    source: Source,
    /// Print what was computed as JSON
    #[arg(long)]
    json: bool,
}

/// What was charged does not follow from what was recorded.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(
        "the month of {month}, closed at version {version}: its {what} do not follow from the events"
    )]
    Differs { month: Time, version: u64, what: &'static str },
    #[error(
        "the month of {month} pins version {pinned} of the usage, which ends at version {last}"
    )]
    UsageLacks { month: Time, pinned: u64, last: String },
}

/// One invoice as it follows from the events.
#[derive(Serialize)]
struct Computed {
    number: String,
    period_start: Time,
    period_end: Time,
    lines: usize,
    total: Dollars,
    credit_applied: Dollars,
}

/// Computes everything again, and says what it came to.
pub async fn recompute(flags: &Flags, recompute: &Recompute) -> anyhow::Result<()> {
    let mut again = Again::default();
    let take = |recorded: &Recorded| again.take(recorded);
    let Read { count, organization, .. } = recompute.source.read(flags, true, take).await?;
    let invoices = again.end()?;
    eprintln!("{count} events of {organization} follow from each other, and so do its invoices");
    let mut stdout = std::io::stdout().lock();
    if recompute.json {
        serde_json::to_writer_pretty(&mut stdout, &invoices)?;
        writeln!(stdout)?;
        return Ok(());
    }
    for it in &invoices {
        let (from, until) = (it.period_start.to_string(), it.period_end.to_string());
        writeln!(
            stdout,
            "{}  {} – {}  {:>5} lines  {:>12} USD  recomputed, the same",
            it.number,
            &from[..10],
            &until[..10],
            it.lines,
            it.total
        )?;
    }
    Ok(())
}

/// A month that was closed, until its invoice is seen to be what it must be.
struct Closed {
    version: u64,
    month: Time,
    expected: Vec<Line>,
    found: Vec<Line>,
}

#[derive(Default)]
struct Again {
    state: Organization,
    closing: Option<Closed>,
    invoices: Vec<Computed>,
    /// What closed months pin, in their order, until the usage has come to it.
    pins: std::collections::VecDeque<(Time, u64, Pin)>,
    usage: Recount,
}

impl Again {
    fn take(&mut self, recorded: &Recorded) -> anyhow::Result<()> {
        if let Event::Usage(usage::Event::Recorded { entries }) = &recorded.event {
            self.compare_pins(recorded.version)?;
            self.usage.take(recorded.version, recorded.at, entries);
            return Ok(());
        }
        if let Event::Invoice(event) = &recorded.event {
            self.take_invoice(event, recorded.version)?;
        } else {
            self.all_is_charged()?;
        }
        self.state.evolve(recorded);
        Ok(())
    }

    fn take_invoice(&mut self, event: &invoice::Event, version: u64) -> anyhow::Result<()> {
        match event {
            invoice::Event::PeriodClosed { start, end, usage, .. } => {
                self.all_is_charged()?;
                let Some(profile) = self.state.was() else { bail!("there is no organization") };
                let billing = self.state.billing();
                let expected =
                    billing.lines(profile.id, billing.meter(), (*start, *end), usage.as_ref());
                let found = Vec::new();
                self.closing = Some(Closed { version, month: *start, expected, found });
                self.pins.extend(usage.clone().map(|pin| (*start, version, pin)));
            }
            invoice::Event::Itemized { lines, .. } => {
                if let Some(closing) = &mut self.closing {
                    closing.found.extend(lines.iter().cloned());
                }
            }
            invoice::Event::Finalized {
                number,
                period_start,
                period_end,
                total,
                credit_applied,
                ..
            } => {
                let closing = self.closing.take();
                let differs = |what| Fault::Differs { month: *period_start, version, what };
                let Some(closing) = closing else { return Err(differs("months").into()) };
                if closing.found != closing.expected {
                    return Err(differs("lines").into());
                }
                let sum = line::total(&closing.expected);
                if *total != sum {
                    return Err(differs("totals").into());
                }
                let billing = self.state.billing();
                if *credit_applied != line::cents(sum.min(billing.balance())) {
                    return Err(differs("credits").into());
                }
                let counted = format!("-{:06}", billing.invoices().len() + 1);
                if !number.ends_with(&counted) {
                    return Err(differs("numbers").into());
                }
                self.invoices.push(Computed {
                    number: number.clone(),
                    period_start: *period_start,
                    period_end: *period_end,
                    lines: closing.expected.len(),
                    total: *total,
                    credit_applied: *credit_applied,
                });
            }
            invoice::Event::Paid { .. }
            | invoice::Event::PaymentReversed { .. }
            | invoice::Event::Overdue { .. }
            | invoice::Event::CreditNoteIssued { .. }
            | invoice::Event::CreditGranted { .. } => self.all_is_charged()?,
        }
        Ok(())
    }

    /// A month without an invoice had nothing to charge.
    fn all_is_charged(&mut self) -> Result<(), Fault> {
        match self.closing.take() {
            Some(Closed { version, month, expected, .. }) if !expected.is_empty() => {
                Err(Fault::Differs { month, version, what: "lines" })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Compares what is pinned of the usage before a version.
    fn compare_pins(&mut self, next: u64) -> Result<(), Fault> {
        while let Some((month, version, pin)) = self.pins.front() {
            if pin.version >= next {
                return Ok(());
            }
            if self.usage.months(pin) != pin.months {
                return Err(Fault::Differs {
                    month: *month,
                    version: *version,
                    what: "queries and bytes",
                });
            }
            self.pins.pop_front();
        }
        Ok(())
    }

    fn end(mut self) -> anyhow::Result<Vec<Computed>> {
        self.all_is_charged()?;
        let last = self.usage.version();
        self.compare_pins(last.map_or(0, |last| last + 1))?;
        if let Some((month, _, pin)) = self.pins.front() {
            let last = last.map_or_else(|| "none".to_owned(), |last| last.to_string());
            return Err(Fault::UsageLacks { month: *month, pinned: pin.version, last }.into());
        }
        Ok(self.invoices)
    }
}
