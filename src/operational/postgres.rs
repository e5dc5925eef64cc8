//! Operational state in the schema `state`.

use events::id::CommandId;
use events::recorded::{BodyMac, Position};
use events::stream::Stream;
use sqlx::PgPool;

use super::Error;
use crate::fold::Told;

pub(crate) struct State {
    pool: PgPool,
}

impl State {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    pub(super) async fn first_body(
        &self,
        command: CommandId,
        body: BodyMac,
    ) -> Result<BodyMac, Error> {
        sqlx::query(
            "INSERT INTO state.command_body (command, mac) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(command.0)
        .bind(body.0)
        .execute(&self.pool)
        .await
        .map_err(Error::unavailable)?;
        sqlx::query_scalar("SELECT mac FROM state.command_body WHERE command = $1")
            .bind(command.0)
            .fetch_one(&self.pool)
            .await
            .map(BodyMac)
            .map_err(Error::unavailable)
    }

    pub(super) async fn remember_unchanged(
        &self,
        command: CommandId,
        stream: &Stream,
        told: Told,
    ) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO state.unchanged (command, stream, mac, version, position) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(command.0)
        .bind(stream.to_string())
        .bind(told.body.0)
        .bind(told.version.cast_signed())
        .bind(told.position.0.cast_signed())
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(Error::unavailable)
    }

    pub(super) async fn unchanged(
        &self,
        command: CommandId,
        stream: &Stream,
    ) -> Result<Option<Told>, Error> {
        let found: Option<(i64, i64, [u8; 32])> = sqlx::query_as(
            "SELECT version, position, mac FROM state.unchanged \
             WHERE command = $1 AND stream = $2",
        )
        .bind(command.0)
        .bind(stream.to_string())
        .fetch_optional(&self.pool)
        .await
        .map_err(Error::unavailable)?;
        Ok(found.map(|(version, position, mac)| Told {
            version: version.cast_unsigned(),
            position: Position(position.cast_unsigned()),
            body: BodyMac(mac),
        }))
    }

    pub(super) async fn cursor(&self, name: &'static str) -> Result<Position, Error> {
        let found: Option<i64> =
            sqlx::query_scalar("SELECT position FROM state.cursor WHERE name = $1")
                .bind(name)
                .fetch_optional(&self.pool)
                .await
                .map_err(Error::unavailable)?;
        Ok(Position(found.map_or(0, i64::cast_unsigned)))
    }

    pub(super) async fn clock_ahead(&self) -> Result<i64, Error> {
        let found: Option<i64> = sqlx::query_scalar("SELECT ahead FROM state.clock")
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::unavailable)?;
        Ok(found.unwrap_or(0))
    }

    pub(super) async fn move_clock(&self, ahead: i64) -> Result<i64, Error> {
        sqlx::query_scalar(
            "INSERT INTO state.clock (one, ahead) VALUES (true, $1) ON CONFLICT (one) \
             DO UPDATE SET ahead = greatest(clock.ahead, excluded.ahead) RETURNING ahead",
        )
        .bind(ahead)
        .fetch_one(&self.pool)
        .await
        .map_err(Error::unavailable)
    }

    pub(super) async fn move_cursor(&self, name: &'static str, to: Position) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO state.cursor (name, position) VALUES ($1, $2) ON CONFLICT (name) \
             DO UPDATE SET position = greatest(cursor.position, excluded.position)",
        )
        .bind(name)
        .bind(to.0.cast_signed())
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(Error::unavailable)
    }
}
