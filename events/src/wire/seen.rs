//! A stored line whose bytes are gone through once: the same pass finds whether they are canonical
//! and where each member stands. A line of another form is read in the general way, so that it means
//! the same, and what is wrong with it is said.

use std::borrow::Cow;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::canonical::members;
use super::{LINE_VERSION, Malformed, SealedField, event, is_canonical, put_back};
use crate::chain::Link;
use crate::id::EventId;
use crate::personal::Personal;
use crate::recorded::{Actor, Cause, Position, Recorded};
use crate::stream::Stream;
use crate::time::Time;

/// Where a line says it belongs.
#[derive(Debug, Deserialize)]
pub struct Head<'a> {
    pub stream: Stream,
    pub version: u64,
    pub id: EventId,
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    pub recorded_at: Time,
    pub prev: Link,
    /// Salted digests of the personal values, sorted.
    #[serde(borrow, default, rename = "_sd")]
    pub digests: Vec<Cow<'a, str>>,
    /// The line's bytes are the canonical form of what they say.
    #[serde(skip)]
    pub is_canonical: bool,
}

pub fn head(line: &[u8]) -> Result<Head<'_>, Malformed> {
    Seen::of(line).head()
}

/// Reads a stored event. `sealed` is what [`encode_sealed`](super::encode_sealed) made, empty where
/// there is none.
pub fn decode(position: Position, line: &[u8], sealed: &[u8]) -> Result<Recorded, Malformed> {
    Seen::of(line).recorded(position, sealed, Link::of_line(line))
}

/// The same of many stored events, each with its position, line and sealed values; faster than one
/// after the other. Fails with the position of the first that cannot be read.
pub fn decode_all<'a>(
    stored: impl Iterator<Item = (Position, &'a [u8], &'a [u8])> + Clone,
) -> Result<Vec<Recorded>, (Position, Malformed)> {
    let lines: Vec<&[u8]> = stored.clone().map(|(_, line, _)| line).collect();
    let decoded = stored.zip(Link::of_lines(&lines)).map(|((position, line, sealed), link)| {
        Seen::of(line).recorded(position, sealed, link).map_err(|error| (position, error))
    });
    decoded.collect()
}

/// One line, for whoever wants to know several things of it.
pub struct Seen<'a> {
    line: &'a [u8],
    members: Option<Members<'a>>,
}

impl<'a> Seen<'a> {
    pub fn of(line: &'a [u8]) -> Self {
        Self { line, members: Members::of(line) }
    }

    pub fn head(&self) -> Result<Head<'a>, Malformed> {
        if let Some(head) = self.members.as_ref().and_then(Members::head) {
            return Ok(head);
        }
        let head: Head<'a> = serde_json::from_slice(self.line)?;
        Ok(Head { is_canonical: is_canonical(self.line), ..head })
    }

    /// The event, as [`decode`] reads it. `link` is that of the line.
    pub fn recorded(
        &self,
        position: Position,
        sealed: &[u8],
        link: Link,
    ) -> Result<Recorded, Malformed> {
        let stored = match self.members.as_ref().and_then(Members::stored) {
            Some(stored) => stored,
            None => StoredLine::read(self.line)?,
        };
        if stored.v != LINE_VERSION {
            return Err(Malformed::because(format_args!("line version {}", stored.v)));
        }
        let mut recorded = Recorded {
            position,
            stream: stored.stream,
            version: stored.version,
            id: stored.id,
            at: stored.recorded_at,
            actor: stored.actor,
            cause: stored.cause,
            ip_address: Personal::Absent,
            user_agent: Personal::Absent,
            event: event(stored.kind, stored.type_version, stored.data)?,
            prev: stored.prev,
            link,
        };
        if !sealed.is_empty() {
            let sealed = str::from_utf8(sealed).map_err(Malformed::because)?;
            let fields: Vec<SealedField<'_>> = serde_json::from_str(sealed)?;
            put_back(&mut recorded, &fields);
        }
        Ok(recorded)
    }
}

