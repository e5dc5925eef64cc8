//! Access reviews: who has access is looked at as a whole, and of each member and token it is decided
//! whether they keep it. A decision removes nobody: that is done by the usual commands, and packets
//! tell whether it was. While a review is open it shows who is gone meanwhile, so it has no tag.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use events::access_review::{
    self, Access, Command, Decision, Item, MOST_DECISIONS, Review, Reviewed, Verdict, is_there,
};
use events::id::ReviewId;
use events::organization::Organization;
use events::permission::Role;
use events::recorded::Actor;
use events::time::Time;
use events::token;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::authentication::Caller;
use super::check::Checks;
use super::document::{OrganizationCommands, OrganizationReads, Unmodified};
use super::organization::Meant;
use super::problem::{Code, Problem};
use super::request::{Authenticated, Parameters, PathNames};
use super::{answer, etag, stated};
use crate::execute::Done;
use crate::{App, execute, query};

const LONGEST_REASON: usize = 500;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(start_access_review, list_access_reviews))
        .routes(routes!(show_access_review))
        .routes(routes!(decide_access_review))
        .routes(routes!(complete_access_review))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AccessReview {
    #[schema(value_type = String, example = "rev_01h2xcejqtf2nbrexx3vqjhp41")]
    id: ReviewId,
    /// `open` or `completed`.
    #[schema(example = "open")]
    status: &'static str,
    /// Who had access then is reviewed.
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    as_of: Time,
    #[schema(value_type = String, example = "usr_01h2xcejqtf2nbrexx3vqjhp41")]
    started_by: Actor,
    members: usize,
    tokens: usize,
    /// How many still need a decision.
    undecided: usize,
    #[schema(value_type = Option<String>)]
    completed_at: Option<Time>,
    #[schema(value_type = Option<String>)]
    completed_by: Option<Actor>,
    /// Left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Vec<ReviewedItem>>,
}

/// A member or a token as it was when the review began.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReviewedItem {
    /// The id of a user or of a token.
    #[schema(value_type = String, example = "usr_01h2xcejqtf2nbrexx3vqjhp41")]
    item: Item,
    /// Of a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "developer")]
    role: Option<Role>,
    /// Of a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_name: Option<String>,
    /// Of a token: `personal` or `organization`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    token_kind: Option<token::Kind>,
    /// Of a token: whose it is, or who made the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    owner: Option<events::id::AccountId>,
    /// It has no access any more, and needs no decision. Not told of a review that is complete.
    is_gone: Option<bool>,
    /// `keep`, `remove` or `change`.
    #[schema(value_type = Option<String>, example = "keep")]
    decision: Option<Decision>,
    reason: Option<String>,
    #[schema(value_type = Option<String>)]
    decided_at: Option<Time>,
    #[schema(value_type = Option<String>)]
    decided_by: Option<Actor>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AccessReviewList {
    access_reviews: Vec<AccessReview>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A review, and what of it is gone while it is open.
type View = Option<(ReviewId, Review, BTreeSet<Item>)>;

fn view(state: &Organization, review: Option<ReviewId>, now: Time) -> View {
    let id = review?;
    let review = state.declared().review(id)?.clone();
    let gone = match review.completed {
        Some(_) => BTreeSet::new(),
        None => review.items.keys().copied().filter(|it| !is_there(state, *it, now)).collect(),
    };
    Some((id, review, gone))
}

fn summary(id: ReviewId, review: &Review, gone: &BTreeSet<Item>) -> AccessReview {
    let is_open = review.completed.is_none();
    let is_member = |item: &&Item| matches!(item, Item::Member(_));
    let members = review.items.keys().filter(is_member).count();
    let needs_one = |(item, reviewed): &(&Item, &Reviewed)| {
        is_open && reviewed.decided.is_none() && !gone.contains(item)
    };
    AccessReview {
        id,
        status: if is_open { "open" } else { "completed" },
        as_of: review.as_of,
        started_by: review.started_by,
        members,
        tokens: review.items.len() - members,
        undecided: review.items.iter().filter(needs_one).count(),
        completed_at: review.completed.map(|(at, _)| at),
        completed_by: review.completed.map(|(_, by)| by),
        items: None,
    }
}

async fn shown(
    app: &App,
    id: ReviewId,
    review: &Review,
    gone: &BTreeSet<Item>,
) -> Result<AccessReview, Problem> {
    let mut items = Vec::with_capacity(review.items.len());
    for (item, reviewed) in &review.items {
        let decided = reviewed.decided.as_ref();
        let reason = match decided {
            None => None,
            Some(decided) => answer::shown(query::opened(app, decided.reason.sealed()).await?),
        };
        let (role, token) = match &reviewed.access {
            Access::Member { role } => (Some(*role), None),
            Access::Token { kind, owner, name } => (None, Some((*kind, *owner, name.clone()))),
        };
        items.push(ReviewedItem {
            item: *item,
            role,
            token_kind: token.as_ref().map(|(kind, ..)| *kind),
            owner: token.as_ref().and_then(|(_, owner, _)| *owner),
            token_name: token.map(|(.., name)| name),
            is_gone: review.completed.is_none().then(|| gone.contains(item)),
            decision: decided.map(|decided| decided.decision),
            reason,
            decided_at: decided.map(|decided| decided.at),
            decided_by: decided.map(|decided| decided.by),
        });
    }
    Ok(AccessReview { items: Some(items), ..summary(id, review, gone) })
}

async fn answered(app: &App, status: StatusCode, done: &Done<View>) -> Result<Response, Problem> {
    let (id, review, gone) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    Ok(answer::command(status, done, shown(app, *id, review, gone).await?))
}

/// Begins a review of everybody who has access now.
#[utoipa::path(post, path = "/access-reviews", operation_id = "startAccessReview",
    tag = "compliance",
    responses((status = 201, body = AccessReview), OrganizationCommands))]
