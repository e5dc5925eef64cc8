//! Records what was used. Nothing is decided on the usage stream and nobody folds it, so all that is
//! kept of it is where it ends. Which of equal events counts is not asked here but where they are
//! counted; a sender who does not know whether a request came through sends it again.

use std::sync::Arc;

use events::Event;
use events::chain::Link;
use events::id::OrganizationId;
use events::recorded::Position;
use events::stream::Stream;
use events::time::Time;
use events::usage::{self, Entry};
use events::wire;
use quick_cache::sync::Cache;
use tokio::sync::Mutex;

use super::lines::{self, Next};
use super::{ATTEMPTS, Error, Order};
use crate::App;
use crate::event_log::{AppendError, Expected, ReadError};

/// Where a usage stream ends.
#[derive(Clone, Copy)]
struct End {
    /// How many events it has.
    count: u64,
    link: Link,
    at: Time,
}

/// Where the usage streams end that were written last. Who appends to one has it alone.
pub(crate) struct Ends(Cache<OrganizationId, Arc<Mutex<Option<End>>>>);

impl Ends {
    pub(crate) fn new(most: usize) -> Self {
        Self(Cache::new(most))
    }

    fn of(&self, organization: OrganizationId) -> Arc<Mutex<Option<End>>> {
        let fresh = || Ok::<_, std::convert::Infallible>(Arc::default());
        match self.0.get_or_insert_with(&organization, fresh) {
            Ok(end) => end,
        }
    }
}

/// Appends the entries as one event. Gives its version, and where it stands in the log.
pub(crate) async fn record(
    app: &App,
    organization: OrganizationId,
    order: &Order,
    entries: Vec<Entry>,
) -> Result<(u64, Position), Error> {
    let stream = Stream::Usage(organization);
    let place = app.usage_ends.of(organization);
    let mut known = place.lock().await;
    let mut facts = vec![Event::Usage(usage::Event::Recorded { entries })];
    for _ in 0..ATTEMPTS {
        let end = match known.take() {
            Some(end) => end,
            None => read_end(app, &stream).await?,
        };
        let next = Next::at(Expected::after(end.count), end.link, end.at);
        let lines = lines::finish(app, stream, order, facts, next).await?;
        let appended = app.log.append(&stream, Expected::after(end.count), lines.events).await;
        match appended {
            Ok(appended) => {
                if let Some(last) = lines.recorded.last() {
                    *known = Some(End { count: appended.last + 1, link: last.link, at: last.at });
                }
                return Ok((appended.last, appended.position));
            }
            // another node was faster
            Err(AppendError::Conflict { .. }) => {
                facts = lines.recorded.into_iter().map(|recorded| recorded.event).collect();
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Contended)
}

async fn read_end(app: &App, stream: &Stream) -> Result<End, Error> {
    let begins = End { count: 0, link: Link::FIRST, at: Time::from_millis(i64::MIN) };
    let Some(last) = app.log.last_version(stream).await? else { return Ok(begins) };
    let stored = app.log.read_stream(stream, last, 1).await?.pop();
    let stored =
        stored.ok_or_else(|| ReadError::Unavailable("the stream ends before its head".into()))?;
    let head = wire::head(&stored.line)
        .map_err(|error| ReadError::Corrupt { position: stored.position, source: error.into() })?;
    Ok(End { count: last + 1, link: Link::of_line(&stored.line), at: head.recorded_at })
}
