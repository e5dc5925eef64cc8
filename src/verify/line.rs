//! V5 and V6: the lines of the log, in one pass and in constant memory. Each is canonical, has its
//! number, links to the line before, and is not older than it; together they have a root. What later
//! checks want to know of single lines is said before, and collected on the way. What a line says by
//! itself is found on all cores; the first line that is wrong is the one that is named.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use events::Event;
use events::chain::{Broken, Link, Step, Walk};
use events::erasure;
use events::id::SubjectId;
use events::recorded::{Position, Recorded};
use events::stream::Stream;
use events::tree::{Edge, Hash};
use events::wire::{LONGEST_LINE, Malformed, Seen};

use super::fault::{Checked, Fault, Reason};
use crate::in_order::in_order;
use crate::pieces::{BadLine, Piece, Pieces};

/// What is wanted of the lines, by version or by size.
#[derive(Default)]
pub(super) struct Wanted {
    /// Hashes of these lines.
    pub(super) leaves: BTreeMap<u64, Option<Hash>>,
    /// Roots of the trees of these sizes.
    pub(super) roots: BTreeMap<u64, Option<Hash>>,
}

/// Somebody who looks at each line while it passes.
pub(super) trait Passed {
    fn line(&mut self, line: &[u8], recorded: &Recorded);
}

/// Walks the lines of one log.
pub(super) struct Lines {
    walk: Walk,
    edge: Edge,
    pub(super) wanted: Wanted,
    pub(super) last: Option<Recorded>,
    /// Who was erased, by which version.
    pub(super) erased: BTreeSet<(SubjectId, u64)>,
}

impl Lines {
    pub(super) fn new(stream: &Stream, wanted: Wanted) -> Self {
        let (walk, edge) = (Walk::new(stream), Edge::default());
        let mut lines = Self { walk, edge, wanted, last: None, erased: BTreeSet::new() };
        lines.note_root();
        lines
    }

    pub(super) fn size(&self) -> u64 {
        self.edge.size()
    }

    pub(super) fn root(&self) -> Hash {
        self.edge.root()
    }

    /// The link over the last line.
    pub(super) fn link(&self) -> Link {
        self.walk.end().1
    }

    pub(super) fn take(&mut self, line: &[u8], reader: &mut impl Passed) -> Checked<()> {
        self.take_examined(line, Examined::of(line, Link::of_line(line)), reader)
    }

    fn take_examined(
        &mut self,
        line: &[u8],
        examined: Examined,
        reader: &mut impl Passed,
    ) -> Checked<()> {
        let Examined { step, recorded, leaf } = examined;
        self.walk.take(step.as_ref()).map_err(broken)?;
        let recorded = recorded.map_err(|why| {
            let message = format!("version {}: {why}; a newer program may know it", self.size());
            Fault::new(Reason::LineUnreadable, message)
        })?;
        if let Some(wanted) = self.wanted.leaves.get_mut(&recorded.version) {
            *wanted = Some(leaf);
        }
        self.edge.push(leaf, |_, _| ());
        self.note_root();
        if let Event::Erasure(erasure::Event::Erased { subject }) = recorded.event {
            self.erased.insert((subject, recorded.version));
        }
        reader.line(line, &recorded);
        self.last = Some(recorded);
        Ok(())
    }

    /// Takes every line there is.
    pub(super) fn take_all(&mut self, from: impl Read, reader: &mut impl Passed) -> Checked<()> {
        let examined = |piece: Piece| {
            let lines = piece.split();
            let all: Vec<_> = lines.iter().collect();
            let with_links = all.iter().zip(Link::of_lines(&all));
            let examined: Vec<_> =
                with_links.map(|(line, link)| Examined::of(line, link)).collect();
            (lines, examined)
        };
        in_order(Pieces::of(from, LONGEST_LINE), examined, |(lines, examined)| {
            for (line, examined) in lines.iter().zip(examined) {
                self.take_examined(line, examined, reader)?;
            }
            lines.ended_by.map_or(Ok(()), |why| Err(self.unread(&why)))
        })
    }

    fn unread(&self, why: &BadLine) -> Fault {
        let reason = match why {
            BadLine::Io(_) => Reason::Unreadable,
            BadLine::TooLong | BadLine::NoEnd => Reason::LineUnreadable,
        };
        Fault::new(reason, format!("version {}: {why}", self.size()))
    }

    fn note_root(&mut self) {
        if let Some(root) = self.wanted.roots.get_mut(&self.edge.size()) {
            *root = Some(self.edge.root());
        }
    }
}

/// What can be found of one line without those before it.
struct Examined {
    step: Option<Step>,
    recorded: Result<Recorded, Malformed>,
    leaf: Hash,
}

impl Examined {
    fn of(line: &[u8], link: Link) -> Self {
        let seen = Seen::of(line);
        Self {
            step: seen.head().ok().map(|head| Step::new(&head, link)),
            recorded: seen.recorded(Position::default(), b"", link),
            leaf: Hash::of_leaf(line),
        }
    }
}

fn broken(broken: Broken) -> Fault {
    let reason = match broken {
        Broken::Unreadable { .. } => Reason::LineUnreadable,
        Broken::NotCanonical { .. } => Reason::LineNotCanonical,
        Broken::Misplaced { .. } => Reason::Sequence,
        Broken::Unlinked { .. } => Reason::Chain,
        Broken::OutOfTime { .. } => Reason::Clock,
    };
    Fault::new(reason, broken.to_string())
}
