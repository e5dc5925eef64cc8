//! Leases on connections.

use events::connection::{End, Held, LIVES, next_hour};
use events::id::{CommandId, ConnectionId, DatabaseId, OrganizationId, ProjectId};
use events::recorded::BodyMac;
use events::time::Time;
use sqlx::PgConnection;
use uuid::Uuid;

use super::State;
use crate::operational::connection::{
    AT_ONCE, EndedLease, Ends, KEPT, Lease, Released, Renewed, Taken, Untold, Wanted, millis,
    reason,
};
use crate::postgres_database::BEGIN;

/// Of all locks, the kind that is for organizations whose connections are counted.
const COUNTING: i32 = i32::from_be_bytes(*b"conn");

/// The database's own time in milliseconds. As a query of its own it is asked once in a statement.
macro_rules! now {
    () => {
        "(SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint)"
    };
}

macro_rules! lease {
    () => {
        "lease, database, project, began_at, expires_at"
    };
}

type Row = (Uuid, Uuid, Option<Uuid>, i64, i64);

fn held(lease: Uuid, database: Uuid, project: Option<Uuid>, began_at: i64) -> Held {
    Held {
        lease: ConnectionId(lease),
        database: DatabaseId(database),
        project: project.map(ProjectId),
        began_at: Time::from_millis(began_at),
    }
}

fn lease((id, database, project, began_at, expires_at): Row) -> Lease {
    let held = held(id, database, project, began_at);
    Lease { held, expires_at: Time::from_millis(expires_at) }
}

impl State {
    pub(in crate::operational) async fn take_lease(
        &self,
        wanted: Wanted,
    ) -> Result<Taken, sqlx::Error> {
        let Wanted { lease: id, organization, database, project, .. } = wanted;
        let mut transaction = self.pool.begin_with(BEGIN).await?;
        // two organizations with the same half wait for each other, which is harmless
        let [a, b, c, d, ..] = *organization.0.as_bytes();
        sqlx::query("SELECT pg_advisory_xact_lock($1, $2)")
            .bind(COUNTING)
            .bind(i32::from_be_bytes([a, b, c, d]))
            .execute(&mut *transaction)
            .await?;
        if let Some((lease, body)) = known(&mut transaction, id).await? {
            return Ok(Taken::Before(lease, body));
        }
        let now = now(&mut transaction).await?;
        if let Some(limit) = wanted.limit {
            let living = living(&mut transaction, organization, now).await?;
            if living >= limit {
                return Ok(Taken::Full(living));
            }
        }
        let (began_at, expires_at) = (Time::from_millis(now), now + millis(LIVES));
        sqlx::query(
            "INSERT INTO state.connection_lease (lease, organization, database, project, \
             allowed_version, mac, began_at, expires_at, told_until, untold_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7, $9)",
        )
        .bind(id.0)
        .bind(organization.0)
        .bind(database.0)
        .bind(project.map(|project| project.0))
        .bind(wanted.allowed_version.cast_signed())
        .bind(wanted.body.0)
        .bind(now)
        .bind(expires_at)
        .bind(next_hour(began_at).millis())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        let held = Held { lease: id, database, project, began_at };
        Ok(Taken::Now(Lease { held, expires_at: Time::from_millis(expires_at) }))
    }

    pub(in crate::operational) async fn drop_lease(
        &self,
        id: ConnectionId,
    ) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM state.connection_lease WHERE lease = $1 AND sequence IS NULL")
            .bind(id.0)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    pub(in crate::operational) async fn known_lease(
        &self,
        id: ConnectionId,
    ) -> Result<Option<(Lease, BodyMac)>, sqlx::Error> {
        known(&mut *self.pool.acquire().await?, id).await
    }

    pub(in crate::operational) async fn living_lease(
        &self,
        organization: OrganizationId,
        id: ConnectionId,
    ) -> Result<Option<Lease>, sqlx::Error> {
        let found: Option<Row> = sqlx::query_as(concat!(
            "SELECT ",
            lease!(),
            " FROM state.connection_lease WHERE lease = $1 AND organization = $2 \
             AND sequence IS NULL AND expires_at > ",
            now!()
        ))
        .bind(id.0)
        .bind(organization.0)
        .fetch_optional(&self.pool)
        .await?;
        Ok(found.map(lease))
    }

