//! The PostgreSQL database: which servers will do, and bringing its schemas to this program's
//! version.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, PgPool, SqlSafeStr as _};

const MIGRATIONS: [(i64, &str, &str); 4] = [
    (1, "event log", include_str!("../migrations/postgres/0001_event_log.sql")),
    (2, "read store", include_str!("../migrations/postgres/0002_read_store.sql")),
    (3, "keyring", include_str!("../migrations/postgres/0003_keyring.sql")),
    (4, "operational", include_str!("../migrations/postgres/0004_operational.sql")),
];
/// PostgreSQL 14 is the first that notices a vanished client while it waits for a lock.
const OLDEST_SERVER: i32 = 140_000;
/// Two nodes that start at once migrate one after the other. Not the lock of the log's writers.
const MIGRATION_LOCK: i64 = i64::from_be_bytes(*b"migrate!");
const CONNECTIONS: u32 = 10;
/// A node that freezes half-way must not hold its locks against the others for long.
pub(crate) const BEGIN: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '5s'";
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot reach PostgreSQL")]
    Unreachable(#[source] sqlx::Error),
    #[error("PostgreSQL {0} is too old; 14 or newer is needed")]
    TooOld(String),
    #[error("cannot bring the database to this program's version")]
    Migrate(#[from] MigrateError),
}

/// Connections to a database that is up to date, for everything but the log.
pub(crate) async fn connect(url: &str) -> Result<PgPool, Error> {
    let options: PgConnectOptions = url.parse().map_err(Error::Unreachable)?;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(CONNECT_WITHIN)
        .connect_with(options.application_name("chancery"))
        .await
        .map_err(Error::Unreachable)?;
    bring_up_to_date(&mut *pool.acquire().await.map_err(Error::Unreachable)?).await?;
    Ok(pool)
}

/// The same for who only reads: changes nothing, also no schema.
pub(crate) fn to_read(url: &str) -> Result<PgPool, Error> {
    let options: PgConnectOptions = url.parse().map_err(Error::Unreachable)?;
    let options = options.application_name("chancery reader");
    Ok(PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(CONNECT_WITHIN)
        .connect_lazy_with(options.options([("default_transaction_read_only", "on")])))
}

/// Refuses a server that is too old and runs the migrations that are missing, all in one
/// transaction, under a lock that also works behind a pooler.
pub(crate) async fn bring_up_to_date(connection: &mut PgConnection) -> Result<(), Error> {
    let version = "SELECT current_setting('server_version_num')::int, \
                   current_setting('server_version')";
    let (number, name): (i32, String) =
        sqlx::query_as(version).fetch_one(&mut *connection).await.map_err(Error::Unreachable)?;
    if number < OLDEST_SERVER {
        return Err(Error::TooOld(name));
    }
    Ok(migrate(connection).await?)
}

async fn migrate(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let migrations = MIGRATIONS.map(|(version, name, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.into());
    migrator.create_schema("log");
    migrator.dangerous_set_table_name("log.migration");
    migrator.set_locking(false);

    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(MIGRATION_LOCK)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("SET LOCAL client_min_messages = warning").execute(&mut *transaction).await?;
    // `run` would make this future impossible to send to another thread
    migrator.run_direct(None, &mut *transaction, false).await?;
    Ok(transaction.commit().await?)
}
