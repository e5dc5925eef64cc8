//! Operational state in an SQLite file of its own.

use std::path::Path;

use events::id::{AccountId, CommandId, EventId, SessionId, TokenId};
use events::recorded::{BodyMac, Position};
use events::stream::Stream;
use events::time::Time;
use rusqlite::OptionalExtension as _;
use uuid::Uuid;

use super::{DUE_MAILS, DeferredMail, Error, KeptActivity};
use crate::fold::Told;
use crate::sqlite_file::{Durability, SqliteFile};

mod connection;
mod packet;

const MIGRATIONS: [&str; 1] = [include_str!("../../migrations/sqlite/0004_operational.sql")];

pub(crate) struct State {
    file: SqliteFile,
}

impl State {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = SqliteFile::open(path, Durability::Full, &MIGRATIONS);
        Ok(Self { file: file.map_err(Error::unavailable)? })
    }

    pub(super) fn to_read(path: &Path) -> Result<Self, Error> {
        SqliteFile::to_read(path).map(|file| Self { file }).map_err(Error::unavailable)
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

    pub(super) fn known_body(&self, command: CommandId) -> Result<Option<BodyMac>, Error> {
        let found = self.file.read(|connection| {
            connection
                .prepare_cached("SELECT mac FROM command_body WHERE command = ?1")?
                .query_row([command.0.as_bytes()], |row| row.get(0))
                .optional()
        });
        Ok(found.map_err(Error::unavailable)?.map(BodyMac))
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

    pub(super) fn cursor(&self, name: &str) -> Result<Position, Error> {
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

    pub(super) async fn move_cursor(&self, name: &str, to: Position) -> Result<(), Error> {
        let name = name.to_owned();
        let set = move |connection: &mut rusqlite::Connection| {
            connection.execute(
                "INSERT INTO cursor (name, position) VALUES (?1, ?2) \
                 ON CONFLICT (name) DO UPDATE SET position = max(position, excluded.position)",
                (name, to.0),
            )
        };
        self.file.write(set).await.map(drop).map_err(Error::unavailable)
    }

    pub(super) async fn keep_activity(&self, activity: Vec<KeptActivity>) -> Result<(), Error> {
        let keep = move |connection: &mut rusqlite::Connection| {
            let transaction = connection.transaction()?;
            for KeptActivity { session, account, used_at, device, ip_address } in &activity {
                transaction
                    .prepare_cached(
                        "INSERT INTO session_activity \
                         (session, account, used_at, device, ip_address) \
                         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (session) DO UPDATE SET \
                         used_at = excluded.used_at, device = excluded.device, \
                         ip_address = excluded.ip_address WHERE used_at <= excluded.used_at",
                    )?
                    .execute((
                        session.0.as_bytes(),
                        account.0.as_bytes(),
                        used_at.millis(),
                        device,
                        ip_address,
                    ))?;
            }
            transaction.commit()
        };
        self.file.write(keep).await.map_err(Error::unavailable)
    }

    pub(super) fn activity_of(&self, accounts: &[AccountId]) -> Result<Vec<KeptActivity>, Error> {
        let found = self.file.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT session, used_at, device, ip_address FROM session_activity \
                 WHERE account = ?1",
            )?;
            let mut found = Vec::new();
            for account in accounts {
                let rows = statement.query_map([account.0.as_bytes()], |row| {
                    Ok(KeptActivity {
                        session: SessionId(Uuid::from_bytes(row.get(0)?)),
                        account: *account,
                        used_at: Time::from_millis(row.get(1)?),
                        device: row.get(2)?,
                        ip_address: row.get(3)?,
                    })
                })?;
                for row in rows {
                    found.push(row?);
                }
            }
            Ok(found)
        });
        found.map_err(Error::unavailable)
    }

    pub(super) async fn forget_activity(&self, before: Time) -> Result<(), Error> {
        let forget = move |connection: &mut rusqlite::Connection| {
            let before = before.millis();
            connection.execute("DELETE FROM session_activity WHERE used_at < ?1", [before])
        };
        self.file.write(forget).await.map(drop).map_err(Error::unavailable)
    }

    pub(super) async fn keep_token_uses(&self, uses: Vec<(TokenId, Time)>) -> Result<(), Error> {
        let keep = move |connection: &mut rusqlite::Connection| {
            let transaction = connection.transaction()?;
            for (token, used_at) in &uses {
                transaction
                    .prepare_cached(
                        "INSERT INTO token_use (token, used_at) VALUES (?1, ?2) \
                         ON CONFLICT (token) DO UPDATE SET \
                         used_at = max(used_at, excluded.used_at)",
                    )?
                    .execute((token.0.as_bytes(), used_at.millis()))?;
            }
            transaction.commit()
        };
        self.file.write(keep).await.map_err(Error::unavailable)
    }

    pub(super) fn token_uses(&self, tokens: &[TokenId]) -> Result<Vec<(TokenId, Time)>, Error> {
        let found = self.file.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT used_at FROM token_use WHERE token = ?1")?;
            let mut found = Vec::with_capacity(tokens.len());
            for token in tokens {
                let used =
                    statement.query_row([token.0.as_bytes()], |row| row.get(0)).optional()?;
                found.extend(used.map(|millis| (*token, Time::from_millis(millis))));
            }
            Ok(found)
        });
        found.map_err(Error::unavailable)
    }

    pub(super) async fn forget_activity_of(&self, account: AccountId) -> Result<(), Error> {
        let forget = move |connection: &mut rusqlite::Connection| {
            let account = account.0.as_bytes();
            connection.execute("DELETE FROM session_activity WHERE account = ?1", [account])
        };
        self.file.write(forget).await.map(drop).map_err(Error::unavailable)
    }

    pub(super) async fn defer_mail(&self, mail: DeferredMail, due_at: Time) -> Result<(), Error> {
        let defer = move |connection: &mut rusqlite::Connection| {
            let DeferredMail { event, position, attempts } = &mail;
            connection.execute(
                "INSERT INTO mail (event, position, attempts, due_at) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (event) DO UPDATE SET attempts = excluded.attempts, \
                 due_at = excluded.due_at",
                (event.0.as_bytes(), position.0, attempts, due_at.millis()),
            )
        };
        self.file.write(defer).await.map(drop).map_err(Error::unavailable)
    }

    pub(super) async fn refuse_mail(
        &self,
        event: EventId,
        position: Position,
        refusal: &str,
    ) -> Result<(), Error> {
        let refusal = refusal.to_owned();
        let refuse = move |connection: &mut rusqlite::Connection| {
            connection.execute(
                "INSERT INTO mail (event, position, attempts, refusal) VALUES (?1, ?2, 1, ?3) \
                 ON CONFLICT (event) DO UPDATE SET attempts = attempts + 1, due_at = NULL, \
                 refusal = excluded.refusal",
                (event.0.as_bytes(), position.0, &refusal),
            )
        };
        self.file.write(refuse).await.map(drop).map_err(Error::unavailable)
    }

    pub(super) fn due_mails(&self, now: Time) -> Result<Vec<DeferredMail>, Error> {
        let found = self.file.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT event, position, attempts FROM mail WHERE due_at <= ?1 \
                     ORDER BY due_at LIMIT ?2",
                )?
                .query_map((now.millis(), DUE_MAILS), |row| {
                    Ok(DeferredMail {
                        event: EventId(Uuid::from_bytes(row.get(0)?)),
                        position: Position(row.get(1)?),
                        attempts: row.get(2)?,
                    })
                })?
                .collect()
        });
        found.map_err(Error::unavailable)
    }

    pub(super) fn waiting_mails(&self) -> Result<u64, Error> {
        let count = self.file.read(|connection| {
            connection
                .prepare_cached("SELECT count(*) FROM mail WHERE due_at IS NOT NULL")?
                .query_row([], |row| row.get(0))
        });
        count.map_err(Error::unavailable)
    }

    pub(super) async fn mail_is_done(&self, event: EventId) -> Result<(), Error> {
        let remove = move |connection: &mut rusqlite::Connection| {
            connection.execute("DELETE FROM mail WHERE event = ?1", [event.0.as_bytes()])
        };
        self.file.write(remove).await.map(drop).map_err(Error::unavailable)
    }
}
