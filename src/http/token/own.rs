//! A member's own tokens, over all their organizations: the token itself says where it belongs. A
//! new one belongs to the organization that the body names, else to the active one.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use events::id::{OrganizationId, TokenId};
use events::permission::Permission;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{RotateBody, TokenBody};
use super::made::{self, Made, Making};
use super::{MadeToken, RotatedToken, TokenInfo, TokenList};
use crate::access::{self, Access};
use crate::execute::token::Wish;
use crate::execute::{self, Done};
use crate::http::answer;
use crate::http::authentication::Caller;
use crate::http::document::{OrganizationCommands, OrganizationReads, Unmodified};
use crate::http::organization::{Meant, is_named};
use crate::http::problem::{Code, Problem};
use crate::http::request::{Authenticated, Paging, Parameters, PathNames, Submission};
use crate::{App, query};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(create_own_token, list_own_tokens))
        .routes(routes!(show_own_token, revoke_own_token))
        .routes(routes!(rotate_own_token))
}

/// Makes a token that acts as the caller in one organization. The secret is shown once. A token
/// makes another only with the scope `*`.
#[utoipa::path(post, path = "/auth/tokens", operation_id = "createOwnToken", tag = "tokens",
    request_body = TokenBody,
    responses((status = 201, body = MadeToken), OrganizationCommands))]
async fn create_own_token(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Meant(Authenticated(caller, submission), usual): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let wish = || submission.json::<TokenBody>()?.wish();
    let in_body = submission.text("organization");
    let by = (&caller, &submission);
    Ok(super::created(&create(&app, by, &headers, usual, in_body, wish).await?))
}

pub(super) async fn create(
    app: &App,
    (caller, submission): (&Caller, &Submission),
    headers: &HeaderMap,
    usual: OrganizationId,
    in_body: Option<String>,
    wish: impl FnOnce() -> Result<Wish, Problem>,
) -> Result<Done<Made>, Problem> {
    caller.account()?;
    let order = submission.order(app, caller, Some(usual))?;
    execute::refuse_other_body(app, &order).await?;
    let is_named_by_body = in_body.is_some();
    let organization = match in_body {
        None => usual,
        Some(named) => {
            let named = query::organization_overview::resolve(app, &named).await?;
            let named = named.ok_or(Problem::new(Code::NotFound))?;
            let is_fixed = is_named(headers) || caller.bound_to.is_some();
            if is_fixed && named != usual {
                return Err(contradiction(app, caller, named).await?);
            }
            named
        }
    };
    let needed = Permission::UseOwnTokens;
    let making = Making { organization, is_named_by_body, needed, order: &order };
    made::create(app, caller, making, wish).await
}

/// Told to members only: to others it would tell whether there is such an organization.
async fn contradiction(
    app: &App,
    caller: &Caller,
    named: OrganizationId,
) -> Result<Problem, Problem> {
    let is_member = access::is_known(app, &caller.principal, named).await?;
    let is_contradictory = is_member || caller.bound_to.is_some();
    let code = if is_contradictory { Code::OrganizationMismatch } else { Code::NotFound };
    Ok(Problem::new(code))
}

/// Lists the caller's own tokens in all organizations that let them in, or in the one that a header
/// or the token names; the newest first.
#[utoipa::path(get, path = "/auth/tokens", operation_id = "listOwnTokens", tag = "tokens",
    params(("page_size" = Option<usize>, Query), ("page_token" = Option<String>, Query)),
    responses((status = 200, body = TokenList), OrganizationReads))]
async fn list_own_tokens(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, usual): Meant<Caller>,
) -> Result<Response, Problem> {
    let (tokens, next_page_token, size) = list(&app, &caller, &headers, &uri, usual).await?;
    let next = next_page_token.clone();
    let body = TokenList { tokens, next_page_token, as_of_version: None };
    Ok(answer::page(uri.path(), size, next.as_deref(), body))
}

