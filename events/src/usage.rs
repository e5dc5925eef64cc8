//! The usage stream of an organization: what was used, as its senders told it. Nothing is decided on it
//! and nobody folds it. The first of equal keys counts; which one that is follows from the order of
//! the log alone, so that anybody can count again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::chain::Link;
use crate::id::{DatabaseId, ProjectId};
use crate::time::Time;
use crate::wire::base64url;

/// How long a key is remembered, from when its first entry was recorded.
pub const KEYS_KEPT: Duration = Duration::from_hours(40 * 24);
/// How late usage may be told.
pub const LATEST: Duration = Duration::from_hours(35 * 24);
/// How far a sender's clock may be ahead.
pub const EARLIEST: Duration = Duration::from_mins(5);
/// A value of one entry.
pub const MOST: u64 = 1_000_000_000_000_000;
/// Entries of one event: larger requests are several events of one append.
pub const ENTRIES: usize = 1000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    /// What one request told, in its order, what was told before included.
    #[serde(rename = "usage.recorded")]
    Recorded { entries: Vec<Entry> },
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Recorded { .. } => ("usage.recorded", 1),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    // in the order of the line, which then need not be sorted
    pub database: DatabaseId,
    /// Stands for source and id of the sender's event: [`key`].
    pub key: String,
    /// The database's project when it was told; `None` too where the database was gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
    /// Stands for the shape of a query: [`shape`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<String>,
    /// When it was used, as the sender says.
    pub time: Time,
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How much; 1 for a shape.
    pub value: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// How many were answered.
    Queries,
    /// Sent to applications.
    BytesTransferred,
    /// A form of query, however often it came.
    QueryShape,
    /// Kept at that moment.
    StorageBytes,
    BackupBytes,
    /// For how long a connection was held. Only the server itself knows.
    ConnectionSeconds,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::Queries,
        Self::BytesTransferred,
        Self::QueryShape,
        Self::StorageBytes,
        Self::BackupBytes,
        Self::ConnectionSeconds,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queries => "queries",
            Self::BytesTransferred => "bytes_transferred",
            Self::QueryShape => "query_shape",
            Self::StorageBytes => "storage_bytes",
            Self::BackupBytes => "backup_bytes",
            Self::ConnectionSeconds => "connection_seconds",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether senders tell it.
    pub fn is_told(self) -> bool {
        match self {
            Self::Queries
            | Self::BytesTransferred
            | Self::QueryShape
            | Self::StorageBytes
            | Self::BackupBytes => true,
            Self::ConnectionSeconds => false,
        }
    }
}

/// What stands for a sender's event: the first half of the BLAKE3 of its source, a zero byte and its
/// id, in base64url. Whoever knows both finds it in the log, and nobody else reads anything in it.
pub fn key(source: &str, id: &str) -> String {
    let text = [source.as_bytes(), b"\0", id.as_bytes()].concat();
    base64url(&Link::of_line(&text).as_bytes()[..16])
}

/// What stands for the shape of a query, in the same way.
pub fn shape(text: &str) -> String {
    base64url(&Link::of_line(text.as_bytes()).as_bytes()[..16])
}

impl Entry {
    /// Tells entries with the same key apart that say something else. Not in the log: it may change with
    /// the version of the read model that keeps it.
    pub fn content(&self) -> String {
        // what has a length of its own comes last
        let mut bytes = Vec::with_capacity(80);
        bytes.push(self.kind as u8);
        bytes.extend(self.time.millis().to_le_bytes());
        bytes.extend(self.database.0.as_bytes());
        bytes.extend(self.value.to_le_bytes());
        bytes.extend(self.shape.as_deref().unwrap_or_default().as_bytes());
        base64url(&Link::of_line(&bytes).as_bytes()[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_written_as_it_is_named() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(Kind::named(kind.as_str()), Some(kind));
        }
    }
}
