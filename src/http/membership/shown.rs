//! Members as they are listed and shown, today or as they were.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use events::id::AccountId;
use events::permission::Permission;
use events::time::Time;
use projections::member_list;
use projections::person::Person;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Member, Named, described, last_seen, user};
use crate::access::Access;
use crate::http::authentication::Caller;
use crate::http::document::{AsOf, OrganizationReads, Unmodified};
use crate::http::etag::Version;
use crate::http::organization::Meant;
use crate::http::problem::{Code, Problem};
use crate::http::request::{AS_OF, Paging, Parameters, PathNames};
use crate::http::{answer, etag};
use crate::past::Moment;
use crate::query::View;
use crate::{App, query, session_activity};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_members)).routes(routes!(show_member))
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

#[utoipa::path(get, path = "/members", operation_id = "listMembers", tag = "members",
    params(("page_size" = Option<usize>, Query), ("page_token" = Option<String>, Query), AsOf),
    responses((status = 200, body = MemberList), OrganizationReads))]
async fn list_members(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let access = Access::check(&app, by, organization, Permission::ReadMembers).await?;
    let parameters = Parameters::of(&uri, &[Paging::PARAMETERS.as_slice(), &[AS_OF]].concat())?;
    let as_of = parameters.get(AS_OF).unwrap_or_default();
    let list = format!("members of {organization} as of {as_of:?}");
    let paging = Paging::read(&app, &parameters, &list)?;
    let view = View::of(&app, &access, parameters.as_of()?).await?;
    let Paging { after, size } = &paging;
    let page = query::member_list::list(&app, &view, &access, after, *size).await?;
    let accounts: Vec<AccountId> = page.items.iter().map(|(member, _)| member.account).collect();
    let as_of_version = view.version();
    let seen = match as_of_version {
        None => session_activity::last_seen(&app, &accounts).await?,
        // only the last time is known
        Some(_) => HashMap::new(),
    };
    let mut members = Vec::with_capacity(page.items.len());
    for (member, person) in page.items {
        let last_active_at = seen.get(&member.account).copied();
        members.push(shown(&app, member, person.as_ref(), last_active_at).await?);
    }
    let next_page_token = page.next.map(|next| query::page_token::write(&app, &list, &next));
    let next = next_page_token.clone();
    let body = MemberList { members, next_page_token, as_of_version };
    let Some(version) = as_of_version else {
        return Ok(answer::page(uri.path(), *size, next.as_deref(), body));
    };
    let answer = answer::as_of(version, body);
    let Some(next) = next else { return Ok(answer) };
    let size = size.to_string();
    let next = [("as_of", as_of), ("page_size", &size), ("page_token", &next)];
    Ok(answer::linked(answer, uri.path(), &next))
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
    let has_factor = person.is_some_and(|person| person.has_second_factor);
    Ok(described(member.id, member.role, member.joined_at, user, has_factor, last_active_at))
}

#[utoipa::path(get, path = "/members/{member}", operation_id = "showMember", tag = "members",
    params(("member" = String, Path, description = "id of the user or of the membership"), AsOf),
    responses((status = 200, body = Member), Unmodified, OrganizationReads))]
async fn show_member(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let (by, needed) = (&caller.principal, Permission::ReadMembers);
    let member: Option<Named> = names.id("member");
    let (access, found) = Access::seen(&app, by, organization, needed, |state| {
        member.and_then(|member| member.account_in(state))
    })
    .await?;
    if let Some(moment) = Parameters::of(&uri, &[AS_OF])?.as_of()? {
        let member = member.ok_or(Problem::new(Code::NotFound))?;
        return show_at(&app, &access, moment, member).await;
    }
    let found = found.ok_or(Problem::new(Code::NotFound))?;
    let view = View::of(&app, &access, None).await?;
    let (member, person) = query::member_list::show(&app, &view, &access, found).await?;
    let person_version = person.as_ref().map_or(0, |person| person.changed_version);
    let version = Version::with(member.changed_version, person_version);
    if let Some(known) = etag::not_modified(&headers, version.clone()) {
        return Ok(known);
    }
    let last_active_at = last_seen(&app, found).await?;
    let body = Json(shown(&app, member, person.as_ref(), last_active_at).await?);
    Ok(etag::tagged(version, body.into_response()))
}

async fn show_at(
    app: &App,
    access: &Access,
    moment: Moment,
    member: Named,
) -> Result<Response, Problem> {
    let account = match member {
        Named::Account(account) => Some(account),
        Named::Membership(id) => query::member_list::account_at(app, access, moment, id).await?,
    };
    let account = account.ok_or(Problem::new(Code::NotFound))?;
    let view = View::of(app, access, Some(moment)).await?;
    let (member, person) = query::member_list::show(app, &view, access, account).await?;
    let as_of_version = view.version();
    let body = Member { as_of_version, ..shown(app, member, person.as_ref(), None).await? };
    Ok(answer::as_of(as_of_version.unwrap_or_default(), body))
}
