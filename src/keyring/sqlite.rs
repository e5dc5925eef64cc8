//! Wrapped keys in an SQLite file of their own.

use std::path::Path;

use events::id::SubjectId;
use rusqlite::OptionalExtension as _;
use uuid::Uuid;

use super::{Error, WrappedKey};
use crate::sqlite_file::{self, Durability, SqliteFile};

const MIGRATIONS: [&str; 1] = [include_str!("../../migrations/sqlite/0003_keyring.sql")];

pub(crate) struct Keys {
    file: SqliteFile,
}

impl Keys {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = SqliteFile::open(path, Durability::Full, &MIGRATIONS);
        Ok(Self { file: file.map_err(Error::unavailable)? })
    }

    pub(super) fn named_key(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        self.file
            .read(|connection| {
                connection
                    .prepare_cached("SELECT wrapped FROM named_key WHERE name = ?1")?
                    .query_row([name], |row| row.get(0))
                    .optional()
            })
            .map_err(Error::unavailable)
    }

    pub(super) async fn add_named_key(
        &self,
        name: &str,
        wrapped: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        let name = name.to_owned();
        let add = move |connection: &mut rusqlite::Connection| {
            connection.execute(
                "INSERT INTO named_key (name, wrapped) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                (&name, wrapped),
            )?;
            connection.query_row("SELECT wrapped FROM named_key WHERE name = ?1", [&name], |row| {
                row.get(0)
            })
        };
        self.file.write(add).await.map_err(Error::unavailable)
    }

    pub(super) fn subject_key(&self, subject: SubjectId) -> Result<WrappedKey, Error> {
        let found: Option<Option<Vec<u8>>> = self
            .file
            .read(|connection| {
                connection
                    .prepare_cached("SELECT wrapped FROM subject_key WHERE subject = ?1")?
                    .query_row([subject.0.as_bytes()], |row| row.get(0))
                    .optional()
            })
            .map_err(Error::unavailable)?;
        Ok(match found {
            None => WrappedKey::Unknown,
            Some(None) => WrappedKey::Destroyed,
            Some(Some(wrapped)) => WrappedKey::There(wrapped),
        })
    }

    pub(super) async fn add_subject_key(
        &self,
        subject: SubjectId,
        wrapped: Vec<u8>,
    ) -> Result<(), Error> {
        let add =
            move |connection: &mut rusqlite::Connection| add_key(connection, subject, wrapped);
        self.file.write(add).await.map_err(Error::unavailable)
    }

    /// The file's own writer overwrites what it deletes; what stood in the write-ahead log goes with
    /// that.
    pub(super) async fn destroy(&self, subjects: &[SubjectId], times: u64) -> Result<(), Error> {
        let subjects = subjects.to_vec();
        let destroy = move |connection: &mut rusqlite::Connection| {
            let transaction = connection.transaction()?;
            for subject in &subjects {
                let subject = subject.0.as_bytes();
                transaction.execute(
                    "INSERT INTO subject_key (subject, wrapped) VALUES (?1, NULL) \
                     ON CONFLICT (subject) DO UPDATE SET wrapped = NULL",
                    [subject],
                )?;
                transaction.execute("DELETE FROM address WHERE subject = ?1", [subject])?;
            }
            transaction.execute(
                "INSERT INTO destruction (one, times) VALUES (1, max(1, ?1)) \
                 ON CONFLICT (one) DO UPDATE SET times = max(times + 1, ?1)",
                [times],
            )?;
            transaction.commit()?;
            sqlite_file::empty_wal(connection)
        };
        self.file.write(destroy).await.map_err(Error::unavailable)
    }

    pub(super) fn destructions(&self) -> Result<u64, Error> {
        self.file
            .read(|connection| {
                connection
                    .prepare_cached("SELECT coalesce(max(times), 0) FROM destruction")?
                    .query_row([], |row| row.get(0))
            })
            .map_err(Error::unavailable)
    }

    pub(super) fn subject_of(&self, mac: [u8; 32]) -> Result<Option<SubjectId>, Error> {
        self.file
            .read(|connection| {
                connection
                    .prepare_cached("SELECT subject FROM address WHERE mac = ?1")?
                    .query_row([mac], |row| row.get(0).map(Uuid::from_bytes).map(SubjectId))
                    .optional()
            })
            .map_err(Error::unavailable)
    }

    pub(super) async fn add_subject(
        &self,
        mac: [u8; 32],
        subject: SubjectId,
        wrapped: Vec<u8>,
    ) -> Result<SubjectId, Error> {
        let add = move |connection: &mut rusqlite::Connection| {
            let transaction = connection.transaction()?;
            let added = transaction.execute(
                "INSERT INTO address (mac, subject) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                (mac, subject.0.as_bytes()),
            )?;
            if added > 0 {
                add_key(&transaction, subject, wrapped)?;
            }
            let kept = transaction.query_row(
                "SELECT subject FROM address WHERE mac = ?1",
                [mac],
                |row| row.get(0).map(Uuid::from_bytes),
            )?;
            transaction.commit()?;
            Ok(SubjectId(kept))
        };
        self.file.write(add).await.map_err(Error::unavailable)
    }
}

fn add_key(
    connection: &rusqlite::Connection,
    subject: SubjectId,
    wrapped: Vec<u8>,
) -> Result<(), rusqlite::Error> {
    connection.execute(
        "INSERT INTO subject_key (subject, wrapped) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        (subject.0.as_bytes(), wrapped),
    )?;
    Ok(())
}
