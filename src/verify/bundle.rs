//! The files of a packet: in a zip, in a folder, or the envelope alone. Names that a file system
//! could take for others, links, folders and entries of one name are refused before anything is read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::fault::{Checked, Fault, Reason, ensure};
use crate::packet::ENVELOPE;

/// More files than any packet has.
const MOST_FILES: usize = 100_000;
/// Of a file that is read as a whole.
const LARGEST_READ_AS_A_WHOLE: u64 = 64 << 20;
const ZIP_MAGIC: &[u8] = b"PK\x03\x04";

enum Kept {
    Zip(ZipArchive<File>),
    Folder(PathBuf),
    Envelope(Vec<u8>),
}

pub(crate) struct Bundle {
    kept: Kept,
    /// Each file with its size, as the bundle gives it.
    sizes: BTreeMap<String, u64>,
}

impl Bundle {
    /// What stands under this path. `largest` is how many bytes all files may have together.
    pub(crate) fn open(path: &Path, largest: u64) -> Checked<Self> {
        let metadata = fs::metadata(path).map_err(unreadable)?;
        if metadata.is_dir() {
            return Self::folder(path, largest);
        }
        Self::file(File::open(path).map_err(unreadable)?, largest)
    }

    /// A zip, or an envelope.
    pub(crate) fn file(mut file: File, largest: u64) -> Checked<Self> {
        use std::io::Seek as _;
        let mut magic = Vec::new();
        let head = &mut (&mut file).take(ZIP_MAGIC.len() as u64);
        head.read_to_end(&mut magic).map_err(unreadable)?;
        file.rewind().map_err(unreadable)?;
        if magic == ZIP_MAGIC {
            return Self::zip(file, largest);
        }
        let envelope = whole(file, LARGEST_READ_AS_A_WHOLE)?;
        let sizes = [(ENVELOPE.to_owned(), envelope.len() as u64)].into();
        Ok(Self { kept: Kept::Envelope(envelope), sizes })
    }

    fn zip(file: File, largest: u64) -> Checked<Self> {
        let mut zip = ZipArchive::new(file).map_err(unreadable)?;
        ensure(!zip.has_duplicate_names(), Reason::EntryTwice, || {
            "two entries of the zip have one name".to_owned()
        })?;
        ensure(zip.len() <= MOST_FILES, Reason::TooLarge, || "too many files".to_owned())?;
        let mut files = Vec::with_capacity(zip.len());
        for index in 0..zip.len() {
            let entry = zip.by_index_data(index).map_err(unreadable)?;
            let name = entry.name().map_err(unreadable)?.into_owned();
            let kind = entry.unix_mode().unwrap_or_default() & 0o170_000;
            let is_file = !entry.is_dir() && !entry.is_symlink() && matches!(kind, 0 | 0o100_000);
            files.push((name, is_file, entry.size()));
        }
        let sizes = sound(files, largest)?;
        // an entry that only a program that reads from the front would see, or that hides in another
        zip.validate_header_consistency().map_err(unreadable)?;
        Ok(Self { kept: Kept::Zip(zip), sizes })
    }

    fn folder(path: &Path, largest: u64) -> Checked<Self> {
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            // not following links
            let metadata = entry.metadata().map_err(unreadable)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            files.push((name, metadata.is_file(), metadata.len()));
            ensure(files.len() <= MOST_FILES, Reason::TooLarge, || "too many files".to_owned())?;
        }
        Ok(Self { kept: Kept::Folder(path.to_owned()), sizes: sound(files, largest)? })
    }

    /// Whether only the envelope is there, with nothing that it names.
    pub(crate) fn is_envelope_alone(&self) -> bool {
        matches!(self.kept, Kept::Envelope(_))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.sizes.keys().map(String::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.sizes.contains_key(name)
    }

    /// At most one byte more than the bundle says that the file has.
    pub(crate) fn read(&mut self, name: &str) -> Checked<Box<dyn Read + '_>> {
        let absent = || Fault::new(Reason::MissingFile, "it is not in the bundle").in_file(name);
        let size = *self.sizes.get(name).ok_or_else(absent)?;
        let file: Box<dyn Read + '_> = match &mut self.kept {
            Kept::Zip(zip) => Box::new(zip.by_name(name).map_err(unreadable)?),
            Kept::Folder(path) => Box::new(File::open(path.join(name)).map_err(unreadable)?),
            Kept::Envelope(envelope) => Box::new(envelope.as_slice()),
        };
        Ok(Box::new(file.take(size.saturating_add(1))))
    }

    pub(crate) fn read_whole(&mut self, name: &str) -> Checked<Vec<u8>> {
        let file = self.read(name)?;
        whole(file, LARGEST_READ_AS_A_WHOLE).map_err(|fault| fault.in_file(name))
    }
}

fn whole(file: impl Read, largest: u64) -> Checked<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(largest + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    ensure(bytes.len() as u64 <= largest, Reason::TooLarge, || {
        format!("it has more than {largest} bytes")
    })?;
    Ok(bytes)
}

fn unreadable(error: impl Into<UnreadableCause>) -> Fault {
    Fault::new(Reason::Unreadable, error.into().0)
}

/// What stood in the way, without paths or contents.
struct UnreadableCause(String);

impl From<io::Error> for UnreadableCause {
    fn from(error: io::Error) -> Self {
        Self(format!("reading it failed: {error}"))
    }
}

impl From<zip::result::ZipError> for UnreadableCause {
    fn from(error: zip::result::ZipError) -> Self {
        Self(format!("it is no sound zip: {error}"))
    }
}

/// A name that every system reads in the same way, and that stays in its folder.
pub(crate) fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(is_plain)
}

fn sound(files: Vec<(String, bool, u64)>, largest: u64) -> Checked<BTreeMap<String, u64>> {
    let (mut sizes, mut folded, mut sum) = (BTreeMap::new(), BTreeSet::new(), 0_u64);
    for (name, is_file, size) in files {
        ensure(is_plain(&name), Reason::EntryName, || {
            format!("an entry is called {name:?}; names are letters, digits, `.`, `_` and `-`")
        })?;
        ensure(is_file, Reason::EntryKind, || format!("{name} is no file"))?;
        ensure(folded.insert(name.to_ascii_lowercase()), Reason::EntryTwice, || {
            format!("two entries are called {name}, or differ in letter case only")
        })?;
        sum = sum.saturating_add(size);
        ensure(sum <= largest, Reason::TooLarge, || {
            format!("unpacked it has more than {largest} bytes")
        })?;
        sizes.insert(name, size);
    }
    Ok(sizes)
}
