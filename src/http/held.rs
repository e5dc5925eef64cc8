//! What the routes do in the same way about what an organization holds: they read it straight from
//! the organization's own stream, as it is or as it was, and order changes of it. Who may not change
//! anything is told so before the body is looked at.

use axum::Json;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use events::Command;
use events::id::OrganizationId;
use events::organization::Organization;
use events::permission::Permission;
use serde::{Deserialize, Serialize};

use super::authentication::Caller;
use super::problem::{Code, Problem};
use super::request::{AS_OF, Paging, Parameters};
use super::{answer, etag};
use crate::access::Access;
use crate::execute::{self, Done, Order};
use crate::{App, query};

/// The path says it all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoFields {}

/// Reads something of what the organization holds.
pub(super) async fn read<T>(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    needed: Permission,
    view: impl FnOnce(&Organization) -> T,
) -> Result<T, Problem> {
    Ok(Access::seen(app, &caller.principal, organization, needed, view).await?.1)
}

/// One thing, with the version that changed it last.
pub(super) struct Seen<T> {
    pub(super) thing: T,
    changed_version: u64,
    /// Of the organization, where it is asked for as it was.
    pub(super) as_of_version: Option<u64>,
}

/// Reads one thing. `view` gives it with the version of the last event that changed it.
pub(super) async fn one<T>(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    needed: Permission,
    uri: &Uri,
    view: impl FnOnce(&Organization) -> Option<(u64, T)>,
) -> Result<Seen<T>, Problem> {
    let seen = read(app, caller, organization, needed, view).await?;
    Parameters::of(uri, &[])?;
    let (changed_version, thing) = seen.ok_or(Problem::new(Code::NotFound))?;
    Ok(Seen { thing, changed_version, as_of_version: None })
}

/// The same of what can also be asked for as it was.
pub(super) async fn one_at<T>(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    needed: Permission,
    uri: &Uri,
    view: impl Fn(&Organization) -> Option<(u64, T)>,
) -> Result<Seen<T>, Problem> {
    let by = &caller.principal;
    let (access, now) = Access::seen(app, by, organization, needed, &view).await?;
    let (seen, as_of_version) = match Parameters::of(uri, &[AS_OF])?.as_of()? {
        None => (now, None),
        Some(moment) => {
            let (state, version) = query::organization::at(app, &access, moment).await?;
            (view(&state), Some(version))
        }
    };
    let (changed_version, thing) = seen.ok_or(Problem::new(Code::NotFound))?;
    Ok(Seen { thing, changed_version, as_of_version })
}

impl<T> Seen<T> {
    /// The answer to a reader who has it already.
    pub(super) fn known(&self, headers: &HeaderMap) -> Option<Response> {
        if self.as_of_version.is_some() {
            return None;
        }
        etag::not_modified(headers, self.changed_version)
    }

    pub(super) fn answered(&self, body: impl Serialize) -> Response {
        match self.as_of_version {
            Some(version) => answer::as_of(version, body),
            None => etag::tagged(self.changed_version, Json(body).into_response()),
        }
    }
}

/// Gives an order that the body makes, if the caller may give such an order here.
pub(super) async fn order<C: Command, T, M: Fn(&Organization) -> C>(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    needed: Permission,
    order: &Order,
    command: impl FnOnce() -> Result<M, Problem>,
    view: impl Fn(&Organization) -> T,
) -> Result<Done<T>, Problem>
where
    execute::Error: From<C::Rejection>,
{
    let by = &caller.principal;
    Access::check(app, by, organization, needed).await?;
    let command = command()?;
    Ok(execute::organization(app, by, organization, order, command, view).await?)
}

/// The same order, whatever the organization is when it is carried out.
pub(super) async fn command<C: Command + Clone, T>(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    needed: Permission,
    order: &Order,
    command: impl FnOnce() -> Result<C, Problem>,
    view: impl Fn(&Organization) -> T,
) -> Result<Done<T>, Problem>
where
    execute::Error: From<C::Rejection>,
{
    let command = || {
        let command = command()?;
        Ok(move |_: &Organization| command.clone())
    };
    self::order(app, caller, organization, needed, order, command, view).await
}

