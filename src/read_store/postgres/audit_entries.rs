//! The audit log's own table.

use std::collections::HashMap;

use events::time::Time;
use projections::audit_trail::{Columns, sort_of};
use projections::{Key, Written};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::{Query, QueryScalar};
use sqlx::{PgConnection, PgPool, Postgres, Row as _};

use crate::read_store::audit_entries::{Slice, Wanted};

/// Conditions on entries; a parameter that is NULL does not matter.
macro_rules! wanted {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " FROM read.audit_entry WHERE organization = $1 AND version < $2 \
             AND ($3::text IS NULL OR action BETWEEN $3 AND $4) \
             AND ($5::text IS NULL OR actor = $5) \
             AND ($6::text IS NULL OR resource_type = $6) \
             AND ($7::text IS NULL OR resource_id = $7) \
             AND ($8::bigint IS NULL OR at >= $8) AND ($9::bigint IS NULL OR at < $9) \
             AND ($10::text IS NULL OR strpos(words, $10) > 0) ",
            $after
        )
    };
}

fn bound<'q, T>(
    query: QueryScalar<'q, Postgres, T, PgArguments>,
    wanted: &'q Wanted<'q>,
) -> QueryScalar<'q, Postgres, T, PgArguments> {
    let (first, last) = wanted.actions();
    query
        .bind(&wanted.organization)
        .bind(wanted.before())
        .bind(first)
        .bind(last)
        .bind(&wanted.filter.actor)
        .bind(&wanted.filter.resource_type)
        .bind(&wanted.filter.resource_id)
        .bind(wanted.filter.since.map(Time::millis))
        .bind(wanted.filter.until.map(Time::millis))
        .bind(&wanted.filter.words)
}

pub(super) async fn page(
    pool: &PgPool,
    wanted: &Wanted<'_>,
    slice: Slice,
) -> Result<Vec<String>, sqlx::Error> {
    let sql = wanted!("SELECT body", "ORDER BY version DESC LIMIT $11 OFFSET $12");
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    bound(sqlx::query_scalar(sql), wanted)
        .bind(number(slice.limit))
        .bind(number(slice.skip))
        .fetch_all(pool)
        .await
}

pub(super) async fn count(pool: &PgPool, wanted: &Wanted<'_>) -> Result<u64, sqlx::Error> {
    let sql = wanted!("SELECT count(*)", "");
    bound(sqlx::query_scalar::<_, i64>(sql), wanted).fetch_one(pool).await.map(i64::cast_unsigned)
}

pub(super) async fn newest(pool: &PgPool, organization: &str) -> Result<Option<u64>, sqlx::Error> {
    let newest: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM read.audit_entry WHERE organization = $1")
            .bind(organization)
            .fetch_one(pool)
            .await?;
    Ok(newest.map(i64::cast_unsigned))
}

pub(super) async fn rows(
    pool: &PgPool,
    scopes: Vec<&str>,
    ids: Vec<&str>,
) -> Result<HashMap<Key, String>, sqlx::Error> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT organization, id, body FROM read.audit_entry \
         JOIN unnest($1::text[], $2::text[]) AS wanted (organization, id) USING (organization, id)",
    )
    .bind(scopes)
    .bind(ids)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|(scope, id, body)| (Key { scope, id }, body)).collect())
}

pub(super) async fn all_rows(
    pool: &PgPool,
    after: &Key,
    limit: i64,
) -> Result<Vec<Written>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT organization, id, version, action, actor, resource_type, resource_id, at, words, \
         body FROM read.audit_entry WHERE (organization, id) > ($1, $2) \
         ORDER BY organization, id LIMIT $3",
    )
    .bind(&after.scope)
    .bind(&after.id)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    Ok(rows.iter().map(written).collect())
}

fn written(row: &PgRow) -> Written {
    let columns = Columns {
        version: row.get::<i64, _>(2).cast_unsigned(),
        action: row.get(3),
        actor: row.get(4),
        resource_type: row.get(5),
        resource_id: row.get(6),
        at: Time::from_millis(row.get(7)),
        words: row.get(8),
    };
    Written {
        key: Key { scope: row.get(0), id: row.get(1) },
        sort: sort_of(columns.version),
        body: row.get(9),
        columns: Some(Box::new(columns)),
    }
}

pub(super) fn clear<'q>() -> Query<'q, Postgres, PgArguments> {
    sqlx::query("DELETE FROM read.audit_entry")
}

pub(super) async fn write(
    connection: &mut PgConnection,
    rows: &[Written],
) -> Result<(), sqlx::Error> {
    let put: Vec<(&Key, &Columns, &str)> = rows
        .iter()
        .filter_map(|row| Some((&row.key, row.columns.as_deref()?, row.body.as_deref()?)))
        .collect();
    if !put.is_empty() {
        let text = |of: fn(&Columns) -> &str| put.iter().map(move |row| of(row.1));
        let number = |of: fn(&Columns) -> i64| put.iter().map(move |row| of(row.1));
        sqlx::query(
            "INSERT INTO read.audit_entry (organization, id, version, action, actor, \
             resource_type, resource_id, at, words, body) \
             SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], \
             $6::text[], $7::text[], $8::bigint[], $9::text[], $10::text[]) \
             ON CONFLICT (organization, id) DO UPDATE SET version = excluded.version, \
             action = excluded.action, actor = excluded.actor, \
             resource_type = excluded.resource_type, resource_id = excluded.resource_id, \
             at = excluded.at, words = excluded.words, body = excluded.body",
        )
        .bind(put.iter().map(|row| row.0.scope.as_str()).collect::<Vec<_>>())
        .bind(put.iter().map(|row| row.0.id.as_str()).collect::<Vec<_>>())
        .bind(number(|columns| columns.version.cast_signed()).collect::<Vec<_>>())
        .bind(text(|columns| &columns.action).collect::<Vec<_>>())
        .bind(text(|columns| &columns.actor).collect::<Vec<_>>())
        .bind(text(|columns| &columns.resource_type).collect::<Vec<_>>())
        .bind(text(|columns| &columns.resource_id).collect::<Vec<_>>())
        .bind(number(|columns| columns.at.millis()).collect::<Vec<_>>())
        .bind(text(|columns| &columns.words).collect::<Vec<_>>())
        .bind(put.iter().map(|row| row.2).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    }
    let gone: Vec<&Key> =
        rows.iter().filter(|row| row.body.is_none()).map(|row| &row.key).collect();
    if !gone.is_empty() {
        sqlx::query(
            "DELETE FROM read.audit_entry AS entry USING unnest($1::text[], $2::text[]) \
             AS gone (organization, id) \
             WHERE entry.organization = gone.organization AND entry.id = gone.id",
        )
        .bind(gone.iter().map(|key| key.scope.as_str()).collect::<Vec<_>>())
        .bind(gone.iter().map(|key| key.id.as_str()).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
