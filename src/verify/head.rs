//! V7 and V8: the log's signed head is over exactly the packet's lines; events can be shown alone;
//! the log stood among all logs when they were last sealed; and it continues every head that was
//! kept from earlier.

use std::collections::BTreeMap;

use events::Event;
use events::evidence::Framework;
use events::platform;
use events::recorded::{Position, Recorded};
use events::stream::Stream;
use events::time::Time;
use events::tree::{self, Hash};
use events::wire;
use serde::Deserialize;

use super::fault::{Checked, Fault, Reason, ensure};
use super::json;
use super::keys::PinnedKeys;
use crate::note::{self, Head, Inclusion, Unreadable};
use crate::packet::statement::{Seal, Statement};
use crate::public_key::NoteKey;

/// The heads that are believed: those that one of these keys has signed.
pub(super) struct Heads {
    keys: Vec<NoteKey>,
    stream: Stream,
}

impl Heads {
    pub(super) fn of(keys: &PinnedKeys, statement: &Statement) -> Self {
        let stream = Stream::Organization(statement.predicate.organization.id);
        Self { keys: keys.note_keys(&statement.predicate.issuer.name), stream }
    }

    /// A head that was kept, of the packet's log.
    pub(super) fn kept(&self, note: &str) -> Result<Head, Unusable> {
        let (head, key) = Head::open(note, &self.keys).map_err(Unusable::Note)?;
        if head.origin != note::origin_of(&key.name, &self.stream) {
            return Err(Unusable::OtherLog(head.origin));
        }
        Ok(head)
    }

    /// V7, of the packet's own head. `at` is the time of the log's last line.
    pub(super) fn check(
        &self,
        checkpoint: &str,
        found: (u64, Hash),
        pinned: &PinnedKeys,
        at: Time,
    ) -> Checked<(Head, &NoteKey)> {
        if let Ok(claimed) = Head::claimed(checkpoint) {
            ensure((claimed.size, claimed.root) == found, Reason::Root, || {
                let (size, root) = (claimed.size, claimed.root);
                format!(
                    "the checkpoint is over {size} lines with the root {root}; the packet's {} \
                     lines have the root {}",
                    found.0, found.1
                )
            })?;
        }
        let (head, key) = Head::open(checkpoint, &self.keys).map_err(|why| {
            Fault::new(Reason::CheckpointSignature, format!("the checkpoint: {why}"))
        })?;
        let validity = pinned.log.iter().find(|pinned| pinned.key == key.key);
        ensure(
            validity.is_some_and(|it| it.validity.holds_at(at)),
            Reason::CheckpointSignature,
            || format!("the log key {} was not valid at {at}", key.key.id()),
        )?;
        let origin = note::origin_of(&key.name, &self.stream);
        ensure(head.origin == origin, Reason::CheckpointOrigin, || {
            format!("the checkpoint is of the log {:?}, not of {origin:?}", head.origin)
        })?;
        Ok((head, key))
    }

    /// That the event of this version, with this leaf, is proven for itself.
    pub(super) fn check_proof(&self, proof: &str, leaf: (u64, Hash), head: &Head) -> Checked<()> {
        let (version, leaf) = leaf;
        let proof = Inclusion::parse(proof).filter(|proof| proof.index == version);
        let proven = proof.and_then(|proof| proof.proves_leaf(leaf, &self.keys));
        ensure(proven.as_ref() == Some(head), Reason::Proof, || {
            format!("it does not prove that version {version} stands under the packet's checkpoint")
        })
    }

    /// When the log was last sealed among all logs, and at which size. `root_at` finds the root that
    /// the packet's lines have at a size.
    pub(super) fn check_seal(
        &self,
        seal: &[u8],
        head: &Head,
        root_at: impl Fn(u64) -> Option<Hash>,
    ) -> Checked<(Time, Leaf)> {
        let bad = |why: &str| Fault::new(Reason::Seal, why);
        let seal: Seal = json::read(seal)
            .ok()
            .and_then(|value| serde_json::from_value(value).ok())
            .ok_or_else(|| bad("it is no seal"))?;
        let line = seal.event.as_bytes();
        let recorded = wire::is_canonical(line)
            .then(|| wire::decode(Position::default(), line, b"").ok())
            .flatten()
            .filter(|recorded| recorded.stream == Stream::Platform)
            .ok_or_else(|| bad("its event is no line of the platform's log"))?;
        let Event::Platform(platform::Event::Sealed { count, root, .. }) = &recorded.event else {
            return Err(bad("its event seals nothing"));
        };
        let proof = Inclusion::parse(&seal.event_proof);
        let proof = proof.filter(|proof| proof.index == recorded.version);
        let platform = proof.and_then(|proof| proof.proves(line, &self.keys));
        let platform = platform.ok_or_else(|| bad("its event is not proven"))?;
        let is_of_platform =
            |key: &NoteKey| platform.origin == note::origin_of(&key.name, &Stream::Platform);
        if !self.keys.iter().any(is_of_platform) {
            return Err(bad("its event is proven under another log than the platform's"));
        }
        let root: Hash = root.parse().map_err(|_| bad("its event names no root"))?;
        let leaf = Leaf::read(&seal.leaf).ok_or_else(|| bad("its leaf is no head of a log"))?;
        if leaf.stream != self.stream {
            return Err(bad("its leaf is the head of another log"));
        }
        let leaf_hash = Hash::of_leaf(seal.leaf.as_bytes());
        let included = tree::verify_inclusion(leaf_hash, seal.index, *count, &seal.proof, root);
        if seal.count != *count || included.is_err() {
            return Err(bad("its leaf is not under the root that was sealed"));
        }
        let (sealed, packet) = ((leaf.size, leaf.root), (head.size, head.root));
        let (old, new) = if sealed.0 <= packet.0 { (sealed, packet) } else { (packet, sealed) };
        let is_prefix = sealed.0 > packet.0 || root_at(sealed.0) == Some(sealed.1);
        if !is_prefix || tree::verify_consistency(old, new, &seal.consistency).is_err() {
            return Err(bad("the head that was sealed and the packet's are not of one log"));
        }
        Ok((recorded.at, leaf))
    }
}

