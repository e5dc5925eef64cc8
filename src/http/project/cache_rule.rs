//! For how long a project keeps the answers to one shape of query.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use events::id::{CacheRuleId, ProjectId};
use events::kept::Kept;
use events::organization::Organization;
use events::permission::Permission;
use events::project::{self, Command};
use events::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::execute::{self, Done};
use crate::http::answer;
use crate::http::authentication::Caller;
use crate::http::document::{OrganizationCommands, OrganizationReads, Unmodified};
use crate::http::held::{self, List, NoFields};
use crate::http::organization::Meant;
use crate::http::problem::{Code, FieldError, Problem};
use crate::http::request::{Authenticated, PathNames};

/// A week.
const LONGEST_SECONDS: u32 = 7 * 24 * 60 * 60;
const LONGEST_SHAPE: usize = 128;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(create_cache_rule, list_cache_rules)).routes(routes!(
        show_cache_rule,
        replace_cache_rule,
        remove_cache_rule
    ))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct CacheRule {
    #[schema(value_type = String, example = "crl_01h2xcejqtf2nbrexx3vqjhp41")]
    id: CacheRuleId,
    query_shape: String,
    ttl_seconds: u32,
    stale_seconds: u32,
    enabled: bool,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct CacheRuleList {
    cache_rules: Vec<CacheRule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CacheRuleBody {
    /// The fingerprint of the queries, without their values: 1 to 128 letters, digits and `-_.:`.
    #[schema(example = "a3f5c1")]
    query_shape: String,
    /// 1 to 604800.
    #[schema(example = 60)]
    ttl_seconds: u32,
    /// How much longer an old answer is given while a new one is fetched: 0 to 604800.
    #[serde(default)]
    stale_seconds: u32,
    #[serde(default = "yes")]
    enabled: bool,
}

fn yes() -> bool {
    true
}

impl CacheRuleBody {
    fn content(self) -> Result<project::CacheRule, Problem> {
        let mut errors = Vec::new();
        let mut wrong = |field: &str, detail: &str| {
            errors.push(FieldError { field: field.to_owned(), detail: detail.to_owned() });
        };
        let is_sound = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
        let length = self.query_shape.len();
        if !(1..=LONGEST_SHAPE).contains(&length) || !self.query_shape.bytes().all(is_sound) {
            wrong("query_shape", "must be 1 to 128 letters, digits and `-_.:`");
        }
        if !(1..=LONGEST_SECONDS).contains(&self.ttl_seconds) {
            wrong("ttl_seconds", "must be 1 to 604800");
        }
        if self.stale_seconds > LONGEST_SECONDS {
            wrong("stale_seconds", "must be 0 to 604800");
        }
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let Self { query_shape, ttl_seconds, stale_seconds, enabled: is_enabled } = self;
        Ok(project::CacheRule { query_shape, ttl_seconds, stale_seconds, is_enabled })
    }
}

type Found = (CacheRuleId, Kept<project::CacheRule>);

fn view(
    state: &Organization,
    project: Option<ProjectId>,
    rule: Option<CacheRuleId>,
) -> Option<(u64, Found)> {
    let kept = state.project(project?)?.content.cache_rules.get(&rule?)?.clone();
    Some((kept.changed_version, (rule?, kept)))
}

fn shown((id, kept): &Found) -> CacheRule {
    let project::CacheRule { query_shape, ttl_seconds, stale_seconds, is_enabled } = &kept.content;
    CacheRule {
        id: *id,
        query_shape: query_shape.clone(),
        ttl_seconds: *ttl_seconds,
        stale_seconds: *stale_seconds,
        enabled: *is_enabled,
        created_at: kept.created_at,
    }
}

fn answered(status: StatusCode, done: &Done<Option<(u64, Found)>>) -> Result<Response, Problem> {
    let (version, found) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    Ok(held::tagged(status, *version, done, shown(found)))
}

#[utoipa::path(post, path = "/projects/{project}/cache-rules", operation_id = "createCacheRule",
    tag = "databases", params(("project" = String, Path)), request_body = CacheRuleBody,
    responses((status = 201, body = CacheRule), OrganizationCommands))]
