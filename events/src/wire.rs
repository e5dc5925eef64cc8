//! Event <-> its stored form: the canonical line (RFC 8785) and the sealed values beside it.
//! A line never changes; an older version of a type is upcast while it is read.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{self, Deserializer, Error as _, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::chain::Link;
use crate::id::{EventId, SubjectId};
use crate::personal::{Disclosure, OF_THE_ACTOR, Personal, Sealed};
use crate::recorded::{Actor, Cause, Position, Recorded};
use crate::stream::Stream;
use crate::time::Time;
use crate::{
    Event, access_attempt, access_review, account, address, database, declaration, erasure,
    evidence, incident, invitation, invoice, membership, organization, platform, project,
    restore_test, setting, subscription, token, usage,
};

mod canonical;
mod seen;
mod tagged;

use canonical::LARGEST_INTEGER;
pub use canonical::is_canonical;
pub use seen::{Head, Seen, decode, decode_all, head};
use tagged::Tagged;

/// The version of the line's own shape.
const LINE_VERSION: u8 = 1;
const DIGEST_ALGORITHM: &str = "sha-256";
/// Longest line of all streams but those of usage.
pub const LONGEST_LINE: usize = 64 * 1024;
/// The same on streams of usage.
pub const LONGEST_USAGE_LINE: usize = 256 * 1024;

pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Reads a value from its text form, borrowed or not.
pub(crate) fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    struct Text<T>(PhantomData<T>);
    impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }
    deserializer.deserialize_str(Text(PhantomData))
}

/// An event about to be written, with everything its line needs.
pub struct Draft<'a> {
    pub stream: &'a Stream,
    pub version: u64,
    pub id: EventId,
    pub at: Time,
    pub actor: &'a Actor,
    pub cause: &'a Cause,
    pub ip_address: Personal,
    pub user_agent: Personal,
    pub event: Event,
    pub prev: Link,
}

pub struct Encoded {
    pub kind: &'static str,
    pub line: Vec<u8>,
    pub disclosures: Vec<Disclosure>,
}

#[derive(Debug, thiserror::Error)]
pub enum Unwritable {
    #[error("the line would be {0} bytes long, more than 65536")]
    TooLong(usize),
    #[error("a number in the event cannot be kept exactly")]
    Inexact,
    #[error("a personal value is still sealed")]
    StillSealed,
    #[error("the event cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// What stands in a line before its data. The fields of both parts stand in canonical order.
#[derive(Serialize)]
struct BeforeData<'a> {
    #[serde(rename = "_sd", skip_serializing_if = "Vec::is_empty")]
    digests: Vec<String>,
    #[serde(rename = "_sd_alg", skip_serializing_if = "Option::is_none")]
    digest_algorithm: Option<&'static str>,
    actor: &'a Actor,
    cause: &'a Cause,
}

#[derive(Serialize)]
struct AfterData<'a> {
    id: EventId,
    prev: Link,
    recorded_at: Time,
    stream: &'a Stream,
    #[serde(rename = "type")]
    kind: &'static str,
    type_version: u32,
    v: u8,
    version: u64,
}

