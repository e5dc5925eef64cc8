//! Leases on connections. There is one writer, so that nobody counts beside another.

use events::connection::{End, Held, LIVES, next_hour};
use events::id::{CommandId, ConnectionId, DatabaseId, OrganizationId, ProjectId};
use events::recorded::BodyMac;
use events::time::Time;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row};
use uuid::Uuid;

use super::State;
use crate::operational::connection::{
    AT_ONCE, EndedLease, Ends, KEPT, Lease, Released, Renewed, Taken, Untold, Wanted, millis,
    reason,
};
use crate::sqlite_file::Error;

macro_rules! lease {
    () => {
        "lease, database, project, began_at, expires_at"
    };
}

fn id(row: &Row<'_>, column: usize) -> Result<Uuid, rusqlite::Error> {
    row.get(column).map(Uuid::from_bytes)
}

fn time(row: &Row<'_>, column: usize) -> Result<Time, rusqlite::Error> {
    row.get(column).map(Time::from_millis)
}

/// From the first four columns.
fn held(row: &Row<'_>) -> Result<Held, rusqlite::Error> {
    let project: Option<[u8; 16]> = row.get(2)?;
    Ok(Held {
        lease: ConnectionId(id(row, 0)?),
        database: DatabaseId(id(row, 1)?),
        project: project.map(|bytes| ProjectId(Uuid::from_bytes(bytes))),
        began_at: time(row, 3)?,
    })
}

fn lease(row: &Row<'_>) -> Result<Lease, rusqlite::Error> {
    Ok(Lease { held: held(row)?, expires_at: time(row, 4)? })
}

