//! Connections that proxies hold open to databases. A lease on one is no fact and stands in no log; what
//! is decided here is who may have one, what ends it, and into which hours its seconds go.

use std::time::Duration;

use crate::database::{self, Status};
use crate::id::{ConnectionId, DatabaseId, ProjectId};
use crate::organization::{self, Organization};
use crate::quota::Excess;
use crate::time::Time;
use crate::usage::{self, Entry, Kind};
use crate::{Event, subscription};

/// How long a lease lives that nobody renews.
pub const LIVES: Duration = Duration::from_mins(1);

const HOUR_MILLIS: i64 = 60 * 60 * 1000;

/// Why a lease has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its holder gave it back.
    Released,
    /// Nobody renewed it.
    Expired,
    /// The organization is suspended.
    Suspended,
    /// The organization is deleted.
    Deleted,
    /// The database is stopped.
    Stopped,
    /// The database has failed.
    Failed,
    /// The database is on its way out.
    DatabaseDeleted,
}

impl End {
    pub const ALL: [Self; 7] = [
        Self::Released,
        Self::Expired,
        Self::Suspended,
        Self::Deleted,
        Self::Stopped,
        Self::Failed,
        Self::DatabaseDeleted,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Expired => "expired",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::DatabaseDeleted => "database_deleted",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.as_str() == name)
    }

    /// What a fact ends: the connections to one database, or all of the organization.
    pub fn of(event: &Event) -> Option<(Option<DatabaseId>, Self)> {
        if let Event::Organization(organization::Event::Deleted { .. }) = event {
            return Some((None, Self::Deleted));
        }
        if let Event::Subscription(subscription::Event::Suspended { .. }) = event {
            return Some((None, Self::Suspended));
        }
        let Event::Database(event) = event else { return None };
        let end = match event {
            database::Event::Stopped { .. } => Self::Stopped,
            database::Event::Failed { .. } => Self::Failed,
            database::Event::DeletionStarted { .. } | database::Event::Deleted { .. } => {
                Self::DatabaseDeleted
            }
            database::Event::Created { .. }
            | database::Event::Updated { .. }
            | database::Event::ProvisioningStarted { .. }
            | database::Event::Started { .. }
            | database::Event::Resized { .. }
            | database::Event::FactsReported { .. } => return None,
        };
        Some((Some(event.database()), end))
    }

    /// The types of these facts.
    pub const KINDS: [&'static str; 6] = [
        "organization.deleted",
        "organization.suspended",
        "database.stopped",
        "database.failed",
        "database.deletion_started",
        "database.deleted",
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("the organization has no such database")]
    NoSuchDatabase,
    #[error("the database does not run")]
    NotRunning(Status),
    #[error("the organization is suspended")]
    Suspended,
    #[error("the plan allows no more connections")]
    QuotaExceeded(Excess),
    #[error("there is no such lease, or it has ended")]
    NotFound,
}

/// What a connection to a database is let in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    pub project: Option<ProjectId>,
    /// How many connections the organization may have at once; `None` where nobody counts.
    pub limit: Option<u64>,
}

/// Whether there can be connections to a database.
pub fn permit(organization: &Organization, database: DatabaseId) -> Result<Permit, Rejection> {
    let found = &organization.database(database).ok_or(Rejection::NoSuchDatabase)?.content;
    if organization.profile().is_some_and(|profile| profile.is_suspended) {
        return Err(Rejection::Suspended);
    }
    if found.status != Status::Running {
        return Err(Rejection::NotRunning(found.status));
    }
    let limit = organization.limits().connections;
    Ok(Permit { project: found.project, limit: (limit > 0).then_some(limit) })
}

/// The hour (UTC) that a time is in.
pub fn hour_of(time: Time) -> Time {
    Time::from_millis(time.millis() - time.millis().rem_euclid(HOUR_MILLIS))
}

