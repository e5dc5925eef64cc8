//! Hostnames under which a project is reached. That a hostname leads there is for its owner to see to.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use events::id::{DomainId, ProjectId};
use events::kept::Kept;
use events::organization::Organization;
use events::permission::Permission;
use events::project::Command;
use events::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::execute;
use crate::http::answer;
use crate::http::authentication::Caller;
use crate::http::document::{
    OrganizationCommands, OrganizationReads, SubscribedCommands, Unmodified,
};
use crate::http::held::{self, List, NoFields};
use crate::http::organization::Meant;
use crate::http::problem::{Code, FieldError, Problem};
use crate::http::request::{Authenticated, PathNames};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(add_domain, list_domains))
        .routes(routes!(show_domain, remove_domain))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Domain {
    #[schema(value_type = String, example = "dom_01h2xcejqtf2nbrexx3vqjhp41")]
    id: DomainId,
    #[schema(example = "db.example.com")]
    hostname: String,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DomainList {
    domains: Vec<Domain>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DomainBody {
    /// At least two labels of letters, digits and hyphens.
    #[schema(example = "db.example.com")]
    hostname: String,
}

impl DomainBody {
    fn hostname(self) -> Result<String, Problem> {
        let hostname = self.hostname.trim().trim_end_matches('.').to_ascii_lowercase();
        let is_label = |label: &str| {
            let is_sound = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            (1..=63).contains(&label.len())
                && label.bytes().all(is_sound)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let labels: Vec<&str> = hostname.split('.').collect();
        // an address is no name
        let is_name = labels.last().is_some_and(|last| !last.bytes().all(|b| b.is_ascii_digit()));
        if labels.len() < 2 || hostname.len() > 253 || !is_name || !labels.into_iter().all(is_label)
        {
            let detail = "must be a hostname like db.example.com".to_owned();
            let field = "hostname".to_owned();
            return Err(Problem::invalid(vec![FieldError { field, detail }]));
        }
        Ok(hostname)
    }
}

type Found = (DomainId, Kept<String>);

fn view(
    state: &Organization,
    project: Option<ProjectId>,
    domain: Option<DomainId>,
) -> Option<(u64, Found)> {
    let kept = state.project(project?)?.content.domains.get(&domain?)?.clone();
    Some((kept.changed_version, (domain?, kept)))
}

fn shown((id, kept): &Found) -> Domain {
    Domain { id: *id, hostname: kept.content.clone(), created_at: kept.created_at }
}

#[utoipa::path(post, path = "/projects/{project}/domains", operation_id = "addDomain",
    tag = "databases", params(("project" = String, Path)), request_body = DomainBody,
    responses((status = 201, body = Domain), SubscribedCommands))]
async fn add_domain(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let (project, domain) = (names.id("project"), execute::database::domain(&app, &order));
    let command = || {
        let project = project.ok_or(Problem::new(Code::NotFound))?;
        let hostname = submission.json::<DomainBody>()?.hostname()?;
        Ok(Command::AddDomain { project, domain, hostname })
    };
    let needed = Permission::ManageDatabases;
    let view = |state: &Organization| view(state, project, Some(domain));
    let done = held::command(&app, &caller, organization, needed, &order, command, view).await?;
    let (version, found) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    Ok(held::tagged(StatusCode::CREATED, *version, &done, shown(found)))
}

#[utoipa::path(get, path = "/projects/{project}/domains", operation_id = "listDomains",
    tag = "databases",
    params(("project" = String, Path), ("page_size" = Option<usize>, Query),
        ("page_token" = Option<String>, Query)),
    responses((status = 200, body = DomainList), OrganizationReads))]
async fn list_domains(
    State(app): State<Arc<App>>,
    names: PathNames,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let project: Option<ProjectId> = names.id("project");
    let (needed, what) = (Permission::ReadDatabases, format!("domains of {project:?}"));
    let list = List { organization, needed, uri: &uri, what: &what, has_past: false };
    let all = |state: &Organization| {
        let all = &state.project(project?)?.content.domains;
        Some(all.iter().map(|(id, it)| (it.created_version, *id)).collect())
    };
    let take = |state: &Organization, id| view(state, project, Some(id));
    let page = held::page(&app, &caller, list, all, take).await?;
    let domains = page.items.iter().flatten().map(|(_, found)| shown(found)).collect();
    let next_page_token = page.next(&app);
    let next = next_page_token.clone();
    Ok(page.answered(&uri, next.as_deref(), DomainList { domains, next_page_token }))
}

#[utoipa::path(get, path = "/projects/{project}/domains/{domain}", operation_id = "showDomain",
    tag = "databases", params(("project" = String, Path), ("domain" = String, Path)),
    responses((status = 200, body = Domain), Unmodified, OrganizationReads))]
async fn show_domain(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let needed = Permission::ReadDatabases;
    let view = |state: &Organization| view(state, names.id("project"), names.id("domain"));
    let seen = held::one(&app, &caller, organization, needed, &uri, view).await?;
    Ok(seen.known(&headers).unwrap_or_else(|| seen.answered(shown(&seen.thing))))
}

#[utoipa::path(delete, path = "/projects/{project}/domains/{domain}",
    operation_id = "removeDomain", tag = "databases",
    params(("project" = String, Path), ("domain" = String, Path)),
    responses((status = 204), OrganizationCommands))]
async fn remove_domain(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let command = || {
        let project = names.id("project").ok_or(Problem::new(Code::NotFound))?;
        let domain = names.id("domain").ok_or(Problem::new(Code::NotFound))?;
        let NoFields {} = submission.json_or_empty()?;
        Ok(Command::RemoveDomain { project, domain })
    };
    let needed = Permission::ManageDatabases;
    let done = held::command(&app, &caller, organization, needed, &order, command, |_| ()).await?;
    Ok(answer::gone(&done))
}