impl State {
    pub(in crate::operational) async fn take_lease(&self, wanted: Wanted) -> Result<Taken, Error> {
        let Wanted { lease: id, organization, database, project, .. } = wanted;
        let take = move |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            if let Some((lease, body)) = known(&transaction, id)? {
                return Ok(Taken::Before(lease, body));
            }
            let now = now(&transaction)?;
            if let Some(limit) = wanted.limit {
                let living = living(&transaction, organization, now)?;
                if living >= limit {
                    return Ok(Taken::Full(living));
                }
            }
            let (began_at, expires_at) = (Time::from_millis(now), now + millis(LIVES));
            transaction
                .prepare_cached(
                    "INSERT INTO connection_lease (lease, organization, database, project, \
                     allowed_version, mac, began_at, expires_at, told_until, untold_at) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?7, ?9)",
                )?
                .execute((
                    id.0.as_bytes(),
                    organization.0.as_bytes(),
                    database.0.as_bytes(),
                    project.as_ref().map(|project| project.0.as_bytes()),
                    wanted.allowed_version,
                    wanted.body.0,
                    now,
                    expires_at,
                    next_hour(began_at).millis(),
                ))?;
            transaction.commit()?;
            let held = Held { lease: id, database, project, began_at };
            Ok(Taken::Now(Lease { held, expires_at: Time::from_millis(expires_at) }))
        };
        self.file.write(take).await
    }

    pub(in crate::operational) async fn drop_lease(&self, id: ConnectionId) -> Result<(), Error> {
        let take_back = move |connection: &mut Connection| {
            connection.execute(
                "DELETE FROM connection_lease WHERE lease = ?1 AND sequence IS NULL",
                [id.0.as_bytes()],
            )
        };
        self.file.write(take_back).await.map(drop)
    }

    pub(in crate::operational) fn known_lease(
        &self,
        id: ConnectionId,
    ) -> Result<Option<(Lease, BodyMac)>, Error> {
        self.file.read(|connection| known(connection, id))
    }

    pub(in crate::operational) fn living_lease(
        &self,
        organization: OrganizationId,
        id: ConnectionId,
    ) -> Result<Option<Lease>, Error> {
        self.file.read(|connection| {
            connection
                .prepare_cached(concat!(
                    "SELECT ",
                    lease!(),
                    " FROM connection_lease WHERE lease = ?1 AND organization = ?2 \
                     AND sequence IS NULL AND expires_at > ?3"
                ))?
                .query_row((id.0.as_bytes(), organization.0.as_bytes(), now(connection)?), lease)
                .optional()
        })
    }

    pub(in crate::operational) async fn renew_lease(
        &self,
        id: ConnectionId,
        by: CommandId,
    ) -> Result<Option<Renewed>, Error> {
        let renew = move |connection: &mut Connection| {
            let now = now(connection)?;
            // a command that renewed it already has nothing more to do
            let renewed = connection
                .prepare_cached(
                    "UPDATE connection_lease SET expires_at = max(expires_at, ?3), \
                     renewed_by = ?2 WHERE lease = ?1 AND sequence IS NULL AND expires_at > ?4 \
                     AND renewed_by IS NOT ?2",
                )?
                .execute((id.0.as_bytes(), by.0.as_bytes(), now + millis(LIVES), now))?;
            let found = connection
                .prepare_cached(concat!(
                    "SELECT ",
                    lease!(),
                    " FROM connection_lease \
                     WHERE lease = ?1 AND sequence IS NULL AND expires_at > ?2"
                ))?
                .query_row((id.0.as_bytes(), now), lease)
                .optional()?;
            Ok(found.map(|lease| Renewed { lease, is_replayed: renewed == 0 }))
        };
        self.file.write(renew).await
    }

    pub(in crate::operational) async fn release_lease(
        &self,
        organization: OrganizationId,
        id: ConnectionId,
        by: CommandId,
    ) -> Result<Released, Error> {
        let release = move |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            let found = transaction
                .prepare_cached(
                    "SELECT expires_at, sequence IS NOT NULL, released_by FROM connection_lease \
                     WHERE lease = ?1 AND organization = ?2",
                )?
                .query_row((id.0.as_bytes(), organization.0.as_bytes()), |row| {
                    let released_by: Option<[u8; 16]> = row.get(2)?;
                    Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?, released_by))
                })
                .optional()?;
            let Some((expires_at, has_ended, released_by)) = found else {
                return Ok(Released::NotFound);
            };
            if has_ended {
                let is_ours = released_by == Some(*by.0.as_bytes());
                return Ok(if is_ours { Released::Before } else { Released::NotFound });
            }
            let now = now(&transaction)?;
            if expires_at <= now {
                return Ok(Released::NotFound);
            }
            end(&transaction, &[*id.0.as_bytes()], End::Released, Some(by), now)?;
            transaction.commit()?;
            Ok(Released::Now)
        };
        self.file.write(release).await
    }

    pub(in crate::operational) fn living_leases(
        &self,
        organization: OrganizationId,
        behind: Option<(Time, ConnectionId)>,
        most: usize,
    ) -> Result<Vec<Lease>, Error> {
        let (began_at, id) = behind.map_or((i64::MAX, Uuid::max()), |(at, id)| (at.millis(), id.0));
        self.file.read(|connection| {
            let organization = organization.0.as_bytes();
            connection
                .prepare_cached(concat!(
                    "SELECT ",
                    lease!(),
                    " FROM connection_lease WHERE organization = ?1 AND sequence IS NULL \
                     AND (began_at, lease) < (?2, ?3) AND expires_at > ?4 \
                     ORDER BY began_at DESC, lease DESC LIMIT ?5"
                ))?
                .query_map((organization, began_at, id.as_bytes(), now(connection)?, most), lease)?
                .collect()
        })
    }

    pub(in crate::operational) fn count_leases(
        &self,
        organization: OrganizationId,
    ) -> Result<u64, Error> {
        self.file.read(|connection| living(connection, organization, now(connection)?))
    }

    pub(in crate::operational) async fn end_leases(
        &self,
        organization: OrganizationId,
        database: Option<DatabaseId>,
        before: u64,
        reason: End,
    ) -> Result<bool, Error> {
        let end_them = move |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            let ending = transaction
                .prepare_cached(
                    "SELECT lease FROM connection_lease WHERE organization = ?1 \
                     AND sequence IS NULL AND (?2 IS NULL OR database = ?2) \
                     AND allowed_version < ?3 ORDER BY began_at, lease LIMIT ?4",
                )?
                .query_map(
                    (
                        organization.0.as_bytes(),
                        database.as_ref().map(|database| database.0.as_bytes()),
                        before,
                        AT_ONCE,
                    ),
                    |row| row.get(0),
                )?
                .collect::<Result<Vec<[u8; 16]>, _>>()?;
            end(&transaction, &ending, reason, None, now(&transaction)?)?;
            transaction.commit()?;
            Ok(ending.len() >= AT_ONCE as usize)
        };
        self.file.write(end_them).await
    }

    pub(in crate::operational) async fn expire_leases(&self) -> Result<bool, Error> {
        // a question costs less than a turn of the writer
        let is_due: bool = self.file.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM connection_lease \
                     WHERE sequence IS NULL AND expires_at <= ?1)",
                )?
                .query_row([now(connection)?], |row| row.get(0))
        })?;
        if !is_due {
            return Ok(false);
        }
        let expire = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            let now = now(&transaction)?;
            let ending = transaction
                .prepare_cached(
                    "SELECT lease FROM connection_lease WHERE sequence IS NULL \
                     AND expires_at <= ?1 ORDER BY expires_at, lease LIMIT ?2",
                )?
                .query_map((now, AT_ONCE), |row| row.get(0))?
                .collect::<Result<Vec<[u8; 16]>, _>>()?;
            end(&transaction, &ending, End::Expired, None, now)?;
            transaction.commit()?;
            Ok(ending.len() >= AT_ONCE as usize)
        };
        self.file.write(expire).await
    }

    pub(in crate::operational) fn untold_leases(&self) -> Result<Vec<Untold>, Error> {
        self.file.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT lease, database, project, began_at, organization, told_until, \
                     coalesce(ended_at, min(expires_at, ?1)), sequence IS NOT NULL \
                     FROM connection_lease WHERE untold_at <= ?1 ORDER BY untold_at LIMIT ?2",
                )?
                .query_map((now(connection)?, AT_ONCE), |row| {
                    Ok(Untold {
                        organization: OrganizationId(id(row, 4)?),
                        held: held(row)?,
                        told_until: time(row, 5)?,
                        until: time(row, 6)?,
                        has_ended: row.get(7)?,
                    })
                })?
                .collect()
        })
    }

    pub(in crate::operational) async fn leases_are_told(
        &self,
        told: Vec<(ConnectionId, Time)>,
    ) -> Result<(), Error> {
        let remember = move |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            for (lease, until) in &told {
                transaction
                    .prepare_cached(
                        "UPDATE connection_lease SET told_until = max(told_until, ?2), \
                         untold_at = CASE WHEN sequence IS NULL THEN ?3 \
                         WHEN ended_at <= ?2 THEN NULL ELSE ended_at END WHERE lease = ?1",
                    )?
                    .execute((lease.0.as_bytes(), until.millis(), next_hour(*until).millis()))?;
            }
            transaction.commit()
        };
        self.file.write(remember).await
    }

    pub(in crate::operational) async fn forget_leases(&self) -> Result<bool, Error> {
        let found = self.file.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT sequence, untold_at IS NULL AND ended_at < ?1 FROM connection_lease \
                     WHERE sequence IS NOT NULL ORDER BY sequence LIMIT ?2",
                )?
                .query_map((now(connection)? - millis(KEPT), AT_ONCE), |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?
                .collect::<Result<Vec<(u64, bool)>, _>>()
        })?;
        // only the oldest: what stays has no gap
        let old: Vec<u64> =
            found.iter().take_while(|(_, is_old)| *is_old).map(|(sequence, _)| *sequence).collect();
        let Some(sequence) = old.last().copied() else { return Ok(false) };
        let forget = move |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            let forgotten = "UPDATE connection_end SET forgotten = max(forgotten, ?1)";
            transaction.execute(forgotten, [sequence])?;
            let forget = "DELETE FROM connection_lease WHERE sequence <= ?1";
            transaction.execute(forget, [sequence])?;
            transaction.commit()
        };
        self.file.write(forget).await?;
        Ok(old.len() >= AT_ONCE as usize)
    }

    pub(in crate::operational) fn lease_ends(&self) -> Result<Ends, Error> {
        self.file.read(|connection| {
            connection
                .prepare_cached("SELECT last, forgotten FROM connection_end")?
                .query_row([], |row| Ok(Ends { last: row.get(0)?, forgotten: row.get(1)? }))
        })
    }

    pub(in crate::operational) fn ended_leases(
        &self,
        behind: u64,
    ) -> Result<Vec<EndedLease>, Error> {
        self.file.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT sequence, lease, organization, database, reason, ended_at \
                     FROM connection_lease WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
                )?
                .query_map((behind, AT_ONCE), |row| {
                    let text: String = row.get(4)?;
                    let unknown = |error| {
                        rusqlite::Error::FromSqlConversionFailure(4, Type::Text, Box::new(error))
                    };
                    Ok(EndedLease {
                        sequence: row.get(0)?,
                        lease: ConnectionId(id(row, 1)?),
                        organization: OrganizationId(id(row, 2)?),
                        database: DatabaseId(id(row, 3)?),
                        reason: reason(&text).map_err(unknown)?,
                        ended_at: time(row, 5)?,
                    })
                })?
                .collect()
        })
    }
}

