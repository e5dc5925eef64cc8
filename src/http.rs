//! Merges the routes, and wraps each request: its id, its place in time, its errors.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use tower::Layer as _;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::normalize_path::{NormalizePath, NormalizePathLayer};
use tracing::Instrument as _;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

use self::problem::{Code, FieldError, Problem};
use self::request::RequestId;
use crate::App;

mod account;
mod answer;
mod audit_log;
mod authentication;
mod document;
mod etag;
mod health;
mod organization;
mod problem;
mod reference;
mod request;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Chancery",
        description = "A back end for organizations whose event log is the audit log.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(problem::ProblemBody))
)]
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
    let document = document::finished(&document);
    let pages = reference::routes(&document);
    let document = Json(document);
    let (unversioned, _) = api().split_for_parts();
    let router = routes
        .merge(unversioned)
        .merge(pages)
        .route("/openapi.json", get(async move || document))
        .fallback(async || Problem::new(Code::NotFound))
        .method_not_allowed_fallback(async || Problem::new(Code::MethodNotAllowed))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(envelope))
        .with_state(app);
    NormalizePathLayer::trim_trailing_slash().layer(router)
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a request panicked");
    Problem::new(Code::Internal).into_response()
}

/// What holds for every request, whatever its route.
async fn envelope(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let shown = RequestId::sent(request.headers()).map_or_else(|| id.0.to_string(), str::to_owned);
    request.extensions_mut().insert(id);
    let span = tracing::debug_span!("request", id = %id.0, method = %request.method());
    let mut response = next.run(request).instrument(span).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = problem.render(id.0, &shown);
    }
    if let Ok(id) = HeaderValue::from_str(&shown) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
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
