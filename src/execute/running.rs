//! Which named commands run on this node now, so that a twin is told to come back for the answer.

use std::collections::HashSet;
use std::sync::Mutex;

use events::id::CommandId;

use super::{Error, Naming, Order};

/// Commands that their callers named and that run on this node now.
#[derive(Default)]
pub(crate) struct Running(Mutex<HashSet<CommandId>>);

pub(super) struct RunningGuard<'a> {
    running: &'a Running,
    command: CommandId,
}

impl Running {
    pub(super) fn enter(&self, order: &Order) -> Result<Option<RunningGuard<'_>>, Error> {
        if order.naming != Naming::Key {
            return Ok(None);
        }
        let entered =
            self.0.lock().expect("nothing panics with the lock held").insert(order.command);
        // only who entered has a guard, which leaves again when it is dropped
        if entered {
            Ok(Some(RunningGuard { running: self, command: order.command }))
        } else {
            Err(Error::InProgress)
        }
    }
}

impl Drop for RunningGuard<'_> {
    fn drop(&mut self) {
        self.running.0.lock().expect("nothing panics with the lock held").remove(&self.command);
    }
}
