//! Events as senders of usage write them (`CloudEvents` 1.0). One that cannot be taken is refused by
//! itself, and the others of its batch are taken.

use std::collections::HashMap;
use std::fmt;

use axum::http::HeaderMap;
use events::id::{DatabaseId, ProjectId};
use events::time::Time;
use events::usage::{self, EARLIEST, Entry, Kind, LATEST, MOST};
use percent_encoding::percent_decode_str;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::http::problem::{Code, Problem};
use crate::http::request::Submission;

const LONGEST: usize = 256;
const LONGEST_SHAPE: usize = 4096;

/// Shown in the document; what comes is read member by member.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read as JSON; this documents it")]
pub(crate) struct CloudEvent {
    #[schema(example = "1.0")]
    specversion: String,
    /// Names the event among those of its source, up to 256 characters.
    #[schema(example = "4f1c")]
    id: String,
    /// Who tells it, up to 256 characters.
    #[schema(example = "//proxy.example.com/7")]
    source: String,
    /// `queries`, `bytes_transferred`, `query_shape`, `storage_bytes` or `backup_bytes`.
    #[serde(rename = "type")]
    #[schema(example = "queries")]
    kind: String,
    /// When it was used (RFC 3339): up to 35 days ago, and five minutes ahead.
    #[schema(example = "2026-01-31T09:30:00Z")]
    time: String,
    data: Used,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read as JSON; this documents it")]
pub(crate) struct Used {
    #[schema(example = "db_01h2xcejqtf2nbrexx3vqjhp41")]
    database_id: String,
    /// How much, up to 10 to the power of 15. The shape itself as a string with `query_shape`.
    #[schema(value_type = Object, example = 1200)]
    value: Value,
}

/// What is answered for one event.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageSlot)]
pub(crate) struct Slot {
    id: Option<String>,
    source: Option<String>,
    pub(super) status: Status,
    /// Why it is rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "too_late")]
    reason: Option<&'static str>,
    /// What its status would be if it had come alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 422)]
    code: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UsageStatus)]
pub(crate) enum Status {
    /// It counts.
    Accepted,
    /// The same was told before, and counts once.
    Duplicate,
    Rejected,
}

impl Slot {
    pub(super) fn repeat(&mut self) {
        self.status = Status::Duplicate;
    }

    pub(super) fn reject(&mut self, reason: &'static str, code: u16) {
        (self.status, self.reason, self.code) = (Status::Rejected, Some(reason), Some(code));
    }
}

/// One event with what is answered for it, unless it turns out to be known already.
pub(super) struct Told {
    entry: Option<Entry>,
    slot: Slot,
}

impl Told {
    pub(super) fn entry(&self) -> Option<&Entry> {
        self.entry.as_ref()
    }

    /// What is to be recorded of it, and what is answered for it. `known` are the databases of the
    /// organization with their projects.
    pub(super) fn within(
        self,
        known: &HashMap<DatabaseId, Option<ProjectId>>,
    ) -> (Option<Entry>, Slot) {
        let Self { entry, mut slot } = self;
        let Some(entry) = entry else { return (None, slot) };
        match known.get(&entry.database) {
            Some(project) => (Some(Entry { project: *project, ..entry }), slot),
            None => {
                slot.reject("unknown_database", 422);
                (None, slot)
            }
        }
    }

    pub(super) fn read(event: &Sent<'_>, now: Time) -> Self {
        let parts = event.parts();
        let text = |text: Option<&str>| text.map(str::to_owned);
        let (id, source) = (text(parts.id), text(parts.source));
        let mut slot = Slot { id, source, status: Status::Accepted, reason: None, code: None };
        match read(&parts, now) {
            Ok(entry) => Self { entry: Some(entry), slot },
            Err(reason) => {
                slot.reject(reason, 422);
                Self { entry: None, slot }
            }
        }
    }
}

/// An event as it came.
pub(super) enum Sent<'a> {
    /// As nearly all are; nothing of it is copied.
    Plain(Plain<'a>),
    Other(Value),
}

/// Everything is there, and no text has escapes in it.
#[derive(Deserialize)]
pub(super) struct Plain<'a> {
    specversion: &'a str,
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    time: &'a str,
    data: PlainData<'a>,
}

#[derive(Deserialize)]
struct PlainData<'a> {
    database_id: &'a str,
    value: Amount<'a>,
}

/// A number or a text.
struct Amount<'a> {
    number: Option<u64>,
    text: Option<&'a str>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Amount<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Amount<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a text")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Amount<'de>, E> {
                Ok(Amount { number: Some(number), text: None })
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Amount<'de>, E> {
                Ok(Amount { number: None, text: Some(text) })
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// What an event must tell, as far as it is of the right kind.
struct Parts<'a> {
    specversion: Option<&'a str>,
    id: Option<&'a str>,
    source: Option<&'a str>,
    kind: Option<&'a str>,
    time: Option<&'a str>,
    data: Option<Data<'a>>,
}

