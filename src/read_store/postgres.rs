//! Read models in the schema `read`. Leases run by the database's clock, so that no node's own
//! clock matters.

use std::collections::HashMap;
use std::time::Duration;

use events::chain::Link;
use events::recorded::Position;
use projections::{Key, Written};
use sqlx::postgres::PgListener;
use sqlx::{PgConnection, PgPool, Row as _};
use uuid::Uuid;

use super::audit_entries::{Slice, Wanted};
use super::{Advance, Error, LEASE, Lease, ModelRows, Progress, Row, Status, is_audit_trail};
use crate::fail_point;
use crate::postgres_database::BEGIN;

mod audit_entries;

const CHANNEL: &str = "chancery_read";
/// Notifications are hints; this often the store is asked anyway.
const POLL: Duration = Duration::from_millis(500);
const POLL_WITHOUT_LISTENER: Duration = Duration::from_millis(50);

pub(super) struct Rows {
    pool: PgPool,
}

impl Rows {
    pub(super) async fn open(pool: PgPool, log_id: Uuid) -> Result<Self, Error> {
        sqlx::query(
            "INSERT INTO read.projector (one, position, log_id, epoch, lease_until) \
             VALUES (true, 0, $1, 0, '-infinity') ON CONFLICT DO NOTHING",
        )
        .bind(log_id)
        .execute(&pool)
        .await
        .map_err(Error::unavailable)?;
        let found: Uuid = sqlx::query_scalar("SELECT log_id FROM read.projector")
            .fetch_one(&pool)
            .await
            .map_err(Error::unavailable)?;
        if found != log_id {
            return Err(Error::OtherLog);
        }
        Ok(Self { pool })
    }

    /// The same for who only reads.
    pub(super) fn to_read(pool: PgPool) -> Self {
        Self { pool }
    }

    pub(super) async fn lease(&self, owner: &str) -> Result<Option<Lease>, Error> {
        let taken = sqlx::query(
            "UPDATE read.projector SET epoch = epoch + 1, owner = $1, \
             lease_until = clock_timestamp() + make_interval(secs => $2) \
             WHERE owner = $1 OR lease_until < clock_timestamp() \
             RETURNING epoch, position, anchor",
        )
        .bind(owner)
        .bind(LEASE.as_secs_f64())
        .fetch_optional(&self.pool)
        .await
        .map_err(Error::unavailable)?;
        Ok(taken.map(|row| Lease {
            epoch: row.get(0),
            position: position(row.get(1)),
            anchor: row.get::<Option<[u8; 32]>, _>(2).map(Link::from),
        }))
    }

    pub(super) async fn renew(&self, owner: &str, epoch: i64) -> Result<bool, Error> {
        let renewed = sqlx::query(
            "UPDATE read.projector SET lease_until = clock_timestamp() + make_interval(secs => $3) \
             WHERE owner = $1 AND epoch = $2",
        )
        .bind(owner)
        .bind(epoch)
        .bind(LEASE.as_secs_f64())
        .execute(&self.pool)
        .await
        .map_err(Error::unavailable)?;
        Ok(renewed.rows_affected() > 0)
    }

    pub(super) async fn release(&self, owner: &str) -> Result<(), Error> {
        sqlx::query("UPDATE read.projector SET lease_until = '-infinity' WHERE owner = $1")
            .bind(owner)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(Error::unavailable)
    }

    pub(super) async fn advance(&self, advance: Advance) -> Result<bool, Error> {
        self.apply(advance).await.map_err(Error::unavailable)
    }

