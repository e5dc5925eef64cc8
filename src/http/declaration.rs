//! Declarations: what an organization states about itself because no event can show it. What was
//! written is sealed; what a control is computed from stands in the log, and is shown beside it as
//! `recorded`. Of some kinds there is one, whose id is the kind. Declared anew with `PUT`, even with
//! the same words, it counts as said today.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use events::declaration::{self, Command, DeclarationId, Statement};
use events::organization::Organization;
use events::recorded::Actor;
use events::time::Time;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::body::{DeclarationBody, Kind};
use super::authentication::Caller;
use super::document::{OrganizationCommands, OrganizationReads, Unmodified};
use super::organization::Meant;
use super::problem::{Code, Problem};
use super::request::{Authenticated, Parameters, PathNames};
use super::setting::opened;
use super::{answer, etag, stated};
use crate::execute::Done;
use crate::{App, execute};

mod ai_system;
mod body;
mod controller_record;
mod dora;
mod processing_activity;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(create_declaration, list_declarations))
        .routes(routes!(show_declaration, replace_declaration, remove_declaration))
        .routes(routes!(review_declaration))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Declaration {
    /// `controller_record`, `dora_role`, or the id of an activity, a function or an AI system.
    #[schema(value_type = String, example = "act_01h2xcejqtf2nbrexx3vqjhp41")]
    id: DeclarationId,
    #[schema(example = "processing_activity")]
    kind: &'static str,
    /// What was declared, as it was written; `erased` when its key is gone.
    #[schema(value_type = Option<DeclarationBody>)]
    statement: Option<Value>,
    /// What of it stands in the log for ever: how many entries, and what is not free text.
    #[schema(value_type = Object)]
    recorded: declaration::Content,
    /// What has still to be said for it to be complete.
    #[schema(example = json!(["security_measures"]))]
    missing: Vec<&'static str>,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
    /// When it was declared as it is.
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    declared_at: Time,
    #[schema(value_type = String, example = "usr_01h2xcejqtf2nbrexx3vqjhp41")]
    declared_by: Actor,
    /// When somebody last said that it still holds.
    #[schema(value_type = Option<String>)]
    reviewed_at: Option<Time>,
    #[schema(value_type = Option<String>)]
    reviewed_by: Option<Actor>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DeclarationList {
    declarations: Vec<Declaration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

async fn shown(
    app: &App,
    id: DeclarationId,
    declared: &declaration::Declaration,
) -> Result<Declaration, Problem> {
    Ok(Declaration {
        id,
        kind: declared.content.kind(),
        statement: opened(app, &declared.text).await?,
        recorded: declared.content.clone(),
        missing: declared.content.missing(),
        created_at: declared.created_at,
        declared_at: declared.declared_at,
        declared_by: declared.declared_by,
        reviewed_at: declared.reviewed.map(|(at, _)| at),
        reviewed_by: declared.reviewed.map(|(_, by)| by),
    })
}

/// Declares something for the first time.
#[utoipa::path(post, path = "/declarations", operation_id = "createDeclaration",
    tag = "compliance", request_body = DeclarationBody,
    responses((status = 201, body = Declaration), OrganizationCommands))]
async fn create_declaration(
    State(app): State<Arc<App>>,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let kind = Kind::of(&submission);
    let declaration = kind.map(|kind| match kind {
        Kind::ControllerRecord => DeclarationId::ControllerRecord,
        Kind::DoraRole => DeclarationId::DoraRole,
        Kind::ProcessingActivity => {
            DeclarationId::Activity(execute::stated::activity(&app, &order))
        }
        Kind::DoraFunction => DeclarationId::Function(execute::stated::function(&app, &order)),
        Kind::AiSystem => DeclarationId::AiSystem(execute::stated::ai_system(&app, &order)),
    });
    let command = || {
        let statement = body::statement(&submission)?;
        let declaration = declaration.ok_or(Problem::new(Code::Invalid))?;
        Ok(move |_: &Organization| Command::Declare { declaration, statement: statement.clone() })
    };
    let view = |state: &Organization| view(state, declaration);
    let done = stated::order(&app, &caller, organization, &order, command, view).await?;
    answered(&app, StatusCode::CREATED, &done).await
}

/// With its id; `None` when it is not there any more.
type View = Option<(DeclarationId, declaration::Declaration)>;

fn view(state: &Organization, declaration: Option<DeclarationId>) -> View {
    let declaration = declaration?;
    Some((declaration, state.declared().declaration(declaration)?.clone()))
}

