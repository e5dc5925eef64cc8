//! Members of an organization: list and show them, change roles, end memberships.
//!
//! A member is named by the account (`usr_…`) or by the membership (`mem_…`). Ending one's own
//! membership is leaving, whichever route is taken. Who may not manage members is told so before
//! the member or the body is looked at.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use events::id::{AccountId, InvalidId, MembershipId, OrganizationId};
use events::membership::Command;
use events::permission::{Permission, Role};
use events::personal::Sealed;
use events::time::Time;
use projections::member_list;
use projections::person::Person;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::authentication::Caller;
use super::document::{AsOf, OrganizationCommands, OrganizationReads, Unmodified};
use super::organization::{active, named};
use super::problem::{Code, FieldError, Problem};
use super::request::{
    AS_OF, Authenticated, OrganizationPath, Paging, Parameters, PathNames, Submission,
};
use super::{answer, etag};
use crate::access::{Access, Denied, Refusal};
use crate::execute::Done;
use crate::{App, execute, identity, query, session_activity};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_members))
        .routes(routes!(list_active_members))
        .routes(routes!(show_member, change_role, remove_member))
        .routes(routes!(show_active_member, change_active_role, remove_active_member))
        .routes(routes!(leave_organization))
        .routes(routes!(leave_active_organization))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Member {
    #[schema(value_type = String, example = "mem_01h2xcejqtf2nbrexx3vqjhp41")]
    id: MembershipId,
    #[schema(value_type = String, example = "usr_01h2xcejqtf2nbrexx3vqjhp41")]
    user_id: AccountId,
    user: MemberUser,
    #[schema(value_type = String, example = "developer")]
    role: Role,
    two_factor_enabled: bool,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    joined_at: Time,
    /// When a session of the user was last used, to the minute; not for requests with a password.
    #[schema(value_type = Option<String>)]
    last_active_at: Option<Time>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct MemberUser {
    #[schema(value_type = String, example = "usr_01h2xcejqtf2nbrexx3vqjhp41")]
    id: AccountId,
    email: Option<String>,
    name: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct MemberList {
    members: Vec<Member>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    /// With `as_of`: which version of the organization this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of_version: Option<u64>,
}

/// Which member a path means.
#[derive(Clone, Copy)]
enum Named {
    Account(AccountId),
    Membership(MembershipId),
}

impl FromStr for Named {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.starts_with(MembershipId::PREFIX) {
            text.parse().map(Self::Membership)
        } else {
            text.parse().map(Self::Account)
        }
    }
}

impl Named {
    fn account_in(self, organization: &events::organization::Organization) -> Option<AccountId> {
        match self {
            Self::Account(account) => organization.role_of(account).map(|_| account),
            Self::Membership(membership) => organization.account_of(membership),
        }
    }
}

fn member_named(names: &PathNames) -> Result<Named, Problem> {
    // what is written there is no member of any organization
    names.id("member").ok_or(Problem::new(Code::NotFound))
}

#[utoipa::path(get, path = "/organizations/{org}/members", operation_id = "listMembers",
    tag = "members",
    params(("org" = String, Path, description = "id or slug"),
        ("page_size" = Option<usize>, Query), ("page_token" = Option<String>, Query), AsOf),
    responses((status = 200, body = MemberList), OrganizationReads))]
async fn list_members(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    org: OrganizationPath,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let organization = named(&app, &headers, &org).await?;
    list(&app, &caller, organization, &uri).await
}

#[utoipa::path(get, path = "/organization/members", operation_id = "listActiveMembers",
    tag = "members",
    params(("page_size" = Option<usize>, Query), ("page_token" = Option<String>, Query), AsOf),
    responses((status = 200, body = MemberList), OrganizationReads))]
async fn list_active_members(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let organization = active(&app, &caller, &headers).await?;
    list(&app, &caller, organization, &uri).await
}

