//! Facts that call for more: each reaction follows the log behind the projector and gives its own
//! commands, which never wait for anything. Doing the same thing twice is harmless.

use std::sync::Arc;
use std::time::{Duration, Instant};

use events::Event;
use events::account::Event::Registered;
use events::recorded::{Position, Recorded};
use events::stream::Stream;
use tokio::sync::watch;

use crate::App;
use crate::causes::causes;
use crate::execute::register;

const PAGE: usize = 500;
const IDLE: Duration = Duration::from_secs(1);
/// Nobody waits for a reaction, so it lets events gather.
const BETWEEN_PAGES: Duration = Duration::from_millis(50);
/// A cursor is saved this often at most: each time is a sync of its own beside that of the log.
const BETWEEN_SAVES: Duration = Duration::from_secs(1);
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);
const COMPLETE_REGISTRATIONS: &str = "complete_registrations";

#[derive(Debug, thiserror::Error)]
enum Interruption {
    #[error("the log cannot be read")]
    Read(#[from] crate::event_log::ReadError),
    #[error("the operational state failed")]
    Operational(#[from] crate::operational::Error),
    #[error("a command of the reaction failed")]
    Command(#[from] crate::execute::Error),
}

/// Runs until it is told to stop. `trouble` says why a reaction does not come further, and is
/// `None` while all of them do.
pub(crate) async fn run(
    app: Arc<App>,
    trouble: watch::Sender<Option<String>>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            () = follow(&app, &trouble) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

async fn follow(app: &App, trouble: &watch::Sender<Option<String>>) {
    if let Err(error) = complete_registrations(app, trouble).await {
        tracing::warn!(
            error = causes(&error),
            reaction = COMPLETE_REGISTRATIONS,
            "a reaction pauses"
        );
        trouble.send_replace(Some(format!("{COMPLETE_REGISTRATIONS}: {error}")));
        tokio::time::sleep(AFTER_A_FAILURE).await;
    }
}

async fn complete_registrations(
    app: &App,
    trouble: &watch::Sender<Option<String>>,
) -> Result<(), Interruption> {
    let mut cursor = app.operational.cursor(COMPLETE_REGISTRATIONS).await?;
    let (mut saved, mut saved_at) = (cursor, Instant::now());
    loop {
        let page = app.log.follow(cursor, PAGE).await?;
        for recorded in crate::projector::decode(&page)? {
            if let Some(account) = registered(&recorded) {
                register::complete(app, account).await?;
            }
        }
        cursor = page.next.max(cursor);
        trouble.send_if_modified(|trouble| trouble.take().is_some());
        // the cursor is saved only behind what was done: after a crash it is done once more
        if cursor > saved && saved_at.elapsed() >= BETWEEN_SAVES {
            app.operational.move_cursor(COMPLETE_REGISTRATIONS, cursor).await?;
            (saved, saved_at) = (cursor, Instant::now());
        }
        if page.at_head {
            wait_behind_the_projector(app, cursor).await;
        }
    }
}

fn registered(recorded: &Recorded) -> Option<events::id::AccountId> {
    match (&recorded.event, recorded.stream) {
        (Event::Account(Registered { .. }), Stream::Account(account)) => Some(account),
        _ => None,
    }
}

async fn wait_behind_the_projector(app: &App, cursor: Position) {
    app.log.wait(cursor, IDLE).await;
    tokio::time::sleep(BETWEEN_PAGES).await;
}
