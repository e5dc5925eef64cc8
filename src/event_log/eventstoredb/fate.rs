//! What an error of the client means for an append. Matching texts only ever moves a case from
//! *unknown* to *not written*: should a text change, we are slower, never wrong.

use eventstore::{CurrentRevision, Error};

use super::slot::Failure;
use crate::event_log::{AppendError, Rejected};

/// Texts of errors from before the append reached the log. They prove it because every call is
/// marked `requires-leader`, so no node hands it on to another.
const BEFORE_THE_LOG: [&str; 3] =
    ["client error (Connect)", "Server Is Not Ready", "Server Is Too Busy"];

/// The gRPC code for sizes and names that the server does not take.
const INVALID_ARGUMENT: i32 = 3;

pub(super) fn of_append(failure: Failure) -> AppendError {
    let Failure::Server(error) = &failure else {
        return match failure {
            Failure::NoServer => AppendError::NotWritten(failure.into()),
            _ => AppendError::Unknown(failure.into()),
        };
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
        Error::ServerError(text) if BEFORE_THE_LOG.iter().any(|known| text.contains(known)) => {
            AppendError::NotWritten(failure.into())
        }
        _ => AppendError::Unknown(failure.into()),
    }
}

fn rejected(failure: Failure) -> AppendError {
    AppendError::Rejected(Rejected::Store(failure.into()))
}
