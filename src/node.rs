//! This node among all that share a database: its name stays the same over restarts, so that after
//! a crash it goes on at once instead of waiting for its own lease to run out.

use std::fs::{OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use uuid::Uuid;

use crate::file_lock::FileLock;

/// The node's name; no other process has the data folder while this lives.
pub(crate) struct Node {
    pub(crate) name: String,
    _lock: FileLock,
}

impl Node {
    /// Reads the name in the data folder, giving one at the first start.
    pub(crate) fn of(data: &Path) -> anyhow::Result<Self> {
        let path = data.join("node");
        let shown = path.display();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("cannot open `{shown}`"))?;
        let mut lock = match FileLock::take(file) {
            Ok(lock) => lock,
            Err(TryLockError::WouldBlock) => {
                bail!("another process uses the data folder `{}`; stop it first", data.display())
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock `{shown}`"));
            }
        };
        let file = lock.file();
        let mut name = String::new();
        file.read_to_string(&mut name).with_context(|| format!("cannot read `{shown}`"))?;
        if name.is_empty() {
            name = Uuid::new_v4().to_string();
            file.write_all(name.as_bytes()).with_context(|| format!("cannot write `{shown}`"))?;
        }
        Ok(Self { name, _lock: lock })
    }
}
