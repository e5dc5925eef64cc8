//! The trees over the logs: heads, roots of any earlier size, and proofs. What is complete in a tree
//! never changes, so a proof is made of rows read one after the other beside one head.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use events::recorded::Position;
use events::stream::Stream;
use events::tree::{self, Hash, Outline, Place, places_of_root};
use projections::ledger::{self, Head, Source, Tile};
use projections::{Impossible, Key};

use super::Error;
use crate::App;
use crate::failure::Failure;

/// The trees must show a position within this time.
const WITHIN: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const PAGE: usize = 1000;

/// The tree over one log, as it stood when it was asked for.
pub(crate) struct Tree {
    stream: Stream,
    head: Head,
}

#[derive(Debug, thiserror::Error)]
#[error("the trees over the logs do not come to position {0}")]
struct NotReached(Position);

#[derive(Debug, thiserror::Error)]
#[error("the tree over {0} does not come to the last line")]
struct Behind(Stream);

#[derive(Debug, thiserror::Error)]
#[error("a node of the tree over {0} is missing")]
struct Missing(Stream);

fn broken(error: Impossible) -> Error {
    Error::Failed(Failure::Broken(error.into()))
}

/// Where the trees stand.
async fn position(app: &App) -> Result<Position, Error> {
    super::known_rows(app).await?;
    let known = app.read_store.progress().await?;
    let known = known.into_iter().find(|known| known.name == ledger::NAME);
    Ok(known.map_or(Position::default(), |known| known.position))
}

/// Waits a while for the trees; `late` says where they do not come.
async fn in_time(
    reached: impl Future<Output = Result<(), Error>>,
    late: impl std::error::Error + Send + Sync + 'static,
) -> Result<(), Error> {
    tokio::time::timeout(WITHIN, reached)
        .await
        .unwrap_or_else(|_| Err(Error::Failed(Failure::Unavailable(late.into()))))
}

/// Comes back when the trees show a position.
pub(crate) async fn reach(app: &App, wanted: Position) -> Result<(), Error> {
    let reached = async {
        while position(app).await? < wanted {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    };
    in_time(reached, NotReached(wanted)).await
}

/// Comes back when the tree over a log has so many lines.
pub(crate) async fn reach_size(app: &App, stream: Stream, lines: u64) -> Result<(), Error> {
    let reached = async {
        while Tree::of(app, stream).await?.size() < lines {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    };
    in_time(reached, Behind(stream)).await
}

/// The heads of all logs that have grown since, in the order in which they last did.
pub(crate) async fn heads_since(app: &App, since: Position) -> Result<Vec<(Stream, Head)>, Error> {
    super::known_rows(app).await?;
    let mut heads = Vec::new();
    let mut after = ledger::grown_since(since);
    loop {
        let page = app.read_store.page(ledger::NAME, ledger::HEADS, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(heads) };
        after.clone_from(&last.sort);
        for row in page {
            heads.push(named(&row.body)?);
        }
    }
}

fn named(body: &str) -> Result<(Stream, Head), Error> {
    let head = Head::read(body).map_err(broken)?;
    Ok((head.stream, head))
}

/// The heads of all logs at one moment.
pub(crate) async fn all_heads(app: &App) -> Result<BTreeMap<Stream, Head>, Error> {
    super::known_rows(app).await?;
    // one statement, and so one moment
    let all = app.read_store.page(ledger::NAME, ledger::HEADS, "", usize::MAX >> 1).await?;
    all.iter().map(|row| named(&row.body)).collect()
}

/// One line of a log, as it was recorded. `None` where the log ends before.
pub(crate) async fn line(app: &App, stream: Stream, version: u64) -> Result<Option<String>, Error> {
    let stored = app.log.read_stream(&stream, version, 1).await.map_err(Failure::from)?;
    let text = stored.into_iter().next().map(|stored| String::from_utf8(stored.line));
    text.transpose().map_err(|error| Error::Failed(Failure::Broken(error.into())))
}

impl Tree {
    pub(crate) async fn of(app: &App, stream: Stream) -> Result<Self, Error> {
        super::known_rows(app).await?;
        let body = app.read_store.row(ledger::NAME, &Head::key(&stream)).await?;
        let head = body.map(|body| Head::read(&body)).transpose().map_err(broken)?;
        let head = head.unwrap_or_else(|| Head::of(stream));
        Ok(Self { stream, head })
    }

    /// How many lines it is over.
    pub(crate) fn size(&self) -> u64 {
        self.head.size
    }

    /// The root over the first lines, as many as this. `None` when it is over fewer.
    pub(crate) async fn root(&self, app: &App, size: u64) -> Result<Option<Hash>, Error> {
        if size > self.size() {
            return Ok(None);
        }
        let places = places_of_root(size);
        let nodes = self.nodes(app, places.iter().copied()).await?;
        let hashes: Vec<Hash> = places.iter().map(|place| nodes[place]).collect();
        Ok(Some(tree::joined(&hashes)))
    }

    /// The hashes of a proof within it. `None` when it is over fewer lines.
    pub(crate) async fn proof(
        &self,
        app: &App,
        outline: &Outline,
    ) -> Result<Option<Vec<Hash>>, Error> {
        let nodes = self.nodes(app, outline.places()).await?;
        Ok(outline.filled(|place| nodes.get(&place).copied()))
    }

    async fn nodes(
        &self,
        app: &App,
        places: impl IntoIterator<Item = Place>,
    ) -> Result<HashMap<Place, Hash>, Error> {
        let sources: Vec<_> = places.into_iter().map(|place| (place, Source::of(place))).collect();
        let mut wanted: Vec<Tile> =
            sources.iter().filter_map(|(_, source)| source.tile(&self.head)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let keys: Vec<Key> = wanted.iter().map(|tile| tile.key(&self.stream)).collect();
        let rows = app.read_store.rows(ledger::NAME, &keys).await?;
        let mut tiles = HashMap::with_capacity(wanted.len());
        for (tile, key) in wanted.into_iter().zip(&keys) {
            let body = rows.get(key).ok_or_else(|| self.missing())?;
            tiles.insert(tile, ledger::read_tile(body).map_err(broken)?);
        }
        let hash = |(place, source): (Place, Source)| {
            source.hash(&self.head, &tiles).map(|hash| (place, hash)).ok_or_else(|| self.missing())
        };
        sources.into_iter().map(hash).collect()
    }

    fn missing(&self) -> Error {
        Error::Failed(Failure::Broken(Missing(self.stream).into()))
    }
}
