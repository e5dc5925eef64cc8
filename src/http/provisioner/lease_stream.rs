//! Leases on connections as they end, by Server-Sent Events, for proxies that then cut the connections.
//! They are read in their order from the state that all nodes share, so that whichever node answers
//! skips none.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use events::id::{ConnectionId, DatabaseId, OrganizationId};
use events::time::Time;
use futures_util::stream::unfold;
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::causes::causes;
use crate::ended_leases::EndedLeases;
use crate::failure::Failure;
use crate::http::admin::Provisioner;
use crate::http::document::LeaseStreams;
use crate::http::problem::{Code, Problem};
use crate::http::request::Parameters;
use crate::open_streams::Seat;
use crate::operational;
use crate::operational::connection::EndedLease;

const LAST_EVENT_ID: &str = "last_event_id";
const LAST_EVENT_HEADER: &str = "last-event-id";
/// A proxy that keeps answers back until they end would keep this one for ever.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(stream_ended_leases))
}

/// A lease that has ended: the data of an event of the stream.
#[derive(Serialize, ToSchema)]
#[schema(as = EndedLease)]
pub(crate) struct ShownEnd {
    #[schema(value_type = String, example = "con_01h2xcejqtf2nbrexx3vqjhp41")]
    id: ConnectionId,
    #[schema(value_type = String, example = "org_01h2xcejqtf2nbrexx3vqjhp41")]
    organization_id: OrganizationId,
    #[schema(value_type = String, example = "db_01h2xcejqtf2nbrexx3vqjhp41")]
    database_id: DatabaseId,
    /// `released`, `expired`; `suspended` or `deleted`, of the organization; `stopped`, `failed` or
    /// `database_deleted`.
    #[schema(example = "stopped")]
    reason: &'static str,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    ended_at: Time,
}

/// Leases on connections as they end, in their order, as Server-Sent Events: `id` counts them, `event` is
/// `lease.ended`, `data` tells which one and why. Who names none gets those that end from now on; with
/// `Last-Event-ID` those right after that one, for a day (0: all that are known). After that it is 410: renew
/// what is held, and begin anew.
#[utoipa::path(get, path = "/provisioner/leases/stream", operation_id = "streamEndedLeases",
    tag = "operations",
    params(("last_event_id" = Option<u64>, Query), ("Last-Event-ID" = Option<u64>, Header)),
    responses((status = 200, content_type = "text/event-stream", body = ShownEnd), LeaseStreams))]
async fn stream_ended_leases(
    _: Provisioner,
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let parameters = Parameters::of(&uri, &[LAST_EVENT_ID])?;
    let last = last(&app, &parameters, &headers).await?;
    let begun = Event::default().retry(RECONNECT_AFTER).comment(format!("behind {last}"));
    let live = Live {
        seat: app.open_streams.installation_seat()?,
        news: EndedLeases::listen(&app),
        app,
        last,
        waiting: VecDeque::from([begun]),
    };
    let ended = unfold(live, async |mut live| {
        let event = live.next().await?;
        Some((Ok::<_, Infallible>(event), live))
    });
    let ended = Sse::new(ended).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(([UNBUFFERED], ended).into_response())
}

/// Behind which one the stream begins.
async fn last(app: &App, parameters: &Parameters, headers: &HeaderMap) -> Result<u64, Problem> {
    let ends = app.operational.lease_ends().await.map_err(Failure::from)?;
    let header = headers.get(LAST_EVENT_HEADER).map(|value| value.to_str().unwrap_or("?"));
    let header = header.filter(|text| !text.is_empty());
    let Some(text) = header.or_else(|| parameters.get(LAST_EVENT_ID)) else {
        return Ok(ends.last);
    };
    let wrong = |detail| Problem::with_detail(Code::InvalidParameter, detail);
    let last: u64 =
        text.parse().map_err(|_| wrong("`last_event_id` is the id of an event of this stream"))?;
    if last > ends.last {
        return Err(wrong("that event is not there yet"));
    }
    if last < ends.forgotten {
        return Err(Problem::new(Code::LeasesForgotten));
    }
    Ok(last)
}

/// A stream on its way.
struct Live {
    app: Arc<App>,
    /// Says when to look; a hint only.
    news: watch::Receiver<u64>,
    /// What was taken up.
    last: u64,
    /// To be sent before anything else is looked for.
    waiting: VecDeque<Event>,
    seat: Seat,
}

/// Why a stream cannot go on.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Operational(#[from] operational::Error),
    #[error("its reader is so slow that what comes next is known no more")]
    Forgotten,
    #[error("an event cannot be written")]
    Unwritable(#[source] axum::Error),
}

impl Live {
    /// `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.seat.is_over() {
                return None;
            }
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            self.news.borrow_and_update();
            if let Err(error) = self.look().await {
                tracing::warn!(cause = causes(&error), "a stream of ended leases broke off");
                return None;
            }
            if !self.waiting.is_empty() {
                continue;
            }
            tokio::select! {
                () = self.seat.ends() => return None,
                told = self.news.changed() => told.ok()?,
            }
        }
    }

    async fn look(&mut self) -> Result<(), Broken> {
        for ended in self.app.operational.ended_leases(self.last).await? {
            if ended.sequence != self.last + 1 {
                return Err(Broken::Forgotten);
            }
            self.last = ended.sequence;
            self.waiting.push_back(event(&ended)?);
        }
        Ok(())
    }
}

fn event(ended: &EndedLease) -> Result<Event, Broken> {
    let EndedLease { sequence, lease, organization, database, reason, ended_at } = ended;
    let data = ShownEnd {
        id: *lease,
        organization_id: *organization,
        database_id: *database,
        reason: reason.as_str(),
        ended_at: *ended_at,
    };
    let event = Event::default().id(sequence.to_string()).event("lease.ended");
    event.json_data(&data).map_err(Broken::Unwritable)
}
