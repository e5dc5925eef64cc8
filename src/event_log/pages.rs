//! The whole log, page by page, with the next pages on their way while one is worked on.

use std::collections::VecDeque;
use std::sync::Arc;

use events::recorded::Position;
use tokio::task::JoinHandle;

use super::{EventLog, Page, ReadError};

/// Pages asked for before they are needed, where it is known in advance where each begins. Two keep
/// the store busy while one of them is on the wire.
const AHEAD: usize = 2;

pub struct Pages {
    log: Arc<EventLog>,
    limit: usize,
    after: Position,
    ahead: VecDeque<Ahead>,
}

/// A page on its way.
struct Ahead {
    after: Position,
    page: JoinHandle<Result<Page, ReadError>>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.page.abort();
    }
}

impl Pages {
    /// Pages of at most `limit` events, beginning strictly after a position.
    pub fn after(log: &Arc<EventLog>, after: Position, limit: usize) -> Self {
        Self { log: Arc::clone(log), limit, after, ahead: VecDeque::new() }
    }

    /// The next page. At the head it is empty, and asking again looks again.
    pub async fn next(&mut self) -> Result<Page, ReadError> {
        // what was asked for at another place than the one that was reached is not the next page
        let ahead = self.ahead.pop_front().filter(|ahead| ahead.after == self.after);
        let page = match ahead {
            Some(mut ahead) => (&mut ahead.page).await.map_err(ReadError::unavailable)?,
            None => {
                self.ahead.clear();
                self.log.read_all(self.after, self.limit).await
            }
        }?;
        self.after = page.next;
        if page.at_head {
            self.ahead.clear();
        } else {
            self.ask_ahead();
        }
        Ok(page)
    }

    fn ask_ahead(&mut self) {
        let most = if self.log.is_gapless() { AHEAD } else { 1 };
        while self.ahead.len() < most {
            // a full page ends so many positions further
            let after = match self.ahead.back() {
                Some(last) => Position(last.after.0 + self.limit as u64),
                None => self.after,
            };
            let (log, limit) = (Arc::clone(&self.log), self.limit);
            let page = tokio::spawn(async move { log.read_all(after, limit).await });
            self.ahead.push_back(Ahead { after, page });
        }
    }
}
