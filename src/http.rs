//! Merges the routes, and wraps each request: its id, its place in time, its errors.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use events::recorded::Position;
use tower::Layer as _;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::normalize_path::{NormalizePath, NormalizePathLayer};
use tracing::Instrument as _;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

use self::problem::{Code, FieldError, Problem};
use self::request::RequestId;
use crate::{App, query};

mod account;
mod answer;
mod audit_log;
mod authentication;
mod document;
mod health;
mod organization;
mod problem;
mod request;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// How long a read waits for the position it asked for.
const AT_LEAST_WITHIN: Duration = Duration::from_secs(5);

#[derive(utoipa::OpenApi)]
#[openapi(info(
    title = "Chancery",
    description = "A back end for organizations whose event log is the audit log.",
    license(name = "Apache-2.0", identifier = "Apache-2.0")
))]
struct Document;

fn api() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(account::routes())
        .merge(organization::routes())
        .merge(audit_log::routes())
        .merge(health::api_routes())
}

/// The whole HTTP service. The API is mounted under `/v1` and, for clients that know no version,
/// without it; a trailing slash makes no difference.
pub(crate) fn service(app: Arc<App>) -> NormalizePath<Router> {
    let (routes, document) = OpenApiRouter::with_openapi(Document::openapi())
        .nest("/v1", api())
        .merge(health::routes())
        .split_for_parts();
    let document = Json(document::finished(document));
    let (unversioned, _) = api().split_for_parts();
    let router = routes
        .merge(unversioned)
        .route("/openapi.json", get(async move || document))
        .fallback(async || Problem::new(Code::NotFound))
        .method_not_allowed_fallback(async || Problem::new(Code::MethodNotAllowed))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::clone(&app), envelope))
        .with_state(app);
    NormalizePathLayer::trim_trailing_slash().layer(router)
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a request panicked");
    Problem::new(Code::Internal).into_response()
}

/// What holds for every request, whatever its route.
async fn envelope(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id);
    let span = tracing::info_span!("request", id = %id.0, method = %request.method());
    let asked = asked_position(&request);
    let mut response = async {
        match await_position(&app, asked).await {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        }
    }
    .instrument(span)
    .await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = problem.render(id.0);
    }
    if let Ok(id) = HeaderValue::from_str(&id.0.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The position a read wants to see.
fn asked_position(request: &Request) -> Result<Option<Position>, Problem> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        request::at_least(request.headers(), request.uri())
    } else {
        Ok(None)
    }
}

async fn await_position(
    app: &App,
    asked: Result<Option<Position>, Problem>,
) -> Result<(), Problem> {
    let Some(position) = asked? else { return Ok(()) };
    if query::has_reached(app, position, AT_LEAST_WITHIN).await {
        Ok(())
    } else {
        Err(Problem::new(Code::NotCaughtUp))
    }
}

/// The value, or its error among the others of the body.
fn checked<T, E: fmt::Display>(
    field: &str,
    value: Result<T, E>,
    errors: &mut Vec<FieldError>,
) -> Option<T> {
    value
        .map_err(|error| {
            errors.push(FieldError { field: field.to_owned(), detail: error.to_string() });
        })
        .ok()
}
