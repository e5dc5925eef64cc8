//! What every route writes to an answer in the same way.

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use events::personal::Opened;
use serde::Serialize;

use crate::execute::Done;
use crate::rate_limit::Left;

const POSITION: HeaderName = HeaderName::from_static("position");
const CAUGHT_UP: HeaderName = HeaderName::from_static("caught-up");
const AS_OF_VERSION: HeaderName = HeaderName::from_static("as-of-version");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The answer to a command: where it stands in the log, and its outcome.
pub(crate) fn command<T>(status: StatusCode, done: &Done<T>, body: impl Serialize) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(POSITION, HeaderValue::from(done.position.0));
    if !done.is_caught_up {
        headers.insert(CAUGHT_UP, HeaderValue::from_static("false"));
    }
    if done.is_replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    (status, headers, Json(body)).into_response()
}

/// The answer to a command that nothing stands in the log of.
pub(crate) fn operational(
    status: StatusCode,
    is_replayed: bool,
    body: impl IntoResponse,
) -> Response {
    let mut response = (status, body).into_response();
    if is_replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// The answer to a command that leaves nothing to show.
pub(crate) fn gone<T>(done: &Done<T>) -> Response {
    let mut response = command(StatusCode::NO_CONTENT, done, ());
    *response.body_mut() = axum::body::Body::empty();
    response.headers_mut().remove(axum::http::header::CONTENT_TYPE);
    response.headers_mut().remove(axum::http::header::CONTENT_LENGTH);
    response
}

/// An answer to what is limited beside the requests of a credential; the envelope writes what is left.
pub(crate) fn limited(left: Option<Left>, mut response: Response) -> Response {
    if let Some(left) = left {
        response.extensions_mut().insert(left);
    }
    response
}

/// What was, with the version of the organization that it shows.
pub(crate) fn as_of(version: u64, body: impl Serialize) -> Response {
    ([(AS_OF_VERSION, HeaderValue::from(version))], Json(body)).into_response()
}

/// A page of a list, with a relative link to the next one.
pub(crate) fn page(path: &str, size: usize, next: Option<&str>, body: impl Serialize) -> Response {
    let response = Json(body).into_response();
    let Some(token) = next else { return response };
    let size = size.to_string();
    linked(response, path, &[("page_size", size.as_str()), ("page_token", token)])
}

/// The answer with a relative link to the next page: the same path with these parameters.
pub(crate) fn linked(mut response: Response, path: &str, next: &[(&str, &str)]) -> Response {
    let query = serde_urlencoded::to_string(next).expect("pairs of text have a form");
    if let Ok(link) = HeaderValue::from_str(&format!("<{path}?{query}>; rel=\"next\"")) {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

/// A personal value as the API shows it: itself, `erased`, or nothing when its key is missing.
pub(crate) fn shown(opened: Option<Opened>) -> Option<String> {
    match opened? {
        Opened::Known(value) => Some(value),
        Opened::Erased => Some("erased".to_owned()),
        Opened::KeyMissing => None,
    }
}
