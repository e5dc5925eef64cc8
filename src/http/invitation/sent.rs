//! What members do with invitations: send, send again, withdraw, and see what became of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use events::id::{InvitationId, OrganizationId};
use events::invitation::Status;
use events::organization::Organization;
use events::permission::Permission;
use events::principal::Principal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Invitation, checked_role, email, with_link};
use crate::access::Access;
use crate::address::Address;
use crate::execute::invitation::{self, Invitee};
use crate::execute::{self, Done};
use crate::http::authentication::Caller;
use crate::http::document::{
    AsOf, InvitationCommands, OrganizationCommands, OrganizationReads, Unmodified,
};
use crate::http::organization::Meant;
use crate::http::problem::{Code, Problem};
use crate::http::request::{AS_OF, Authenticated, Paging, Parameters, PathNames};
use crate::http::{answer, checked, etag};
use crate::query::invitation_list::{Rows, Told};
use crate::{App, query};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InviteBody {
    #[schema(example = "dora@example.org")]
    email: String,
    /// `owner`, `admin`, `developer`, `member` or `viewer`; `member` unless said.
    #[schema(example = "member")]
    role: Option<String>,
}

/// What an answer shows of an invitation: as it was right after the command.
type View = Option<events::invitation::Invitation>;

fn view(invitation: InvitationId) -> impl Fn(&Organization) -> View {
    move |state| state.invitation(invitation).cloned()
}

/// Invites an e-mail address. The invited get a mail with a link, and the answer has another one to
/// hand on.
#[utoipa::path(post, path = "/invitations", operation_id = "createInvitation",
    tag = "invitations", request_body = InviteBody,
    responses((status = 201, body = Invitation), OrganizationCommands))]
pub(super) async fn create_invitation(
    State(app): State<Arc<App>>,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let order = submission.order(&app, &caller, Some(organization))?;
    let id = invitation::id(&app, &order);
    let before = execute::organization_before(&app, organization, &order, view(id)).await?;
    let done = match before {
        Some(done) => done,
        None => {
            Access::check(&app, by, organization, Permission::ManageMembers).await?;
            let invitee = invitee(submission.json()?)?;
            // asked before anything is kept of the address
            let to_grant = Permission::to_grant(invitee.role);
            Access::check(&app, by, organization, to_grant).await?;
            invitation::send(&app, by, organization, &order, &invitee, view(id)).await?
        }
    };
    answered(&app, StatusCode::CREATED, id, &done).await
}

fn invitee(body: InviteBody) -> Result<Invitee, Problem> {
    let mut errors = Vec::new();
    let address = checked("email", body.email.parse::<Address>(), &mut errors);
    let role = checked_role("role", body.role.as_deref(), &mut errors);
    let address = address.filter(|_| errors.is_empty());
    Ok(Invitee { address: address.ok_or_else(|| Problem::invalid(errors))?, role })
}

async fn answered(
    app: &App,
    status: StatusCode,
    id: InvitationId,
    done: &Done<View>,
) -> Result<Response, Problem> {
    let sent = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    let secret = invitation::copied_secret(app, id, sent.issue);
    let body = with_link(app, id, sent, &secret).await?;
    Ok(etag::tagged(sent.changed_version, answer::command(status, done, body)))
}

/// The path says it all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoFields {}

/// What is no id names nothing, but whoever may not even ask is told that first.
async fn named(
    app: &App,
    by: &Principal,
    organization: OrganizationId,
    id: Option<InvitationId>,
) -> Result<InvitationId, Problem> {
    if id.is_none() {
        Access::check(app, by, organization, Permission::ManageMembers).await?;
    }
    id.ok_or(Problem::new(Code::NotFound))
}

/// Sends an invitation again: with a new link, while the old one is dead, for another week.
#[utoipa::path(post, path = "/invitations/{invitation}/resend",
    operation_id = "resendInvitation", tag = "invitations", params(("invitation" = String, Path)),
    responses((status = 200, body = Invitation), InvitationCommands))]
pub(super) async fn resend_invitation(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let order = submission.order(&app, &caller, Some(organization))?;
    let id = named(&app, by, organization, names.id("invitation")).await?;
    let before = execute::organization_before(&app, organization, &order, view(id)).await?;
    let done = match before {
        Some(done) => done,
        None => {
            Access::check(&app, by, organization, Permission::ManageMembers).await?;
            let NoFields {} = submission.json_or_empty()?;
            invitation::resend(&app, by, organization, &order, id, view(id)).await?
        }
    };
    answered(&app, StatusCode::OK, id, &done).await
}

/// Withdraws an invitation that is pending.
#[utoipa::path(delete, path = "/invitations/{invitation}", operation_id = "cancelInvitation",
    tag = "invitations", params(("invitation" = String, Path)),
    responses((status = 204), InvitationCommands))]
