//! When each token was last used: neither fact nor secret, and nothing personal. Gathered in memory
//! and kept every few seconds, at most once a minute for each token; a crash loses the last of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use events::id::TokenId;
use events::time::Time;
use quick_cache::sync::Cache;
use tokio::sync::watch;

use crate::App;
use crate::causes::causes;
use crate::failure::Failure;

const NOTED: usize = 50_000;
const MINUTE_MILLIS: i64 = 60_000;
const BETWEEN_SAVES: Duration = Duration::from_secs(5);

pub(crate) struct TokenActivity {
    /// The minute in which each token's use was noted last.
    noted: Cache<TokenId, i64>,
    unsaved: Mutex<HashMap<TokenId, Time>>,
}

impl Default for TokenActivity {
    fn default() -> Self {
        Self { noted: Cache::new(NOTED), unsaved: Mutex::default() }
    }
}

/// Notes that a request came with a token.
pub(crate) fn note(app: &App, token: TokenId) {
    let at = app.clock.now();
    let minute = at.millis().div_euclid(MINUTE_MILLIS);
    if app.token_activity.noted.get(&token) == Some(minute) {
        return;
    }
    app.token_activity.noted.insert(token, minute);
    let mut unsaved = app.token_activity.unsaved.lock().expect("nothing panics with the lock held");
    unsaved.insert(token, at);
}

/// When tokens were last used, as far as this node knows; those that never were are not named.
pub(crate) async fn last_used(
    app: &App,
    tokens: &[TokenId],
) -> Result<HashMap<TokenId, Time>, Failure> {
    let mut used: HashMap<TokenId, Time> =
        app.operational.token_uses(tokens).await?.into_iter().collect();
    let unsaved = app.token_activity.unsaved.lock().expect("nothing panics with the lock held");
    for token in tokens {
        if let Some(at) = unsaved.get(token) {
            let last = used.entry(*token).or_insert(*at);
            *last = (*at).max(*last);
        }
    }
    Ok(used)
}

/// Keeps what was noted. What could not be kept is noted again, unless there is later use.
async fn save(app: &App) -> Result<(), Failure> {
    let unsaved = std::mem::take(
        &mut *app.token_activity.unsaved.lock().expect("nothing panics with the lock held"),
    );
    if unsaved.is_empty() {
        return Ok(());
    }
    let mut uses: Vec<(TokenId, Time)> = unsaved.into_iter().collect();
    // in one order on every node, so that none waits for another in a circle
    uses.sort_unstable();
    let kept = app.operational.keep_token_uses(&uses).await;
    if kept.is_err() {
        let mut unsaved =
            app.token_activity.unsaved.lock().expect("nothing panics with the lock held");
        for (token, at) in uses {
            unsaved.entry(token).or_insert(at);
        }
    }
    Ok(kept?)
}

/// Runs until it is told to stop, and keeps what was noted until then.
pub(crate) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    loop {
        let stopping = tokio::time::timeout(BETWEEN_SAVES, stop.wait_for(|stop| *stop));
        let is_stopped = stopping.await.is_ok();
        if let Err(error) = save(&app).await {
            tracing::warn!(error = causes(&error), "the last use of some tokens is not kept yet");
        }
        if is_stopped {
            return;
        }
    }
}