async fn start_access_review(
    State(app): State<Arc<App>>,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let review = execute::stated::review(&app, &order);
    let clock = &app.clock;
    let command = || {
        let stated::NoFields {} = submission.json_or_empty()?;
        Ok(move |_: &Organization| Command::Start { review, at: clock.now() })
    };
    let view = |state: &Organization| view(state, Some(review), caller.principal.now);
    let done = stated::order(&app, &caller, organization, &order, command, view).await?;
    answered(&app, StatusCode::CREATED, &done).await
}

/// Lists the reviews without what they review, the newest first.
#[utoipa::path(get, path = "/access-reviews", operation_id = "listAccessReviews",
    tag = "compliance",
    params(("page_size" = Option<usize>, Query), ("page_token" = Option<String>, Query)),
    responses((status = 200, body = AccessReviewList), OrganizationReads))]
async fn list_access_reviews(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let now = caller.principal.now;
    let all = |state: &Organization| {
        let all = state.declared().reviews();
        all.map(|(id, it)| (it.created_version, id)).collect()
    };
    let take = |state: &Organization, id| view(state, Some(id), now);
    let page = stated::page(&app, &caller, organization, &uri, "access reviews", all, take).await?;
    let found = page.items.iter().flatten();
    let access_reviews = found.map(|(id, review, gone)| summary(*id, review, gone)).collect();
    let next_page_token = page.next(&app);
    let next = next_page_token.clone();
    let body = AccessReviewList { access_reviews, next_page_token };
    Ok(page.answered(&uri, next.as_deref(), body))
}

/// Shows a review with all that it reviews. Only one that is complete has an `ETag`.
#[utoipa::path(get, path = "/access-reviews/{review}", operation_id = "showAccessReview",
    tag = "compliance", params(("review" = String, Path)),
    responses((status = 200, body = AccessReview), Unmodified, OrganizationReads))]
