//! Appending and reading, with the real server's answers and its errors.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Request, Response, Status, Streaming, async_trait};
use uuid::Uuid;

use crate::log::{Decision, Expected, Proposed, Record, Shown};
use crate::protocol::event_store::client::streams::append_req::options::ExpectedStreamRevision;
use crate::protocol::event_store::client::streams::read_req::Options as ReadOptions;
use crate::protocol::event_store::client::streams::read_req::options::all_options::AllOption;
use crate::protocol::event_store::client::streams::read_req::options::stream_options::RevisionOption;
use crate::protocol::event_store::client::streams::read_req::options::{
    AllOptions, CountOption, ReadDirection, StreamOption, StreamOptions,
};
use crate::protocol::event_store::client::streams::read_resp::{
    Content, ReadEvent, StreamNotFound,
};
use crate::protocol::event_store::client::streams::streams_server::Streams;
use crate::protocol::event_store::client::streams::{
    AppendReq, AppendResp, BatchAppendReq, BatchAppendResp, DeleteReq, DeleteResp, ReadReq,
    ReadResp, TombstoneReq, TombstoneResp, append_req, append_resp, read_resp,
};
use crate::protocol::event_store::client::{StreamIdentifier, uuid as wire};
use crate::{Fault, Node, Refusal, protocol};

/// `MaxAppendSize` of the servers before 25.1.
const LARGEST_APPEND: usize = 1024 * 1024;
const NOT_READY: &str = "Server Is Not Ready";
const TOO_BUSY: &str = "Server Is Too Busy";
const NO_LEADER: &str = "No leader info available in response";

mod batch;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn refusal(refusal: Refusal) -> Status {
    Status::unavailable(match refusal {
        Refusal::NotReady => NOT_READY,
        Refusal::TooBusy => TOO_BUSY,
    })
}

fn exception(code: Code, message: &str, name: &'static str) -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert("exception", MetadataValue::from_static(name));
    Status::with_metadata(code, message, metadata)
}

fn deleted(stream: &str) -> Status {
    let message = format!("Event stream '{stream}' is deleted.");
    exception(Code::FailedPrecondition, &message, "stream-deleted")
}

fn id_of(id: Option<protocol::event_store::client::Uuid>) -> Result<Uuid, Status> {
    let invalid = || Status::invalid_argument("an event has no id");
    match id.and_then(|id| id.value).ok_or_else(invalid)? {
        wire::Value::String(text) => text.parse().map_err(|_| invalid()),
        wire::Value::Structured(bits) => {
            let bits = [bits.most_significant_bits, bits.least_significant_bits];
            let [high, low] = bits.map(i64::cast_unsigned);
            Ok(Uuid::from_u64_pair(high, low))
        }
    }
}

fn name_of(identifier: Option<StreamIdentifier>) -> Result<String, Status> {
    let name = identifier.ok_or_else(|| Status::invalid_argument("no stream"))?.stream_name;
    String::from_utf8(name).map_err(|_| Status::invalid_argument("no stream"))
}

impl Node {
    /// Whether this node takes the call at all.
    fn admit(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let mut state = self.cluster.state();
        if let Some(reason) = state.refusal {
            return Err(refusal(reason));
        }
        let requires_leader = metadata.get("requires-leader").is_some_and(|value| value == "true");
        match state.leader() {
            Some(leader) if leader == self.index || !requires_leader => Ok(()),
            None => Err(Status::unknown(NO_LEADER)),
            Some(leader) => {
                let mut status = exception(Code::NotFound, "Leader info available", "not-leader");
                let metadata = status.metadata_mut();
                metadata.insert("leader-endpoint-host", MetadataValue::from_static("127.0.0.1"));
                metadata.insert("leader-endpoint-port", self.cluster.ports[leader].number().into());
                Err(status)
            }
        }
    }