async fn list(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    uri: &Uri,
) -> Result<Response, Problem> {
    let account = caller.identity.account;
    let access = Access::check(app, account, organization, Permission::ReadOrganization).await?;
    let parameters = Parameters::of(uri, &[Paging::PARAMETERS.as_slice(), &[AS_OF]].concat())?;
    let view = query::View::of(app, &access, parameters.as_of()?).await?;
    let as_of_version = view.version();
    let list = match as_of_version {
        None => format!("members of {organization}"),
        Some(version) => format!("members of {organization} as of {version}"),
    };
    let paging = Paging::read(app, &parameters, &list)?;
    let page = query::member_list::list(app, &view, &access, &paging.after, paging.size).await?;
    let accounts: Vec<AccountId> = page.items.iter().map(|(member, _)| member.account).collect();
    // when somebody was last seen is no event, so of the past it is not known
    let seen = match as_of_version {
        None => session_activity::last_seen(app, &accounts).await?,
        Some(_) => HashMap::new(),
    };
    let mut members = Vec::with_capacity(page.items.len());
    for (member, person) in page.items {
        let last_active_at = seen.get(&member.account).copied();
        members.push(shown(app, member, person.as_ref(), last_active_at).await?);
    }
    let next_page_token = page.next.map(|next| query::page_token::write(app, &list, &next));
    let next = next_page_token.clone();
    let body = MemberList { members, next_page_token, as_of_version };
    Ok(match as_of_version {
        None => answer::page(uri.path(), paging.size, next.as_deref(), body),
        Some(version) => {
            answer::page_as_of(version, uri.path(), paging.size, next.as_deref(), body)
        }
    })
}

async fn shown(
    app: &App,
    member: member_list::Member,
    person: Option<&Person>,
    last_active_at: Option<Time>,
) -> Result<Member, Problem> {
    let email = person.and_then(|person| person.email.as_ref());
    let name = person.and_then(|person| person.name.as_ref());
    let user = user(app, member.account, email, name).await?;
    Ok(described(member.id, member.role, member.joined_at, user, last_active_at))
}

async fn last_seen(app: &App, account: AccountId) -> Result<Option<Time>, Problem> {
    Ok(session_activity::last_seen(app, &[account]).await?.remove(&account))
}

async fn user(
    app: &App,
    id: AccountId,
    email: Option<&Sealed>,
    name: Option<&Sealed>,
) -> Result<MemberUser, Problem> {
    let email = answer::shown(query::opened(app, email).await?);
    let name = answer::shown(query::opened(app, name).await?);
    Ok(MemberUser { id, email, name })
}

fn described(
    id: MembershipId,
    role: Role,
    joined_at: Time,
    user: MemberUser,
    last_active_at: Option<Time>,
) -> Member {
    let user_id = user.id;
    // no account can have one yet
    let two_factor_enabled = false;
    Member { id, user_id, user, role, two_factor_enabled, joined_at, last_active_at }
}

#[utoipa::path(get, path = "/organizations/{org}/members/{member}", operation_id = "showMember",
    tag = "members",
    params(("org" = String, Path, description = "id or slug"),
        ("member" = String, Path, description = "id of the user or of the membership"), AsOf),
    responses((status = 200, body = Member), Unmodified, OrganizationReads))]
async fn show_member(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    org: OrganizationPath,
    names: PathNames,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let organization = named(&app, &headers, &org).await?;
    show(&app, &caller, organization, &names, &headers, &uri).await
}

#[utoipa::path(get, path = "/organization/members/{member}", operation_id = "showActiveMember",
    tag = "members",
    params(("member" = String, Path, description = "id of the user or of the membership"), AsOf),
    responses((status = 200, body = Member), Unmodified, OrganizationReads))]
async fn show_active_member(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    names: PathNames,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let organization = active(&app, &caller, &headers).await?;
    show(&app, &caller, organization, &names, &headers, &uri).await
}