/// The canonical line of a draft. `salt` gives 128 bits per field; the same draft with the same
/// salts makes the same bytes.
pub fn encode(
    draft: &mut Draft<'_>,
    salt: impl Fn(&str) -> [u8; 16],
) -> Result<Encoded, Unwritable> {
    let mut disclosures = Vec::new();
    let mut still_sealed = false;
    let mut withhold = |field: &'static str, personal: &mut Personal| match personal {
        Personal::Absent => {}
        Personal::Known { subject, value } => {
            disclosures.push(Disclosure::new(*subject, field, value, salt(field)));
        }
        Personal::Sealed(_) => still_sealed = true,
    };
    withhold(OF_THE_ACTOR[0], &mut draft.ip_address);
    withhold(OF_THE_ACTOR[1], &mut draft.user_agent);
    draft.event.personal(&mut withhold);
    if still_sealed {
        return Err(Unwritable::StillSealed);
    }
    let mut digests: Vec<String> = disclosures.iter().map(Disclosure::digest).collect();
    digests.sort_unstable();

    let (kind, type_version) = kind(&draft.event);
    let before = BeforeData {
        digest_algorithm: (!digests.is_empty()).then_some(DIGEST_ALGORITHM),
        digests,
        actor: draft.actor,
        cause: draft.cause,
    };
    let after = AfterData {
        id: draft.id,
        prev: draft.prev,
        recorded_at: draft.at,
        stream: draft.stream,
        kind,
        type_version,
        v: LINE_VERSION,
        version: draft.version,
    };
    let (before, after) = (serde_json::to_string(&before)?, serde_json::to_string(&after)?);
    let tagged = tagged(&draft.event)?;
    let data = data(&tagged, kind)?;
    // one object of three parts
    let line = [&before[..before.len() - 1], ",\"data\":", &data, ",", &after[1..]].concat();
    let line = line.into_bytes();
    if line.len() > longest(draft.stream) {
        return Err(Unwritable::TooLong(line.len()));
    }
    Ok(Encoded { kind, line, disclosures })
}

/// Bytes of one line.
pub fn longest(stream: &Stream) -> usize {
    match stream {
        Stream::Usage(_) => LONGEST_USAGE_LINE,
        Stream::Platform | Stream::Address(_) | Stream::Account(_) | Stream::Organization(_) => {
            LONGEST_LINE
        }
    }
}

fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            number.as_i64().is_some_and(|number| number.unsigned_abs() <= LARGEST_INTEGER)
        }
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

#[derive(Debug, thiserror::Error)]
#[error("not a line this program can read: {0}")]
pub struct Malformed(#[from] serde_json::Error);

impl Malformed {
    fn because(what: impl fmt::Display) -> Self {
        Self(de::Error::custom(what))
    }
}

/// The type a line names, found without reading the rest: for passing over what is of no interest.
/// In a canonical line `type` is the last member whose value could hold these characters.
pub fn kind_of_line(line: &[u8]) -> Option<&str> {
    const MEMBER: &[u8] = b"\"type\":\"";
    let at = line.windows(MEMBER.len()).rposition(|part| part == MEMBER)? + MEMBER.len();
    let length = line[at..].iter().position(|byte| *byte == b'"')?;
    str::from_utf8(&line[at..at + length]).ok()
}

/// One sealed value as it stands beside a line.
#[derive(Serialize, Deserialize)]
pub struct SealedField<'a> {
    #[serde(borrow)]
    pub field: Cow<'a, str>,
    pub subject: SubjectId,
    #[serde(rename = "box", borrow)]
    pub sealed_box: Cow<'a, str>,
}

