//! Leases on connections. They are operational state and no facts, so nothing is appended for them but
//! the usage that they were; what allows and ends them are the facts of their organization.
//!
//! Who takes one is let in on the folded stream, and the lease keeps the version that let it in: a fact
//! behind that version ends it, however late it is found. What comes between the look and the lease is
//! looked for once more; where the stream may be seen a second late, as on several nodes over one
//! EventStoreDB, a lease may slip through, and ends when it cannot be renewed. A renewal that is
//! repeated with its key renews nothing, unless another one came between.

use std::collections::BTreeMap;

use events::connection::{self, End, Permit, Rejection, hour_of};
use events::id::{ConnectionId, DatabaseId, OrganizationId};
use events::permission::Permission;
use events::principal::Principal;
use events::quota::{Excess, Quota};
use events::recorded::{Actor, BodyMac};
use events::stream::Stream;
use events::usage::{ENTRIES, Entry};

use super::{Error, Naming, Order, fresh_order, usage};
use crate::operational::connection::{AT_ONCE, Lease, Released, Renewed, Taken, Untold, Wanted};
use crate::{App, access, fail_point};

/// A lease that was taken or renewed.
pub(crate) struct Held {
    pub(crate) lease: Lease,
    /// The command was here before; this is its first answer.
    pub(crate) is_replayed: bool,
}

/// Takes a lease on a connection to a database.
pub(crate) async fn take(
    app: &App,
    by: &Principal,
    organization: OrganizationId,
    order: &Order,
    database: DatabaseId,
) -> Result<Held, Error> {
    let _running = app.running.enter(order)?;
    let id = ConnectionId(app.keyring.id_of(order.command, "connection"));
    if order.naming == Naming::Key
        && let Some((lease, body)) = app.operational.known_lease(id).await?
    {
        return first_answer(order, lease, body);
    }
    let (Permit { project, limit }, allowed_version) =
        permitted(app, by, organization, database).await?;
    let body = order.body;
    let wanted =
        Wanted { lease: id, organization, database, project, allowed_version, body, limit };
    match app.operational.take_lease(wanted).await? {
        Taken::Now(lease) => {
            // whoever ends leases may have looked for this one before it was there
            if let Err(error) = permitted(app, by, organization, database).await {
                app.operational.drop_lease(id).await?;
                return Err(error);
            }
            Ok(Held { lease, is_replayed: false })
        }
        Taken::Before(lease, body) => first_answer(order, lease, body),
        Taken::Full(used) => {
            let (quota, limit) = (Quota::Connections, limit.unwrap_or(used));
            Err(Rejection::QuotaExceeded(Excess { quota, used, limit }).into())
        }
    }
}

/// As it was when it was taken, whatever came of it.
fn first_answer(order: &Order, lease: Lease, body: BodyMac) -> Result<Held, Error> {
    if body != order.body {
        return Err(Error::KeyReused);
    }
    let expires_at = lease.held.began_at.after(connection::LIVES);
    Ok(Held { lease: Lease { expires_at, ..lease }, is_replayed: true })
}

/// What the organization lets a connection in with now, and the version of it that says so.
async fn permitted(
    app: &App,
    by: &Principal,
    organization: OrganizationId,
    database: DatabaseId,
) -> Result<(Permit, u64), Error> {
    let stream = Stream::Organization(organization);
    let entry = app.organizations.current(&app.log, stream).await?;
    let folded = entry.read();
    let granted = folded.state.grants(by, Permission::RecordUsage);
    granted.map_err(|because| access::refused(by, organization, because))?;
    let permit = connection::permit(&folded.state, database)?;
    Ok((permit, folded.expected().next().saturating_sub(1)))
}

/// Lets a lease live on, while there can be connections to its database.
pub(crate) async fn renew(
    app: &App,
    by: &Principal,
    organization: OrganizationId,
    order: &Order,
    id: ConnectionId,
) -> Result<Held, Error> {
    let _running = app.running.enter(order)?;
    let found = app.operational.living_lease(organization, id).await?;
    let database = found.ok_or(Rejection::NotFound)?.held.database;
    match permitted(app, by, organization, database).await {
        Ok(_) => {}
        // it ends with its database
        Err(Error::Connection(Rejection::NoSuchDatabase)) => return Err(Rejection::NotFound.into()),
        Err(error) => return Err(error),
    }
    let renewed = app.operational.renew_lease(id, order.command).await?;
    let Renewed { lease, is_replayed } = renewed.ok_or(Rejection::NotFound)?;
    Ok(Held { lease, is_replayed })
}

/// Ends a lease for its holder. Says whether this very command had done so before.
pub(crate) async fn release(
    app: &App,
    organization: OrganizationId,
    order: &Order,
    id: ConnectionId,
) -> Result<bool, Error> {
    let _running = app.running.enter(order)?;
    match app.operational.release_lease(organization, id, order.command).await? {
        Released::Now => Ok(false),
        Released::Before => Ok(true),
        Released::NotFound => Err(Rejection::NotFound.into()),
    }
}

/// Ends what a fact of the organization ends: leases that were allowed before it was recorded.
pub(crate) async fn end(
    app: &App,
    organization: OrganizationId,
    database: Option<DatabaseId>,
    version: u64,
    reason: End,
) -> Result<(), Error> {
    while app.operational.end_leases(organization, database, version, reason).await? {}
    Ok(())
}

/// Ends what nobody has renewed, tells the seconds of leases as usage, and forgets what is long over.
pub(crate) async fn settle(app: &App) -> Result<(), Error> {
    while app.operational.expire_leases().await? {}
    while tell(app).await? {}
    while app.operational.forget_leases().await? {}
    Ok(())
}

/// Tells what is not told yet: at least once, under keys by which it counts once. Says whether there
/// may be more.
async fn tell(app: &App) -> Result<bool, Error> {
    let untold = app.operational.untold_leases().await?;
    let is_more = untold.len() >= AT_ONCE as usize;
    let mut entries: BTreeMap<OrganizationId, Vec<Entry>> = BTreeMap::new();
    let mut told = Vec::with_capacity(untold.len());
    for Untold { organization, held, told_until, until, has_ended } in untold {
        // an hour of one that lives is told when it is over, so that it is told in one piece
        let until = if has_ended { until } else { hour_of(until) };
        if has_ended || until > told_until {
            entries.entry(organization).or_default().extend(held.usage(told_until, until));
            told.push((held.lease, until));
        }
    }
    if told.is_empty() {
        return Ok(false);
    }
    for (organization, entries) in entries {
        for entries in entries.chunks(ENTRIES) {
            let order = fresh_order(app, Actor::System);
            usage::record(app, organization, &order, entries.to_vec()).await?;
        }
    }
    fail_point::reached("connection.told");
    app.operational.leases_are_told(told).await?;
    Ok(is_more)
}
