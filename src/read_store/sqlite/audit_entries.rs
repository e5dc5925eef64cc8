//! The audit log's own table.

use std::collections::HashMap;

use events::time::Time;
use projections::audit_trail::{Columns, sort_of};
use projections::{Key, Written};
use rusqlite::{Connection, OptionalExtension as _, ToSql, Transaction, named_params};

use crate::read_store::audit_entries::{Slice, Wanted};

/// Conditions on entries; a parameter that is NULL does not matter.
macro_rules! wanted {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " FROM audit_entry WHERE organization = :organization AND version < :before \
             AND (:first_action IS NULL OR action BETWEEN :first_action AND :last_action) \
             AND (:actor IS NULL OR actor = :actor) \
             AND (:resource_type IS NULL OR resource_type = :resource_type) \
             AND (:resource_id IS NULL OR resource_id = :resource_id) \
             AND (:since IS NULL OR at >= :since) AND (:until IS NULL OR at < :until) \
             AND (:words IS NULL OR instr(words, :words) > 0) ",
            $after
        )
    };
}

fn with_parameters<T>(
    wanted: &Wanted<'_>,
    more: &[(&str, &dyn ToSql)],
    run: impl FnOnce(&[(&str, &dyn ToSql)]) -> T,
) -> T {
    let (first, last) = wanted.actions();
    let [since, until] =
        [wanted.filter.since, wanted.filter.until].map(|time| time.map(Time::millis));
    let before = wanted.before();
    let parameters = named_params! {
        ":organization": wanted.organization, ":before": before,
        ":first_action": first, ":last_action": last, ":actor": wanted.filter.actor,
        ":resource_type": wanted.filter.resource_type, ":resource_id": wanted.filter.resource_id,
        ":since": since, ":until": until, ":words": wanted.filter.words,
    };
    run(&[parameters, more].concat())
}

pub(super) fn page(
    connection: &Connection,
    wanted: &Wanted<'_>,
    slice: Slice,
) -> Result<Vec<String>, rusqlite::Error> {
    let sql = wanted!("SELECT body", "ORDER BY version DESC LIMIT :limit OFFSET :skip");
    let mut statement = connection.prepare_cached(sql)?;
    let more = named_params! { ":limit": slice.limit, ":skip": slice.skip };
    with_parameters(wanted, more, |parameters| {
        statement.query_map(parameters, |row| row.get(0))?.collect()
    })
}

pub(super) fn count(connection: &Connection, wanted: &Wanted<'_>) -> Result<u64, rusqlite::Error> {
    let mut statement = connection.prepare_cached(wanted!("SELECT count(*)", ""))?;
    with_parameters(wanted, &[], |parameters| statement.query_row(parameters, |row| row.get(0)))
}

pub(super) fn newest(
    connection: &Connection,
    organization: &str,
) -> Result<Option<u64>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT max(version) FROM audit_entry WHERE organization = ?1")?
        .query_row([organization], |row| row.get(0))
}

pub(super) fn rows(
    connection: &Connection,
    keys: &[Key],
) -> Result<HashMap<Key, String>, rusqlite::Error> {
    let mut statement = connection
        .prepare_cached("SELECT body FROM audit_entry WHERE organization = ?1 AND id = ?2")?;
    let mut found = HashMap::with_capacity(keys.len());
    for key in keys {
        let body = statement.query_row((&key.scope, &key.id), |row| row.get(0)).optional()?;
        found.extend(body.map(|body| (key.clone(), body)));
    }
    Ok(found)
}

pub(super) fn all_rows(
    connection: &Connection,
    after: &Key,
    limit: usize,
) -> Result<Vec<Written>, rusqlite::Error> {
    let sql = "SELECT organization, id, version, action, actor, resource_type, resource_id, at, \
               words, body FROM audit_entry WHERE (organization, id) > (?1, ?2) \
               ORDER BY organization, id LIMIT ?3";
    connection
        .prepare_cached(sql)?
        .query_map((&after.scope, &after.id, limit), |row| {
            let columns = Columns {
                version: row.get(2)?,
                action: row.get(3)?,
                actor: row.get(4)?,
                resource_type: row.get(5)?,
                resource_id: row.get(6)?,
                at: Time::from_millis(row.get(7)?),
                words: row.get(8)?,
            };
            Ok(Written {
                key: Key { scope: row.get(0)?, id: row.get(1)? },
                sort: sort_of(columns.version),
                body: row.get(9)?,
                columns: Some(Box::new(columns)),
            })
        })?
        .collect()
}

pub(super) fn clear(transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
    transaction.execute("DELETE FROM audit_entry", []).map(drop)
}

pub(super) fn write(
    transaction: &Transaction<'_>,
    rows: &[Written],
) -> Result<(), rusqlite::Error> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO audit_entry (organization, id, version, action, actor, resource_type, \
         resource_id, at, words, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
         ON CONFLICT (organization, id) DO UPDATE SET version = excluded.version, \
         action = excluded.action, actor = excluded.actor, \
         resource_type = excluded.resource_type, resource_id = excluded.resource_id, \
         at = excluded.at, words = excluded.words, body = excluded.body",
    )?;
    let mut remove = transaction
        .prepare_cached("DELETE FROM audit_entry WHERE organization = ?1 AND id = ?2")?;
    for Written { key, sort: _, body, columns } in rows {
        match (body, columns) {
            (Some(body), Some(columns)) => put.execute((
                &key.scope,
                &key.id,
                columns.version,
                &columns.action,
                &columns.actor,
                &columns.resource_type,
                &columns.resource_id,
                columns.at.millis(),
                &columns.words,
                body,
            ))?,
            (Some(_), None) | (None, _) => remove.execute((&key.scope, &key.id))?,
        };
    }
    Ok(())
}
