//! Read models in one SQLite file, NORMAL: it can be rebuilt.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, RwLock};

use events::chain::Link;
use events::recorded::Position;
use projections::{Key, Written};
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};
use uuid::Uuid;

use super::audit_entries::{Slice, Wanted};
use super::{Advance, Error, Lease, Progress, Row, Status, is_audit_trail};
use crate::sqlite_file::{Durability, SqliteFile};
use kept::Kept;

mod audit_entries;
mod kept;

const MIGRATIONS: [&str; 1] = [include_str!("../../migrations/sqlite/0002_read_store.sql")];

/// So many rows are looked for in memory, before they are read from the file one by one.
const FEW: usize = 64;

pub(super) struct Rows {
    file: SqliteFile,
    /// Models that are live: only this process changes that.
    live: RwLock<HashSet<String>>,
    kept: Arc<Kept>,
}

impl Rows {
    pub(super) async fn open(path: &Path, log_id: Uuid) -> Result<Self, Error> {
        let file = SqliteFile::open(path, Durability::Normal, &MIGRATIONS);
        let file = file.map_err(Error::unavailable)?;
        let found: Uuid = file
            .write(move |connection| {
                connection.execute(
                    "INSERT INTO projector (one, position, log_id, epoch, lease_until) \
                     VALUES (1, 0, ?1, 0, 0) ON CONFLICT DO NOTHING",
                    [log_id.as_bytes()],
                )?;
                connection.query_row("SELECT log_id FROM projector", [], |row| {
                    row.get(0).map(Uuid::from_bytes)
                })
            })
            .await
            .map_err(Error::unavailable)?;
        if found != log_id {
            return Err(Error::OtherLog);
        }
        let rows = Self { file, live: RwLock::default(), kept: Arc::new(Kept::new()) };
        rows.note(&rows.progress()?);
        Ok(rows)
    }

    /// The same for who only reads, also beside the program that writes.
    pub(super) fn to_read(path: &Path) -> Result<Self, Error> {
        let file = SqliteFile::to_read(path).map_err(Error::unavailable)?;
        Ok(Self { file, live: RwLock::default(), kept: Arc::new(Kept::new()) })
    }

    fn note(&self, progress: &[Progress]) {
        let mut live = self.live.write().expect("nothing panics with the lock held");
        for model in progress {
            if model.status == Status::Live {
                live.insert(model.name.clone());
            } else {
                live.remove(&model.name);
            }
        }
    }

    /// One process has the file, so nobody has to be waited for.
    pub(super) async fn lease(&self, owner: &str) -> Result<Lease, Error> {
        let owner = owner.to_owned();
        let take = move |connection: &mut Connection| {
            connection.query_row(
                "UPDATE projector SET epoch = epoch + 1, owner = ?1 \
                 RETURNING epoch, position, anchor",
                [owner],
                |row| {
                    Ok(Lease {
                        epoch: row.get(0)?,
                        position: Position(row.get(1)?),
                        anchor: row.get::<_, Option<[u8; 32]>>(2)?.map(Link::from),
                    })
                },
            )
        };
        self.file.write(take).await.map_err(Error::unavailable)
    }

    pub(super) async fn advance(&self, advance: Advance) -> Result<bool, Error> {
        let progress = advance.progress.clone();
        let kept = Arc::clone(&self.kept);
        let take = move |connection: &mut Connection| {
            let is_written = apply(connection, &advance)?;
            if is_written {
                kept.take(advance.writes, !advance.cleared.is_empty());
            }
            Ok(is_written)
        };
        let written = self.file.write(take).await;
        let written = written.map_err(Error::unavailable)?;
        if written {
            self.note(&progress);
        }
        Ok(written)
    }

