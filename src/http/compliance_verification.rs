//! Verifies a packet that anybody brings, with the keys that this installation publishes. It is a
//! convenience: whoever must not trust this server runs `chancery verify` with keys of their own.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use events::platform::{Purpose, SigningKey};
use events::time::Time;
use futures_util::StreamExt as _;
use tokio::sync::{Semaphore, mpsc};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer;
use super::authentication::Origin;
use super::document::PublicVerifications;
use super::problem::{Code, Problem};
use super::request::Parameters;
use crate::failure::Failure;
use crate::public_key::PublicKey;
use crate::verify::{self, Bundle, Expected, PinnedKey, PinnedKeys, Validity, Verdict};
use crate::{App, signing_key};

const LARGEST_BODY: u64 = 64 << 20;
/// Of all files together, unpacked.
const LARGEST_PACKET: u64 = 1 << 30;
/// Packets that are received and verified at once; whoever comes later waits.
static ROOM: Semaphore = Semaphore::const_new(4);
/// For the whole body, so that nobody keeps the room to themselves.
const RECEIVED_WITHIN: Duration = Duration::from_mins(2);
/// Pieces of a body that wait to be written down.
const WAITING: usize = 8;
const KINDS: [&str; 4] = [
    "application/zip",
    "application/json",
    "application/vnd.dsse.envelope.v1+json",
    "application/octet-stream",
];

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(verify_packet))
}

/// What `chancery verify --json` says, too.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a verdict writes itself; this documents it")]
pub(crate) struct Verification {
    valid: bool,
    /// Whom and what the signed statement is about.
    #[schema(value_type = Option<Object>)]
    packet: (),
    /// How many lines were checked, and their root.
    #[schema(value_type = Option<Object>)]
    log: (),
    /// The verifier's line of the key that signed the checkpoint.
    log_key: Option<String>,
    /// The first thing that is wrong; where signed heads contradict each other, both are the evidence.
    fault: Option<Fault>,
    /// Each check that passed, with a sentence.
    checks: Vec<Check>,
    /// What could not be checked here, and why.
    left_out: Vec<String>,
}

#[derive(ToSchema)]
#[schema(as = VerificationFault)]
#[expect(dead_code, reason = "a verdict writes itself; this documents it")]
pub(crate) struct Fault {
    #[schema(example = "V6-root")]
    code: String,
    message: String,
    evidence: Option<Vec<String>>,
}

#[derive(ToSchema)]
#[schema(as = VerificationCheck)]
#[expect(dead_code, reason = "a verdict writes itself; this documents it")]
pub(crate) struct Check {
    #[schema(example = "V5")]
    check: String,
    says: String,
}

/// Verifies a packet: its bundle, or its signed envelope alone. Nothing of it is kept. A packet that
/// does not hold is no error: the answer says what is wrong first.
#[utoipa::path(post, path = "/compliance/verify", operation_id = "verifyPacket", tag = "evidence",
    params(
        ("challenge" = Option<String>, Query, description = "the one that the packet was asked for with"),
        ("organization" = Option<String>, Query, description = "the id of the organization that it must be about"),
    ),
    request_body(content((Vec<u8> = "application/zip"), (Object = "application/json"))),
    responses((status = 200, body = Verification), PublicVerifications))]
async fn verify_packet(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let parameters = Parameters::of(&parts.uri, &["challenge", "organization"])?;
    let organization = parameters.get("organization").map(str::parse).transpose();
    let organization = organization.map_err(|_| {
        Problem::with_detail(Code::InvalidParameter, "`organization` is an organization's id")
    })?;
    let challenge = parameters.get("challenge").map(str::to_owned);
    let expected = Expected { organization, challenge, ..Expected::default() };
    is_known_kind(&parts.headers)?;
    let left = app.rate_limits.public_call(Origin::of(&parts).network())?;
    let keys = published(&app).await.map_err(|problem| problem.limited(left))?;
    let verdict = received(body, keys, expected).await;
    let verdict = verdict.map_err(|problem| problem.limited(left))?;
    Ok(answer::limited(left, Json(verdict).into_response()))
}

