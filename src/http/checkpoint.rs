//! The signed head of an organization's log, and the proof that an older head is a prefix of it. Both
//! are text that other programs read as it is: a signed note, and one hash a line.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use events::permission::Permission;
use events::stream::Stream;
use events::tree::{Hash, Outline};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::authentication::Caller;
use super::document::OrganizationReads;
use super::organization::Meant;
use super::problem::{Code, Problem};
use super::request::Parameters;
use crate::access::Access;
use crate::query::ledger::Tree;
use crate::{App, signer};

const TEXT: &str = "text/plain; charset=utf-8";

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show_checkpoint)).routes(routes!(show_consistency))
}

/// The head of the organization's log as a signed note (C2SP `tlog-checkpoint`): origin, number of
/// lines, root of the tree over them. Keep it: later it proves that nothing was taken back.
#[utoipa::path(get, path = "/audit-log/checkpoint", operation_id = "showCheckpoint",
    tag = "evidence",
    responses((status = 200, body = String, content_type = "text/plain; charset=utf-8"),
        OrganizationReads))]
async fn show_checkpoint(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    Access::check(&app, by, organization, Permission::ReadAuditLog).await?;
    Parameters::of(&uri, &[])?;
    let stream = Stream::Organization(organization);
    let (_, note) = signer::sign_current(&app, stream).await?;
    Ok(([(CONTENT_TYPE, TEXT)], note).into_response())
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Consistency {
    from: u64,
    to: u64,
    #[schema(value_type = String)]
    from_root: Hash,
    #[schema(value_type = String)]
    to_root: Hash,
    /// Hashes in base64 (RFC 6962, 2.1.2).
    #[schema(value_type = Vec<String>)]
    proof: Vec<Hash>,
}

#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is read as text; this documents it")]
struct Sizes {
    /// The number of lines of the older head.
    from: u64,
    /// That of the younger one; without it, all lines there are.
    to: Option<u64>,
}

/// That the log was the beginning of what it is now. With `Accept: text/plain` one hash a line.
#[utoipa::path(get, path = "/audit-log/consistency", operation_id = "showConsistency",
    tag = "evidence", params(Sizes),
    responses((status = 200, body = Consistency), OrganizationReads))]
async fn show_consistency(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    Access::check(&app, by, organization, Permission::ReadAuditLog).await?;
    let parameters = Parameters::of(&uri, &["from", "to"])?;
    let tree = signer::current_tree(&app, Stream::Organization(organization)).await?;
    let from = size(&parameters, "from")?.ok_or_else(|| {
        let detail = "`from` is the number of lines of the older head";
        Problem::with_detail(Code::InvalidParameter, detail)
    })?;
    let to = size(&parameters, "to")?.unwrap_or(tree.size());
    let (Some(outline), true) = (Outline::of_consistency(from, to), to <= tree.size()) else {
        let detail = format!("`from` is at most `to`, and `to` at most {}", tree.size());
        return Err(Problem::with_detail(Code::InvalidParameter, detail));
    };
    let found = proven(&app, &tree, from, to, &outline).await?;
    if headers.get(ACCEPT).is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain")) {
        let lines =
            found.proof.iter().fold(String::new(), |lines, hash| lines + &format!("{hash}\n"));
        return Ok(([(CONTENT_TYPE, TEXT)], lines).into_response());
    }
    Ok(Json(found).into_response())
}

async fn proven(
    app: &App,
    tree: &Tree,
    from: u64,
    to: u64,
    outline: &Outline,
) -> Result<Consistency, Problem> {
    let internal = || Problem::new(Code::Internal);
    let from_root = tree.root(app, from).await?.ok_or_else(internal)?;
    let to_root = tree.root(app, to).await?.ok_or_else(internal)?;
    let proof = tree.proof(app, outline).await?.ok_or_else(internal)?;
    Ok(Consistency { from, to, from_root, to_root, proof })
}

fn size(parameters: &Parameters, name: &str) -> Result<Option<u64>, Problem> {
    let number = |text: &str| {
        let number = text.parse().ok().filter(|number| i64::try_from(*number).is_ok());
        number.ok_or_else(|| {
            let detail = format!("`{name}` is a number of lines");
            Problem::with_detail(Code::InvalidParameter, detail)
        })
    };
    parameters.get(name).map(number).transpose()
}