    pub(super) fn progress(&self) -> Result<Vec<Progress>, Error> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT name, version, status, position, error FROM read_model ORDER BY name",
                )?
                .query_map([], |row| {
                    Ok(Progress {
                        name: row.get(0)?,
                        version: row.get(1)?,
                        status: Status::parse(&row.get::<_, String>(2)?),
                        position: Position(row.get(3)?),
                        error: row.get(4)?,
                    })
                })?
                .collect()
        })
    }

    pub(super) fn is_live(&self, model: &'static str) -> bool {
        self.live.read().expect("nothing panics with the lock held").contains(model)
    }

    pub(super) fn rows(
        &self,
        model: &'static str,
        keys: &[Key],
    ) -> Result<HashMap<Key, String>, Error> {
        if is_audit_trail(model) {
            return self.read(|connection| audit_entries::rows(connection, keys));
        }
        let mut found = HashMap::with_capacity(keys.len());
        for key in keys {
            let body = self.row(model, key)?;
            found.extend(body.map(|body| (key.clone(), body.to_string())));
        }
        Ok(found)
    }

    /// Past what is kept in memory: that may be of another moment.
    pub(super) fn rows_at_once(
        &self,
        model: &'static str,
        keys: Vec<Key>,
    ) -> Result<HashMap<Key, String>, Error> {
        self.read(|connection| all_stored(connection, model, keys))
    }

    /// Many are read by the connection that is about to write them: it then has their pages, and a
    /// reader would have forgotten them since the last write.
    pub(super) async fn rows_to_change(
        &self,
        model: &'static str,
        mut keys: Vec<Key>,
    ) -> Result<HashMap<Key, String>, Error> {
        if is_audit_trail(model) || keys.len() <= FEW {
            return self.rows(model, &keys);
        }
        // in the order of the pages
        keys.sort_unstable();
        let read = move |connection: &mut Connection| all_stored(connection, model, keys);
        self.file.write(read).await.map_err(Error::unavailable)
    }

    pub(super) fn row(&self, model: &'static str, key: &Key) -> Result<Option<Arc<str>>, Error> {
        if is_audit_trail(model) {
            let keys = std::slice::from_ref(key);
            let mut found = self.read(|connection| audit_entries::rows(connection, keys))?;
            return Ok(found.remove(key).map(Arc::from));
        }
        self.kept.get(model, key, || self.read(|connection| stored(connection, model, key)))
    }

    pub(super) fn page(
        &self,
        model: &'static str,
        scope: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT sort, body FROM row WHERE model = ?1 AND scope = ?2 AND sort > ?3 \
                     ORDER BY sort LIMIT ?4",
                )?
                .query_map((model, scope, after, limit), |row| {
                    Ok(Row { sort: row.get(0)?, body: row.get(1)? })
                })?
                .collect()
        })
    }

    pub(super) fn at(
        &self,
        model: &'static str,
        scope: &str,
        sort: &str,
    ) -> Result<Option<String>, Error> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT body FROM row WHERE model = ?1 AND scope = ?2 AND sort = ?3",
                )?
                .query_row((model, scope, sort), |row| row.get(0))
                .optional()
        })
    }

    pub(super) fn all_rows(
        &self,
        model: &'static str,
        after: &Key,
        limit: usize,
    ) -> Result<Vec<Written>, Error> {
        if is_audit_trail(model) {
            return self.read(|connection| audit_entries::all_rows(connection, after, limit));
        }
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT scope, id, sort, body FROM row WHERE model = ?1 AND (scope, id) > (?2, ?3) \
                     ORDER BY scope, id LIMIT ?4",
                )?
                .query_map((model, &after.scope, &after.id, limit), |row| {
                    Ok(Written {
                        key: Key { scope: row.get(0)?, id: row.get(1)? },
                        sort: row.get(2)?,
                        body: row.get(3)?,
                        columns: None,
                    })
                })?
                .collect()
        })
    }

    pub(super) fn audit_entries(
        &self,
        wanted: &Wanted<'_>,
        slice: Slice,
    ) -> Result<Vec<String>, Error> {
        self.read(|connection| audit_entries::page(connection, wanted, slice))
    }

    pub(super) fn count_audit_entries(&self, wanted: &Wanted<'_>) -> Result<u64, Error> {
        self.read(|connection| audit_entries::count(connection, wanted))
    }

    pub(super) fn newest_audit_entry(&self, organization: &str) -> Result<Option<u64>, Error> {
        self.read(|connection| audit_entries::newest(connection, organization))
    }

    pub(super) fn position(&self) -> Result<Position, Error> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT position FROM projector")?
                .query_row([], |row| row.get(0).map(Position))
        })
    }

    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, Error> {
        self.file.read(work).map_err(Error::unavailable)
    }
}

