//! The credentials of those who run the installation, the operator's and the provisioners': set by
//! `CHANCERY_OPERATOR_TOKEN` and `CHANCERY_PROVISIONER_TOKEN`, or made at the first start in files that
//! only the owner may read. They have nothing to do with any account or role.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

/// Whatever is shorter can be guessed.
pub(crate) const SHORTEST: usize = 8;

/// Who has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    Operator,
    /// Whoever makes and runs databases.
    Provisioner,
}

impl Holder {
    /// The file in the data folder that holds it where none is configured.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Operator => "operator.token",
            Self::Provisioner => "provisioner.token",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Operator => "chy_operator_",
            Self::Provisioner => "chy_provisioner_",
        }
    }
}

pub(crate) struct InstallationToken {
    /// BLAKE3 of the token: only that is kept and compared.
    hash: blake3::Hash,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read the token `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot make the token `{}`", path.display())]
    Make { path: PathBuf, source: io::Error },
    #[error("`{}` may be read by others; run `chmod 600` on it", .0.display())]
    Exposed(PathBuf),
    #[error("`{}` holds no token of at least 8 characters; remove it to get a new one", .0.display())]
    TooShort(PathBuf),
}

impl InstallationToken {
    /// The configured token, else the one in the holder's file; made where there is none.
    pub(crate) fn configured_or_in(
        configured: Option<&SecretString>,
        holder: Holder,
        folder: &Path,
    ) -> Result<Self, Error> {
        if let Some(token) = configured {
            return Ok(Self::of(token.expose_secret()));
        }
        let path = &*folder.join(holder.file());
        match fs::read_to_string(path).map(Zeroizing::new) {
            Ok(text) => {
                let mode = fs::metadata(path).map_or(0, |file| file.permissions().mode());
                if mode & 0o077 != 0 {
                    return Err(Error::Exposed(path.to_owned()));
                }
                if text.trim().len() < SHORTEST {
                    return Err(Error::TooShort(path.to_owned()));
                }
                Ok(Self::of(text.trim()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(holder, path)
                .map_err(|source| Error::Make { path: path.to_owned(), source }),
            Err(source) => Err(Error::Read { path: path.to_owned(), source }),
        }
    }

    fn of(token: &str) -> Self {
        Self { hash: blake3::hash(token.as_bytes()) }
    }

    fn make(holder: Holder, path: &Path) -> io::Result<Self> {
        let mut bits = Zeroizing::new([0; 32]);
        getrandom::fill(bits.as_mut_slice()).map_err(io::Error::other)?;
        let token = Zeroizing::new(format!(
            "{}{}",
            holder.prefix(),
            blake3::Hash::from_bytes(*bits).to_hex()
        ));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(token.as_bytes())?;
        file.sync_all()?;
        Ok(Self::of(&token))
    }

    /// Whether this is the token. Takes as long whatever is different.
    pub(crate) fn is(&self, presented: &str) -> bool {
        // hashes compare in constant time
        self.hash == blake3::hash(presented.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_only_the_owner_may_read_it() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let path = folder.path().join("operator.token");
        let found = |configured| {
            InstallationToken::configured_or_in(configured, Holder::Operator, folder.path())
        };
        let made = found(None).expect("it can be made");
        let text = fs::read_to_string(&path).expect("it is there");
        assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        let read = found(None).expect("it can be read");
        assert!(made.is(&text) && read.is(&text) && !read.is(&text[1..]) && !read.is(""));
        let other = SecretString::from("another token of an operator");
        let configured = found(Some(&other));
        assert!(configured.expect("it is configured").is("another token of an operator"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("it is ours");
        assert!(matches!(found(None), Err(Error::Exposed(_))));
    }
}