#[derive(Deserialize)]
struct StoredLine<'a> {
    actor: Actor,
    cause: Cause,
    #[serde(borrow, deserialize_with = "text_of")]
    data: &'a str,
    id: EventId,
    prev: Link,
    recorded_at: Time,
    stream: Stream,
    #[serde(rename = "type")]
    kind: &'a str,
    type_version: u32,
    v: u8,
    version: u64,
}

fn text_of<'de, D: serde::Deserializer<'de>>(data: D) -> Result<&'de str, D::Error> {
    <&RawValue>::deserialize(data).map(RawValue::get)
}

impl<'a> StoredLine<'a> {
    fn read(line: &'a [u8]) -> Result<Self, Malformed> {
        // checked once as a whole, not string by string
        let text = str::from_utf8(line).map_err(Malformed::because)?;
        Ok(serde_json::from_str(text)?)
    }
}

/// The members of a canonical line, each value as it stands there; empty where there is none.
#[derive(Default)]
struct Members<'a> {
    digests: &'a str,
    actor: &'a str,
    cause: &'a str,
    data: &'a str,
    id: &'a str,
    prev: &'a str,
    recorded_at: &'a str,
    stream: &'a str,
    kind: &'a str,
    type_version: &'a str,
    v: &'a str,
    version: &'a str,
}

impl<'a> Members<'a> {
    fn of(line: &'a [u8]) -> Option<Self> {
        let mut found = Self::default();
        members(line, |name, value| match name {
            "_sd" => found.digests = value,
            "actor" => found.actor = value,
            "cause" => found.cause = value,
            "data" => found.data = value,
            "id" => found.id = value,
            "prev" => found.prev = value,
            "recorded_at" => found.recorded_at = value,
            "stream" => found.stream = value,
            "type" => found.kind = value,
            "type_version" => found.type_version = value,
            "v" => found.v = value,
            "version" => found.version = value,
            _ => {}
        })?;
        Some(found)
    }

    fn head(&self) -> Option<Head<'a>> {
        Some(Head {
            stream: of_text(self.stream)?,
            version: self.version.parse().ok()?,
            id: of_text(self.id)?,
            kind: text(self.kind)?.into(),
            recorded_at: of_text(self.recorded_at)?,
            prev: of_text(self.prev)?,
            digests: texts(self.digests)?,
            is_canonical: true,
        })
    }

    fn stored(&self) -> Option<StoredLine<'a>> {
        Some(StoredLine {
            actor: of_text(self.actor)?,
            cause: serde_json::from_str(self.cause).ok()?,
            data: Some(self.data).filter(|data| !data.is_empty())?,
            id: of_text(self.id)?,
            prev: of_text(self.prev)?,
            recorded_at: of_text(self.recorded_at)?,
            stream: of_text(self.stream)?,
            kind: text(self.kind)?,
            type_version: self.type_version.parse().ok()?,
            v: self.v.parse().ok()?,
            version: self.version.parse().ok()?,
        })
    }
}

/// What a JSON string says, where it says so without escapes.
fn text(value: &str) -> Option<&str> {
    let text = value.strip_prefix('"')?.strip_suffix('"')?;
    (!text.contains('\\')).then_some(text)
}

fn of_text<T: FromStr>(value: &str) -> Option<T> {
    text(value)?.parse().ok()
}

/// The items of a JSON array of strings without escapes and commas. An item with a comma, or of
/// another type, does not stand between two quotes.
fn texts(value: &str) -> Option<Vec<Cow<'_, str>>> {
    if value.is_empty() || value == "[]" {
        return Some(Vec::new());
    }
    let items = value.strip_prefix('[')?.strip_suffix(']')?.split(',');
    items.map(|item| text(item).map(Cow::Borrowed)).collect()
}

#[cfg(test)]
mod tests;
