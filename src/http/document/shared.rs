//! What many operations of the document have in common is written into it here, once: refusals with
//! an example for each code, headers, and which credentials serve.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use crate::http::problem::{Code, Explained};

const PROBLEM_JSON: &str = "application/problem+json";
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Operations that want no credential, besides those that cannot refuse one.
const PUBLIC: [(&str, &str); 9] = [
    ("post", "/v1/auth/register"),
    ("post", "/v1/auth/login"),
    ("post", "/v1/auth/refresh"),
    ("post", "/v1/auth/password/forgot"),
    ("post", "/v1/auth/password/reset"),
    ("post", "/v1/auth/email/verify"),
    ("get", "/v1/invitations/{secret}"),
    ("get", "/v1/plans"),
    ("get", "/v1/regions"),
];

/// Commands that draw a new secret each time, and so take no idempotency key.
const NEVER_REPEATED: [&str; 4] =
    ["/v1/auth/login", "/v1/auth/refresh", "/v1/auth/logout", "/v1/auth/password/"];

/// The document as it is served.
pub(in crate::http) fn finished(document: &OpenApi) -> Value {
    let mut document = serde_json::to_value(document).expect("a document is always JSON");
    let mut statuses = BTreeSet::new();
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (path, item) in paths {
        for method in METHODS {
            if let Some(operation) = item.get_mut(method) {
                finish(operation, method, path, &mut statuses);
            }
        }
    }
    let refusals: Map<String, Value> =
        statuses.into_iter().map(|status| (name_of(status), refusal(status))).collect();
    let components = &mut document["components"];
    components["responses"] = Value::Object(refusals);
    components["parameters"] = parameters();
    components["headers"] = headers();
    components["securitySchemes"] = json!({
        "bearer": {
            "type": "http", "scheme": "bearer",
            "description": "A session token, as signing in gives it, or an API token.",
        },
        "basic": {
            "type": "http", "scheme": "basic",
            "description": "The e-mail address and password of an account. With a second factor, \
                the header `X-OTP` carries a code of it; each node then remembers the pair for \
                five minutes, and needs no code in that time.",
        },
    });
    components["securitySchemes"]["operator"] = json!({
        "type": "http", "scheme": "bearer", "description": "The operator's own credential.",
    });
    document["components"]["securitySchemes"]["provisioner"] = json!({
        "type": "http", "scheme": "bearer",
        "description": "The credential of those who make and run databases.",
    });
    document["security"] = json!([{ "bearer": [] }, { "basic": [] }]);
    document
}

