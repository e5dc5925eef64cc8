//! What an organization pays for: its plan, its seats, its trial, how much it may spend at most. More
//! is had at once; less from the end of the month (UTC), and only if what there is fits then.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::PaymentMethodId;
use crate::organization::{Changed, Organization};
use crate::permission::Permission;
use crate::personal::Personal;
use crate::plan::{Dollars, Terms, UNLIMITED};
use crate::quota::Excess;
use crate::recorded::Recorded;
use crate::time::Time;

mod decide;

pub use decide::{decide, first, reach_spend_limit, suspend, time_passes};

/// How many payment methods an organization has at once.
pub const MOST_PAYMENT_METHODS: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    /// From now on. It ends a trial that was on, and what was scheduled.
    #[serde(rename = "plan.changed")]
    PlanChanged {
        previous: String,
        terms: Box<Terms>,
        /// Until then it is free, and its limits refuse.
        trial_ends_at: Option<Time>,
    },
    #[serde(rename = "plan.change_scheduled")]
    PlanChangeScheduled { terms: Box<Terms>, takes_effect_at: Time },
    #[serde(rename = "plan.change_canceled")]
    PlanChangeCanceled { plan: String, because: Cause },
    #[serde(rename = "plan.trial_ended")]
    TrialEnded { has_payment_method: bool },
    #[serde(rename = "seats.changed")]
    SeatsChanged { extra_seats: Changed<u64> },
    #[serde(rename = "seats.change_scheduled")]
    SeatsChangeScheduled { extra_seats: Changed<u64>, takes_effect_at: Time },
    #[serde(rename = "seats.change_canceled")]
    SeatsChangeCanceled { extra_seats: u64, because: Cause },
    /// `None`: there is none.
    #[serde(rename = "spend_limit.changed")]
    SpendLimitChanged { spend_limit: Changed<Option<Dollars>> },
    /// Usage is refused until the month is over, or the limit is higher.
    #[serde(rename = "spend_limit.reached")]
    SpendLimitReached { spend_limit: Dollars, spent: Dollars, month: Time },
    #[serde(rename = "payment_method.added")]
    PaymentMethodAdded {
        payment_method: PaymentMethodId,
        provider: Provider,
        /// A JSON object: the provider's reference, and what people know it by.
        #[serde(skip)]
        text: Personal,
    },
    #[serde(rename = "payment_method.removed")]
    PaymentMethodRemoved { payment_method: PaymentMethodId },
    /// Nothing runs any more; what there is stays.
    #[serde(rename = "organization.suspended")]
    Suspended {
        because: SuspendedFor,
        #[serde(skip)]
        reason: Personal,
    },
    #[serde(rename = "organization.resumed")]
    Resumed {},
}

/// Why what was scheduled does not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    Withdrawn,
    /// There was more than the lower limits allow when its time came.
    DoesNotFit,
}

/// Who takes payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Invoices are paid outside, and an operator records it.
    Manual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuspendedFor {
    TrialEnded,
    /// The operator's own reasons.
    Operator,
}

