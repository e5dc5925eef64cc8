//! What the routes of declarations, incidents, access reviews and restore tests do in the same way:
//! every member reads them, straight from the organization's own stream; owners and admins state
//! them. Who may not state anything is told so before the body is looked at.

use axum::http::Uri;
use axum::response::Response;
use events::Command;
use events::id::OrganizationId;
use events::organization::Organization;
use events::permission::Permission;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer;
use super::authentication::Caller;
use super::problem::Problem;
use super::request::Paging;
use crate::access::Access;
use crate::execute::{self, Done, Order};
use crate::{App, query};

/// The path says it all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoFields {}

/// What was written in a field of a text; what is no object any more is shown as what it is, such as
/// `erased`.
pub(super) fn written(text: Option<&Value>, field: &str) -> Option<String> {
    let text = text?;
    let written = if text.is_object() { text.get(field)? } else { text };
    written.as_str().map(str::to_owned)
}

/// Reads something of what the members have stated.
pub(super) async fn read<T>(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    view: impl FnOnce(&Organization) -> T,
) -> Result<T, Problem> {
    let by = &caller.principal;
    let seen = Access::seen(app, by, organization, Permission::ReadCompliance, view).await?;
    Ok(seen.1)
}

/// Gives an order that the body makes, if the caller may state anything here.
pub(super) async fn order<C: Command, T, M: Fn(&Organization) -> C>(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    order: &Order,
    command: impl FnOnce() -> Result<M, Problem>,
    view: impl Fn(&Organization) -> T,
) -> Result<Done<T>, Problem>
where
    execute::Error: From<C::Rejection>,
{
    let by = &caller.principal;
    Access::check(app, by, organization, Permission::Declare).await?;
    let command = command()?;
    Ok(execute::organization(app, by, organization, order, command, view).await?)
}

/// A page of a list that is kept with the organization, the newest first.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// After which version the next one goes on.
    next: Option<u64>,
    size: usize,
    list: String,
}

/// `all` gives each with the version that made it; `take` says what is kept of it.
pub(super) async fn page<S, T>(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    uri: &Uri,
    what: &str,
    all: impl for<'a> FnOnce(&'a Organization) -> Vec<(u64, S)>,
    take: impl Fn(&Organization, S) -> T,
) -> Result<Page<T>, Problem> {
    let by = &caller.principal;
    Access::check(app, by, organization, Permission::ReadCompliance).await?;
    let list = format!("{what} of {organization}");
    let Paging { after, size } = Paging::of(app, uri, &list)?;
    let before: u64 = after.parse().unwrap_or(u64::MAX);
    let (items, next) = read(app, caller, organization, |state| {
        let mut all = all(state);
        all.retain(|(version, _)| *version < before);
        all.sort_unstable_by_key(|(version, _)| std::cmp::Reverse(*version));
        let has_more = all.len() > size;
        all.truncate(size);
        let next = all.last().map(|(version, _)| *version).filter(|_| has_more);
        let items: Vec<T> = all.into_iter().map(|(_, item)| take(state, item)).collect();
        (items, next)
    })
    .await?;
    Ok(Page { items, next, size, list })
}

impl<T> Page<T> {
    /// The token of the next page.
    pub(super) fn next(&self, app: &App) -> Option<String> {
        Some(query::page_token::write(app, &self.list, &self.next?.to_string()))
    }

    /// The answer with a link to the next page.
    pub(super) fn answered(&self, uri: &Uri, next: Option<&str>, body: impl Serialize) -> Response {
        answer::page(uri.path(), self.size, next, body)
    }
}
