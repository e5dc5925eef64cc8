//! The Merkle tree over the lines of one log (RFC 6962, section 2.1; SHA-256): its root stands for
//! all of them, and short proofs show that a line is in it, or that an older tree is its beginning.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A node of the tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// More levels than a tree can have.
const LEVELS: usize = 64;

impl Hash {
    /// Of a line, as a leaf.
    pub fn of_leaf(line: &[u8]) -> Self {
        Self(Sha256::new().chain_update([0]).chain_update(line).finalize().into())
    }

    /// Of the tree that has these two as its halves.
    pub fn of_node(left: Self, right: Self) -> Self {
        let hash = Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0);
        Self(hash.finalize().into())
    }

    /// The root of a tree without leaves.
    pub fn of_nothing() -> Self {
        Self(Sha256::digest(b"").into())
    }
}

/// Base64, as checkpoints write it.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 32 bytes in base64")]
pub struct InvalidHash;

impl FromStr for Hash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let bytes = STANDARD.decode(text).map_err(|_| InvalidHash)?;
        bytes.try_into().map(Self).map_err(|_| InvalidHash)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::wire::parsed(deserializer)
    }
}

/// The perfect subtrees of a growing tree, largest first: all it takes to know its root and to grow
/// on. At most one for each bit of its size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    size: u64,
    subtrees: Vec<Hash>,
}

/// A perfect subtree: `index` counts those of its height from the left. Height 0 is a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub height: u32,
    pub index: u64,
}

impl Edge {
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next leaf, and shows every subtree that it completes, itself first.
    pub fn push(&mut self, leaf: Hash, mut completed: impl FnMut(Place, Hash)) {
        let (mut node, mut place) = (leaf, Place { height: 0, index: self.size });
        completed(place, node);
        while self.size >> place.height & 1 == 1 {
            let left = self.subtrees.pop().expect("one subtree for each bit of the size");
            node = Hash::of_node(left, node);
            place = Place { height: place.height + 1, index: place.index >> 1 };
            completed(place, node);
        }
        self.subtrees.push(node);
        self.size += 1;
    }

    pub fn root(&self) -> Hash {
        joined(&self.subtrees)
    }
}

/// The root over subtrees that stand side by side, largest first.
pub fn joined(subtrees: &[Hash]) -> Hash {
    let mut from_the_right = subtrees.iter().rev();
    let Some(smallest) = from_the_right.next() else { return Hash::of_nothing() };
    from_the_right.fold(*smallest, |right, left| Hash::of_node(*left, right))
}

/// The root over these leaves.
pub fn root(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    let mut edge = Edge::default();
    for leaf in leaves {
        edge.push(leaf, |_, _| ());
    }
    edge.root()
}

/// The perfect subtrees that make up leaves `from..to`, from left to right, where `from` is a place
/// at which RFC 6962 splits a tree.
fn cover(mut from: u64, to: u64) -> Vec<Place> {
    let mut places = Vec::new();
    while from < to {
        let fits = (to - from).ilog2();
        let height = if from == 0 { fits } else { fits.min(from.trailing_zeros()) };
        places.push(Place { height, index: from >> height });
        from += 1 << height;
    }
    places
}

/// The places whose hashes make the root of the tree of this size.
pub fn places_of_root(size: u64) -> Vec<Place> {
    cover(0, size)
}

/// One hash of a proof: made of the hashes at these places, largest first.
type Part = Vec<Place>;

/// What a proof is made of, before anybody has looked the hashes up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline(Vec<Part>);

impl Outline {
    /// That leaf `index` is in the tree of this size. `None` when it is not.
    pub fn of_inclusion(index: u64, size: u64) -> Option<Self> {
        (index < size).then(|| {
            let mut parts = Vec::new();
            let (mut from, mut to) = (0, size);
            while to - from > 1 {
                let middle = from + split(to - from);
                if index < middle {
                    parts.push(cover(middle, to));
                    to = middle;
                } else {
                    parts.push(cover(from, middle));
                    from = middle;
                }
            }
            parts.reverse();
            Self(parts)
        })
    }

