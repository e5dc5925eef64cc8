//! The newest events, kept as they were committed: those who follow the log at its head need not
//! ask the file for what the sequencer had in its hands a moment ago.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use events::recorded::Position;

use crate::event_log::Stored;

const MOST_EVENTS: usize = 4096;
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// Committed events without a gap between them; what is older is in the file only.
#[derive(Default)]
pub(super) struct Tail(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    events: VecDeque<Arc<Stored>>,
    bytes: usize,
}

impl Tail {
    /// Takes what was just committed, in order.
    pub(super) fn extend(&self, committed: impl IntoIterator<Item = Stored>) {
        let mut kept = self.0.lock().expect("nothing panics with the lock held");
        for event in committed {
            let next = kept.events.back().map(|last| Position(last.position.0 + 1));
            if next.is_some_and(|next| next != event.position) {
                *kept = Kept::default();
            }
            kept.bytes += size(&event);
            kept.events.push_back(Arc::new(event));
        }
        while kept.events.len() > MOST_EVENTS || kept.bytes > MOST_BYTES {
            let Some(oldest) = kept.events.pop_front() else { break };
            kept.bytes -= size(&oldest);
        }
    }

    /// What comes after a position, in order; `None` when some of it, up to `head`, is not here.
    pub(super) fn after(
        &self,
        after: Position,
        head: Position,
        limit: usize,
    ) -> Option<Vec<Stored>> {
        let found: Vec<Arc<Stored>> = {
            let kept = self.0.lock().expect("nothing panics with the lock held");
            let first = kept.events.front()?.position.0;
            let last = kept.events.back()?.position;
            if last < head || after > last {
                return None;
            }
            let passed = usize::try_from((after.0 + 1).checked_sub(first)?).ok()?;
            kept.events.iter().skip(passed).take(limit).cloned().collect()
        };
        Some(found.iter().map(|event| Stored::clone(event)).collect())
    }
}

pub(super) fn size(event: &Stored) -> usize {
    event.line.len() + event.sealed.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(position: u64) -> Stored {
        Stored { position: Position(position), line: vec![b'l'; 4096], sealed: vec![] }
    }

    fn after(tail: &Tail, after: u64, head: u64, limit: usize) -> Option<Vec<u64>> {
        let found = tail.after(Position(after), Position(head), limit)?;
        Some(found.iter().map(|event| event.position.0).collect())
    }

    #[test]
    fn what_was_committed_is_found_after_its_predecessor() {
        let tail = Tail::default();
        assert_eq!(after(&tail, 0, 0, 9), None);
        tail.extend([5, 6, 7].map(stored));
        assert_eq!(after(&tail, 4, 7, 9), Some(vec![5, 6, 7]));
        assert_eq!(after(&tail, 5, 7, 1), Some(vec![6]));
        assert_eq!(after(&tail, 7, 7, 9), Some(vec![]));
    }

    #[test]
    fn what_is_not_all_here_is_left_to_the_file() {
        let tail = Tail::default();
        tail.extend([5, 6, 7].map(stored));
        assert_eq!(after(&tail, 3, 7, 9), None);
        assert_eq!(after(&tail, 6, 8, 9), None);
        assert_eq!(after(&tail, 8, 7, 9), None);
        tail.extend([stored(9)]);
        assert_eq!(after(&tail, 6, 9, 9), None);
        assert_eq!(after(&tail, 8, 9, 9), Some(vec![9]));
    }

    #[test]
    fn the_oldest_make_room() {
        let tail = Tail::default();
        tail.extend((1..=3000).map(stored));
        assert_eq!(after(&tail, 0, 3000, 1), None);
        assert_eq!(after(&tail, 2999, 3000, 9), Some(vec![3000]));
    }
}
