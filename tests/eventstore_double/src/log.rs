//! What the server keeps: records at byte offsets, and its decision about an append
//! (`IndexWriter.CheckCommit` of the real one).

use std::collections::HashMap;
use std::sync::Arc;

use prost::bytes::Bytes;
use uuid::Uuid;

/// The log does not begin with an event: epoch records come first.
const FIRST_EVENT_AT: u64 = 1_187;
/// What surrounds the bytes of a record.
const RECORD_FRAME: usize = 70;
/// So many appends between two records of the server's own.
const APPENDS_PER_SYSTEM_RECORD: u64 = 7;

/// An event as the caller proposes it.
#[derive(Clone)]
pub(crate) struct Proposed {
    pub(crate) id: Uuid,
    pub(crate) metadata: HashMap<String, String>,
    pub(crate) custom_metadata: Bytes,
    pub(crate) data: Bytes,
}

pub(crate) struct Record {
    pub(crate) position: u64,
    pub(crate) stream: String,
    pub(crate) revision: u64,
    pub(crate) event: Proposed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    Any,
    StreamExists,
    NoStream,
    Revision(u64),
}

pub(crate) enum Decision {
    Written { last: u64, position: u64 },
    Idempotent { last: u64, position: u64 },
    WrongExpectedVersion { current: Option<u64> },
    Deleted,
}

#[derive(Default)]
struct Stream {
    records: Vec<Arc<Record>>,
    /// Soft-deleted: what is before this revision is not shown.
    truncate_before: u64,
    is_tombstoned: bool,
}

pub(crate) enum Shown {
    NotFound,
    Deleted,
    /// In the order of revisions.
    Records(Vec<Arc<Record>>),
}

#[derive(Default)]
pub(crate) struct Log {
    records: Vec<Arc<Record>>,
    streams: HashMap<String, Stream>,
    end: u64,
    appends: u64,
}

impl Log {
    pub(crate) fn records(&self) -> &[Arc<Record>] {
        &self.records
    }

    pub(crate) fn append(
        &mut self,
        stream: &str,
        expected: Expected,
        events: Vec<Proposed>,
    ) -> Decision {
        let now = self.streams.get(stream);
        if now.is_some_and(|stream| stream.is_tombstoned) {
            return Decision::Deleted;
        }
        let records = now.map_or(&[][..], |stream| &stream.records);
        let count = records.len() as u64;
        let is_soft_deleted = now.is_some_and(|stream| stream.truncate_before >= count);
        let known = match expected {
            // told apart only by a bounded memory of recent ids, on which nobody may rely
            Expected::Any => count,
            Expected::StreamExists if count > 0 => count,
            Expected::StreamExists => return Decision::WrongExpectedVersion { current: None },
            Expected::NoStream => 0,
            Expected::Revision(revision) => revision + 1,
        };
        let current = count.checked_sub(1);
        if known > count {
            return Decision::WrongExpectedVersion { current };
        }
        if known < count {
            let later = &records[usize::try_from(known).expect("fits in memory")..];
            let same = later.iter().zip(&events).take_while(|(old, new)| old.event.id == new.id);
            let same = same.count();
            if same == events.len() {
                let last = &later[same - 1];
                return Decision::Idempotent { last: last.revision, position: last.position };
            }
            if same > 0 {
                // "corrupted idempotency" is reported as if there were no stream
                return Decision::WrongExpectedVersion { current: None };
            }
            if !(is_soft_deleted && expected == Expected::NoStream) {
                return Decision::WrongExpectedVersion { current };
            }
        }
        self.write(stream, events)
    }

    fn write(&mut self, stream: &str, events: Vec<Proposed>) -> Decision {
        self.appends += 1;
        if self.appends.is_multiple_of(APPENDS_PER_SYSTEM_RECORD) {
            self.write_system_record(stream);
        }
        for event in events {
            self.push(stream, event);
        }
        let last = self.streams[stream].records.last().expect("an append has events");
        Decision::Written { last: last.revision, position: last.position }
    }

    fn push(&mut self, name: &str, event: Proposed) {
        let stream = self.streams.entry(name.to_owned()).or_default();
        self.end = self.end.max(FIRST_EVENT_AT);
        let size = RECORD_FRAME + name.len() + event.data.len() + event.custom_metadata.len();
        let record = Arc::new(Record {
            position: self.end,
            stream: name.to_owned(),
            revision: stream.records.len() as u64,
            event,
        });
        self.end += size as u64;
        stream.records.push(Arc::clone(&record));
        self.records.push(record);
    }

    /// Statistics, or a link as a category projection would write it.
    pub(crate) fn write_system_record(&mut self, about: &str) {
        if self.appends.is_multiple_of(2) {
            self.push("$stats-127.0.0.1:2113", system_event("$statsCollected", "{}"));
        } else {
            self.push("$ce-organization", system_event("$>", &format!("0@{about}")));
        }
    }

    /// The stream may be opened again and goes on counting where it was.
    pub(crate) fn soft_delete(&mut self, name: &str) {
        let truncate_before = r#"{"$tb":9223372036854775807}"#;
        self.push(&format!("$${name}"), system_event("$metadata", truncate_before));
        if let Some(stream) = self.streams.get_mut(name) {
            stream.truncate_before = stream.records.len() as u64;
        }
    }

    pub(crate) fn tombstone(&mut self, name: &str) {
        self.push(name, system_event("$streamDeleted", ""));
        if let Some(stream) = self.streams.get_mut(name) {
            stream.is_tombstoned = true;
        }
    }

    /// A stream as a node shows it that has indexed the log up to `indexed` (exclusive).
    pub(crate) fn shown(&self, name: &str, indexed: u64) -> Shown {
        let Some(stream) = self.streams.get(name) else { return Shown::NotFound };
        if stream.is_tombstoned {
            return Shown::Deleted;
        }
        let records = stream.records.iter().filter(|record| {
            record.revision >= stream.truncate_before && record.position < indexed
        });
        let records: Vec<_> = records.cloned().collect();
        if records.is_empty() { Shown::NotFound } else { Shown::Records(records) }
    }
}

fn system_event(kind: &str, data: &str) -> Proposed {
    let metadata = [("type", kind), ("content-type", "application/json")];
    Proposed {
        id: Uuid::new_v4(),
        metadata: metadata.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        custom_metadata: Bytes::new(),
        data: Bytes::copy_from_slice(data.as_bytes()),
    }
}
