//! Operational state in the schema `state`.

use events::id::{AccountId, CommandId, EventId, SessionId, TokenId};
use events::recorded::{BodyMac, Position};
use events::stream::Stream;
use events::time::Time;
use sqlx::PgPool;
use uuid::Uuid;

use super::{DUE_MAILS, DeferredMail, Error, KeptActivity};
use crate::fold::Told;

mod connection;
mod packet;

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

    pub(super) async fn known_body(&self, command: CommandId) -> Result<Option<BodyMac>, Error> {
        let found: Option<[u8; 32]> =
            sqlx::query_scalar("SELECT mac FROM state.command_body WHERE command = $1")
                .bind(command.0)
                .fetch_optional(&self.pool)
                .await
                .map_err(Error::unavailable)?;
        Ok(found.map(BodyMac))
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

    pub(super) async fn cursor(&self, name: &str) -> Result<Position, Error> {
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

    pub(super) async fn move_cursor(&self, name: &str, to: Position) -> Result<(), Error> {
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

    pub(super) async fn keep_activity(&self, activity: Vec<KeptActivity>) -> Result<(), Error> {
        let mut transaction = self.pool.begin().await.map_err(Error::unavailable)?;
        for KeptActivity { session, account, used_at, device, ip_address } in activity {
            sqlx::query(
                "INSERT INTO state.session_activity AS kept \
                 (session, account, used_at, device, ip_address) \
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (session) DO UPDATE SET \
                 used_at = excluded.used_at, device = excluded.device, \
                 ip_address = excluded.ip_address WHERE kept.used_at <= excluded.used_at",
            )
            .bind(session.0)
            .bind(account.0)
            .bind(used_at.millis())
            .bind(device)
            .bind(ip_address)
            .execute(&mut *transaction)
            .await
            .map_err(Error::unavailable)?;
        }
        transaction.commit().await.map_err(Error::unavailable)
    }

    pub(super) async fn activity_of(
        &self,
        accounts: &[AccountId],
    ) -> Result<Vec<KeptActivity>, Error> {
        type Row = (Uuid, Uuid, i64, Option<Vec<u8>>, Option<Vec<u8>>);
        let accounts: Vec<Uuid> = accounts.iter().map(|account| account.0).collect();
        let found: Vec<Row> = sqlx::query_as(
            "SELECT session, account, used_at, device, ip_address FROM state.session_activity \
             WHERE account = ANY($1)",
        )
        .bind(accounts)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::unavailable)?;
        let kept = |(session, account, used_at, device, ip_address)| KeptActivity {
            session: SessionId(session),
            account: AccountId(account),
            used_at: Time::from_millis(used_at),
            device,
            ip_address,
        };
        Ok(found.into_iter().map(kept).collect())
    }

    pub(super) async fn forget_activity(&self, before: Time) -> Result<(), Error> {
        sqlx::query("DELETE FROM state.session_activity WHERE used_at < $1")
            .bind(before.millis())
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(Error::unavailable)
    }

    pub(super) async fn keep_token_uses(&self, uses: &[(TokenId, Time)]) -> Result<(), Error> {
        let tokens: Vec<Uuid> = uses.iter().map(|(token, _)| token.0).collect();
        let times: Vec<i64> = uses.iter().map(|(_, used_at)| used_at.millis()).collect();
        sqlx::query(
            "INSERT INTO state.token_use AS kept (token, used_at) \
             SELECT * FROM unnest($1::uuid[], $2::bigint[]) ON CONFLICT (token) DO UPDATE SET \
             used_at = greatest(kept.used_at, excluded.used_at)",
        )
        .bind(tokens)
        .bind(times)
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(Error::unavailable)
    }

    pub(super) async fn token_uses(
        &self,
        tokens: &[TokenId],
    ) -> Result<Vec<(TokenId, Time)>, Error> {
        let tokens: Vec<Uuid> = tokens.iter().map(|token| token.0).collect();
        let found: Vec<(Uuid, i64)> =
            sqlx::query_as("SELECT token, used_at FROM state.token_use WHERE token = ANY($1)")
                .bind(tokens)
                .fetch_all(&self.pool)
                .await
                .map_err(Error::unavailable)?;
        let read = |(token, millis)| (TokenId(token), Time::from_millis(millis));
        Ok(found.into_iter().map(read).collect())
    }

    pub(super) async fn forget_activity_of(&self, account: AccountId) -> Result<(), Error> {
        sqlx::query("DELETE FROM state.session_activity WHERE account = $1")
            .bind(account.0)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(Error::unavailable)
    }

    pub(super) async fn defer_mail(&self, mail: DeferredMail, due_at: Time) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO state.mail (event, position, attempts, due_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (event) DO UPDATE SET attempts = excluded.attempts, \
             due_at = excluded.due_at",
        )
        .bind(mail.event.0)
        .bind(mail.position.0.cast_signed())
        .bind(i64::from(mail.attempts))
        .bind(due_at.millis())
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(Error::unavailable)
    }

    pub(super) async fn refuse_mail(
        &self,
        event: EventId,
        position: Position,
        refusal: &str,
    ) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO state.mail AS mail (event, position, attempts, refusal) \
             VALUES ($1, $2, 1, $3) ON CONFLICT (event) DO UPDATE SET \
             attempts = mail.attempts + 1, due_at = NULL, refusal = excluded.refusal",
        )
        .bind(event.0)
        .bind(position.0.cast_signed())
        .bind(refusal)
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(Error::unavailable)
    }

    pub(super) async fn due_mails(&self, now: Time) -> Result<Vec<DeferredMail>, Error> {
        let found: Vec<(Uuid, i64, i64)> = sqlx::query_as(
            "SELECT event, position, attempts FROM state.mail WHERE due_at <= $1 \
             ORDER BY due_at LIMIT $2",
        )
        .bind(now.millis())
        .bind(i64::from(DUE_MAILS))
        .fetch_all(&self.pool)
        .await
        .map_err(Error::unavailable)?;
        let deferred = |(event, position, attempts): (Uuid, i64, i64)| DeferredMail {
            event: EventId(event),
            position: Position(position.cast_unsigned()),
            attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        };
        Ok(found.into_iter().map(deferred).collect())
    }

    pub(super) async fn waiting_mails(&self) -> Result<u64, Error> {
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM state.mail WHERE due_at IS NOT NULL")
                .fetch_one(&self.pool)
                .await
                .map_err(Error::unavailable)?;
        Ok(count.cast_unsigned())
    }

    pub(super) async fn mail_is_done(&self, event: EventId) -> Result<(), Error> {
        sqlx::query("DELETE FROM state.mail WHERE event = $1")
            .bind(event.0)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(Error::unavailable)
    }
}
