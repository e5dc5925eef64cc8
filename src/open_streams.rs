//! Answers that go on until somebody ends them: how many one credential holds open on this node, and
//! when the program stops, which they must not hold up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use events::principal::{Principal, Who};
use tokio::sync::watch;
use uuid::Uuid;

/// Of one credential: of an account with all its sessions, or of a token.
const MOST: usize = 10;
/// With the credentials of the installation itself: each proxy has one.
const MOST_OF_INSTALLATION: usize = 1000;

pub(crate) struct OpenStreams {
    open: Arc<Mutex<HashMap<Uuid, usize>>>,
    stopping: watch::Receiver<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("as many streams as one credential may have are open")]
pub(crate) struct TooMany;

/// The right to hold one stream open, given back when it is dropped.
pub(crate) struct Seat {
    open: Arc<Mutex<HashMap<Uuid, usize>>>,
    of: Uuid,
    stopping: watch::Receiver<bool>,
}

impl OpenStreams {
    /// Streams end when this turns true.
    pub(crate) fn until(stopping: watch::Receiver<bool>) -> Self {
        Self { open: Arc::default(), stopping }
    }

    pub(crate) fn seat(&self, by: &Principal) -> Result<Seat, TooMany> {
        let of = match by.who {
            Who::Account(account) => account.0,
            Who::Token { token, .. } | Who::Key(token) => token.0,
        };
        self.one_of(of, MOST)
    }

    /// For whoever has the provisioners' credential, or the operator's.
    pub(crate) fn installation_seat(&self) -> Result<Seat, TooMany> {
        self.one_of(Uuid::nil(), MOST_OF_INSTALLATION)
    }

    fn one_of(&self, of: Uuid, most: usize) -> Result<Seat, TooMany> {
        let mut open = locked(&self.open);
        let count = open.entry(of).or_default();
        if *count >= most {
            return Err(TooMany);
        }
        *count += 1;
        Ok(Seat { open: Arc::clone(&self.open), of, stopping: self.stopping.clone() })
    }
}

impl Seat {
    /// The program is about to stop.
    pub(crate) async fn ends(&mut self) {
        // an error means that it has stopped already
        let _ = self.stopping.wait_for(|stopping| *stopping).await;
    }

    pub(crate) fn is_over(&self) -> bool {
        *self.stopping.borrow()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = locked(&self.open);
        if let Some(count) = open.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.of);
            }
        }
    }
}

fn locked(open: &Mutex<HashMap<Uuid, usize>>) -> MutexGuard<'_, HashMap<Uuid, usize>> {
    open.lock().expect("nothing panics with the lock held")
}
