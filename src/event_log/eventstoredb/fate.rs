//! What an error of the client means for an append. Matching texts only ever moves a case from
//! *unknown* to *not written*: should a text change, we are slower, never wrong.

use eventstore::{CurrentRevision, Error};

use super::slot::Failure;
use crate::event_log::{AppendError, Rejected};

/// Texts of errors from before the append reached the log. They prove it because every call is
/// marked `requires-leader`, so no node hands it on to another.
const BEFORE_THE_LOG: [&str; 5] = [
    "client error (Connect)",
    "Server Is Not Ready",
    "Server Is Too Busy",
    // what a batch calls the same
    "Server Is Busy",
    "No leader info available in response",
];

/// The gRPC code for sizes and names that the server does not take.
const INVALID_ARGUMENT: i32 = 3;
/// The gRPC codes by which a batch says: stream deleted, wrong expected version, access denied. An
/// error of the whole session with such a code is another variant of the client's.
const REFUSED_IN_BATCH: [i32; 3] = [5, 6, 7];

/// Whether a batch session refused this very append, so that it wrote nothing.
pub(super) fn is_refused_in_batch(error: &Error) -> bool {
    matches!(error, Error::Grpc { code, message }
        if REFUSED_IN_BATCH.contains(&(*code as i32)) || is_before_the_log(message))
}

fn is_before_the_log(text: &str) -> bool {
    BEFORE_THE_LOG.iter().any(|known| text.contains(known))
}

/// What an error means when an earlier attempt may have been written unseen.
pub(super) fn after_undecided(error: AppendError) -> AppendError {
    match error {
        AppendError::NotWritten(cause) | AppendError::Rejected(Rejected::Store(cause)) => {
            AppendError::Unknown(cause)
        }
        AppendError::Conflict { .. } | AppendError::Rejected(_) | AppendError::Unknown(_) => error,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what is not proven otherwise is unknown")]
pub(super) fn of_append(failure: Failure) -> AppendError {
    let error = match &failure {
        Failure::Server(error) => error,
        Failure::NoServer => return AppendError::NotWritten(failure.into()),
        Failure::TimedOut | Failure::CutShort | Failure::BrokeDown(_) => {
            return AppendError::Unknown(failure.into());
        }
    };
    match error {
        Error::WrongExpectedVersion { current, .. } => AppendError::Conflict {
            current: match current {
                CurrentRevision::Current(version) => Some(*version),
                CurrentRevision::NoStream => None,
            },
        },
        Error::ResourceDeleted | Error::AccessDenied => rejected(failure),
        Error::Grpc { code, .. } if *code as i32 == INVALID_ARGUMENT => rejected(failure),
        // these arise before anything is sent, or instead of taking it
        Error::ConnectionClosed | Error::GrpcConnectionError(_) | Error::NotLeaderException(_) => {
            AppendError::NotWritten(failure.into())
        }
        Error::ServerError(text) if is_before_the_log(text) => {
            AppendError::NotWritten(failure.into())
        }
        _ => AppendError::Unknown(failure.into()),
    }
}

fn rejected(failure: Failure) -> AppendError {
    AppendError::Rejected(Rejected::Store(failure.into()))
}
