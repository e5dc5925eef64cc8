//! What is said about connections that there cannot be.

use events::connection::Rejection;

use super::database::{exceeded, of_field};
use super::{Code, Problem};

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NoSuchDatabase => {
                of_field("database_id", "must be a database of the organization")
            }
            Rejection::NotRunning(status) => {
                let detail = format!("nobody can be connected to a {} database", status.as_str());
                Self::with_detail(Code::IllegalState, detail)
            }
            Rejection::Suspended => Self::new(Code::OrganizationSuspended),
            Rejection::QuotaExceeded(excess) => exceeded(excess),
            Rejection::NotFound => Self::new(Code::NotFound),
        }
    }
}
