//! Where the last signed heads are remembered.

use std::path::Path;
use std::time::Duration;

use events::tree::Hash;
use rusqlite::OptionalExtension as _;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::Signed;
use crate::sqlite_file::{Durability, SqliteFile};

const MIGRATIONS: [&str; 1] = [include_str!("../../migrations/sqlite/0005_signer.sql")];
const POSTGRES: &str = include_str!("../../migrations/postgres/0005_signer.sql");
const CONNECTIONS: u32 = 2;
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
#[error("what was signed last cannot be told")]
pub(crate) struct Error(#[source] Box<dyn std::error::Error + Send + Sync>);

fn unavailable(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error(Box::new(cause))
}

pub(super) enum State {
    Sqlite(SqliteFile),
    /// Shared by several nodes.
    Postgres(PgPool),
}

impl State {
    pub(super) fn sqlite(path: &Path) -> Result<Self, Error> {
        SqliteFile::open(path, Durability::Full, &MIGRATIONS).map(Self::Sqlite).map_err(unavailable)
    }

    pub(super) async fn postgres(url: &str) -> Result<Self, Error> {
        let options: PgConnectOptions = url.parse().map_err(unavailable)?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECT_WITHIN)
            .connect_with(options.application_name("chancery signer"))
            .await
            .map_err(unavailable)?;
        sqlx::raw_sql(POSTGRES).execute(&pool).await.map_err(unavailable)?;
        Ok(Self::Postgres(pool))
    }

    /// The same for who only reads: changes nothing. The file must be there.
    pub(super) fn sqlite_to_read(path: &Path) -> Result<Self, Error> {
        SqliteFile::to_read(path).map(Self::Sqlite).map_err(unavailable)
    }

    pub(super) fn postgres_to_read(url: &str) -> Result<Self, Error> {
        crate::postgres_database::to_read(url).map(Self::Postgres).map_err(unavailable)
    }

    /// What was signed last of every log, by its name.
    pub(super) async fn all(&self) -> Result<Vec<(String, Signed)>, Error> {
        match self {
            Self::Sqlite(file) => file
                .read(|connection| {
                    connection
                        .prepare_cached("SELECT origin, size, root FROM signed_head")?
                        .query_map([], |row| {
                            Ok((row.get(0)?, Signed { size: row.get(1)?, root: Hash(row.get(2)?) }))
                        })?
                        .collect()
                })
                .map_err(unavailable),
            Self::Postgres(pool) => {
                let found: Vec<(String, i64, [u8; 32])> =
                    sqlx::query_as("SELECT origin, size, root FROM signer.signed_head")
                        .fetch_all(pool)
                        .await
                        .map_err(unavailable)?;
                let signed = |(origin, size, root): (String, i64, _)| {
                    (origin, Signed { size: size.cast_unsigned(), root: Hash(root) })
                };
                Ok(found.into_iter().map(signed).collect())
            }
        }
    }

    pub(super) async fn last(&self, origin: &str) -> Result<Option<Signed>, Error> {
        match self {
            Self::Sqlite(file) => file
                .read(|connection| {
                    connection
                        .prepare_cached("SELECT size, root FROM signed_head WHERE origin = ?1")?
                        .query_row([origin], |row| {
                            Ok(Signed { size: row.get(0)?, root: Hash(row.get(1)?) })
                        })
                        .optional()
                })
                .map_err(unavailable),
            Self::Postgres(pool) => {
                let found: Option<(i64, [u8; 32])> =
                    sqlx::query_as("SELECT size, root FROM signer.signed_head WHERE origin = $1")
                        .bind(origin)
                        .fetch_optional(pool)
                        .await
                        .map_err(unavailable)?;
                Ok(found
                    .map(|(size, root)| Signed { size: size.cast_unsigned(), root: Hash(root) }))
            }
        }
    }

    /// Remembers a head in the place of the one before, durably. `false` when that was no longer
    /// the last.
    pub(super) async fn replace(
        &self,
        origin: &str,
        before: Option<Signed>,
        now: Signed,
    ) -> Result<bool, Error> {
        match self {
            Self::Sqlite(file) => {
                let origin = origin.to_owned();
                let replace = move |connection: &mut rusqlite::Connection| match before {
                    None => connection.execute(
                        "INSERT INTO signed_head (origin, size, root) VALUES (?1, ?2, ?3) \
                         ON CONFLICT DO NOTHING",
                        (&origin, now.size, now.root.0),
                    ),
                    Some(before) => connection.execute(
                        "UPDATE signed_head SET size = ?2, root = ?3 \
                         WHERE origin = ?1 AND size = ?4 AND root = ?5",
                        (&origin, now.size, now.root.0, before.size, before.root.0),
                    ),
                };
                Ok(file.write(replace).await.map_err(unavailable)? == 1)
            }
            Self::Postgres(pool) => {
                let replace = match before {
                    None => sqlx::query(
                        "INSERT INTO signer.signed_head (origin, size, root) VALUES ($1, $2, $3) \
                         ON CONFLICT DO NOTHING",
                    ),
                    Some(_) => sqlx::query(
                        "UPDATE signer.signed_head SET size = $2, root = $3 \
                         WHERE origin = $1 AND size = $4 AND root = $5",
                    ),
                };
                let replace = replace.bind(origin).bind(now.size.cast_signed()).bind(now.root.0);
                let replace = match before {
                    None => replace,
                    Some(before) => replace.bind(before.size.cast_signed()).bind(before.root.0),
                };
                let replaced = replace.execute(pool).await.map_err(unavailable)?;
                Ok(replaced.rows_affected() == 1)
            }
        }
    }
}
