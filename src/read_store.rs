//! Rows of all read models and how far they have come, in one database, so that rows and progress
//! change in one transaction. Only who holds the current epoch, and stands where the last
//! transaction left off, changes anything.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use events::chain::Link;
use events::recorded::Position;
use projections::audit_trail::AuditTrail;
use projections::{Key, ReadModel as _, Written};
use uuid::Uuid;

use crate::fail_point;

pub(crate) mod audit_entries;
mod postgres;
mod reached;
mod sqlite;

use audit_entries::{Slice, Wanted};
use reached::Reached;

/// How long an owner may be silent before another node takes over.
pub(crate) const LEASE: Duration = Duration::from_secs(15);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the read store cannot be reached")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the read store was filled from another log; empty it or connect the right log")]
    OtherLog,
}

impl Error {
    fn unavailable(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Box::new(cause))
    }
}

/// The right to advance the read models, until another node takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) epoch: i64,
    pub(crate) position: Position,
    /// The link of the line at `position`, where there is one.
    pub(crate) anchor: Option<Link>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Advances with the others.
    Live,
    /// Catches up alone.
    Building,
    /// Met a fact it cannot take in; stays where it is until the program is mended.
    Stuck,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Building => "building",
            Self::Stuck => "stuck",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "live" => Self::Live,
            "building" => Self::Building,
            _ => Self::Stuck,
        }
    }
}

/// How one read model stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub name: String,
    pub version: u32,
    pub status: Status,
    /// Where it came to alone; a live model stands where the projector does.
    pub position: Position,
    pub error: Option<String>,
}

/// The rows one model writes.
pub(crate) struct ModelRows {
    pub(crate) model: &'static str,
    pub(crate) rows: Vec<Written>,
}

/// What one transaction changes.
pub(crate) struct Advance {
    pub(crate) epoch: i64,
    /// Where the projector stands before and after; equal when only single models move.
    pub(crate) from: Position,
    pub(crate) to: Position,
    pub(crate) anchor: Option<Link>,
    pub(crate) writes: Vec<ModelRows>,
    /// Models whose own standing changes.
    pub(crate) progress: Vec<Progress>,
    /// Models whose rows are all removed first.
    pub(crate) cleared: Vec<String>,
}

/// Rows of one scope, in order of their sort key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) sort: String,
    pub(crate) body: String,
}

pub(crate) struct ReadStore {
    backend: Backend,
    /// Where the live read models stand, as far as this node knows.
    reached: Reached,
}

/// Whether a model's rows are in the table that can be filtered.
fn is_audit_trail(model: &str) -> bool {
    model == AuditTrail::NAME
}

enum Backend {
    Sqlite(sqlite::Rows),
    Postgres(postgres::Rows),
}

impl ReadStore {
    pub(crate) async fn sqlite(path: &Path, log_id: Uuid) -> Result<Self, Error> {
        let rows = sqlite::Rows::open(path, log_id).await?;
        Ok(Self { backend: Backend::Sqlite(rows), reached: Reached::default() })
    }

    pub(crate) async fn postgres(pool: sqlx::PgPool, log_id: Uuid) -> Result<Self, Error> {
        let rows = postgres::Rows::open(pool, log_id).await?;
        Ok(Self { backend: Backend::Postgres(rows), reached: Reached::default() })
    }

    /// The rows in a file, for who only reads them, also beside the server.
    pub(crate) fn sqlite_to_read(path: &Path) -> Result<Self, Error> {
        let rows = sqlite::Rows::to_read(path)?;
        Ok(Self { backend: Backend::Sqlite(rows), reached: Reached::default() })
    }

    /// The same of a database.
    pub(crate) fn postgres_to_read(pool: sqlx::PgPool) -> Self {
        let rows = postgres::Rows::to_read(pool);
        Self { backend: Backend::Postgres(rows), reached: Reached::default() }
    }

    /// Takes the right to advance the read models, raising the epoch: whoever had it before, an
    /// earlier process of this node too, can write nothing more. `None` while another node has it.
    pub(crate) async fn lease(&self, owner: &str) -> Result<Option<Lease>, Error> {
        match &self.backend {
            Backend::Sqlite(rows) => rows.lease(owner).await.map(Some),
            Backend::Postgres(rows) => rows.lease(owner).await,
        }
    }

    /// Keeps the right for a while longer. `false`: it is lost.
    pub(crate) async fn renew(&self, owner: &str, lease: &Lease) -> Result<bool, Error> {
        match &self.backend {
            // one process has the file
            Backend::Sqlite(_) => Ok(true),
            Backend::Postgres(rows) => rows.renew(owner, lease.epoch).await,
        }
    }

    /// Gives the right back at once, so that another node need not wait for it to run out.
    pub(crate) async fn release(&self, owner: &str) -> Result<(), Error> {
        match &self.backend {
            Backend::Sqlite(_) => Ok(()),
            Backend::Postgres(rows) => rows.release(owner).await,
        }
    }

    /// Writes rows and progress in one transaction. `false`: another owner has moved on since, and
    /// nothing was changed.
    pub(crate) async fn advance(&self, advance: Advance) -> Result<bool, Error> {
        let to = advance.to;
        fail_point::reached("read.advancing");
        let done = match &self.backend {
            Backend::Sqlite(rows) => rows.advance(advance).await?,
            Backend::Postgres(rows) => rows.advance(advance).await?,
        };
        if done {
            self.saw(to);
        }
        Ok(done)
    }

