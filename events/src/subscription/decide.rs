//! What an owner orders, what time does by itself, and what the operator does.

use std::sync::Arc;

use super::{
    Cause, Command, Event, MOST_PAYMENT_METHODS, Rejection, Subscription, SuspendedFor, Trial,
    seats,
};
use crate::organization::{Changed, Organization};
use crate::personal::Personal;
use crate::plan::{Dollars, Terms};
use crate::time::{DAY, Time};

pub fn decide(organization: &Organization, command: &Command) -> Result<Vec<Event>, Rejection> {
    let profile = organization.profile().ok_or(Rejection::NotFound)?;
    let now = organization.subscription();
    match command {
        Command::ChangePlan { terms, extra_seats, at, month_ends_at } => {
            change_plan(organization, terms, *extra_seats, *at, *month_ends_at)
        }
        Command::SetSeats { extra_seats, at, month_ends_at } => {
            set_seats(organization, *extra_seats, *at, *month_ends_at)
        }
        Command::SetSpendLimit { spend_limit } if *spend_limit == now.spend_limit => Ok(vec![]),
        Command::SetSpendLimit { spend_limit } => {
            let spend_limit = Changed { from: now.spend_limit, to: *spend_limit };
            Ok(vec![Event::SpendLimitChanged { spend_limit }])
        }
        Command::AddPaymentMethod { .. } if now.payment_methods.len() >= MOST_PAYMENT_METHODS => {
            Err(Rejection::TooMany)
        }
        Command::AddPaymentMethod { payment_method, provider, text } => {
            let added = Event::PaymentMethodAdded {
                payment_method: *payment_method,
                provider: *provider,
                text: Personal::optional(profile.id.subject(), text.clone()),
            };
            let ended = now.is_on_trial().then_some(Event::TrialEnded { has_payment_method: true });
            Ok([Some(added), ended, resumed(now)].into_iter().flatten().collect())
        }
        Command::RemovePaymentMethod { payment_method } => {
            now.payment_methods.get(payment_method).ok_or(Rejection::PaymentMethodNotFound)?;
            Ok(vec![Event::PaymentMethodRemoved { payment_method: *payment_method }])
        }
    }
}

fn change_plan(
    organization: &Organization,
    terms: &Arc<Terms>,
    extra_seats: u64,
    at: Time,
    month_ends_at: Time,
) -> Result<Vec<Event>, Rejection> {
    let now = organization.subscription();
    let is_counted = seats(terms, 0).is_some();
    let added = (is_counted && extra_seats > now.extra_seats).then_some(Event::SeatsChanged {
        extra_seats: Changed { from: now.extra_seats, to: extra_seats },
    });
    if *terms == now.terms {
        let withdrawn = now.scheduled.as_ref().map(|scheduled| Event::PlanChangeCanceled {
            plan: scheduled.to.plan.clone(),
            because: Cause::Withdrawn,
        });
        return Ok(withdrawn.into_iter().chain(added).collect());
    }
    let held = added.as_ref().map_or_else(|| coming_seats(now), |_| extra_seats);
    let excess = organization.excess(terms, held, at);
    if !excess.is_empty() {
        return Err(Rejection::DoesNotFit(excess));
    }
    if now.is_taken_at_once(terms) {
        return Ok(changed(now, terms, at).into_iter().chain(added).collect());
    }
    let is_known = now
        .scheduled
        .as_ref()
        .is_some_and(|scheduled| scheduled.to == *terms && scheduled.at == month_ends_at);
    let scheduled = Event::PlanChangeScheduled {
        terms: Box::new((**terms).clone()),
        takes_effect_at: month_ends_at,
    };
    let scheduled = (!is_known).then_some(scheduled);
    Ok(scheduled.into_iter().chain(added).collect())
}

/// What takes another plan, now.
fn changed(now: &Subscription, terms: &Arc<Terms>, at: Time) -> Vec<Event> {
    let has_trial = terms.trial_days > 0 && now.trial == Trial::None && !now.has_payment_method();
    let changed = Event::PlanChanged {
        previous: now.terms.plan.clone(),
        terms: Box::new((**terms).clone()),
        trial_ends_at: has_trial.then(|| at.after(DAY * terms.trial_days)),
    };
    // nobody pays for seats that nobody counts
    let seats = (seats(terms, 0).is_none() && now.extra_seats > 0)
        .then_some(Event::SeatsChanged { extra_seats: Changed { from: now.extra_seats, to: 0 } });
    [Some(changed), seats, resumed(now)].into_iter().flatten().collect()
}

/// The terms that a new organization begins with.
pub fn first(terms: &Terms, at: Time) -> Vec<Event> {
    changed(&Subscription::default(), &Arc::new(terms.clone()), at)
}