    async fn take_append(
        &self,
        stream: String,
        expected: Expected,
        events: Vec<Proposed>,
    ) -> Result<Decision, Status> {
        let size: usize =
            events.iter().map(|event| event.data.len() + event.custom_metadata.len()).sum();
        if size > LARGEST_APPEND {
            let message = format!("Maximum Append Size of {LARGEST_APPEND} Exceeded.");
            let name = "maximum-append-size-exceeded";
            return Err(exception(Code::InvalidArgument, &message, name));
        }
        let fault = self.cluster.state().faults.pop_front();
        let commit = || self.cluster.state().log.append(&stream, expected, events.clone());
        match fault {
            None => Ok(commit()),
            Some(Fault::DropBeforeCommit) => Err(Status::unavailable("the connection broke")),
            Some(Fault::CommitThenDrop) => {
                commit();
                Err(Status::unavailable("the connection broke"))
            }
            Some(Fault::TimeOutBeforeCommit) => Err(Status::aborted("Operation timed out")),
            Some(Fault::CommitThenTimeOut) => {
                commit();
                Err(Status::aborted("Operation timed out"))
            }
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::HangThenCommit(after)) => {
                let cluster = Arc::clone(&self.cluster);
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    cluster.state().log.append(&stream, expected, events);
                });
                std::future::pending().await
            }
            Some(Fault::NotReady) => Err(refusal(Refusal::NotReady)),
            Some(Fault::TooBusy) => Err(refusal(Refusal::TooBusy)),
        }
    }

    fn read_stream(&self, options: StreamOptions, read: &Read) -> Result<Vec<Content>, Status> {
        let name = name_of(options.stream_identifier)?;
        let records = match self.shown(&name) {
            Shown::Deleted => return Err(deleted(&name)),
            Shown::NotFound => {
                let stream_identifier = Some(StreamIdentifier { stream_name: name.into() });
                return Ok(vec![Content::StreamNotFound(StreamNotFound { stream_identifier })]);
            }
            Shown::Records(records) => records,
        };
        let last = records.last().map_or(0, |record| record.revision);
        let from = match options.revision_option {
            Some(RevisionOption::Revision(revision)) => revision,
            Some(RevisionOption::Start(_)) => 0,
            Some(RevisionOption::End(_)) | None => u64::MAX,
        };
        let (mut contents, is_end) = read.select(&records, from, |record| record.revision);
        if is_end && read.tells_the_end {
            contents.push(Content::LastStreamPosition(last));
        }
        Ok(contents)
    }

    fn read_all(&self, options: AllOptions, read: &Read) -> Vec<Content> {
        let state = self.cluster.state();
        let indexed = state.indexed(self.index);
        let scavenged = &state.nodes[self.index].scavenged;
        let records =
            state.log.records().iter().filter(|record| {
                record.position < indexed && !scavenged.contains(&record.position)
            });
        let records: Vec<_> = records.cloned().collect();
        let from = match options.all_option {
            Some(AllOption::Position(position)) => position.commit_position,
            Some(AllOption::Start(_)) => 0,
            Some(AllOption::End(_)) | None => u64::MAX,
        };
        read.select(&records, from, |record| record.position).0
    }
}

struct Read {
    direction: ReadDirection,
    count: usize,
    tells_the_end: bool,
}

impl Read {
    /// Both ends of a read are inclusive. Also whether the end in this direction was reached.
    fn select(
        &self,
        records: &[Arc<Record>],
        from: u64,
        place: impl Fn(&Record) -> u64,
    ) -> (Vec<Content>, bool) {
        let ordered: Vec<&Arc<Record>> = match self.direction {
            ReadDirection::Forwards => {
                records.iter().filter(|record| place(record) >= from).collect()
            }
            ReadDirection::Backwards => {
                records.iter().rev().filter(|record| place(record) <= from).collect()
            }
        };
        let is_end = ordered.len() <= self.count;
        (ordered.into_iter().take(self.count).map(|record| content(record)).collect(), is_end)
    }
}

fn content(record: &Record) -> Content {
    let id = wire::Value::String(record.event.id.to_string());
    Content::Event(ReadEvent {
        event: Some(read_resp::read_event::RecordedEvent {
            id: Some(protocol::event_store::client::Uuid { value: Some(id) }),
            stream_identifier: Some(StreamIdentifier {
                stream_name: record.stream.clone().into_bytes(),
            }),
            stream_revision: record.revision,
            prepare_position: record.position,
            commit_position: record.position,
            metadata: record.event.metadata.clone(),
            custom_metadata: record.event.custom_metadata.clone(),
            data: record.event.data.clone(),
        }),
        link: None,
        position: Some(read_resp::read_event::Position::CommitPosition(record.position)),
    })
}

#[async_trait]
impl Streams for Node {
    type ReadStream = Answers<ReadResp>;
    type BatchAppendStream = Answers<BatchAppendResp>;

    async fn read(&self, request: Request<ReadReq>) -> Result<Response<Answers<ReadResp>>, Status> {
        self.cluster.state().reads[self.index] += 1;
        self.admit(request.metadata())?;
        let options: ReadOptions = request
            .into_inner()
            .options
            .ok_or_else(|| Status::invalid_argument("a read has options"))?;
        let read = Read {
            direction: options.read_direction(),
            count: match options.count_option {
                Some(CountOption::Count(count)) => usize::try_from(count).unwrap_or(usize::MAX),
                Some(CountOption::Subscription(_)) | None => {
                    return Err(Status::unimplemented("no subscriptions here"));
                }
            },
            tells_the_end: options.control_option.is_some_and(|control| control.compatibility > 0),
        };
        let mut contents = match options.stream_option {
            Some(StreamOption::Stream(options)) => self.read_stream(options, &read)?,
            Some(StreamOption::All(options)) => self.read_all(options, &read),
            None => return Err(Status::invalid_argument("a read names a stream")),
        };
        let (hangs, ends_after) = {
            let state = self.cluster.state();
            (state.reads_hang, state.reads_end_after)
        };
        if hangs {
            return Ok(Response::new(Box::pin(tokio_stream::pending())));
        }
        contents.truncate(ends_after.unwrap_or(usize::MAX));
        let answers = contents.into_iter().map(|content| Ok(ReadResp { content: Some(content) }));
        Ok(Response::new(Box::pin(tokio_stream::iter(answers))))
    }

