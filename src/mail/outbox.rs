//! A folder that mails are written to where no mail server is set: one file each, named after the
//! event that called for it. It takes no place of a database: deleting it loses only the mails.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use events::id::EventId;

use super::Undelivered;

pub(super) struct Outbox {
    folder: PathBuf,
}

impl Outbox {
    pub(super) fn new(data: &Path) -> Self {
        Self { folder: data.join("outbox") }
    }

    /// A mail is there as a whole or not at all.
    pub(super) fn keep(&self, event: EventId, bytes: &[u8]) -> Result<(), Undelivered> {
        self.write(event, bytes).map_err(away)
    }

    /// The events that called for what is here, finished or not.
    pub(super) fn kept(&self) -> Result<HashSet<EventId>, Undelivered> {
        let names = || {
            let entries = match fs::read_dir(&self.folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashSet::new()),
                entries => entries?,
            };
            let mut kept = HashSet::new();
            for entry in entries {
                let name = entry?.file_name();
                let event = name.to_str().and_then(|name| name.split('.').next());
                kept.extend(event.and_then(|event| event.parse::<EventId>().ok()));
            }
            Ok(kept)
        };
        names().map_err(away)
    }

    pub(super) fn discard(&self, event: EventId) -> Result<(), Undelivered> {
        for ending in ["eml", "part"] {
            match fs::remove_file(self.folder.join(format!("{event}.{ending}"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(away(error)),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn write(&self, event: EventId, bytes: &[u8]) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let unfinished = self.folder.join(format!("{event}.part"));
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, self.folder.join(format!("{event}.eml")))
    }
}

fn away(error: io::Error) -> Undelivered {
    Undelivered::Away(format!("the outbox: {error}"))
}
