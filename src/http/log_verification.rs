//! The operator has the server verify its own log, and the run is recorded on `platform`: packets
//! tell when the log was verified, and control cc7.2 counts it. The answer comes when the run is
//! over, as it takes seconds for a million lines; a caller who leaves stops neither run nor record.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use events::platform::{Command, Verification};
use events::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::admin::Operator;
use super::answer;
use super::document::OperatorCommands;
use super::problem::{Code, Problem};
use super::request::Authenticated;
use crate::execute::{self, Done, Order};
use crate::log_verification::{self, Fault};
use crate::{App, causes::causes};

pub(super) fn operator_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(verify_log))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyLogBody {}

#[derive(Serialize, ToSchema)]
pub(crate) struct LogVerification {
    succeeded: bool,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    verified_at: Time,
    /// How many were verified.
    lines: u64,
    /// Of the last of them.
    #[schema(example = "42")]
    position: String,
    /// What was compared. Left out where the run was an earlier one with the same idempotency key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    compared: Vec<String>,
    /// The first one; left out in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<LogFault>,
}

/// What is wrong, and where.
#[derive(Serialize, ToSchema)]
pub(crate) struct LogFault {
    /// `bytes`, `chain`, `tree`, `signed heads`, `seals` or `packets`.
    #[schema(example = "chain")]
    stage: &'static str,
    message: String,
    stream: Option<String>,
    version: Option<u64>,
    position: Option<String>,
}

impl From<Fault> for LogFault {
    fn from(fault: Fault) -> Self {
        Self {
            stage: fault.stage.as_str(),
            message: fault.kind.to_string(),
            stream: fault.place.stream.map(|stream| stream.to_string()),
            version: fault.place.version,
            position: fault.place.position.map(|position| position.to_string()),
        }
    }
}

#[utoipa::path(post, path = "/admin/log/verify", operation_id = "verifyLog", tag = "operations",
    description = "Verifies the whole log, as `chancery log verify` does, and records that it was \
        verified. The answer comes when it is done.",
    request_body = VerifyLogBody,
    responses((status = 200, body = LogVerification), OperatorCommands))]
async fn verify_log(
    State(app): State<Arc<App>>,
    Authenticated(_operator, submission): Authenticated<Operator>,
) -> Result<Response, Problem> {
    let VerifyLogBody {} = submission.json_or_empty()?;
    let order = submission.operator_order(&app)?;
    let running = tokio::spawn(async move { verified(&app, &order).await });
    let (done, compared, fault) = running.await.map_err(|_| Problem::new(Code::Internal))??;
    let Some(run) = done.answer.clone() else { return Err(Problem::new(Code::Internal)) };
    let Verification { at: verified_at, succeeded, lines, position } = run;
    let mut body = LogVerification {
        succeeded,
        verified_at,
        lines,
        position,
        compared: Vec::new(),
        fault: None,
    };
    if !done.is_replayed {
        (body.compared, body.fault) = (compared, fault.map(LogFault::from));
    }
    Ok(answer::command(StatusCode::OK, &done, body))
}

async fn verified(
    app: &App,
    order: &Order,
) -> Result<(Done<Option<Verification>>, Vec<String>, Option<Fault>), Problem> {
    let outcome = log_verification::of_server(app).await?;
    if let Some(fault) = &outcome.fault {
        tracing::error!(fault = causes(fault), "the log is not as it was recorded");
    }
    let command = Command::RecordVerification {
        succeeded: outcome.fault.is_none(),
        lines: outcome.lines,
        position: outcome.position.to_string(),
    };
    let last = |platform: &events::platform::Platform| platform.verifications().last().cloned();
    let done = execute::platform::order(app, order, &command, last).await?;
    Ok((done, outcome.compared, outcome.fault))
}

impl From<log_verification::Error> for Problem {
    fn from(error: log_verification::Error) -> Self {
        match error {
            log_verification::Error::Failed(failure) => failure.into(),
            log_verification::Error::Signer(error) => error.into(),
        }
    }
}
