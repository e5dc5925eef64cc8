//! Forgotten passwords: requests are answered at once and looked into afterwards, so that no answer,
//! and no time it takes, tells whether an address has an account.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::App;
use crate::address::Address;
use crate::causes::causes;
use crate::execute::{Error, password};
use crate::failure::Failure;

/// Requests that wait; more are sent away, whatever their address.
pub(crate) const QUEUE: usize = 1000;
/// How often a request is tried again while a store is away, once a second.
const TRIES: u32 = 60;

/// Runs until it is told to stop, and does what was asked for until then.
pub(crate) async fn run(
    app: Arc<App>,
    mut requests: mpsc::Receiver<Address>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let request = tokio::select! {
            request = requests.recv() => request,
            () = async { drop(stop.wait_for(|stop| *stop).await) } => break,
        };
        let Some(address) = request else { return };
        issue(&app, &address).await;
    }
    requests.close();
    while let Some(address) = requests.recv().await {
        attempt(&app, &address).await;
    }
}

async fn issue(app: &App, address: &Address) {
    for _ in 0..TRIES {
        if attempt(app, address).await {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// `false` when it may succeed later.
async fn attempt(app: &App, address: &Address) -> bool {
    match password::request_reset(app, address).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(error = causes(&error), "a link to set a password is not issued");
            !matches!(error, Error::Failed(Failure::Unavailable(_)) | Error::Contended)
        }
    }
}