    async fn apply(&self, advance: Advance) -> Result<bool, sqlx::Error> {
        let mut transaction = self.pool.begin_with(BEGIN).await?;
        let moved = sqlx::query(
            "UPDATE read.projector SET position = $1, anchor = COALESCE($2, anchor) \
             WHERE epoch = $3 AND position = $4",
        )
        .bind(advance.to.0.cast_signed())
        .bind(advance.anchor.map(|link| *link.as_bytes()))
        .bind(advance.epoch)
        .bind(advance.from.0.cast_signed())
        .execute(&mut *transaction)
        .await?;
        if moved.rows_affected() == 0 {
            return Ok(false);
        }
        fail_point::reached("read.advanced");
        if advance.cleared.iter().any(|model| is_audit_trail(model)) {
            audit_entries::clear().execute(&mut *transaction).await?;
        }
        if !advance.cleared.is_empty() {
            sqlx::query("DELETE FROM read.row WHERE model = ANY($1)")
                .bind(&advance.cleared)
                .execute(&mut *transaction)
                .await?;
        }
        write_rows(&mut transaction, &advance.writes).await?;
        for progress in &advance.progress {
            sqlx::query(
                "INSERT INTO read.read_model (name, version, status, position, error) \
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO UPDATE SET \
                 version = excluded.version, status = excluded.status, \
                 position = excluded.position, error = excluded.error",
            )
            .bind(&progress.name)
            .bind(i64::from(progress.version))
            .bind(progress.status.as_str())
            .bind(progress.position.0.cast_signed())
            .bind(&progress.error)
            .execute(&mut *transaction)
            .await?;
        }
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(advance.to.to_string())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    pub(super) async fn progress(&self) -> Result<Vec<Progress>, Error> {
        let rows = sqlx::query(
            "SELECT name, version, status, position, error FROM read.read_model ORDER BY name",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(Error::unavailable)?;
        let progress = |row: &sqlx::postgres::PgRow| Progress {
            name: row.get(0),
            version: u32::try_from(row.get::<i64, _>(1)).unwrap_or_default(),
            status: Status::parse(row.get(2)),
            position: position(row.get(3)),
            error: row.get(4),
        };
        Ok(rows.iter().map(progress).collect())
    }

    pub(super) async fn is_live(&self, model: &'static str) -> Result<bool, Error> {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM read.read_model WHERE name = $1 AND status = 'live')",
        )
        .bind(model)
        .fetch_one(&self.pool)
        .await
        .map_err(Error::unavailable)
    }

    pub(super) async fn rows(
        &self,
        model: &'static str,
        keys: &[Key],
    ) -> Result<HashMap<Key, String>, Error> {
        let (scopes, ids): (Vec<&str>, Vec<&str>) =
            keys.iter().map(|key| (key.scope.as_str(), key.id.as_str())).unzip();
        if is_audit_trail(model) {
            return audit_entries::rows(&self.pool, scopes, ids).await.map_err(Error::unavailable);
        }
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT scope, id, body FROM read.row JOIN unnest($2::text[], $3::text[]) \
             AS wanted (scope, id) USING (scope, id) WHERE model = $1",
        )
        .bind(model)
        .bind(scopes)
        .bind(ids)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::unavailable)?;
        Ok(rows.into_iter().map(|(scope, id, body)| (Key { scope, id }, body)).collect())
    }

    pub(super) async fn page(
        &self,
        model: &'static str,
        scope: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT sort, body FROM read.row WHERE model = $1 AND scope = $2 AND sort > $3 \
             ORDER BY sort LIMIT $4",
        )
        .bind(model)
        .bind(scope)
        .bind(after)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(Error::unavailable)?;
        Ok(rows.into_iter().map(|(sort, body)| Row { sort, body }).collect())
    }

    pub(super) async fn at(
        &self,
        model: &'static str,
        scope: &str,
        sort: &str,
    ) -> Result<Option<String>, Error> {
        sqlx::query_scalar(
            "SELECT body FROM read.row WHERE model = $1 AND scope = $2 AND sort = $3",
        )
        .bind(model)
        .bind(scope)
        .bind(sort)
        .fetch_optional(&self.pool)
        .await
        .map_err(Error::unavailable)
    }

    pub(super) async fn all_rows(
        &self,
        model: &'static str,
        after: &Key,
        limit: usize,
    ) -> Result<Vec<Written>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        if is_audit_trail(model) {
            let rows = audit_entries::all_rows(&self.pool, after, limit).await;
            return rows.map_err(Error::unavailable);
        }
        let rows: Vec<(String, String, String, String)> = sqlx::query_as(
            "SELECT scope, id, sort, body FROM read.row WHERE model = $1 \
             AND (scope, id) > ($2, $3) ORDER BY scope, id LIMIT $4",
        )
        .bind(model)
        .bind(&after.scope)
        .bind(&after.id)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::unavailable)?;
        let written = |(scope, id, sort, body)| Written {
            key: Key { scope, id },
            sort,
            body: Some(body),
            columns: None,
        };
        Ok(rows.into_iter().map(written).collect())
    }

    pub(super) async fn audit_entries(
        &self,
        wanted: &Wanted<'_>,
        slice: Slice,
    ) -> Result<Vec<String>, Error> {
        audit_entries::page(&self.pool, wanted, slice).await.map_err(Error::unavailable)
    }

    pub(super) async fn count_audit_entries(&self, wanted: &Wanted<'_>) -> Result<u64, Error> {
        audit_entries::count(&self.pool, wanted).await.map_err(Error::unavailable)
    }

    pub(super) async fn newest_audit_entry(
        &self,
        organization: &str,
    ) -> Result<Option<u64>, Error> {
        audit_entries::newest(&self.pool, organization).await.map_err(Error::unavailable)
    }

    pub(super) async fn position(&self) -> Result<Position, Error> {
        sqlx::query_scalar("SELECT position FROM read.projector")
            .fetch_one(&self.pool)
            .await
            .map(position)
            .map_err(Error::unavailable)
    }

    /// Tells where the read models stand: when another node says so, and now and then anyway.
    pub(super) async fn watch(&self, saw: impl Fn(Position)) {
        loop {
            let Ok(mut listener) = PgListener::connect_with(&self.pool).await else {
                self.poll(&saw, POLL_WITHOUT_LISTENER).await;
                continue;
            };
            if listener.listen(CHANNEL).await.is_err() {
                self.poll(&saw, POLL_WITHOUT_LISTENER).await;
                continue;
            }
            loop {
                match tokio::time::timeout(POLL, listener.try_recv()).await {
                    Ok(Ok(Some(notification))) => match notification.payload().parse() {
                        Ok(number) => saw(Position(number)),
                        Err(_) => self.poll(&saw, Duration::ZERO).await,
                    },
                    // quiet for a while, or the connection was lost with whatever was said on it
                    Err(_) | Ok(Ok(None)) => self.poll(&saw, Duration::ZERO).await,
                    Ok(Err(_)) => break,
                }
            }
        }
    }

    async fn poll(&self, saw: &impl Fn(Position), pause: Duration) {
        tokio::time::sleep(pause).await;
        match self.position().await {
            Ok(position) => saw(position),
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}

async fn write_rows(
    connection: &mut PgConnection,
    writes: &[ModelRows],
) -> Result<(), sqlx::Error> {
    for entries in writes.iter().filter(|model| is_audit_trail(model.model)) {
        audit_entries::write(connection, &entries.rows).await?;
    }
    let all = || {
        let others = writes.iter().filter(|model| !is_audit_trail(model.model));
        others.flat_map(|model| model.rows.iter().map(move |row| (model.model, row)))
    };
    let mut put = Columns::default();
    let mut removed = Columns::default();
    let mut ended = Columns::default();
    for (model, written) in all() {
        let Written { key, sort, body, columns: _ } = written;
        let columns = match body {
            Some(_) => &mut put,
            None if written.ends_scope() || written.ends_before() => &mut ended,
            None => &mut removed,
        };
        columns.models.push(model);
        columns.scopes.push(&key.scope);
        columns.ids.push(&key.id);
        columns.sorts.push(sort);
        columns.bodies.extend(body.as_deref());
    }
    // before the rows that are put: those of the same scope are new ones
    if !ended.models.is_empty() {
        sqlx::query(
            "DELETE FROM read.row USING unnest($1::text[], $2::text[], $3::text[]) \
             AS gone (model, scope, sort) WHERE row.model = gone.model \
             AND row.scope = gone.scope AND (gone.sort = '' OR row.sort < gone.sort)",
        )
        .bind(&ended.models)
        .bind(&ended.scopes)
        .bind(&ended.sorts)
        .execute(&mut *connection)
        .await?;
    }
    if !put.models.is_empty() {
        sqlx::query(
            "INSERT INTO read.row (model, scope, id, sort, body) \
             SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) \
             ON CONFLICT (model, scope, id) DO UPDATE SET sort = excluded.sort, body = excluded.body",
        )
        .bind(&put.models)
        .bind(&put.scopes)
        .bind(&put.ids)
        .bind(&put.sorts)
        .bind(&put.bodies)
        .execute(&mut *connection)
        .await?;
    }
    if !removed.models.is_empty() {
        sqlx::query(
            "DELETE FROM read.row USING unnest($1::text[], $2::text[], $3::text[]) \
             AS gone (model, scope, id) \
             WHERE row.model = gone.model AND row.scope = gone.scope AND row.id = gone.id",
        )
        .bind(&removed.models)
        .bind(&removed.scopes)
        .bind(&removed.ids)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

#[derive(Default)]
struct Columns<'a> {
    models: Vec<&'a str>,
    scopes: Vec<&'a str>,
    ids: Vec<&'a str>,
    sorts: Vec<&'a str>,
    bodies: Vec<&'a str>,
}

fn position(number: i64) -> Position {
    Position(number.cast_unsigned())
}
