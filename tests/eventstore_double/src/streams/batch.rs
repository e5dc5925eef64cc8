//! Appends of a batch session: each is refused in its answer, and only a broken connection or a
//! node that does not lead ends the session.

use tonic::{Code, Status};

use super::{NO_LEADER, NOT_READY, TOO_BUSY, id_of, name_of};
use crate::Node;
use crate::log::{Decision, Expected, Proposed};
use crate::protocol::event_store::client::streams::batch_append_req::options::ExpectedStreamPosition;
use crate::protocol::event_store::client::streams::batch_append_resp::success::{
    CurrentRevisionOption, PositionOption,
};
use crate::protocol::event_store::client::streams::batch_append_resp::{
    Result as Outcome, Success,
};
use crate::protocol::event_store::client::streams::{BatchAppendReq, BatchAppendResp};
use crate::protocol::event_store::client::{AllStreamPosition, StreamIdentifier};
use crate::protocol::google::rpc;

/// What the server says about one append; an error ends the session.
pub(super) async fn answer(
    node: &Node,
    admitted: Result<(), Status>,
    part: BatchAppendReq,
) -> Result<BatchAppendResp, Status> {
    let options = part.options.ok_or_else(|| Status::invalid_argument("a batch has options"))?;
    let stream = name_of(options.stream_identifier)?;
    let expected = match options.expected_stream_position {
        Some(ExpectedStreamPosition::StreamPosition(revision)) => Expected::Revision(revision),
        Some(ExpectedStreamPosition::NoStream(())) => Expected::NoStream,
        Some(ExpectedStreamPosition::StreamExists(())) => Expected::StreamExists,
        Some(ExpectedStreamPosition::Any(())) | None => Expected::Any,
    };
    let events: Result<Vec<_>, Status> = part
        .proposed_messages
        .into_iter()
        .map(|event| {
            Ok(Proposed {
                id: id_of(event.id)?,
                metadata: event.metadata,
                custom_metadata: event.custom_metadata,
                data: event.data,
            })
        })
        .collect();
    let decision = match admitted {
        Ok(()) => node.take_append(stream.clone(), expected, events?).await,
        Err(refused) => Err(refused),
    };
    let leaves_position_out = node.cluster.state().leaves_positions_out;
    let result = match decision {
        Ok(Decision::Written { last, position }) => success(last, Some(position)),
        Ok(Decision::Idempotent { last, position }) => {
            success(last, (!leaves_position_out).then_some(position))
        }
        Ok(Decision::WrongExpectedVersion { .. }) => {
            error(Code::AlreadyExists, "WrongExpectedVersion")
        }
        Ok(Decision::Deleted) => error(Code::NotFound, "StreamDeleted"),
        // not handled: these come without a code, and one is called otherwise here
        Err(status) if status.message() == TOO_BUSY => error(Code::Ok, "Server Is Busy"),
        Err(status) if [NOT_READY, NO_LEADER].contains(&status.message()) => {
            error(Code::Ok, status.message())
        }
        Err(status) if status.code() == Code::Aborted => error(Code::DeadlineExceeded, "Timeout"),
        Err(status) if status.code() == Code::InvalidArgument => {
            error(Code::InvalidArgument, status.message())
        }
        Err(status) => return Err(status),
    };
    Ok(BatchAppendResp {
        correlation_id: part.correlation_id,
        result: Some(result),
        stream_identifier: Some(StreamIdentifier { stream_name: stream.into_bytes() }),
        expected_stream_position: None,
    })
}

fn success(last: u64, position: Option<u64>) -> Outcome {
    let position = match position {
        Some(at) => PositionOption::Position(AllStreamPosition {
            commit_position: at,
            prepare_position: at,
        }),
        None => PositionOption::NoPosition(()),
    };
    Outcome::Success(Success {
        current_revision_option: Some(CurrentRevisionOption::CurrentRevision(last)),
        position_option: Some(position),
    })
}

fn error(code: Code, message: &str) -> Outcome {
    Outcome::Error(rpc::Status { code: code.into(), message: message.to_owned(), details: None })
}