    pub(in crate::operational) async fn renew_lease(
        &self,
        id: ConnectionId,
        by: CommandId,
    ) -> Result<Option<Renewed>, sqlx::Error> {
        let mut transaction = self.pool.begin_with(BEGIN).await?;
        let before: Option<(Option<Uuid>,)> = sqlx::query_as(concat!(
            "SELECT renewed_by FROM state.connection_lease \
             WHERE lease = $1 AND sequence IS NULL AND expires_at > ",
            now!(),
            " FOR UPDATE"
        ))
        .bind(id.0)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some((renewed_by,)) = before else { return Ok(None) };
        let is_replayed = renewed_by == Some(by.0);
        let renew = if is_replayed {
            concat!("SELECT ", lease!(), " FROM state.connection_lease WHERE lease = $1")
        } else {
            concat!(
                "UPDATE state.connection_lease SET renewed_by = $2, \
                 expires_at = greatest(expires_at, $3 + ",
                now!(),
                ") WHERE lease = $1 RETURNING ",
                lease!()
            )
        };
        let mut renew = sqlx::query_as::<_, Row>(renew).bind(id.0);
        if !is_replayed {
            renew = renew.bind(by.0).bind(millis(LIVES));
        }
        let renewed = renew.fetch_one(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Some(Renewed { lease: lease(renewed), is_replayed }))
    }

    pub(in crate::operational) async fn release_lease(
        &self,
        organization: OrganizationId,
        id: ConnectionId,
        by: CommandId,
    ) -> Result<Released, sqlx::Error> {
        let mut transaction = self.pool.begin_with(BEGIN).await?;
        let found: Option<(i64, bool, Option<Uuid>)> = sqlx::query_as(
            "SELECT expires_at, sequence IS NOT NULL, released_by FROM state.connection_lease \
             WHERE lease = $1 AND organization = $2 FOR UPDATE",
        )
        .bind(id.0)
        .bind(organization.0)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some((expires_at, has_ended, released_by)) = found else {
            return Ok(Released::NotFound);
        };
        if has_ended {
            let is_ours = released_by == Some(by.0);
            return Ok(if is_ours { Released::Before } else { Released::NotFound });
        }
        let now = now(&mut transaction).await?;
        if expires_at <= now {
            return Ok(Released::NotFound);
        }
        end(&mut transaction, &[id.0], End::Released, Some(by), now).await?;
        transaction.commit().await?;
        Ok(Released::Now)
    }

    pub(in crate::operational) async fn living_leases(
        &self,
        organization: OrganizationId,
        behind: Option<(Time, ConnectionId)>,
        most: usize,
    ) -> Result<Vec<Lease>, sqlx::Error> {
        let (began_at, id) = behind.map_or((i64::MAX, Uuid::max()), |(at, id)| (at.millis(), id.0));
        let found: Vec<Row> = sqlx::query_as(concat!(
            "SELECT ",
            lease!(),
            " FROM state.connection_lease WHERE organization = $1 AND sequence IS NULL \
             AND (began_at, lease) < ($2, $3) AND expires_at > ",
            now!(),
            " ORDER BY began_at DESC, lease DESC LIMIT $4"
        ))
        .bind(organization.0)
        .bind(began_at)
        .bind(id)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?;
        Ok(found.into_iter().map(lease).collect())
    }

