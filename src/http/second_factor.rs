//! The second factor: set it up, enable it by its first code, disable it.
//!
//! Sessions that there are go on when it is enabled: whoever has one has proven the password, and the
//! owner sees them in the list of sessions and ends those they do not know. What a password alone had
//! proven for HTTP Basic is forgotten at once. What asks for the password once more (to set another,
//! to transfer an organization) goes on to ask for that alone.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer;
use super::authentication::SignedIn;
use super::document::ProvenCommands;
use super::problem::{Code, Problem};
use super::request::{Authenticated, Submission};
use crate::execute::{self, Done};
use crate::identity::{self, Identity, Wrong};
use crate::second_factor::{self, BackupCodes, Secret};
use crate::{App, query};

/// Names the issuer where the public URL has no name that could.
const PRODUCT: &str = "Chancery";

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(set_up_second_factor))
        .routes(routes!(verify_second_factor))
        .routes(routes!(disable_second_factor))
}

/// Nothing is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetUpBody {}

#[derive(Serialize, ToSchema)]
pub(crate) struct SetUpAnswer {
    /// 20 bytes in base32, to be typed into an authenticator.
    #[schema(example = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")]
    secret: String,
    /// The same as authenticators read it (`otpauth` URI): SHA-1, 6 digits, 30 seconds.
    otpauth_uri: String,
    /// The same as a QR code to be scanned.
    #[schema(example = "<svg viewBox=\"0 0 61 61\">...</svg>")]
    qr_code_svg: String,
    /// What `otpauth_uri` is, under the name that other products give it.
    qr_code_url: String,
}

/// Makes a secret for an authenticator. Nothing changes until its first code is sent to
/// `POST /v1/auth/2fa/verify`; a secret that was made before serves no more. The repeat with the same
/// `Idempotency-Key` shows the same secret until then.
#[utoipa::path(post, path = "/auth/2fa/setup", operation_id = "setUpSecondFactor",
    tag = "accounts", request_body = Option<SetUpBody>,
    responses((status = 200, body = SetUpAnswer), ProvenCommands))]
async fn set_up_second_factor(
    State(app): State<Arc<App>>,
    Authenticated(caller, submission): Authenticated<SignedIn>,
) -> Result<Response, Problem> {
    let Identity { account, person, .. } = &caller.identity;
    let order = submission.order(&app, &caller, None)?;
    let done = match execute::account::before(&app, *account, &order, |_| ()).await? {
        Some(done) => {
            // a secret that is in use is told to nobody any more
            execute::second_factor::prepared(&app, *account).await?;
            done
        }
        None => {
            submission.json_or_empty::<SetUpBody>()?;
            execute::second_factor::prepare(&app, &order, &caller.identity).await?
        }
    };
    let secret = Secret::of_command(&app.keyring, order.command);
    let owner = answer::shown(query::opened(&app, person.email.sealed()).await?);
    let uri = secret.otpauth_uri(&issuer(&app), &owner.unwrap_or_default());
    let drawing = second_factor::qr_code_svg(&uri).ok_or(Problem::new(Code::Internal))?;
    let body = SetUpAnswer {
        secret: secret.reveal().to_owned(),
        otpauth_uri: uri.to_string(),
        qr_code_svg: drawing.to_string(),
        qr_code_url: uri.to_string(),
    };
    Ok(answer::command(StatusCode::OK, &done, body))
}