/// A page, the token of the next one, and how many a page has.
pub(super) async fn list(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    uri: &Uri,
    usual: OrganizationId,
) -> Result<(Vec<TokenInfo>, Option<String>, usize), Problem> {
    let by = &caller.principal;
    let account = caller.account()?;
    let is_fixed = is_named(headers) || caller.bound_to.is_some();
    let of = is_fixed.then_some(usual);
    if let Some(of) = of {
        Access::check(app, by, of, Permission::UseOwnTokens).await?;
    }
    let list = format!("tokens of {account} in {of:?}");
    let Paging { after, size } = Paging::of(app, uri, &list)?;
    let page = query::token_list::list_own(app, by, of, &after, size).await?;
    let tokens = super::infos(app, by.now, page.items).await?;
    let next = page.next.map(|next| query::page_token::write(app, &list, &next));
    Ok((tokens, next, size))
}

/// Where the caller's own token of this id is found.
pub(super) async fn place(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    usual: OrganizationId,
    names: &PathNames,
) -> Result<(OrganizationId, Option<TokenId>), Problem> {
    caller.account()?;
    if let Some(bound_to) = caller.bound_to {
        let needed = Permission::UseOwnTokens;
        Access::check(app, &caller.principal, bound_to, needed).await?;
    }
    let token: TokenId = names.id("token").ok_or(Problem::new(Code::NotFound))?;
    let by = &caller.principal;
    let organization = query::token_list::organization_of_own(app, by, token).await?;
    if is_named(headers) && organization != usual {
        return Err(Problem::new(Code::OrganizationMismatch));
    }
    Ok((organization, Some(token)))
}

#[utoipa::path(get, path = "/auth/tokens/{token}", operation_id = "showOwnToken", tag = "tokens",
    params(("token" = String, Path)),
    responses((status = 200, body = TokenInfo), Unmodified, OrganizationReads))]
async fn show_own_token(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, usual): Meant<Caller>,
) -> Result<Response, Problem> {
    let place = place(&app, &caller, &headers, usual, &names).await?;
    show(&app, &caller, place, (&headers, &uri), super::plain).await
}

pub(super) async fn show(
    app: &App,
    caller: &Caller,
    (organization, token): (OrganizationId, Option<TokenId>),
    (headers, uri): (&HeaderMap, &Uri),
    body: impl FnOnce(TokenInfo) -> Response,
) -> Result<Response, Problem> {
    let (access, token, _) = super::named(app, &caller.principal, organization, token).await?;
    Parameters::of(uri, &[])?;
    super::show(app, &access, token, headers, body).await
}

/// Puts a new token in the place of one that serves; for a while both do.
#[utoipa::path(post, path = "/auth/tokens/{token}/rotate", operation_id = "rotateOwnToken",
    tag = "tokens", params(("token" = String, Path)), request_body = Option<RotateBody>,
    responses((status = 200, body = RotatedToken), OrganizationCommands))]
async fn rotate_own_token(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    Meant(Authenticated(caller, submission), usual): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let place = place(&app, &caller, &headers, usual, &names).await?;
    super::rotated(&rotate(&app, (&caller, &submission), place).await?)
}

pub(super) async fn rotate(
    app: &App,
    (caller, submission): (&Caller, &Submission),
    place: (OrganizationId, Option<TokenId>),
) -> Result<Done<Made>, Problem> {
    let order = submission.order(app, caller, Some(place.0))?;
    let succession = || submission.json_or_empty::<RotateBody>()?.succession();
    made::rotate(app, caller, place, &order, succession).await
}

/// Ends a token at once. One that serves no more stays as it is.
#[utoipa::path(delete, path = "/auth/tokens/{token}", operation_id = "revokeOwnToken",
    tag = "tokens", params(("token" = String, Path)),
    responses((status = 204), OrganizationCommands))]
pub(super) async fn revoke_own_token(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    Meant(Authenticated(caller, submission), usual): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let place = place(&app, &caller, &headers, usual, &names).await?;
    let order = submission.order(&app, &caller, Some(place.0))?;
    Ok(super::revoked(&made::revoke(&app, &caller, place, &order, &submission).await?))
}
