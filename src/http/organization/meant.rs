//! Which organization a request means: the one in its path; on a path without a place for one the
//! header's, else the token's, else the session's, else the caller's own. A header that contradicts
//! the path or the token is refused, never ignored. Nothing of it is looked up before the caller is known.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use events::id::OrganizationId;

use crate::http::authentication::Caller;
use crate::http::problem::{Code, Problem};
use crate::http::request::{Authenticated, PathNames};
use crate::identity::Identity;
use crate::{App, access, query};

const PLACE: &str = "{org}";
const HEADERS: [&str; 2] = ["x-active-org-id", "x-organization-id"];

/// Whoever asks, with the body where there is one, and the organization that is meant. It need not
/// exist, nor the caller belong to it.
pub(crate) struct Meant<By>(pub(crate) By, pub(crate) OrganizationId);

impl FromRequestParts<Arc<App>> for Meant<Caller> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let caller = <Caller as FromRequestParts<_>>::from_request_parts(parts, app).await?;
        let organization = Naming::of(parts, app).await.organization(app, &caller).await?;
        Ok(Self(caller, organization))
    }
}

impl FromRequest<Arc<App>> for Meant<Authenticated> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let naming = Naming::of(&mut parts, app).await;
        let by = Authenticated::from_request(Request::from_parts(parts, body), app).await?;
        let organization = naming.organization(app, &by.0).await?;
        Ok(Self(by, organization))
    }
}

/// Refuses headers that name another organization than the one the caller's token belongs to, on
/// paths that ask for none.
pub(crate) async fn agrees(app: &App, caller: &Caller, headers: &HeaderMap) -> Result<(), Problem> {
    if caller.bound_to.is_none() {
        return Ok(());
    }
    let in_headers = HEADERS.map(|name| headers.get(name).cloned());
    Naming { in_path: None, in_headers }.organization(app, caller).await.map(drop)
}

/// How a request names an organization, as it is written there.
struct Naming {
    /// `None` when the path has no place for one, an inner `None` for what can name nothing.
    in_path: Option<Option<String>>,
    in_headers: [Option<HeaderValue>; HEADERS.len()],
}

impl Naming {
    async fn of(parts: &mut Parts, app: &Arc<App>) -> Self {
        let Ok(names) = PathNames::from_request_parts(parts, app).await;
        // asked of the route: a place with something unreadable in it is still one
        let route = parts.extensions.get::<MatchedPath>();
        let has_place = route.is_some_and(|route| route.as_str().contains(PLACE));
        Self {
            in_path: has_place.then(|| names.text("org").map(str::to_owned)),
            in_headers: HEADERS.map(|name| parts.headers.get(name).cloned()),
        }
    }

    async fn organization(self, app: &App, caller: &Caller) -> Result<OrganizationId, Problem> {
        let Some(in_path) = &self.in_path else {
            let named = self.in_headers(app).await?;
            if let (Some(named), Some(bound_to)) = (named, caller.bound_to)
                && named != Some(bound_to)
            {
                return Err(Problem::new(Code::OrganizationMismatch));
            }
            return match named {
                Some(named) => named.ok_or(Problem::new(Code::NotFound)),
                None => usual(app, caller),
            };
        };
        let in_path = in_path.as_ref().ok_or(Problem::new(Code::NotFound))?;
        let in_path = query::organization_overview::resolve(app, in_path).await?;
        let in_path = in_path.ok_or(Problem::new(Code::NotFound))?;
        if self.in_headers(app).await?.is_some_and(|in_headers| in_headers != Some(in_path)) {
            // told to members only: to others it would tell whether there is such an organization
            let is_member = access::is_known(app, &caller.principal, in_path).await?;
            let code = if is_member { Code::OrganizationMismatch } else { Code::NotFound };
            return Err(Problem::new(code));
        }
        Ok(in_path)
    }

    /// `None` when no header names an organization, an inner `None` when it names nothing.
    async fn in_headers(&self, app: &App) -> Result<Option<Option<OrganizationId>>, Problem> {
        let mut found = None;
        for value in self.in_headers.iter().flatten() {
            let named = match value.to_str() {
                Ok(org) => query::organization_overview::resolve(app, org).await?,
                Err(_) => None,
            };
            if found.is_some_and(|earlier| earlier != named) {
                return Err(Problem::new(Code::OrganizationMismatch));
            }
            found = Some(named);
        }
        Ok(found)
    }
}

/// Whether a header names an organization.
pub(crate) fn is_named(headers: &HeaderMap) -> bool {
    HEADERS.iter().any(|name| headers.contains_key(*name))
}

/// The one the caller's token belongs to, else the one chosen in the session, else the personal one. A chosen one to which
/// the caller no longer belongs stays chosen, and is then nothing to them: what was meant for one
/// organization must not land in another.
pub(crate) fn usual(app: &App, caller: &Caller) -> Result<OrganizationId, Problem> {
    if let Some(bound_to) = caller.bound_to {
        return Ok(bound_to);
    }
    let Identity { account, session, .. } = caller.person()?;
    let chosen = session.and_then(|session| session.organization);
    Ok(chosen.unwrap_or_else(|| OrganizationId::personal(app.keyring.log_id(), *account)))
}
