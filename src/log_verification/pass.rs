//! One pass over a log: each line is compared with whatever is known of it, as it comes.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use events::chain::{Broken, Link, Step, Walk};
use events::evidence;
use events::id::PacketId;
use events::platform::{self, Platform};
use events::recorded::{Position, Recorded};
use events::stream::Stream;
use events::tree::{Edge, Hash};
use events::wire;
use events::{Event, State as _};
use projections::ledger::has_tree;

use super::fault::{Fault, Kind, Place, Stage, Witness};
use super::remembered::{Claim, Remembered};
use crate::event_log::{Columns, Row};
use crate::seal;

#[derive(Default)]
pub(super) struct Pass {
    remembered: Remembered,
    is_gapless: bool,
    walks: HashMap<Stream, Walk>,
    trees: BTreeMap<Stream, Edge>,
    /// Where all logs were sealed, and the pass has not come to yet.
    moments: BTreeSet<Position>,
    /// How many logs there were at such a moment, and the root over them.
    sealed: HashMap<Position, (u64, Hash)>,
    seals: u64,
    /// Faults that do not name the log which was changed: told where nothing names it.
    displaced: Option<Fault>,
    missealed: Option<Fault>,
    pub(super) platform: Platform,
    /// Whose lines stand in the log.
    pub(super) packets: Vec<PacketId>,
    pub(super) lines: u64,
    /// Of the last line that is as it should be.
    pub(super) position: Position,
}

impl Pass {
    pub(super) fn new(remembered: Remembered, is_gapless: bool) -> Self {
        Self { remembered, is_gapless, ..Self::default() }
    }

    /// At which positions the heads of all logs are needed.
    pub(super) fn expect_seals(&mut self, at: BTreeSet<Position>) {
        self.moments = at;
    }

    pub(super) fn take(&mut self, row: &Row, examined: Examined) -> Result<(), Fault> {
        let stored = &row.stored;
        let expected = Position(self.position.0 + 1);
        if self.is_gapless && stored.position != expected {
            let place = Place { position: Some(expected), ..Place::default() };
            return Err(Fault::new(Stage::Bytes, place, Kind::Missing));
        }
        self.pass_moments(stored.position);
        let mut place = Place { position: Some(stored.position), ..Place::default() };
        let step =
            examined.step.ok_or_else(|| Fault::new(Stage::Bytes, place, Kind::Unreadable))?;
        let stream = step.stream;
        (place.stream, place.version) = (Some(stream), Some(step.version));
        let walk = match self.walks.entry(stream) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Walk::new(&stream)),
        };
        walk.take(Some(&step))
            .map_err(|broken: Broken| Fault::new(Stage::Chain, place, broken.into()))?;
        let (size, _) = walk.end();
        if let Some(column) = examined.other_column {
            return Err(Fault::new(Stage::Bytes, place, Kind::Column(column)));
        }
        if let Some(leaf) = examined.leaf {
            let edge = self.trees.entry(stream).or_default();
            edge.push(leaf, |_, _| ());
            self.compare(stream, size, place, row)?;
        }
        if stream == Stream::Platform {
            let recorded = wire::decode(stored.position, &stored.line, &stored.sealed)
                .map_err(|_| Fault::new(Stage::Bytes, place, Kind::NoEvent))?;
            self.compare_seal(&recorded, place);
            self.platform.evolve(&recorded);
        }
        self.lines += 1;
        self.position = stored.position;
        Ok(())
    }

    /// What all logs were when everything before this position was there.
    fn pass_moments(&mut self, next: Position) {
        while let Some(moment) = self.moments.first().copied().filter(|moment| *moment < next) {
            self.moments.remove(&moment);
            self.sealed.insert(moment, self.all_heads());
        }
    }

    fn all_heads(&self) -> (u64, Hash) {
        let organizations = || self.trees.iter().filter(|(stream, _)| **stream != Stream::Platform);
        let heads = organizations().map(|(stream, edge)| (*stream, edge.size(), edge.root()));
        (organizations().count() as u64, seal::root_over(heads))
    }

    fn compare(&mut self, stream: Stream, size: u64, place: Place, row: &Row) -> Result<(), Fault> {
        let position = row.stored.position;
        let known = self.remembered.ledger.sizes.get(&stream).copied().unwrap_or_default();
        if position <= self.remembered.ledger.position && size > known {
            return Err(Fault::new(Stage::Tree, place, Kind::NotInLedger { known }));
        }
        let Some(claims) = self.remembered.claims.remove(&(stream, size)) else { return Ok(()) };
        let found = self.trees[&stream].root();
        for Claim { by, root: known, position: at } in claims {
            if known != found {
                let kind = Kind::Root { by, size, known, found };
                return Err(Fault::new(by.stage(), place, kind));
            }
            if let Some(known) = at.filter(|at| *at != position) {
                // something before it, of whichever log, was put in or taken out
                let moved = Fault::new(by.stage(), place, Kind::Moved { size, known });
                self.displaced.get_or_insert(moved);
            }
            if let Witness::Packet(packet) = by {
                if !asks_for(row, packet) {
                    return Err(Fault::new(Stage::Packets, place, Kind::NotAskedFor(packet)));
                }
                self.packets.push(packet);
            }
        }
        Ok(())
    }

    fn compare_seal(&mut self, recorded: &Recorded, place: Place) {
        let Event::Platform(platform::Event::Sealed { count, root, position }) = &recorded.event
        else {
            return;
        };
        let at = position.parse().map(Position).ok();
        let found = at.and_then(|at| Some((at, *self.sealed.get(&at)?)));
        let kind = match found {
            None => Kind::SealPosition(position.clone()),
            Some((_, (found, is))) if (found, is.to_string()) == (*count, root.clone()) => {
                self.seals += 1;
                return;
            }
            Some((at, (found, is))) => {
                Kind::Seal { at, count: *count, known: root.clone(), found, root: is }
            }
        };
        self.missealed.get_or_insert(Fault::new(Stage::Seals, place, kind));
    }

    /// What shows only at the end: a head that somebody knows and the log does not come to; then
    /// what does not name the log that was changed.
    pub(super) fn last_fault(&mut self) -> Option<Fault> {
        self.unmet().or(self.missealed.take()).or(self.displaced.take())
    }

    fn unmet(&self) -> Option<Fault> {
        let unmet = self.remembered.claims.iter();
        let unmet = unmet.flat_map(|(of, claims)| claims.iter().map(move |claim| (of, claim)));
        let ((stream, known), claim) = unmet.min_by_key(|(_, claim)| claim.by.stage())?;
        let found = self.trees.get(stream).map_or(0, Edge::size);
        let place = Place { stream: Some(*stream), version: Some(found), position: None };
        let kind = Kind::Shrank { by: claim.by, known: *known, found };
        Some(Fault::new(claim.by.stage(), place, kind))
    }

    /// What was compared, a line for each stage.
    pub(super) fn told(&self) -> Vec<String> {
        let compared = |stage: Stage, found: Option<usize>, what: &str| {
            let found = found.map_or("not here".to_owned(), |count| format!("{count} {what}"));
            format!("{}: {found}", stage.as_str())
        };
        let Remembered { heads, signed, packets, .. } = &self.remembered;
        vec![
            format!(
                "{}: {} lines up to position {}",
                Stage::Bytes.as_str(),
                self.lines,
                self.position
            ),
            compared(Stage::Chain, Some(self.walks.len()), "streams"),
            compared(Stage::Tree, *heads, "heads of logs in the ledger"),
            compared(Stage::SignedHeads, *signed, "logs"),
            format!("{}: {} over all logs", Stage::Seals.as_str(), self.seals),
            compared(Stage::Packets, *packets, "packets"),
        ]
    }
}