impl SuspendedFor {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TrialEnded => "trial_ended",
            Self::Operator => "operator",
        }
    }
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::PlanChanged { .. } => ("plan.changed", 1),
            Self::PlanChangeScheduled { .. } => ("plan.change_scheduled", 1),
            Self::PlanChangeCanceled { .. } => ("plan.change_canceled", 1),
            Self::TrialEnded { .. } => ("plan.trial_ended", 1),
            Self::SeatsChanged { .. } => ("seats.changed", 1),
            Self::SeatsChangeScheduled { .. } => ("seats.change_scheduled", 1),
            Self::SeatsChangeCanceled { .. } => ("seats.change_canceled", 1),
            Self::SpendLimitChanged { .. } => ("spend_limit.changed", 1),
            Self::SpendLimitReached { .. } => ("spend_limit.reached", 1),
            Self::PaymentMethodAdded { .. } => ("payment_method.added", 1),
            Self::PaymentMethodRemoved { .. } => ("payment_method.removed", 1),
            Self::Suspended { .. } => ("organization.suspended", 1),
            Self::Resumed {} => ("organization.resumed", 1),
        }
    }

    /// Whether the organization itself shows it.
    pub fn changes_organization(&self) -> bool {
        match self {
            Self::PlanChanged { previous, terms, .. } => *previous != terms.plan,
            Self::Suspended { .. } | Self::Resumed {} => true,
            Self::PlanChangeScheduled { .. }
            | Self::PlanChangeCanceled { .. }
            | Self::TrialEnded { .. }
            | Self::SeatsChanged { .. }
            | Self::SeatsChangeScheduled { .. }
            | Self::SeatsChangeCanceled { .. }
            | Self::SpendLimitChanged { .. }
            | Self::SpendLimitReached { .. }
            | Self::PaymentMethodAdded { .. }
            | Self::PaymentMethodRemoved { .. } => false,
        }
    }

    pub(crate) fn personal(&mut self, visit: &mut dyn FnMut(&'static str, &mut Personal)) {
        match self {
            Self::PaymentMethodAdded { text, .. } => visit("text", text),
            Self::Suspended { reason, .. } => visit("reason", reason),
            Self::PlanChanged { .. }
            | Self::PlanChangeScheduled { .. }
            | Self::PlanChangeCanceled { .. }
            | Self::TrialEnded { .. }
            | Self::SeatsChanged { .. }
            | Self::SeatsChangeScheduled { .. }
            | Self::SeatsChangeCanceled { .. }
            | Self::SpendLimitChanged { .. }
            | Self::SpendLimitReached { .. }
            | Self::PaymentMethodRemoved { .. }
            | Self::Resumed {} => {}
        }
    }
}

/// How far an organization's trial has come. It has one at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trial {
    #[default]
    None,
    Until(Time),
    Over,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentMethod {
    pub provider: Provider,
    pub text: Personal,
    pub added_at: Time,
}

/// What is to come at the end of the month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduled<T> {
    pub to: T,
    pub at: Time,
}

/// A spend limit that was reached.
#[derive(Clone, Copy, Debug)]
struct Capped {
    /// When the month begins in which it was.
    month: Time,
    spent: Dollars,
    at: Time,
}

/// What an organization has subscribed to.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub(crate) terms: Arc<Terms>,
    /// When it took these terms; `None` when nobody chose any.
    pub since: Option<Time>,
    pub(crate) scheduled: Option<Scheduled<Arc<Terms>>>,
    pub extra_seats: u64,
    pub scheduled_seats: Option<Scheduled<u64>>,
    pub spend_limit: Option<Dollars>,
    capped: Option<Capped>,
    pub trial: Trial,
    pub(crate) payment_methods: BTreeMap<PaymentMethodId, PaymentMethod>,
    pub suspended: Option<SuspendedFor>,
    /// Version of the last event that changed this resource: its `ETag`.
    pub changed_version: u64,
    pub changed_at: Option<Time>,
}

impl Default for Subscription {
    fn default() -> Self {
        Self {
            terms: Terms::unlimited(),
            since: None,
            scheduled: None,
            extra_seats: 0,
            scheduled_seats: None,
            spend_limit: None,
            capped: None,
            trial: Trial::None,
            payment_methods: BTreeMap::new(),
            suspended: None,
            changed_version: 0,
            changed_at: None,
        }
    }
}

impl Subscription {
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The plan it will be on from then.
    pub fn scheduled_plan(&self) -> Option<(&Terms, Time)> {
        self.scheduled.as_ref().map(|scheduled| (&*scheduled.to, scheduled.at))
    }

    pub fn payment_methods(&self) -> impl Iterator<Item = (PaymentMethodId, &PaymentMethod)> {
        self.payment_methods.iter().map(|(id, method)| (*id, method))
    }

    pub fn has_payment_method(&self) -> bool {
        !self.payment_methods.is_empty()
    }

    /// Since when usage is refused, because the spend limit is reached in the month of `now`.
    pub fn capped_at(&self, now: Time) -> Option<Time> {
        self.capped.filter(|capped| capped.month == now.month().0).map(|capped| capped.at)
    }

    /// Whether it is free, and its limits refuse what others pay for.
    pub fn is_on_trial(&self) -> bool {
        matches!(self.trial, Trial::Until(_))
    }

    /// Whether these terms would be taken at once, and not at the end of the month.
    pub fn is_taken_at_once(&self, terms: &Terms) -> bool {
        is_unlimited(&self.terms) || terms.monthly_price >= self.terms.monthly_price
    }