async fn answered(app: &App, status: StatusCode, done: &Done<View>) -> Result<Response, Problem> {
    let (id, declared) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    let body = shown(app, *id, declared).await?;
    Ok(etag::tagged(declared.changed_version, answer::command(status, done, body)))
}

/// Lists what is declared, the newest first.
#[utoipa::path(get, path = "/declarations", operation_id = "listDeclarations", tag = "compliance",
    params(("page_size" = Option<usize>, Query), ("page_token" = Option<String>, Query)),
    responses((status = 200, body = DeclarationList), OrganizationReads))]
async fn list_declarations(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let all = |state: &Organization| {
        let all = state.declared().declarations();
        all.map(|(id, it)| (it.created_version, id)).collect()
    };
    let take = |state: &Organization, id| view(state, Some(id));
    let page = stated::page(&app, &caller, organization, &uri, "declarations", all, take).await?;
    let mut declarations = Vec::with_capacity(page.items.len());
    for (id, declared) in page.items.iter().flatten() {
        declarations.push(shown(&app, *id, declared).await?);
    }
    let next_page_token = page.next(&app);
    let next = next_page_token.clone();
    let body = DeclarationList { declarations, next_page_token };
    Ok(page.answered(&uri, next.as_deref(), body))
}

#[utoipa::path(get, path = "/declarations/{declaration}", operation_id = "showDeclaration",
    tag = "compliance", params(("declaration" = String, Path)),
    responses((status = 200, body = Declaration), Unmodified, OrganizationReads))]
async fn show_declaration(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let found = |state: &Organization| view(state, names.id("declaration"));
    let found = stated::read(&app, &caller, organization, found).await?;
    Parameters::of(&uri, &[])?;
    let (id, declared) = found.ok_or(Problem::new(Code::NotFound))?;
    if let Some(known) = etag::not_modified(&headers, declared.changed_version) {
        return Ok(known);
    }
    let body = Json(shown(&app, id, &declared).await?);
    Ok(etag::tagged(declared.changed_version, body.into_response()))
}

/// Puts a declaration in the place of another, as a whole. Of what there is one it may be the first.
#[utoipa::path(put, path = "/declarations/{declaration}", operation_id = "replaceDeclaration",
    tag = "compliance", params(("declaration" = String, Path)), request_body = DeclarationBody,
    responses((status = 200, body = Declaration), OrganizationCommands))]
async fn replace_declaration(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let command = |declaration| {
        let statement: Statement = body::statement(&submission)?;
        Ok(move |_: &Organization| Command::Replace { declaration, statement: statement.clone() })
    };
    let order = submission.order(&app, &caller, Some(organization))?;
    let declaration = names.id("declaration");
    let command = || command(declaration.ok_or(Problem::new(Code::NotFound))?);
    let view = |state: &Organization| view(state, declaration);
    let done = stated::order(&app, &caller, organization, &order, command, view).await?;
    answered(&app, StatusCode::OK, &done).await
}

/// Takes a declaration back. It stays in the log.
#[utoipa::path(delete, path = "/declarations/{declaration}", operation_id = "removeDeclaration",
    tag = "compliance", params(("declaration" = String, Path)),
    responses((status = 204), OrganizationCommands))]
async fn remove_declaration(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let command = || {
        let declaration = names.id("declaration").ok_or(Problem::new(Code::NotFound))?;
        let stated::NoFields {} = submission.json_or_empty()?;
        Ok(move |_: &Organization| Command::Remove { declaration })
    };
    let done = stated::order(&app, &caller, organization, &order, command, |_| ()).await?;
    Ok(answer::gone(&done))
}

/// Says that a declaration still holds.
#[utoipa::path(post, path = "/declarations/{declaration}/review",
    operation_id = "reviewDeclaration", tag = "compliance",
    params(("declaration" = String, Path)),
    responses((status = 200, body = Declaration), OrganizationCommands))]
async fn review_declaration(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let declaration = names.id("declaration");
    let command = || {
        let declaration = declaration.ok_or(Problem::new(Code::NotFound))?;
        let stated::NoFields {} = submission.json_or_empty()?;
        Ok(move |_: &Organization| Command::Review { declaration })
    };
    let view = |state: &Organization| view(state, declaration);
    let done = stated::order(&app, &caller, organization, &order, command, view).await?;
    answered(&app, StatusCode::OK, &done).await
}
