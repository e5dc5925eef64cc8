//! A signed packet as the API shows it: the envelope, what clients look for beside it, and the same
//! signature in their words.

use events::evidence::Framework;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::super::problem::{Code, Problem};
use crate::dsse::Envelope;
use crate::packet::bundle;
use crate::packet::content::hex;
use crate::packet::statement::Statement;

/// DSSE 1.0.2.
#[derive(Serialize, ToSchema)]
pub(crate) struct DsseEnvelope {
    /// Base64 of an in-toto statement in canonical form (RFC 8785).
    payload: String,
    #[serde(rename = "payloadType")]
    #[schema(example = "application/vnd.in-toto+json")]
    payload_type: String,
    signatures: Vec<DsseSignature>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DsseSignature {
    keyid: String,
    /// Base64 of 64 bytes.
    sig: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PacketSignature {
    #[schema(example = "Ed25519")]
    algorithm: &'static str,
    key_id: String,
    /// That of the envelope: over the payload with its type and length (DSSE's PAE).
    value: String,
    /// SHA-256 of the payload, in hexadecimal digits.
    canonical_sha256: String,
}

pub(super) fn of(envelope: &Envelope) -> Result<(DsseEnvelope, Value, PacketSignature), Problem> {
    let (dsse, signature) = signed(envelope)?;
    Ok((dsse, packet(&bundle::statement(envelope)?), signature))
}

/// The envelope, and its signature in the words of other clients.
pub(super) fn signed(envelope: &Envelope) -> Result<(DsseEnvelope, PacketSignature), Problem> {
    let internal = || Problem::new(Code::Internal);
    let payload = envelope.payload().ok_or_else(internal)?;
    let signed = envelope.signatures.first().ok_or_else(internal)?;
    let signature = PacketSignature {
        algorithm: "Ed25519",
        key_id: signed.keyid.clone(),
        value: signed.sig.clone(),
        canonical_sha256: hex(&Sha256::digest(&payload)),
    };
    let dsse = DsseEnvelope {
        payload: envelope.payload.clone(),
        payload_type: envelope.payload_type.clone(),
        signatures: envelope
            .signatures
            .iter()
            .map(|it| DsseSignature { keyid: it.keyid.clone(), sig: it.sig.clone() })
            .collect(),
    };
    Ok((dsse, signature))
}

/// What clients of other products read of a packet.
fn packet(statement: &Statement) -> Value {
    let predicate = &statement.predicate;
    let controls: Vec<Value> = predicate
        .controls
        .iter()
        .map(|control| {
            let events = control["events"].as_array().into_iter().flatten();
            let references: Vec<String> = events.map(|it| format!("event {it}")).collect();
            json!({
                "control_id": control["id"], "title": control["id"],
                "criteria": control["criteria"], "assertion": control["statement"],
                "status": control["result"], "evidence_kind": control["evidence_kind"],
                "reason": control["reason"], "evidence_refs": references,
            })
        })
        .collect();
    let framework: Framework = predicate.framework.id;
    json!({
        "schema_version": predicate.schema_version,
        "framework": framework,
        "generated_at": predicate.packet.generated_at,
        "period_start": predicate.period.from,
        "period_end": predicate.period.to,
        "challenge": predicate.packet.challenge,
        "organization": {
            "id": predicate.organization.id, "slug": predicate.organization.slug,
            "country": predicate.organization.country,
        },
        "scope_boundary": predicate.scope.boundary,
        "controls": controls,
        "not_evidenced": predicate.not_evidenced,
        "summary": {
            "audit_log": {
                "entry_count": predicate.log.size,
                "retention_policy": "kept for the life of the installation",
            },
        },
        "log": predicate.log,
    })
}
