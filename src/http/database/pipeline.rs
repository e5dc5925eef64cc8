//! What flows from or to a database, from where and whereto. Source and target may name what others
//! must not know, so they are sealed.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use events::database::part::{self, Command, Order, PipelineWish};
use events::id::{DatabaseId, PipelineId};
use events::kept::Kept;
use events::organization::Organization;
use events::permission::Permission;
use events::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::execute;
use crate::http::answer;
use crate::http::authentication::Caller;
use crate::http::check::Checks;
use crate::http::document::{OrganizationCommands, OrganizationReads, Unmodified};
use crate::http::held::{self, List, NoFields};
use crate::http::organization::Meant;
use crate::http::problem::{Code, Problem};
use crate::http::request::{Authenticated, PathNames};
use crate::http::setting::opened;
use crate::http::stated::written;

const LONGEST_END: usize = 500;
const LONGEST_SCHEDULE: usize = 100;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(create_pipeline, list_pipelines)).routes(routes!(
        show_pipeline,
        replace_pipeline,
        remove_pipeline
    ))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Pipeline {
    #[schema(value_type = String, example = "pip_01h2xcejqtf2nbrexx3vqjhp41")]
    id: PipelineId,
    #[schema(example = "to-warehouse")]
    name: String,
    #[schema(example = "orders")]
    source: Option<String>,
    #[schema(example = "warehouse")]
    target: Option<String>,
    /// `null`: whenever there is something new.
    #[schema(example = "0 3 * * *")]
    schedule: Option<String>,
    enabled: bool,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PipelineList {
    pipelines: Vec<Pipeline>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PipelineBody {
    /// 3 to 63 of `a-z 0-9 -`, unique in the database.
    #[schema(example = "to-warehouse")]
    name: String,
    /// 1 to 500 characters.
    #[schema(example = "orders")]
    source: String,
    /// 1 to 500 characters.
    #[schema(example = "warehouse")]
    target: String,
    /// Minute, hour, day, month and day of the week as cron writes them, in UTC; whenever there is
    /// something new, when left out.
    #[schema(example = "0 3 * * *")]
    schedule: Option<String>,
    #[serde(default = "yes")]
    enabled: bool,
}

fn yes() -> bool {
    true
}

impl PipelineBody {
    fn wish(self) -> Result<PipelineWish, Problem> {
        let mut errors = Vec::new();
        let mut checks = Checks::new(&mut errors);
        checks.name("name", &self.name);
        checks.text("source", Some(&self.source), LONGEST_END);
        checks.text("target", Some(&self.target), LONGEST_END);
        if self.schedule.as_deref().is_some_and(|schedule| !is_cron(schedule)) {
            checks.wrong("schedule", "must be five fields as cron writes them, like 0 3 * * *");
        }
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let ends = json!({ "source": self.source, "target": self.target }).to_string();
        let Self { name, schedule, enabled: is_enabled, .. } = self;
        Ok(PipelineWish { name, schedule, is_enabled, ends })
    }
}

/// Five fields of numbers in their ranges, each a list of `*`, a number or a range, with a step.
fn is_cron(text: &str) -> bool {
    let ranges = [0..=59, 0..=23, 1..=31, 1..=12, 0..=7];
    let fields: Vec<&str> = text.split(' ').collect();
    let is_field = |(field, range): (&&str, &std::ops::RangeInclusive<u32>)| {
        let is_number = |text: &str| {
            let is_written = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            is_written && text.parse().is_ok_and(|number| range.contains(&number))
        };
        let is_item = |item: &str| {
            let (item, step) = item.split_once('/').map_or((item, None), |(it, by)| (it, Some(by)));
            let is_stepped = step.is_none_or(|by| by != "0" && is_number_at_all(by));
            let is_sound = item == "*"
                || match item.split_once('-') {
                    Some((from, to)) => is_number(from) && is_number(to),
                    None => is_number(item),
                };
            is_stepped && is_sound
        };
        field.split(',').all(is_item)
    };
    text.len() <= LONGEST_SCHEDULE
        && fields.len() == ranges.len()
        && fields.iter().zip(&ranges).all(is_field)
}

fn is_number_at_all(text: &str) -> bool {
    (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

type Found = (PipelineId, Kept<part::Pipeline>);

fn view(
    state: &Organization,
    database: Option<DatabaseId>,
    pipeline: Option<PipelineId>,
) -> Option<(u64, Found)> {
    let kept = state.database(database?)?.content.parts.pipelines.get(&pipeline?)?.clone();
    Some((kept.changed_version, (pipeline?, kept)))
}

async fn shown(app: &App, (id, kept): &Found) -> Result<Pipeline, Problem> {
    let pipeline = &kept.content;
    let ends = opened(app, &pipeline.ends).await?;
    Ok(Pipeline {
        id: *id,
        name: pipeline.name.clone(),
        source: written(ends.as_ref(), "source"),
        target: written(ends.as_ref(), "target"),
        schedule: pipeline.schedule.clone(),
        enabled: pipeline.is_enabled,
        created_at: kept.created_at,
    })
}

#[utoipa::path(post, path = "/databases/{database}/pipelines", operation_id = "createPipeline",
    tag = "databases", params(("database" = String, Path)), request_body = PipelineBody,
    responses((status = 201, body = Pipeline), OrganizationCommands))]
async fn create_pipeline(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let (database, pipeline) = (names.id("database"), execute::database::pipeline(&app, &order));
    let command = || {
        let database = database.ok_or(Problem::new(Code::NotFound))?;
        let wish = submission.json::<PipelineBody>()?.wish()?;
        Ok(Command { database, order: Order::CreatePipeline { pipeline, wish } })
    };
    let needed = Permission::ManagePipelines;
    let view = |state: &Organization| view(state, database, Some(pipeline));
    let done = held::command(&app, &caller, organization, needed, &order, command, view).await?;
    let (version, found) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    Ok(held::tagged(StatusCode::CREATED, *version, &done, shown(&app, found).await?))
}

#[utoipa::path(get, path = "/databases/{database}/pipelines", operation_id = "listPipelines",
    tag = "databases",
    params(("database" = String, Path), ("page_size" = Option<usize>, Query),
        ("page_token" = Option<String>, Query)),
    responses((status = 200, body = PipelineList), OrganizationReads))]