/// The machine's time in milliseconds, as the database gives it.
fn now(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection
        .prepare_cached("SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER)")?
        .query_row([], |row| row.get(0))
}

fn known(
    connection: &Connection,
    id: ConnectionId,
) -> Result<Option<(Lease, BodyMac)>, rusqlite::Error> {
    connection
        .prepare_cached(concat!(
            "SELECT ",
            lease!(),
            ", mac FROM connection_lease WHERE lease = ?1"
        ))?
        .query_row([id.0.as_bytes()], |row| Ok((lease(row)?, BodyMac(row.get(5)?))))
        .optional()
}

fn living(
    connection: &Connection,
    organization: OrganizationId,
    now: i64,
) -> Result<u64, rusqlite::Error> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM connection_lease \
             WHERE organization = ?1 AND sequence IS NULL AND expires_at > ?2",
        )?
        .query_row((organization.0.as_bytes(), now), |row| row.get(0))
}

fn end(
    connection: &Connection,
    leases: &[[u8; 16]],
    reason: End,
    by: Option<CommandId>,
    now: i64,
) -> Result<(), rusqlite::Error> {
    for lease in leases {
        let sequence: u64 = connection
            .prepare_cached("UPDATE connection_end SET last = last + 1 RETURNING last")?
            .query_row([], |row| row.get(0))?;
        connection
            .prepare_cached(
                "UPDATE connection_lease SET sequence = ?2, \
                 ended_at = max(told_until, min(expires_at, ?3)), \
                 untold_at = max(told_until, min(expires_at, ?3)), released_by = ?4, \
                 reason = CASE WHEN expires_at <= ?3 THEN ?5 ELSE ?6 END WHERE lease = ?1",
            )?
            .execute((
                lease,
                sequence,
                now,
                by.as_ref().map(|by| by.0.as_bytes()),
                End::Expired.as_str(),
                reason.as_str(),
            ))?;
    }
    Ok(())
}
