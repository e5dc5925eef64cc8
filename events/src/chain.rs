//! The link between the lines of a stream: BLAKE3 over the stored bytes of the line before.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::stream::Stream;
use crate::time::Time;
use crate::wire::{self, Head, Malformed};

mod many;

const SCHEME: &str = "blake3:";
/// The value of each byte as a hexadecimal digit; 255 where it is none.
const HEX: [u8; 256] = {
    let mut digits = [255; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value as usize] as usize] = value;
        digits[b"0123456789ABCDEF"[value as usize] as usize] = value;
        value += 1;
    }
    digits
};

/// BLAKE3 of one stored line, or [`Link::FIRST`] where there is no line before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link([u8; 32]);

impl Link {
    pub const FIRST: Self = Self([0; 32]);

    /// The link that the next line on the stream carries as its `prev`.
    pub fn of_line(line: &[u8]) -> Self {
        Self(*blake3::hash(line).as_bytes())
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Link {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a link is `blake3:` and 64 hexadecimal digits")]
pub struct InvalidLink;

impl FromStr for Link {
    type Err = InvalidLink;

    fn from_str(text: &str) -> Result<Self, InvalidLink> {
        let hex = text.strip_prefix(SCHEME).ok_or(InvalidLink)?;
        let digits: &[u8; 64] = hex.as_bytes().try_into().map_err(|_| InvalidLink)?;
        let mut bytes = [0; 32];
        // a value above 15 is no digit; looking once at the end is much faster than each time
        let mut seen = 0;
        for (byte, &[high, low]) in bytes.iter_mut().zip(digits.as_chunks().0) {
            let (high, low) = (HEX[usize::from(high)], HEX[usize::from(low)]);
            seen |= high | low;
            *byte = (high << 4) | (low & 15);
        }
        if seen > 15 { Err(InvalidLink) } else { Ok(Self(bytes)) }
    }
}

impl Serialize for Link {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Link {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        wire::parsed(deserializer)
    }
}

/// What is wrong with a stream's bytes, at the first version where it shows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("version {version} cannot be read as a line")]
    Unreadable { version: u64 },
    #[error("version {version} is not in canonical form")]
    NotCanonical { version: u64 },
    #[error("version {version} names another place: {stream} version {named}")]
    Misplaced { version: u64, stream: String, named: u64 },
    #[error("version {version} does not link to the line before it")]
    Unlinked { version: u64 },
    #[error("version {version} goes back in time")]
    OutOfTime { version: u64 },
}

/// What a walk wants to know of a line, found without the lines before it: on any thread, in any
/// order.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub stream: Stream,
    pub version: u64,
    /// Of this line.
    pub link: Link,
    prev: Link,
    at: Time,
    is_canonical: bool,
}

impl Step {
    /// `link` is that of the line.
    pub fn new(head: &Head<'_>, link: Link) -> Self {
        Self {
            stream: head.stream,
            version: head.version,
            link,
            prev: head.prev,
            at: head.recorded_at,
            is_canonical: head.is_canonical,
        }
    }

    /// `link` is that of the line.
    pub fn of_line(line: &[u8], link: Link) -> Result<Self, Malformed> {
        Ok(Self::new(&wire::head(line)?, link))
    }
}

/// Walks one stream from its first line and says where it breaks.
pub struct Walk {
    stream: Stream,
    next: u64,
    prev: Link,
    at: Time,
}

impl Walk {
    pub fn new(stream: &Stream) -> Self {
        let at = Time::from_millis(i64::MIN);
        Self { stream: *stream, next: 0, prev: Link::FIRST, at }
    }

    /// Takes the next stored line.
    pub fn step(&mut self, line: &[u8]) -> Result<(), Broken> {
        self.take(Step::of_line(line, Link::of_line(line)).as_ref().ok())
    }

    /// The same for who has looked at the line already. None where it cannot be read.
    pub fn take(&mut self, step: Option<&Step>) -> Result<(), Broken> {
        let version = self.next;
        let Some(step) = step else { return Err(Broken::Unreadable { version }) };
        if !step.is_canonical {
            return Err(Broken::NotCanonical { version });
        }
        if (step.stream, step.version) != (self.stream, version) {
            let (stream, named) = (step.stream.to_string(), step.version);
            return Err(Broken::Misplaced { version, stream, named });
        }
        if step.prev != self.prev {
            return Err(Broken::Unlinked { version });
        }
        if step.at < self.at {
            return Err(Broken::OutOfTime { version });
        }
        self.prev = step.link;
        self.at = step.at;
        self.next += 1;
        Ok(())
    }

    /// How many lines were walked, and the link over the last of them.
    pub fn end(&self) -> (u64, Link) {
        (self.next, self.prev)
    }
}
