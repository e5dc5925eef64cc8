//! The tokens of an organization. Its owners and admins see every member's and all keys, and can end
//! them; members find only their own among them.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::http::HeaderMap;
use axum::response::Response;
use events::permission::Permission;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{OrganizationTokenBody, RotateBody};
use super::made::{self, Making};
use super::{MadeToken, RotatedToken, TokenInfo, TokenList};
use crate::access::Access;
use crate::http::answer;
use crate::http::authentication::Caller;
use crate::http::document::{AsOf, OrganizationCommands, OrganizationReads, Unmodified};
use crate::http::organization::Meant;
use crate::http::problem::Problem;
use crate::http::request::{AS_OF, Authenticated, Paging, Parameters, PathNames};
use crate::query::token_list::Rows;
use crate::{App, query};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(create_token, list_tokens))
        .routes(routes!(show_token, revoke_token))
        .routes(routes!(rotate_token))
}

/// Makes a token of the caller's own, or a key of the organization (owners and admins). The secret
/// is shown once. A token makes another only with the scope `*`.
#[utoipa::path(post, path = "/tokens", operation_id = "createToken", tag = "tokens",
    request_body = OrganizationTokenBody,
    responses((status = 201, body = MadeToken), OrganizationCommands))]
async fn create_token(
    State(app): State<Arc<App>>,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let is_key = submission.text("kind").as_deref() == Some(OrganizationTokenBody::KEY);
    let needed = if is_key { Permission::ManageKeys } else { Permission::UseOwnTokens };
    let making = Making { organization, is_named_by_body: false, needed, order: &order };
    let wish = || submission.json::<OrganizationTokenBody>()?.wish();
    Ok(super::created(&made::create(&app, &caller, making, wish).await?))
}

/// Lists every member's tokens and the organization's keys, the newest first.
#[utoipa::path(get, path = "/tokens", operation_id = "listTokens", tag = "tokens",
    params(("page_size" = Option<usize>, Query), ("page_token" = Option<String>, Query), AsOf),
    responses((status = 200, body = TokenList), OrganizationReads))]
async fn list_tokens(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let access = Access::check(&app, by, organization, Permission::ManageTokens).await?;
    let parameters = Parameters::of(&uri, &[Paging::PARAMETERS.as_slice(), &[AS_OF]].concat())?;
    let as_of = parameters.get(AS_OF).unwrap_or_default();
    let list = format!("tokens of {organization} as of {as_of:?}");
    let Paging { after, size } = &Paging::read(&app, &parameters, &list)?;
    let view = Rows::of(&app, &access, parameters.as_of()?).await?;
    let page = query::token_list::list(&view, &access, after, *size).await?;
    let items = page.items.into_iter().map(|row| (organization, row)).collect();
    let mut tokens = super::infos(&app, query::token_list::moment(&app, &view), items).await?;
    let as_of_version = view.version();
    if as_of_version.is_some() {
        // only the last time is known
        for token in &mut tokens {
            token.last_used_at = None;
        }
    }
    let next_page_token = page.next.map(|next| query::page_token::write(&app, &list, &next));
    let next = next_page_token.clone();
    let body = TokenList { tokens, next_page_token, as_of_version };
    let Some(version) = as_of_version else {
        return Ok(answer::page(uri.path(), *size, next.as_deref(), body));
    };
    let answer = answer::as_of(version, body);
    let Some(next) = next else { return Ok(answer) };
    let size = size.to_string();
    let next = [("as_of", as_of), ("page_size", &size), ("page_token", &next)];
    Ok(answer::linked(answer, uri.path(), &next))
}

#[utoipa::path(get, path = "/tokens/{token}", operation_id = "showToken", tag = "tokens",
    params(("token" = String, Path), AsOf),
    responses((status = 200, body = TokenInfo), Unmodified, OrganizationReads))]
async fn show_token(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let (access, token, _) = super::named(&app, by, organization, names.id("token")).await?;
    let Some(moment) = Parameters::of(&uri, &[AS_OF])?.as_of()? else {
        return super::show(&app, &access, token, &headers, super::plain).await;
    };
    let view = Rows::of(&app, &access, Some(moment)).await?;
    let row = query::token_list::show(&view, &access, token).await?;
    let at = query::token_list::moment(&app, &view);
    let as_of_version = view.version();
    let info = TokenInfo::listed(organization, row, at, None);
    let body = TokenInfo { as_of_version, ..info };
    Ok(answer::as_of(as_of_version.unwrap_or_default(), body))
}

/// Puts a new token in the place of one that serves; for a while both do. Only its owner rotates a
/// personal token.
#[utoipa::path(post, path = "/tokens/{token}/rotate", operation_id = "rotateToken",
    tag = "tokens", params(("token" = String, Path)), request_body = Option<RotateBody>,
    responses((status = 200, body = RotatedToken), OrganizationCommands))]
async fn rotate_token(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let of = (organization, names.id("token"));
    let succession = || submission.json_or_empty::<RotateBody>()?.succession();
    super::rotated(&made::rotate(&app, &caller, of, &order, succession).await?)
}

/// Ends a token at once. One that serves no more stays as it is.
#[utoipa::path(delete, path = "/tokens/{token}", operation_id = "revokeToken", tag = "tokens",
    params(("token" = String, Path)),
    responses((status = 204), OrganizationCommands))]
async fn revoke_token(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let of = (organization, names.id("token"));
    Ok(super::revoked(&made::revoke(&app, &caller, of, &order, &submission).await?))
}
