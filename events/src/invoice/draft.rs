//! Invoices that are not yet: what has come up since the last one, and what will have come up at the
//! end of the month if nothing else happens.

use super::charge::Bill;
use super::line::{Line, total};
use super::meter::{Meter, Subscribed};
use super::pin::Pin;
use crate::id::InvoiceId;
use crate::organization::{Organization, Profile};
use crate::plan::Dollars;
use crate::time::Time;

#[derive(Clone, Debug)]
pub struct Draft {
    /// What the invoice will have.
    pub id: InvoiceId,
    pub start: Time,
    /// Of the month.
    pub end: Time,
    pub lines: Vec<Line>,
    pub total: Dollars,
}

impl Organization {
    /// What each month that is not closed has cost until `at`, oldest first; the last is the month
    /// of `at`, whether it has cost anything or not. None when the organization is gone.
    pub fn drafts(&self, at: Time, usage: Option<&Pin>) -> Vec<Draft> {
        let Some(profile) = self.profile() else { return vec![] };
        let billing = self.billing();
        let first = billing.closed_until().unwrap_or(profile.created_at.month().0);
        // what nothing was charged for is not closed; before the last month nothing else is open
        let mut start = first.max(Time::from_millis(at.month().0.millis() - 1).month().0);
        let mut charged = billing.pin();
        let mut drafts = Vec::new();
        while start <= at {
            let (from, end) = start.month();
            let bill = Bill {
                organization: profile.id,
                meter: billing.meter(),
                start: from,
                end: end.min(at),
                usage,
                charged,
            };
            let draft = drafted(profile, end, &bill);
            if end > at || !draft.lines.is_empty() {
                drafts.push(draft);
                charged = usage.or(charged);
            }
            start = end;
        }
        drafts
    }

    /// What the month of `at` will have cost at its end if something changes now, and nothing else
    /// does. `None` when the organization is gone.
    pub fn preview(
        &self,
        at: Time,
        usage: Option<&Pin>,
        suppose: impl FnOnce(&mut Subscribed),
    ) -> Option<Draft> {
        let profile = self.profile()?;
        let meter: Meter = self.billing().meter().supposing(at, suppose);
        let (start, end) = at.month();
        let charged = self.billing().pin();
        let organization = profile.id;
        let bill = Bill { organization, meter: &meter, start, end, usage, charged };
        Some(drafted(profile, end, &bill))
    }
}

fn drafted(profile: &Profile, end: Time, bill: &Bill<'_>) -> Draft {
    let lines = bill.lines();
    let total = total(&lines);
    Draft { id: InvoiceId::of(profile.id, bill.start), start: bill.start, end, lines, total }
}