pub(super) async fn cancel_invitation(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let order = submission.order(&app, &caller, Some(organization))?;
    let id = named(&app, by, organization, names.id("invitation")).await?;
    let before = execute::organization_before(&app, organization, &order, |_| ()).await?;
    let done = match before {
        Some(done) => done,
        None => {
            Access::check(&app, by, organization, Permission::ManageMembers).await?;
            let NoFields {} = submission.json_or_empty()?;
            invitation::cancel(&app, by, organization, &order, id).await?
        }
    };
    Ok(answer::gone(&done))
}

/// What a list may be asked for, in words for the document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is the documentation of `list`")]
pub(super) struct ListParameters {
    /// `pending`, `accepted`, `rejected`, `canceled` or `expired`; all unless said.
    status: Option<String>,
    /// 1 to 100.
    page_size: Option<usize>,
    page_token: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct InvitationList {
    invitations: Vec<Invitation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    /// With `as_of`: of which version of the organization these are.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of_version: Option<u64>,
}

/// The same by its other name.
#[derive(Serialize)]
struct InviteList {
    invites: Vec<Invitation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of_version: Option<u64>,
}

/// Lists invitations, the newest first.
#[utoipa::path(get, path = "/invitations", operation_id = "listInvitations",
    tag = "invitations", params(ListParameters, AsOf),
    responses((status = 200, body = InvitationList), OrganizationReads))]
pub(super) async fn list_invitations(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let access = Access::check(&app, by, organization, Permission::ManageMembers).await?;
    let parameters = Parameters::of(&uri, &["status", AS_OF, "page_size", "page_token"])?;
    // what the next page must be asked for, too
    let asked: Vec<_> = ["status", AS_OF]
        .into_iter()
        .filter_map(|name| Some((name, parameters.get(name)?)))
        .collect();
    let status = parameters.get("status").map(status).transpose()?;
    let list = format!("invitations of {organization} {asked:?}");
    let Paging { size, after } = Paging::read(&app, &parameters, &list)?;
    let view = Rows::of(&app, &access, parameters.as_of()?).await?;
    let page = query::invitation_list::list(&app, &view, &access, status, &after, size).await?;
    let mut invitations = Vec::with_capacity(page.items.len());
    for told in page.items {
        invitations.push(shown(&app, told).await?);
    }
    let next_page_token = page.next.map(|next| query::page_token::write(&app, &list, &next));
    let next = next_page_token.clone();
    let version = view.version();
    let response = if uri.path().ends_with("/invites") {
        let invites = invitations;
        dated(version, InviteList { invites, next_page_token, as_of_version: version })
    } else {
        dated(version, InvitationList { invitations, next_page_token, as_of_version: version })
    };
    let Some(token) = next else { return Ok(response) };
    let size = size.to_string();
    let paging = [("page_size", size.as_str()), ("page_token", token.as_str())];
    let query: Vec<_> = asked.into_iter().chain(paging).collect();
    Ok(answer::linked(response, uri.path(), &query))
}

/// An answer that names the version it is of, unless that is today's.
fn dated(version: Option<u64>, body: impl Serialize) -> Response {
    match version {
        Some(version) => answer::as_of(version, body),
        None => Json(body).into_response(),
    }
}

fn status(name: &str) -> Result<Status, Problem> {
    match name {
        "pending" => Ok(Status::Pending),
        "accepted" => Ok(Status::Accepted),
        "rejected" => Ok(Status::Rejected),
        "canceled" => Ok(Status::Canceled),
        "expired" => Ok(Status::Expired),
        _ => {
            let detail = "`status` is `pending`, `accepted`, `rejected`, `canceled` or `expired`";
            Err(Problem::with_detail(Code::InvalidParameter, detail))
        }
    }
}

#[utoipa::path(get, path = "/invitations/{invitation}", operation_id = "showInvitation",
    tag = "invitations", params(("invitation" = String, Path), AsOf),
    responses((status = 200, body = Invitation), Unmodified, OrganizationReads))]
pub(super) async fn show_invitation(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let access = Access::check(&app, by, organization, Permission::ManageMembers).await?;
    let moment = Parameters::of(&uri, &[AS_OF])?.as_of()?;
    let id = names.id("invitation").ok_or(Problem::new(Code::NotFound))?;
    let view = Rows::of(&app, &access, moment).await?;
    let (row, status) = query::invitation_list::show(&app, &view, &access, id).await?;
    let (version, recorded_status) = (row.changed_version, row.status);
    let body = shown(&app, (row, status)).await?;
    if let Some(version) = view.version() {
        return Ok(answer::as_of(version, Invitation { as_of_version: Some(version), ..body }));
    }
    if status != recorded_status {
        // its time is over, but no event has given it a version in which it is
        return Ok(Json(body).into_response());
    }
    if let Some(known) = etag::not_modified(&headers, version) {
        return Ok(known);
    }
    Ok(etag::tagged(version, Json(body).into_response()))
}

async fn shown(app: &App, (row, status): Told) -> Result<Invitation, Problem> {
    Ok(Invitation {
        id: row.id,
        email: email(app, row.email.as_ref()).await?,
        role: row.role,
        status,
        expires_at: row.expires_at,
        invited_by: row.sender,
        accept_url: None,
        created_at: row.created_at,
        as_of_version: None,
    })
}
