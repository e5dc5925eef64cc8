//! What a packet says of one organization's log: read once, line by line, from the first to the
//! event that asked for the packet. Whatever a packet holds of the log is read in this way, and read
//! again for whoever takes the packet along: lines and personal values are kept nowhere else.

use std::borrow::Cow;
use std::collections::BTreeMap;

use events::chain::{Broken, Walk};
use events::id::{OrganizationId, SubjectId};
use events::personal::{self, Opened, Personal, Sealed};
use events::recorded::Recorded;
use events::stream::Stream;
use events::tree::{Edge, Hash};
use events::wire;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::statement::{Annotations, Digest, File};
use crate::App;
use crate::compliance::Specification;
use crate::event_log::{ReadError, Stored};
use crate::failure::{Failure, fails_with};
use crate::keyring;

const PAGE: usize = 500;
pub(super) const JSON_LINES: &str = "application/jsonl";

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the log of {organization} is damaged")]
    Damaged { organization: OrganizationId, source: Broken },
    #[error(transparent)]
    Failed(#[from] Failure),
}

fails_with!(Error, Error::Failed: ReadError, keyring::Error);

/// Digests of a file that is seen piece by piece.
#[derive(Clone, Default)]
pub(super) struct Digests {
    sha256: Sha256,
    blake3: blake3::Hasher,
    bytes: u64,
}

impl Digests {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut digests = Self::default();
        digests.update(bytes);
        digests
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.blake3.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    pub(super) fn file(self, name: &str, media_type: &str) -> File {
        let sha256 = self.sha256.finalize();
        File {
            name: name.to_owned(),
            digest: Digest { sha256: hex(&sha256) },
            annotations: Annotations {
                blake3: self.blake3.finalize().to_hex().to_string(),
                bytes: self.bytes.to_string(),
            },
            media_type: media_type.to_owned(),
        }
    }
}

/// In hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}

/// One value that a packet opens, as a line of its subject's file.
#[derive(Serialize)]
struct Opening {
    disclosure: String,
    field: &'static str,
    version: u64,
}

/// The lines of one organization's log, one page after the other, checked as they pass.
pub(super) struct Lines {
    organization: OrganizationId,
    next: u64,
    size: u64,
    walk: Walk,
    pub(super) edge: Edge,
}

impl Lines {
    /// The first lines, as many as `size`.
    pub(super) fn of(organization: OrganizationId, size: u64) -> Self {
        let walk = Walk::new(&Stream::Organization(organization));
        Self { organization, next: 0, size, walk, edge: Edge::default() }
    }

    /// The next page; empty at the end.
    pub(super) async fn page(&mut self, app: &App) -> Result<Vec<Stored>, Error> {
        let left = usize::try_from(self.size - self.next).unwrap_or(PAGE).min(PAGE);
        if left == 0 {
            return Ok(Vec::new());
        }
        let stream = Stream::Organization(self.organization);
        let stored = app.log.read_stream(&stream, self.next, left).await?;
        if stored.is_empty() {
            return Err(ReadError::Unavailable("the stream ends before its head".into()).into());
        }
        for event in &stored {
            self.walk
                .step(&event.line)
                .map_err(|source| Error::Damaged { organization: self.organization, source })?;
            self.edge.push(Hash::of_leaf(&event.line), |_, _| ());
        }
        self.next += stored.len() as u64;
        Ok(stored)
    }

    /// BLAKE3 of the last line, in hexadecimal digits.
    pub(super) fn head(&self) -> String {
        hex(self.walk.end().1.as_bytes())
    }
}

/// The sealed values of an event that a packet opens.
pub(super) fn disclosed(
    specification: &Specification,
    recorded: &mut Recorded,
) -> Vec<(&'static str, Sealed)> {
    let kind = wire::kind(&recorded.event).0;
    let mut found = Vec::new();
    recorded.event.personal(&mut |field: &'static str, value: &mut Personal| {
        if specification.discloses(kind, field) {
            found.extend(value.sealed().map(|sealed| (field, sealed.clone())));
        }
    });
    found
}

pub(super) fn decoded(stored: &Stored) -> Result<Recorded, Error> {
    let decoded = wire::decode(stored.position, &stored.line, &stored.sealed);
    Ok(decoded
        .map_err(|error| ReadError::Corrupt { position: stored.position, source: error.into() })?)
}

/// The line of a subject's file that opens a value; `None` when its subject is erased.
async fn line(
    app: &App,
    version: u64,
    field: &'static str,
    sealed: &Sealed,
) -> Result<Option<String>, Error> {
    match app.keyring.open_disclosure(sealed).await? {
        Opened::Known(disclosure) => {
            let opening = Opening { disclosure, field, version };
            // plain members in order: its JSON is its canonical form
            let line = serde_json::to_string(&opening).expect("strings and numbers are JSON");
            Ok(Some(line + "\n"))
        }
        Opened::Erased => Ok(None),
        Opened::KeyMissing => {
            Err(Failure::Broken("the key of a value to be disclosed is missing".into()).into())
        }
    }
}

/// Digests of each subject's file, or for those who take the packet along their files' content.
pub(super) trait Disclosures {
    fn add(&mut self, subject: SubjectId, line: &str);
}

impl Disclosures for BTreeMap<SubjectId, Digests> {
    fn add(&mut self, subject: SubjectId, line: &str) {
        self.entry(subject).or_default().update(line.as_bytes());
    }
}

/// One subject's file.
impl Disclosures for (SubjectId, String) {
    fn add(&mut self, subject: SubjectId, line: &str) {
        if subject == self.0 {
            self.1.push_str(line);
        }
    }
}

/// Says whose values are not opened because they are erased.
pub(super) async fn disclose(
    app: &App,
    specification: &Specification,
    recorded: &mut Recorded,
    into: &mut impl Disclosures,
) -> Result<Vec<SubjectId>, Error> {
    let mut withheld = Vec::new();
    for (field, sealed) in disclosed(specification, recorded) {
        match line(app, recorded.version, field, &sealed).await? {
            Some(line) => into.add(sealed.subject, &line),
            None => withheld.push(sealed.subject),
        }
    }
    Ok(withheld)
}

/// The digests by which a line commits to values that are erased: all but those of the values that can
/// still be opened. Of several erased people in one line nobody can tell any more whose is which.
/// Empty where a key is missing, for then nothing can be told.
pub(super) async fn withheld(
    app: &App,
    line: &[u8],
    recorded: &mut Recorded,
) -> Result<Vec<String>, Error> {
    let head = wire::head(line);
    let mut digests = head
        .map_err(|error| ReadError::Corrupt { position: recorded.position, source: error.into() })?
        .digests;
    let mut sealed = Vec::new();
    let mut note = |value: &Personal| sealed.extend(value.sealed().cloned());
    note(&recorded.ip_address);
    note(&recorded.user_agent);
    recorded.event.personal(&mut |_, value: &mut Personal| note(value));
    for sealed in &sealed {
        match app.keyring.open_disclosure(sealed).await? {
            Opened::Known(disclosure) => {
                let digest = personal::digest(&disclosure);
                digests.retain(|known| *known != digest);
            }
            Opened::Erased => {}
            Opened::KeyMissing => return Ok(Vec::new()),
        }
    }
    Ok(digests.into_iter().map(Cow::into_owned).collect())
}
