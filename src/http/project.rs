//! Projects of an organization, with their domains and cache rules. Every member reads them; who may
//! create databases creates and changes them, owners and admins delete them.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use events::id::{OrganizationId, ProjectId};
use events::kept::Kept;
use events::organization::Organization;
use events::permission::Permission;
use events::plan::Catalogue;
use events::project::{self, Command};
use events::recorded::Actor;
use events::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer;
use super::authentication::Caller;
use super::check::Checks;
use super::database::regions;
use super::document::{
    AsOf, OrganizationCommands, OrganizationReads, SubscribedCommands, Unmodified,
};
use super::field::{given, present};
use super::held::{self, List, NoFields};
use super::organization::{self, Meant, is_named};
use super::problem::{Code, FieldError, Problem};
use super::request::{Authenticated, PathNames, Submission};
use super::setting::opened;
use crate::execute::{self, Done};
use crate::{App, access, query};

mod cache_rule;
mod domain;

const LONGEST_DESCRIPTION: usize = 500;
const MOST_TAGS: usize = 10;
const LONGEST_TAG: usize = 50;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(create_project, list_projects))
        .routes(routes!(show_project, update_project, delete_project))
        .merge(domain::routes())
        .merge(cache_rule::routes())
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Project {
    #[schema(value_type = String, example = "prj_01h2xcejqtf2nbrexx3vqjhp41")]
    id: ProjectId,
    #[schema(example = "Shop")]
    name: String,
    /// `erased` when its key is gone.
    description: Option<String>,
    #[schema(value_type = Vec<String>, example = json!(["shop"]))]
    tags: Value,
    /// Where its databases are that do not say otherwise.
    #[schema(example = "fsn1")]
    region: Option<String>,
    #[schema(value_type = String, example = "org_01h2xcejqtf2nbrexx3vqjhp41")]
    org_id: OrganizationId,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
    #[schema(value_type = String, example = "usr_01h2xcejqtf2nbrexx3vqjhp41")]
    created_by: Actor,
    /// With `as_of`: which version of the organization this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of_version: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectList {
    projects: Vec<Project>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    /// With `as_of`: which version of the organization this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of_version: Option<u64>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateProjectBody {
    /// 1 to 100 characters, unique in the organization.
    #[schema(example = "Shop")]
    name: String,
    /// 1 to 500 characters.
    description: Option<String>,
    /// At most 10, each 1 to 50 characters.
    #[serde(default)]
    #[schema(example = json!(["shop"]))]
    tags: Vec<String>,
    /// One that the organization's settings allow.
    #[schema(example = "fsn1")]
    region: Option<String>,
    /// Id or slug of the organization, on a path that names none.
    #[serde(default, rename = "org_id")]
    _org_id: Option<String>,
}

/// A field that is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateProjectBody {
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "Store")]
    name: Option<String>,
    /// `null` takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    /// `[]` takes them away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>)]
    tags: Option<Vec<String>>,
    /// `null` takes it away. Databases stay where they are.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    region: Option<Option<String>>,
}

fn check(
    description: Option<&String>,
    tags: &[String],
    region: Option<&String>,
    catalogue: &Catalogue,
    errors: &mut Vec<FieldError>,
) {
    let mut checks = Checks::new(errors);
    checks.text("description", description.map(String::as_str), LONGEST_DESCRIPTION);
    if tags.len() > MOST_TAGS {
        checks.wrong("tags", "must have 10 entries at most");
    }
    checks.texts("tags", tags, LONGEST_TAG);
    checks.one_of("region", region.map(String::as_str), &regions(catalogue));
}

/// No tags are kept as none.
fn kept_tags(tags: &[String]) -> Option<String> {
    let json = serde_json::to_string(tags).expect("a list of strings is always JSON");
    (!tags.is_empty()).then_some(json)
}

impl CreateProjectBody {
    fn command(self, project: ProjectId, catalogue: &Catalogue) -> Result<Command, Problem> {
        let mut errors = Vec::new();
        let name = organization::checked_name("name", self.name, &mut errors);
        let (description, region) = (self.description.as_ref(), self.region.as_ref());
        check(description, &self.tags, region, catalogue, &mut errors);
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let (description, tags, region) = (self.description, kept_tags(&self.tags), self.region);
        Ok(Command::Create { project, name, region, description, tags })
    }
}

impl UpdateProjectBody {
    fn command(self, project: ProjectId, catalogue: &Catalogue) -> Result<Command, Problem> {
        let mut errors = Vec::new();
        let name = self.name.map(|name| organization::checked_name("name", name, &mut errors));
        let description = self.description.as_ref().and_then(Option::as_ref);
        let tags = self.tags.as_deref().unwrap_or_default();
        let region = self.region.as_ref().and_then(Option::as_ref);
        check(description, tags, region, catalogue, &mut errors);
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let tags = self.tags.map(|tags| kept_tags(&tags));
        let (description, region) = (self.description, self.region);
        Ok(Command::Update { project, name, region, description, tags })
    }
}

type Found = (ProjectId, OrganizationId, Kept<project::Project>);

fn view(state: &Organization, project: Option<ProjectId>) -> Option<(u64, Found)> {
    let (id, organization) = (project?, state.profile()?.id);
    let kept = state.project(id)?.clone();
    Some((kept.changed_version, (id, organization, kept)))
}