    async fn append(
        &self,
        request: Request<Streaming<AppendReq>>,
    ) -> Result<Response<AppendResp>, Status> {
        self.admit(request.metadata())?;
        let mut parts = request.into_inner();
        let Some(Some(append_req::Content::Options(options))) =
            parts.next().await.transpose()?.map(|part| part.content)
        else {
            return Err(Status::invalid_argument("an append begins with its options"));
        };
        let stream = name_of(options.stream_identifier)?;
        let expected = match options.expected_stream_revision {
            Some(ExpectedStreamRevision::Revision(revision)) => Expected::Revision(revision),
            Some(ExpectedStreamRevision::NoStream(_)) => Expected::NoStream,
            Some(ExpectedStreamRevision::StreamExists(_)) => Expected::StreamExists,
            Some(ExpectedStreamRevision::Any(_)) | None => Expected::Any,
        };
        let mut events = Vec::new();
        while let Some(part) = parts.next().await.transpose()? {
            if let Some(append_req::Content::ProposedMessage(event)) = part.content {
                events.push(Proposed {
                    id: id_of(event.id)?,
                    metadata: event.metadata,
                    custom_metadata: event.custom_metadata,
                    data: event.data,
                });
            }
        }
        let decision = self.take_append(stream.clone(), expected, events).await?;
        let leaves_position_out = self.cluster.state().leaves_positions_out;
        let result = match decision {
            Decision::Written { last, position } => success(last, Some(position)),
            Decision::Idempotent { last, position } => {
                success(last, (!leaves_position_out).then_some(position))
            }
            Decision::WrongExpectedVersion { current } => wrong_version(expected, current),
            Decision::Deleted => return Err(deleted(&stream)),
        };
        Ok(Response::new(AppendResp { result: Some(result) }))
    }

    async fn delete(&self, _: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        Err(Status::unimplemented("tests delete through the cluster itself"))
    }

    async fn tombstone(&self, _: Request<TombstoneReq>) -> Result<Response<TombstoneResp>, Status> {
        Err(Status::unimplemented("tests delete through the cluster itself"))
    }

    async fn batch_append(
        &self,
        request: Request<Streaming<BatchAppendReq>>,
    ) -> Result<Response<Answers<BatchAppendResp>>, Status> {
        let metadata = request.metadata().clone();
        let mut parts = request.into_inner();
        let (answers, told) = mpsc::unbounded_channel();
        let node = self.clone();
        tokio::spawn(async move {
            while let Some(Ok(part)) = parts.next().await {
                let (node, answers) = (node.clone(), answers.clone());
                let admitted = node.admit(&metadata);
                tokio::spawn(async move {
                    // nobody is there to tell once the client has gone
                    let _ = answers.send(batch::answer(&node, admitted, part).await);
                });
            }
        });
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(told))))
    }
}

fn success(last: u64, position: Option<u64>) -> append_resp::Result {
    use append_resp::success::{CurrentRevisionOption, PositionOption};
    let position = match position {
        Some(at) => PositionOption::Position(append_resp::Position {
            commit_position: at,
            prepare_position: at,
        }),
        None => PositionOption::NoPosition(protocol::event_store::client::Empty {}),
    };
    append_resp::Result::Success(append_resp::Success {
        current_revision_option: Some(CurrentRevisionOption::CurrentRevision(last)),
        position_option: Some(position),
    })
}

fn wrong_version(expected: Expected, current: Option<u64>) -> append_resp::Result {
    use append_resp::wrong_expected_version::{CurrentRevisionOption, ExpectedRevisionOption};
    let empty = protocol::event_store::client::Empty {};
    let expected = match expected {
        Expected::Any => ExpectedRevisionOption::ExpectedAny(empty),
        Expected::StreamExists => ExpectedRevisionOption::ExpectedStreamExists(empty),
        Expected::NoStream => ExpectedRevisionOption::ExpectedNoStream(empty),
        Expected::Revision(revision) => ExpectedRevisionOption::ExpectedRevision(revision),
    };
    let current = match current {
        Some(revision) => CurrentRevisionOption::CurrentRevision(revision),
        None => CurrentRevisionOption::CurrentNoStream(empty),
    };
    append_resp::Result::WrongExpectedVersion(append_resp::WrongExpectedVersion {
        current_revision_option: Some(current),
        expected_revision_option: Some(expected),
        current_revision_option_20_6_0: None,
        expected_revision_option_20_6_0: None,
    })
}
