//! What a store can do to a request: be away for a while, or be broken. Which of the two decides
//! what the caller is told; the cause is for the program's own log.

use crate::event_log::{AppendError, ReadError};
use crate::{keyring, operational, password, read_store};

type Cause = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Repeating the request soon may succeed.
    #[error("a store cannot be reached now")]
    Unavailable(#[source] Cause),
    /// A bug or damage: repeating the request does not help.
    #[error("something is broken inside")]
    Broken(#[source] Cause),
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(_) => Self::Unavailable(error.into()),
            ReadError::Corrupt { .. } => Self::Broken(error.into()),
        }
    }
}

impl From<AppendError> for Failure {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::NotWritten(_) | AppendError::Unknown(_) => Self::Unavailable(error.into()),
            AppendError::Conflict { .. } | AppendError::Rejected(_) => Self::Broken(error.into()),
        }
    }
}

impl From<keyring::Error> for Failure {
    fn from(error: keyring::Error) -> Self {
        match error {
            // whoever repeats what was about somebody who is erased meets what is then true
            keyring::Error::Unavailable(_) | keyring::Error::Destroyed(_) => {
                Self::Unavailable(error.into())
            }
            keyring::Error::WrongMasterKey
            | keyring::Error::Lost
            | keyring::Error::Damaged(_)
            | keyring::Error::Random(_)
            | keyring::Error::Master(_) => Self::Broken(error.into()),
        }
    }
}

impl From<password::Error> for Failure {
    fn from(error: password::Error) -> Self {
        match error {
            password::Error::Busy => Self::Unavailable(error.into()),
            password::Error::Hash(_) | password::Error::Ended => Self::Broken(error.into()),
        }
    }
}

impl From<operational::Error> for Failure {
    fn from(error: operational::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<read_store::Error> for Failure {
    fn from(error: read_store::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

/// Lets `?` turn the errors of stores into an error that has a variant for failures.
macro_rules! fails_with {
    ($target:ty, $variant:path: $($error:ty),* $(,)?) => {$(
        impl From<$error> for $target {
            fn from(error: $error) -> Self {
                $variant(error.into())
            }
        }
    )*};
}
pub(crate) use fails_with;