async fn shown(app: &App, found: &Found, as_of_version: Option<u64>) -> Result<Project, Problem> {
    let (id, org_id, kept) = found;
    let project = &kept.content;
    let tags = opened(app, &project.tags).await?;
    Ok(Project {
        id: *id,
        name: project.name.clone(),
        description: answer::shown(query::opened(app, project.description.sealed()).await?),
        tags: tags.unwrap_or_else(|| Value::Array(vec![])),
        region: project.region.clone(),
        org_id: *org_id,
        created_at: kept.created_at,
        created_by: kept.created_by,
        as_of_version,
    })
}

async fn answered(
    app: &App,
    status: StatusCode,
    done: &Done<Option<(u64, Found)>>,
) -> Result<Response, Problem> {
    let (version, found) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    Ok(held::tagged(status, *version, done, shown(app, found, None).await?))
}

/// Creates a project. On a path that names no organization the body may.
#[utoipa::path(post, path = "/projects", operation_id = "createProject", tag = "databases",
    request_body = CreateProjectBody,
    responses((status = 201, body = Project), SubscribedCommands))]
async fn create_project(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    names: PathNames,
    Meant(Authenticated(caller, submission), usual): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let is_fixed = names.text("org").is_some() || is_named(&headers) || caller.bound_to.is_some();
    let organization = named_by_body(&app, &caller, &submission, usual, is_fixed).await?;
    let order = submission.order(&app, &caller, Some(organization))?;
    let id = execute::database::project(&app, &order);
    let catalogue = execute::catalogue(&app).await?;
    let command = || submission.json::<CreateProjectBody>()?.command(id, &catalogue);
    let needed = Permission::ManageDatabases;
    let view = |state: &Organization| view(state, Some(id));
    let done = held::command(&app, &caller, organization, needed, &order, command, view).await?;
    answered(&app, StatusCode::CREATED, &done).await
}

/// The organization that the body names, else the usual one. It must not contradict a header, the
/// path or the token.
async fn named_by_body(
    app: &App,
    caller: &Caller,
    submission: &Submission,
    usual: OrganizationId,
    is_fixed: bool,
) -> Result<OrganizationId, Problem> {
    let Some(named) = submission.text("org_id") else { return Ok(usual) };
    let named = query::organization_overview::resolve(app, &named).await?;
    let named = named.ok_or(Problem::new(Code::NotFound))?;
    if is_fixed && named != usual {
        // told to members only: to others it would tell whether there is such an organization
        let is_member = access::is_known(app, &caller.principal, named).await?;
        let is_contradictory = is_member || caller.bound_to.is_some();
        let code = if is_contradictory { Code::OrganizationMismatch } else { Code::NotFound };
        return Err(Problem::new(code));
    }
    Ok(named)
}

/// Lists the projects, the newest first.
#[utoipa::path(get, path = "/projects", operation_id = "listProjects", tag = "databases",
    params(("page_size" = Option<usize>, Query), ("page_token" = Option<String>, Query), AsOf),
    responses((status = 200, body = ProjectList), OrganizationReads))]
async fn list_projects(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let (needed, what) = (Permission::ReadDatabases, "projects");
    let list = List { organization, needed, uri: &uri, what, has_past: true };
    let all = |state: &Organization| {
        Some(state.projects().map(|(id, it)| (it.created_version, id)).collect())
    };
    let take = |state: &Organization, id| view(state, Some(id));
    let page = held::page(&app, &caller, list, all, take).await?;
    let mut projects = Vec::with_capacity(page.items.len());
    for (_, found) in page.items.iter().flatten() {
        projects.push(shown(&app, found, None).await?);
    }
    let (next_page_token, as_of_version) = (page.next(&app), page.as_of_version());
    let next = next_page_token.clone();
    let body = ProjectList { projects, next_page_token, as_of_version };
    Ok(page.answered(&uri, next.as_deref(), body))
}

#[utoipa::path(get, path = "/projects/{project}", operation_id = "showProject", tag = "databases",
    params(("project" = String, Path), AsOf),
    responses((status = 200, body = Project), Unmodified, OrganizationReads))]
async fn show_project(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let needed = Permission::ReadDatabases;
    let view = |state: &Organization| view(state, names.id("project"));
    let seen = held::one_at(&app, &caller, organization, needed, &uri, view).await?;
    if let Some(known) = seen.known(&headers) {
        return Ok(known);
    }
    let body = shown(&app, &seen.thing, seen.as_of_version).await?;
    Ok(seen.answered(body))
}

#[utoipa::path(patch, path = "/projects/{project}", operation_id = "updateProject",
    tag = "databases", params(("project" = String, Path)), request_body = UpdateProjectBody,
    responses((status = 200, body = Project), OrganizationCommands))]
async fn update_project(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let project = names.id("project");
    let catalogue = execute::catalogue(&app).await?;
    let command = || {
        let project = project.ok_or(Problem::new(Code::NotFound))?;
        submission.json::<UpdateProjectBody>()?.command(project, &catalogue)
    };
    let needed = Permission::ManageDatabases;
    let view = |state: &Organization| view(state, project);
    let done = held::command(&app, &caller, organization, needed, &order, command, view).await?;
    answered(&app, StatusCode::OK, &done).await
}

/// Deletes a project that has no databases, with its domains and cache rules.
#[utoipa::path(delete, path = "/projects/{project}", operation_id = "deleteProject",
    tag = "databases", params(("project" = String, Path)),
    responses((status = 204), OrganizationCommands))]
async fn delete_project(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let command = || {
        let project = names.id("project").ok_or(Problem::new(Code::NotFound))?;
        let NoFields {} = submission.json_or_empty()?;
        Ok(Command::Delete { project })
    };
    let needed = Permission::DeleteDatabases;
    let done = held::command(&app, &caller, organization, needed, &order, command, |_| ()).await?;
    Ok(answer::gone(&done))
}