/// The hour after the one that a time is in.
pub fn next_hour(time: Time) -> Time {
    Time::from_millis(hour_of(time).millis().saturating_add(HOUR_MILLIS))
}

/// A lease, as far as its usage goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub lease: ConnectionId,
    pub database: DatabaseId,
    /// The database's when the lease began.
    pub project: Option<ProjectId>,
    pub began_at: Time,
}

impl Held {
    /// The usage of a connection from one time to another, an entry for each hour. Every started second
    /// counts, and counts once. `from` is when it began, or the beginning of an hour; `to` is when it
    /// ended, or the beginning of an hour: then an hour has one entry, whenever it is asked for.
    pub fn usage(&self, from: Time, to: Time) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut at = from.max(self.began_at);
        while at < to {
            let end = next_hour(at).min(to);
            let seconds = self.seconds_until(end) - self.seconds_until(at);
            if seconds > 0 {
                entries.push(Entry {
                    key: usage_key(self.lease, at),
                    kind: Kind::ConnectionSeconds,
                    time: at,
                    database: self.database,
                    project: self.project,
                    value: seconds,
                    shape: None,
                });
            }
            at = end;
        }
        entries
    }

    fn seconds_until(&self, time: Time) -> u64 {
        let millis = u64::try_from(self.began_at.until(time).as_millis()).unwrap_or(u64::MAX);
        millis.div_ceil(1000)
    }
}

/// What stands for the usage of a lease in an hour: as if somebody without a name had told it, which no
/// sender can.
pub fn usage_key(lease: ConnectionId, at: Time) -> String {
    let mut hour = at.to_string();
    hour.truncate("2026-01-31T09".len());
    usage::key("", &format!("{lease}/{hour}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn time(text: &str) -> Time {
        text.parse().expect("it is a time")
    }

    fn held(began_at: Time) -> Held {
        let lease = ConnectionId(Uuid::from_u128(7));
        Held { lease, database: DatabaseId(Uuid::from_u128(8)), project: None, began_at }
    }

    #[test]
    fn seconds_go_into_the_hours_in_which_they_were() {
        let began = time("2026-01-31T23:59:58.500Z");
        let entries = held(began).usage(began, time("2026-02-01T01:00:00.100Z"));
        let told: Vec<_> =
            entries.iter().map(|entry| (entry.time.to_string(), entry.value)).collect();
        let expected = [
            ("2026-01-31T23:59:58.500Z".to_owned(), 2),
            ("2026-02-01T00:00:00.000Z".to_owned(), 3600),
        ];
        // the last tenth lies within a second that counts already
        assert_eq!(told, expected);
    }

    #[test]
    fn every_reason_is_read_back() {
        for end in End::ALL {
            assert_eq!(End::named(end.as_str()), Some(end));
        }
        assert_eq!(End::named("bored"), None);
    }

    proptest! {
        /// However often it is told on the way, the same entries come of it, and every second is in one.
        #[test]
        fn telling_it_hour_by_hour_is_telling_it_at_once(
            began in 0_i64..10_000_000,
            lasts in 0_i64..20_000_000,
            looks in prop::collection::vec(0_i64..20_000_000, 0..8),
        ) {
            let (began, end) = (Time::from_millis(began), Time::from_millis(began + lasts));
            let held = held(began);
            let whole = held.usage(began, end);
            let sum: u64 = whole.iter().map(|entry| entry.value).sum();
            prop_assert_eq!(sum, u64::try_from(lasts).unwrap_or_default().div_ceil(1000));
            let mut looks = looks;
            looks.sort_unstable();
            let (mut told, mut until) = (Vec::new(), began);
            for look in looks {
                let look = hour_of(Time::from_millis(began.millis() + look).min(end)).max(until);
                told.extend(held.usage(until, look));
                until = look;
            }
            told.extend(held.usage(until, end));
            prop_assert_eq!(told, whole);
        }
    }
}
