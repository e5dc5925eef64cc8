//! The OpenAPI document: what is the same for many routes, said once.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use super::problem::ProblemBody;

const PROBLEM_JSON: &str = "application/problem+json";

/// How a read of the caller's own things can be refused.
pub(super) struct Reads;
/// How a read of an organization can be refused.
pub(super) struct OrganizationReads;
/// How a command can be refused.
pub(super) struct Commands;
/// How a command to an organization can be refused.
pub(super) struct OrganizationCommands;
/// How a command can be refused that needs no credential.
pub(super) struct PublicCommands;

macro_rules! refusals {
    ($($name:ident: $($status:literal)*;)*) => {$(
        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [$($status),*].map(refusal).into()
            }
        }
    )*};
}

refusals! {
    Reads: 400 401 503;
    OrganizationReads: 400 401 403 404 503;
    Commands: 400 401 409 413 415 422 503;
    OrganizationCommands: 400 401 403 404 409 412 413 415 422 503;
    PublicCommands: 400 401 409 413 415 422 503;
}

/// How a read of one resource is answered to who has it already.
pub(super) struct Unmodified;

impl IntoResponses for Unmodified {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let description = "`If-None-Match` names the version that is current";
        let response = ResponseBuilder::new().description(description).build();
        [("304".to_owned(), RefOr::T(response))].into()
    }
}

fn refusal(status: u16) -> (String, RefOr<Response>) {
    let problem = Ref::from_schema_name(ProblemBody::name());
    let content = ContentBuilder::new().schema(Some(problem)).build();
    let response = ResponseBuilder::new().content(PROBLEM_JSON, content).build();
    (status.to_string(), RefOr::T(response))
}

/// The document with a sentence for each answer, as OpenAPI 3.1 demands.
pub(super) fn finished(mut document: OpenApi) -> OpenApi {
    for item in document.paths.paths.values_mut() {
        let operations =
            [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response {
                    describe(status, response);
                }
            }
        }
    }
    document
}

fn describe(status: &str, response: &mut Response) {
    let reason = status.parse().ok().and_then(|code: StatusCode| code.canonical_reason());
    if response.description.is_empty() {
        reason.unwrap_or(status).clone_into(&mut response.description);
    }
}