/// What authenticators list the account under.
fn issuer(app: &App) -> String {
    let url = Url::parse(&app.public_url).ok();
    let host = url.as_ref().and_then(Url::host_str).filter(|host| !host.contains(':'));
    host.unwrap_or(PRODUCT).to_owned()
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyBody {
    /// What the authenticator shows now.
    #[schema(value_type = String, example = "492039")]
    code: SecretString,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct VerifyAnswer {
    /// Always `2fa_enabled`.
    #[schema(example = "2fa_enabled")]
    message_code: &'static str,
    /// Ten codes, each for one sign-in without the authenticator. Shown this once.
    #[schema(example = json!(["7k3vq-x0m9d"]))]
    backup_codes: Vec<String>,
}

/// Enables the second factor by the first code of its secret. From now on a password takes a code,
/// too; sessions there are go on. The repeat with the same `Idempotency-Key` shows the same backup
/// codes.
#[utoipa::path(post, path = "/auth/2fa/verify", operation_id = "verifySecondFactor",
    tag = "accounts", request_body = VerifyBody,
    responses((status = 200, body = VerifyAnswer), ProvenCommands))]
async fn verify_second_factor(
    State(app): State<Arc<App>>,
    Authenticated(caller, submission): Authenticated<SignedIn>,
) -> Result<Response, Problem> {
    let identity = &caller.identity;
    let order = submission.order(&app, &caller, None)?;
    // the repeat of what was done cannot bring the code any more
    let done = match execute::account::before(&app, identity.account, &order, |_| ()).await? {
        Some(done) => done,
        None => {
            let VerifyBody { code } = submission.json()?;
            let prepared = execute::second_factor::prepared(&app, identity.account).await?;
            let from = submission.origin.source();
            let step = identity::shows_code(&app, identity, &prepared, &code, from).await?;
            let step = step.ok_or(Problem::new(Code::WrongTotp))?;
            let prepared_by = prepared.sealed().map(|sealed| sealed.event);
            execute::second_factor::enable(&app, &order, identity, prepared_by, step).await?
        }
    };
    let backup_codes = BackupCodes::of_command(&app.keyring, order.command).reveal();
    let body = VerifyAnswer { message_code: "2fa_enabled", backup_codes };
    Ok(answer::command(StatusCode::OK, &done, body))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DisableBody {
    #[schema(value_type = String, example = "correct horse battery")]
    password: SecretString,
    /// A code of the authenticator, or a backup code.
    #[serde(alias = "totp_code")]
    #[schema(value_type = String, example = "492039")]
    code: SecretString,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DisableAnswer {
    /// Always `2fa_disabled`.
    #[schema(example = "2fa_disabled")]
    message_code: &'static str,
}

/// Takes the second factor away, with its secret and its backup codes. A wrong password or code
/// counts as a failed sign-in.
#[utoipa::path(post, path = "/auth/2fa/disable", operation_id = "disableSecondFactor",
    tag = "accounts", request_body = DisableBody,
    responses((status = 200, body = DisableAnswer), ProvenCommands))]
async fn disable_second_factor(
    State(app): State<Arc<App>>,
    Authenticated(caller, submission): Authenticated<SignedIn>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, None)?;
    let account = caller.identity.account;
    let done = match execute::account::before(&app, account, &order, |_| ()).await? {
        Some(done) => done,
        None => disabled(&app, &caller, &submission, &order).await?,
    };
    let body = DisableAnswer { message_code: "2fa_disabled" };
    Ok(answer::command(StatusCode::OK, &done, body))
}

async fn disabled(
    app: &App,
    caller: &SignedIn,
    submission: &Submission,
    order: &execute::Order,
) -> Result<Done<()>, Problem> {
    let DisableBody { password, code } = submission.json()?;
    let (identity, from) = (&caller.identity, submission.origin.source());
    if identity.person.second_factor.is_none() {
        return Err(Problem::new(Code::TwoFactorNotSetUp));
    }
    let proven = identity::proves_all_again(app, identity, password, Some(code), from).await?;
    let proof = proven.map_err(|wrong| match wrong {
        Wrong::Password => Problem::new(Code::WrongPassword),
        Wrong::CodeMissing | Wrong::Code => wrong.into(),
    })?;
    let proof = proof.ok_or(Problem::new(Code::TwoFactorNotSetUp))?;
    Ok(execute::second_factor::disable(app, order, identity, proof).await?)
}