struct Data<'a> {
    database: Option<&'a str>,
    number: Option<u64>,
    text: Option<&'a str>,
}

impl<'a> Sent<'a> {
    fn of(event: &'a RawValue) -> Result<Self, serde_json::Error> {
        match serde_json::from_str(event.get()) {
            Ok(plain) => Ok(Self::Plain(plain)),
            Err(_) => serde_json::from_str(event.get()).map(Self::Other),
        }
    }

    fn parts(&self) -> Parts<'_> {
        match self {
            Self::Plain(plain) => Parts {
                specversion: Some(plain.specversion),
                id: Some(plain.id),
                source: Some(plain.source),
                kind: Some(plain.kind),
                time: Some(plain.time),
                data: Some(Data {
                    database: Some(plain.data.database_id),
                    number: plain.data.value.number,
                    text: plain.data.value.text,
                }),
            },
            Self::Other(event) => {
                let text = |name: &str| event.get(name).and_then(Value::as_str);
                let data = event.get("data").and_then(Value::as_object);
                Parts {
                    specversion: text("specversion"),
                    id: text("id"),
                    source: text("source"),
                    kind: text("type"),
                    time: text("time"),
                    data: data.map(|data| Data {
                        database: data.get("database_id").and_then(Value::as_str),
                        number: data.get("value").and_then(Value::as_u64),
                        text: data.get("value").and_then(Value::as_str),
                    }),
                }
            }
        }
    }
}

/// The events of a request, however it carries them.
pub(super) fn sent(submission: &Submission) -> Result<Vec<Sent<'_>>, Problem> {
    let malformed = |_| Problem::new(Code::MalformedBody);
    let body = || serde_json::from_slice::<&RawValue>(submission.body()).map_err(malformed);
    let one = |event| Ok(vec![Sent::of(event).map_err(malformed)?]);
    match submission.content_type().as_str() {
        "application/cloudevents+json" => one(body()?),
        "application/cloudevents-batch+json" => many(body()?).map_err(malformed),
        "application/json" if submission.headers().contains_key("ce-specversion") => {
            let data = serde_json::from_slice(submission.body()).map_err(malformed)?;
            Ok(vec![Sent::Other(binary(submission.headers(), data))])
        }
        // who sends plain JSON means one of the two
        "application/json" => {
            let body = body()?;
            if body.get().starts_with('[') { many(body).map_err(malformed) } else { one(body) }
        }
        _ => Err(Problem::new(Code::UnsupportedMediaType)),
    }
}

fn many(events: &RawValue) -> Result<Vec<Sent<'_>>, serde_json::Error> {
    let events: Vec<&RawValue> = serde_json::from_str(events.get())?;
    events.into_iter().map(Sent::of).collect()
}

/// An event whose attributes are headers.
fn binary(headers: &HeaderMap, data: Value) -> Value {
    let mut event = Map::new();
    for name in ["specversion", "id", "source", "type", "time"] {
        let value = headers.get(format!("ce-{name}")).and_then(|value| value.to_str().ok());
        let value = value.map(|value| percent_decode_str(value).decode_utf8_lossy().into_owned());
        event.extend(value.map(|value| (name.to_owned(), Value::String(value))));
    }
    event.insert("data".to_owned(), data);
    Value::Object(event)
}

fn named<'a>(text: Option<&'a str>, reason: &'static str) -> Result<&'a str, &'static str> {
    let is_sound = |text: &str| (1..=LONGEST).contains(&text.chars().count());
    text.filter(|text| is_sound(text)).ok_or(reason)
}

fn read(event: &Parts<'_>, now: Time) -> Result<Entry, &'static str> {
    if event.specversion != Some("1.0") {
        return Err("unknown_specversion");
    }
    let id = named(event.id, "invalid_id")?;
    let source = named(event.source, "invalid_source")?;
    let kind = event.kind.and_then(Kind::named).filter(|kind| kind.is_told());
    let kind = kind.ok_or("unknown_type")?;
    // without one a repeat would say another
    let time: Time = event.time.and_then(|text| text.parse().ok()).ok_or("invalid_time")?;
    if time > now.after(EARLIEST) {
        return Err("too_early");
    }
    if time.after(LATEST) < now {
        return Err("too_late");
    }
    let data = event.data.as_ref().ok_or("invalid_data")?;
    let database = data.database.and_then(|id| id.parse().ok()).ok_or("invalid_database_id")?;
    let (value, shape) = match kind {
        Kind::QueryShape => {
            let shape = data.text.filter(|text| (1..=LONGEST_SHAPE).contains(&text.len()));
            (1, Some(usage::shape(shape.ok_or("invalid_value")?)))
        }
        Kind::Queries
        | Kind::BytesTransferred
        | Kind::StorageBytes
        | Kind::BackupBytes
        | Kind::ConnectionSeconds => {
            (data.number.filter(|value| *value <= MOST).ok_or("invalid_value")?, None)
        }
    };
    let key = usage::key(source, id);
    Ok(Entry { key, kind, time, database, project: None, value, shape })
}
