//! Which of several equal appends that are in flight at once passes for the first. The server
//! does not tell, and only one of them may.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

#[derive(Default)]
struct Same {
    in_flight: usize,
    is_answered: bool,
}

/// Appends in flight by the id of their first event.
#[derive(Default)]
pub(super) struct Repeats(Mutex<HashMap<Uuid, Same>>);

impl Repeats {
    pub(super) fn enter(&self, first: Uuid) -> InFlight<'_> {
        self.same().entry(first).or_default().in_flight += 1;
        InFlight { repeats: self, first }
    }

    fn same(&self) -> MutexGuard<'_, HashMap<Uuid, Same>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct InFlight<'a> {
    repeats: &'a Repeats,
    first: Uuid,
}

impl InFlight<'_> {
    /// Whether an equal append was answered while this one was in flight.
    pub(super) fn is_repeat(&self) -> bool {
        let mut same = self.repeats.same();
        same.get_mut(&self.first).is_some_and(|same| std::mem::replace(&mut same.is_answered, true))
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut same = self.repeats.same();
        if let Some(entry) = same.get_mut(&self.first) {
            entry.in_flight -= 1;
            if entry.in_flight == 0 {
                same.remove(&self.first);
            }
        }
    }
}
