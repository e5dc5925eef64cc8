//! Seals all organizations' logs at once: one event on the platform's stream with the root over
//! their heads. An organization that is dropped, or put back as it was, is missed there.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use events::platform::Command;
use events::recorded::Actor;
use events::stream::Stream;
use events::tree::{self, Edge, Hash, Outline, Place};
use serde::Serialize;

use crate::failure::Failure;
use crate::query::ledger;
use crate::{App, execute, query, signer};

/// While anything changes, all logs are sealed so often.
const EVERY: Duration = Duration::from_hours(1);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Signer(#[from] signer::Error),
    #[error(transparent)]
    Query(#[from] query::Error),
    #[error("all logs cannot be sealed")]
    Execute(#[from] execute::Error),
}

/// One organization's log in a seal; its canonical form is the leaf.
#[derive(Clone, Debug, Serialize)]
struct Leaf {
    root: Hash,
    size: u64,
    stream: Stream,
}

impl Leaf {
    fn line(&self) -> String {
        // plain members in order: its JSON is its canonical form
        serde_json::to_string(self).expect("strings are JSON")
    }
}

/// The root over the heads of organizations' logs, in the order of their streams.
pub(crate) fn root_over(heads: impl Iterator<Item = (Stream, u64, Hash)>) -> Hash {
    tree::root(heads.map(|(stream, size, root)| {
        let line = Leaf { root, size, stream }.line();
        Hash::of_leaf(line.as_bytes())
    }))
}

/// All organizations' heads at one moment.
pub(crate) struct Seal {
    leaves: BTreeMap<Stream, Leaf>,
    /// Of the event, on the platform's stream.
    pub(crate) version: u64,
}

/// That one organization's log stood among all.
pub(crate) struct Sealed {
    pub(crate) leaf: String,
    /// How many lines it had.
    pub(crate) size: u64,
    pub(crate) index: u64,
    pub(crate) count: u64,
    pub(crate) proof: Vec<Hash>,
}

impl Seal {
    pub(crate) fn of(&self, stream: &Stream) -> Option<Sealed> {
        let (mut edge, mut nodes) = (Edge::default(), HashMap::new());
        let mut found = None;
        for (index, (of, leaf)) in (0..).zip(&self.leaves) {
            let line = leaf.line();
            edge.push(Hash::of_leaf(line.as_bytes()), |place, hash| {
                nodes.insert(place, hash);
            });
            if of == stream {
                found = Some((line, leaf.size, index));
            }
        }
        let (leaf, size, index) = found?;
        let count = edge.size();
        let outline = Outline::of_inclusion(index, count)?;
        let proof = outline.filled(|place: Place| nodes.get(&place).copied())?;
        Some(Sealed { leaf, size, index, count, proof })
    }
}

/// Seals all logs as they stand now. Where nothing has changed, the last seal serves.
pub(crate) async fn seal(app: &App) -> Result<Seal, Error> {
    loop {
        let heads = ledger::all_heads(app).await?;
        let position = heads.values().map(|head| head.position).max().unwrap_or_default();
        let leaves: BTreeMap<Stream, Leaf> = heads
            .into_iter()
            .filter(|(stream, _)| matches!(stream, Stream::Organization(_)))
            .map(|(stream, head)| {
                let leaf = Leaf { root: head.root(), size: head.size, stream };
                (stream, leaf)
            })
            .collect();
        let lines = leaves.values().map(|leaf| Hash::of_leaf(leaf.line().as_bytes()));
        let root = tree::root(lines);
        let order = execute::fresh_order(app, Actor::System);
        let command = Command::Seal {
            count: leaves.len() as u64,
            root: root.to_string(),
            position: position.to_string(),
        };
        let done = execute::platform::order(app, &order, &command, |_| ()).await?;
        ledger::reach(app, done.position).await?;
        let entry = app.platform.current(&app.log, Stream::Platform).await.map_err(Failure::from);
        let entry = entry.map_err(query::Error::from)?;
        let last = entry.read().state.seal().cloned();
        // another node may have sealed a later moment meanwhile
        if let Some(last) = last.filter(|last| last.root == root.to_string()) {
            return Ok(Seal { leaves, version: last.version });
        }
    }
}

/// Seals all logs when the last seal is old and something has changed since.
pub(crate) async fn seal_when_due(app: &App) -> Result<(), Error> {
    let entry = app.platform.current(&app.log, Stream::Platform).await.map_err(Failure::from);
    let entry = entry.map_err(query::Error::from)?;
    let last = entry.read().state.seal().map(|seal| seal.at);
    if last.is_some_and(|at| at.after(EVERY) > app.clock.now()) {
        return Ok(());
    }
    seal(app).await.map(drop)
}
