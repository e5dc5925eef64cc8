//! How far the live read models are known to have come, and who waits for them to come further.
//! Each waiter is woken once, when its own position is reached, however many others wait.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use events::recorded::Position;
use tokio::sync::oneshot;

#[derive(Default)]
pub(super) struct Reached(Mutex<State>);

#[derive(Default)]
struct State {
    position: Position,
    waiting: BTreeMap<Position, Vec<oneshot::Sender<()>>>,
}

impl Reached {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics with the lock held")
    }

    /// A position that goes back is old news.
    pub(super) fn saw(&self, position: Position) {
        let mut state = self.state();
        if position <= state.position {
            return;
        }
        state.position = position;
        let later = state.waiting.split_off(&Position(position.0 + 1));
        let there = std::mem::replace(&mut state.waiting, later);
        drop(state);
        for waiter in there.into_values().flatten() {
            // it may have given up
            let _ = waiter.send(());
        }
    }

    /// What to wait for; `None` when the position is reached already.
    pub(super) fn wait(&self, position: Position) -> Option<oneshot::Receiver<()>> {
        let mut state = self.state();
        if position <= state.position {
            return None;
        }
        let (told, waiting) = oneshot::channel();
        let waiters = state.waiting.entry(position).or_default();
        waiters.retain(|waiter| !waiter.is_closed());
        waiters.push(told);
        Some(waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_is_woken_when_the_position_is_reached() {
        let reached = Reached::default();
        let mut near = reached.wait(Position(3)).expect("nothing is reached yet");
        let mut far = reached.wait(Position(5)).expect("nothing is reached yet");
        reached.saw(Position(4));
        assert_eq!((near.try_recv(), far.try_recv().is_err()), (Ok(()), true));
        reached.saw(Position(2));
        assert!(reached.wait(Position(4)).is_none(), "what was reached stays reached");
        reached.saw(Position(5));
        assert_eq!(far.try_recv(), Ok(()));
    }
}
