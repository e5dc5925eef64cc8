//! What a reader of the paper needs to find the packet's log again, as a QR code.

use serde::Serialize;

use crate::packet::statement::Predicate;
use crate::paper::qr::Code;

/// One line of JSON.
#[derive(Serialize)]
struct VerificationData<'a> {
    packet: String,
    version: u64,
    origin: &'a str,
    size: u64,
    root: String,
    head: &'a str,
    kid: String,
}

/// `None` when the origin is so long that no code can hold it.
pub(super) fn code(predicate: &Predicate) -> Option<Code> {
    let log = &predicate.log;
    let data = VerificationData {
        packet: predicate.packet.id.to_string(),
        version: predicate.packet.request_version,
        origin: &log.origin,
        size: log.size,
        root: log.root.to_string(),
        head: &log.head_blake3,
        kid: predicate.issuer.key_id.to_string(),
    };
    Code::holding(serde_json::to_string(&data).ok()?)
}
