//! The log for somebody who only reads it, also beside the server that writes it. An embedded log is
//! kept from every other writer, but not from readers.

use std::path::Path;
use std::sync::Arc;

use events::stream::Stream;

use super::{EventLog, ReadError, Stored, postgres, sqlite};
use crate::sqlite_file::{self, Readers};

pub(crate) struct LogReader(Source);

enum Source {
    Embedded(Arc<Readers>),
    Shared(EventLog),
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
        postgres::Postgres::to_read(url).map(EventLog::Postgres).map(Source::Shared).map(Self)
    }

    /// The log in EventStoreDB or KurrentDB.
    #[cfg(feature = "eventstore")]
    pub(crate) async fn event_store_db(
        url: &str,
    ) -> Result<Self, super::eventstoredb::ConnectError> {
        EventLog::event_store_db(url).await.map(Source::Shared).map(Self)
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
}
