//! A database administrator: reads and writes the rows of a log past the program.

use events::chain::Link;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use uuid::Uuid;

use crate::server::Installation;

/// One row of the log, as the database holds it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) position: i64,
    pub(crate) stream: String,
    pub(crate) version: i64,
    pub(crate) event_id: Uuid,
    pub(crate) kind: String,
    pub(crate) line: Vec<u8>,
    pub(crate) sealed: Vec<u8>,
    pub(crate) link: Vec<u8>,
}

impl Row {
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.line).unwrap()
    }

    /// Another line, with every column as it should be for it.
    pub(crate) fn puts(&mut self, value: &Value) {
        self.line = serde_json_canonicalizer::to_vec(value).unwrap();
        self.link = Link::of_line(&self.line).as_bytes().to_vec();
    }

    /// What is said of this place.
    pub(crate) fn place(&self) -> String {
        format!("stream {}, version {}, position {}", self.stream, self.version, self.position)
    }
}

/// Somebody who may do anything in the database, and has dropped the triggers that would mind.
pub(crate) enum Administrator {
    Sqlite(rusqlite::Connection),
    Postgres(PgConnection),
}

impl Administrator {
    pub(crate) async fn of(installation: &Installation, is_sqlite: bool) -> Self {
        let mut administrator = if is_sqlite {
            let log = rusqlite::Connection::open(installation.data().join("log.db")).unwrap();
            Self::Sqlite(log)
        } else {
            Self::Postgres(installation.database().connect().await)
        };
        let triggers: &[&str] = if is_sqlite {
            &["event_no_update", "event_no_delete", "event_only_next"]
        } else {
            &["event_no_change", "event_no_truncate", "event_only_next"]
        };
        for trigger in triggers {
            let on = if is_sqlite { "" } else { " ON log.event" };
            administrator.does(&format!("DROP TRIGGER {trigger}{on}")).await;
        }
        administrator
    }

    pub(crate) async fn does(&mut self, sql: &str) {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(sql).unwrap(),
            Self::Postgres(connection) => {
                connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
            }
        }
    }

    pub(crate) async fn rows(&mut self) -> Vec<Row> {
        let columns = "position, stream, version, event_id, kind, line, sealed, link";
        match self {
            Self::Sqlite(connection) => {
                let sql = format!("SELECT {columns} FROM event ORDER BY position");
                let mut statement = connection.prepare(&sql).unwrap();
                let row = |row: &rusqlite::Row<'_>| {
                    Ok(Row {
                        position: row.get(0)?,
                        stream: row.get(1)?,
                        version: row.get(2)?,
                        event_id: Uuid::from_bytes(row.get(3)?),
                        kind: row.get(4)?,
                        line: row.get(5)?,
                        sealed: row.get(6)?,
                        link: row.get(7)?,
                    })
                };
                statement.query_map([], row).unwrap().collect::<Result<_, _>>().unwrap()
            }
            Self::Postgres(connection) => {
                let sql = format!("SELECT {columns} FROM log.event ORDER BY position");
                let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await.unwrap();
                let row = |row: &sqlx::postgres::PgRow| Row {
                    position: row.get(0),
                    stream: row.get(1),
                    version: row.get(2),
                    event_id: row.get(3),
                    kind: row.get(4),
                    line: row.get(5),
                    sealed: row.get(6),
                    link: row.get(7),
                };
                rows.iter().map(row).collect()
            }
        }
    }

    /// These rows and no others.
    pub(crate) async fn puts(&mut self, rows: &[Row]) {
        match self {
            Self::Sqlite(connection) => {
                let transaction = connection.transaction().unwrap();
                transaction.execute("DELETE FROM event", []).unwrap();
                for row in rows {
                    let sql = "INSERT INTO event (position, stream, version, event_id, kind, line, \
                               sealed, link, stored_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0)";
                    let id = row.event_id.as_bytes();
                    let Row { position, stream, version, kind, line, sealed, link, .. } = row;
                    let values = (position, stream, version, id, kind, line, sealed, link);
                    transaction.execute(sql, values).unwrap();
                }
                transaction.commit().unwrap();
            }
            Self::Postgres(connection) => {
                let mut transaction = connection.begin().await.unwrap();
                transaction.execute("DELETE FROM log.event").await.unwrap();
                for row in rows {
                    let sql = "INSERT INTO log.event (position, stream, version, event_id, kind, \
                               line, sealed, link) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
                    let query = sqlx::query(sql).bind(row.position).bind(&row.stream);
                    let query = query.bind(row.version).bind(row.event_id).bind(&row.kind);
                    let query = query.bind(&row.line).bind(&row.sealed).bind(&row.link);
                    query.execute(&mut *transaction).await.unwrap();
                }
                transaction.commit().await.unwrap();
            }
        }
    }
}
