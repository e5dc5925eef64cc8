//! What the routes of declarations, incidents, access reviews and restore tests do in the same way:
//! every member reads them, owners and admins state them.

use axum::http::Uri;
use events::Command;
use events::id::OrganizationId;
use events::organization::Organization;
use events::permission::Permission;
use serde_json::Value;

use super::authentication::Caller;
pub(super) use super::held::NoFields;
use super::held::{self, List, Page};
use super::problem::Problem;
use crate::App;
use crate::execute::{self, Done, Order};

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
    held::read(app, caller, organization, Permission::ReadCompliance, view).await
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
    held::order(app, caller, organization, Permission::Declare, order, command, view).await
}

/// `all` gives each with the version that made it; `take` says what is kept of it.
pub(super) async fn page<S, T>(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    uri: &Uri,
    what: &str,
    all: impl Fn(&Organization) -> Vec<(u64, S)>,
    take: impl Fn(&Organization, S) -> T,
) -> Result<Page<T>, Problem> {
    let needed = Permission::ReadCompliance;
    let list = List { organization, needed, uri, what, has_past: false };
    held::page(app, caller, list, |state| Some(all(state)), take).await
}
