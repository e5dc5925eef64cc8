//! The commands about tokens, whatever they are called and shown as.

use axum::http::StatusCode;
use axum::response::Response;
use events::id::{OrganizationId, TokenId};
use events::organization::Organization;
use events::permission::Permission;
use events::time::Time;
use events::token::Token;
use serde::Serialize;

use super::body::NoFields;
use super::named;
use crate::App;
use crate::access::Access;
use crate::api_token::ApiToken;
use crate::execute::token::{self, Succession, Wish};
use crate::execute::{self, Done, Order};
use crate::http::authentication::Caller;
use crate::http::problem::{Code, Problem};
use crate::http::request::Submission;
use crate::http::{answer, etag};

/// A token right after the command that made it.
pub(super) struct Made {
    pub(super) organization: OrganizationId,
    pub(super) id: TokenId,
    pub(super) secret: ApiToken,
    pub(super) token: Token,
    /// How long the token still serves that it replaces.
    previous_valid_until: Option<Time>,
}

impl Made {
    pub(super) fn previous_valid_until(&self) -> Result<Time, Problem> {
        self.previous_valid_until.ok_or(Problem::new(Code::Internal))
    }
}

/// The answer that shows a token, with its version.
pub(super) fn tagged(status: StatusCode, done: &Done<Made>, body: impl Serialize) -> Response {
    let version = done.answer.token.changed_version;
    etag::tagged(version, answer::command(status, done, body))
}

/// What is to be made, where, and what that takes.
pub(super) struct Making<'a> {
    pub(super) organization: OrganizationId,
    /// It stands in the body.
    pub(super) is_named_by_body: bool,
    pub(super) needed: Permission,
    pub(super) order: &'a Order,
}

pub(super) async fn create(
    app: &App,
    caller: &Caller,
    making: Making<'_>,
    wish: impl FnOnce() -> Result<Wish, Problem>,
) -> Result<Done<Made>, Problem> {
    let Making { organization, is_named_by_body, needed, order } = making;
    let by = &caller.principal;
    no_stronger(app, caller, organization, needed).await?;
    let id = token::id(app, order);
    let view = |state: &Organization| state.token(id).cloned().map(|token| (token, None));
    let before = execute::organization_before(app, organization, order, view).await?;
    let done = match before {
        Some(done) => done,
        None => {
            Access::check(app, by, organization, needed).await?;
            let wish = wish()?;
            token::create(app, by, organization, order, &wish, is_named_by_body, view).await?
        }
    };
    made(app, organization, order, done)
}

/// `token` is what the path names; `None` when that is no id.
pub(super) async fn rotate(
    app: &App,
    caller: &Caller,
    (organization, token): (OrganizationId, Option<TokenId>),
    order: &Order,
    succession: impl FnOnce() -> Result<Succession, Problem>,
) -> Result<Done<Made>, Problem> {
    let by = &caller.principal;
    no_stronger(app, caller, organization, Permission::UseOwnTokens).await?;
    let id = token::id(app, order);
    let view = |state: &Organization| {
        let replaced = token.and_then(|token| state.token(token)?.replaced);
        let until = replaced.map(|(_, until)| until);
        state.token(id).cloned().map(|token| (token, until))
    };
    let before = execute::organization_before(app, organization, order, view).await?;
    let done = match before {
        Some(done) => done,
        None => {
            let (_, token, kind) = named(app, by, organization, token).await?;
            let succession = succession()?;
            let of = (token, kind);
            token::rotate(app, by, organization, order, of, &succession, view).await?
        }
    };
    made(app, organization, order, done)
}

/// A repeat shows a secret again. No token may see that of a stronger one.
async fn no_stronger(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    needed: Permission,
) -> Result<(), Problem> {
    if caller.bound_to.is_some() {
        Access::check(app, &caller.principal, organization, needed).await?;
    }
    Ok(())
}

fn made(
    app: &App,
    organization: OrganizationId,
    order: &Order,
    mut done: Done<Option<(Token, Option<Time>)>>,
) -> Result<Done<Made>, Problem> {
    let (token, previous_valid_until) = done.answer.take().ok_or(Problem::new(Code::NotFound))?;
    let id = token::id(app, order);
    let secret = token::secret(app, order, token.kind);
    Ok(done.map(|_| Made { organization, id, secret, token, previous_valid_until }))
}

/// `token` is what the path names; `None` when that is no id.
pub(super) async fn revoke(
    app: &App,
    caller: &Caller,
    (organization, token): (OrganizationId, Option<TokenId>),
    order: &Order,
    submission: &Submission,
) -> Result<Done<()>, Problem> {
    let by = &caller.principal;
    if let Some(done) = execute::organization_before(app, organization, order, |_| ()).await? {
        return Ok(done);
    }
    let (_, token, _) = named(app, by, organization, token).await?;
    let NoFields {} = submission.json_or_empty()?;
    Ok(token::revoke(app, by, organization, order, token).await?)
}