/// What stood still for want of a payment goes on.
fn resumed(now: &Subscription) -> Option<Event> {
    (now.suspended == Some(SuspendedFor::TrialEnded)).then_some(Event::Resumed {})
}

/// As many as there will be when nothing more is ordered.
fn coming_seats(now: &Subscription) -> u64 {
    now.scheduled_seats.as_ref().map_or(now.extra_seats, |scheduled| scheduled.to)
}

fn set_seats(
    organization: &Organization,
    extra_seats: u64,
    at: Time,
    month_ends_at: Time,
) -> Result<Vec<Event>, Rejection> {
    let now = organization.subscription();
    if now.seats().is_none() {
        return Err(Rejection::SeatsUnlimited);
    }
    let changed = Changed { from: now.extra_seats, to: extra_seats };
    if extra_seats > now.extra_seats {
        return Ok(vec![Event::SeatsChanged { extra_seats: changed }]);
    }
    if extra_seats == now.extra_seats {
        let withdrawn = now.scheduled_seats.as_ref().map(|scheduled| Event::SeatsChangeCanceled {
            extra_seats: scheduled.to,
            because: Cause::Withdrawn,
        });
        return Ok(withdrawn.into_iter().collect());
    }
    let coming = now.scheduled_plan().map_or(now.terms(), |(terms, _)| terms);
    let excess = organization.excess(coming, extra_seats, at);
    if !excess.is_empty() {
        return Err(Rejection::DoesNotFit(excess));
    }
    if now.scheduled_seats.as_ref().is_some_and(|scheduled| scheduled.to == extra_seats) {
        return Ok(vec![]);
    }
    Ok(vec![Event::SeatsChangeScheduled { extra_seats: changed, takes_effect_at: month_ends_at }])
}

/// What falls due by `at`: a trial ends, what was scheduled takes effect if it fits.
pub fn time_passes(organization: &Organization, at: Time) -> Vec<Event> {
    if organization.profile().is_none() {
        return vec![];
    }
    let now = organization.subscription();
    let mut events = Vec::new();
    if matches!(now.trial, Trial::Until(end) if end <= at) {
        events.push(Event::TrialEnded { has_payment_method: now.has_payment_method() });
        let is_suspended =
            now.terms.suspend_after_trial && !now.has_payment_method() && now.suspended.is_none();
        events.extend(is_suspended.then_some(Event::Suspended {
            because: SuspendedFor::TrialEnded,
            reason: Personal::Absent,
        }));
    }
    let plan = now.scheduled.as_ref().filter(|scheduled| scheduled.at <= at);
    let seats = now.scheduled_seats.as_ref().filter(|scheduled| scheduled.at <= at);
    let mut terms = &now.terms;
    if let Some(plan) = plan {
        let fits = organization.excess(&plan.to, coming_seats(now), at).is_empty();
        if fits {
            terms = &plan.to;
            events.extend(changed(now, &plan.to, at));
        } else {
            events.push(Event::PlanChangeCanceled {
                plan: plan.to.plan.clone(),
                because: Cause::DoesNotFit,
            });
        }
    }
    if let Some(seats) = seats {
        let fits = organization.excess(terms, seats.to, at).is_empty();
        events.push(if fits {
            let extra_seats = Changed { from: now.extra_seats, to: seats.to };
            Event::SeatsChanged { extra_seats }
        } else {
            Event::SeatsChangeCanceled { extra_seats: seats.to, because: Cause::DoesNotFit }
        });
    }
    events
}

/// The operator lets nothing run any more, or lets it run again; repeating it changes nothing.
pub fn suspend(
    organization: &Organization,
    is_suspended: bool,
    reason: Option<String>,
) -> Result<Vec<Event>, Rejection> {
    let profile = organization.profile().ok_or(Rejection::NotFound)?;
    let now = organization.subscription().suspended;
    Ok(match (is_suspended, now) {
        (true, Some(SuspendedFor::Operator)) | (false, None) => vec![],
        (true, None | Some(SuspendedFor::TrialEnded)) => vec![Event::Suspended {
            because: SuspendedFor::Operator,
            reason: Personal::optional(profile.id.subject(), reason),
        }],
        (false, Some(_)) => vec![Event::Resumed {}],
    })
}

/// So much is spent in the month of `at` that usage is refused.
pub fn reach_spend_limit(organization: &Organization, spent: Dollars, at: Time) -> Vec<Event> {
    let now = organization.subscription();
    let limit = now.spend_limit.filter(|limit| spent >= *limit);
    let limit = limit.filter(|_| organization.profile().is_some() && now.capped_at(at).is_none());
    let reached =
        |spend_limit| Event::SpendLimitReached { spend_limit, spent, month: at.month().0 };
    limit.map(reached).into_iter().collect()
}