    /// That the tree of size `from` is the beginning of the tree of size `to`. `None` where it is
    /// larger.
    pub fn of_consistency(from: u64, to: u64) -> Option<Self> {
        if from > to {
            return None;
        }
        if from == 0 || from == to {
            return Some(Self(Vec::new()));
        }
        let mut parts = Vec::new();
        let (mut begin, mut end) = (0, to);
        // RFC 6962, 2.1.2: whether the old tree is a subtree that the reader knows the root of
        let mut is_known = true;
        while from != end {
            let middle = begin + split(end - begin);
            if from <= middle {
                parts.push(cover(middle, end));
                end = middle;
            } else {
                parts.push(cover(begin, middle));
                begin = middle;
                is_known = false;
            }
        }
        if !is_known {
            parts.push(cover(begin, end));
        }
        parts.reverse();
        Some(Self(parts))
    }

    /// Every place to look up.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        self.0.iter().flatten().copied()
    }

    /// The proof, given what stands at each place; `None` when one of them is not there.
    pub fn filled(&self, at: impl Fn(Place) -> Option<Hash>) -> Option<Vec<Hash>> {
        let filled = self.0.iter().map(|part| {
            let hashes: Option<Vec<Hash>> = part.iter().map(|place| at(*place)).collect();
            hashes.map(|hashes| joined(&hashes))
        });
        filled.collect()
    }
}

/// The largest power of two smaller than this number of leaves, which is more than one.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    #[error("the leaf is not within the tree")]
    OutOfRange,
    #[error("the proof has another length")]
    Length,
    #[error("the proof leads to another root")]
    Root,
}

/// Checks that a leaf is in the tree of this size and root (RFC 9162, 2.1.3.2).
pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: Hash,
) -> Result<(), Unproven> {
    if index >= size {
        return Err(Unproven::OutOfRange);
    }
    if proof.len() > LEVELS {
        return Err(Unproven::Length);
    }
    let (mut place, mut last, mut node) = (index, size - 1, leaf);
    for sibling in proof {
        if last == 0 {
            return Err(Unproven::Length);
        }
        if place & 1 == 1 || place == last {
            node = Hash::of_node(*sibling, node);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            node = Hash::of_node(node, *sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(Unproven::Length);
    }
    if node == root { Ok(()) } else { Err(Unproven::Root) }
}

/// Checks that the tree `old` is the beginning of the tree `new` (RFC 9162, 2.1.4.2).
pub fn verify_consistency(
    old: (u64, Hash),
    new: (u64, Hash),
    proof: &[Hash],
) -> Result<(), Unproven> {
    let ((from, old_root), (to, new_root)) = (old, new);
    if from > to {
        return Err(Unproven::OutOfRange);
    }
    if from == to || from == 0 {
        if !proof.is_empty() {
            return Err(Unproven::Length);
        }
        let expected = if from == 0 { Hash::of_nothing() } else { new_root };
        return if old_root == expected { Ok(()) } else { Err(Unproven::Root) };
    }
    if proof.len() > 2 * LEVELS {
        return Err(Unproven::Length);
    }
    let (mut place, mut last) = (from - 1, to - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    let mut hashes = proof.iter().copied();
    let first = if from.is_power_of_two() { Some(old_root) } else { hashes.next() };
    let mut of_old = first.ok_or(Unproven::Length)?;
    let mut of_new = of_old;
    for sibling in hashes {
        if last == 0 {
            return Err(Unproven::Length);
        }
        if place & 1 == 1 || place == last {
            of_old = Hash::of_node(sibling, of_old);
            of_new = Hash::of_node(sibling, of_new);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            of_new = Hash::of_node(of_new, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(Unproven::Length);
    }
    if of_old == old_root && of_new == new_root { Ok(()) } else { Err(Unproven::Root) }
}

#[cfg(test)]
mod tests;