fn stored(
    connection: &Connection,
    model: &str,
    key: &Key,
) -> Result<Option<String>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT body FROM row WHERE model = ?1 AND scope = ?2 AND id = ?3")?
        .query_row((model, &key.scope, &key.id), |row| row.get(0))
        .optional()
}

/// All as they are at one moment.
fn all_stored(
    connection: &Connection,
    model: &str,
    keys: Vec<Key>,
) -> Result<HashMap<Key, String>, rusqlite::Error> {
    let transaction = connection.unchecked_transaction()?;
    let mut found = HashMap::with_capacity(keys.len());
    for key in keys {
        if let Some(body) = stored(&transaction, model, &key)? {
            found.insert(key, body);
        }
    }
    transaction.commit()?;
    Ok(found)
}

fn apply(connection: &mut Connection, advance: &Advance) -> Result<bool, rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let moved = transaction
        .prepare_cached(
            "UPDATE projector SET position = ?1, anchor = COALESCE(?2, anchor) \
             WHERE epoch = ?3 AND position = ?4",
        )?
        .execute((
            advance.to.0,
            advance.anchor.map(|link| *link.as_bytes()),
            advance.epoch,
            advance.from.0,
        ))?;
    if moved == 0 {
        return Ok(false);
    }
    for model in &advance.cleared {
        if is_audit_trail(model) {
            audit_entries::clear(&transaction)?;
        }
        transaction.execute("DELETE FROM row WHERE model = ?1", [model])?;
    }
    for model in &advance.writes {
        if is_audit_trail(model.model) {
            audit_entries::write(&transaction, &model.rows)?;
            continue;
        }
        // a row keeps its sort key while it lives, and then its place in the index need not be
        // written again
        let mut put = transaction.prepare_cached(
            "INSERT INTO row (model, scope, id, sort, body) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT DO UPDATE SET body = excluded.body WHERE sort = excluded.sort",
        )?;
        let mut move_row = transaction.prepare_cached(
            "UPDATE row SET sort = ?4, body = ?5 WHERE model = ?1 AND scope = ?2 AND id = ?3",
        )?;
        let mut remove = transaction
            .prepare_cached("DELETE FROM row WHERE model = ?1 AND scope = ?2 AND id = ?3")?;
        let mut end =
            transaction.prepare_cached("DELETE FROM row WHERE model = ?1 AND scope = ?2")?;
        let mut end_before = transaction
            .prepare_cached("DELETE FROM row WHERE model = ?1 AND scope = ?2 AND sort < ?3")?;
        for written in &model.rows {
            let Written { key, sort, body, columns: _ } = written;
            match body {
                Some(body) => {
                    let row = (model.model, &key.scope, &key.id, sort, body);
                    match put.execute(row)? {
                        0 => move_row.execute(row)?,
                        written => written,
                    }
                }
                // its place is before the rows of the same scope
                None if written.ends_scope() => end.execute((model.model, &key.scope))?,
                None if written.ends_before() => {
                    end_before.execute((model.model, &key.scope, sort))?
                }
                None => remove.execute((model.model, &key.scope, &key.id))?,
            };
        }
    }
    for progress in &advance.progress {
        transaction.execute(
            "INSERT INTO read_model (name, version, status, position, error) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET version = excluded.version, \
             status = excluded.status, position = excluded.position, error = excluded.error",
            (
                &progress.name,
                progress.version,
                progress.status.as_str(),
                progress.position.0,
                &progress.error,
            ),
        )?;
    }
    transaction.commit()?;
    Ok(true)
}
