//! Events as senders of usage write them (`CloudEvents` 1.0). One that cannot be taken is refused by
//! itself, and the others of its batch are taken.

use std::collections::HashMap;

use axum::http::HeaderMap;
use events::id::{DatabaseId, ProjectId};
use events::time::Time;
use events::usage::{self, EARLIEST, Entry, Kind, LATEST, MOST};
use percent_encoding::percent_decode_str;
use serde::Serialize;
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

    pub(super) fn read(event: Value, now: Time) -> Self {
        let text = |name: &str| Some(event.get(name)?.as_str()?.to_owned());
        let (id, source) = (text("id"), text("source"));
        let mut slot = Slot { id, source, status: Status::Accepted, reason: None, code: None };
        match read(&event, now) {
            Ok(entry) => Self { entry: Some(entry), slot },
            Err(reason) => {
                slot.reject(reason, 422);
                Self { entry: None, slot }
            }
        }
    }
}

/// The events of a request, however it carries them.
pub(super) fn sent(submission: &Submission) -> Result<Vec<Value>, Problem> {
    let body = || {
        let body = serde_json::from_slice::<Value>(submission.body());
        body.map_err(|_| Problem::new(Code::MalformedBody))
    };
    match submission.content_type().as_str() {
        "application/cloudevents+json" => Ok(vec![body()?]),
        "application/cloudevents-batch+json" => match body()? {
            Value::Array(events) => Ok(events),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_) => Err(Problem::new(Code::MalformedBody)),
        },
        "application/json" if submission.headers().contains_key("ce-specversion") => {
            Ok(vec![binary(submission.headers(), body()?)])
        }
        // who sends plain JSON means one of the two
        "application/json" => Ok(match body()? {
            Value::Array(events) => events,
            event @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_)) => vec![event],
        }),
        _ => Err(Problem::new(Code::UnsupportedMediaType)),
    }
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

fn read(event: &Value, now: Time) -> Result<Entry, &'static str> {
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    if text("specversion") != Some("1.0") {
        return Err("unknown_specversion");
    }
    let named = |name: &str, reason| {
        text(name).filter(|text| (1..=LONGEST).contains(&text.chars().count())).ok_or(reason)
    };
    let (id, source) = (named("id", "invalid_id")?, named("source", "invalid_source")?);
    let kind = text("type").and_then(Kind::named).filter(|kind| kind.is_told());
    let kind = kind.ok_or("unknown_type")?;
    // without one a repeat would say another
    let time: Time = text("time").and_then(|text| text.parse().ok()).ok_or("invalid_time")?;
    if time > now.after(EARLIEST) {
        return Err("too_early");
    }
    if time.after(LATEST) < now {
        return Err("too_late");
    }
    let data = event.get("data").and_then(Value::as_object).ok_or("invalid_data")?;
    let database = data.get("database_id").and_then(Value::as_str);
    let database = database.and_then(|id| id.parse().ok()).ok_or("invalid_database_id")?;
    let value = data.get("value").ok_or("invalid_value")?;
    let (value, shape) = match kind {
        Kind::QueryShape => {
            let shape = value.as_str().filter(|text| (1..=LONGEST_SHAPE).contains(&text.len()));
            (1, Some(usage::shape(shape.ok_or("invalid_value")?)))
        }
        Kind::Queries
        | Kind::BytesTransferred
        | Kind::StorageBytes
        | Kind::BackupBytes
        | Kind::ConnectionSeconds => {
            (value.as_u64().filter(|value| *value <= MOST).ok_or("invalid_value")?, None)
        }
    };
    let key = usage::key(source, id);
    Ok(Entry { key, kind, time, database, project: None, value, shape })
}
