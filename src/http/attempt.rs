//! What is kept of each request until its answer is known, in case it must be recorded that a
//! member was not allowed to do it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::http::header::USER_AGENT;
use axum::http::{HeaderValue, Method};
use axum::response::Response;
use serde_json::Value;
use uuid::Uuid;

use super::authentication::Origin;
use super::{invitation, token};
use crate::access::Denied;
use crate::denied_attempts::Attempt;

/// The document's name of each operation, by method and path with and without the version.
pub(super) struct Operations(HashMap<(Method, String), Arc<str>>);

impl Operations {
    pub(super) fn of(document: &Value) -> Self {
        let mut names = HashMap::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
                let name: Arc<str> = operation["operationId"].as_str().unwrap_or_default().into();
                let unversioned = path.strip_prefix("/v1").unwrap_or(path);
                for path in [path.as_str(), unversioned] {
                    names.insert((method.clone(), path.to_owned()), Arc::clone(&name));
                }
            }
        }
        Self(names)
    }

    fn named(&self, method: Method, path: &str) -> Arc<str> {
        // HEAD is answered as GET
        let method = if method == Method::HEAD { Method::GET } else { method };
        let documented = invitation::documented(&method, path).or_else(|| token::documented(path));
        let path = documented.unwrap_or_else(|| path.to_owned());
        self.0.get(&(method, path)).cloned().unwrap_or_else(|| "unknown".into())
    }
}

/// An answer that serves a request in part: what the caller may not do is recorded as if nothing
/// else had been asked for.
pub(super) fn partly_denied(mut response: Response, denied: Denied) -> Response {
    response.extensions_mut().insert(PartlyDenied(denied));
    response
}

#[derive(Clone, Copy)]
struct PartlyDenied(Denied);

/// Who was denied what, in an answer that serves the rest.
pub(super) fn denied_part(response: &mut Response) -> Option<Denied> {
    response.extensions_mut().remove().map(|PartlyDenied(denied)| denied)
}

/// Cheap to take from every request: nothing is copied but references.
pub(super) struct Asked {
    method: Method,
    path: Option<MatchedPath>,
    agent: Option<HeaderValue>,
    peer: Option<SocketAddr>,
}

impl Asked {
    pub(super) fn of(request: &Request) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        Self {
            method: request.method().clone(),
            path: request.extensions().get().cloned(),
            agent: request.headers().get(USER_AGENT).cloned(),
            peer: peer.map(|ConnectInfo(peer)| *peer),
        }
    }

    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    /// The template of the path that matched.
    pub(super) fn route(&self) -> Option<&str> {
        self.path.as_ref().map(MatchedPath::as_str)
    }

    pub(super) fn attempt(self, operations: &Operations, denied: Denied, request: Uuid) -> Attempt {
        let Origin { ip_address, user_agent } = Origin::new(self.peer, self.agent.as_ref());
        let operation = operations.named(self.method.clone(), self.route().unwrap_or_default());
        Attempt { denied, operation, request, ip_address, user_agent }
    }
}
