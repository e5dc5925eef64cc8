//! Verifies a compliance packet without a server, a database or a network, with keys that whoever
//! verifies has got by another way than the packet. `docs/verifying-a-packet.md` lists the checks, and
//! each code of `fault.rs`. Lines are read one by one: memory grows with what is disclosed, not with
//! the log. A verifier's only output is its verdict: what it checked, and the first thing that is
//! wrong.

mod bundle;
pub mod command;
mod control;
mod disclosure;
mod envelope;
mod fault;
mod file;
mod head;
mod json;
mod keys;
mod later;
mod line;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::PathBuf;

use events::id::{OrganizationId, SubjectId};
use events::recorded::Recorded;
use events::stream::Stream;

pub(crate) use self::bundle::Bundle;
use self::control::Controls;
use self::disclosure::Disclosures;
use self::envelope::Signed;
pub(crate) use self::fault::{Checked, Fault, Reason};
use self::file::{Digested, Listed};
use self::head::Heads;
pub(crate) use self::keys::{PinnedKey, PinnedKeys, Validity};
use self::later::Later;
use self::line::{Lines, Passed, Wanted};
pub(crate) use self::verdict::{Report, Verdict};
use crate::packet::{CHECKPOINT, ENVELOPE, EVENTS, SEAL, SPECIFICATION};
use crate::packet::{disclosed_subject, proved_version};

/// What whoever verifies knows by themselves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    pub(crate) organization: Option<OrganizationId>,
    pub(crate) challenge: Option<String>,
    /// Signed heads of the log that were kept from earlier.
    pub(crate) kept: Vec<String>,
    /// Lines of the log up to a later time than the packet's.
    pub(crate) later_log: Option<PathBuf>,
}

/// Checks everything, up to the first fault.
pub(crate) fn verify(bundle: Checked<Bundle>, keys: &PinnedKeys, expected: &Expected) -> Verdict {
    let mut report = Report::default();
    let checked = bundle.and_then(|mut bundle| check(&mut bundle, keys, expected, &mut report));
    Verdict { report, fault: checked.err() }
}

fn check(
    bundle: &mut Bundle,
    keys: &PinnedKeys,
    expected: &Expected,
    report: &mut Report,
) -> Checked<()> {
    let envelope = bundle.read_whole(ENVELOPE)?;
    let signed = envelope::open(&envelope, keys, expected, report)?;
    drop(envelope);
    report.is_about(&signed.statement);
    if bundle.is_envelope_alone() {
        let at = signed.statement.predicate.packet.generated_at;
        envelope::was_valid(&signed, at, "which is the packet's own word", report)?;
        report.left_out(
            "only the envelope is here: its files, the log's lines and their signed head, and so \
             the results themselves, were not checked (V4 to V11)",
        );
        return Ok(());
    }
    let listed = file::listed(&signed.statement)?;
    Files { bundle, keys, expected, signed: &signed, listed }.check(report)
}

/// What the lines of the log pass by.
struct Passing {
    disclosures: Disclosures,
    controls: Controls,
}

impl Passed for Passing {
    fn line(&mut self, line: &[u8], recorded: &Recorded) {
        self.controls.take(recorded);
        self.disclosures.line(line, recorded);
    }
}

/// A whole packet whose statement is signed.
struct Files<'a> {
    bundle: &'a mut Bundle,
    keys: &'a PinnedKeys,
    expected: &'a Expected,
    signed: &'a Signed<'a>,
    listed: Listed,
}

