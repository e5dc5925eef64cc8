//! What is signed: an in-toto statement (v1) whose subjects are the packet's files, and whose
//! predicate says what was found in them. The signed bytes are its canonical form (RFC 8785).

use events::evidence::Framework;
use events::id::{OrganizationId, PacketId, SubjectId};
use events::platform::KeyId;
use events::recorded::Actor;
use events::time::Time;
use events::tree::Hash;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::compliance::Verification;

pub(crate) const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// Behind the issuer's address.
pub(crate) const PREDICATE: &str = "/evidence-packet/v1";
pub(crate) const SCHEMA_VERSION: &str = "1.0.0";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Statement {
    #[serde(rename = "_type")]
    pub(crate) kind: String,
    #[serde(rename = "predicateType")]
    pub(crate) predicate_type: String,
    pub(crate) subject: Vec<File>,
    pub(crate) predicate: Predicate,
}

/// One file of the bundle. `digest` holds SHA-256 only: some verifiers refuse names that they do not
/// know, so BLAKE3 stands among the annotations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct File {
    /// Without `/`, a leading `.` or control characters.
    pub(crate) name: String,
    pub(crate) digest: Digest,
    pub(crate) annotations: Annotations,
    #[serde(rename = "mediaType")]
    pub(crate) media_type: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Digest {
    /// In hexadecimal digits.
    pub(crate) sha256: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Annotations {
    /// In hexadecimal digits.
    pub(crate) blake3: String,
    /// A number in decimal digits.
    pub(crate) bytes: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Predicate {
    pub(crate) schema_version: String,
    pub(crate) packet: Packet,
    pub(crate) organization: Organization,
    pub(crate) issuer: Issuer,
    pub(crate) framework: FrameworkEdition,
    pub(crate) period: Period,
    pub(crate) log: Log,
    pub(crate) scope: Scope,
    pub(crate) controls: Vec<Value>,
    pub(crate) not_evidenced: Vec<Value>,
    /// What the results were counted from: ids and numbers, nothing personal.
    pub(crate) sections: Value,
    pub(crate) privacy: Privacy,
    /// When the log was verified, as far as the installation's own log says.
    pub(crate) verifications: Vec<Verification>,
    pub(crate) declaration: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Packet {
    pub(crate) id: PacketId,
    pub(crate) challenge: String,
    /// Version of the event that asked for it: the last line of `events.jsonl`.
    pub(crate) request_version: u64,
    /// The time of that event.
    pub(crate) generated_at: Time,
    pub(crate) generated_by: Actor,
    pub(crate) supersedes: Option<PacketId>,
    pub(crate) generator: Generator,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Generator {
    pub(crate) name: String,
    pub(crate) version: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Organization {
    pub(crate) id: OrganizationId,
    pub(crate) slug: String,
    /// ISO 3166-1 alpha-2.
    pub(crate) country: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Issuer {
    /// The installation's origin.
    pub(crate) name: String,
    pub(crate) keys: String,
    pub(crate) log_keys: String,
    /// The key that signs this.
    pub(crate) key_id: KeyId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FrameworkEdition {
    pub(crate) id: Framework,
    pub(crate) edition: String,
    pub(crate) specification: Specification,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Specification {
    /// `soc2/1.0.0`
    pub(crate) version: String,
    /// Of the file `specification.json`, in hexadecimal digits.
    pub(crate) sha256: String,
}

/// Half-open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Period {
    pub(crate) from: Time,
    pub(crate) to: Time,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Log {
    pub(crate) origin: String,
    pub(crate) checkpoint: String,
    /// The number of lines: the request's version and one.
    pub(crate) size: u64,
    #[serde(rename = "root_sha256")]
    pub(crate) root: Hash,
    /// BLAKE3 of the last line, in hexadecimal digits.
    pub(crate) head_blake3: String,
    pub(crate) hash: Hashes,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hashes {
    pub(crate) chain: String,
    pub(crate) tree: String,
}

impl Default for Hashes {
    fn default() -> Self {
        Self { chain: "blake3-256".to_owned(), tree: "rfc6962-sha256".to_owned() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scope {
    pub(crate) boundary: String,
    pub(crate) disclosure: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Privacy {
    pub(crate) personal_fields: String,
    /// Subjects of whom the bundle discloses values.
    pub(crate) disclosed: Vec<SubjectId>,
    pub(crate) erased: Vec<Value>,
}

/// `seal.json`: where the organization's log stood when all logs were last sealed, and that the
/// log's head in the packet and the one that was sealed are two heads of one log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seal {
    /// The canonical line of `ledger.sealed`, on the stream `platform`.
    pub(crate) event: String,
    /// A C2SP tlog-proof of that line, with the platform's signed head.
    pub(crate) event_proof: String,
    /// The organization's leaf of the seal: `{"root","size","stream"}` in canonical form.
    pub(crate) leaf: String,
    pub(crate) index: u64,
    pub(crate) count: u64,
    /// That the leaf is under the seal's root.
    pub(crate) proof: Vec<Hash>,
    /// That the packet's head is a prefix of the sealed one, or the other way round.
    pub(crate) consistency: Vec<Hash>,
}

#[cfg(test)]
mod tests;
