//! The keys that the installation signs with: published for ever, to everybody; changed by the
//! operator. Each is its own thumbprint (RFC 7638), so that nobody need believe what it is called.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use events::platform::{KeyId, Purpose, SigningKey};
use events::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::admin::Operator;
use super::answer;
use super::document::{OperatorCommands, PublicReads};
use super::problem::{Code, FieldError, Problem};
use super::request::{Authenticated, PathNames, Submission};
use crate::public_key::{NoteKey, PublicKey};
use crate::{App, signing_key};

const ALGORITHM: &str = "Ed25519";
const PEM: &str = ".pem";
const ROTATION: &str = ".rotation.json";
const ENVELOPE_TYPE: &str = "application/vnd.dsse.envelope.v1+json";

/// Served at the root only.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_packet_keys))
        .routes(routes!(show_packet_key))
        .routes(routes!(list_jwks))
        .routes(routes!(list_log_keys))
}

pub(super) fn operator_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(rotate_signing_key))
        .routes(routes!(rotate_compliance_signing_key))
        .routes(routes!(revoke_signing_key))
}

/// A JWK, and the same once more in the words of other clients.
#[derive(Serialize, ToSchema)]
pub(crate) struct PublishedKey {
    #[schema(example = "OKP")]
    kty: &'static str,
    #[schema(example = "Ed25519")]
    crv: &'static str,
    x: String,
    kid: String,
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    usage: &'static str,
    /// Seconds since 1970.
    iat: i64,
    nbf: i64,
    /// When it was retired.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<Revoked>,
    key_id: String,
    #[schema(example = "Ed25519")]
    algorithm: &'static str,
    /// PEM.
    public_key: String,
    active: bool,
    #[schema(value_type = Option<String>)]
    retired_at: Option<Time>,
    /// The key whose place it took, and which has signed that: `<kid>.rotation.json` beside its PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    rotated_from: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Revoked {
    /// Seconds since 1970: what it signed from then on is not to be believed.
    revoked_at: i64,
    #[schema(example = "compromised")]
    reason: &'static str,
}

/// At once a JWKS (RFC 7517) and a list for clients that know none.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeySet {
    #[schema(example = "Ed25519")]
    algorithm: &'static str,
    keys: Vec<PublishedKey>,
}

fn seconds(time: Time) -> i64 {
    time.millis().div_euclid(1000)
}

fn published(key: &SigningKey) -> Result<PublishedKey, Problem> {
    let SigningKey { key_id, public_key, introduced_at, retired_at, compromised_since, .. } = key;
    Ok(PublishedKey {
        kty: "OKP",
        crv: ALGORITHM,
        x: public_key.clone(),
        kid: key_id.to_string(),
        usage: "sig",
        iat: seconds(*introduced_at),
        nbf: seconds(*introduced_at),
        exp: retired_at.map(|at| seconds(at) + 1),
        revoked: compromised_since
            .map(|at| Revoked { revoked_at: seconds(at), reason: "compromised" }),
        key_id: key_id.to_string(),
        algorithm: ALGORITHM,
        public_key: usable(key)?.pem(),
        active: retired_at.is_none() && compromised_since.is_none(),
        retired_at: *retired_at,
        rotated_from: key.rotation.as_ref().map(|rotation| rotation.from.to_string()),
    })
}

fn usable(key: &SigningKey) -> Result<PublicKey, Problem> {
    PublicKey::of_base64url(&key.public_key).map_err(|_| Problem::new(Code::Internal))
}

/// Those of these keys that serve a purpose, the newest first.
fn key_set(keys: &[SigningKey], purpose: Purpose) -> Result<KeySet, Problem> {
    let keys = keys.iter().rev().filter(|key| key.purpose == purpose);
    Ok(KeySet { algorithm: ALGORITHM, keys: keys.map(published).collect::<Result<_, _>>()? })
}

/// Every key that packets were ever signed with, the newest first.
#[utoipa::path(get, path = "/.well-known/compliance-signing-keys",
    operation_id = "listPacketKeys", tag = "evidence",
    responses((status = 200, body = KeySet), PublicReads))]
async fn list_packet_keys(State(app): State<Arc<App>>) -> Result<Json<KeySet>, Problem> {
    Ok(Json(key_set(&signing_key::all(&app).await?, Purpose::Packet)?))
}

/// The same keys, where clients that know JWKS look for them.
#[utoipa::path(get, path = "/.well-known/jwks.json", operation_id = "listJsonWebKeys",
    tag = "evidence", responses((status = 200, body = KeySet), PublicReads))]
async fn list_jwks(State(app): State<Arc<App>>) -> Result<Json<KeySet>, Problem> {
    Ok(Json(key_set(&signing_key::all(&app).await?, Purpose::Packet)?))
}

