//! One SQLite file: how it is opened, migrated and reached from async code.
//!
//! Reads of a few indexed rows run where they are asked for: they take less time than handing them
//! to another thread would, and in WAL mode no writer makes them wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};
use tokio::sync::oneshot;

/// The first release without the WAL-reset bug that could corrupt a file (sqlite.org, 2026-03).
const OLDEST_SOUND_VERSION: i32 = 3_051_003;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Memory for pages of a connection that writes, in KiB. It alone keeps them over transactions:
/// a reader forgets its pages as soon as somebody else has written.
const WRITER_CACHE_KIB: i32 = 32 * 1024;
/// Pages in the WAL before they are copied to the file. A page that many transactions change is
/// copied, and synced, that much less often.
const PAGES_BEFORE_CHECKPOINT: i32 = 4000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// An acknowledged commit survives a power cut.
    Full,
    /// Survives a crash of the process; a power cut may take the last commits back.
    Normal,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot open `{}`", path.display())]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error("cannot bring `{}` to this program's version", path.display())]
    Migrate { path: PathBuf, source: rusqlite_migration::Error },
    #[error("SQLite {0} is linked; 3.51.3 or newer is needed")]
    Unsound(&'static str),
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    #[error("the thread that writes the file has ended")]
    Ended,
}

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A writer on a thread of its own, and read-only connections.
pub(crate) struct SqliteFile {
    writer: mpsc::Sender<Job>,
    readers: Readers,
}

impl SqliteFile {
    pub(crate) fn open(
        path: &Path,
        durability: Durability,
        migrations: &'static [&'static str],
    ) -> Result<Self, Error> {
        let mut connection = open_writer(path, durability, migrations)?;
        let (writer, jobs) = mpsc::channel::<Job>();
        let name = path.file_stem().map_or_else(String::new, |name| name.display().to_string());
        std::thread::Builder::new()
            .name(format!("{name} writer"))
            .spawn(move || {
                while let Ok(job) = jobs.recv() {
                    // a panic is a bug of one job, which gets no answer; the file serves the next
                    if catch_unwind(AssertUnwindSafe(|| job(&mut connection))).is_err() {
                        tracing::error!("a write to an embedded database panicked");
                    }
                }
            })
            .map_err(|_| Error::Ended)?;
        Ok(Self { writer, readers: Readers::new(path) })
    }

    /// The same for who only reads, also beside the program that writes. The file must be there.
    pub(crate) fn to_read(path: &Path) -> Result<Self, Error> {
        let readers = Readers::new(path);
        readers.read(|_| Ok(()))?;
        // nobody takes what is written here
        let (writer, _) = mpsc::channel();
        Ok(Self { writer, readers })
    }

    /// Runs on the writer's thread, in the order of the calls. Goes on when the caller gives up.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| drop(answer.send(work(connection))));
        self.writer.send(job).map_err(|_| Error::Ended)?;
        Ok(answered.await.map_err(|_| Error::Ended)??)
    }

    /// Reads a few rows at once, on the caller's thread.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, Error> {
        self.readers.read(work)
    }
}

/// Read-only connections that are opened when needed and kept.
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: Mutex::new(Vec::new()) }
    }

    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, Error> {
        let idle = self.idle.lock().expect("no reader panics with the lock held").pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open_reader(&self.path)?,
        };
        let outcome = work(&connection);
        self.idle.lock().expect("no reader panics with the lock held").push(connection);
        Ok(outcome?)
    }
}

/// Brings what stands in the write-ahead log into the file, so that a copy of the file alone is
/// whole, and an older copy put in its place meets nothing newer.
pub(crate) fn settle(path: &Path) -> Result<(), Error> {
    let open_error = |source| Error::Open { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(open_error)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
}

/// The same on the connection that writes; an error when a reader stands in the way for long.
pub(crate) fn empty_wal(connection: &Connection) -> Result<(), rusqlite::Error> {
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    if connection.query_row(checkpoint, [], |row| row.get(0))? {
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        return Err(rusqlite::Error::SqliteFailure(busy, None));
    }
    Ok(())
}

fn open_reader(path: &Path) -> Result<Connection, Error> {
    let open = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    };
    open().map_err(|source| Error::Open { path: path.to_owned(), source })
}

/// Opens the one connection that writes, and runs the migrations that are missing.
pub(crate) fn open_writer(
    path: &Path,
    durability: Durability,
    migrations: &[&'static str],
) -> Result<Connection, Error> {
    if rusqlite::version_number() < OLDEST_SOUND_VERSION {
        return Err(Error::Unsound(rusqlite::version()));
    }
    let open = || {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let synchronous = match durability {
            Durability::Full => "FULL",
            Durability::Normal => "NORMAL",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "secure_delete", true)?;
        connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
        connection.pragma_update(None, "wal_autocheckpoint", PAGES_BEFORE_CHECKPOINT)?;
        connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
        Ok(connection)
    };
    let mut connection = open().map_err(|source| Error::Open { path: path.to_owned(), source })?;
    Migrations::new(migrations.iter().copied().map(M::up).collect())
        .to_latest(&mut connection)
        .map_err(|source| Error::Migrate { path: path.to_owned(), source })?;
    Ok(connection)
}