async fn show(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    names: &PathNames,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<Response, Problem> {
    let (account, needed) = (caller.identity.account, Permission::ReadOrganization);
    let member: Option<Named> = names.id("member");
    let (access, found) = Access::seen(app, account, organization, needed, |state| {
        member.and_then(|member| member.account_in(state))
    })
    .await?;
    if let Some(moment) = Parameters::of(uri, &[AS_OF])?.as_of()? {
        let (state, version) = query::view::organization(app, &access, moment).await?;
        let then = member.and_then(|member| view(member)(&state));
        let (account, member) = then.ok_or(Problem::new(Code::NotFound))?;
        let body = described_as_today(app, account, &member, None).await?;
        return Ok(answer::as_of(version, body));
    }
    let found = found.ok_or(Problem::new(Code::NotFound))?;
    let (member, person) = query::member_list::show(app, &access, found).await?;
    let version = member.changed_version;
    if let Some(known) = etag::not_modified(headers, version) {
        return Ok(known);
    }
    let last_active_at = last_seen(app, found).await?;
    let body = Json(shown(app, member, person.as_ref(), last_active_at).await?);
    Ok(etag::tagged(version, body.into_response()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleBody {
    /// `owner`, `admin`, `developer`, `member` or `viewer`.
    #[schema(example = "developer")]
    role: String,
}

#[utoipa::path(patch, path = "/organizations/{org}/members/{member}", operation_id = "changeRole",
    tag = "members",
    params(("org" = String, Path, description = "id or slug"),
        ("member" = String, Path, description = "id of the user or of the membership")),
    request_body = RoleBody,
    responses((status = 200, body = Member), OrganizationCommands))]
async fn change_role(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    org: OrganizationPath,
    names: PathNames,
    Authenticated(caller, submission): Authenticated,
) -> Result<Response, Problem> {
    let organization = named(&app, &headers, &org).await?;
    change(&app, &caller, organization, &names, &submission).await
}

#[utoipa::path(patch, path = "/organization/members/{member}", operation_id = "changeActiveRole",
    tag = "members",
    params(("member" = String, Path, description = "id of the user or of the membership")),
    request_body = RoleBody,
    responses((status = 200, body = Member), OrganizationCommands))]
async fn change_active_role(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    names: PathNames,
    Authenticated(caller, submission): Authenticated,
) -> Result<Response, Problem> {
    let organization = active(&app, &caller, &headers).await?;
    change(&app, &caller, organization, &names, &submission).await
}

/// A member right after a command.
type View = Option<(AccountId, events::membership::Member)>;

fn view(member: Named) -> impl Fn(&events::organization::Organization) -> View {
    move |state| {
        let account = member.account_in(state)?;
        Some((account, state.member(account)?.clone()))
    }
}

async fn change(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    names: &PathNames,
    submission: &Submission,
) -> Result<Response, Problem> {
    let account = caller.identity.account;
    let order = submission.order(app, caller, Some(organization))?;
    let member = member_named(names);
    if let Ok(member) = &member {
        let view = view(*member);
        if let Some(done) = execute::organization_before(app, organization, &order, view).await? {
            return changed(app, &done).await;
        }
    }
    let needed = Permission::ManageMembers;
    let (_, found) = Access::seen(app, account, organization, needed, |state| {
        member.map(|member| member.account_in(state))
    })
    .await?;
    let member = found?.ok_or(Problem::new(Code::NotFound))?;
    let role = checked_role(&submission.json::<RoleBody>()?.role)?;
    let command = |_: &_| Command::ChangeRole { member, role };
    let view = view(Named::Account(member));
    let done = execute::organization(app, account, organization, &order, command, view).await?;
    changed(app, &done).await
}

async fn changed(app: &App, done: &Done<View>) -> Result<Response, Problem> {
    let (account, member) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    let last_active_at = last_seen(app, *account).await?;
    let body = described_as_today(app, *account, member, last_active_at).await?;
    Ok(etag::tagged(member.changed_version, answer::command(StatusCode::OK, done, body)))
}

/// Who it is is asked of the account itself, so that this needs no read model.
async fn described_as_today(
    app: &App,
    account: AccountId,
    member: &events::membership::Member,
    last_active_at: Option<Time>,
) -> Result<Member, Problem> {
    let person = identity::person(app, account).await?;
    let email = person.as_ref().and_then(|person| person.email.sealed());
    let name = person.as_ref().and_then(|person| person.name.sealed());
    let user = user(app, account, email, name).await?;
    Ok(described(member.id, member.role, member.joined_at, user, last_active_at))
}

