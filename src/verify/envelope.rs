//! The envelope and what is signed in it: by whom, whether it is a statement at all, and whether it
//! is about whom it should be. Nothing of it is believed before a pinned key has signed it.

use events::stream::Stream;
use events::time::Time;
use serde_json::Value;

use super::fault::{Checked, Fault, Reason, ensure};
use super::json;
use super::keys::{PinnedKey, PinnedKeys};
use super::{Expected, Report};
use crate::dsse::{self, Envelope};
use crate::note;
use crate::packet::CHECKPOINT;
use crate::packet::statement::{Hashes, PREDICATE, SCHEMA_VERSION, STATEMENT_TYPE, Statement};

pub(super) struct Signed<'a> {
    pub(super) statement: Statement,
    /// Every pinned key that signed it.
    pub(super) keys: Vec<&'a PinnedKey>,
}

/// V1 and what of V2 needs no other file.
pub(super) fn open<'a>(
    bytes: &[u8],
    keys: &'a PinnedKeys,
    expected: &Expected,
    report: &mut Report,
) -> Checked<Signed<'a>> {
    let malformed = |why: String| Fault::new(Reason::Envelope, why);
    let envelope = json::read(bytes).map_err(|why| malformed(why.to_string()))?;
    let envelope: Envelope =
        serde_json::from_value(envelope).map_err(|why| malformed(why.to_string()))?;
    let has_signed = |pinned: &&PinnedKey| envelope.open([&pinned.key]).is_some();
    let signed_by: Vec<_> = keys.packet.iter().filter(has_signed).collect();
    ensure(!signed_by.is_empty(), Reason::Signature, || {
        let kind = &envelope.payload_type;
        if kind == dsse::PAYLOAD_TYPE {
            "no pinned packet key has signed it".to_owned()
        } else {
            format!("its payload is of the type {kind:?}, not an in-toto statement")
        }
    })?;
    let payload = envelope.payload().ok_or_else(|| malformed("its payload is no base64".into()))?;
    let names: Vec<_> = signed_by.iter().map(|pinned| pinned.key.id().to_string()).collect();
    report.checked("V1", format!("the statement is signed by the pinned key {}", names.join(", ")));

    let statement = statement(&payload)?;
    is_consistent(&statement, keys, expected)?;
    report.checked("V2", "it is a canonical in-toto statement of an evidence packet".to_owned());
    Ok(Signed { statement, keys: signed_by })
}

fn statement(payload: &[u8]) -> Checked<Statement> {
    let value = json::read(payload).map_err(|why| {
        let reason = match why {
            json::Unsound::NoJson(_) => Reason::NotJson,
            json::Unsound::Twice(_) => Reason::DuplicateMember,
        };
        Fault::new(reason, format!("the signed statement: {why}"))
    })?;
    ensure(events::wire::is_canonical(payload), Reason::NotCanonical, || {
        "the signed statement is not in canonical form (RFC 8785)".to_owned()
    })?;
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    ensure(text("_type") == STATEMENT_TYPE, Reason::StatementType, || {
        format!("the signed document is {:?}, not an in-toto statement", text("_type"))
    })?;
    ensure(text("predicateType").ends_with(PREDICATE), Reason::StatementType, || {
        format!("its predicate is {:?}, not an evidence packet", text("predicateType"))
    })?;
    let version = value.pointer("/predicate/schema_version").and_then(Value::as_str);
    ensure(version == Some(SCHEMA_VERSION), Reason::SchemaVersion, || {
        format!("its schema is {version:?}; this program reads {SCHEMA_VERSION}")
    })?;
    let statement = serde_json::from_slice(payload);
    statement.map_err(|why| Fault::new(Reason::StatementShape, why.to_string()))
}

fn is_consistent(statement: &Statement, keys: &PinnedKeys, expected: &Expected) -> Checked<()> {
    let predicate = &statement.predicate;
    let (issuer, organization) = (&predicate.issuer.name, predicate.organization.id);
    ensure(
        keys.log.iter().all(|key| key.name.as_ref().is_none_or(|it| it == issuer)),
        Reason::Issuer,
        || {
            format!(
                "it says that {issuer:?} issued it, which is not the name of the pinned log key"
            )
        },
    )?;
    let address = statement.predicate_type.strip_suffix(PREDICATE).unwrap_or_default();
    ensure(
        address.split_once("://").map_or(address, |(_, name)| name) == issuer,
        Reason::Issuer,
        || format!("its predicate type belongs to {address:?}, not to the issuer {issuer:?}"),
    )?;
    let other = expected.organization.filter(|expected| *expected != organization);
    if let Some(other) = other {
        let message = format!("it is about {organization}, not about {other}");
        return Err(Fault::new(Reason::Organization, message));
    }
    let log = &predicate.log;
    let origin = note::origin_of(issuer, &Stream::Organization(organization));
    ensure(log.origin == origin, Reason::Origin, || {
        format!("its log is {:?}; the organization's is {origin:?}", log.origin)
    })?;
    ensure(log.hash == Hashes::default(), Reason::StatementShape, || {
        "it names hashes that this program does not know".to_owned()
    })?;
    ensure(log.checkpoint == CHECKPOINT, Reason::StatementShape, || {
        format!("its checkpoint is in {:?}, not in {CHECKPOINT}", log.checkpoint)
    })?;
    let (period, packet) = (predicate.period, &predicate.packet);
    ensure(period.from < period.to, Reason::Period, || "its period is empty".to_owned())?;
    ensure(packet.request_version.checked_add(1) == Some(log.size), Reason::Challenge, || {
        format!("its request is version {} of {} lines", packet.request_version, log.size)
    })?;
    if let Some(challenge) = expected.challenge.as_ref().filter(|it| **it != packet.challenge) {
        let message = format!("its challenge is {:?}, not {challenge:?}", packet.challenge);
        return Err(Fault::new(Reason::Challenge, message));
    }
    Ok(())
}

/// V3: one of the keys that signed was valid at this time, which is the log's where the lines are
/// there.
pub(super) fn was_valid<'a>(
    signed: &Signed<'a>,
    at: Time,
    whose: &str,
    report: &mut Report,
) -> Checked<&'a PinnedKey> {
    let mut valid = signed.keys.iter().filter(|pinned| pinned.validity.holds_at(at));
    let Some(key) = valid.next() else {
        let message = format!("no pinned key that signed it was valid at {at}, {whose}");
        return Err(Fault::new(Reason::KeyValidity, message));
    };
    let says = &signed.statement.predicate.issuer.key_id;
    let is_named = signed.keys.iter().any(|pinned| pinned.key.id() == *says);
    ensure(is_named, Reason::Issuer, || {
        format!("it says that the key {says} signed it, which has not")
    })?;
    report.checked("V3", format!("the key {} was valid at {at}, {whose}", key.key.id()));
    Ok(key)
}
