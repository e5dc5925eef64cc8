//! API tokens and organization keys as their owners keep them: `chy_pat_` or `chy_org_`, 256 secret
//! bits as 43 base62 digits, and their CRC-32 as 6 more, so that scanners can tell a token from
//! anything that looks like one. Only the BLAKE3 hash of the whole text is kept.

use std::fmt;

use crc::{CRC_32_ISO_HDLC, Crc};
use events::chain::Link;
use events::token::Kind;
use zeroize::Zeroizing;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 256 bits are fewer than 62^43.
const SECRET: usize = 43;
/// 32 bits are fewer than 62^6.
const CHECKSUM: usize = 6;
const PERSONAL: &str = "chy_pat_";
const ORGANIZATION: &str = "chy_org_";
/// As zip and PNG have it.
const CRC_32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
/// What is shown of a token later: its prefix and four digits.
const SHOWN: usize = 12;

/// Never printed.
pub(crate) struct ApiToken(Zeroizing<String>);

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiToken(..)")
    }
}

impl ApiToken {
    pub(crate) fn new(kind: Kind, bits: &[u8; 32]) -> Self {
        let prefix = match kind {
            Kind::Personal => PERSONAL,
            Kind::Organization => ORGANIZATION,
        };
        let mut text = Zeroizing::new(String::with_capacity(prefix.len() + SECRET + CHECKSUM));
        text.push_str(prefix);
        text.push_str(&base62::<SECRET>(bits));
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Self(text)
    }

    /// Whether this was meant to be a token of this kind at all.
    pub(crate) fn is_meant(text: &str) -> bool {
        text.starts_with(PERSONAL) || text.starts_with(ORGANIZATION)
    }

    /// `None` for what cannot be one: a digit is missing, or another than it was.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PERSONAL).or_else(|| text.strip_prefix(ORGANIZATION))?;
        if digits.len() != SECRET + CHECKSUM || !digits.bytes().all(|it| it.is_ascii_alphanumeric())
        {
            return None;
        }
        let (said, sum) = text.split_at(text.len() - CHECKSUM);
        (sum == *checksum(said)).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// What the log keeps of it.
    pub(crate) fn hash(&self) -> Link {
        Link::of_line(self.0.as_bytes())
    }

    /// What it can be known by, and not be guessed from.
    pub(crate) fn prefix(&self) -> &str {
        &self.0[..SHOWN]
    }

    /// The token itself, for its owner alone.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

fn checksum(text: &str) -> Zeroizing<String> {
    base62::<CHECKSUM>(&CRC_32.checksum(text.as_bytes()).to_be_bytes())
}

/// The number that the bytes are, most significant first, in so many digits.
fn base62<const LENGTH: usize>(bytes: &[u8]) -> Zeroizing<String> {
    let mut number = Zeroizing::new(bytes.to_vec());
    let mut digits = Zeroizing::new([0_u8; LENGTH]);
    for digit in digits.iter_mut().rev() {
        let mut rest = 0_u32;
        for byte in number.iter_mut() {
            let value = (rest << 8) | u32::from(*byte);
            *byte = u8::try_from(value / 62).expect("the rest is below 62");
            rest = value % 62;
        }
        *digit = DIGITS[rest as usize];
    }
    let text = str::from_utf8(digits.as_slice()).expect("the digits are ASCII");
    Zeroizing::new(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_no_digit_of_it_can_be_another() {
        for (kind, prefix) in [(Kind::Personal, PERSONAL), (Kind::Organization, ORGANIZATION)] {
            let token = ApiToken::new(kind, &[0xff; 32]);
            let text = token.reveal();
            assert!(text.starts_with(prefix) && text.len() == 57, "{text}");
            assert_eq!(ApiToken::parse(text).map(|read| read.hash()), Some(token.hash()));
            for place in 0..text.len() {
                for other in ["0", "z", "-", "\u{e9}"] {
                    let mut changed = text.to_owned();
                    changed.replace_range(place..=place, other);
                    assert!(changed == text || ApiToken::parse(&changed).is_none(), "{changed}");
                }
            }
        }
    }

    #[test]
    fn numbers_are_written_as_anybody_writes_them() {
        assert_eq!(*base62::<6>(&u32::MAX.to_be_bytes()), "4gfFC3");
        assert_eq!(*base62::<6>(&[0, 0, 0, 61]), "00000z");
    }
}
