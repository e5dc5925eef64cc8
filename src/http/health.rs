//! Whether the program lives, whether it can serve, and what it counts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::readiness::{self, Readiness};
use crate::{App, metrics};

/// Served at the root only.
pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready)).routes(routes!(show_metrics))
}

/// Served with the API.
pub(crate) fn api_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(health))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

#[utoipa::path(get, path = "/livez", operation_id = "live", tag = "operations",
    responses((status = 200, body = Health)))]
async fn live() -> Json<Health> {
    Json(Health { status: "ok" })
}

#[utoipa::path(get, path = "/health", operation_id = "health", tag = "operations",
    responses((status = 200, body = Health)))]
async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

#[utoipa::path(get, path = "/readyz", operation_id = "ready", tag = "operations",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<Readiness>) {
    let readiness = readiness::ask(&app).await;
    let status = match readiness.status {
        readiness::Status::Ready | readiness::Status::Degraded => StatusCode::OK,
        readiness::Status::NotReady => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(readiness))
}

/// What an operator watches, in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", operation_id = "showMetrics", tag = "operations",
    responses((status = 200, body = String, content_type = "text/plain; version=0.0.4; charset=utf-8",
        description = "the metrics of this node")))]
async fn show_metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::show(&app).await)
}