async fn show_access_review(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let now = caller.principal.now;
    let found = |state: &Organization| view(state, names.id("review"), now);
    let found = stated::read(&app, &caller, organization, found).await?;
    Parameters::of(&uri, &[])?;
    let (id, review, gone) = found.ok_or(Problem::new(Code::NotFound))?;
    let version = review.changed_version;
    if review.completed.is_none() {
        return Ok(Json(shown(&app, id, &review, &gone).await?).into_response());
    }
    if let Some(known) = etag::not_modified(&headers, version) {
        return Ok(known);
    }
    let body = Json(shown(&app, id, &review, &gone).await?);
    Ok(etag::tagged(version, body.into_response()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecisionsBody {
    /// 1 to 100; all of them are taken, or none.
    decisions: Vec<DecisionBody>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = AccessDecision)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecisionBody {
    /// The id of a user or of a token.
    #[schema(example = "usr_01h2xcejqtf2nbrexx3vqjhp41")]
    item: String,
    /// `keep`, `remove` or `change`; the last one counts.
    #[schema(value_type = String, example = "keep")]
    decision: Decision,
    /// 1 to 500 characters.
    reason: Option<String>,
}

impl DecisionsBody {
    fn verdicts(self) -> Result<Vec<Verdict>, Problem> {
        let mut errors = Vec::new();
        let mut checks = Checks::new(&mut errors);
        if !(1..=MOST_DECISIONS).contains(&self.decisions.len()) {
            checks.wrong("decisions", "must have 1 to 100 entries");
            return Err(Problem::invalid(errors));
        }
        let mut verdicts: Vec<Verdict> = Vec::with_capacity(self.decisions.len());
        for (place, DecisionBody { item, decision, reason }) in
            self.decisions.into_iter().enumerate()
        {
            let field = format!("decisions[{place}].item");
            checks.text(&format!("decisions[{place}].reason"), reason.as_deref(), LONGEST_REASON);
            match item.parse::<Item>() {
                Err(_) => checks.wrong(&field, "must be the id of a user or of a token"),
                Ok(item) if verdicts.iter().any(|other| other.item == item) => {
                    checks.wrong(&field, "is there already");
                }
                Ok(item) => verdicts.push(Verdict { item, decision, reason }),
            }
        }
        if errors.is_empty() { Ok(verdicts) } else { Err(Problem::invalid(errors)) }
    }
}

/// Decides who keeps their access. Nobody loses it by that.
#[utoipa::path(post, path = "/access-reviews/{review}/decide",
    operation_id = "decideAccessReview", tag = "compliance",
    params(("review" = String, Path)), request_body = DecisionsBody,
    responses((status = 200, body = AccessReview), OrganizationCommands))]
async fn decide_access_review(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let named = names.id("review");
    let command = || {
        let review = named.ok_or(Problem::new(Code::NotFound))?;
        let verdicts = submission.json::<DecisionsBody>()?.verdicts()?;
        Ok(move |_: &Organization| access_review::Command::Decide {
            review,
            verdicts: verdicts.clone(),
        })
    };
    let view = |state: &Organization| view(state, named, caller.principal.now);
    let done = stated::order(&app, &caller, organization, &order, command, view).await?;
    answered(&app, StatusCode::OK, &done).await
}

/// Ends a review of which everything is decided.
#[utoipa::path(post, path = "/access-reviews/{review}/complete",
    operation_id = "completeAccessReview", tag = "compliance",
    params(("review" = String, Path)),
    responses((status = 200, body = AccessReview), OrganizationCommands))]
async fn complete_access_review(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let named = names.id("review");
    let clock = &app.clock;
    let command = || {
        let review = named.ok_or(Problem::new(Code::NotFound))?;
        let stated::NoFields {} = submission.json_or_empty()?;
        Ok(move |_: &Organization| Command::Complete { review, at: clock.now() })
    };
    let view = |state: &Organization| view(state, named, caller.principal.now);
    let done = stated::order(&app, &caller, organization, &order, command, view).await?;
    answered(&app, StatusCode::OK, &done).await
}
