//! Operational state in an SQLite file of its own.

use std::path::Path;

use events::id::CommandId;
use events::recorded::{BodyMac, Position};
use events::stream::Stream;
use rusqlite::OptionalExtension as _;

use super::Error;
use crate::fold::Told;
use crate::sqlite_file::{Durability, SqliteFile};

const MIGRATIONS: [&str; 1] = [include_str!("../../migrations/sqlite/0004_operational.sql")];

pub(crate) struct State {
    file: SqliteFile,
}

impl State {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = SqliteFile::open(path, Durability::Full, &MIGRATIONS);
        Ok(Self { file: file.map_err(Error::unavailable)? })
    }

    pub(super) async fn first_body(
        &self,
        command: CommandId,
        body: BodyMac,
    ) -> Result<BodyMac, Error> {
        let remember = move |connection: &mut rusqlite::Connection| {
            let id = command.0.as_bytes();
            connection
                .prepare_cached(
                    "INSERT INTO command_body (command, mac) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                )?
                .execute((id, body.0))?;
            connection
                .prepare_cached("SELECT mac FROM command_body WHERE command = ?1")?
                .query_row([id], |row| row.get(0))
        };
        self.file.write(remember).await.map(BodyMac).map_err(Error::unavailable)
    }

    pub(super) async fn remember_unchanged(
        &self,
        command: CommandId,
        stream: &Stream,
        told: Told,
    ) -> Result<(), Error> {
        let stream = stream.to_string();
        let remember = move |connection: &mut rusqlite::Connection| {
            connection.execute(
                "INSERT INTO unchanged (command, stream, mac, version, position) \
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                (command.0.as_bytes(), stream, told.body.0, told.version, told.position.0),
            )
        };
        self.file.write(remember).await.map(drop).map_err(Error::unavailable)
    }

    pub(super) fn unchanged(
        &self,
        command: CommandId,
        stream: &Stream,
    ) -> Result<Option<Told>, Error> {
        let found = self.file.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT version, position, mac FROM unchanged \
                     WHERE command = ?1 AND stream = ?2",
                )?
                .query_row((command.0.as_bytes(), stream.to_string()), |row| {
                    Ok(Told {
                        version: row.get(0)?,
                        position: Position(row.get(1)?),
                        body: BodyMac(row.get(2)?),
                    })
                })
                .optional()
        });
        found.map_err(Error::unavailable)
    }

    pub(super) fn cursor(&self, name: &'static str) -> Result<Position, Error> {
        let found = self.file.read(|connection| {
            connection
                .prepare_cached("SELECT position FROM cursor WHERE name = ?1")?
                .query_row([name], |row| row.get(0))
                .optional()
        });
        Ok(Position(found.map_err(Error::unavailable)?.unwrap_or(0)))
    }

    pub(super) fn clock_ahead(&self) -> Result<i64, Error> {
        let found = self.file.read(|connection| {
            connection
                .prepare_cached("SELECT ahead FROM clock")?
                .query_row([], |row| row.get(0))
                .optional()
        });
        Ok(found.map_err(Error::unavailable)?.unwrap_or(0))
    }

    pub(super) async fn move_clock(&self, ahead: i64) -> Result<i64, Error> {
        let set = move |connection: &mut rusqlite::Connection| {
            connection.query_row(
                "INSERT INTO clock (one, ahead) VALUES (1, ?1) \
                 ON CONFLICT (one) DO UPDATE SET ahead = max(ahead, excluded.ahead) RETURNING ahead",
                [ahead],
                |row| row.get(0),
            )
        };
        self.file.write(set).await.map_err(Error::unavailable)
    }

    pub(super) async fn move_cursor(&self, name: &'static str, to: Position) -> Result<(), Error> {
        let set = move |connection: &mut rusqlite::Connection| {
            connection.execute(
                "INSERT INTO cursor (name, position) VALUES (?1, ?2) \
                 ON CONFLICT (name) DO UPDATE SET position = max(position, excluded.position)",
                (name, to.0),
            )
        };
        self.file.write(set).await.map(drop).map_err(Error::unavailable)
    }
}
