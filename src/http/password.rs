//! Change a password, or set one through a link in one's mail.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use events::recorded::Actor;
use projections::link_target::Target;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::authentication::SignedIn;
use super::document::{ProvenCommands, PublicCommands};
use super::link;
use super::problem::{Code, Problem};
use super::request::{Authenticated, Submission};
use super::session::Nothing;
use super::{answer, checked};
use crate::address::Address;
use crate::execute::password::Outcome;
use crate::{App, execute, identity, password};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(change_password))
        .routes(routes!(request_password_reset))
        .routes(routes!(reset_password))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePasswordBody {
    #[schema(value_type = String, example = "correct horse battery")]
    current_password: SecretString,
    /// 12 to 256 characters, not one of the commonest.
    #[schema(value_type = String, example = "staple of the right length")]
    new_password: SecretString,
}

/// Sets another password. Every other session ends; a wrong current password counts as a failed
/// sign-in.
#[utoipa::path(post, path = "/auth/password", operation_id = "changePassword", tag = "accounts",
    request_body = ChangePasswordBody,
    responses((status = 200, body = Nothing), ProvenCommands))]
async fn change_password(
    State(app): State<Arc<App>>,
    Authenticated(caller, submission): Authenticated<SignedIn>,
) -> Result<Response, Problem> {
    let account = caller.identity.account;
    let order = submission.order(&app, &caller, None)?;
    // the repeat of what was done cannot prove the old password any more
    if let Some(done) = execute::account::before(&app, account, &order, |_| ()).await? {
        return Ok(answer::command(StatusCode::OK, &done, Nothing {}));
    }
    let body: ChangePasswordBody = submission.json()?;
    check("new_password", &body.new_password)?;
    let from = submission.origin.source();
    if !identity::proves_again(&app, &caller.identity, body.current_password, from).await? {
        return Err(Problem::new(Code::WrongPassword));
    }
    let done = execute::password::change(&app, &order, &caller.identity, body.new_password).await?;
    Ok(answer::command(StatusCode::OK, &done, Nothing {}))
}

fn check(field: &str, password: &SecretString) -> Result<(), Problem> {
    let mut errors = Vec::new();
    checked(field, password::check(password), &mut errors);
    if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors)) }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForgotBody {
    #[schema(example = "ana@example.org")]
    email: String,
}

/// Sends a link that sets a password, if the address has an account; the answer is the same whether
/// it has or not, and comes before anybody looks.
#[utoipa::path(post, path = "/auth/password/forgot", operation_id = "requestPasswordReset",
    tag = "accounts", request_body = ForgotBody,
    responses((status = 202, body = Nothing), PublicCommands))]
async fn request_password_reset(
    State(app): State<Arc<App>>,
    submission: Submission,
) -> Result<Response, Problem> {
    let body: ForgotBody = submission.json()?;
    let mut errors = Vec::new();
    let address = checked("email", body.email.parse::<Address>(), &mut errors);
    let address = address.ok_or_else(|| Problem::invalid(errors))?;
    let left = app.rate_limits.public_call(submission.origin.network())?;
    app.forgotten.try_send(address).map_err(|_| {
        app.metrics.full("forgotten_passwords").inc();
        Problem::new(Code::Unavailable).limited(left)
    })?;
    Ok(answer::limited(left, (StatusCode::ACCEPTED, Json(Nothing {})).into_response()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetBody {
    /// The last part of the link.
    #[schema(value_type = String, example = "mBjOO6yAYDtfmvJgqzDDAHJyEN1YWrMCbAKKYo5ldWs")]
    token: SecretString,
    /// 12 to 256 characters, not one of the commonest.
    #[schema(value_type = String, example = "staple of the right length")]
    new_password: SecretString,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ResetAnswer {
    /// `password_set`; or `address_released` when the account had not verified its address within 7
    /// days: it has lost the address, which can be registered anew.
    #[schema(example = "password_set")]
    outcome: &'static str,
}

/// Sets a password through a link, once. Every session ends.
#[utoipa::path(post, path = "/auth/password/reset", operation_id = "resetPassword",
    tag = "accounts", request_body = ResetBody,
    responses((status = 200, body = ResetAnswer), PublicCommands))]
async fn reset_password(
    State(app): State<Arc<App>>,
    submission: Submission,
) -> Result<Response, Problem> {
    let body: ResetBody = submission.json()?;
    check("new_password", &body.new_password)?;
    let (secret, target) = link::opened(&app, &body.token).await?;
    let Target::PasswordReset { account } = target else {
        return Err(Problem::new(Code::NotFound));
    };
    let person = identity::person(&app, account).await?.ok_or(Problem::new(Code::NotFound))?;
    let client = submission.origin.client(person.subject);
    let order = submission.unkeyed_order(&app, Actor::Account(account), client);
    let done = execute::password::reset(&app, &order, account, &secret, body.new_password).await?;
    let outcome = match done.answer {
        Outcome::PasswordSet => "password_set",
        Outcome::AddressReleased => "address_released",
    };
    Ok(answer::command(StatusCode::OK, &done, ResetAnswer { outcome }))
}
