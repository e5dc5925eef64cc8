//! Reading the server page by page, never by its subscriptions: one that ends cleanly makes the
//! crate's client spin for ever. Every read is marked `requires-leader`: a follower lags.

use std::time::Duration;

use events::recorded::Position;
use events::stream::Stream;
use eventstore::{
    Client, ReadAllOptions, ReadEvent, ReadStreamOptions, RecordedEvent, StreamPosition,
};

use super::slot::{Failure, Slots};
use crate::event_log::Stored;

/// One event of ours and where its stream has it.
pub(super) struct Entry {
    pub(super) stream: Stream,
    pub(super) revision: u64,
    pub(super) stored: Stored,
}

pub(super) struct Page {
    pub(super) events: Vec<Entry>,
    pub(super) next: Position,
    pub(super) at_head: bool,
}

/// Strictly after a position, skipping what others keep in the same server.
pub(super) async fn after(
    slots: &Slots,
    after: Position,
    limit: usize,
    within: Duration,
) -> Result<Page, Failure> {
    // the server begins with the event at the position itself
    let wanted = limit.saturating_add(1);
    let from = match after {
        Position(0) => StreamPosition::Start,
        Position(place) => StreamPosition::Position(all_position(place)),
    };
    let options = ReadAllOptions::default().forwards().position(from).max_count(wanted);
    let recorded = slots
        .call(within, |connection| read_all(connection.client, options.clone(), within))
        .await?;
    let mut at_head = recorded.len() < wanted;
    if recorded.is_empty() && after > Position(0) {
        // not even the event at the position: it was scavenged, or the answer was cut short
        at_head = end_of_log(slots, within).await? <= after;
    }
    let next = recorded.last().map_or(after, |last| Position(last.position.commit).max(after));
    let events = recorded
        .into_iter()
        .filter(|event| event.position.commit > after.0)
        .filter_map(ours)
        .collect();
    Ok(Page { events, next, at_head })
}

/// Where the last event of anybody stands; 0 when there is none.
pub(super) async fn end_of_log(slots: &Slots, within: Duration) -> Result<Position, Failure> {
    let options = ReadAllOptions::default().position(StreamPosition::End).max_count(1);
    let last = slots
        .call(within, |connection| read_all(connection.client, options.clone(), within))
        .await?;
    Ok(last.first().map_or(Position(0), |last| Position(last.position.commit)))
}

/// What a stream said; one that is not there says nothing.
pub(super) struct OfStream {
    pub(super) events: Vec<RecordedEvent>,
    /// Where the server tells it.
    pub(super) last_version: Option<u64>,
}

/// Up to `limit` events of one stream; `None` when there is no such stream.
pub(super) async fn of_stream(
    slots: &Slots,
    stream: &Stream,
    from: StreamPosition<u64>,
    limit: usize,
    within: Duration,
) -> Result<Option<OfStream>, Failure> {
    let name = stream.to_string();
    let options = ReadStreamOptions::default().position(from).max_count(limit);
    let options = options.requires_leader(true).deadline(within);
    slots
        .call(within, |connection| read_stream(connection.client, name.clone(), options.clone()))
        .await
}

async fn read_stream(
    client: Client,
    name: String,
    options: ReadStreamOptions,
) -> eventstore::Result<Option<OfStream>> {
    let mut said = OfStream { events: Vec::new(), last_version: None };
    let mut answer = client.read_stream(name, &options).await?;
    loop {
        match answer.next_read_event().await {
            Ok(Some(ReadEvent::Event(event))) => said.events.extend(event.link.or(event.event)),
            Ok(Some(ReadEvent::LastStreamPosition(last))) => said.last_version = Some(last),
            Ok(Some(ReadEvent::FirstStreamPosition(_) | ReadEvent::LastAllStreamPosition(_))) => {}
            Ok(None) => return Ok(Some(said)),
            Err(eventstore::Error::ResourceNotFound) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

async fn read_all(
    client: Client,
    options: ReadAllOptions,
    within: Duration,
) -> eventstore::Result<Vec<RecordedEvent>> {
    let options = options.requires_leader(true).deadline(within);
    let mut answer = client.read_all(&options).await?;
    let mut events = Vec::new();
    while let Some(event) = answer.next().await? {
        events.extend(event.link.or(event.event));
    }
    Ok(events)
}

/// Appends over gRPC commit themselves, so both numbers of a position are the same.
fn all_position(place: u64) -> eventstore::Position {
    eventstore::Position { commit: place, prepare: place }
}

fn ours(event: RecordedEvent) -> Option<Entry> {
    // `$`-streams and those of other programs are no streams of ours
    let stream = event.stream_id.parse().ok()?;
    Some(Entry { stream, revision: event.revision, stored: stored(event) })
}

pub(super) fn stored(event: RecordedEvent) -> Stored {
    Stored {
        position: Position(event.position.commit),
        line: event.data.into(),
        sealed: event.custom_metadata.into(),
    }
}