    pub(in crate::operational) async fn count_leases(
        &self,
        organization: OrganizationId,
    ) -> Result<u64, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let now = now(&mut connection).await?;
        living(&mut connection, organization, now).await
    }

    pub(in crate::operational) async fn end_leases(
        &self,
        organization: OrganizationId,
        database: Option<DatabaseId>,
        before: u64,
        reason: End,
    ) -> Result<bool, sqlx::Error> {
        let mut transaction = self.pool.begin_with(BEGIN).await?;
        let ending: Vec<Uuid> = sqlx::query_scalar(
            "SELECT lease FROM state.connection_lease WHERE organization = $1 \
             AND sequence IS NULL AND ($2::uuid IS NULL OR database = $2) \
             AND allowed_version < $3 ORDER BY began_at, lease LIMIT $4 FOR UPDATE",
        )
        .bind(organization.0)
        .bind(database.map(|database| database.0))
        .bind(before.cast_signed())
        .bind(i64::from(AT_ONCE))
        .fetch_all(&mut *transaction)
        .await?;
        let now = now(&mut transaction).await?;
        end(&mut transaction, &ending, reason, None, now).await?;
        transaction.commit().await?;
        Ok(ending.len() >= AT_ONCE as usize)
    }

    pub(in crate::operational) async fn expire_leases(&self) -> Result<bool, sqlx::Error> {
        let mut transaction = self.pool.begin_with(BEGIN).await?;
        let now = now(&mut transaction).await?;
        let ending: Vec<Uuid> = sqlx::query_scalar(
            "SELECT lease FROM state.connection_lease WHERE sequence IS NULL \
             AND expires_at <= $1 ORDER BY expires_at, lease LIMIT $2 FOR UPDATE SKIP LOCKED",
        )
        .bind(now)
        .bind(i64::from(AT_ONCE))
        .fetch_all(&mut *transaction)
        .await?;
        if ending.is_empty() {
            return Ok(false);
        }
        end(&mut transaction, &ending, End::Expired, None, now).await?;
        transaction.commit().await?;
        Ok(ending.len() >= AT_ONCE as usize)
    }

    pub(in crate::operational) async fn untold_leases(&self) -> Result<Vec<Untold>, sqlx::Error> {
        type Row = (Uuid, Uuid, Option<Uuid>, i64, Uuid, i64, i64, bool);
        let found: Vec<Row> = sqlx::query_as(concat!(
            "SELECT lease, database, project, began_at, organization, told_until, \
             coalesce(ended_at, least(expires_at, now)), sequence IS NOT NULL \
             FROM state.connection_lease, ",
            now!(),
            " AS moment (now) WHERE untold_at <= now ORDER BY untold_at LIMIT $1"
        ))
        .bind(i64::from(AT_ONCE))
        .fetch_all(&self.pool)
        .await?;
        let untold = |row: Row| {
            let (lease, database, project, began_at, organization, told_until, until, has_ended) =
                row;
            Untold {
                organization: OrganizationId(organization),
                held: held(lease, database, project, began_at),
                told_until: Time::from_millis(told_until),
                until: Time::from_millis(until),
                has_ended,
            }
        };
        Ok(found.into_iter().map(untold).collect())
    }

    pub(in crate::operational) async fn leases_are_told(
        &self,
        told: Vec<(ConnectionId, Time)>,
    ) -> Result<(), sqlx::Error> {
        let leases: Vec<Uuid> = told.iter().map(|(lease, _)| lease.0).collect();
        let until: Vec<i64> = told.iter().map(|(_, until)| until.millis()).collect();
        let next: Vec<i64> = told.iter().map(|(_, until)| next_hour(*until).millis()).collect();
        sqlx::query(
            "UPDATE state.connection_lease AS lease SET \
             told_until = greatest(lease.told_until, told.until), \
             untold_at = CASE WHEN lease.sequence IS NULL THEN told.next \
             WHEN lease.ended_at <= told.until THEN NULL ELSE lease.ended_at END \
             FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS told (id, until, next) \
             WHERE lease.lease = told.id",
        )
        .bind(leases)
        .bind(until)
        .bind(next)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    pub(in crate::operational) async fn forget_leases(&self) -> Result<bool, sqlx::Error> {
        let found: Vec<(i64, bool)> = sqlx::query_as(concat!(
            "SELECT sequence, untold_at IS NULL AND ended_at < now - $1 \
             FROM state.connection_lease, ",
            now!(),
            " AS moment (now) WHERE sequence IS NOT NULL ORDER BY sequence LIMIT $2"
        ))
        .bind(millis(KEPT))
        .bind(i64::from(AT_ONCE))
        .fetch_all(&self.pool)
        .await?;
        // only the oldest: what stays has no gap
        let old = found.iter().take_while(|(_, is_old)| *is_old);
        let Some((sequence, _)) = old.clone().last() else { return Ok(false) };
        let mut transaction = self.pool.begin_with(BEGIN).await?;
        sqlx::query("UPDATE state.connection_end SET forgotten = greatest(forgotten, $1)")
            .bind(sequence)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM state.connection_lease WHERE sequence <= $1")
            .bind(sequence)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(old.count() >= AT_ONCE as usize)
    }

    pub(in crate::operational) async fn lease_ends(&self) -> Result<Ends, sqlx::Error> {
        let (last, forgotten): (i64, i64) =
            sqlx::query_as("SELECT last, forgotten FROM state.connection_end")
                .fetch_one(&self.pool)
                .await?;
        Ok(Ends { last: last.cast_unsigned(), forgotten: forgotten.cast_unsigned() })
    }

    pub(in crate::operational) async fn ended_leases(
        &self,
        behind: u64,
    ) -> Result<Vec<EndedLease>, sqlx::Error> {
        type Row = (i64, Uuid, Uuid, Uuid, String, i64);
        let found: Vec<Row> = sqlx::query_as(
            "SELECT sequence, lease, organization, database, reason, ended_at \
             FROM state.connection_lease WHERE sequence > $1 ORDER BY sequence LIMIT $2",
        )
        .bind(behind.cast_signed())
        .bind(i64::from(AT_ONCE))
        .fetch_all(&self.pool)
        .await?;
        let ended = |(sequence, lease, organization, database, text, ended_at): Row| {
            Ok(EndedLease {
                sequence: sequence.cast_unsigned(),
                lease: ConnectionId(lease),
                organization: OrganizationId(organization),
                database: DatabaseId(database),
                reason: reason(&text).map_err(|error| sqlx::Error::Decode(error.into()))?,
                ended_at: Time::from_millis(ended_at),
            })
        };
        found.into_iter().map(ended).collect()
    }
}

