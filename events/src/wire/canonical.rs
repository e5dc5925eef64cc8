//! Whether bytes are in canonical form (RFC 8785), found in one pass over them: nothing is read into
//! values and written again to be compared. Of numbers only exact integers are, as in every line.

/// A value lies in so many others at most: `serde_json` reads no deeper ones.
const DEEPEST: u32 = 127;
/// The largest integer every JSON reader keeps exactly (RFC 8785, I-JSON).
pub(super) const LARGEST_INTEGER: u64 = (1 << 53) - 1;
/// An object that begins with this name is something else to `serde_json` than to anybody else.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// Whether these bytes are the canonical form of what they say.
pub fn is_canonical(text: &[u8]) -> bool {
    scanned(text, |scan| scan.value(0, 0)).is_some()
}

/// Shows each member of a canonical object: its name as it stands between its quotes, and the bytes
/// of its value. `None` where it is not one.
pub(super) fn members<'a>(text: &'a [u8], shown: impl FnMut(&'a str, &'a str)) -> Option<()> {
    scanned(text, |scan| scan.object(0, 1, shown))
}

fn scanned<'a>(text: &'a [u8], scan_all: impl FnOnce(Scan<'a>) -> Option<usize>) -> Option<()> {
    let end = scan_all(Scan(str::from_utf8(text).ok()?))?;
    (end == text.len()).then_some(())
}

/// Goes through a text from left to right. Each step is told where something begins and says where
/// it ends, `None` where its form is not canonical: so the place stays in a register.
#[derive(Clone, Copy)]
struct Scan<'a>(&'a str);

impl<'a> Scan<'a> {
    fn rest(self, at: usize) -> &'a [u8] {
        self.0.as_bytes().get(at..).unwrap_or_default()
    }

    fn byte(self, at: usize) -> Option<u8> {
        self.0.as_bytes().get(at).copied()
    }

    #[inline]
    fn literal(self, at: usize, literal: &str) -> Option<usize> {
        self.rest(at).starts_with(literal.as_bytes()).then(|| at + literal.len())
    }

    fn value(self, at: usize, depth: u32) -> Option<usize> {
        match self.byte(at)? {
            b'"' => self.string(at),
            b'{' => self.object(at, depth + 1, |_, _| ()),
            b'[' => self.array(at, depth + 1),
            b't' => self.literal(at, "true"),
            b'f' => self.literal(at, "false"),
            b'n' => self.literal(at, "null"),
            _ => self.integer(at),
        }
    }

    /// `depth` counts the object itself.
    fn object(
        self,
        at: usize,
        depth: u32,
        mut shown: impl FnMut(&'a str, &'a str),
    ) -> Option<usize> {
        let mut at = self.literal(at, "{")?;
        if depth > DEEPEST {
            return None;
        }
        if self.byte(at)? == b'}' {
            return Some(at + 1);
        }
        let mut before: Option<&str> = None;
        loop {
            let end = self.string(at)?;
            let name = &self.0[at + 1..end - 1];
            let follows = before.map_or(name != RAW_VALUE, |before| precedes(before, name));
            if !follows {
                return None;
            }
            before = Some(name);
            let start = self.literal(end, ":")?;
            let end = self.value(start, depth)?;
            shown(name, &self.0[start..end]);
            at = end + 1;
            match self.byte(end)? {
                b',' => {}
                b'}' => return Some(at),
                _ => return None,
            }
        }
    }

    fn array(self, at: usize, depth: u32) -> Option<usize> {
        let mut at = self.literal(at, "[")?;
        if depth > DEEPEST {
            return None;
        }
        if self.byte(at)? == b']' {
            return Some(at + 1);
        }
        loop {
            let end = self.value(at, depth)?;
            at = end + 1;
            match self.byte(end)? {
                b',' => {}
                b']' => return Some(at),
                _ => return None,
            }
        }
    }

    /// Both quotes are part of it.
    #[inline]
    fn string(self, at: usize) -> Option<usize> {
        let mut at = self.literal(at, "\"")?;
        loop {
            at += plain(self.rest(at));
            match self.byte(at)? {
                b'"' => return Some(at + 1),
                b'\\' => at = self.escape(at)?,
                _ => return None,
            }
        }
    }

    /// The shortest one there is, and none where none is needed.
    fn escape(self, at: usize) -> Option<usize> {
        match *self.rest(at) {
            [_, b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Some(at + 2),
            // the others are those that have a letter
            [_, b'u', b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f', ..]
            | [_, b'u', b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f', ..] => Some(at + 6),
            _ => None,
        }
    }

    fn integer(self, at: usize) -> Option<usize> {
        let is_negative = self.byte(at) == Some(b'-');
        let start = at + usize::from(is_negative);
        let end = start + self.rest(start).iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = &self.0[start..end];
        let value = digits.parse::<u64>().ok().filter(|value| *value <= LARGEST_INTEGER)?;
        let is_shortest = if value == 0 { digits == "0" } else { !digits.starts_with('0') };
        (is_shortest && !(is_negative && value == 0)).then_some(end)
    }
}

/// How many bytes stand before the first that ends a string, begins an escape or may not be in it.
/// Eight at a time: in `found` the highest bit of such a byte is set, and of none before it.
#[inline]
fn plain(bytes: &[u8]) -> usize {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    const QUOTE_AS_SPACE: u8 = b'"' ^ b' ';
    let below = |word: u64, limit: u8| word.wrapping_sub(EACH * u64::from(limit));
    let with = |word: u64, byte: u8| word ^ (EACH * u64::from(byte));
    let (words, rest) = bytes.as_chunks();
    for (place, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // a quote trades places with a space, next to the control characters
        let ends = below(with(word, QUOTE_AS_SPACE), b' ' + 1) | below(with(word, b'\\'), 1);
        let found = ends & !word & (EACH << 7);
        if found != 0 {
            return place * 8 + (found.trailing_zeros() / 8) as usize;
        }
    }
    let of_rest = rest.iter().take_while(|byte| **byte >= 0x20 && !matches!(byte, b'"' | b'\\'));
    bytes.len() - rest.len() + of_rest.count()
}

/// Whether these two names stand in order, which is that of their UTF-16 code units, and differ.
fn precedes(before: &str, after: &str) -> bool {
    for (a, b) in before.bytes().zip(after.bytes()) {
        if a == b'\\' || b == b'\\' || (a != b && !a.is_ascii() && !b.is_ascii()) {
            return precedes_by_units(before, after);
        }
        if a != b {
            return a < b;
        }
    }
    before.len() < after.len()
}

fn precedes_by_units(before: &str, after: &str) -> bool {
    let units = |name: &str| {
        let name: Option<String> = serde_json::from_str(&format!("\"{name}\"")).ok();
        name.map(|name| name.encode_utf16().collect::<Vec<_>>())
    };
    units(before).zip(units(after)).is_some_and(|(before, after)| before < after)
}

#[cfg(test)]
mod tests;