/// One key as PEM; or, as `<kid>.rotation.json`, what the key before it and it itself have signed about
/// its taking that one's place (a DSSE envelope).
#[utoipa::path(get, path = "/.well-known/compliance-signing-keys/{file}",
    operation_id = "showPacketKey", tag = "evidence",
    params(("file" = String, Path, description = "the key's id and `.pem` or `.rotation.json`")),
    responses((status = 200, body = String, content_type = "application/x-pem-file"), PublicReads))]
async fn show_packet_key(
    State(app): State<Arc<App>>,
    names: PathNames,
) -> Result<Response, Problem> {
    let file = names.text("file").unwrap_or_default();
    let keys = signing_key::all(&app).await?;
    let find = |suffix| {
        let named = file.strip_suffix(suffix)?;
        keys.iter().find(|key| key.key_id.0 == named)
    };
    if let Some(key) = find(PEM) {
        return Ok(([(CONTENT_TYPE, "application/x-pem-file")], usable(key)?.pem()).into_response());
    }
    let rotated = find(ROTATION).and_then(|key| Some((key, key.rotation.as_ref()?)));
    let (key, rotation) = rotated.ok_or(Problem::new(Code::NotFound))?;
    let envelope = signing_key::rotation::envelope(rotation, &key.key_id);
    Ok(([(CONTENT_TYPE, ENVELOPE_TYPE)], Json(envelope)).into_response())
}

/// Every key that heads of logs were ever signed with, the newest first: one verifier of signed notes
/// (C2SP) a line.
#[utoipa::path(get, path = "/.well-known/log-keys", operation_id = "listLogKeys", tag = "evidence",
    responses((status = 200, body = String, content_type = "text/plain; charset=utf-8"),
        PublicReads))]
async fn list_log_keys(State(app): State<Arc<App>>) -> Result<String, Problem> {
    let mut lines = String::new();
    let keys = signing_key::all(&app).await?;
    for key in keys.iter().rev().filter(|key| key.purpose == Purpose::Log) {
        let named = NoteKey { name: app.origin.clone(), key: usable(key)? };
        lines.push_str(&named.line());
        lines.push('\n');
    }
    Ok(lines)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateBody {
    /// `packet` (the usual) or `log`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "packet")]
    purpose: Option<Purpose>,
}

#[utoipa::path(post, path = "/admin/signing-keys/rotate", operation_id = "rotateSigningKey",
    tag = "operations", description = "A new key signs from now on. The one before stays \
        published, and what it has signed stays good.",
    request_body = RotateBody, responses((status = 200, body = KeySet), OperatorCommands))]
async fn rotate_signing_key(
    State(app): State<Arc<App>>,
    Authenticated(_operator, submission): Authenticated<Operator>,
) -> Result<Response, Problem> {
    rotate(&app, &submission).await
}

#[utoipa::path(post, path = "/admin/compliance/signing-keys/rotate",
    operation_id = "rotateComplianceSigningKey", tag = "operations",
    description = "The same as `POST /v1/admin/signing-keys/rotate`.",
    request_body = RotateBody, responses((status = 200, body = KeySet), OperatorCommands))]
async fn rotate_compliance_signing_key(
    State(app): State<Arc<App>>,
    Authenticated(_operator, submission): Authenticated<Operator>,
) -> Result<Response, Problem> {
    rotate(&app, &submission).await
}

async fn rotate(app: &App, submission: &Submission) -> Result<Response, Problem> {
    let RotateBody { purpose } = submission.json_or_empty()?;
    let order = submission.operator_order(app)?;
    let purpose = purpose.unwrap_or(Purpose::Packet);
    let done = signing_key::rotate(app, &order, purpose).await?;
    Ok(answer::command(StatusCode::OK, &done, key_set(&done.answer, purpose)?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeBody {
    /// What the key signed from then on is not to be believed. Not in the future.
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    compromised_since: Time,
}

#[utoipa::path(post, path = "/admin/signing-keys/{key_id}/revoke",
    operation_id = "revokeSigningKey", tag = "operations",
    params(("key_id" = String, Path)),
    description = "The key was stolen. Another signs in its place if it still signed.",
    request_body = RevokeBody, responses((status = 200, body = KeySet), OperatorCommands))]
async fn revoke_signing_key(
    State(app): State<Arc<App>>,
    names: PathNames,
    Authenticated(_operator, submission): Authenticated<Operator>,
) -> Result<Response, Problem> {
    let RevokeBody { compromised_since } = submission.json()?;
    if compromised_since > app.clock.now() {
        return Err(Problem::invalid(vec![FieldError {
            field: "compromised_since".to_owned(),
            detail: "must not be in the future".to_owned(),
        }]));
    }
    let key_id = KeyId(names.text("key_id").unwrap_or_default().to_owned());
    let order = submission.operator_order(&app)?;
    let done = signing_key::revoke(&app, &order, key_id.clone(), compromised_since).await?;
    let revoked = done.answer.iter().find(|key| key.key_id == key_id);
    let purpose = revoked.map_or(Purpose::Packet, |key| key.purpose);
    Ok(answer::command(StatusCode::OK, &done, key_set(&done.answer, purpose)?))
}
