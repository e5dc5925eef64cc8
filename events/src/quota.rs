//! How much an organization has of what its plan limits. A limit is a condition of the very append
//! that would pass it, so that of two who want the last one only one gets it.

use serde::{Deserialize, Serialize};

use crate::database::Status;
use crate::invitation;
use crate::organization::Organization;
use crate::plan::{Limits, Terms};
use crate::subscription;
use crate::time::Time;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quota {
    Seats,
    Projects,
    Databases,
    Connections,
}

impl Quota {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seats => "seats",
            Self::Projects => "projects",
            Self::Databases => "databases",
            Self::Connections => "connections",
        }
    }
}

/// More than a plan allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excess {
    pub quota: Quota,
    pub used: u64,
    pub limit: u64,
}

/// Zero limits nothing.
fn limited(limit: u64) -> Option<u64> {
    (limit > 0).then_some(limit)
}

impl Organization {
    /// What its plan limits.
    pub fn limits(&self) -> &Limits {
        &self.subscription().terms().limits
    }

    /// Members, and invitations that can be accepted.
    pub fn used_seats(&self, at: Time) -> u64 {
        let pending = self.pending_invitations();
        let pending = pending.filter(|(_, sent)| sent.status_at(at) == invitation::Status::Pending);
        (self.members.len() + pending.count()) as u64
    }

    /// How many more may be invited; `None` when nobody counts.
    pub fn free_seats(&self, at: Time) -> Option<u64> {
        Some(self.subscription().seats()?.saturating_sub(self.used_seats(at)))
    }

    /// How many projects and databases its plan counts. A database on its way out is none any more.
    fn used(&self, limits: &Limits) -> [(Quota, u64, Option<u64>); 2] {
        let stays = |status| status != Status::Deleting;
        let databases = self.databases().filter(|(_, it)| stays(it.content.status)).count() as u64;
        [
            (Quota::Projects, self.projects().len() as u64, limited(limits.projects)),
            (Quota::Databases, databases, limited(limits.databases)),
        ]
    }

    /// How many projects and databases there are, and how many there may be.
    pub fn counted(&self) -> [(Quota, u64, Option<u64>); 2] {
        self.used(self.limits())
    }

    /// What one more would be too much of.
    pub(crate) fn without_room(&self, wanted: Quota) -> Option<Excess> {
        let mut used = self.counted().into_iter();
        let (quota, used, limit) = used.find(|(quota, _, _)| *quota == wanted)?;
        limit.filter(|limit| used >= *limit).map(|limit| Excess { quota, used, limit })
    }

    /// What there is more of than these terms allow.
    pub(crate) fn excess(&self, terms: &Terms, extra_seats: u64, at: Time) -> Vec<Excess> {
        let seats = (Quota::Seats, self.used_seats(at), subscription::seats(terms, extra_seats));
        let used = [seats].into_iter().chain(self.used(&terms.limits));
        let exceeds = |(quota, used, limit): (Quota, u64, Option<u64>)| {
            limit.filter(|limit| used > *limit).map(|limit| Excess { quota, used, limit })
        };
        used.filter_map(exceeds).collect()
    }
}
