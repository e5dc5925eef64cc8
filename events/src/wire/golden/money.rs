//! Samples of what an organization pays for.

use uuid::Uuid;

use super::ORGANIZATION;
use crate::Event;
use crate::id::PaymentMethodId;
use crate::organization::Changed;
use crate::personal::Personal;
use crate::plan::{Catalogue, Dollars, Terms};
use crate::subscription::{Cause, Event as Of, Provider, SuspendedFor};
use crate::time::Time;

fn terms(plan: &str) -> Box<Terms> {
    Box::new(Catalogue::built_in().plan(plan).expect("it is built in").clone())
}

/// One of each. A new variant stops the build here until it has one.
pub(super) fn samples() -> Vec<Event> {
    let takes_effect_at = Time::from_millis(1_769_904_000_000);
    let payment_method = PaymentMethodId(Uuid::from_u128(0xca));
    let text = |text| Personal::known(ORGANIZATION.subject(), text);
    let samples = vec![
        Of::PlanChanged {
            previous: "unlimited".to_owned(),
            terms: terms("starter"),
            trial_ends_at: Some(takes_effect_at),
        },
        Of::PlanChangeScheduled { terms: terms("pro"), takes_effect_at },
        Of::PlanChangeCanceled { plan: "pro".to_owned(), because: Cause::DoesNotFit },
        Of::TrialEnded { has_payment_method: false },
        Of::SeatsChanged { extra_seats: Changed { from: 0, to: 2 } },
        Of::SeatsChangeScheduled { extra_seats: Changed { from: 2, to: 1 }, takes_effect_at },
        Of::SeatsChangeCanceled { extra_seats: 1, because: Cause::Withdrawn },
        Of::SpendLimitChanged {
            spend_limit: Changed { from: None, to: Some(Dollars::new(10_050, 2)) },
        },
        Of::SpendLimitReached {
            spend_limit: Dollars::new(10_050, 2),
            spent: Dollars::new(10_062, 2),
            month: Time::from_millis(1_767_225_600_000),
        },
        Of::PaymentMethodAdded {
            payment_method,
            provider: Provider::Manual,
            text: text("{\"hint\":\"bank transfer\",\"reference\":null}"),
        },
        Of::PaymentMethodRemoved { payment_method },
        Of::Suspended { because: SuspendedFor::Operator, reason: text("a complaint") },
        Of::Resumed {},
    ];
    for sample in &samples {
        match sample {
            Of::PlanChanged { .. }
            | Of::PlanChangeScheduled { .. }
            | Of::PlanChangeCanceled { .. }
            | Of::TrialEnded { .. }
            | Of::SeatsChanged { .. }
            | Of::SeatsChangeScheduled { .. }
            | Of::SeatsChangeCanceled { .. }
            | Of::SpendLimitChanged { .. }
            | Of::SpendLimitReached { .. }
            | Of::PaymentMethodAdded { .. }
            | Of::PaymentMethodRemoved { .. }
            | Of::Suspended { .. }
            | Of::Resumed {} => {}
        }
    }
    samples.into_iter().map(Event::from).collect()
}
