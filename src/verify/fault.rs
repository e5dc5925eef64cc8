//! What can be wrong with a packet. The codes are stable: scripts and auditors' working papers name
//! them; a number is the check that found it.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name),*];

            pub(crate) fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }
        }
    };
}

reasons! {
    /// It is no zip, folder or envelope, or it cannot be read to its end.
    Unreadable = "V0-unreadable";
    /// A name leads out of the bundle, or could be read in two ways.
    EntryName = "V0-entry-name";
    /// Two entries have one name, or names that some systems take for one.
    EntryTwice = "V0-entry-twice";
    /// An entry is a link, a folder or something else that is no file.
    EntryKind = "V0-entry-kind";
    TooLarge = "V0-too-large";
    Envelope = "V1-envelope";
    Signature = "V1-dsse-signature";
    NotJson = "V2-not-json";
    DuplicateMember = "V2-duplicate-json-member";
    NotCanonical = "V2-not-canonical";
    StatementShape = "V2-statement-shape";
    StatementType = "V2-statement-type";
    SchemaVersion = "V2-schema-version";
    Issuer = "V2-issuer";
    Organization = "V2-organization";
    Origin = "V2-origin";
    Period = "V2-period";
    Framework = "V2-framework";
    KeyValidity = "V3-key-validity";
    GeneratedBeforeRequest = "V3-generated-before-request";
    GeneratedAfterRequest = "V3-generated-after-request";
    SubjectName = "V4-subject-name";
    MissingFile = "V4-missing-file";
    UnlistedFile = "V4-unlisted-file";
    SubjectSize = "V4-subject-size";
    SubjectDigest = "V4-subject-digest";
    LaterLog = "V4-later-log";
    LineUnreadable = "V5-line-unreadable";
    LineNotCanonical = "V5-event-not-canonical";
    Sequence = "V5-sequence";
    Chain = "V5-chain";
    Clock = "V5-clock";
    Root = "V6-root";
    CheckpointSignature = "V7-checkpoint-signature";
    CheckpointOrigin = "V7-origin";
    Proof = "V7-proof";
    Seal = "V7-seal";
    /// A checkpoint that was kept is not signed by a pinned key, or is of another log.
    KeptHead = "V8-kept-checkpoint";
    LogShrank = "V8-log-shrank";
    Fork = "V8-fork-same-size";
    Consistency = "V8-consistency";
    Challenge = "V9-challenge-not-last-event";
    DisclosureUnreadable = "V10-disclosure-unreadable";
    DisclosureDigest = "V10-disclosure-digest";
    DisclosureField = "V10-disclosure-field";
    DisclosureSubject = "V10-disclosure-subject";
    DisclosedTwice = "V10-disclosed-twice";
    ErasedDisclosed = "V10-erased-person-disclosed";
    Privacy = "V10-privacy";
    Specification = "V11-specification";
    Coverage = "V11-coverage";
    Reperformance = "V11-reperformance";
}

impl Reason {
    /// What whoever verifies can do about it, where it is not only the packet's matter.
    #[expect(clippy::wildcard_enum_match_arm, reason = "most faults say all that there is to say")]
    pub(crate) fn hint(self) -> Option<&'static str> {
        match self {
            Self::Signature => Some("is the packet key the one that the issuer publishes?"),
            Self::CheckpointSignature => Some("is the log key the one that the issuer publishes?"),
            Self::KeptHead => Some("pin the log key that signed it, too, with --log-key"),
            Self::LogShrank => Some(
                "give the lines since with --later-log, if the checkpoint is newer than the packet",
            ),
            Self::Fork | Self::Consistency => {
                Some("keep both signed heads: together they show that the log was rewritten")
            }
            Self::MissingFile => {
                Some("if a person was erased since, give the log up to then with --later-log")
            }
            Self::Challenge => Some("ask for a new packet with your own challenge"),
            Self::SchemaVersion | Self::Specification | Self::LineUnreadable => {
                Some("verify with the version of this program that made the packet, or a newer one")
            }
            _ => None,
        }
    }
}

/// The first thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reason: Reason,
    /// The file that it is about, where there is one.
    pub(crate) file: Option<String>,
    /// Nothing personal.
    pub(crate) message: String,
    /// Signed heads that contradict each other, as they were found: whoever holds them can show
    /// anybody that the log was rewritten.
    pub(crate) evidence: Vec<String>,
}

pub(crate) type Checked<T> = Result<T, Fault>;

impl Fault {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, file: None, message: message.into(), evidence: Vec::new() }
    }

    #[must_use]
    pub(crate) fn in_file(mut self, name: &str) -> Self {
        self.file = Some(name.to_owned());
        self
    }

    /// The code, with the file behind a colon.
    pub(crate) fn code(&self) -> String {
        match &self.file {
            Some(file) => format!("{}:{file}", self.reason.code()),
            None => self.reason.code().to_owned(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.message)
    }
}

/// Nothing, or a fault with this message.
pub(crate) fn ensure(is_so: bool, reason: Reason, message: impl FnOnce() -> String) -> Checked<()> {
    if is_so { Ok(()) } else { Err(Fault::new(reason, message())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_once() {
        let page = include_str!("../../docs/verifying-a-packet.md");
        let named: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("| `V")).collect();
        let named: Vec<_> = named.iter().filter_map(|line| line.split('`').next()).collect();
        let codes: Vec<_> = Reason::ALL.iter().map(|reason| &reason.code()[1..]).collect();
        for code in &codes {
            let times = named.iter().filter(|name| *name == code).count();
            assert_eq!(times, 1, "V{code}");
        }
        assert_eq!(named.len(), codes.len());
    }
}
