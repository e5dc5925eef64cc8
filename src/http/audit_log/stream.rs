//! An audit log as it grows, by Server-Sent Events. It is read from the log itself by version, so that
//! nothing is skipped or repeated, whichever node answers; what the log says of news is only a hint to
//! look. The right to read is asked anew before anything is shown, and every second.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use events::id::OrganizationId;
use events::permission::Permission;
use events::recorded::Position;
use futures_util::stream::unfold;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::filter::{FILTERS, filter, invalid};
use super::{People, shown};
use crate::access::{Access, Refusal};
use crate::causes::causes;
use crate::failure::Failure;
use crate::http::authentication::Caller;
use crate::http::document::OrganizationReads;
use crate::http::organization::Meant;
use crate::http::problem::{Code, Problem};
use crate::http::request::Parameters;
use crate::open_streams::{Seat, TooMany};
use crate::query::audit_trail::{Filter, newest_recorded};
use crate::trail::{Step, Trail};
use crate::{App, query};

const LAST_EVENT_ID: &str = "last_event_id";
const FROM: &str = "from";
const LAST_EVENT_HEADER: &str = "last-event-id";
/// A proxy that keeps answers back until they end would keep this one for ever.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
/// A right taken away is noticed at least this often, also where nothing is said of it.
const LOOK_AGAIN: Duration = Duration::from_millis(900);
/// A log that grows fast is not looked at more often.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const RECONNECT_AFTER: Duration = Duration::from_secs(1);
/// People whose addresses are remembered from one look to the next.
const MOST_PEOPLE: usize = 1000;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(stream_audit_log))
}

/// What a stream may be asked for, in words for the document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is read as text; this documents it")]
struct StreamParameters {
    /// Begin right after the entry of this version; the header `Last-Event-ID` says the same and counts
    /// more.
    last_event_id: Option<u64>,
    /// Begin with the entry of this version: 0 for all there ever were.
    from: Option<u64>,
    /// An action like `member.removed`, or `member.*` for all of a kind.
    action: Option<String>,
    /// An id, or the whole e-mail address of somebody.
    actor: Option<String>,
    resource_type: Option<String>,
    resource_id: Option<String>,
    /// RFC 3339, inclusive.
    since: Option<String>,
    /// RFC 3339, exclusive.
    until: Option<String>,
    /// Looked for in actions, ids and names that are not personal.
    q: Option<String>,
}

/// Entries as they come, oldest first, as Server-Sent Events: `id` is the entry's version, `event` its
/// action, `data` the entry as the list shows it. Who names no entry gets those that come from now on;
/// with `Last-Event-ID`, as browsers send it after a break, those right after that one. The stream ends
/// when its reader may read it no more, or when the server stops; the next attempt tells which.
#[utoipa::path(get, path = "/audit-log/stream", operation_id = "streamAuditLog", tag = "audit log",
    params(StreamParameters, ("Last-Event-ID" = Option<u64>, Header)),
    responses((status = 200, content_type = "text/event-stream", body = String),
        OrganizationReads))]
async fn stream_audit_log(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let access = access(&app, &caller, organization).await?;
    let parameters = Parameters::of(&uri, &[[LAST_EVENT_ID, FROM].as_slice(), &FILTERS].concat())?;
    let filter = filter(&app, &parameters).await?;
    let first = first(&app, access, &parameters, &headers).await?;
    let begun = Event::default().retry(RECONNECT_AFTER).comment(format!("from version {first}"));
    let live = Live {
        seat: app.open_streams.seat(&caller.principal)?,
        app,
        caller,
        organization,
        access,
        let_in_at: Instant::now(),
        filter,
        trail: Trail::from(access, first),
        length: Position::default(),
        people: HashMap::new(),
        waiting: VecDeque::from([begun]),
    };
    let entries = unfold(live, async |mut live| {
        let event = live.next().await?;
        Some((Ok::<_, Infallible>(event), live))
    });
    let entries = Sse::new(entries).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(([UNBUFFERED], entries).into_response())
}

impl From<TooMany> for Problem {
    fn from(TooMany: TooMany) -> Self {
        Self::new(Code::TooManyStreams)
    }
}

async fn access(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
) -> Result<Access, Refusal> {
    Access::check(app, &caller.principal, organization, Permission::ReadAuditLog).await
}

