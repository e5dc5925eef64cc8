//! Signed heads of logs as text (C2SP `tlog-checkpoint` and `signed-note`), and proofs about them
//! (C2SP `tlog-proof`): origin, size and root, an empty line, signatures.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use events::stream::Stream;
use events::tree::{self, Hash};

use crate::public_key::NoteKey;

const PROOF_VERSION: &str = "c2sp.org/tlog-proof@v1";

/// What each log of an installation is called: the installation's origin, and the stream.
pub(crate) fn origin_of(installation: &str, stream: &Stream) -> String {
    match stream {
        Stream::Platform => format!("{installation}/platform"),
        Stream::Address(id) => format!("{installation}/addresses/{id}"),
        Stream::Account(id) => format!("{installation}/accounts/{id}"),
        Stream::Organization(id) => format!("{installation}/organizations/{id}"),
        Stream::Usage(id) => format!("{installation}/usage/{id}"),
    }
}

/// The installation and the stream that a log of this name belongs to.
pub(crate) fn named_by(origin: &str) -> Option<(&str, Stream)> {
    if let Some(installation) = origin.strip_suffix("/platform") {
        return Some((installation, Stream::Platform));
    }
    let (rest, id) = origin.rsplit_once('/')?;
    let (installation, kind) = rest.rsplit_once('/')?;
    let stream = match kind {
        "addresses" => Stream::Address(id.parse().ok()?),
        "accounts" => Stream::Account(id.parse().ok()?),
        "organizations" => Stream::Organization(id.parse().ok()?),
        "usage" => Stream::Usage(id.parse().ok()?),
        _ => return None,
    };
    Some((installation, stream))
}

/// The head of a log: so many lines, with this root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) origin: String,
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

/// The text that is signed; it ends with a line feed.
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, self.root)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("not a signed note")]
    NoNote,
    #[error("not the head of a log")]
    NoHead,
    #[error("no known key has signed it")]
    Unsigned,
}

impl Head {
    /// The note, signed; `sign` makes the 64 bytes of an Ed25519 signature by this key.
    pub(crate) fn signed(&self, key: &NoteKey, sign: impl Fn(&[u8]) -> [u8; 64]) -> String {
        let text = self.to_string();
        let signature = [key.key.note_id(&key.name).as_slice(), &sign(text.as_bytes())].concat();
        format!("{text}\n\u{2014} {} {}\n", key.name, STANDARD.encode(signature))
    }

    /// Reads a note that one of these keys has signed, and says which.
    pub(crate) fn open<'a>(
        note: &str,
        keys: &'a [NoteKey],
    ) -> Result<(Self, &'a NoteKey), Unreadable> {
        let (text, signatures) = parts(note)?;
        let signed_by = |key: &&NoteKey| {
            signatures.lines().any(|line| is_signature(line, key, text.as_bytes()))
        };
        let key = keys.iter().find(signed_by).ok_or(Unreadable::Unsigned)?;
        Ok((Self::of_text(&text)?, key))
    }

    /// What a note says, whoever may have signed it: to be compared, never to be believed.
    pub(crate) fn claimed(note: &str) -> Result<Self, Unreadable> {
        Self::of_text(&parts(note)?.0)
    }

    fn of_text(text: &str) -> Result<Self, Unreadable> {
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(Unreadable::NoHead);
        };
        let number: u64 = size.parse().map_err(|_| Unreadable::NoHead)?;
        let root = root.parse().map_err(|_| Unreadable::NoHead)?;
        // a number is written in one way only
        if origin.is_empty() || number.to_string() != size {
            return Err(Unreadable::NoHead);
        }
        Ok(Self { origin: origin.to_owned(), size: number, root })
    }
}

/// What is signed, and the lines of the signatures.
fn parts(note: &str) -> Result<(String, &str), Unreadable> {
    // the text may hold empty lines itself: the signatures stand behind the last
    let (text, signatures) = note.rsplit_once("\n\n").ok_or(Unreadable::NoNote)?;
    if !signatures.ends_with('\n') || note.contains('\r') {
        return Err(Unreadable::NoNote);
    }
    Ok((format!("{text}\n"), signatures))
}

fn is_signature(line: &str, key: &NoteKey, text: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix("\u{2014} ") else { return false };
    let Some((name, signature)) = rest.split_once(' ') else { return false };
    let Ok(signature) = STANDARD.decode(signature) else { return false };
    let Some((id, signature)) = signature.split_first_chunk::<4>() else { return false };
    name == key.name && *id == key.key.note_id(name) && key.key.verifies(text, signature)
}

/// That one line stands in a log, with the log's signed head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inclusion {
    pub(crate) index: u64,
    pub(crate) proof: Vec<Hash>,
    /// A signed note.
    pub(crate) checkpoint: String,
}

impl fmt::Display for Inclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{PROOF_VERSION}\nindex {}", self.index)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl Inclusion {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (proof, checkpoint) = text.split_once("\n\n")?;
        let mut lines = proof.lines();
        if lines.next() != Some(PROOF_VERSION) {
            return None;
        }
        let index = lines.next()?.strip_prefix("index ")?.parse().ok()?;
        let proof: Result<_, _> = lines.map(str::parse).collect();
        Some(Self { index, proof: proof.ok()?, checkpoint: checkpoint.to_owned() })
    }

    /// Whether this line stands there, in a log whose head one of these keys has signed.
    pub(crate) fn proves(&self, line: &[u8], keys: &[NoteKey]) -> Option<Head> {
        self.proves_leaf(Hash::of_leaf(line), keys)
    }

    /// The same of a line of which only the hash is known.
    pub(crate) fn proves_leaf(&self, leaf: Hash, keys: &[NoteKey]) -> Option<Head> {
        let (head, _) = Head::open(&self.checkpoint, keys).ok()?;
        let found = tree::verify_inclusion(leaf, self.index, head.size, &self.proof, head.root);
        found.is_ok().then_some(head)
    }
}
