//! How an audit entry tells of plan, seats, spend limit, payment methods and suspension.

use events::id::OrganizationId;
use events::subscription::Event;

use super::{FieldChange, Resource, personal, plain};

pub(super) fn resource(organization: OrganizationId, event: &Event) -> Resource {
    match event {
        Event::PaymentMethodAdded { payment_method, .. }
        | Event::PaymentMethodRemoved { payment_method } => {
            Resource::new("payment_method", payment_method, None)
        }
        Event::Suspended { .. } | Event::Resumed {} => {
            Resource::new("organization", organization, None)
        }
        Event::PlanChanged { .. }
        | Event::PlanChangeScheduled { .. }
        | Event::PlanChangeCanceled { .. }
        | Event::TrialEnded { .. }
        | Event::SeatsChanged { .. }
        | Event::SeatsChangeScheduled { .. }
        | Event::SeatsChangeCanceled { .. }
        | Event::SpendLimitChanged { .. }
        | Event::SpendLimitReached { .. } => Resource::new("subscription", organization, None),
    }
}

pub(super) fn changes(event: &Event) -> Vec<FieldChange> {
    let to = |field, value| FieldChange::new(field, None, Some(value));
    match event {
        Event::PlanChanged { previous, terms, trial_ends_at } => {
            let plan = FieldChange::new("plan", Some(plain(previous)), Some(plain(&terms.plan)));
            let trial = trial_ends_at.map(|end| to("trial_ends_at", plain(end)));
            [plan, to("terms", plain(terms))].into_iter().chain(trial).collect()
        }
        Event::PlanChangeScheduled { terms, takes_effect_at } => vec![
            to("plan", plain(&terms.plan)),
            to("terms", plain(terms)),
            to("takes_effect_at", plain(takes_effect_at)),
        ],
        Event::PlanChangeCanceled { plan, because } => {
            vec![FieldChange::new("plan", Some(plain(plan)), None), to("because", plain(because))]
        }
        Event::TrialEnded { has_payment_method } => {
            vec![to("has_payment_method", plain(has_payment_method))]
        }
        Event::SeatsChanged { extra_seats } => {
            let (from, to) = (plain(extra_seats.from), plain(extra_seats.to));
            vec![FieldChange::new("extra_seats", Some(from), Some(to))]
        }
        Event::SeatsChangeScheduled { extra_seats, takes_effect_at } => vec![
            FieldChange::new(
                "extra_seats",
                Some(plain(extra_seats.from)),
                Some(plain(extra_seats.to)),
            ),
            to("takes_effect_at", plain(takes_effect_at)),
        ],
        Event::SeatsChangeCanceled { extra_seats, because } => vec![
            FieldChange::new("extra_seats", Some(plain(extra_seats)), None),
            to("because", plain(because)),
        ],
        Event::SpendLimitChanged { spend_limit } => vec![FieldChange::new(
            "spend_limit",
            spend_limit.from.map(plain),
            spend_limit.to.map(plain),
        )],
        Event::SpendLimitReached { spend_limit, spent, .. } => {
            vec![to("spend_limit", plain(spend_limit)), to("spent", plain(spent))]
        }
        Event::PaymentMethodAdded { provider, text, .. } => {
            let text = personal(text).map(|text| to("text", text));
            [to("provider", plain(provider))].into_iter().chain(text).collect()
        }
        Event::Suspended { because, reason } => {
            let reason = personal(reason).map(|reason| to("reason", reason));
            [to("because", plain(because))].into_iter().chain(reason).collect()
        }
        Event::PaymentMethodRemoved { .. } | Event::Resumed {} => vec![],
    }
}
