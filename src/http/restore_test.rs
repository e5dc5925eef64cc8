//! Restore tests that an organization ran itself, as it states them.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use axum::response::Response;
use events::id::RestoreTestId;
use events::organization::Organization;
use events::recorded::Actor;
use events::restore_test::{self, Command, Outcome};
use events::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::authentication::Caller;
use super::check::Checks;
use super::document::{OrganizationCommands, OrganizationReads};
use super::organization::Meant;
use super::problem::{Code, Problem};
use super::request::Authenticated;
use super::setting::opened;
use super::{answer, stated};
use crate::{App, execute};

const LONGEST_SCOPE: usize = 500;
const LONGEST_NOTES: usize = 4000;
/// Thirty days.
const LONGEST_DURATION: u32 = 30 * 24 * 60 * 60;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(record_restore_test, list_restore_tests))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RestoreTest {
    #[schema(value_type = String, example = "rst_01h2xcejqtf2nbrexx3vqjhp41")]
    id: RestoreTestId,
    #[schema(example = "db_01h2xcejqtf2nbrexx3vqjhp41")]
    database: Option<String>,
    /// What was restored, where it was no database here.
    scope: Option<String>,
    /// `succeeded` or `failed`.
    #[schema(value_type = String, example = "succeeded")]
    result: Outcome,
    duration_seconds: u32,
    /// It came back elsewhere than where it had been.
    other_region: bool,
    notes: Option<String>,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    performed_at: Time,
    #[schema(value_type = String, example = "2026-01-31T10:30:00.000Z")]
    recorded_at: Time,
    #[schema(value_type = String, example = "usr_01h2xcejqtf2nbrexx3vqjhp41")]
    recorded_by: Actor,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RestoreTestList {
    restore_tests: Vec<RestoreTest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestoreTestBody {
    /// Id of the database.
    #[schema(example = "db_01h2xcejqtf2nbrexx3vqjhp41")]
    database: Option<String>,
    /// In place of `database`: what was restored, in 1 to 500 characters.
    scope: Option<String>,
    /// `succeeded` or `failed`.
    #[schema(value_type = String, example = "succeeded")]
    result: Outcome,
    /// Up to thirty days.
    #[schema(example = 540)]
    duration_seconds: u32,
    /// Now when left out.
    performed_at: Option<String>,
    /// It came back elsewhere than where it had been.
    #[serde(default)]
    other_region: bool,
    /// 1 to 4000 characters.
    notes: Option<String>,
}

impl RestoreTestBody {
    fn command(self, restore_test: RestoreTestId, now: Time) -> Result<Command, Problem> {
        let mut errors = Vec::new();
        let mut checks = Checks::new(&mut errors);
        match (&self.database, &self.scope) {
            (Some(database), None) => checks.database("database", database),
            (None, Some(scope)) => checks.text("scope", Some(scope), LONGEST_SCOPE),
            (Some(_), Some(_)) | (None, None) => {
                checks.wrong("database", "say which database it was, or give a `scope`");
            }
        }
        if self.duration_seconds > LONGEST_DURATION {
            checks.wrong("duration_seconds", &format!("must be 0 to {LONGEST_DURATION}"));
        }
        let performed_at = checks.past("performed_at", self.performed_at.as_deref(), now);
        checks.text("notes", self.notes.as_deref(), LONGEST_NOTES);
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let is_said = self.scope.is_some() || self.notes.is_some();
        let text = json!({ "scope": self.scope, "notes": self.notes });
        Ok(Command {
            restore_test,
            database: self.database,
            result: self.result,
            duration_seconds: self.duration_seconds,
            performed_at,
            is_other_region: self.other_region,
            text: is_said.then(|| text.to_string()),
        })
    }
}

type View = Option<(RestoreTestId, restore_test::RestoreTest)>;

fn view(state: &Organization, id: RestoreTestId) -> View {
    Some((id, state.declared().restore_test(id)?.clone()))
}

async fn shown(
    app: &App,
    id: RestoreTestId,
    test: &restore_test::RestoreTest,
) -> Result<RestoreTest, Problem> {
    let text = opened(app, &test.text).await?;
    Ok(RestoreTest {
        id,
        database: test.database.clone(),
        scope: stated::written(text.as_ref(), "scope"),
        result: test.result,
        duration_seconds: test.duration_seconds,
        other_region: test.is_other_region,
        notes: stated::written(text.as_ref(), "notes"),
        performed_at: test.performed_at,
        recorded_at: test.recorded_at,
        recorded_by: test.recorded_by,
    })
}

/// Records a restore test.
#[utoipa::path(post, path = "/restore-tests", operation_id = "recordRestoreTest",
    tag = "compliance", request_body = RestoreTestBody,
    responses((status = 201, body = RestoreTest), OrganizationCommands))]
async fn record_restore_test(
    State(app): State<Arc<App>>,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let id = execute::stated::restore_test(&app, &order);
    let command = || {
        let command = submission.json::<RestoreTestBody>()?.command(id, app.clock.now())?;
        Ok(move |_: &Organization| command.clone())
    };
    let view = |state: &Organization| view(state, id);
    let done = stated::order(&app, &caller, organization, &order, command, view).await?;
    let (id, test) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    Ok(answer::command(StatusCode::CREATED, &done, shown(&app, *id, test).await?))
}

/// Lists the restore tests, the one recorded last first.
#[utoipa::path(get, path = "/restore-tests", operation_id = "listRestoreTests",
    tag = "compliance",
    params(("page_size" = Option<usize>, Query), ("page_token" = Option<String>, Query)),
    responses((status = 200, body = RestoreTestList), OrganizationReads))]
async fn list_restore_tests(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let all = |state: &Organization| {
        state.declared().restore_tests().map(|(id, it)| (it.version, id)).collect()
    };
    let page = stated::page(&app, &caller, organization, &uri, "restore tests", all, view).await?;
    let mut restore_tests = Vec::with_capacity(page.items.len());
    for (id, test) in page.items.iter().flatten() {
        restore_tests.push(shown(&app, *id, test).await?);
    }
    let next_page_token = page.next(&app);
    let next = next_page_token.clone();
    let body = RestoreTestList { restore_tests, next_page_token };
    Ok(page.answered(&uri, next.as_deref(), body))
}
