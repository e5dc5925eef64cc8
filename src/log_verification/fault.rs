//! What is wrong with a log, and where.

use std::fmt;

use events::chain::Broken;
use events::id::PacketId;
use events::recorded::Position;
use events::stream::Stream;
use events::tree::Hash;

/// What a line is compared with, in the order in which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Bytes,
    Chain,
    Tree,
    SignedHeads,
    Seals,
    Packets,
}

impl Stage {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Chain => "chain",
            Self::Tree => "tree",
            Self::SignedHeads => "signed heads",
            Self::Seals => "seals",
            Self::Packets => "packets",
        }
    }
}

/// As exactly as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) stream: Option<Stream>,
    pub(crate) version: Option<u64>,
    pub(crate) position: Option<Position>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stream = self.stream.map(|stream| format!("stream {stream}"));
        let version = self.version.map(|version| format!("version {version}"));
        let position = self.position.map(|position| format!("position {position}"));
        let parts: Vec<String> = [stream, version, position].into_iter().flatten().collect();
        f.write_str(&parts.join(", "))
    }
}

/// The first thing that is wrong with a log.
#[derive(Debug, thiserror::Error)]
#[error("{}: {place}: {kind}", stage.as_str())]
pub struct Fault {
    pub(crate) stage: Stage,
    pub(crate) place: Place,
    pub(crate) kind: Box<Kind>,
}

impl Fault {
    pub(super) fn new(stage: Stage, place: Place, kind: Kind) -> Self {
        Self { stage, place, kind: Box::new(kind) }
    }
}

/// A head of a log that somebody remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Witness {
    Ledger,
    Signer,
    Packet(PacketId),
}

impl Witness {
    pub(super) fn stage(self) -> Stage {
        match self {
            Self::Ledger => Stage::Tree,
            Self::Signer => Stage::SignedHeads,
            Self::Packet(_) => Stage::Packets,
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ledger => f.write_str("the ledger"),
            Self::Signer => f.write_str("the signer"),
            Self::Packet(packet) => write!(f, "the packet {packet}"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error("no event is there")]
    Missing,
    #[error("the store finds it damaged: {0}")]
    Store(String),
    #[error("it cannot be read as a line")]
    Unreadable,
    #[error("the store keeps it under another {0} than the line says")]
    Column(&'static str),
    #[error(transparent)]
    Chain(#[from] Broken),
    #[error("the line cannot be read as an event")]
    NoEvent,
    #[error("the first {size} lines have the root {found}; {by} knows {known}")]
    Root { by: Witness, size: u64, known: Hash, found: Hash },
    #[error("the log has {found} lines; {by} knows {known}")]
    Shrank { by: Witness, known: u64, found: u64 },
    #[error("line {size} stands at another position than the ledger knows: {known}")]
    Moved { size: u64, known: Position },
    #[error("the ledger has passed it, and knows {known} lines only")]
    NotInLedger { known: u64 },
    #[error("what the ledger knows of a log cannot be read")]
    Ledger,
    #[error("heads of the logs of {0} were signed, and none of this one")]
    OtherName(String),
    #[error(
        "{count} logs with the root {known} were sealed; as they stand at position {at}, {found} \
         logs have the root {root}"
    )]
    Seal { at: Position, count: u64, known: String, found: u64, root: Hash },
    #[error(
        "all logs were sealed up to position {0}, and it stands before that: lines are missing"
    )]
    SealPosition(String),
    #[error("the packet {0} cannot be read")]
    NoPacket(PacketId),
    #[error("no key that was published signed the packet {0}, or it was compromised by then")]
    Unsigned(PacketId),
    #[error("the packet {0} was not asked for there")]
    NotAskedFor(PacketId),
}
