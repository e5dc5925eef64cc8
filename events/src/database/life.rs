//! The states of a database, and what may be done in each: one table.

use serde::{Deserialize, Serialize};

use super::Rejection;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Asked for; nobody has begun with it.
    Pending,
    /// It is being made, or repaired.
    Provisioning,
    Running,
    Stopped,
    Failed,
    /// Nobody uses it any more, and it is being taken apart.
    Deleting,
}

impl Status {
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Provisioning,
        Self::Running,
        Self::Stopped,
        Self::Failed,
        Self::Deleting,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Provisioning => "provisioning",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
        }
    }
}

/// What a member orders, and what a provisioner reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Rename it, put it into another project.
    Update,
    Start,
    Stop,
    Resize,
    Delete,
    BackUp,
    /// Anything about its users, allowlist, alerts, pipelines and backup schedule.
    ChangeParts,
    ReportProvisioning,
    ReportRunning,
    ReportStopped,
    ReportFailed,
    ReportDeleted,
    /// Its address and what protects it.
    ReportFacts,
}

/// What a step is in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Legal,
    /// It is so already: nothing happens.
    Idle,
    Illegal,
}

impl Step {
    pub const ALL: [Self; 13] = [
        Self::Update,
        Self::Start,
        Self::Stop,
        Self::Resize,
        Self::Delete,
        Self::BackUp,
        Self::ChangeParts,
        Self::ReportProvisioning,
        Self::ReportRunning,
        Self::ReportStopped,
        Self::ReportFailed,
        Self::ReportDeleted,
        Self::ReportFacts,
    ];

    /// The whole table. One exception stands beside it: what a member has stopped, a report does not
    /// start again.
    pub fn in_state(self, status: Status) -> Verdict {
        use Verdict::{Idle as I, Illegal as X, Legal as L};
        let row = match self {
            // pending, provisioning, running, stopped, failed, deleting
            Self::Update | Self::ChangeParts => [L, L, L, L, L, X],
            Self::Start => [X, X, I, L, X, X],
            Self::Stop => [X, X, L, I, X, X],
            Self::Resize => [X, X, L, L, X, X],
            Self::Delete => [L, L, L, L, L, I],
            Self::BackUp => [X, X, L, X, X, X],
            Self::ReportProvisioning => [L, I, X, X, L, X],
            Self::ReportRunning => [L, L, I, L, L, X],
            Self::ReportStopped => [X, X, L, I, L, X],
            Self::ReportFailed => [L, L, L, L, I, X],
            Self::ReportDeleted => [X, X, X, X, X, L],
            Self::ReportFacts => [L, L, L, L, L, L],
        };
        let place = Status::ALL.iter().position(|known| *known == status);
        place.map_or(X, |place| row[place])
    }

    /// Whether there is anything to do.
    pub(super) fn is_due_in(self, status: Status) -> Result<bool, Rejection> {
        match self.in_state(status) {
            Verdict::Legal => Ok(true),
            Verdict::Idle => Ok(false),
            Verdict::Illegal => Err(Rejection::IllegalIn(status)),
        }
    }
}