/// The version with which the stream begins.
async fn first(
    app: &App,
    access: Access,
    parameters: &Parameters,
    headers: &HeaderMap,
) -> Result<u64, Problem> {
    let version = |name: &str, text: &str| {
        let version = text.parse::<u64>().ok().filter(|it| i64::try_from(*it).is_ok());
        version.ok_or_else(|| invalid(format!("`{name}` is the version of an entry")))
    };
    let head = newest_recorded(app, &access).await?.map_or(0, |newest| newest + 1);
    let header = headers.get(LAST_EVENT_HEADER).map(|value| value.to_str().unwrap_or("?"));
    let header = header.filter(|text| !text.is_empty()).map(|text| (LAST_EVENT_HEADER, text));
    let last = header.or_else(|| Some((LAST_EVENT_ID, parameters.get(LAST_EVENT_ID)?)));
    let first = match (last, parameters.get(FROM)) {
        (Some((name, text)), _) => version(name, text)? + 1,
        (None, Some(text)) => version(FROM, text)?,
        (None, None) => return Ok(head),
    };
    // what another node has shown may have come here by now
    let is_there =
        first <= head || !Trail::from(access, first - 1).page(app, first).await?.is_empty();
    if is_there { Ok(first) } else { Err(invalid("that version is not there yet")) }
}

/// A stream on its way.
struct Live {
    app: Arc<App>,
    caller: Caller,
    organization: OrganizationId,
    access: Access,
    /// When the right to read was last asked.
    let_in_at: Instant,
    filter: Filter,
    trail: Trail,
    /// Of the whole log, before it was last looked at.
    length: Position,
    people: People,
    /// To be sent before anything else is looked for.
    waiting: VecDeque<Event>,
    seat: Seat,
}

/// Why a stream cannot go on, besides that its reader may not read it.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Log(#[from] Failure),
    #[error(transparent)]
    Entry(#[from] query::Error),
    #[error("an entry cannot be written")]
    Unwritable(#[source] axum::Error),
}

enum Look {
    /// Though filters may have left nothing of it.
    News,
    Nothing,
    /// The reader may read no more.
    Refused,
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
            let looked_at = Instant::now();
            match self.look().await {
                Ok(Look::News) => continue,
                Ok(Look::Nothing) => {}
                Ok(Look::Refused) => return None,
                Err(error) => {
                    tracing::warn!(cause = causes(&error), "a stream of an audit log broke off");
                    return None;
                }
            }
            tokio::select! {
                () = self.seat.ends() => return None,
                () = async {
                    let until_then = LOOK_AGAIN.saturating_sub(self.let_in_at.elapsed());
                    Trail::wait(&self.app, self.length, until_then).await;
                    tokio::time::sleep(BETWEEN_LOOKS.saturating_sub(looked_at.elapsed())).await;
                } => {}
            }
        }
    }

    /// Takes up what is new, if its reader may have it.
    async fn look(&mut self) -> Result<Look, Broken> {
        // asked before: what is appended meanwhile ends the wait at once
        self.length = Trail::length(&self.app).await?;
        let end = newest_recorded(&self.app, &self.access).await?.map_or(0, |newest| newest + 1);
        if end <= self.trail.next() && self.let_in_at.elapsed() < LOOK_AGAIN {
            // the news was somebody else's
            return Ok(Look::Nothing);
        }
        let steps = self.trail.page(&self.app, end).await?;
        // asked after: the event that takes the right away is not shown any more
        let Some(caller) = self.caller.again(&self.app).await? else { return Ok(Look::Refused) };
        self.caller = caller;
        match access(&self.app, &self.caller, self.organization).await {
            Ok(access) => (self.access, self.let_in_at) = (access, Instant::now()),
            Err(Refusal::Failed(failure)) => return Err(failure.into()),
            Err(Refusal::NotFound | Refusal::TokenEnded(_) | Refusal::Denied(_)) => {
                return Ok(Look::Refused);
            }
        }
        if self.people.len() > MOST_PEOPLE {
            self.people.clear();
        }
        let look = if steps.is_empty() { Look::Nothing } else { Look::News };
        for Step { entry, columns, .. } in steps {
            if !self.filter.admits(&columns) {
                continue;
            }
            let event = Event::default().id(entry.version.to_string()).event(&entry.action);
            let entry = shown(&self.app, entry, &mut self.people).await?;
            self.waiting.push_back(event.json_data(&entry).map_err(Broken::Unwritable)?);
        }
        Ok(look)
    }
}
