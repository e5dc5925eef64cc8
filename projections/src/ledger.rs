//! The Merkle trees over the logs that are proven: those of organizations, and the platform's. Each
//! log has one row for its head, which holds what is not complete yet, and one for each complete
//! tile of its tree: eight nodes side by side, which never change again.
//!
//! It is not one of the models that advance together: it takes lines, not events, and a command
//! need not wait for it.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use events::recorded::Position;
use events::stream::Stream;
use events::tree::{self, Hash, Place};
use serde::{Deserialize, Serialize};

use crate::{Impossible, Key, Written};

pub const NAME: &str = "ledger";
pub const VERSION: u32 = 1;
/// The scope of all heads; they stand in the order in which their logs last grew.
pub const HEADS: &str = "heads";
/// A tile has the nodes of one height below one node that is so much higher.
const HEIGHT: u32 = 3;
const WIDTH: u64 = 1 << HEIGHT;

/// One line of a log, on its way into the log's tree.
#[derive(Clone, Copy, Debug)]
pub struct Leaf {
    pub position: Position,
    pub stream: Stream,
    pub version: u64,
    pub hash: Hash,
}

/// Whether a log's lines are proven by a tree of their own.
pub fn has_tree(stream: &Stream) -> bool {
    match stream {
        Stream::Organization(_) | Stream::Platform => true,
        Stream::Account(_) | Stream::Address(_) | Stream::Usage(_) => false,
    }
}

/// How far a log's tree has grown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub stream: Stream,
    pub size: u64,
    /// Of the last line.
    pub position: Position,
    /// The nodes of each level that are in no complete tile yet: of height 0, 3, 6, …
    levels: Vec<Vec<Hash>>,
}

/// A complete tile: level and index, counted from the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    level: u32,
    index: u64,
}

impl Tile {
    /// Where its nodes are stored, of the log's tree.
    pub fn key(self, stream: &Stream) -> Key {
        Key::new(stream, format_args!("{}-{}", self.level, self.index))
    }
}

/// Where the hash at a place comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    tile: Tile,
    /// The first of the nodes it is made of, within the tile.
    first: usize,
    /// How many.
    count: usize,
}

impl Source {
    pub fn of(place: Place) -> Self {
        let (level, above) = (place.height / HEIGHT, place.height % HEIGHT);
        let first = place.index << above;
        let tile = Tile { level, index: first / WIDTH };
        let within = usize::try_from(first % WIDTH).expect("less than the width of a tile");
        Self { tile, first: within, count: 1 << above }
    }

    /// The tile to look up, where the head does not know the nodes itself.
    pub fn tile(self, head: &Head) -> Option<Tile> {
        (!head.holds(self.tile)).then_some(self.tile)
    }

    /// The hash, from the nodes of its tile or from the head. `None` when they are not there.
    pub fn hash<S: BuildHasher>(
        self,
        head: &Head,
        tiles: &HashMap<Tile, Vec<Hash>, S>,
    ) -> Option<Hash> {
        let nodes = if head.holds(self.tile) {
            head.levels.get(self.tile.level as usize)?
        } else {
            tiles.get(&self.tile)?
        };
        Some(joined(nodes.get(self.first..self.first + self.count)?.to_vec()))
    }
}

impl Head {
    /// Of a log without lines.
    pub fn of(stream: Stream) -> Self {
        Self { stream, size: 0, position: Position::default(), levels: Vec::new() }
    }

    /// Whether a tile is one that is not complete yet.
    fn holds(&self, tile: Tile) -> bool {
        // so many nodes of this level there are
        let nodes = self.size.checked_shr(tile.level * HEIGHT).unwrap_or(0);
        tile.index == nodes / WIDTH
    }

    /// Takes the next leaf, and shows every tile that it completes.
    fn push(&mut self, leaf: Hash, completed: &mut impl FnMut(Tile, Vec<Hash>)) {
        let (mut node, mut level) = (leaf, 0);
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let nodes = &mut self.levels[level];
            nodes.push(node);
            if (nodes.len() as u64) < WIDTH {
                break;
            }
            let full = std::mem::take(nodes);
            node = joined(full.clone());
            let height = HEIGHT * u32::try_from(level).expect("few levels");
            let tile = Tile { level: height / HEIGHT, index: self.size >> (height + HEIGHT) };
            completed(tile, full);
            level += 1;
        }
        self.size += 1;
    }

    /// The root over all lines.
    pub fn root(&self) -> Hash {
        let mut subtrees = Vec::new();
        for nodes in self.levels.iter().rev() {
            let mut rest = nodes.as_slice();
            while !rest.is_empty() {
                let (perfect, smaller) = rest.split_at(1 << rest.len().ilog2());
                subtrees.push(joined(perfect.to_vec()));
                rest = smaller;
            }
        }
        tree::joined(&subtrees)
    }

    /// The same of a head that may be no head at all; `None` when it is none.
    pub fn checked_root(&self) -> Option<Hash> {
        let mut size = 0_u64;
        for nodes in self.levels.iter().rev() {
            let nodes = u64::try_from(nodes.len()).ok().filter(|nodes| *nodes < WIDTH)?;
            size = size.checked_mul(WIDTH)?.checked_add(nodes)?;
        }
        (size == self.size).then(|| self.root())
    }

    pub fn key(stream: &Stream) -> Key {
        Key::new(HEADS, stream)
    }

    pub fn read(body: &str) -> Result<Self, Impossible> {
        serde_json::from_str(body).map_err(|source| Impossible::Unreadable { model: NAME, source })
    }
}

