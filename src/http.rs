//! Merges the routes, and puts each request in its envelope.

use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use axum::{Json, Router};
use tower::Layer as _;
use tower::util::{MapRequest, MapRequestLayer};
use tower_http::normalize_path::{NormalizePath, NormalizePathLayer};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

use self::attempt::Operations;
use self::envelope::EnvelopeLayer;
use self::problem::{Code, FieldError, Problem};
use crate::App;

mod access;
mod access_review;
mod account;
mod admin;
mod answer;
mod attempt;
mod audit_log;
mod authentication;
mod billing;
mod check;
mod checkpoint;
mod client_address;
mod compliance;
mod compliance_verification;
mod connection;
mod credit;
mod database;
mod declaration;
mod document;
mod email_verification;
mod envelope;
mod erasure;
mod etag;
mod export;
mod field;
mod health;
mod held;
mod incident;
mod invitation;
mod invoice;
mod link;
mod log_verification;
mod membership;
mod organization;
mod other_name;
mod password;
mod payment_method;
mod plan;
mod problem;
mod project;
mod provisioner;
mod quota;
mod reference;
mod request;
mod restore_test;
mod second_factor;
mod session;
mod setting;
mod signing_key;
mod stated;
mod suspension;
mod test_clock;
mod token;
mod usage;

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

fn api(app: &App) -> OpenApiRouter<Arc<App>> {
    let operator =
        if app.clock.is_movable() { admin::clock_routes() } else { OpenApiRouter::new() };
    OpenApiRouter::new()
        .merge(operator)
        .merge(account::routes())
        .merge(second_factor::routes())
        .merge(erasure::routes())
        .merge(export::routes())
        .merge(session::routes())
        .merge(password::routes())
        .merge(email_verification::routes())
        .merge(token::own_routes())
        .merge(of_one_organization())
        .merge(organization::routes())
        .merge(invitation::routes_of_the_invited())
        .merge(signing_key::operator_routes())
        .merge(provisioner::routes())
        .merge(log_verification::operator_routes())
        .merge(plan::public_routes())
        .merge(suspension::operator_routes())
        .merge(admin::organization::routes())
        .merge(invoice::operator::routes())
        .merge(compliance_verification::routes())
        .merge(health::api_routes())
}

/// What is done with one organization, each under two paths: of the one that is named there, and of
/// the active one. What must name its organization, such as its deletion, is not among these and
/// says its whole path.
fn of_one_organization() -> OpenApiRouter<Arc<App>> {
    let mut named = OpenApiRouter::new()
        .merge(organization::routes_of_one())
        .merge(membership::routes())
        .merge(setting::routes())
        .merge(plan::routes())
        .merge(payment_method::routes())
        .merge(invoice::routes())
        .merge(credit::routes())
        .merge(billing::routes())
        .merge(usage::routes())
        .merge(quota::routes())
        .merge(connection::routes())
        .merge(invitation::routes())
        .merge(token::routes())
        .merge(audit_log::routes())
        .merge(declaration::routes())
        .merge(incident::routes())
        .merge(access_review::routes())
        .merge(restore_test::routes())
        .merge(project::routes())
        .merge(database::routes())
        .merge(checkpoint::routes())
        .merge(compliance::routes())
        .merge(access::routes())
        .merge(export::routes_of_one());
    let mut active = named.clone();
    document::name_organization(named.get_openapi_mut());
    document::name_active(active.get_openapi_mut());
    OpenApiRouter::new().nest("/organizations/{org}", named).nest("/organization", active)
}

type Rewrite = fn(Request<Body>) -> Request<Body>;
/// What answers every request.
type Service = NormalizePath<MapRequest<Router, Rewrite>>;

/// The whole HTTP service. The API is mounted under `/v1` and, for clients that know no version,
/// without it; a trailing slash makes no difference.
pub(crate) fn service(app: Arc<App>) -> Service {
    let (routes, document) = OpenApiRouter::with_openapi(Document::openapi())
        .nest("/v1", api(&app).merge(invitation::link_routes()))
        .merge(health::routes())
        .merge(signing_key::routes())
        .split_for_parts();
    let document = document::finished(&document);
    let pages = reference::routes(&document);
    let operations = Operations::of(&document);
    let envelope = EnvelopeLayer::new(Arc::clone(&app), operations);
    let document = Json(document);
    let (unversioned, _) = api(&app).split_for_parts();
    let mut router = routes
        .merge(unversioned)
        .merge(pages)
        .merge(link::pages())
        .route("/openapi.json", get(async move || document))
        .fallback(async || Problem::new(Code::NotFound))
        .method_not_allowed_fallback(async || Problem::new(Code::MethodNotAllowed))
        .layer(envelope)
        .with_state(Arc::clone(&app));
    if app.clock.is_movable() {
        router = router.layer(from_fn_with_state(app, test_clock::tell));
    }
    let router = MapRequestLayer::new(other_name::written_anew as Rewrite).layer(router);
    NormalizePathLayer::trim_trailing_slash().layer(router)
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
