//! The whole log, page by page, with the next page on its way while one is worked on.

use std::sync::Arc;

use events::recorded::Position;
use tokio::task::JoinHandle;

use super::{EventLog, Page, ReadError};

pub struct Pages {
    log: Arc<EventLog>,
    limit: usize,
    after: Position,
    ahead: Option<JoinHandle<Result<Page, ReadError>>>,
}

impl Pages {
    /// Pages of at most `limit` events, beginning strictly after a position.
    pub fn after(log: &Arc<EventLog>, after: Position, limit: usize) -> Self {
        Self { log: Arc::clone(log), limit, after, ahead: None }
    }

    /// The next page. At the head it is empty, and asking again looks again.
    pub async fn next(&mut self) -> Result<Page, ReadError> {
        let page = match self.ahead.take() {
            Some(ahead) => ahead.await.map_err(ReadError::unavailable)?,
            None => self.log.read_all(self.after, self.limit).await,
        }?;
        self.after = page.next;
        if !page.at_head {
            let (log, after, limit) = (Arc::clone(&self.log), self.after, self.limit);
            self.ahead = Some(tokio::spawn(async move { log.read_all(after, limit).await }));
        }
        Ok(page)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if let Some(ahead) = &self.ahead {
            ahead.abort();
        }
    }
}
