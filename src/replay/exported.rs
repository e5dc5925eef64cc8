//! The lines of an export, as `src/export.rs` writes them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use events::chain::Link;
use events::id::{OrganizationId, SubjectId};
use events::personal::Personal;
use events::recorded::{Position, Recorded};
use events::stream::Stream;
use events::wire::{self, Malformed};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::Fault;

pub(super) enum Line<'a> {
    Event(Event<'a>),
    Member,
    Manifest(Manifest),
}

#[derive(Deserialize)]
struct Kind<'a> {
    kind: &'a str,
}

#[derive(Deserialize)]
pub(super) struct Event<'a> {
    position: String,
    pub(super) hash: Link,
    personal: BTreeMap<String, Option<String>>,
    #[serde(borrow)]
    line: &'a RawValue,
}

#[derive(Deserialize)]
pub(super) struct Manifest {
    hash: Option<Link>,
    lines: u64,
    blake3: String,
    #[serde(default)]
    filter: BTreeMap<String, Value>,
}

/// Whether a file's last line says so.
pub(super) fn is_filtered(path: &Path) -> bool {
    let lines = File::open(path).map(|file| BufReader::new(file).lines());
    let last = lines.ok().and_then(|lines| lines.map_while(Result::ok).last());
    let manifest = last.and_then(|last| serde_json::from_str::<Manifest>(&last).ok());
    manifest.is_some_and(|manifest| manifest.is_filtered())
}

impl<'a> Line<'a> {
    pub(super) fn read(text: &'a [u8]) -> Result<Self, serde_json::Error> {
        let Kind { kind } = serde_json::from_slice(text)?;
        Ok(match kind {
            "manifest" => Self::Manifest(serde_json::from_slice(text)?),
            "member" => Self::Member,
            // `event` or `usage`
            _ => Self::Event(serde_json::from_slice(text)?),
        })
    }
}

impl Event<'_> {
    /// Whether it is of what was used, and of no other stream.
    pub(super) fn is_usage(&self) -> bool {
        wire::kind_of_line(self.line()) == Some("usage.recorded")
    }

    /// The line as it was recorded.
    pub(super) fn line(&self) -> &[u8] {
        self.line.get().as_bytes()
    }

    pub(super) fn organization(&self) -> Option<OrganizationId> {
        #[derive(Deserialize)]
        struct OnStream {
            stream: Stream,
        }
        match serde_json::from_str(self.line.get()).ok()? {
            OnStream { stream: Stream::Organization(organization) } => Some(organization),
            OnStream {
                stream:
                    Stream::Platform | Stream::Address(_) | Stream::Account(_) | Stream::Usage(_),
            } => None,
        }
    }

    /// With the personal values that the export opened. Whose they are it does not say.
    pub(super) fn recorded(&self) -> Result<Recorded, Malformed> {
        let position = Position(self.position.parse().unwrap_or_default());
        let mut recorded = wire::decode(position, self.line(), &[])?;
        recorded.event.personal(&mut |name, place| {
            if let Some(Some(value)) = self.personal.get(name) {
                *place = Personal::known(SubjectId(Uuid::nil()), value);
            }
        });
        Ok(recorded)
    }
}

/// What stood before the manifest.
#[derive(Default)]
pub(super) struct Before {
    lines: u64,
    all: blake3::Hasher,
}

impl Before {
    pub(super) fn take(&mut self, text: &[u8]) {
        self.lines += 1;
        self.all.update(text);
    }
}

impl Manifest {
    pub(super) fn is_filtered(&self) -> bool {
        !self.filter.is_empty()
    }

    /// Whether it is of these lines; `hash` is that of the last event's line.
    pub(super) fn agrees(&self, before: &Before, hash: Option<Link>) -> Result<(), Fault> {
        if self.lines != before.lines {
            return Err(Fault::Manifest("lines"));
        }
        if self.blake3 != before.all.finalize().to_hex().as_str() {
            return Err(Fault::Manifest("blake3"));
        }
        if self.hash != hash {
            return Err(Fault::Manifest("hash"));
        }
        Ok(())
    }
}
