//! What the operator orders about an organization's subscription.

use events::Event;
use events::id::OrganizationId;
use events::organization::Organization;
use events::stream::Stream;
use events::subscription::{self, SuspendedFor};

use super::{Done, Error, Order, append, caught_up, into_events};
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
