//! What is in the log cannot be changed by the ordinary ways, whoever tries.

use sqlx::{AssertSqlSafe, Executor as _};

use super::{Store, append};
use crate::line::{Writer, new_stream};
use crate::oracle::read_everything;
use crate::postgres::Database;

const ROW: &str = "'address-x', 0, 'x', 'y', 'z'";

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_refuses_every_change_of_the_past() {
    let store = Store::sqlite();
    let log = store.open().await;
    append(&log, &mut Writer::new(new_stream()), 3).await;
    let before = read_everything(&log, 1000).await;
    let Store::Sqlite(folder) = &store else { panic!("this is the SQLite log") };
    let connection = rusqlite::Connection::open(folder.path().join("log.db")).unwrap();
    let columns = "position, stream, version, event_id, kind, line, sealed, link, stored_at";
    let id = "randomblob(16), 'kind', x'00', x'', randomblob(32), 0";
    for change in [
        "UPDATE event SET line = x'00' WHERE position = 2".to_owned(),
        "DELETE FROM event WHERE position = 3".to_owned(),
        "DELETE FROM event".to_owned(),
        format!("INSERT OR REPLACE INTO event ({columns}) VALUES (2, 'address-x', 0, {id})"),
        format!("INSERT INTO event ({columns}) VALUES (9, 'address-x', 0, {id})"),
    ] {
        let refused = connection.execute(&change, []).expect_err(&change);
        assert!(refused.to_string().contains("the event log"), "{change}: {refused}");
    }
    assert_eq!(read_everything(&log, 1000).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_refuses_every_change_of_the_past() {
    let database = Database::create().await;
    let store = Store::Postgres(database);
    let log = store.open().await;
    append(&log, &mut Writer::new(new_stream()), 3).await;
    let before = read_everything(&log, 1000).await;
    let Store::Postgres(database) = &store else { panic!("this is the PostgreSQL log") };
    let mut connection = database.connect().await;
    let insert = |position: u64, more: &str| {
        format!(
            "INSERT INTO log.event (position, stream, version, kind, line, sealed, event_id, link) \
             VALUES ({position}, {ROW}, gen_random_uuid(), decode(repeat('00', 32), 'hex')) {more}"
        )
    };
    for role in ["origin", "replica"] {
        let role = AssertSqlSafe(format!("SET session_replication_role = {role}"));
        connection.execute(role).await.expect("a superuser may");
        for change in [
            "UPDATE log.event SET line = 'x' WHERE position = 2".to_owned(),
            "DELETE FROM log.event WHERE position = 3".to_owned(),
            "TRUNCATE log.event".to_owned(),
            insert(5, ""),
            insert(2, "ON CONFLICT (position) DO UPDATE SET line = excluded.line"),
        ] {
            let refused =
                connection.execute(AssertSqlSafe(change.clone())).await.expect_err(&change);
            assert!(refused.to_string().contains("the event log"), "{change}: {refused}");
        }
    }
    assert_eq!(read_everything(&log, 1000).await, before);
}