fn is_known_kind(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is_known = KINDS.iter().any(|known| known.eq_ignore_ascii_case(kind));
    if is_known { Ok(()) } else { Err(Problem::new(Code::UnsupportedMediaType)) }
}

/// Every key that this installation ever signed with.
async fn published(app: &App) -> Result<PinnedKeys, Problem> {
    let (mut packet, mut log) = (Vec::new(), Vec::new());
    for known in signing_key::all(app).await? {
        let key = PublicKey::of_base64url(&known.public_key);
        let key = key.map_err(|_| Problem::new(Code::Internal))?;
        let validity = validity(&known);
        match known.purpose {
            Purpose::Packet => packet.push(PinnedKey { key, name: None, validity }),
            Purpose::Log => {
                log.push(PinnedKey { key, name: Some(app.origin.clone()), validity });
            }
        }
    }
    PinnedKeys::new(packet, log).map_err(|_| Problem::new(Code::Internal))
}

/// The same that the published key set says, which counts in seconds.
fn validity(key: &SigningKey) -> Validity {
    let second = |time: Time, more: i64| {
        Time::from_millis((time.millis().div_euclid(1000) + more).saturating_mul(1000))
    };
    Validity {
        from: Some(second(key.introduced_at, 0)),
        to: key.retired_at.map(|at| second(at, 1)),
        revoked_at: key.compromised_since.map(|at| second(at, 0)),
    }
}

/// Writes the body to a file without a name while it comes, and verifies that.
async fn received(body: Body, keys: PinnedKeys, expected: Expected) -> Result<Verdict, Problem> {
    let _room = ROOM.acquire().await.map_err(|_| Problem::new(Code::Internal))?;
    let (sender, pieces) = mpsc::channel(WAITING);
    let verified = tokio::task::spawn_blocking(move || verified(pieces, &keys, &expected));
    let sent = tokio::time::timeout(RECEIVED_WITHIN, send(body, &sender)).await;
    drop(sender);
    // whatever came of the body, the file is given back first
    let verified = verified.await;
    sent.map_err(|_| Problem::with_detail(Code::InvalidParameter, "the body came too slowly"))??;
    match verified {
        Ok(Ok(verdict)) => Ok(verdict),
        Ok(Err(error)) => Err(Failure::Broken(Box::new(error)).into()),
        Err(error) => Err(Failure::Broken(Box::new(error)).into()),
    }
}

enum Piece {
    Of(Bytes),
    End,
}

async fn send(body: Body, to: &mpsc::Sender<Piece>) -> Result<(), Problem> {
    let (mut body, mut sum) = (body.into_data_stream(), 0);
    while let Some(piece) = body.next().await {
        let detail = "the body ended before its end";
        let piece = piece.map_err(|_| Problem::with_detail(Code::InvalidParameter, detail))?;
        sum += piece.len() as u64;
        if sum > LARGEST_BODY {
            return Err(Problem::with_detail(
                Code::PayloadTooLarge,
                "a packet has at most 64 MiB here; `chancery verify` takes larger ones",
            ));
        }
        if to.send(Piece::Of(piece)).await.is_err() {
            // it could not be written down, which whoever writes tells
            return Ok(());
        }
    }
    drop(to.send(Piece::End).await);
    Ok(())
}

fn verified(
    mut pieces: mpsc::Receiver<Piece>,
    keys: &PinnedKeys,
    expected: &Expected,
) -> io::Result<Verdict> {
    let mut file: File = tempfile::tempfile()?;
    loop {
        match pieces.blocking_recv() {
            Some(Piece::Of(piece)) => file.write_all(&piece)?,
            Some(Piece::End) => break,
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
    file.rewind()?;
    Ok(verify::verify(Bundle::file(file, LARGEST_PACKET), keys, expected))
}