/// What a command made or changed, with the version that did.
pub(super) fn tagged(
    status: StatusCode,
    changed_version: u64,
    done: &Done<impl Sized>,
    body: impl Serialize,
) -> Response {
    etag::tagged(changed_version, answer::command(status, done, body))
}

/// Which list is asked for, and what it takes to read it.
pub(super) struct List<'a> {
    pub(super) organization: OrganizationId,
    pub(super) needed: Permission,
    pub(super) uri: &'a Uri,
    /// Names it among the organization's lists.
    pub(super) what: &'a str,
    /// Whether it can be asked for as it was.
    pub(super) has_past: bool,
}

/// A page of a list that is kept with the organization, the newest first.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// After which version the next one goes on.
    next: Option<u64>,
    size: usize,
    list: String,
    /// As it was written, and the version that it means.
    as_of: Option<(String, u64)>,
}

/// `all` gives each with the version that made it, `None` where there is no such list; `take` says
/// what is kept of it.
pub(super) async fn page<S, T>(
    app: &App,
    caller: &Caller,
    List { organization, needed, uri, what, has_past }: List<'_>,
    all: impl Fn(&Organization) -> Option<Vec<(u64, S)>>,
    take: impl Fn(&Organization, S) -> T,
) -> Result<Page<T>, Problem> {
    let by = &caller.principal;
    let access = Access::check(app, by, organization, needed).await?;
    let known: &[&str] = if has_past { &[AS_OF] } else { &[] };
    let parameters = Parameters::of(uri, &[&Paging::PARAMETERS, known].concat())?;
    let list = match parameters.get(AS_OF) {
        None => format!("{what} of {organization}"),
        Some(as_of) => format!("{what} of {organization} as of {as_of:?}"),
    };
    let Paging { after, size } = Paging::read(app, &parameters, &list)?;
    let before: u64 = after.parse().unwrap_or(u64::MAX);
    let cut = |state: &Organization| {
        let mut all = all(state)?;
        all.retain(|(version, _)| *version < before);
        all.sort_unstable_by_key(|(version, _)| std::cmp::Reverse(*version));
        let has_more = all.len() > size;
        all.truncate(size);
        let next = all.last().map(|(version, _)| *version).filter(|_| has_more);
        let items: Vec<T> = all.into_iter().map(|(_, item)| take(state, item)).collect();
        Some((items, next))
    };
    let (cut, as_of) = match parameters.as_of()? {
        None => (read(app, caller, organization, needed, cut).await?, None),
        Some(moment) => {
            let (state, version) = query::organization::at(app, &access, moment).await?;
            let as_of = parameters.get(AS_OF).unwrap_or_default().to_owned();
            (cut(&state), Some((as_of, version)))
        }
    };
    let (items, next) = cut.ok_or(Problem::new(Code::NotFound))?;
    Ok(Page { items, next, size, list, as_of })
}

impl<T> Page<T> {
    /// The token of the next page.
    pub(super) fn next(&self, app: &App) -> Option<String> {
        Some(query::page_token::write(app, &self.list, &self.next?.to_string()))
    }

    /// Of the organization, where the list is asked for as it was.
    pub(super) fn as_of_version(&self) -> Option<u64> {
        self.as_of.as_ref().map(|(_, version)| *version)
    }

    /// The answer with a link to the next page.
    pub(super) fn answered(&self, uri: &Uri, next: Option<&str>, body: impl Serialize) -> Response {
        let Some((as_of, version)) = &self.as_of else {
            return answer::page(uri.path(), self.size, next, body);
        };
        let answer = answer::as_of(*version, body);
        let Some(next) = next else { return answer };
        let size = self.size.to_string();
        let next = [("as_of", as_of.as_str()), ("page_size", &size), ("page_token", next)];
        answer::linked(answer, uri.path(), &next)
    }
}
