//! V4: every file that the statement lists is there with its size and both of its hashes, and no
//! other is.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

use sha2::{Digest as _, Sha256};

use super::bundle::{Bundle, is_plain};
use super::fault::{Checked, Fault, Reason, ensure};
use crate::packet::content::hex;
use crate::packet::statement::{File, Statement};
use crate::packet::{CHECKPOINT, ENVELOPE, EVENTS, SEAL, SPECIFICATION, disclosed_subject};
use crate::pieces::BadLine;

const ALWAYS_THERE: [&str; 4] = [EVENTS, CHECKPOINT, SPECIFICATION, SEAL];

/// The listed files by their names.
pub(super) type Listed = BTreeMap<String, File>;

/// What the statement lists, as far as its names are sound; what must be listed is.
pub(super) fn listed(statement: &Statement) -> Checked<Listed> {
    let (mut listed, mut folded) = (Listed::new(), std::collections::BTreeSet::new());
    for file in &statement.subject {
        ensure(is_plain(&file.name) && file.name != ENVELOPE, Reason::SubjectName, || {
            format!("it lists a file called {:?}", file.name)
        })?;
        ensure(folded.insert(file.name.to_ascii_lowercase()), Reason::SubjectName, || {
            format!("it lists {} twice, or in two letter cases", file.name)
        })?;
        listed.insert(file.name.clone(), file.clone());
    }
    for name in ALWAYS_THERE {
        ensure(listed.contains_key(name), Reason::MissingFile, || {
            "the statement does not list it".to_owned()
        })
        .map_err(|fault| fault.in_file(name))?;
    }
    Ok(listed)
}

/// The bundle holds what is listed and nothing else. What is listed and not there can only be what
/// an erasure took: that is returned, for whoever has read the log.
pub(super) fn compare(bundle: &Bundle, listed: &Listed) -> Checked<Vec<String>> {
    let unlisted = bundle.names().find(|name| *name != ENVELOPE && !listed.contains_key(*name));
    if let Some(name) = unlisted {
        let fault = Fault::new(Reason::UnlistedFile, "the statement does not list it");
        return Err(fault.in_file(name));
    }
    let missing: Vec<_> = listed.keys().filter(|name| !bundle.has(name)).cloned().collect();
    match missing.iter().find(|name| disclosed_subject(name).is_none()) {
        Some(name) => Err(is_missing(name)),
        None => Ok(missing),
    }
}

pub(super) fn is_missing(name: &str) -> Fault {
    Fault::new(Reason::MissingFile, "the statement lists it, and it is not there").in_file(name)
}

/// Counts and hashes what is read through it.
pub(super) struct Digested<R> {
    inner: R,
    sha256: Sha256,
    blake3: blake3::Hasher,
    bytes: u64,
}

impl<R: Read> Digested<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, sha256: Sha256::new(), blake3: blake3::Hasher::new(), bytes: 0 }
    }

    /// Reads what is left, and says whether all of it is what the statement lists.
    pub(super) fn finish(mut self, file: &File) -> Checked<()> {
        let read = io::copy(&mut self, &mut io::sink());
        read.map_err(|error| {
            Fault::new(Reason::Unreadable, format!("{error}")).in_file(&file.name)
        })?;
        let named = |fault: Fault| fault.in_file(&file.name);
        ensure(self.bytes.to_string() == file.annotations.bytes, Reason::SubjectSize, || {
            format!("it has {} bytes, not the {} listed", self.bytes, file.annotations.bytes)
        })
        .map_err(named)?;
        let sha256 = hex(&self.sha256.finalize());
        ensure(sha256 == file.digest.sha256, Reason::SubjectDigest, || {
            format!("its SHA-256 is {sha256}, not {}", file.digest.sha256)
        })
        .map_err(named)?;
        let blake3 = self.blake3.finalize().to_hex();
        ensure(blake3.as_str() == file.annotations.blake3, Reason::SubjectDigest, || {
            format!("its BLAKE3 is {blake3}, not {}", file.annotations.blake3)
        })
        .map_err(named)
    }
}

impl<R: Read> Read for Digested<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.sha256.update(&buffer[..read]);
        self.blake3.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

pub(super) fn sha256_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A file that is small enough to be read as a whole, after its hashes were compared.
pub(super) fn read_whole(bundle: &mut Bundle, file: &File) -> Checked<Vec<u8>> {
    let bytes = bundle.read_whole(&file.name)?;
    Digested::new(bytes.as_slice()).finish(file)?;
    Ok(bytes)
}

/// Only whether it is what is listed.
pub(super) fn hash(bundle: &mut Bundle, file: &File) -> Checked<()> {
    Digested::new(bundle.read(&file.name)?).finish(file)
}

/// The next line into `line`, without its line feed. False at the end.
pub(super) fn next_line(
    from: &mut impl BufRead,
    line: &mut Vec<u8>,
    longest: usize,
) -> Result<bool, BadLine> {
    line.clear();
    let read = from.take(longest as u64 + 1).read_until(b'\n', line).map_err(BadLine::Io)?;
    if read == 0 {
        return Ok(false);
    }
    if line.pop() != Some(b'\n') {
        return Err(if read > longest { BadLine::TooLong } else { BadLine::NoEnd });
    }
    Ok(true)
}
