//! Session tokens: `chy_ses_` and, in base64url, whose session it is and 256 bits that prove it.
//! The log keeps only a BLAKE3 hash of those bits.

use std::fmt;

use events::chain::Link;
use events::id::{AccountId, SessionId};
use events::wire::{base64url, from_base64url};
use uuid::Uuid;
use zeroize::Zeroizing;

pub(crate) const PREFIX: &str = "chy_ses_";

pub(crate) struct SessionToken {
    pub(crate) account: AccountId,
    pub(crate) session: SessionId,
    secret: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(..)")
    }
}

impl SessionToken {
    pub(crate) fn new(account: AccountId, session: SessionId, secret: [u8; 32]) -> Self {
        Self { account, session, secret: Zeroizing::new(secret) }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(from_base64url(text.strip_prefix(PREFIX)?)?);
        let (account, rest) = bytes.split_first_chunk::<16>()?;
        let (session, secret) = rest.split_first_chunk::<16>()?;
        let secret = <[u8; 32]>::try_from(secret).ok()?;
        Some(Self::new(
            AccountId(Uuid::from_bytes(*account)),
            SessionId(Uuid::from_bytes(*session)),
            secret,
        ))
    }

    /// What the log keeps of it.
    pub(crate) fn secret_hash(&self) -> Link {
        Link::of_line(self.secret.as_slice())
    }

    /// Compared in constant time.
    pub(crate) fn proves(&self, hash: &Link) -> bool {
        blake3::Hash::from_bytes(*hash.as_bytes())
            == blake3::Hash::from_bytes(*self.secret_hash().as_bytes())
    }

    /// The token as its owner keeps it.
    pub(crate) fn reveal(&self) -> String {
        let bytes = Zeroizing::new(
            [
                self.account.0.as_bytes().as_slice(),
                self.session.0.as_bytes(),
                self.secret.as_slice(),
            ]
            .concat(),
        );
        format!("{PREFIX}{}", base64url(&bytes))
    }
}