    /// How many may be members or invited; `None` when nobody counts.
    pub fn seats(&self) -> Option<u64> {
        seats(&self.terms, self.extra_seats)
    }
}

/// What an organization with these terms has room for.
pub(crate) fn seats(terms: &Terms, extra: u64) -> Option<u64> {
    let included = terms.limits.included_seats;
    (included > 0).then(|| included.saturating_add(extra))
}

pub(crate) fn evolve(subscription: &mut Subscription, event: &Event, recorded: &Recorded) {
    match event {
        Event::PlanChanged { terms, trial_ends_at, .. } => {
            subscription.terms = Arc::new((**terms).clone());
            subscription.since = Some(recorded.at);
            subscription.scheduled = None;
            subscription.trial = match (trial_ends_at, subscription.trial) {
                (Some(end), _) => Trial::Until(*end),
                (None, Trial::None) => Trial::None,
                (None, Trial::Until(_) | Trial::Over) => Trial::Over,
            };
        }
        Event::PlanChangeScheduled { terms, takes_effect_at } => {
            let to = Arc::new((**terms).clone());
            subscription.scheduled = Some(Scheduled { to, at: *takes_effect_at });
        }
        Event::PlanChangeCanceled { .. } => subscription.scheduled = None,
        Event::TrialEnded { .. } => subscription.trial = Trial::Over,
        Event::SeatsChanged { extra_seats } => {
            subscription.extra_seats = extra_seats.to;
            subscription.scheduled_seats = None;
        }
        Event::SeatsChangeScheduled { extra_seats, takes_effect_at } => {
            subscription.scheduled_seats =
                Some(Scheduled { to: extra_seats.to, at: *takes_effect_at });
        }
        Event::SeatsChangeCanceled { .. } => subscription.scheduled_seats = None,
        Event::SpendLimitChanged { spend_limit } => {
            subscription.spend_limit = spend_limit.to;
            let holds = |capped: &Capped| spend_limit.to.is_some_and(|to| to <= capped.spent);
            subscription.capped = subscription.capped.filter(holds);
        }
        Event::SpendLimitReached { spent, month, .. } => {
            let capped = Capped { month: *month, spent: *spent, at: recorded.at };
            subscription.capped = Some(capped);
        }
        Event::PaymentMethodAdded { payment_method, provider, text } => {
            let method =
                PaymentMethod { provider: *provider, text: text.clone(), added_at: recorded.at };
            subscription.payment_methods.insert(*payment_method, method);
        }
        Event::PaymentMethodRemoved { payment_method } => {
            subscription.payment_methods.remove(payment_method);
        }
        Event::Suspended { because, .. } => subscription.suspended = Some(*because),
        Event::Resumed {} => subscription.suspended = None,
    }
    subscription.changed_version = recorded.version;
    subscription.changed_at = Some(recorded.at);
}

#[derive(Clone)]
pub enum Command {
    /// `month_ends_at` is when the month of `at` is over.
    ChangePlan {
        terms: Arc<Terms>,
        /// At least so many from now on.
        extra_seats: u64,
        at: Time,
        month_ends_at: Time,
    },
    SetSeats {
        extra_seats: u64,
        at: Time,
        month_ends_at: Time,
    },
    SetSpendLimit {
        spend_limit: Option<Dollars>,
    },
    AddPaymentMethod {
        payment_method: PaymentMethodId,
        provider: Provider,
        /// A JSON object.
        text: Option<String>,
    },
    RemovePaymentMethod {
        payment_method: PaymentMethodId,
    },
}

impl Command {
    pub fn requires(&self, _: &Organization) -> Permission {
        Permission::ManageBilling
    }

    pub fn resource_version(&self, organization: &Organization) -> Option<u64> {
        Some(organization.subscription().changed_version)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such organization")]
    NotFound,
    #[error("there is no such payment method")]
    PaymentMethodNotFound,
    #[error("there is more than the lower limits allow")]
    DoesNotFit(Vec<Excess>),
    #[error("the plan has no limit of seats")]
    SeatsUnlimited,
    #[error("there are too many already")]
    TooMany,
}

/// Whether a plan with this name limits nothing.
fn is_unlimited(terms: &Terms) -> bool {
    terms.plan == UNLIMITED
}

#[cfg(test)]
mod tests;
