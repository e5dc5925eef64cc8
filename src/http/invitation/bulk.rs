//! Many invitations in one request: one command, one idempotency key, and a result for each, also
//! for what is no invitation at all. A request that is denied in part is one denied attempt.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use events::id::{InvitationId, OrganizationId};
use events::invitation::{Draft, Refusal, refused};
use events::organization::Organization;
use events::permission::Permission;
use events::principal::Principal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Invitation, checked_role, with_link};
use crate::App;
use crate::access::{self, Access, Denied};
use crate::address::Address;
use crate::execute::invitation::{self, Invitee};
use crate::execute::{self, Order};
use crate::http::attempt::partly_denied;
use crate::http::document::OrganizationCommands;
use crate::http::organization::Meant;
use crate::http::problem::{FieldError, Problem};
use crate::http::request::{self, Authenticated};
use crate::http::{answer, checked};

/// Invitations in one request.
const MOST: usize = 100;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BulkBody {
    /// 1 to 100.
    #[schema(value_type = Vec<BulkItem>)]
    invitations: Vec<Value>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BulkItem {
    #[schema(example = "dora@example.org")]
    email: String,
    /// `member` unless said.
    #[schema(example = "viewer")]
    role: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BulkResults {
    /// In the order of the request.
    results: Vec<BulkResult>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BulkResult {
    /// Place in the request, counted from 0.
    index: usize,
    /// What a request for this one alone would have been answered.
    #[schema(example = 201)]
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation: Option<Invitation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<BulkError>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BulkError {
    #[schema(example = "already_invited")]
    code: &'static str,
    detail: String,
}

impl BulkResult {
    fn refused(index: usize, problem: &Problem) -> Self {
        let (status, code, detail) = problem.told();
        let error = Some(BulkError { code, detail });
        Self { index, status: status.as_u16(), invitation: None, error }
    }
}

/// What became of a draft: the invitation right after it was sent, or why it was not.
type Outcome = Result<events::invitation::Invitation, Refusal>;

/// Invites up to 100 addresses; each is sent, or told why it is not.
#[utoipa::path(post, path = "/invitations/bulk", operation_id = "createInvitations",
    tag = "invitations", request_body = BulkBody,
    responses((status = 200, body = BulkResults), OrganizationCommands))]
pub(super) async fn create_invitations(
    State(app): State<Arc<App>>,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let order = submission.order(&app, &caller, Some(organization))?;
    if execute::organization_before(&app, organization, &order, |_| ()).await?.is_none() {
        Access::check(&app, by, organization, Permission::ManageMembers).await?;
    }
    let body: BulkBody = submission.json()?;
    if !(1..=MOST).contains(&body.invitations.len()) {
        let detail = format!("must be 1 to {MOST} invitations");
        let field = "invitations".to_owned();
        return Err(Problem::invalid(vec![FieldError { field, detail }]));
    }
    let (drafts, mut results) = drafts(&app, &order, &body).await?;
    let outcomes = |state: &Organization| -> Vec<Outcome> {
        let now = app.clock.now();
        let outcome = |(_, draft): &(usize, Draft)| match state.invitation(draft.invitation) {
            Some(sent) => Ok(sent.clone()),
            None => Err(refused(state, draft, by, now)),
        };
        drafts.iter().map(outcome).collect()
    };
    let alone: Vec<Draft> = drafts.iter().map(|(_, draft)| draft.clone()).collect();
    let done = invitation::send_all(&app, by, organization, &order, &alone, outcomes).await?;
    for ((index, draft), outcome) in drafts.iter().zip(&done.answer) {
        results.push(result(&app, by, organization, *index, draft.invitation, outcome).await?);
    }
    results.sort_by_key(|result| result.index);
    let denied = done.answer.iter().find_map(|outcome| match outcome {
        Err(Refusal::Denied(because)) => Some(*because),
        Ok(_) | Err(Refusal::Rejected(_)) => None,
    });
    let denied = denied.filter(|_| !done.is_replayed);
    let response = answer::command(StatusCode::OK, &done, BulkResults { results });
    Ok(match denied {
        Some(because) => partly_denied(response, Denied { by: *by, organization, because }),
        None => response,
    })
}

/// What can be sent, each with its place in the request, and the results of what cannot.
async fn drafts(
    app: &App,
    order: &Order,
    body: &BulkBody,
) -> Result<(Vec<(usize, Draft)>, Vec<BulkResult>), Problem> {
    let mut drafts = Vec::with_capacity(body.invitations.len());
    let mut results = Vec::with_capacity(body.invitations.len());
    for (index, item) in body.invitations.iter().enumerate() {
        match invitee(item) {
            Ok(invitee) => {
                let id = invitation::id_of_many(app, order, index);
                drafts.push((index, invitation::draft(app, id, &invitee).await?));
            }
            Err(problem) => results.push(BulkResult::refused(index, &problem)),
        }
    }
    Ok((drafts, results))
}

fn invitee(item: &Value) -> Result<Invitee, Problem> {
    let BulkItem { email, role } = request::part(item)?;
    let mut errors = Vec::new();
    let address = checked("email", email.parse::<Address>(), &mut errors);
    let role = checked_role("role", role.as_deref(), &mut errors);
    match address.filter(|_| errors.is_empty()) {
        Some(address) => Ok(Invitee { address, role }),
        None => Err(Problem::invalid(errors)),
    }
}

async fn result(
    app: &App,
    by: &Principal,
    organization: OrganizationId,
    index: usize,
    id: InvitationId,
    outcome: &Outcome,
) -> Result<BulkResult, Problem> {
    Ok(match outcome {
        Ok(sent) => {
            let secret = invitation::copied_secret(app, id, sent.issue);
            let invitation = Some(with_link(app, id, sent, &secret).await?);
            BulkResult { index, status: StatusCode::CREATED.as_u16(), invitation, error: None }
        }
        Err(Refusal::Denied(because)) => {
            BulkResult::refused(index, &access::refused(by, organization, *because).into())
        }
        Err(Refusal::Rejected(rejection)) => {
            BulkResult::refused(index, &execute::Error::Invitation(*rejection).into())
        }
    })
}
