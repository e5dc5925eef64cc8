//! Somebody who reads a stream of Server-Sent Events.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;
use tokio::time::timeout;

use crate::people::Ask;

/// Longer than anything takes on a busy machine; only a fault waits for it.
pub(crate) const SOON: Duration = Duration::from_mins(2);

pub(crate) struct Listener {
    response: Response,
    unread: String,
}

/// One event of a stream.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) id: u64,
    pub(crate) event: String,
    pub(crate) data: Value,
}

impl Listener {
    /// `begins` is what the comment says that the stream begins with.
    pub(crate) async fn opens(ask: Ask, begins: &str) -> Self {
        let response = ask.0.send().await.expect("the node answers");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut listener = Self { response, unread: String::new() };
        // once it has begun nothing is missed
        let begun = listener.block().await.expect("it begins");
        assert!(begun.contains(&format!(": {begins} ")), "{begun}");
        listener
    }

    /// What comes up to the next empty line; `None` at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.unread.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.unread = rest;
                return Some(block);
            }
            let chunk = timeout(SOON, self.response.chunk()).await.expect("it comes soon");
            let chunk = chunk.expect("it is not torn")?;
            self.unread.push_str(str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event; `None` at the end.
    pub(crate) async fn hears(&mut self) -> Option<Heard> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| {
                let found = block.lines().find_map(|line| line.strip_prefix(name));
                found.map(|value| value.trim_start_matches([':', ' ']).to_owned())
            };
            // comments only keep the connection
            if let (Some(id), Some(event), Some(data)) =
                (field("id"), field("event"), field("data"))
            {
                let data = serde_json::from_str(&data).unwrap();
                return Some(Heard { id: id.parse().unwrap(), event, data });
            }
        }
    }

    /// The next event, which must be this one.
    pub(crate) async fn hears_of(&mut self, id: u64) -> Heard {
        let heard = self.hears().await.expect("the stream goes on");
        assert_eq!(heard.id, id);
        heard
    }
}
