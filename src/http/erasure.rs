//! The end of an account: everything personal of its owner is erased, everywhere.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use events::id::OrganizationId;
use events::stream::Stream;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer;
use super::authentication::SignedIn;
use super::document::ErasureCommands;
use super::problem::{Code, Kept, NamedOrganization, Problem};
use super::request::Authenticated;
use crate::erasure::{self, Outcome};
use crate::execute::{self, Done};
use crate::failure::Failure;
use crate::identity::Wrong;
use crate::{App, fail_point, identity};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(erase_account))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EraseBody {
    #[schema(value_type = String, example = "correct horse battery")]
    password: SecretString,
    /// Of the second factor, where there is one; a backup code also serves.
    #[schema(value_type = Option<String>, example = "123456")]
    #[serde(alias = "code")]
    totp_code: Option<SecretString>,
}

/// Erases the caller, for ever: they leave every organization, their personal one is deleted, and
/// the key of everything personal of theirs is destroyed, wherever it was recorded. Nobody is erased
/// who would leave an organization without an owner: `kept_by` then names these, and `left` those
/// that were left all the same.
#[utoipa::path(delete, path = "/account", operation_id = "eraseAccount", tag = "accounts",
    request_body = EraseBody,
    responses((status = 204), ErasureCommands))]
async fn erase_account(
    State(app): State<Arc<App>>,
    Authenticated(caller, submission): Authenticated<SignedIn>,
) -> Result<Response, Problem> {
    let identity = &caller.identity;
    let account = identity.account;
    // whoever is erased asks no more, and a refusal is decided anew: no first answer is kept
    submission.order(&app, &caller, None)?;
    let order = submission.unkeyed_order(&app, caller.principal.actor(), caller.client.clone());
    let body: EraseBody = submission.json()?;
    let (EraseBody { password, totp_code }, from) = (body, submission.origin.source());
    let proven = identity::proves_all_again(&app, identity, password, totp_code, from).await?;
    let code = proven.map_err(|wrong| match wrong {
        Wrong::Password => Problem::new(Code::WrongPassword),
        Wrong::CodeMissing | Wrong::Code => wrong.into(),
    })?;
    let by = erasure::kept_by(&app, account).await?;
    if !by.is_empty() {
        return Err(kept(&app, erasure::Kept { by, left: Vec::new() }).await?);
    }
    let started = execute::erasure::start(&app, &order, identity, code).await?;
    fail_point::reached("erasure.started");
    let began = started.answer.ok_or(Problem::new(Code::Internal))?;
    match erasure::carry_on(&app, account, began).await? {
        Outcome::Erased(position) => {
            let done = Done { position, ..started };
            Ok(answer::gone(&done))
        }
        Outcome::Abandoned(found) => Err(kept(&app, found).await?),
    }
}

async fn kept(app: &App, kept: erasure::Kept) -> Result<Problem, Problem> {
    let (by, left) = (named(app, kept.by).await?, named(app, kept.left).await?);
    Ok(Problem::kept_by(Kept { by, left }))
}

async fn named(
    app: &App,
    organizations: Vec<OrganizationId>,
) -> Result<Vec<NamedOrganization>, Problem> {
    let mut named = Vec::with_capacity(organizations.len());
    for id in organizations {
        let stream = Stream::Organization(id);
        let entry = app.organizations.current(&app.log, stream).await.map_err(Failure::from)?;
        let slug = entry.read().state.profile().map(|profile| profile.slug.clone());
        named.push(NamedOrganization { id, slug: slug.unwrap_or_default() });
    }
    Ok(named)
}

impl From<erasure::Error> for Problem {
    fn from(error: erasure::Error) -> Self {
        match error {
            erasure::Error::Query(error) => error.into(),
            erasure::Error::Execute(error) => error.into(),
            erasure::Error::Failed(failure) => failure.into(),
        }
    }
}