/// What can be found of a row without those before it. Nothing where its line cannot be read.
#[derive(Default)]
pub(super) struct Examined {
    step: Option<Step>,
    /// Which says something else than the line.
    other_column: Option<&'static str>,
    /// Where its log has a tree.
    leaf: Option<Hash>,
}

impl Examined {
    pub(super) fn of_all(rows: &[Row]) -> Vec<Self> {
        let lines: Vec<_> = rows.iter().map(|row| row.stored.line.as_slice()).collect();
        let links = Link::of_lines(&lines);
        rows.iter().zip(links).map(|(row, link)| Self::of(row, link)).collect()
    }

    fn of(row: &Row, link: Link) -> Self {
        let line = &row.stored.line;
        let Ok(head) = wire::head(line) else { return Self::default() };
        let columns = row.columns.as_ref();
        Self {
            step: Some(Step::new(&head, link)),
            other_column: columns.and_then(|columns| other_column(columns, &head, link)),
            leaf: has_tree(&head.stream).then(|| Hash::of_leaf(line)),
        }
    }
}

fn other_column(columns: &Columns, head: &wire::Head<'_>, link: Link) -> Option<&'static str> {
    let Columns { stream, version, event_id, kind, link: stored } = columns;
    let same = [
        ("stream", *stream == head.stream.to_string()),
        ("version", *version == head.version),
        ("event id", *event_id == head.id.0),
        ("kind", *kind == head.kind),
        ("link", stored == link.as_bytes()),
    ];
    same.into_iter().find(|(_, is_same)| !is_same).map(|(name, _)| name)
}

/// Whether a packet was asked for by this line.
fn asks_for(row: &Row, wanted: PacketId) -> bool {
    let recorded = wire::decode(row.stored.position, &row.stored.line, &row.stored.sealed);
    recorded.is_ok_and(|recorded| {
        matches!(recorded.event,
            Event::Evidence(evidence::Event::PacketRequested { packet, .. }) if packet == wanted)
    })
}
