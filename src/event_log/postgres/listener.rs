//! Hears that some node appended. A hint is never needed for correctness: one that gets lost costs
//! a reader the rest of its wait.

use std::time::Duration;

use events::recorded::Position;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

pub(super) const CHANNEL: &str = "chancery_log";
const PAUSE_BETWEEN_CONNECTIONS: Duration = Duration::from_secs(1);
/// After so much silence the connection is asked whether it still lives: a network that swallows
/// everything looks just like a quiet log.
const QUIET: Duration = Duration::from_secs(30);
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// The newest that is known here about the log.
#[derive(Debug, Default)]
pub(super) struct Hint {
    pub(super) head: Position,
    /// How often hints may have been lost, so that everybody should read again.
    pub(super) rereads: u64,
}

/// Makes a head known that was committed.
pub(super) fn committed(hint: &watch::Sender<Hint>, head: Position) {
    hint.send_if_modified(|hint| {
        let is_news = head > hint.head;
        hint.head = hint.head.max(head);
        is_news
    });
}

pub(super) async fn listen(options: PgConnectOptions, hint: watch::Sender<Hint>) {
    loop {
        if let Err(error) = listen_once(&options, &hint).await {
            tracing::debug!(%error, "the listener of the log lost its connection");
        }
        hint.send_modify(|hint| hint.rereads += 1);
        sleep(PAUSE_BETWEEN_CONNECTIONS).await;
    }
}

async fn listen_once(
    options: &PgConnectOptions,
    hint: &watch::Sender<Hint>,
) -> Result<(), sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ANSWER_WITHIN)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    answered(listener.listen(CHANNEL)).await?;
    // set, not raised: a server that fell back to an older copy has a lower head
    let head = head(&mut listener).await?;
    hint.send_modify(|hint| {
        hint.head = head;
        hint.rereads += 1;
    });
    loop {
        match timeout(QUIET, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => {
                if let Ok(position) = notification.payload().parse() {
                    committed(hint, Position(position));
                }
            }
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(error)) => return Err(error),
            Err(_) => committed(hint, self::head(&mut listener).await?),
        }
    }
}

async fn head(listener: &mut PgListener) -> Result<Position, sqlx::Error> {
    let query = sqlx::query_scalar("SELECT coalesce(max(position), 0) FROM log.event");
    let head: i64 = answered(query.fetch_one(listener)).await?;
    Ok(Position(head.unsigned_abs()))
}

async fn answered<T>(
    question: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    timeout(ANSWER_WITHIN, question).await.map_err(|late| sqlx::Error::Io(late.into()))?
}