async fn create_cache_rule(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let (project, rule) = (names.id("project"), execute::database::cache_rule(&app, &order));
    let command = || {
        let project = project.ok_or(Problem::new(Code::NotFound))?;
        let content = submission.json::<CacheRuleBody>()?.content()?;
        Ok(Command::CreateCacheRule { project, rule, content })
    };
    let needed = Permission::ManageDatabases;
    let view = |state: &Organization| view(state, project, Some(rule));
    let done = held::command(&app, &caller, organization, needed, &order, command, view).await?;
    answered(StatusCode::CREATED, &done)
}

#[utoipa::path(get, path = "/projects/{project}/cache-rules", operation_id = "listCacheRules",
    tag = "databases",
    params(("project" = String, Path), ("page_size" = Option<usize>, Query),
        ("page_token" = Option<String>, Query)),
    responses((status = 200, body = CacheRuleList), OrganizationReads))]
async fn list_cache_rules(
    State(app): State<Arc<App>>,
    names: PathNames,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let project: Option<ProjectId> = names.id("project");
    let (needed, what) = (Permission::ReadDatabases, format!("cache rules of {project:?}"));
    let list = List { organization, needed, uri: &uri, what: &what, has_past: false };
    let all = |state: &Organization| {
        let all = &state.project(project?)?.content.cache_rules;
        Some(all.iter().map(|(id, it)| (it.created_version, *id)).collect())
    };
    let take = |state: &Organization, id| view(state, project, Some(id));
    let page = held::page(&app, &caller, list, all, take).await?;
    let cache_rules = page.items.iter().flatten().map(|(_, found)| shown(found)).collect();
    let next_page_token = page.next(&app);
    let next = next_page_token.clone();
    Ok(page.answered(&uri, next.as_deref(), CacheRuleList { cache_rules, next_page_token }))
}

#[utoipa::path(get, path = "/projects/{project}/cache-rules/{cache_rule}",
    operation_id = "showCacheRule", tag = "databases",
    params(("project" = String, Path), ("cache_rule" = String, Path)),
    responses((status = 200, body = CacheRule), Unmodified, OrganizationReads))]
async fn show_cache_rule(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let needed = Permission::ReadDatabases;
    let view = |state: &Organization| view(state, names.id("project"), names.id("cache_rule"));
    let seen = held::one(&app, &caller, organization, needed, &uri, view).await?;
    Ok(seen.known(&headers).unwrap_or_else(|| seen.answered(shown(&seen.thing))))
}

#[utoipa::path(put, path = "/projects/{project}/cache-rules/{cache_rule}",
    operation_id = "replaceCacheRule", tag = "databases",
    params(("project" = String, Path), ("cache_rule" = String, Path)), request_body = CacheRuleBody,
    responses((status = 200, body = CacheRule), OrganizationCommands))]
async fn replace_cache_rule(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let (project, rule) = (names.id("project"), names.id("cache_rule"));
    let command = || {
        let (project, rule) = project.zip(rule).ok_or(Problem::new(Code::NotFound))?;
        let content = submission.json::<CacheRuleBody>()?.content()?;
        Ok(Command::ReplaceCacheRule { project, rule, content })
    };
    let needed = Permission::ManageDatabases;
    let view = |state: &Organization| view(state, project, rule);
    let done = held::command(&app, &caller, organization, needed, &order, command, view).await?;
    answered(StatusCode::OK, &done)
}

#[utoipa::path(delete, path = "/projects/{project}/cache-rules/{cache_rule}",
    operation_id = "removeCacheRule", tag = "databases",
    params(("project" = String, Path), ("cache_rule" = String, Path)),
    responses((status = 204), OrganizationCommands))]
async fn remove_cache_rule(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let command = || {
        let project = names.id("project").ok_or(Problem::new(Code::NotFound))?;
        let rule = names.id("cache_rule").ok_or(Problem::new(Code::NotFound))?;
        let NoFields {} = submission.json_or_empty()?;
        Ok(Command::RemoveCacheRule { project, rule })
    };
    let needed = Permission::ManageDatabases;
    let done = held::command(&app, &caller, organization, needed, &order, command, |_| ()).await?;
    Ok(answer::gone(&done))
}
