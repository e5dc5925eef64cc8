//! Passwords: Argon2id on threads of their own, a few at a time, so that nobody can fill the
//! machine with hashing.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use prometheus::IntCounter;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

/// Fewest and most characters of a password.
pub(crate) const LENGTH: std::ops::RangeInclusive<usize> = 12..=256;
/// Hashing needs 19 MiB each (RFC 9106 as OWASP's first choice for Argon2id).
const AT_ONCE: usize = 2;
/// Who has to wait behind more than this many is sent away.
const QUEUE: usize = 256;

/// The commonest passwords that are long enough, and what they are commonly made of.
const COMMONEST: [&str; 24] = [
    "000000000000",
    "111111111111",
    "123123123123",
    "123456123456",
    "123456789012",
    "1234567890123",
    "123456789101112",
    "123456789abc",
    "1q2w3e4r5t6y",
    "1qaz2wsx3edc",
    "abcdefghijkl",
    "administrator",
    "adminadminadmin",
    "changemechangeme",
    "iloveyouiloveyou",
    "letmeinletmein",
    "passw0rd1234",
    "password1234",
    "password12345",
    "passwordpassword",
    "qwerty123456",
    "qwertyqwerty",
    "qwertyuiop12",
    "qwertyuiop123",
];

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("too many passwords are being checked; try again soon")]
    Busy,
    #[error("the hash could not be computed")]
    Hash(#[source] argon2::password_hash::Error),
    #[error("the hashing thread ended")]
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Weak {
    #[error("must be 12 to 256 characters long")]
    Length,
    #[error("is one of the commonest passwords; choose another")]
    Common,
}

pub(crate) fn check(password: &SecretString) -> Result<(), Weak> {
    let text = password.expose_secret();
    if !LENGTH.contains(&text.chars().count()) {
        return Err(Weak::Length);
    }
    if COMMONEST.contains(&text.to_lowercase().as_str()) {
        return Err(Weak::Common);
    }
    Ok(())
}

pub(crate) struct Passwords {
    queue: Arc<Semaphore>,
    working: Arc<Semaphore>,
    /// Verified against when there is no such account, so that the answer takes as long.
    nobody: String,
    full: IntCounter,
}

impl Passwords {
    /// `full` counts who is sent away.
    pub(crate) fn new(full: IntCounter) -> Result<Self, Error> {
        let nobody = hash_now(b"no password at all", &[0; 16])?;
        Ok(Self {
            queue: Arc::new(Semaphore::new(AT_ONCE + QUEUE)),
            working: Arc::new(Semaphore::new(AT_ONCE)),
            nobody,
            full,
        })
    }

    /// The PHC string of a password, with a salt that follows from its command.
    pub(crate) async fn hash(
        &self,
        password: SecretString,
        salt: [u8; 16],
    ) -> Result<String, Error> {
        self.run(move || hash_now(password.expose_secret().as_bytes(), &salt)).await?
    }

    /// Whether this is the password. Takes as long when there is no hash to compare with.
    pub(crate) async fn verify(
        &self,
        password: SecretString,
        hash: Option<String>,
    ) -> Result<bool, Error> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        let matches = self
            .run(move || {
                PasswordHash::new(&hash).is_ok_and(|hash| {
                    let password = password.expose_secret().as_bytes();
                    Argon2::default().verify_password(password, &hash).is_ok()
                })
            })
            .await?;
        Ok(known && matches)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let queued = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| {
            self.full.inc();
            Error::Busy
        })?;
        let working = Arc::clone(&self.working).acquire_owned().await.map_err(|_| Error::Ended)?;
        // hashing goes on when its caller is gone, and keeps its place until it is done
        let work = move || {
            let _places = (queued, working);
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Error::Ended)
    }
}

fn hash_now(password: &[u8], salt: &[u8; 16]) -> Result<String, Error> {
    let hash = Argon2::default().hash_password_with_salt(password, salt).map_err(Error::Hash)?;
    Ok(hash.to_string())
}
