//! What is said about orders and reports on projects and databases that are not taken.

use events::quota::Excess;
use events::{database, project};

use super::subscription::listed;
use super::{Code, FieldError, Problem};

pub(super) fn of_field(field: &str, detail: &str) -> Problem {
    Problem::invalid(vec![FieldError { field: field.to_owned(), detail: detail.to_owned() }])
}

pub(super) fn exceeded(excess: Excess) -> Problem {
    Problem { errors: vec![listed(excess)], ..Problem::new(Code::QuotaExceeded) }
}

const REGION: &str = "must be a region that the organization's settings allow";

impl From<project::Rejection> for Problem {
    fn from(rejection: project::Rejection) -> Self {
        use project::Rejection;
        match rejection {
            Rejection::NotFound => Self::new(Code::NotFound),
            Rejection::NameTaken => Self::new(Code::NameTaken),
            Rejection::RegionNotAllowed => of_field("region", REGION),
            Rejection::HasDatabases { count } => {
                let detail = format!(
                    "there are databases in the project ({count}); delete them or put them \
                     elsewhere first"
                );
                Self::with_detail(Code::ProjectNotEmpty, detail)
            }
            Rejection::HostnameTaken => Self::new(Code::HostnameTaken),
            Rejection::QuotaExceeded(excess) => exceeded(excess),
            Rejection::NoDomains => {
                Self::with_detail(Code::QuotaExceeded, "the plan has no domains of one's own")
            }
            Rejection::TooMany => Self::new(Code::ResourceLimit),
        }
    }
}

impl From<database::Rejection> for Problem {
    fn from(rejection: database::Rejection) -> Self {
        use database::Rejection;
        match rejection {
            Rejection::NotFound => Self::new(Code::NotFound),
            Rejection::NameTaken => Self::new(Code::NameTaken),
            Rejection::NoSuchProject => {
                of_field("project_id", "must be a project of the organization")
            }
            Rejection::RegionNotAllowed => of_field("region", REGION),
            Rejection::RegionMissing => {
                of_field("region", "is required where the project does not name one")
            }
            Rejection::StorageShrinks => {
                of_field("storage_gb", "must not be less than it is: storage only grows")
            }
            Rejection::IllegalIn(status) => {
                let detail = format!("this cannot be done to a {} database", status.as_str());
                Self::with_detail(Code::IllegalState, detail)
            }
            Rejection::StoppedByOrder => {
                Self::with_detail(Code::IllegalState, "a member has stopped the database")
            }
            Rejection::NetworkListed => Self::new(Code::NetworkListed),
            Rejection::QuotaExceeded(excess) => exceeded(excess),
            Rejection::Suspended => Self::new(Code::OrganizationSuspended),
            Rejection::BackupUnfinished => Self::new(Code::BackupUnfinished),
            Rejection::TooMany => Self::new(Code::ResourceLimit),
        }
    }
}