/// The node above these, which are 1, 2, 4 or 8.
fn joined(mut nodes: Vec<Hash>) -> Hash {
    while nodes.len() > 1 {
        nodes = nodes.as_chunks().0.iter().map(|[a, b]| Hash::of_node(*a, *b)).collect();
    }
    nodes[0]
}

/// The nodes of a stored tile.
pub fn read_tile(body: &str) -> Result<Vec<Hash>, Impossible> {
    serde_json::from_str(body).map_err(|source| Impossible::Unreadable { model: NAME, source })
}

/// The sort key behind which the heads stand that have grown since.
pub fn grown_since(position: Position) -> String {
    format!("{:016x}", position.0)
}

/// The heads that these leaves make grow, to be handed to [`grow`] as far as they exist.
pub fn wanted(leaves: &[Leaf]) -> Vec<Key> {
    let mut streams: Vec<&Stream> = leaves.iter().map(|leaf| &leaf.stream).collect();
    streams.sort_unstable();
    streams.dedup();
    streams.into_iter().map(Head::key).collect()
}

/// The rows to write when these leaves, in the order of their positions, are taken in.
pub fn grow<S: BuildHasher>(
    leaves: &[Leaf],
    stored: &HashMap<Key, String, S>,
) -> Result<Vec<Written>, Impossible> {
    let mut heads: BTreeMap<Stream, Head> = BTreeMap::new();
    let mut rows = Vec::new();
    for leaf in leaves {
        let head = match heads.entry(leaf.stream) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let body = stored.get(&Head::key(&leaf.stream));
                let head = body.map(|body| Head::read(body)).transpose()?;
                entry.insert(head.unwrap_or_else(|| Head::of(leaf.stream)))
            }
        };
        if leaf.version != head.size {
            return Err(Impossible::NotNext { model: NAME });
        }
        head.push(leaf.hash, &mut |tile, nodes| rows.push(row_of_tile(&leaf.stream, tile, &nodes)));
        head.position = leaf.position;
    }
    rows.extend(heads.iter().map(|(stream, head)| Written {
        key: Head::key(stream),
        sort: grown_since(head.position),
        body: Some(serde_json::to_string(head).expect("numbers and strings are JSON")),
        columns: None,
    }));
    Ok(rows)
}

fn row_of_tile(stream: &Stream, tile: Tile, nodes: &[Hash]) -> Written {
    let key = tile.key(stream);
    let sort = key.id.clone();
    let body = serde_json::to_string(nodes).expect("strings are JSON");
    Written { key, sort, body: Some(body), columns: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::tree::{self, Edge, Outline, places_of_root};

    fn leaf(version: u64) -> Leaf {
        let hash = Hash::of_leaf(&version.to_be_bytes());
        Leaf { position: Position(version + 1), stream: Stream::Platform, version, hash }
    }

    /// The rows after so many leaves, taken in runs of this length.
    fn grown(size: u64, run: usize) -> HashMap<Key, String> {
        let mut rows = HashMap::new();
        let leaves: Vec<Leaf> = (0..size).map(leaf).collect();
        for leaves in leaves.chunks(run) {
            let written = grow(leaves, &rows).expect("they are in order");
            rows.extend(written.into_iter().filter_map(|row| Some((row.key, row.body?))));
        }
        rows
    }

    fn head(rows: &HashMap<Key, String>) -> Head {
        Head::read(&rows[&Head::key(&Stream::Platform)]).expect("a head")
    }

    fn at(rows: &HashMap<Key, String>, head: &Head, place: Place) -> Option<Hash> {
        let source = Source::of(place);
        let tile = source.tile(head);
        let stored = tile.and_then(|tile| {
            let nodes = rows.get(&tile.key(&Stream::Platform))?;
            Some((tile, read_tile(nodes).expect("a tile")))
        });
        source.hash(head, &stored.into_iter().collect::<HashMap<_, _>>())
    }

    #[test]
    fn every_root_and_proof_comes_from_the_rows() {
        for size in [0, 1, 7, 8, 9, 63, 64, 65, 100, 511, 512, 513, 700] {
            let rows = grown(size, 50);
            let head = if size == 0 { Head::of(Stream::Platform) } else { head(&rows) };
            assert_eq!(head.size, size);
            assert_eq!(head.root(), tree::root((0..size).map(|it| leaf(it).hash)), "{size}");
            let mut edge = Edge::default();
            for from in 0..=size {
                let places = places_of_root(from);
                let hashes = places.iter().map(|place| at(&rows, &head, *place).expect("a node"));
                let root = hashes.rev().reduce(|right, left| Hash::of_node(left, right));
                assert_eq!(root.unwrap_or(Hash::of_nothing()), edge.root(), "{from} of {size}");
                if from < size {
                    edge.push(leaf(from).hash, |_, _| ());
                }
            }
            for index in
                [0, 1, size / 2, size.saturating_sub(1)].into_iter().filter(|it| *it < size)
            {
                let outline = Outline::of_inclusion(index, size).expect("it is within");
                let proof = outline.filled(|place| at(&rows, &head, place)).expect("all nodes");
                let leaf = leaf(index).hash;
                assert_eq!(tree::verify_inclusion(leaf, index, size, &proof, edge.root()), Ok(()));
            }
        }
    }

    #[test]
    fn it_does_not_matter_how_the_leaves_come() {
        assert_eq!(grown(300, 1), grown(300, 300));
    }

    #[test]
    fn a_leaf_that_is_not_the_next_is_refused() {
        let rows = grown(3, 3);
        assert!(grow(&[leaf(4)], &rows).is_err());
        assert!(grow(&[leaf(2)], &rows).is_err());
        assert!(grow(&[leaf(3)], &rows).is_ok());
    }
}
