//! The log for somebody who only reads it, also beside the server that writes it. An embedded log is
//! kept from every other writer, but not from readers.

use std::path::Path;

use events::stream::Stream;

use super::{EventLog, ReadError, Stored, sqlite};
use crate::sqlite_file::{self, Readers};

pub(crate) struct LogReader(Source);

enum Source {
    Embedded(std::sync::Arc<Readers>),
    Shared(EventLog),
}

impl LogReader {
    /// The log in a file, which must be there.
    pub(crate) fn sqlite(path: &Path) -> Result<Self, sqlite_file::Error> {
        let readers = Readers::new(path);
        readers.read(|_| Ok(()))?;
        Ok(Self(Source::Embedded(std::sync::Arc::new(readers))))
    }

    /// A log that several may open at once.
    pub(crate) fn of(log: EventLog) -> Self {
        Self(Source::Shared(log))
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
