//! The OpenAPI document: what the routes say of themselves, and what is the same for all of them.

use axum::http::StatusCode;
use utoipa::openapi::{OpenApi, RefOr, Response, Schema};

const PROBLEM: &str = "#/components/schemas/Problem";

/// The document with errors named as what they are, and a sentence for each answer.
pub(super) fn finished(mut document: OpenApi) -> OpenApi {
    for item in document.paths.paths.values_mut() {
        let operations =
            [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response {
                    describe(status, response);
                    name_problem(response);
                }
            }
        }
    }
    document
}

/// OpenAPI 3.1 demands a description.
fn describe(status: &str, response: &mut Response) {
    let reason = status.parse().ok().and_then(|code: StatusCode| code.canonical_reason());
    if response.description.is_empty() {
        reason.unwrap_or(status).clone_into(&mut response.description);
    }
}

fn name_problem(response: &mut Response) {
    const PLAIN: &str = "application/json";
    let has_problem = match response.content.get(PLAIN) {
        Some(RefOr::T(content)) => content.schema.as_ref().is_some_and(is_problem),
        Some(RefOr::Ref(_)) | None => false,
    };
    if has_problem && let Some(content) = response.content.swap_remove(PLAIN) {
        response.content.insert("application/problem+json".to_owned(), content);
    }
}

fn is_problem(schema: &RefOr<Schema>) -> bool {
    match schema {
        RefOr::Ref(reference) => reference.ref_location == PROBLEM,
        RefOr::T(_) => false,
    }
}
