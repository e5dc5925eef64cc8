//! The stores that the log's contract is checked on, each fresh and empty.

use chancery::event_log::EventLog;
use chancery::event_log::eventstoredb::EventStoreDb;
use chancery::event_log::postgres::Postgres;
use chancery::event_log::sqlite::Sqlite;
use eventstore_double::Cluster;
use tempfile::TempDir;

use crate::postgres::Database;

/// A fresh, empty log of one kind. Another store is one more variant and one more name below.
pub(super) enum Store {
    Sqlite(TempDir),
    Postgres(Database),
    EventStoreDb(Cluster),
    EventStoreDbServer(String),
}

impl Store {
    pub(super) fn sqlite() -> Self {
        Self::Sqlite(TempDir::new().expect("a temporary folder"))
    }

    pub(super) fn eventstoredb() -> Self {
        Self::EventStoreDb(Cluster::start(1).expect("a port is free"))
    }

    /// Opens the log, or opens it again.
    pub(super) async fn open(&self) -> EventLog {
        match self {
            Self::Sqlite(folder) => {
                let log = Sqlite::open(&folder.path().join("log.db")).expect("the file opens");
                EventLog::Sqlite(log)
            }
            Self::Postgres(database) => {
                let log = Postgres::connect(&database.url()).await.expect("the server answers");
                EventLog::Postgres(log)
            }
            Self::EventStoreDb(cluster) => connect_eventstoredb(&cluster.url()).await,
            Self::EventStoreDbServer(url) => connect_eventstoredb(url).await,
        }
    }

    /// Whether positions are 1, 2, 3 …, and not only rising.
    pub(super) fn is_contiguous(&self) -> bool {
        match self {
            Self::Sqlite(_) | Self::Postgres(_) => true,
            Self::EventStoreDb(_) | Self::EventStoreDbServer(_) => false,
        }
    }
}

// The stores by the names of their tests; none where the machine lacks it.

pub(super) async fn sqlite() -> Option<Store> {
    std::future::ready(Some(Store::sqlite())).await
}

pub(super) async fn postgres() -> Option<Store> {
    Some(Store::Postgres(crate::postgres::Database::create().await))
}

pub(super) async fn eventstoredb() -> Option<Store> {
    std::future::ready(Some(Store::eventstoredb())).await
}

/// A real server that need not be empty, where one is named.
pub(super) async fn eventstoredb_server() -> Option<Store> {
    let url = std::env::var("CHANCERY_TEST_EVENTSTORE").ok();
    std::future::ready(url.map(Store::EventStoreDbServer)).await
}

pub(super) async fn connect_eventstoredb(url: &str) -> EventLog {
    EventLog::EventStoreDb(EventStoreDb::connect(url).await.expect("the URL can be read"))
}
