//! What holds for every request, whatever its route: its id, its place in what is traced, its
//! errors, and an answer even where the program is at fault. One layer without a box of its own,
//! because every request pays for it.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use axum::routing::Route;
use axum::routing::future::RouteFuture;
use tower::{Layer, Service};
use tracing::Span;
use uuid::Uuid;

use super::attempt::{self, Asked, Operations};
use super::client_address;
use super::problem::{Code, Problem};
use super::request::RequestId;
use crate::App;
use crate::rate_limit::{Left, Limit, TooOften};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[derive(Clone)]
pub(super) struct EnvelopeLayer {
    around: Arc<Around>,
}

/// What is needed around a request besides the request.
struct Around {
    app: Arc<App>,
    operations: Operations,
}

impl EnvelopeLayer {
    pub(super) fn new(app: Arc<App>, operations: Operations) -> Self {
        Self { around: Arc::new(Around { app, operations }) }
    }
}

impl Layer<Route> for EnvelopeLayer {
    type Service = Envelope;

    fn layer(&self, route: Route) -> Envelope {
        Envelope { route, around: Arc::clone(&self.around) }
    }
}

#[derive(Clone)]
pub(super) struct Envelope {
    route: Route,
    around: Arc<Around>,
}

impl Service<Request> for Envelope {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.route, context)
    }

    fn call(&mut self, mut request: Request) -> Answering {
        let RequestId(id) = RequestId::of(request.headers());
        let sent = RequestId::sent(request.headers()).map(str::to_owned);
        request.extensions_mut().insert(RequestId(id));
        let span = tracing::debug_span!("request", %id, method = %request.method());
        let refused = client_address::settle(&mut request, &self.around.app.trusted_proxies).err();
        let asked = Asked::of(&request);
        let begun = Instant::now();
        let credential = request.headers().get(AUTHORIZATION);
        let counted = credential
            .and_then(|credential| self.around.app.rate_limits.request(credential.as_bytes()));
        let route = match counted {
            None | Some(Ok(_)) if refused.is_none() => {
                span.in_scope(|| survived(|| self.route.call(request)))
            }
            None | Some(_) => None,
        };
        let (asked, around) = (Some(asked), Arc::clone(&self.around));
        Answering { route, refused, counted, id, sent, asked, begun, around, span }
    }
}

/// The answer of a route, on its way.
pub(super) struct Answering {
    /// `None` when the route panicked, or was not asked because of too many requests.
    route: Option<RouteFuture<Infallible>>,
    /// Why the route was not asked, unless because of too many requests.
    refused: Option<Problem>,
    counted: Option<Result<Left, TooOften>>,
    id: Uuid,
    /// The id as the client wrote it.
    sent: Option<String>,
    asked: Option<Asked>,
    begun: Instant,
    around: Arc<Around>,
    span: Span,
}

impl Future for Answering {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { route, refused, counted, id, sent, asked, begun, around, span } = self.get_mut();
        let _entered = span.enter();
        let answered = match route {
            Some(route) => match survived(|| Pin::new(route).poll(context)) {
                Some(polled) => Some(ready!(polled)),
                None => None,
            },
            None => None,
        };
        let mut response = match (answered, &*counted) {
            (Some(Ok(response)), _) => response,
            (None, Some(Err(refusal))) => Problem::from(*refusal).into_response(),
            (None, None | Some(Ok(_))) => {
                refused.take().unwrap_or(Problem::new(Code::Internal)).into_response()
            }
        };
        let metrics = &around.app.metrics;
        if let Some(asked) = asked {
            metrics.answered(asked.method(), asked.route(), response.status(), begun.elapsed());
        }
        let shown = sent.take().unwrap_or_else(|| id.to_string());
        let mut denied = attempt::denied_part(&mut response);
        let mut limited = response.extensions_mut().remove::<Left>();
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            metrics.refused(problem.code());
            response = problem.render(*id, &shown);
            denied = problem.denied.map(|denied| *denied);
            limited = problem.limited.map(|left| *left);
        }
        if let (Some(denied), Some(asked)) = (denied, asked.take()) {
            around.app.denied_attempts.tell(asked.attempt(&around.operations, denied, *id));
        }
        let counted = match counted {
            Some(Ok(left)) => Some(*left),
            // the refusal tells it
            Some(Err(_)) | None => None,
        };
        tell(counted, limited, response.headers_mut());
        if let Ok(id) = HeaderValue::try_from(shown) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        Poll::Ready(Ok(response))
    }
}

/// What is left of the credential's requests, and of what else limits the route
/// (draft-ietf-httpapi-ratelimit-headers).
fn tell(counted: Option<Left>, limited: Option<Left>, headers: &mut HeaderMap) {
    let (mut policies, mut all_left) = (String::new(), String::new());
    for Left { limit, requests, reset_seconds } in counted.into_iter().chain(limited) {
        let separator = if policies.is_empty() { "" } else { ", " };
        let Limit { name, most, within } = limit;
        let seconds = within.as_secs();
        // writing into a string cannot fail
        let _ = write!(policies, "{separator}\"{name}\";q={most};w={seconds};qu=\"requests\"");
        let _ = write!(all_left, "{separator}\"{name}\";r={requests};t={reset_seconds}");
    }
    if policies.is_empty() {
        return;
    }
    for (name, value) in [(POLICY, policies), (LEFT, all_left)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}

/// What the work gives, unless it panics. The request is lost then, with all that it held.
fn survived<T>(work: impl FnOnce() -> T) -> Option<T> {
    let outcome = catch_unwind(AssertUnwindSafe(work));
    if outcome.is_err() {
        tracing::error!("a request panicked");
    }
    outcome.ok()
}
