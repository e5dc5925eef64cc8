//! Leases on connections. The database's own clock decides which live, so that nodes whose clocks differ
//! agree; an organization is counted in the transaction that takes one more. Leases that have ended are
//! numbered in the order in which that became true, and kept for a day.

use std::time::Duration;

use events::connection::{End, Held};
use events::id::{CommandId, ConnectionId, DatabaseId, OrganizationId, ProjectId};
use events::recorded::BodyMac;
use events::time::Time;

use super::{Error, Operational};

/// How long it is known that a lease has ended.
pub(super) const KEPT: Duration = Duration::from_hours(24);
/// Leases that end, are told or are forgotten in one transaction.
pub(crate) const AT_ONCE: u32 = 500;

/// A lease that was taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    pub(crate) held: Held,
    /// Unless somebody renews it.
    pub(crate) expires_at: Time,
}

/// A lease that somebody wants.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) lease: ConnectionId,
    pub(crate) organization: OrganizationId,
    pub(crate) database: DatabaseId,
    pub(crate) project: Option<ProjectId>,
    /// Version of the organization that allowed it.
    pub(crate) allowed_version: u64,
    pub(crate) body: BodyMac,
    /// How many may live at once; `None` where nobody counts.
    pub(crate) limit: Option<u64>,
}

/// What came of it.
pub(crate) enum Taken {
    Now(Lease),
    /// It was taken before, with this body.
    Before(Lease, BodyMac),
    /// So many live already.
    Full(u64),
}

/// A renewal.
pub(crate) struct Renewed {
    pub(crate) lease: Lease,
    /// This command had renewed it already, and it lives as long as that said.
    pub(crate) is_replayed: bool,
}

/// What came of giving a lease back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Released {
    Now,
    /// By this very command.
    Before,
    /// It does not live.
    NotFound,
}

/// A lease that has ended.
pub(crate) struct EndedLease {
    /// Counts from 1, without a gap.
    pub(crate) sequence: u64,
    pub(crate) lease: ConnectionId,
    pub(crate) organization: OrganizationId,
    pub(crate) database: DatabaseId,
    pub(crate) reason: End,
    pub(crate) ended_at: Time,
}

/// A lease with seconds that are not told as usage yet.
pub(crate) struct Untold {
    pub(crate) organization: OrganizationId,
    pub(crate) held: Held,
    pub(crate) told_until: Time,
    /// When it ended; of one that lives, up to when it certainly has.
    pub(crate) until: Time,
    pub(crate) has_ended: bool,
}

/// How many leases have ended, and how many of those are known no more.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) last: u64,
    pub(crate) forgotten: u64,
}

pub(super) fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no reason for the end of a lease")]
pub(super) struct UnknownReason(String);

/// What stands in the store for a reason.
pub(super) fn reason(text: &str) -> Result<End, UnknownReason> {
    End::named(text).ok_or_else(|| UnknownReason(text.to_owned()))
}

impl Operational {
    /// Takes a lease if there is room, whichever nodes want one at the same time.
    pub(crate) async fn take_lease(&self, wanted: Wanted) -> Result<Taken, Error> {
        match self {
            Self::Sqlite(state) => state.take_lease(wanted).await.map_err(Error::unavailable),
            Self::Postgres(state) => state.take_lease(wanted).await.map_err(Error::unavailable),
        }
    }

    /// Takes a lease back that nobody has been told of.
    pub(crate) async fn drop_lease(&self, lease: ConnectionId) -> Result<(), Error> {
        match self {
            Self::Sqlite(state) => state.drop_lease(lease).await.map_err(Error::unavailable),
            Self::Postgres(state) => state.drop_lease(lease).await.map_err(Error::unavailable),
        }
    }

    /// A lease that lives, or has lived, with the body that it was taken with.
    pub(crate) async fn known_lease(
        &self,
        lease: ConnectionId,
    ) -> Result<Option<(Lease, BodyMac)>, Error> {
        match self {
            Self::Sqlite(state) => state.known_lease(lease).map_err(Error::unavailable),
            Self::Postgres(state) => state.known_lease(lease).await.map_err(Error::unavailable),
        }
    }

    /// A lease of an organization, if it lives.
    pub(crate) async fn living_lease(
        &self,
        organization: OrganizationId,
        lease: ConnectionId,
    ) -> Result<Option<Lease>, Error> {
        match self {
            Self::Sqlite(state) => {
                state.living_lease(organization, lease).map_err(Error::unavailable)
            }
            Self::Postgres(state) => {
                state.living_lease(organization, lease).await.map_err(Error::unavailable)
            }
        }
    }

