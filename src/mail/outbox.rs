//! A folder that mails are written to where no mail server is set: one file each, named after the
//! event that called for it. It takes no place of a database: deleting it loses only the mails.

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
        self.write(event, bytes).map_err(|error| Undelivered::Away(format!("the outbox: {error}")))
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