/// The bytes that stand beside a line: a JSON array of its sealed values.
pub fn encode_sealed(fields: &[SealedField<'_>]) -> Vec<u8> {
    if fields.is_empty() {
        return Vec::new();
    }
    serde_json::to_vec(fields).expect("strings are always JSON")
}

/// Puts the sealed values in the places of the event that they belong to.
fn put_back(recorded: &mut Recorded, fields: &[SealedField<'_>]) {
    let id = recorded.id;
    let mut put_back = |name: &'static str, personal: &mut Personal| {
        if let Some(found) = fields.iter().find(|sealed| sealed.field == name) {
            *personal = Personal::Sealed(Box::new(Sealed {
                subject: found.subject,
                event: id,
                field: name.into(),
                sealed_box: found.sealed_box.as_ref().into(),
            }));
        }
    };
    put_back(OF_THE_ACTOR[0], &mut recorded.ip_address);
    put_back(OF_THE_ACTOR[1], &mut recorded.user_agent);
    recorded.event.personal(&mut put_back);
}

impl Draft<'_> {
    /// What [`decode`] will read, for whoever has just written it: `link` is that of the finished
    /// line, `sealed` what stands beside it.
    pub fn recorded(self, position: Position, link: Link, sealed: &[SealedField<'_>]) -> Recorded {
        let mut recorded = Recorded {
            position,
            stream: *self.stream,
            version: self.version,
            id: self.id,
            at: self.at,
            actor: *self.actor,
            cause: *self.cause,
            ip_address: self.ip_address,
            user_agent: self.user_agent,
            event: self.event,
            prev: self.prev,
            link,
        };
        put_back(&mut recorded, sealed);
        recorded
    }
}

/// The wire name of an event and the newest version of its shape.
pub fn kind(event: &Event) -> (&'static str, u32) {
    match event {
        Event::Platform(event) => event.kind(),
        Event::Address(event) => event.kind(),
        Event::Account(event) => event.kind(),
        Event::Organization(event) => event.kind(),
        Event::Membership(event) => event.kind(),
        Event::Invitation(event) => event.kind(),
        Event::Setting(event) => event.kind(),
        Event::Token(event) => event.kind(),
        Event::AccessAttempt(event) => event.kind(),
        Event::Erasure(event) => event.kind(),
        Event::Declaration(event) => event.kind(),
        Event::Incident(event) => event.kind(),
        Event::AccessReview(event) => event.kind(),
        Event::RestoreTest(event) => event.kind(),
        Event::Evidence(event) => event.kind(),
        Event::Project(event) => event.kind(),
        Event::Database(event) => event.kind(),
        Event::DatabasePart(event) => event.kind(),
        Event::Subscription(event) => event.kind(),
        Event::Invoice(event) => event.kind(),
        Event::Usage(event) => event.kind(),
    }
}

/// The event as JSON: an object whose one member is named like its type.
fn tagged(event: &Event) -> Result<String, serde_json::Error> {
    match event {
        Event::Platform(event) => serde_json::to_string(event),
        Event::Address(event) => serde_json::to_string(event),
        Event::Account(event) => serde_json::to_string(event),
        Event::Organization(event) => serde_json::to_string(event),
        Event::Membership(event) => serde_json::to_string(event),
        Event::Invitation(event) => serde_json::to_string(event),
        Event::Setting(event) => serde_json::to_string(event),
        Event::Token(event) => serde_json::to_string(event),
        Event::AccessAttempt(event) => serde_json::to_string(event),
        Event::Erasure(event) => serde_json::to_string(event),
        Event::Declaration(event) => serde_json::to_string(event),
        Event::Incident(event) => serde_json::to_string(event),
        Event::AccessReview(event) => serde_json::to_string(event),
        Event::RestoreTest(event) => serde_json::to_string(event),
        Event::Evidence(event) => serde_json::to_string(event),
        Event::Project(event) => serde_json::to_string(event),
        Event::Database(event) => serde_json::to_string(event),
        Event::DatabasePart(event) => serde_json::to_string(event),
        Event::Subscription(event) => serde_json::to_string(event),
        Event::Invoice(event) => serde_json::to_string(event),
        Event::Usage(event) => serde_json::to_string(event),
    }
}

/// The data of an event in canonical form. As fields are mostly declared in that order, it is mostly
/// there already.
fn data<'a>(tagged: &'a str, kind: &str) -> Result<Cow<'a, str>, Unwritable> {
    let data = tagged.strip_prefix("{\"").and_then(|rest| rest.strip_prefix(kind));
    let data = data.and_then(|rest| rest.strip_prefix("\":")?.strip_suffix('}'));
    let data = data.ok_or_else(|| serde_json::Error::custom("an event is a struct variant"))?;
    if is_canonical(data.as_bytes()) {
        return Ok(Cow::Borrowed(data));
    }
    let data: Value = serde_json::from_str(data)?;
    if !is_exact(&data) {
        return Err(Unwritable::Inexact);
    }
    Ok(Cow::Owned(serde_json_canonicalizer::to_string(&data)?))
}