/// Why a head that somebody kept is of no use here.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("{0}")]
    Note(#[source] Unreadable),
    #[error("it is of another log: {0}")]
    OtherLog(String),
}

/// A log's head among those that were sealed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Leaf {
    root: Hash,
    pub(super) size: u64,
    stream: Stream,
}

impl Leaf {
    fn read(text: &str) -> Option<Self> {
        wire::is_canonical(text.as_bytes()).then(|| serde_json::from_str(text).ok()).flatten()
    }

    /// How many lines a seal's leaf says that the log had.
    pub(super) fn size_in(seal: &[u8]) -> Option<u64> {
        let seal: Seal = serde_json::from_slice(seal).ok()?;
        Self::read(&seal.leaf).map(|leaf| leaf.size)
    }
}

/// V8: the log continues a head that was kept from earlier. `roots` are those of the lines that are
/// there, up to `size` of them.
pub(super) fn continues(
    kept: (&Head, &str),
    now: &str,
    size: u64,
    packet: (u64, Hash),
    roots: &BTreeMap<u64, Option<Hash>>,
) -> Checked<()> {
    let (head, note) = kept;
    let contradicting = |reason: Reason, message: String| {
        let evidence = vec![note.to_owned(), now.to_owned()];
        Fault { evidence, ..Fault::new(reason, message) }
    };
    if head.size > size {
        let message = format!("the log had {} lines when it was last seen; now {size}", head.size);
        return Err(contradicting(Reason::LogShrank, message));
    }
    if roots.get(&head.size).copied().flatten() == Some(head.root) {
        return Ok(());
    }
    let size = head.size;
    Err(if size == packet.0 {
        let message = format!("two logs of {size} lines have different roots, both signed");
        contradicting(Reason::Fork, message)
    } else {
        let message = format!("the first {size} lines are not those that were seen before");
        contradicting(Reason::Consistency, message)
    })
}

/// V9, and what of V2 and V3 the request says: the last line asks for this packet.
pub(super) fn is_request(statement: &Statement, last: Option<&Recorded>) -> Checked<()> {
    use events::evidence::Event::PacketRequested;
    let (predicate, said) = (&statement.predicate, &statement.predicate.packet);
    let not_last = |why: &str| Fault::new(Reason::Challenge, why);
    let Some(last) = last else { return Err(not_last("the log has no line")) };
    let Event::Evidence(PacketRequested {
        packet,
        framework,
        period_start,
        period_end,
        challenge,
        supersedes,
    }) = &last.event
    else {
        return Err(not_last("the log's last line asks for no packet"));
    };
    if (*packet, *supersedes, last.actor) != (said.id, said.supersedes, said.generated_by) {
        return Err(not_last("the log's last line asks for another packet"));
    }
    if *challenge != said.challenge {
        return Err(not_last("the log's last line asks with another challenge"));
    }
    is_framework(*framework, predicate.framework.id)?;
    let period = predicate.period;
    ensure((*period_start, *period_end) == (period.from, period.to), Reason::Period, || {
        format!(
            "it says that it is about {} to {}; {period_start} to {period_end} was asked for",
            period.from, period.to
        )
    })?;
    let (said, asked) = (said.generated_at, last.at);
    let reason =
        if said < asked { Reason::GeneratedBeforeRequest } else { Reason::GeneratedAfterRequest };
    ensure(said == asked, reason, || format!("it says {said}; it was asked for at {asked}"))
}

fn is_framework(asked: Framework, said: Framework) -> Checked<()> {
    ensure(asked == said, Reason::Framework, || {
        format!("it is about {}; {} was asked for", said.as_str(), asked.as_str())
    })
}