impl Files<'_> {
    fn check(mut self, report: &mut Report) -> Checked<()> {
        let statement = &self.signed.statement;
        let predicate = &statement.predicate;
        let missing = file::compare(self.bundle, &self.listed)?;
        let mut passing = Passing {
            disclosures: Disclosures::of(predicate.organization.id, &predicate.privacy)?,
            controls: Controls::of(predicate),
        };
        self.hash_all_but_the_lines(&mut passing.disclosures)?;
        let heads = Heads::of(self.keys, statement);
        let seal = file::read_whole(self.bundle, &self.listed[SEAL])?;
        let kept = self.kept(&heads)?;
        let sizes = kept.iter().map(|(head, _)| head.size).chain(head::Leaf::size_in(&seal));
        let versions = self.listed.keys().filter_map(|name| proved_version(name));
        let size = predicate.log.size;
        let wanted = Wanted {
            leaves: versions.map(|version| (version, None)).collect(),
            roots: sizes.chain([size]).map(|size| (size, None)).collect(),
        };

        let mut lines = Lines::new(&Stream::Organization(predicate.organization.id), wanted);
        self.pass(&mut lines, &mut passing)?;
        report
            .checked("V4", format!("{} files have the sizes and hashes listed", self.listed.len()));
        let (size, root, link) = (lines.size(), lines.root(), lines.link());
        let last = lines.last.take();
        let erased = lines.erased.clone();
        report.checked("V5", format!("{size} lines are canonical, numbered and linked"));
        report.ranges_over(size, root, last.as_ref().map(|last| last.at));
        let log = &predicate.log;
        let head_blake3 = crate::packet::content::hex(link.as_bytes());
        fault::ensure(
            (log.size, log.root, &log.head_blake3) == (size, root, &head_blake3),
            Reason::Root,
            || {
                format!(
                    "its {size} lines have the root {root}; it says {} and {}",
                    log.size, log.root
                )
            },
        )?;
        let at = last.as_ref().map_or(predicate.packet.generated_at, |last| last.at);
        let checkpoint = self.text(CHECKPOINT)?;
        let (head, key) = heads.check(&checkpoint, (size, root), self.keys, at)?;
        report.checked("V6", format!("their root is {root}, as the checkpoint says"));
        report.log_key(key, self.keys.log.iter().all(|pinned| pinned.name.is_some()));
        let leaves = std::mem::take(&mut lines.wanted.leaves);
        let proofs = self.check_proofs(&heads, &leaves, &head)?;
        let root_at = |size: u64| lines.wanted.roots.get(&size).copied().flatten();
        let (sealed_at, leaf) =
            heads.check_seal(&seal, &head, root_at).map_err(|fault| fault.in_file(SEAL))?;
        report.checked(
            "V7",
            format!(
                "the checkpoint is signed by the pinned log key, and so are {proofs} proofs of single \
                 events; the log stood among all logs, with {} lines, when they were sealed at \
                 {sealed_at}",
                leaf.size
            ),
        );
        let stream = Stream::Organization(predicate.organization.id);
        let path = self.expected.later_log.as_deref();
        let later = Later::read(path, lines, &stream, (size, root))?;
        let seen = later.size();
        for (kept, note) in &kept {
            head::continues((kept, note), &checkpoint, seen, (size, root), later.roots())?;
        }
        report.continues(&kept, later.says());
        head::is_request(statement, last.as_ref())?;
        report.checked("V9", "the last line asked for this packet, with its challenge".to_owned());
        envelope::was_valid(self.signed, at, "when the log recorded the request", report)?;

        let is_gone = |name: &String| {
            disclosed_subject(name).is_some_and(|subject| later.has_erased(subject))
        };
        if let Some(name) = missing.iter().find(|name| !is_gone(name)) {
            return Err(file::is_missing(name));
        }
        let subjects: BTreeSet<SubjectId> =
            self.listed.keys().filter_map(|name| disclosed_subject(name)).collect();
        let gone: BTreeSet<SubjectId> =
            missing.iter().filter_map(|name| disclosed_subject(name)).collect();
        disclosure::is_private(&predicate.privacy, &subjects, &gone, &erased)?;
        let disclosed = passing.disclosures.finish()?;
        report.discloses(disclosed, subjects.len(), missing.len());
        let specification = file::read_whole(self.bundle, &self.listed[SPECIFICATION])?;
        let says = passing.controls.check(predicate, &self.listed, &specification)?;
        report.checked("V11", says);
        Ok(())
    }

    /// What is small is read for itself; the lines of the log are hashed while they are walked.
    fn hash_all_but_the_lines(&mut self, disclosures: &mut Disclosures) -> Checked<()> {
        for (name, file) in &self.listed {
            if name == EVENTS || !self.bundle.has(name) {
                continue;
            }
            let Some(subject) = disclosed_subject(name) else {
                file::hash(self.bundle, file)?;
                continue;
            };
            let mut digested = Digested::new(self.bundle.read(name)?);
            let read = disclosures.read(subject, &mut digested);
            digested.finish(file)?;
            read.map_err(|fault| fault.in_file(name))?;
        }
        disclosures.sort()
    }

    fn pass(&mut self, lines: &mut Lines, passing: &mut Passing) -> Checked<()> {
        let mut digested = Digested::new(self.bundle.read(EVENTS)?);
        let walked = lines.take_all(digested.by_ref(), passing);
        digested.finish(&self.listed[EVENTS])?;
        walked
    }

    fn text(&mut self, name: &str) -> Checked<String> {
        let bytes = file::read_whole(self.bundle, &self.listed[name])?;
        let text = String::from_utf8(bytes);
        text.map_err(|_| Fault::new(Reason::Unreadable, "it is no UTF-8").in_file(name))
    }

    /// The heads that were kept, with their notes.
    fn kept(&self, heads: &Heads) -> Checked<Vec<(crate::note::Head, String)>> {
        let opened = self.expected.kept.iter().map(|note| {
            let head = heads.kept(note).map_err(|why| {
                Fault::new(Reason::KeptHead, format!("a checkpoint that was kept: {why}"))
            })?;
            Ok((head, note.clone()))
        });
        opened.collect()
    }

    fn check_proofs(
        &mut self,
        heads: &Heads,
        leaves: &BTreeMap<u64, Option<events::tree::Hash>>,
        head: &crate::note::Head,
    ) -> Checked<usize> {
        for (version, leaf) in leaves {
            let name = crate::packet::proof_file(*version);
            let absent = || Fault::new(Reason::Proof, "the log has no such line").in_file(&name);
            let leaf = leaf.ok_or_else(absent)?;
            let proof = self.text(&name)?;
            let checked = heads.check_proof(&proof, (*version, leaf), head);
            checked.map_err(|fault| fault.in_file(&name))?;
        }
        Ok(leaves.len())
    }
}
