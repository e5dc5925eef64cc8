//! Around every request while the clock can be moved: what another node did to it is learnt first,
//! and the answer tells the time.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::App;
use crate::causes::causes;

const TEST_CLOCK: HeaderName = HeaderName::from_static("test-clock");

pub(super) async fn tell(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if let Err(error) = app.clock.look(&app.operational).await {
        tracing::warn!(error = causes(&error), "how far the clock was moved is not known");
    }
    let mut response = next.run(request).await;
    if let Ok(now) = HeaderValue::from_str(&app.clock.now().to_string()) {
        response.headers_mut().insert(TEST_CLOCK, now);
    }
    response
}
