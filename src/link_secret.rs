//! What proves that somebody has read a mail: 43 characters at the end of a link. Not random, so
//! that the mail can be made again on any node; the log holds only their BLAKE3 hash.

use std::fmt;

use events::chain::Link;
use zeroize::Zeroizing;

/// Characters of a secret: 256 bits in base64url.
const LENGTH: usize = 43;

/// The path of links to invitations, below the public URL.
pub(crate) const INVITATIONS: &str = "invitations";

/// What a link is for. A link of one purpose never serves another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    PasswordReset,
    EmailVerification,
    /// To the invited: it proves that the address is theirs.
    InvitationMailed,
    /// For the inviter to hand on: it proves nothing but itself.
    InvitationCopied,
}

impl Purpose {
    pub(crate) fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::PasswordReset => b"password reset",
            Self::EmailVerification => b"e-mail verification",
            Self::InvitationMailed => b"invitation mailed",
            Self::InvitationCopied => b"invitation copied",
        }
    }

    /// The path of the links, below the public URL.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::PasswordReset => "reset-password",
            Self::EmailVerification => "verify-email",
            Self::InvitationMailed | Self::InvitationCopied => INVITATIONS,
        }
    }
}

/// Never printed.
pub(crate) struct LinkSecret(Zeroizing<String>);

impl fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkSecret(..)")
    }
}

impl LinkSecret {
    pub(crate) fn of_bits(bits: &[u8; 32]) -> Self {
        Self(Zeroizing::new(events::wire::base64url(bits)))
    }

    /// `None` for what cannot be one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == LENGTH
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        is_one.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// What the log keeps of it.
    pub(crate) fn hash(&self) -> Link {
        Link::of_line(self.0.as_bytes())
    }

    /// The secret itself, for the mail alone.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}
