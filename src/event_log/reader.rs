//! The log for somebody who only reads it, also beside the server that writes it. An embedded log is
//! kept from every other writer, but not from readers.

use std::path::Path;
use std::sync::Arc;

use events::recorded::Position;
use events::stream::Stream;
use uuid::Uuid;

use super::{EventLog, ReadError, Stored, postgres, sqlite};
use crate::sqlite_file::{self, Readers};

pub(crate) struct LogReader(Source);

enum Source {
    Embedded(Arc<Readers>),
    Shared(Arc<EventLog>),
}

/// An event as it lies in the store.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) stored: Stored,
    /// What the store finds it by, where that is kept beside the line.
    pub(crate) columns: Option<Columns>,
}

#[derive(Clone, Debug)]
pub(crate) struct Columns {
    pub(crate) stream: String,
    pub(crate) version: u64,
    pub(crate) event_id: Uuid,
    pub(crate) kind: String,
    pub(crate) link: [u8; 32],
}

impl LogReader {
    /// The log in a file, which must be there.
    pub(crate) fn sqlite(path: &Path) -> Result<Self, sqlite_file::Error> {
        let readers = Readers::new(path);
        readers.read(|_| Ok(()))?;
        Ok(Self(Source::Embedded(Arc::new(readers))))
    }

    /// The log in a PostgreSQL database, which must have one.
    pub(crate) fn postgres(url: &str) -> Result<Self, postgres::ConnectError> {
        postgres::Postgres::to_read(url).map(EventLog::Postgres).map(Self::of)
    }

    /// A log that is open already.
    pub(crate) fn of(log: impl Into<Arc<EventLog>>) -> Self {
        Self(Source::Shared(log.into()))
    }

    /// The log in EventStoreDB or KurrentDB.
    #[cfg(feature = "eventstore")]
    pub(crate) async fn event_store_db(
        url: &str,
    ) -> Result<Self, super::eventstoredb::ConnectError> {
        EventLog::event_store_db(url).await.map(Self::of)
    }

    /// At most `limit` events of one stream, beginning with version `from`.
    pub(crate) async fn read_stream(
        &self,
        stream: &Stream,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, ReadError> {
        match &self.0 {
            Source::Embedded(readers) => sqlite::read_stream(readers, stream, from, limit).await,
            Source::Shared(log) => log.read_stream(stream, from, limit).await,
        }
    }

    /// At most `limit` events strictly after a position, with what the store's own columns say.
    pub(crate) async fn read_rows(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Row>, ReadError> {
        match &self.0 {
            Source::Embedded(readers) => sqlite::rows_after(readers, after, limit).await,
            Source::Shared(log) => log.read_rows(after, limit).await,
        }
    }

    /// Position of the last event; 0 for an empty log.
    pub(crate) async fn head(&self) -> Result<Position, ReadError> {
        match &self.0 {
            Source::Embedded(readers) => sqlite::head(readers),
            Source::Shared(log) => log.head().await,
        }
    }

    /// Whether the positions must be 1, 2, 3, …
    pub(crate) fn is_gapless(&self) -> bool {
        match &self.0 {
            Source::Embedded(_) => true,
            Source::Shared(log) => log.is_gapless(),
        }
    }
}