fn finish(operation: &mut Value, method: &str, path: &str, statuses: &mut BTreeSet<u16>) {
    let responses = operation["responses"].as_object_mut().into_iter().flatten();
    let mut answers = BTreeSet::new();
    for (text, response) in responses {
        let Ok(status) = text.parse::<StatusCode>() else { continue };
        answers.insert(status.as_u16());
        if !response["content"][PROBLEM_JSON].is_null() {
            *response =
                json!({ "$ref": format!("#/components/responses/{}", name_of(status.as_u16())) });
            statuses.insert(status.as_u16());
            continue;
        }
        if response["description"].as_str().is_none_or(str::is_empty) {
            response["description"] = json!(status.canonical_reason().unwrap_or(text));
        }
        if status.is_success() && method != "get" {
            // leases stand in no log
            let names: &[&str] = if path.contains("/connections") {
                &["Replayed"]
            } else {
                &["Position", "CaughtUp", "Replayed"]
            };
            response["headers"] = reference_each("headers", names);
        }
    }
    if answers.contains(&304) {
        for status in ["200", "304"] {
            operation["responses"][status]["headers"] = reference_each("headers", &["ETag"]);
        }
    }
    if path.starts_with("/v1/admin/") {
        operation["security"] = json!([{ "operator": [] }]);
        return;
    }
    if path.starts_with("/v1/provisioner/") {
        operation["security"] = json!([{ "provisioner": [] }, { "operator": [] }]);
        return;
    }
    let is_public = !answers.contains(&401) || PUBLIC.contains(&(method, path));
    if is_public {
        operation["security"] = json!([]);
    }
    let mut shared = Vec::new();
    if method == "get" && !is_public {
        shared.push("AtLeast");
    }
    if answers.contains(&304) {
        shared.push("IfNoneMatch");
    }
    if answers.contains(&412) && method != "post" {
        shared.push("IfMatch");
    }
    let acts_on_active = path.starts_with("/v1/organization/")
        || path.starts_with("/v1/auth/tokens")
        || path == "/v1/organization";
    if acts_on_active {
        shared.push("ActiveOrganization");
    }
    let is_repeatable = !NEVER_REPEATED.iter().any(|beginning| path.starts_with(beginning));
    if method != "get" && is_repeatable {
        shared.push("IdempotencyKey");
    }
    if shared.is_empty() {
        return;
    }
    let shared = shared.into_iter().map(|name| reference("parameters", name));
    match operation.get_mut("parameters").and_then(Value::as_array_mut) {
        Some(own) => own.extend(shared),
        None => operation["parameters"] = shared.collect(),
    }
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

/// Headers by their names on the wire.
fn reference_each(kind: &str, names: &[&str]) -> Value {
    let on_the_wire = |name: &str| match name {
        "CaughtUp" => "Caught-Up".to_owned(),
        "Replayed" => "Idempotency-Replayed".to_owned(),
        name => name.to_owned(),
    };
    names.iter().map(|name| (on_the_wire(name), reference(kind, name))).collect()
}

fn name_of(status: u16) -> String {
    let status = StatusCode::from_u16(status).ok();
    let reason = status.and_then(|status| status.canonical_reason()).unwrap_or("Refused");
    reason.split([' ', '-']).collect()
}

/// How a request is refused with this status: one example for each code.
fn refusal(status: u16) -> Value {
    let codes = Code::ALL.iter().map(|code| code.explained());
    let examples: Map<String, Value> = codes
        .filter(|explained| explained.status.as_u16() == status)
        .map(|explained| (explained.code.to_owned(), json!({ "value": example(explained) })))
        .collect();
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let mut headers = json!({ "X-Request-Id": reference("headers", "RequestId") });
    if status == 401 {
        headers["WWW-Authenticate"] = reference("headers", "WwwAuthenticate");
    }
    if status == 429 {
        headers["RateLimit-Policy"] = reference("headers", "RateLimitPolicy");
        headers["RateLimit"] = reference("headers", "RateLimit");
    }
    if matches!(status, 409 | 429 | 503) {
        headers["Retry-After"] = reference("headers", "RetryAfter");
    }
    json!({
        "description": reason.unwrap_or("Refused"),
        "headers": headers,
        "content": { PROBLEM_JSON: {
            "schema": { "$ref": "#/components/schemas/Problem" },
            "examples": examples,
        } },
    })
}

fn example(explained: Explained) -> Value {
    let Explained { status, code, sentence, .. } = explained;
    let request = "2b0a7d4e-5b1f-4c7e-9d3a-5f6b7c8d9e0f";
    let mut problem = json!({
        "type": format!("/errors/{code}"), "title": status.canonical_reason(),
        "status": status.as_u16(), "detail": sentence, "instance": format!("urn:uuid:{request}"),
        "code": code, "request_id": request, "error": sentence,
    });
    if code == "validation_failed" {
        problem["errors"] = json!([{ "field": "name", "detail": "is required" }]);
    }
    problem
}

fn parameters() -> Value {
    let header = |name: &str, description: &str, example: &str| {
        json!({
            "name": name, "in": "header", "required": false, "description": description,
            "schema": { "type": "string" }, "example": example,
        })
    };
    json!({
        "AtLeast": header("At-Least",
            "A position, as a command's `Position` gave it: waits up to 5 seconds until the answer \
             shows at least that. Also as the query parameter `at_least`.", "42"),
        "IfNoneMatch": header("If-None-Match",
            "Tags of versions that are known already: when one is current, the answer is 304.",
            "\"7\""),
        "IfMatch": header("If-Match",
            "Tags of the versions for which the change is meant: for any other, the answer is 412 \
             and nothing is changed.", "\"7\""),
        "IdempotencyKey": header("Idempotency-Key",
            "1 to 255 characters that name this command: repeated with the same body it has one \
             effect and gets the first answer again.", "5d1f0a3e-6d1c-4b59-9a27-0f0d4c3b2a19"),
        "ActiveOrganization": header("X-Active-Org-ID",
            "Id or slug of the organization that is meant; without it the API token's, the one chosen in \
             the session, or the personal one. Also as `X-Organization-Id`.", "acme-engineering"),
    })
}

fn headers() -> Value {
    let header = |description: &str, kind: &str| json!({ "description": description, "schema": { "type": kind } });
    json!({
        "Position": header("Where the command stands in the log.", "integer"),
        "CaughtUp": header("`false` when reads may not show the outcome yet.", "string"),
        "Replayed": header("`true` when this is the first answer again.", "string"),
        "ETag": header("The version of the resource.", "string"),
        "RequestId": header("Names the request wherever the server speaks of it.", "string"),
        "RateLimitPolicy": header("Each limit that applies: how many, and in how many seconds.", "string"),
        "RateLimit": header("Of each limit, how many are left, and the seconds until all are.", "string"),
        "RetryAfter": header("Seconds after which the request may be repeated.", "integer"),
        "WwwAuthenticate": header("The ways to sign in.", "string"),
    })
}
