//! API tokens and organization keys, under three names: a member's own, those of an organization,
//! and the keys of clients that know `/auth/api-keys`; the last are not in the document.
//!
//! One's own are listed over all one's organizations, those of an organization to its owners and
//! admins only. A secret is shown by the command that made it, to whoever may give that command, and
//! never again.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use events::id::{AccountId, OrganizationId, TokenId};
use events::permission::Permission;
use events::principal::Principal;
use events::scope::Scope;
use events::time::Time;
use events::token::Kind;
use projections::token_list;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::answer;
use super::etag;
use super::problem::{Code, Problem};
use crate::access::Access;
use crate::execute::Done;
use crate::query::token_list::Rows;
use crate::{App, query, token_activity};

mod api_key;
mod body;
mod made;
mod of_organization;
mod own;

use self::made::Made;

/// Of one organization, on paths that begin where its own ends.
pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    of_organization::routes()
}

/// One's own.
pub(crate) fn own_routes() -> OpenApiRouter<Arc<App>> {
    own::routes().merge(api_key::routes().into())
}

/// By which path the document knows what has the other name.
pub(super) fn documented(path: &str) -> Option<String> {
    path.contains("/auth/api-keys").then(|| path.replace("/auth/api-keys", "/auth/tokens"))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TokenInfo {
    #[schema(value_type = String, example = "tok_01h2xcejqtf2nbrexx3vqjhp41")]
    id: TokenId,
    #[schema(example = "deploy")]
    token_name: String,
    /// `personal`: acts as its owner, within the owner's role. `organization`: acts as the
    /// organization, within the role `admin`.
    #[schema(value_type = String, example = "personal")]
    kind: Kind,
    /// What the secret begins with.
    #[schema(example = "chy_pat_0AbC")]
    prefix: String,
    #[schema(value_type = Vec<String>, example = json!(["members:read", "org:write"]))]
    scopes: Vec<Scope>,
    /// Neither revoked nor replaced nor expired.
    is_active: bool,
    /// Whose it is, or who made the key; `null` for a key that another key made.
    #[schema(value_type = Option<String>, example = "usr_01h2xcejqtf2nbrexx3vqjhp41")]
    owner: Option<AccountId>,
    #[schema(value_type = String, example = "org_01h2xcejqtf2nbrexx3vqjhp41")]
    organization_id: OrganizationId,
    /// To the minute; `null` before the first request.
    #[schema(value_type = Option<String>)]
    last_used_at: Option<Time>,
    /// `null`: never.
    #[schema(value_type = Option<String>, example = "2026-05-01T09:30:00.000Z")]
    expires_at: Option<Time>,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
    /// With `as_of`: which version of the organization this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of_version: Option<u64>,
}

impl TokenInfo {
    /// As it was at a moment.
    fn listed(
        organization_id: OrganizationId,
        row: token_list::Token,
        at: Time,
        last_used_at: Option<Time>,
    ) -> Self {
        Self {
            id: row.id,
            is_active: row.is_active(at),
            token_name: row.name,
            kind: row.kind,
            prefix: row.prefix,
            scopes: row.scopes.into(),
            owner: row.owner,
            organization_id,
            last_used_at,
            expires_at: row.expires_at,
            created_at: row.created_at,
            as_of_version: None,
        }
    }

    /// As it was right after it was made.
    fn new(made: &Made) -> Self {
        let Made { organization, id, token, .. } = made;
        Self {
            id: *id,
            token_name: token.name.clone(),
            kind: token.kind,
            prefix: token.prefix.clone(),
            scopes: token.scopes.iter().collect(),
            is_active: true,
            owner: token.owner,
            organization_id: *organization,
            last_used_at: None,
            expires_at: token.expires_at,
            created_at: token.created_at,
            as_of_version: None,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct MadeToken {
    /// The secret, shown this once; send it as `Authorization: Bearer`.
    #[schema(example = "chy_pat_0AbC...")]
    token: String,
    token_info: TokenInfo,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RotatedToken {
    /// The new secret, shown this once.
    #[schema(example = "chy_pat_1AbC...")]
    token: String,
    token_info: TokenInfo,
    /// How long the old secret still serves.
    #[schema(value_type = String, example = "2026-01-31T10:30:00.000Z")]
    previous_token_valid_until: Time,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TokenList {
    tokens: Vec<TokenInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    /// With `as_of`: which version of the organization this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of_version: Option<u64>,
}

fn created(done: &Done<Made>) -> Response {
    let made = &done.answer;
    let token = made.secret.reveal().to_owned();
    let body = MadeToken { token, token_info: TokenInfo::new(made) };
    made::tagged(StatusCode::CREATED, done, body)
}

fn rotated(done: &Done<Made>) -> Result<Response, Problem> {
    let made = &done.answer;
    let body = RotatedToken {
        token: made.secret.reveal().to_owned(),
        token_info: TokenInfo::new(made),
        previous_token_valid_until: made.previous_valid_until()?,
    };
    Ok(made::tagged(StatusCode::OK, done, body))
}

/// The token that a path means, to somebody who may do something about it. Whether there is one that
/// is not their own is told to those who manage tokens only.
async fn named(
    app: &App,
    by: &Principal,
    organization: OrganizationId,
    token: Option<TokenId>,
) -> Result<(Access, TokenId, Kind), Problem> {
    let needed = Permission::UseOwnTokens;
    let (access, found) = Access::seen(app, by, organization, needed, |state| {
        let found = state.token(token?)?;
        Some((token?, found.kind, found.acts_for()))
    })
    .await?;
    let is_own = found.is_some_and(|(_, _, owner)| owner.is_some() && owner == by.account());
    if !is_own {
        Access::check(app, by, organization, Permission::ManageTokens).await?;
    }
    let (token, kind, _) = found.ok_or(Problem::new(Code::NotFound))?;
    Ok((access, token, kind))
}

async fn last_used(app: &App, token: TokenId) -> Result<Option<Time>, Problem> {
    Ok(token_activity::last_used(app, &[token]).await?.remove(&token))
}

/// One token as it is, unless the reader has that already.
async fn show(
    app: &App,
    access: &Access,
    token: TokenId,
    headers: &HeaderMap,
    body: impl FnOnce(TokenInfo) -> Response,
) -> Result<Response, Problem> {
    let view = Rows::of(app, access, None).await?;
    let row = query::token_list::show(&view, access, token).await?;
    let (version, is_revoked) = (row.changed_version, row.is_revoked);
    let at = query::token_list::moment(app, &view);
    let last_used = last_used(app, token).await?;
    let info = TokenInfo::listed(access.organization(), row, at, last_used);
    if !info.is_active && !is_revoked {
        // its time is over, but no event has given it a version in which it is
        return Ok(body(info));
    }
    if let Some(known) = etag::not_modified(headers, version) {
        return Ok(known);
    }
    Ok(etag::tagged(version, body(info)))
}

fn plain(body: impl Serialize) -> Response {
    Json(body).into_response()
}

/// A list's page, each token with when it was last used.
async fn infos(
    app: &App,
    at: Time,
    items: Vec<(OrganizationId, token_list::Token)>,
) -> Result<Vec<TokenInfo>, Problem> {
    let tokens: Vec<TokenId> = items.iter().map(|(_, row)| row.id).collect();
    let used = token_activity::last_used(app, &tokens).await?;
    let info = |(organization, row): (OrganizationId, token_list::Token)| {
        let last_used = used.get(&row.id).copied();
        TokenInfo::listed(organization, row, at, last_used)
    };
    Ok(items.into_iter().map(info).collect())
}

/// What is left when a token is revoked.
fn revoked(done: &Done<()>) -> Response {
    answer::gone(done)
}
