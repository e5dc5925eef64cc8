//! Leases on connections that live, straight from the operational state.

use events::id::{ConnectionId, OrganizationId};
use events::time::Time;

use super::{Error, Page};
use crate::App;
use crate::access::Access;
use crate::failure::Failure;
use crate::operational::connection::Lease;

/// The newest first.
pub(crate) async fn list(
    app: &App,
    access: &Access,
    after: &str,
    size: usize,
) -> Result<Page<Lease>, Error> {
    let organization = access.organization();
    let found = app.operational.living_leases(organization, place(after), size + 1).await;
    let mut items = found.map_err(Failure::from)?;
    let has_more = items.len() > size;
    items.truncate(size);
    let next = items.last().filter(|_| has_more).map(place_of);
    Ok(Page { items, next })
}

/// How many live.
pub(crate) async fn count(app: &App, organization: OrganizationId) -> Result<u64, Error> {
    Ok(app.operational.count_leases(organization).await.map_err(Failure::from)?)
}

fn place_of(lease: &Lease) -> String {
    format!("{} {}", lease.held.began_at.millis(), lease.held.lease)
}

fn place(after: &str) -> Option<(Time, ConnectionId)> {
    let (began_at, id) = after.split_once(' ')?;
    Some((Time::from_millis(began_at.parse().ok()?), id.parse().ok()?))
}
