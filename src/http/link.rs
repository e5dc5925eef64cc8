//! The links in mails. Opening one changes nothing, because programs that guard mailboxes open them
//! too: the page names the call that completes what the link is for.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use projections::link_target::Target;
use secrecy::{ExposeSecret as _, SecretString};

use super::problem::{Code, Problem};
use crate::App;
use crate::link_secret::{INVITATIONS, LinkSecret, Purpose};
use crate::query;

/// Served at the root only: these are addresses for people.
pub(crate) fn pages() -> Router<Arc<App>> {
    let at = |path: &str| format!("/{path}/{{secret}}");
    Router::new()
        .route(&at(Purpose::PasswordReset.path()), get(show_password_reset))
        .route(&at(Purpose::EmailVerification.path()), get(show_email_verification))
        .route(&at(INVITATIONS), get(show_invitation))
}

/// What the secret of a link opens; whether the link still lives is asked of the stream.
pub(super) async fn opened(
    app: &App,
    text: &SecretString,
) -> Result<(LinkSecret, Target), Problem> {
    let nothing = || Problem::new(Code::NotFound);
    let secret = LinkSecret::parse(text.expose_secret()).ok_or_else(nothing)?;
    let target = query::link_target::find(app, &secret.hash()).await?;
    Ok((secret, target.ok_or_else(nothing)?))
}

type Secret = Result<Path<String>, PathRejection>;

async fn show_password_reset(State(app): State<Arc<App>>, secret: Secret) -> Response {
    page(
        &app,
        secret,
        "To set a new password, send this request",
        "/v1/auth/password/reset",
        ", \"new_password\": \"<12 to 256 characters>\"",
    )
}

async fn show_email_verification(State(app): State<Arc<App>>, secret: Secret) -> Response {
    let what = "To verify your e-mail address, send this request";
    page(&app, secret, what, "/v1/auth/email/verify", "")
}

async fn show_invitation(State(app): State<Arc<App>>, secret: Secret) -> Response {
    let what = "To accept the invitation, sign in with the invited address (register it first if \
                it has no account), and send this request with your token";
    page(&app, secret, what, "/v1/invitations/accept", "")
}

/// The same page for every secret, whether it opens something or not.
fn page(app: &App, secret: Secret, what: &str, path: &str, more: &str) -> Response {
    let secret = secret.ok().and_then(|Path(secret)| LinkSecret::parse(&secret));
    let Some(secret) = secret else { return Problem::new(Code::NotFound).into_response() };
    let (url, secret) = (&app.public_url, secret.reveal());
    let text = format!(
        "{what}:\n\n\
         curl -X POST {url}{path} \\\n  -H 'Content-Type: application/json' \\\n  \
         -d '{{\"token\": \"{secret}\"{more}}}'\n\n\
         Opening this page has changed nothing.\n"
    );
    let headers: [(HeaderName, &str); 4] = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        // the address is the secret
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (StatusCode::OK, headers, text).into_response()
}
