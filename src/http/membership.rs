//! Members of an organization: list and show them, change roles, end memberships.
//!
//! A member is named by the account (`usr_…`) or by the membership (`mem_…`). Ending one's own
//! membership is leaving, whichever route is taken. Who may not manage members is told so before
//! the member or the body is looked at.

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use events::id::{AccountId, InvalidId, MembershipId};
use events::membership::Command;
use events::permission::{Permission, Role};
use events::personal::Sealed;
use events::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::document::OrganizationCommands;
use super::etag::Version;
use super::organization::Meant;
use super::problem::{Code, FieldError, Problem};
use super::request::{Authenticated, PathNames};
use super::{answer, etag};
use crate::access::Access;
use crate::execute::Done;
use crate::{App, execute, identity, query, session_activity};

mod shown;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(shown::routes())
        .routes(routes!(change_role, remove_member))
        .routes(routes!(leave_organization))
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
    /// With `as_of`: which version of the organization this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of_version: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct MemberUser {
    #[schema(value_type = String, example = "usr_01h2xcejqtf2nbrexx3vqjhp41")]
    id: AccountId,
    email: Option<String>,
    name: Option<String>,
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
    two_factor_enabled: bool,
    last_active_at: Option<Time>,
) -> Member {
    let user_id = user.id;
    let as_of_version = None;
    Member { id, user_id, user, role, two_factor_enabled, joined_at, last_active_at, as_of_version }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleBody {
    /// `owner`, `admin`, `developer`, `member` or `viewer`.
    #[schema(example = "developer")]
    role: String,
}

/// A member right after a command.
type View = Option<(AccountId, events::membership::Member)>;

fn view(member: Named) -> impl Fn(&events::organization::Organization) -> View {
    move |state| {
        let account = member.account_in(state)?;
        Some((account, state.member(account)?.clone()))
    }
}

#[utoipa::path(patch, path = "/members/{member}", operation_id = "changeRole", tag = "members",
    params(("member" = String, Path, description = "id of the user or of the membership")),
    request_body = RoleBody,
    responses((status = 200, body = Member), OrganizationCommands))]
async fn change_role(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let order = submission.order(&app, &caller, Some(organization))?;
    let member = member_named(&names);
    let named = member.as_ref().ok().copied();
    let needed = Permission::ManageMembers;
    let seen = Access::seen(&app, by, organization, needed, |state| {
        member.map(|member| member.account_in(state))
    })
    .await;
    if let Some(named) = named {
        let view = view(named);
        if let Some(done) = execute::organization_before(&app, organization, &order, view).await? {
            return changed(&app, &done).await;
        }
    }
    let (_, found) = seen?;
    let member = found?.ok_or(Problem::new(Code::NotFound))?;
    let role = checked_role(&submission.json::<RoleBody>()?.role)?;
    let command = |_: &_| Command::ChangeRole { member, role };
    let view = view(Named::Account(member));
    let done = execute::organization(&app, by, organization, &order, command, view).await?;
    changed(&app, &done).await
}

async fn changed(app: &App, done: &Done<View>) -> Result<Response, Problem> {
    let (account, member) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    // asked of the account itself: the answer to a command needs no read model
    let person = identity::person(app, *account).await?;
    let email = person.as_ref().and_then(|person| person.email.sealed());
    let name = person.as_ref().and_then(|person| person.name.sealed());
    let user = user(app, *account, email, name).await?;
    let last_active_at = last_seen(app, *account).await?;
    let version =
        Version::with(member.changed_version, person.as_ref().map_or(0, |it| it.seen_version));
    let has_factor = person.is_some_and(|person| person.second_factor.is_some());
    let events::membership::Member { id, role, joined_at, .. } = member;
    let body = described(*id, *role, *joined_at, user, has_factor, last_active_at);
    Ok(etag::tagged(version, answer::command(StatusCode::OK, done, body)))
}

fn checked_role(name: &str) -> Result<Role, Problem> {
    Role::named(name).ok_or_else(|| {
        let detail = "must be owner, admin, developer, member or viewer".to_owned();
        Problem::invalid(vec![FieldError { field: "role".to_owned(), detail }])
    })
}

#[utoipa::path(delete, path = "/members/{member}", operation_id = "removeMember", tag = "members",
    params(("member" = String, Path, description = "id of the user or of the membership")),
    responses((status = 204), OrganizationCommands))]
async fn remove_member(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let order = submission.order(&app, &caller, Some(organization))?;
    let member: Option<Named> = names.id("member");
    let needed = Permission::Leave;
    let seen = Access::seen(&app, by, organization, needed, |state| {
        member.and_then(|member| member.account_in(state))
    })
    .await;
    if let Some(done) = execute::organization_before(&app, organization, &order, |_| ()).await? {
        return Ok(answer::gone(&done));
    }
    let (_, found) = seen?;
    let own = by.account();
    if found != own {
        Access::check(&app, by, organization, Permission::ManageMembers).await?;
    }
    let member = found.ok_or(Problem::new(Code::NotFound))?;
    let command = |_: &_| {
        if own == Some(member) { Command::Leave { member } } else { Command::Remove { member } }
    };
    let done = execute::organization(&app, by, organization, &order, command, |_| ()).await?;
    Ok(answer::gone(&done))
}

/// Nothing is asked for, and nothing is left to show.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Leaving {}

#[utoipa::path(post, path = "/leave", operation_id = "leaveOrganization", tag = "members",
    request_body = Option<Leaving>,
    responses((status = 200, body = Leaving), OrganizationCommands))]
async fn leave_organization(
    State(app): State<Arc<App>>,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let order = submission.order(&app, &caller, Some(organization))?;
    let access = Access::check(&app, by, organization, Permission::Leave).await;
    let before = execute::organization_before(&app, organization, &order, |_| ()).await?;
    let done = match before {
        Some(done) => done,
        None => {
            access?;
            submission.json_or_empty::<Leaving>()?;
            let member = caller.account()?;
            let command = |_: &_| Command::Leave { member };
            execute::organization(&app, by, organization, &order, command, |_| ()).await?
        }
    };
    Ok(answer::command(StatusCode::OK, &done, Leaving {}))
}