fn checked_role(name: &str) -> Result<Role, Problem> {
    Role::named(name).ok_or_else(|| {
        let detail = "must be owner, admin, developer, member or viewer".to_owned();
        Problem::invalid(vec![FieldError { field: "role".to_owned(), detail }])
    })
}

#[utoipa::path(delete, path = "/organizations/{org}/members/{member}",
    operation_id = "removeMember", tag = "members",
    params(("org" = String, Path, description = "id or slug"),
        ("member" = String, Path, description = "id of the user or of the membership")),
    responses((status = 204), OrganizationCommands))]
async fn remove_member(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    org: OrganizationPath,
    names: PathNames,
    Authenticated(caller, submission): Authenticated,
) -> Result<Response, Problem> {
    let organization = named(&app, &headers, &org).await?;
    remove(&app, &caller, organization, &names, &submission).await
}

#[utoipa::path(delete, path = "/organization/members/{member}",
    operation_id = "removeActiveMember", tag = "members",
    params(("member" = String, Path, description = "id of the user or of the membership")),
    responses((status = 204), OrganizationCommands))]
async fn remove_active_member(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    names: PathNames,
    Authenticated(caller, submission): Authenticated,
) -> Result<Response, Problem> {
    let organization = active(&app, &caller, &headers).await?;
    remove(&app, &caller, organization, &names, &submission).await
}

async fn remove(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    names: &PathNames,
    submission: &Submission,
) -> Result<Response, Problem> {
    let account = caller.identity.account;
    let order = submission.order(app, caller, Some(organization))?;
    if let Some(done) = execute::organization_before(app, organization, &order, |_| ()).await? {
        return Ok(answer::gone(&done));
    }
    let member: Option<Named> = names.id("member");
    let needed = Permission::ReadOrganization;
    let (access, found) = Access::seen(app, account, organization, needed, |state| {
        member.and_then(|member| member.account_in(state))
    })
    .await?;
    if found != Some(account) && !access.role().may(Permission::ManageMembers) {
        return Err(Refusal::Denied(Denied { account, organization }).into());
    }
    let member = found.ok_or(Problem::new(Code::NotFound))?;
    let command = |_: &_| {
        if member == account { Command::Leave { member } } else { Command::Remove { member } }
    };
    let done = execute::organization(app, account, organization, &order, command, |_| ()).await?;
    Ok(answer::gone(&done))
}

/// Nothing is asked for, and nothing is left to show.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Leaving {}

#[utoipa::path(post, path = "/organizations/{org}/leave", operation_id = "leaveOrganization",
    tag = "members", params(("org" = String, Path, description = "id or slug")),
    request_body = Option<Leaving>,
    responses((status = 200, body = Leaving), OrganizationCommands))]
async fn leave_organization(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    org: OrganizationPath,
    Authenticated(caller, submission): Authenticated,
) -> Result<Response, Problem> {
    let organization = named(&app, &headers, &org).await?;
    leave(&app, &caller, organization, &submission).await
}

#[utoipa::path(post, path = "/organization/leave", operation_id = "leaveActiveOrganization",
    tag = "members", request_body = Option<Leaving>,
    responses((status = 200, body = Leaving), OrganizationCommands))]
async fn leave_active_organization(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Authenticated(caller, submission): Authenticated,
) -> Result<Response, Problem> {
    let organization = active(&app, &caller, &headers).await?;
    leave(&app, &caller, organization, &submission).await
}

async fn leave(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    submission: &Submission,
) -> Result<Response, Problem> {
    let account = caller.identity.account;
    let order = submission.order(app, caller, Some(organization))?;
    let before = execute::organization_before(app, organization, &order, |_| ()).await?;
    let done = match before {
        Some(done) => done,
        None => {
            Access::check(app, account, organization, Permission::Leave).await?;
            submission.json_or_empty::<Leaving>()?;
            let command = |_: &_| Command::Leave { member: account };
            execute::organization(app, account, organization, &order, command, |_| ()).await?
        }
    };
    Ok(answer::command(StatusCode::OK, &done, Leaving {}))
}
