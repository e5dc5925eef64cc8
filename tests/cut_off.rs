//! A command that is cut off on its way, in each way that this can happen, and then repeated by
//! somebody who does not know what became of it.

use crate::people::Answer;
use crate::server::{Installation, Node};

/// Every place where a command can be cut off, from being received to being answered.
pub(crate) const PLACES: [&str; 4] =
    ["log.received", "log.inserted", "log.committed", "log.answered"];
const PUBLIC: (&str, &str) = ("CHANCERY_PUBLIC_URL", "https://org.example.com");

/// What happens at the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// The server stops dead, and is killed.
    Block,
    /// The server ends by itself.
    Abort,
    /// The server falls asleep, and goes on when the caller has gone.
    Sleep,
}

const WAYS: [How; 3] = [How::Block, How::Abort, How::Sleep];

/// A server whose next command is cut off at a place, one command in one way, the next in another.
pub(crate) struct CutOff<'a> {
    on: &'a Installation,
    place: &'static str,
    node: Node,
    /// Of all orders to all of them.
    number: usize,
}

pub(crate) async fn starts(on: &Installation) -> Node {
    on.launch(0, &[PUBLIC]).serving().await
}

/// The places by which the installation's program comes, with their numbers.
pub(crate) fn places(on: &Installation) -> impl Iterator<Item = (usize, &'static str)> {
    PLACES.into_iter().filter(|place| on.passes(place)).enumerate()
}

impl<'a> CutOff<'a> {
    /// At the place with this number, so that each place sees a command in each way.
    pub(crate) fn at(
        (number, place): (usize, &'static str),
        on: &'a Installation,
        node: Node,
    ) -> Self {
        Self { on, place, node, number }
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    pub(crate) fn into_node(self) -> Node {
        self.node
    }

    /// Gives an order that is cut off, and gives it twice more, to a server that does not: the
    /// answers must be one. Gives that answer.
    pub(crate) async fn gives(
        mut self,
        order: impl AsyncFn(&Node) -> Result<Answer, reqwest::Error>,
    ) -> (Self, Answer) {
        let how = WAYS[self.number % WAYS.len()];
        self.number += 1;
        let place = self.place;
        self.node.stop().await;
        let name = match how {
            How::Block => "block",
            How::Abort => "abort",
            How::Sleep => "sleep",
        };
        let failing = [PUBLIC, ("CHANCERY_FAIL_POINT", place), ("CHANCERY_FAIL_HOW", name)];
        let mut node = self.on.launch(0, &failing).serving().await;
        let there = format!("reached {place}");
        tokio::select! {
            _ = node.until_it_says(&there) => {}
            // the last place is reached while the answer is on its way
            _ = order(&node) => drop(node.until_it_says(&there).await),
        }
        self.node = match how {
            How::Block => {
                node.kill();
                starts(self.on).await
            }
            How::Abort => {
                assert!(!node.ended().await.success(), "it was cut off");
                starts(self.on).await
            }
            How::Sleep => {
                node.resume();
                node
            }
        };
        let mut first = order(&self.node).await.expect("the node answers");
        // what fell asleep may not have ended
        while how == How::Sleep && is_in_progress(&first) {
            first = order(&self.node).await.expect("the node answers");
        }
        let again = order(&self.node).await.expect("the node answers");
        assert!(again.is_replayed(), "{place}, {how:?}: {again:?}");
        assert_eq!(told(&again), told(&first), "{place}, {how:?}");
        (self, again)
    }
}

fn is_in_progress(answer: &Answer) -> bool {
    answer.status == 409 && answer.refusal().1 == "idempotency_in_progress"
}

/// What must be the same in each answer to one command.
fn told(answer: &Answer) -> (u16, [Option<&str>; 3], &[u8]) {
    let headers = ["position", "etag", "location"].map(|name| answer.header(name));
    (answer.status, headers, &answer.bytes)
}
