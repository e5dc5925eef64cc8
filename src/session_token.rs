//! The tokens of a session, in base64url: `chy_ses_` with whose session it is and 256 bits that
//! prove it; `chy_ref_` with a number in between, of the refresh that made it. The log keeps only
//! BLAKE3 hashes of those bits, which follow from session and number, so that a repeat of a lost
//! answer shows them again.

use std::fmt;

use events::account::Secrets;
use events::chain::Link;
use events::id::{AccountId, SessionId};
use events::wire::{base64url, from_base64url};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::keyring::Keyring;

const SESSION: &str = "chy_ses_";
const REFRESH: &str = "chy_ref_";

/// 256 bits that prove something.
type Secret = Zeroizing<[u8; 32]>;

pub(crate) struct SessionToken {
    pub(crate) account: AccountId,
    pub(crate) session: SessionId,
    secret: Secret,
}

pub(crate) struct RefreshToken {
    pub(crate) account: AccountId,
    pub(crate) session: SessionId,
    /// How often the session had been refreshed when this was made.
    pub(crate) generation: u32,
    secret: Secret,
}

/// Both tokens of one generation of a session.
pub(crate) struct Tokens {
    pub(crate) session: SessionToken,
    pub(crate) refresh: RefreshToken,
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(..)")
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(..)")
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(..)")
    }
}

impl Tokens {
    pub(crate) fn of(
        keyring: &Keyring,
        account: AccountId,
        session: SessionId,
        generation: u32,
    ) -> Self {
        let secret = |purpose| secret(keyring, purpose, session, generation);
        Self {
            session: SessionToken { account, session, secret: secret("session token") },
            refresh: RefreshToken { account, session, generation, secret: secret(REFRESH_PURPOSE) },
        }
    }

    /// What the log keeps of them.
    pub(crate) fn secrets(&self) -> Secrets {
        Secrets {
            secret_hash: self.session.secret_hash(),
            refresh_hash: self.refresh.secret_hash(),
        }
    }
}

const REFRESH_PURPOSE: &str = "refresh token";

fn secret(keyring: &Keyring, purpose: &str, session: SessionId, generation: u32) -> Secret {
    let parts = [session.0.as_bytes().as_slice(), &generation.to_be_bytes()];
    Zeroizing::new(keyring.derive(purpose, &parts))
}

impl SessionToken {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(from_base64url(text.strip_prefix(SESSION)?)?);
        let (account, rest) = bytes.split_first_chunk::<16>()?;
        let (session, secret) = rest.split_first_chunk::<16>()?;
        let secret = Zeroizing::new(<[u8; 32]>::try_from(secret).ok()?);
        let (account, session) = (Uuid::from_bytes(*account), Uuid::from_bytes(*session));
        Some(Self { account: AccountId(account), session: SessionId(session), secret })
    }

    fn secret_hash(&self) -> Link {
        Link::of_line(self.secret.as_slice())
    }

    /// Compared in constant time.
    pub(crate) fn proves(&self, hash: &Link) -> bool {
        blake3::Hash::from_bytes(*hash.as_bytes())
            == blake3::Hash::from_bytes(*self.secret_hash().as_bytes())
    }

    /// The token as its owner keeps it.
    pub(crate) fn reveal(&self) -> String {
        let (account, session) = (self.account.0.as_bytes(), self.session.0.as_bytes());
        reveal(SESSION, &[account, session, self.secret.as_slice()])
    }
}

impl RefreshToken {
    /// `None` for what this installation has never given to anybody.
    pub(crate) fn genuine(keyring: &Keyring, text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(from_base64url(text.strip_prefix(REFRESH)?)?);
        let (account, rest) = bytes.split_first_chunk::<16>()?;
        let (session, rest) = rest.split_first_chunk::<16>()?;
        let (generation, presented) = rest.split_first_chunk::<4>()?;
        let presented = Zeroizing::new(<[u8; 32]>::try_from(presented).ok()?);
        let session = SessionId(Uuid::from_bytes(*session));
        let generation = u32::from_be_bytes(*generation);
        let secret = secret(keyring, REFRESH_PURPOSE, session, generation);
        // compared in constant time
        let is_genuine = blake3::Hash::from_bytes(*presented) == blake3::Hash::from_bytes(*secret);
        let account = AccountId(Uuid::from_bytes(*account));
        is_genuine.then_some(Self { account, session, generation, secret })
    }

    /// What the log keeps of it.
    pub(crate) fn secret_hash(&self) -> Link {
        Link::of_line(self.secret.as_slice())
    }

    /// The token as its owner keeps it.
    pub(crate) fn reveal(&self) -> String {
        let (account, session) = (self.account.0.as_bytes(), self.session.0.as_bytes());
        let generation = self.generation.to_be_bytes();
        reveal(REFRESH, &[account, session, &generation, self.secret.as_slice()])
    }
}

fn reveal(prefix: &str, parts: &[&[u8]]) -> String {
    let bytes = Zeroizing::new(parts.concat());
    format!("{prefix}{}", base64url(&bytes))
}