async fn list_pipelines(
    State(app): State<Arc<App>>,
    names: PathNames,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let database: Option<DatabaseId> = names.id("database");
    let (needed, what) = (Permission::ReadPipelines, format!("pipelines of {database:?}"));
    let list = List { organization, needed, uri: &uri, what: &what, has_past: false };
    let all = |state: &Organization| {
        let all = &state.database(database?)?.content.parts.pipelines;
        Some(all.iter().map(|(id, it)| (it.created_version, *id)).collect())
    };
    let take = |state: &Organization, id| view(state, database, Some(id));
    let page = held::page(&app, &caller, list, all, take).await?;
    let mut pipelines = Vec::with_capacity(page.items.len());
    for (_, found) in page.items.iter().flatten() {
        pipelines.push(shown(&app, found).await?);
    }
    let next_page_token = page.next(&app);
    let next = next_page_token.clone();
    Ok(page.answered(&uri, next.as_deref(), PipelineList { pipelines, next_page_token }))
}

#[utoipa::path(get, path = "/databases/{database}/pipelines/{pipeline}", operation_id = "showPipeline",
    tag = "databases", params(("database" = String, Path), ("pipeline" = String, Path)),
    responses((status = 200, body = Pipeline), Unmodified, OrganizationReads))]
async fn show_pipeline(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let needed = Permission::ReadPipelines;
    let view = |state: &Organization| view(state, names.id("database"), names.id("pipeline"));
    let seen = held::one(&app, &caller, organization, needed, &uri, view).await?;
    if let Some(known) = seen.known(&headers) {
        return Ok(known);
    }
    let body = shown(&app, &seen.thing).await?;
    Ok(seen.answered(body))
}

#[utoipa::path(put, path = "/databases/{database}/pipelines/{pipeline}",
    operation_id = "replacePipeline", tag = "databases",
    params(("database" = String, Path), ("pipeline" = String, Path)), request_body = PipelineBody,
    responses((status = 200, body = Pipeline), OrganizationCommands))]
async fn replace_pipeline(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let (database, pipeline) = (names.id("database"), names.id("pipeline"));
    let command = || {
        let (database, pipeline) = database.zip(pipeline).ok_or(Problem::new(Code::NotFound))?;
        let wish = submission.json::<PipelineBody>()?.wish()?;
        Ok(Command { database, order: Order::ReplacePipeline { pipeline, wish } })
    };
    let needed = Permission::ManagePipelines;
    let view = |state: &Organization| view(state, database, pipeline);
    let done = held::command(&app, &caller, organization, needed, &order, command, view).await?;
    let (version, found) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    Ok(held::tagged(StatusCode::OK, *version, &done, shown(&app, found).await?))
}

#[utoipa::path(delete, path = "/databases/{database}/pipelines/{pipeline}",
    operation_id = "removePipeline", tag = "databases",
    params(("database" = String, Path), ("pipeline" = String, Path)),
    responses((status = 204), OrganizationCommands))]
async fn remove_pipeline(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let command = || {
        let database = names.id("database").ok_or(Problem::new(Code::NotFound))?;
        let pipeline = names.id("pipeline").ok_or(Problem::new(Code::NotFound))?;
        let NoFields {} = submission.json_or_empty()?;
        Ok(Command { database, order: Order::RemovePipeline { pipeline } })
    };
    let needed = Permission::ManagePipelines;
    let done = held::command(&app, &caller, organization, needed, &order, command, |_| ()).await?;
    Ok(answer::gone(&done))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_has_five_sound_fields() {
        for sound in ["* * * * *", "0 3 * * 1-5", "*/15 0,12 1 1-6 7", "5-50/5 * * * *"] {
            assert!(is_cron(sound), "{sound}");
        }
        for odd in
            ["", "* * * *", "60 * * * *", "* * 0 * *", "*/0 * * * *", "a * * * *", "1- * * * *"]
        {
            assert!(!is_cron(odd), "{odd}");
        }
    }
}
