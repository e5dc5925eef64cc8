//! The proof that one event stands in its organization's log: of the log as it ended with that event,
//! so that it stays the same for ever. That the log went on from there is another proof.

use events::id::OrganizationId;
use events::stream::Stream;
use events::tree::{Hash, Outline};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::problem::{Code, Problem};
use crate::note::Inclusion;
use crate::{App, query, signer};

#[derive(Serialize, ToSchema)]
pub(crate) struct EntryProof {
    /// The event's line, byte by byte; its leaf is SHA-256 over a zero byte and this (RFC 6962).
    line: String,
    index: u64,
    size: u64,
    #[schema(value_type = String)]
    root: Hash,
    /// From the leaf up to the root, in base64.
    #[schema(value_type = Vec<String>)]
    hashes: Vec<Hash>,
    /// The signed head of so many lines (C2SP `tlog-checkpoint`).
    checkpoint: String,
    /// The same as a file for other programs (C2SP `tlog-proof`).
    tlog_proof: String,
}

pub(super) async fn of(
    app: &App,
    organization: OrganizationId,
    version: u64,
) -> Result<Option<EntryProof>, Problem> {
    let internal = || Problem::new(Code::Internal);
    let (stream, size) = (Stream::Organization(organization), version + 1);
    query::ledger::reach_size(app, stream, size).await?;
    let (head, checkpoint) = match signer::sign(app, stream, Some(size)).await {
        Ok(signed) => signed,
        Err(
            signer::Error::Elsewhere | signer::Error::Shrank { .. } | signer::Error::Forked { .. },
        ) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let tree = query::ledger::Tree::of(app, stream).await?;
    let outline = Outline::of_inclusion(version, size).ok_or_else(internal)?;
    let hashes = tree.proof(app, &outline).await?.ok_or_else(internal)?;
    let line = query::ledger::line(app, stream, version).await?.ok_or_else(internal)?;
    let proof = Inclusion { index: version, proof: hashes.clone(), checkpoint: checkpoint.clone() };
    let tlog_proof = proof.to_string();
    Ok(Some(EntryProof {
        line,
        index: version,
        size,
        root: head.root,
        hashes,
        checkpoint,
        tlog_proof,
    }))
}
