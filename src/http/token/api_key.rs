//! One's own tokens as `/auth/api-keys`, for clients that know these. The document does not list
//! them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use events::id::TokenId;
use events::scope::Scope;
use events::time::Time;
use serde::Serialize;

use super::body::ApiKeyBody;
use super::{TokenInfo, made, own, plain};
use crate::App;
use crate::http::answer;
use crate::http::authentication::Caller;
use crate::http::organization::Meant;
use crate::http::problem::Problem;
use crate::http::request::{Authenticated, PathNames};

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/auth/api-keys", post(create_api_key).get(list_api_keys))
        .route("/auth/api-keys/{token}", get(show_api_key).delete(own::revoke_own_token))
        .route("/auth/api-keys/{token}/rotate", post(rotate_api_key))
}

#[derive(Serialize)]
struct ApiKey {
    id: TokenId,
    name: String,
    /// Both names are in use.
    prefix: String,
    key_prefix: String,
    scopes: Vec<Scope>,
    last_used_at: Option<Time>,
    expires_at: Option<Time>,
    created_at: Time,
}

impl From<TokenInfo> for ApiKey {
    fn from(info: TokenInfo) -> Self {
        Self {
            id: info.id,
            name: info.token_name,
            key_prefix: info.prefix.clone(),
            prefix: info.prefix,
            scopes: info.scopes,
            last_used_at: info.last_used_at,
            expires_at: info.expires_at,
            created_at: info.created_at,
        }
    }
}

#[derive(Serialize)]
struct MadeApiKey {
    /// The secret.
    api_key: String,
    #[serde(flatten)]
    key: ApiKey,
}

async fn create_api_key(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Meant(Authenticated(caller, submission), usual): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let wish = || submission.json::<ApiKeyBody>()?.wish();
    let by = (&caller, &submission);
    let done = own::create(&app, by, &headers, usual, None, wish).await?;
    let api_key = done.answer.secret.reveal().to_owned();
    let body = MadeApiKey { api_key, key: TokenInfo::new(&done.answer).into() };
    Ok(made::tagged(StatusCode::CREATED, &done, body))
}

#[derive(Serialize)]
struct ApiKeyList {
    api_keys: Vec<ApiKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

async fn list_api_keys(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, usual): Meant<Caller>,
) -> Result<Response, Problem> {
    let (tokens, next_page_token, size) = own::list(&app, &caller, &headers, &uri, usual).await?;
    let next = next_page_token.clone();
    let api_keys = tokens.into_iter().map(ApiKey::from).collect();
    let body = ApiKeyList { api_keys, next_page_token };
    Ok(answer::page(uri.path(), size, next.as_deref(), body))
}

async fn show_api_key(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, usual): Meant<Caller>,
) -> Result<Response, Problem> {
    let place = own::place(&app, &caller, &headers, usual, &names).await?;
    let body = |info| plain(ApiKey::from(info));
    own::show(&app, &caller, place, (&headers, &uri), body).await
}

#[derive(Serialize)]
struct RotatedApiKey {
    /// The new secret.
    token: String,
    #[serde(flatten)]
    key: ApiKey,
    previous_token_valid_until: Time,
}

async fn rotate_api_key(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    Meant(Authenticated(caller, submission), usual): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let place = own::place(&app, &caller, &headers, usual, &names).await?;
    let done = own::rotate(&app, (&caller, &submission), place).await?;
    let made = &done.answer;
    let body = RotatedApiKey {
        token: made.secret.reveal().to_owned(),
        key: TokenInfo::new(made).into(),
        previous_token_valid_until: made.previous_valid_until()?,
    };
    Ok(made::tagged(StatusCode::OK, &done, body))
}
