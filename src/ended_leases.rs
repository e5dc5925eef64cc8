//! That leases on connections have ended, whichever node ended them. While anybody on this node listens,
//! the shared state is asked for all of them together.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use crate::App;
use crate::causes::causes;

const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Default)]
pub(crate) struct EndedLeases {
    /// How many have ended.
    last: watch::Sender<u64>,
    is_looking: Mutex<bool>,
}

impl EndedLeases {
    /// Tells how many leases have ended, for as long as somebody has it.
    pub(crate) fn listen(app: &Arc<App>) -> watch::Receiver<u64> {
        let this = &app.ended_leases;
        let mut is_looking = this.is_looking.lock().expect("nothing panics with the lock held");
        let listener = this.last.subscribe();
        if !*is_looking {
            *is_looking = true;
            let app = Arc::clone(app);
            tokio::spawn(async move { look(&app).await });
        }
        listener
    }

    /// Gives up when nobody listens.
    fn goes_on(&self) -> bool {
        let mut is_looking = self.is_looking.lock().expect("nothing panics with the lock held");
        *is_looking = self.last.receiver_count() > 0;
        *is_looking
    }
}

async fn look(app: &App) {
    while app.ended_leases.goes_on() {
        let pause = match app.operational.lease_ends().await {
            Ok(ends) => {
                let is_new = |last: &mut u64| std::mem::replace(last, ends.last) != ends.last;
                app.ended_leases.last.send_if_modified(is_new);
                BETWEEN_LOOKS
            }
            Err(error) => {
                tracing::warn!(error = causes(&error), "leases that have ended are not known");
                PAUSE
            }
        };
        tokio::time::sleep(pause).await;
    }
}