    /// Lets a lease live on, if it lives.
    pub(crate) async fn renew_lease(
        &self,
        lease: ConnectionId,
        by: CommandId,
    ) -> Result<Option<Renewed>, Error> {
        match self {
            Self::Sqlite(state) => state.renew_lease(lease, by).await.map_err(Error::unavailable),
            Self::Postgres(state) => state.renew_lease(lease, by).await.map_err(Error::unavailable),
        }
    }

    /// Ends a lease of an organization, if it lives.
    pub(crate) async fn release_lease(
        &self,
        organization: OrganizationId,
        lease: ConnectionId,
        by: CommandId,
    ) -> Result<Released, Error> {
        match self {
            Self::Sqlite(state) => {
                state.release_lease(organization, lease, by).await.map_err(Error::unavailable)
            }
            Self::Postgres(state) => {
                state.release_lease(organization, lease, by).await.map_err(Error::unavailable)
            }
        }
    }

    /// The leases of an organization that live, the newest first, from behind a place.
    pub(crate) async fn living_leases(
        &self,
        organization: OrganizationId,
        behind: Option<(Time, ConnectionId)>,
        most: usize,
    ) -> Result<Vec<Lease>, Error> {
        match self {
            Self::Sqlite(state) => {
                state.living_leases(organization, behind, most).map_err(Error::unavailable)
            }
            Self::Postgres(state) => {
                state.living_leases(organization, behind, most).await.map_err(Error::unavailable)
            }
        }
    }

    pub(crate) async fn count_leases(&self, organization: OrganizationId) -> Result<u64, Error> {
        match self {
            Self::Sqlite(state) => state.count_leases(organization).map_err(Error::unavailable),
            Self::Postgres(state) => {
                state.count_leases(organization).await.map_err(Error::unavailable)
            }
        }
    }

    /// Ends the leases of an organization, or those on one of its databases, that were allowed before
    /// a version of it. Says whether there may be more.
    pub(crate) async fn end_leases(
        &self,
        organization: OrganizationId,
        database: Option<DatabaseId>,
        before: u64,
        reason: End,
    ) -> Result<bool, Error> {
        match self {
            Self::Sqlite(state) => state
                .end_leases(organization, database, before, reason)
                .await
                .map_err(Error::unavailable),
            Self::Postgres(state) => state
                .end_leases(organization, database, before, reason)
                .await
                .map_err(Error::unavailable),
        }
    }

    /// Ends what nobody has renewed. Says whether there may be more.
    pub(crate) async fn expire_leases(&self) -> Result<bool, Error> {
        match self {
            Self::Sqlite(state) => state.expire_leases().await.map_err(Error::unavailable),
            Self::Postgres(state) => state.expire_leases().await.map_err(Error::unavailable),
        }
    }

    /// Leases with seconds to be told as usage.
    pub(crate) async fn untold_leases(&self) -> Result<Vec<Untold>, Error> {
        match self {
            Self::Sqlite(state) => state.untold_leases().map_err(Error::unavailable),
            Self::Postgres(state) => state.untold_leases().await.map_err(Error::unavailable),
        }
    }

    /// Remembers up to when the usage of leases is told.
    pub(crate) async fn leases_are_told(
        &self,
        told: Vec<(ConnectionId, Time)>,
    ) -> Result<(), Error> {
        match self {
            Self::Sqlite(state) => state.leases_are_told(told).await.map_err(Error::unavailable),
            Self::Postgres(state) => state.leases_are_told(told).await.map_err(Error::unavailable),
        }
    }

    /// Forgets the oldest of those that ended a day ago and more. Says whether there may be more.
    pub(crate) async fn forget_leases(&self) -> Result<bool, Error> {
        match self {
            Self::Sqlite(state) => state.forget_leases().await.map_err(Error::unavailable),
            Self::Postgres(state) => state.forget_leases().await.map_err(Error::unavailable),
        }
    }

    pub(crate) async fn lease_ends(&self) -> Result<Ends, Error> {
        match self {
            Self::Sqlite(state) => state.lease_ends().map_err(Error::unavailable),
            Self::Postgres(state) => state.lease_ends().await.map_err(Error::unavailable),
        }
    }

    /// Leases that have ended, behind a sequence number and in their order.
    pub(crate) async fn ended_leases(&self, behind: u64) -> Result<Vec<EndedLease>, Error> {
        match self {
            Self::Sqlite(state) => state.ended_leases(behind).map_err(Error::unavailable),
            Self::Postgres(state) => state.ended_leases(behind).await.map_err(Error::unavailable),
        }
    }
}