async fn now(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(concat!("SELECT ", now!())).fetch_one(connection).await
}

async fn known(
    connection: &mut PgConnection,
    id: ConnectionId,
) -> Result<Option<(Lease, BodyMac)>, sqlx::Error> {
    type WithBody = (Uuid, Uuid, Option<Uuid>, i64, i64, [u8; 32]);
    let found: Option<WithBody> = sqlx::query_as(concat!(
        "SELECT ",
        lease!(),
        ", mac FROM state.connection_lease WHERE lease = $1"
    ))
    .bind(id.0)
    .fetch_optional(connection)
    .await?;
    Ok(found.map(|(id, database, project, began_at, expires_at, mac)| {
        (lease((id, database, project, began_at, expires_at)), BodyMac(mac))
    }))
}

async fn living(
    connection: &mut PgConnection,
    organization: OrganizationId,
    now: i64,
) -> Result<u64, sqlx::Error> {
    let living: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM state.connection_lease \
         WHERE organization = $1 AND sequence IS NULL AND expires_at > $2",
    )
    .bind(organization.0)
    .bind(now)
    .fetch_one(connection)
    .await?;
    Ok(living.cast_unsigned())
}

/// Ends leases that are locked. Whoever numbers them has the numbers alone until this is committed, so
/// that nobody who reads them sees a hole.
async fn end(
    connection: &mut PgConnection,
    leases: &[Uuid],
    reason: End,
    by: Option<CommandId>,
    now: i64,
) -> Result<(), sqlx::Error> {
    let count = i64::try_from(leases.len()).unwrap_or(i64::MAX);
    let last: i64 =
        sqlx::query_scalar("UPDATE state.connection_end SET last = last + $1 RETURNING last")
            .bind(count)
            .fetch_one(&mut *connection)
            .await?;
    sqlx::query(
        "UPDATE state.connection_lease AS lease SET sequence = $1 + ending.place, \
         ended_at = greatest(told_until, least(expires_at, $2)), \
         untold_at = greatest(told_until, least(expires_at, $2)), released_by = $3, \
         reason = CASE WHEN expires_at <= $2 THEN $4 ELSE $5 END \
         FROM unnest($6::uuid[]) WITH ORDINALITY AS ending (id, place) \
         WHERE lease.lease = ending.id",
    )
    .bind(last - count)
    .bind(now)
    .bind(by.map(|by| by.0))
    .bind(End::Expired.as_str())
    .bind(reason.as_str())
    .bind(leases)
    .execute(connection)
    .await?;
    Ok(())
}
