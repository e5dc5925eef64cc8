//! Records what members were not allowed to do.

use events::id::OrganizationId;
use events::stream::Stream;
use events::{Event, access_attempt, organization};

use super::{Error, Order, append};
use crate::App;

/// Nobody waits for it, so neither does it wait for the read models.
pub(crate) async fn record(
    app: &App,
    organization: OrganizationId,
    order: &Order,
    operation: &str,
    count: u64,
) -> Result<(), Error> {
    let decide = |state: &organization::Organization| {
        let facts = access_attempt::denied(state, operation, count);
        Ok(facts.into_iter().map(Event::from).collect())
    };
    let stream = Stream::Organization(organization);
    append(app, &app.organizations, stream, order, decide, |_| ()).await.map(drop)
}
