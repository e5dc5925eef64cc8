//! What the operator orders about an organization's subscription, and what its spending brings about.

use events::Event;
use events::id::OrganizationId;
use events::organization::Organization;
use events::plan::Dollars;
use events::recorded::Actor;
use events::stream::Stream;
use events::subscription::{self, SuspendedFor};
use events::time::Time;

use super::{Done, Error, Order, append, caught_up, fresh_order, into_events};
use crate::App;

/// Suspends an organization, or lets it go on. Says for what it is suspended then.
pub(crate) async fn suspend(
    app: &App,
    organization: OrganizationId,
    order: &Order,
    is_suspended: bool,
    reason: Option<String>,
) -> Result<Done<Option<SuspendedFor>>, Error> {
    let _running = app.running.enter(order)?;
    let decide = |state: &Organization| {
        let events = subscription::suspend(state, is_suspended, reason.clone())?;
        Ok(into_events(events, Event::Subscription))
    };
    let stream = Stream::Organization(organization);
    let suspended_for = |state: &Organization| state.subscription().suspended;
    let done = append(app, &app.organizations, stream, order, decide, suspended_for).await?;
    Ok(caught_up(app, done).await)
}

/// Says that so much is spent in the month of `at` that usage is refused from now on; nothing when
/// that is said already, or the limit is higher now.
pub(crate) async fn reach_spend_limit(
    app: &App,
    organization: OrganizationId,
    spent: Dollars,
    at: Time,
) -> Result<(), Error> {
    let order = fresh_order(app, Actor::System);
    let decide = |state: &Organization| {
        let reached = subscription::reach_spend_limit(state, spent, at);
        Ok(into_events(reached, Event::Subscription))
    };
    let stream = Stream::Organization(organization);
    append(app, &app.organizations, stream, &order, decide, |_| ()).await?;
    Ok(())
}
