//! The PostgreSQL database: connecting to it, and bringing its schemas to this program's version.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

const MIGRATIONS: [(i64, &str, &str); 4] = [
    (1, "event log", include_str!("../migrations/postgres/0001_event_log.sql")),
    (2, "read store", include_str!("../migrations/postgres/0002_read_store.sql")),
    (3, "keyring", include_str!("../migrations/postgres/0003_keyring.sql")),
    (4, "operational", include_str!("../migrations/postgres/0004_operational.sql")),
];
/// Oldest server whose behaviour was checked, as `server_version_num` counts.
const OLDEST_SERVER: i32 = 140_000;
const CONNECTIONS: u32 = 10;
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot connect to PostgreSQL")]
    Connect(#[source] sqlx::Error),
    #[error("PostgreSQL {0} is too old; 14 or newer is needed")]
    TooOld(String),
    #[error("cannot bring the database to this program's version")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// Connects and migrates; several nodes may do so at once.
pub(crate) async fn connect(url: &str) -> Result<PgPool, Error> {
    let options: PgConnectOptions = url.parse().map_err(Error::Connect)?;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(CONNECT_WITHIN)
        .connect_with(options.application_name("chancery"))
        .await
        .map_err(Error::Connect)?;
    let version: String =
        sqlx::query_scalar("SHOW server_version_num").fetch_one(&pool).await.map_err(Error::Connect)?;
    if version.parse::<i32>().map_or(true, |number| number < OLDEST_SERVER) {
        return Err(Error::TooOld(version));
    }
    migrator().run(&pool).await?;
    Ok(pool)
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.map(|(number, name, sql)| {
        Migration::new(
            number,
            Cow::Borrowed(name),
            MigrationType::Simple,
            sqlx::AssertSqlSafe(sql).into_sql_str(),
            false,
        )
    });
    Migrator::with_migrations(migrations.to_vec())
}