fn event(kind: &str, version: u32, data: &str) -> Result<Event, Malformed> {
    let newer = upcast(kind, version, data)?;
    let tagged = Tagged { kind, data: newer.as_deref().unwrap_or(data) };
    let domain = match kind {
        // named after what the audit log's reader looks for, kept with what decides them
        "member.invited" => "invitation",
        "organization.ownership_transferred" => "member",
        "organization.suspended" | "organization.resumed" => "plan",
        _ => kind.split_once('.').map_or("", |(domain, _)| domain),
    };
    let event = match domain {
        "platform" | "signing_key" | "ledger" | "log" | "plan_catalogue" => {
            platform::Event::deserialize(tagged).map(Event::Platform)
        }
        "address" => address::Event::deserialize(tagged).map(Event::Address),
        "account" | "session" => account::Event::deserialize(tagged).map(Event::Account),
        "organization" => organization::Event::deserialize(tagged).map(Event::Organization),
        "member" => membership::Event::deserialize(tagged).map(Event::Membership),
        "invitation" => invitation::Event::deserialize(tagged).map(Event::Invitation),
        "settings" => setting::Event::deserialize(tagged).map(Event::Setting),
        "api_key" => token::Event::deserialize(tagged).map(Event::Token),
        "person" => erasure::Event::deserialize(tagged).map(Event::Erasure),
        "compliance" => evidence::Event::deserialize(tagged).map(Event::Evidence),
        "access" => access_attempt::Event::deserialize(tagged).map(Event::AccessAttempt),
        "declaration" => declaration::Event::deserialize(tagged).map(Event::Declaration),
        "incident" => incident::Event::deserialize(tagged).map(Event::Incident),
        "access_review" => access_review::Event::deserialize(tagged).map(Event::AccessReview),
        "restore_test" => restore_test::Event::deserialize(tagged).map(Event::RestoreTest),
        "project" => project::Event::deserialize(tagged).map(Event::Project),
        "database" => database::Event::deserialize(tagged).map(Event::Database),
        "database_user" | "backup" | "backup_schedule" | "database_allowlist" | "alert"
        | "pipeline" => database::part::Event::deserialize(tagged).map(Event::DatabasePart),
        "plan" | "seats" | "spend_limit" | "payment_method" => {
            subscription::Event::deserialize(tagged).map(Event::Subscription)
        }
        "period" | "invoice" | "credit_note" | "credit" => {
            invoice::Event::deserialize(tagged).map(Event::Invoice)
        }
        "usage" => usage::Event::deserialize(tagged).map(Event::Usage),
        _ => Err(de::Error::custom(format_args!("unknown type {kind}"))),
    }?;
    let newest = self::kind(&event).1;
    if version == 0 || version > newest {
        return Err(Malformed::because(format_args!("{kind} version {version} is not known")));
    }
    Ok(event)
}

/// Lifts the data of an older version to the newest; `None` when it is the newest already.
fn upcast(kind: &str, version: u32, data: &str) -> Result<Option<String>, Malformed> {
    match (kind, version) {
        // version 1 knew no country: the organization has not said where it is
        ("organization.created", 1) => {
            let mut data: Value = serde_json::from_str(data)?;
            let members = data.as_object_mut().ok_or_else(|| Malformed::because("no members"))?;
            members.insert("country".to_owned(), Value::Null);
            Ok(Some(data.to_string()))
        }
        // version 1 could not be refreshed: it ended with its session token
        ("session.started", 1) => {
            let mut data: Value = serde_json::from_str(data)?;
            let members = data.as_object_mut().ok_or_else(|| Malformed::because("no members"))?;
            let end = members.get("expires_at").cloned().unwrap_or_default();
            members.insert("refresh_hash".to_owned(), Value::Null);
            members.insert("refresh_expires_at".to_owned(), end.clone());
            members.insert("ends_at".to_owned(), end);
            Ok(Some(data.to_string()))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod golden;
