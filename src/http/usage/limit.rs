//! When usage is refused: all of it while an organization has spent what it wanted to spend at most,
//! and in a trial what is beyond the limits of the plan. Both are checked against what is counted
//! already, so that one request of each sender may pass a limit. What is known already is answered
//! as a repeat, whatever the limits say.

use std::collections::HashSet;

use events::id::OrganizationId;
use events::invoice::Draft;
use events::organization::Organization;
use events::plan::Limits;
use events::time::Time;
use events::usage::{Entry, Kind};
use projections::usage::{Span, Totals};

use crate::access::Seen;
use crate::failure::Failure;
use crate::http::problem::{Code, Problem};
use crate::{App, execute, query};

/// What a trial has no room for any more.
pub(super) struct Refused {
    kinds: Vec<(Kind, Time)>,
    known: HashSet<String>,
}

/// Refuses everything once the spend limit is reached in this month, but what was told before.
pub(super) async fn spending<'a>(
    app: &App,
    seen: &Seen,
    organization: OrganizationId,
    entries: impl Iterator<Item = &'a Entry>,
    now: Time,
) -> Result<(), Problem> {
    if seen.at(|state| state.subscription().capped_at(now)).is_none() {
        return Ok(());
    }
    let keys: Vec<String> = entries.map(|entry| entry.key.clone()).collect();
    let known = query::usage::known(app, organization, &keys).await?;
    if !keys.is_empty() && keys.iter().all(|key| known.contains(key)) {
        return Ok(());
    }
    Err(Problem::new(Code::SpendLimitReached))
}

/// What is refused of these because the organization is on trial.
pub(super) async fn in_trial<'a>(
    app: &App,
    seen: &Seen,
    organization: OrganizationId,
    entries: impl Iterator<Item = &'a Entry>,
    now: Time,
) -> Result<Refused, Problem> {
    let limits = |state: &Organization| {
        let subscription = state.subscription();
        subscription.is_on_trial().then(|| subscription.terms().limits)
    };
    let none = Refused { kinds: vec![], known: HashSet::new() };
    let Some(limits) = seen.at(limits) else { return Ok(none) };
    let day = query::usage::total(app, organization, Span::Day, now).await?;
    let month = query::usage::total(app, organization, Span::Month, now).await?;
    let kinds = used_up(&limits, &day, &month, now);
    if kinds.is_empty() {
        return Ok(none);
    }
    let keys: Vec<String> = entries.map(|entry| entry.key.clone()).collect();
    Ok(Refused { kinds, known: query::usage::known(app, organization, &keys).await? })
}

/// Each kind of which there is no more, and from when on.
fn used_up(limits: &Limits, day: &Totals, month: &Totals, now: Time) -> Vec<(Kind, Time)> {
    let (midnight, first) = (now.day().0, now.month().0);
    let used = [
        (Kind::Queries, midnight, limits.queries_per_day, day.queries),
        (Kind::BytesTransferred, first, limits.bytes_per_month, month.bytes_transferred),
        (Kind::QueryShape, first, limits.query_shapes, month.query_shapes),
    ];
    let is_over = |(kind, since, limit, used): (Kind, Time, u64, u64)| {
        (limit > 0 && used >= limit).then_some((kind, since))
    };
    used.into_iter().filter_map(is_over).collect()
}

impl Refused {
    pub(super) fn refuses(&self, entry: &Entry) -> bool {
        let is_over = |(kind, since): &(Kind, Time)| entry.kind == *kind && entry.time >= *since;
        self.kinds.iter().any(is_over) && !self.known.contains(&entry.key)
    }
}

/// Records that the spend limit is reached, when what was counted now has brought the month there.
pub(super) async fn reached(
    app: &App,
    seen: &Seen,
    organization: OrganizationId,
    now: Time,
) -> Result<(), Problem> {
    if seen.at(|state| state.subscription().spend_limit.is_none()) {
        return Ok(());
    }
    let usage = query::billing::pin(app, organization, now).await?;
    let view = |state: &Organization| {
        let spent = state.drafts(now, usage.as_ref()).pop();
        spent.zip(state.subscription().spend_limit)
    };
    let Some((Draft { total, .. }, limit)) = seen.at(view) else { return Ok(()) };
    if total >= limit {
        execute::subscription::reach_spend_limit(app, organization, total, now)
            .await
            .map_err(|error| Failure::Unavailable(error.into()))?;
    }
    Ok(())
}
