//! The master key: 32 bytes, in a file of its own that only the owner may read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretBox};
use zeroize::Zeroizing;

pub(crate) struct MasterKey(SecretBox<[u8; 32]>);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read the master key `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot make the master key `{}`", path.display())]
    Make { path: PathBuf, source: io::Error },
    #[error("`{}` holds no master key: 64 hexadecimal digits are expected", .0.display())]
    Malformed(PathBuf),
    #[error(
        "`{}` may be read by others; run `chmod 600` on it", .0.display()
    )]
    Exposed(PathBuf),
    #[error(
        "there is no master key at `{}`, but the log or the keyring is not empty; \
         put back the key they were made with", .0.display()
    )]
    Lost(PathBuf),
}

impl MasterKey {
    /// Reads the key. Only an installation in which nothing was ever written gets a fresh one.
    pub(crate) fn read_or_make(path: &Path, nothing_written: bool) -> Result<Self, Error> {
        match fs::read_to_string(path).map(Zeroizing::new) {
            Ok(text) => {
                let mode = fs::metadata(path).map_or(0, |file| file.permissions().mode());
                if mode & 0o077 != 0 {
                    return Err(Error::Exposed(path.to_owned()));
                }
                let hash = blake3::Hash::from_hex(text.trim())
                    .map_err(|_| Error::Malformed(path.to_owned()))?;
                Ok(Self(SecretBox::new(Box::new(*hash.as_bytes()))))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && nothing_written => {
                Self::make(path).map_err(|source| Error::Make { path: path.to_owned(), source })?;
                Self::read_or_make(path, false)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::Lost(path.to_owned()))
            }
            Err(source) => Err(Error::Read { path: path.to_owned(), source }),
        }
    }

    /// Of several nodes that start at once with one key file, one makes it; it is there whole or
    /// not at all.
    fn make(path: &Path) -> io::Result<()> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut_slice()).map_err(io::Error::other)?;
        let text = Zeroizing::new(format!("{}\n", blake3::Hash::from_bytes(*key).to_hex()));
        let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        let finished = file
            .write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::hard_link(&unfinished, path));
        fs::remove_file(&unfinished)?;
        match finished {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            finished => finished,
        }
    }

    pub(super) fn expose(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }
}
