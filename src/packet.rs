//! Compliance packets: evidence about one organization and one period that an auditor checks with
//! tools of their own.
//!
//! A packet is a bundle of files. One of them, `packet.dsse.json`, is signed; it names every other
//! by its digests. The lines of the organization's log are among them, from the first to the event
//! that asked for this packet, with the signed head of exactly that many lines.

pub(crate) mod bundle;
pub(crate) mod content;
pub(crate) mod made;
mod population;
pub(crate) mod posture;
mod report;
pub(crate) mod statement;

/// The one signed file; everything else hangs off its digests.
pub(crate) const ENVELOPE: &str = "packet.dsse.json";
/// The log's lines, each with a line feed behind it, which belongs to no line.
pub(crate) const EVENTS: &str = "events.jsonl";
/// The signed head of the organization's log: a note of as many lines as `events.jsonl` has.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// The control specification that the results were found by.
pub(crate) const SPECIFICATION: &str = "specification.json";
/// That the organization's log stood among all logs when they were last sealed.
pub(crate) const SEAL: &str = "seal.json";
pub(crate) const REPORT_HTML: &str = "report.html";
pub(crate) const REPORT_PDF: &str = "report.pdf";
const PROOF: (&str, &str) = ("proof-", ".tlog-proof");
/// What a control was computed on: one thing a line.
pub(crate) const POPULATION: &str = "population-";
const DISCLOSURES: (&str, &str) = ("disclosures-", ".jsonl");

/// The proof that the event of this version stands in the log.
pub(crate) fn proof_file(version: u64) -> String {
    format!("{}{version}{}", PROOF.0, PROOF.1)
}

/// Which event a file of this name proves.
pub(crate) fn proved_version(file: &str) -> Option<u64> {
    let version = file.strip_prefix(PROOF.0)?.strip_suffix(PROOF.1)?.parse().ok()?;
    (proof_file(version) == file).then_some(version)
}

/// What is disclosed of one subject: objects `{"disclosure","field","version"}`, one a line.
pub(crate) fn disclosures_file(subject: events::id::SubjectId) -> String {
    format!("{}{subject}{}", DISCLOSURES.0, DISCLOSURES.1)
}

/// Whose disclosures a file of this name holds.
pub(crate) fn disclosed_subject(file: &str) -> Option<events::id::SubjectId> {
    file.strip_prefix(DISCLOSURES.0)?.strip_suffix(DISCLOSURES.1)?.parse().ok()
}