    pub(crate) async fn progress(&self) -> Result<Vec<Progress>, Error> {
        match &self.backend {
            Backend::Sqlite(rows) => rows.progress(),
            Backend::Postgres(rows) => rows.progress().await,
        }
    }

    /// Whether a model's rows show everything up to the live position.
    pub(crate) async fn is_live(&self, model: &'static str) -> Result<bool, Error> {
        match &self.backend {
            Backend::Sqlite(rows) => Ok(rows.is_live(model)),
            Backend::Postgres(rows) => rows.is_live(model).await,
        }
    }

    /// The stored rows among these keys, each as it is when it is read.
    pub(crate) async fn rows(
        &self,
        model: &'static str,
        keys: &[Key],
    ) -> Result<HashMap<Key, String>, Error> {
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        match &self.backend {
            Backend::Sqlite(rows) => rows.rows(model, keys),
            Backend::Postgres(rows) => rows.rows(model, keys).await,
        }
    }

    /// The stored rows among these keys, all as they were at one moment.
    pub(crate) async fn rows_at_once(
        &self,
        model: &'static str,
        keys: Vec<Key>,
    ) -> Result<HashMap<Key, String>, Error> {
        match &self.backend {
            Backend::Sqlite(rows) => rows.rows_at_once(model, keys),
            // one statement sees one moment
            Backend::Postgres(rows) => rows.rows(model, &keys).await,
        }
    }

    /// The same for the one who advances the read models, and is about to change these rows.
    pub(crate) async fn rows_to_change(
        &self,
        model: &'static str,
        keys: Vec<Key>,
    ) -> Result<HashMap<Key, String>, Error> {
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        match &self.backend {
            Backend::Sqlite(rows) => rows.rows_to_change(model, keys).await,
            Backend::Postgres(rows) => rows.rows(model, &keys).await,
        }
    }

    /// One stored row.
    pub(crate) async fn row(
        &self,
        model: &'static str,
        key: &Key,
    ) -> Result<Option<Arc<str>>, Error> {
        match &self.backend {
            Backend::Sqlite(rows) => rows.row(model, key),
            Backend::Postgres(rows) => {
                let mut found = rows.rows(model, std::slice::from_ref(key)).await?;
                Ok(found.remove(key).map(Arc::from))
            }
        }
    }

    /// At most `limit` rows of a scope, in order, after a sort key.
    pub(crate) async fn page(
        &self,
        model: &'static str,
        scope: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        match &self.backend {
            Backend::Sqlite(rows) => rows.page(model, scope, after, limit),
            Backend::Postgres(rows) => rows.page(model, scope, after, limit).await,
        }
    }

    /// Bodies of entries of an audit log, newest first.
    pub(crate) async fn audit_entries(
        &self,
        wanted: &Wanted<'_>,
        slice: Slice,
    ) -> Result<Vec<String>, Error> {
        match &self.backend {
            Backend::Sqlite(rows) => rows.audit_entries(wanted, slice),
            Backend::Postgres(rows) => rows.audit_entries(wanted, slice).await,
        }
    }

    pub(crate) async fn count_audit_entries(&self, wanted: &Wanted<'_>) -> Result<u64, Error> {
        match &self.backend {
            Backend::Sqlite(rows) => rows.count_audit_entries(wanted),
            Backend::Postgres(rows) => rows.count_audit_entries(wanted).await,
        }
    }

    /// Version of the newest entry of an organization's audit log.
    pub(crate) async fn newest_audit_entry(
        &self,
        organization: &str,
    ) -> Result<Option<u64>, Error> {
        match &self.backend {
            Backend::Sqlite(rows) => rows.newest_audit_entry(organization),
            Backend::Postgres(rows) => rows.newest_audit_entry(organization).await,
        }
    }

    /// The row of a scope with exactly this sort key.
    pub(crate) async fn at(
        &self,
        model: &'static str,
        scope: &str,
        sort: &str,
    ) -> Result<Option<String>, Error> {
        match &self.backend {
            Backend::Sqlite(rows) => rows.at(model, scope, sort),
            Backend::Postgres(rows) => rows.at(model, scope, sort).await,
        }
    }

    /// Every row of a model, by key: for comparing, in pieces of `limit` after a key.
    pub(crate) async fn all_rows(
        &self,
        model: &'static str,
        after: &Key,
        limit: usize,
    ) -> Result<Vec<Written>, Error> {
        match &self.backend {
            Backend::Sqlite(rows) => rows.all_rows(model, after, limit),
            Backend::Postgres(rows) => rows.all_rows(model, after, limit).await,
        }
    }

    /// Where the live read models stand in the store itself.
    pub(crate) async fn position(&self) -> Result<Position, Error> {
        let position = match &self.backend {
            Backend::Sqlite(rows) => rows.position(),
            Backend::Postgres(rows) => rows.position().await,
        }?;
        self.saw(position);
        Ok(position)
    }

    fn saw(&self, position: Position) {
        self.reached.saw(position);
    }

    /// Whether the live read models came to `position` within this time.
    pub(crate) async fn wait_for(&self, position: Position, within: Duration) -> bool {
        match self.reached.wait(position) {
            None => true,
            Some(waiting) => {
                tokio::time::timeout(within, waiting).await.is_ok_and(|told| told.is_ok())
            }
        }
    }

    /// Runs until dropped: learns where another node has brought the read models.
    pub(crate) async fn watch_others(&self) {
        match &self.backend {
            Backend::Sqlite(_) => std::future::pending().await,
            Backend::Postgres(rows) => rows.watch(|position| self.saw(position)).await,
        }
    }
}
