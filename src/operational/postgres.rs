//! Operational state in the schema `state`.

use events::id::CommandId;
use events::recorded::{BodyMac, Position};
use sqlx::PgPool;

use super::Error;

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

    pub(super) async fn cursor(&self, name: &'static str) -> Result<Position, Error> {
        let found: Option<i64> =
            sqlx::query_scalar("SELECT position FROM state.cursor WHERE name = $1")
                .bind(name)
                .fetch_optional(&self.pool)
                .await
                .map_err(Error::unavailable)?;
        Ok(Position(found.map_or(0, i64::cast_unsigned)))
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
