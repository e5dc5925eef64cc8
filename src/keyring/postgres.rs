//! Wrapped keys in the schema `keyring`.

use events::id::SubjectId;
use sqlx::PgPool;
use uuid::Uuid;

use super::{Error, WrappedKey};
use crate::postgres_database::BEGIN;

pub(crate) struct Keys {
    pool: PgPool,
}

impl Keys {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    pub(super) async fn named_key(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        sqlx::query_scalar("SELECT wrapped FROM keyring.named_key WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::unavailable)
    }

    pub(super) async fn add_named_key(
        &self,
        name: &str,
        wrapped: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        sqlx::query(
            "INSERT INTO keyring.named_key (name, wrapped) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(name)
        .bind(wrapped)
        .execute(&self.pool)
        .await
        .map_err(Error::unavailable)?;
        self.named_key(name).await?.ok_or(Error::WrongMasterKey)
    }

    pub(super) async fn subject_key(&self, subject: SubjectId) -> Result<WrappedKey, Error> {
        let found: Option<Option<Vec<u8>>> =
            sqlx::query_scalar("SELECT wrapped FROM keyring.subject_key WHERE subject = $1")
                .bind(subject.0)
                .fetch_optional(&self.pool)
                .await
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
        add_key(&self.pool, subject, wrapped).await.map_err(Error::unavailable)
    }

    pub(super) async fn destroy(&self, subjects: &[SubjectId], times: u64) -> Result<(), Error> {
        let subjects: Vec<Uuid> = subjects.iter().map(|subject| subject.0).collect();
        let mut transaction = self.pool.begin_with(BEGIN).await.map_err(Error::unavailable)?;
        for statement in [
            "INSERT INTO keyring.subject_key (subject, wrapped) SELECT unnest($1), NULL \
             ON CONFLICT (subject) DO UPDATE SET wrapped = NULL",
            "DELETE FROM keyring.address WHERE subject = ANY ($1)",
        ] {
            let destroy = sqlx::query(statement).bind(&subjects);
            destroy.execute(&mut *transaction).await.map_err(Error::unavailable)?;
        }
        sqlx::query(
            "INSERT INTO keyring.destruction (one, times) VALUES (true, greatest(1, $1)) ON CONFLICT \
             (one) DO UPDATE SET times = greatest(destruction.times + 1, $1)",
        )
        .bind(times.cast_signed())
        .execute(&mut *transaction)
        .await
        .map_err(Error::unavailable)?;
        transaction.commit().await.map_err(Error::unavailable)?;
        // the place of the rows as they were may be used again
        sqlx::query("VACUUM keyring.subject_key, keyring.address")
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(Error::unavailable)
    }

    pub(super) async fn destructions(&self) -> Result<u64, Error> {
        sqlx::query_scalar("SELECT coalesce(max(times), 0) FROM keyring.destruction")
            .fetch_one(&self.pool)
            .await
            .map(i64::cast_unsigned)
            .map_err(Error::unavailable)
    }

    pub(super) async fn subject_of(&self, mac: [u8; 32]) -> Result<Option<SubjectId>, Error> {
        let found: Option<Uuid> =
            sqlx::query_scalar("SELECT subject FROM keyring.address WHERE mac = $1")
                .bind(mac)
                .fetch_optional(&self.pool)
                .await
                .map_err(Error::unavailable)?;
        Ok(found.map(SubjectId))
    }

    pub(super) async fn add_subject(
        &self,
        mac: [u8; 32],
        subject: SubjectId,
        wrapped: Vec<u8>,
    ) -> Result<SubjectId, Error> {
        let mut transaction = self.pool.begin_with(BEGIN).await.map_err(Error::unavailable)?;
        let added = sqlx::query(
            "INSERT INTO keyring.address (mac, subject) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(mac)
        .bind(subject.0)
        .execute(&mut *transaction)
        .await
        .map_err(Error::unavailable)?;
        if added.rows_affected() > 0 {
            add_key(&mut *transaction, subject, wrapped).await.map_err(Error::unavailable)?;
        }
        let kept: Uuid = sqlx::query_scalar("SELECT subject FROM keyring.address WHERE mac = $1")
            .bind(mac)
            .fetch_one(&mut *transaction)
            .await
            .map_err(Error::unavailable)?;
        transaction.commit().await.map_err(Error::unavailable)?;
        Ok(SubjectId(kept))
    }
}

async fn add_key(
    database: impl sqlx::PgExecutor<'_>,
    subject: SubjectId,
    wrapped: Vec<u8>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO keyring.subject_key (subject, wrapped) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(subject.0)
    .bind(wrapped)
    .execute(database)
    .await
    .map(drop)
}
