//! `chancery verify`: exit code 0 where everything holds, 8 with the first fault, 2 where it was
//! called in a wrong way.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use events::id::OrganizationId;

use super::{Bundle, Expected, PinnedKey, PinnedKeys, keys, verify};

const INVALID: u8 = 8;
const WRONG_USE: u8 = 2;
/// What all files of a packet may have together, unpacked.
const LARGEST: u64 = 64 << 30;
/// A checkpoint or a key file.
const LARGEST_INPUT: u64 = 1 << 20;

#[derive(Args)]
pub struct Flags {
    /// A packet: its bundle, a folder with its files, or its DSSE envelope alone
    packet: PathBuf,
    /// Keys that packets are signed with: PEM, a JWK (set) or verifier lines; never from the packet
    #[arg(long, value_name = "FILE", required = true)]
    packet_key: Vec<PathBuf>,
    /// Keys that heads of logs are signed with, best as verifier lines
    #[arg(long, value_name = "FILE", required = true)]
    log_key: Vec<PathBuf>,
    /// A checkpoint of the log that was kept from earlier, or a folder of them
    #[arg(long, value_name = "OLD")]
    checkpoint: Vec<PathBuf>,
    /// An export of the log after the packet, which may show that a person was erased since
    #[arg(long, value_name = "NDJSON")]
    later_log: Option<PathBuf>,
    /// The organization that the packet must be about
    #[arg(long, value_name = "ID")]
    organization: Option<OrganizationId>,
    /// The challenge that the packet was asked for with
    #[arg(long)]
    challenge: Option<String>,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, thiserror::Error)]
enum WrongUse {
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, #[source] io::Error),
    #[error("{0} is too large for what it should be")]
    TooLarge(String),
    #[error("{0}: {1}")]
    Keys(String, #[source] keys::Unusable),
    #[error(transparent)]
    Pinned(#[from] keys::Unusable),
}

impl WrongUse {
    fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable(..) | Self::TooLarge(_) => "check the path",
            Self::Keys(..) | Self::Pinned(_) => {
                "packet keys are at /.well-known/compliance-signing-keys, log keys at \
                 /.well-known/log-keys; compare them with what you got by another way"
            }
        }
    }
}

/// Prints the verdict.
pub fn run(flags: &Flags) -> io::Result<ExitCode> {
    let (keys, expected) = match read(flags) {
        Ok(read) => read,
        Err(wrong) => {
            eprintln!("error: {wrong}\nhint: {}", wrong.hint());
            return Ok(ExitCode::from(WRONG_USE));
        }
    };
    let verdict = verify(Bundle::open(&flags.packet, LARGEST), &keys, &expected);
    let mut stdout = io::stdout().lock();
    if flags.json {
        serde_json::to_writer_pretty(&mut stdout, &verdict)?;
        writeln!(stdout)?;
    } else {
        write!(stdout, "{verdict}")?;
    }
    stdout.flush()?;
    let Some(fault) = &verdict.fault else { return Ok(ExitCode::SUCCESS) };
    eprintln!("error: {}", fault.code());
    if let Some(hint) = fault.reason.hint() {
        eprintln!("hint: {hint}");
    }
    Ok(ExitCode::from(INVALID))
}

fn read(flags: &Flags) -> Result<(PinnedKeys, Expected), WrongUse> {
    if let Err(error) = fs::metadata(&flags.packet) {
        return Err(WrongUse::Unreadable(flags.packet.display().to_string(), error));
    }
    let keys = PinnedKeys::new(keys_in(&flags.packet_key)?, keys_in(&flags.log_key)?)?;
    let mut kept = Vec::new();
    for path in &flags.checkpoint {
        for path in files_in(path)? {
            kept.push(text(&path)?);
        }
    }
    if let Some(path) = &flags.later_log {
        let readable = fs::File::open(path);
        readable.map_err(|error| WrongUse::Unreadable(path.display().to_string(), error))?;
    }
    let expected = Expected {
        organization: flags.organization,
        challenge: flags.challenge.clone(),
        kept,
        later_log: flags.later_log.clone(),
    };
    Ok((keys, expected))
}

fn keys_in(paths: &[PathBuf]) -> Result<Vec<PinnedKey>, WrongUse> {
    let mut all = Vec::new();
    for path in paths {
        let read = keys::read(&text(path)?);
        all.extend(read.map_err(|why| WrongUse::Keys(path.display().to_string(), why))?);
    }
    Ok(all)
}

/// The file, or every file in the folder in the order of their names.
fn files_in(path: &Path) -> Result<Vec<PathBuf>, WrongUse> {
    let unreadable = |error| WrongUse::Unreadable(path.display().to_string(), error);
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries: io::Result<Vec<_>> =
        fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut files = entries.map_err(unreadable)?;
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}

fn text(path: &Path) -> Result<String, WrongUse> {
    let unreadable = |error| WrongUse::Unreadable(path.display().to_string(), error);
    if fs::metadata(path).map_err(unreadable)?.len() > LARGEST_INPUT {
        return Err(WrongUse::TooLarge(path.display().to_string()));
    }
    fs::read_to_string(path).map_err(unreadable)
}
