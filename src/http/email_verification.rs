//! Prove that an address is one's own: ask for a link, and bring its secret back.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use events::recorded::Actor;
use projections::link_target::Target;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::authentication::SignedIn;
use super::document::{Commands, PublicCommands};
use super::problem::{Code, Problem};
use super::request::{Authenticated, Submission};
use super::session::Nothing;
use super::{answer, link};
use crate::execute::{Order, email_verification};
use crate::{App, execute, identity};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(request_email_verification)).routes(routes!(verify_email))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoFields {}

/// Sends another link that verifies the caller's address; the one before it is dead.
#[utoipa::path(post, path = "/auth/email/verification", operation_id = "requestEmailVerification",
    tag = "accounts", request_body = Option<NoFields>,
    responses((status = 202, body = Nothing), Commands))]
async fn request_email_verification(
    State(app): State<Arc<App>>,
    Authenticated(caller, submission): Authenticated<SignedIn>,
) -> Result<Response, Problem> {
    let account = caller.identity.account;
    let order = submission.order(&app, &caller, None)?;
    if let Some(done) = execute::account::before(&app, account, &order, |_| ()).await? {
        return Ok(answer::command(StatusCode::ACCEPTED, &done, Nothing {}));
    }
    let NoFields {} = submission.json_or_empty()?;
    let left = app.rate_limits.public_call(submission.origin.network())?;
    let done = email_verification::request(&app, &order, account).await;
    let done = done.map_err(|error| Problem::from(error).limited(left))?;
    Ok(answer::limited(left, answer::command(StatusCode::ACCEPTED, &done, Nothing {})))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyBody {
    /// The last part of the link.
    #[schema(value_type = String, example = "mBjOO6yAYDtfmvJgqzDDAHJyEN1YWrMCbAKKYo5ldWs")]
    token: SecretString,
}

/// Verifies an address through a link. The same link once more changes nothing, and is no mistake.
#[utoipa::path(post, path = "/auth/email/verify", operation_id = "verifyEmail", tag = "accounts",
    request_body = VerifyBody,
    responses((status = 200, body = Nothing), PublicCommands))]
async fn verify_email(
    State(app): State<Arc<App>>,
    submission: Submission,
) -> Result<Response, Problem> {
    let body: VerifyBody = submission.json()?;
    let (secret, target) = link::opened(&app, &body.token).await?;
    let Target::EmailVerification { account } = target else {
        return Err(Problem::new(Code::NotFound));
    };
    let person = identity::person(&app, account).await?.ok_or(Problem::new(Code::NotFound))?;
    let order = submission.anonymous_order(&app, account.0.as_bytes())?;
    let client = Some(submission.origin.client(person.subject));
    let order = Order { actor: Actor::Account(account), client, ..order };
    let done = email_verification::verify(&app, &order, account, &secret).await?;
    Ok(answer::command(StatusCode::OK, &done, Nothing {}))
}
