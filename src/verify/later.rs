//! What the log says after the packet: lines that continue the packet's, from an export of the audit
//! log. They can show that a person was erased since, and reach heads that were kept since. Nobody
//! has signed them, unless one of those heads is theirs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use events::id::SubjectId;
use events::recorded::Recorded;
use events::stream::Stream;
use events::tree::Hash;
use events::wire;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::fault::{Checked, Fault, Reason, ensure};
use super::file::next_line;
use super::line::{Lines, Passed, Wanted};

/// An export puts opened values beside each line.
const LONGEST: usize = 8 * wire::LONGEST_LINE;

/// A line of a log as it stands, or within an export; other lines of an export are passed over.
#[derive(Deserialize)]
struct Exported<'a> {
    #[serde(borrow)]
    line: Option<&'a RawValue>,
    v: Option<IgnoredAny>,
}

struct Nobody;

impl Passed for Nobody {
    fn line(&mut self, _: &[u8], _: &Recorded) {}
}

/// Everything that is known of the log, the packet's lines included.
pub(super) struct Later {
    lines: Lines,
    is_there: bool,
}

impl Later {
    /// `lines` are the packet's, so many with this root.
    pub(super) fn read(
        path: Option<&Path>,
        lines: Lines,
        stream: &Stream,
        packet: (u64, Hash),
    ) -> Checked<Self> {
        let Some(path) = path else { return Ok(Self { lines, is_there: false }) };
        let mut later = Self { lines, is_there: true };
        let read = later.take_all(path, stream, packet);
        read.map_err(|fault| Fault {
            reason: Reason::LaterLog,
            message: format!("the later log: {}", fault.message),
            ..fault
        })?;
        Ok(later)
    }

    fn take_all(&mut self, path: &Path, stream: &Stream, packet: (u64, Hash)) -> Checked<()> {
        let unreadable = |why: String| Fault::new(Reason::LaterLog, why);
        let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
        let mut from = BufReader::new(file);
        let (mut text, mut is_first) = (Vec::new(), true);
        while next_line(&mut from, &mut text, LONGEST).map_err(|why| unreadable(why.to_string()))? {
            let exported: Exported<'_> =
                serde_json::from_slice(&text).map_err(|why| unreadable(why.to_string()))?;
            let line = match (exported.line, exported.v) {
                (Some(line), _) => line.get().as_bytes(),
                (None, Some(_)) => &text,
                (None, None) => continue,
            };
            if std::mem::take(&mut is_first) {
                let first = wire::head(line).map_err(|why| unreadable(why.to_string()))?;
                if first.version == 0 {
                    self.begin_again(stream, packet.0);
                }
            }
            self.lines.take(line, &mut Nobody)?;
        }
        let reached = self.roots().get(&packet.0).copied().flatten();
        ensure(reached == Some(packet.1), Reason::LaterLog, || {
            "its lines are not those of the packet, or end before them".to_owned()
        })
    }

    /// It holds the packet's lines, too.
    fn begin_again(&mut self, stream: &Stream, packet: u64) {
        let roots = self.lines.wanted.roots.keys().copied().chain([packet]);
        let wanted =
            Wanted { roots: roots.map(|size| (size, None)).collect(), ..Wanted::default() };
        let erased = std::mem::take(&mut self.lines.erased);
        self.lines = Lines::new(stream, wanted);
        self.lines.erased = erased;
    }

    pub(super) fn size(&self) -> u64 {
        self.lines.size()
    }

    pub(super) fn roots(&self) -> &BTreeMap<u64, Option<Hash>> {
        &self.lines.wanted.roots
    }

    pub(super) fn has_erased(&self, subject: SubjectId) -> bool {
        self.lines.erased.iter().any(|(erased, _)| *erased == subject)
    }

    /// A sentence about it, where there is one.
    pub(super) fn says(&self) -> Option<String> {
        self.is_there.then(|| format!("the later log continues it up to {} lines", self.size()))
    }
}
