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
    scanned(text, |scan| scan.value(0)).is_some()
}

/// Shows each member of a canonical object: its name as it stands between its quotes, and the bytes
/// of its value. `None` where it is not one.
pub(super) fn members<'a>(text: &'a [u8], shown: impl FnMut(&'a str, &'a str)) -> Option<()> {
    scanned(text, |scan| if scan.peek() == Some(b'{') { scan.object(1, shown) } else { None })
}

fn scanned<'a>(text: &'a [u8], scan_all: impl FnOnce(&mut Scan<'a>) -> Option<()>) -> Option<()> {
    let mut scan = Scan { text: str::from_utf8(text).ok()?, at: 0 };
    scan_all(&mut scan)?;
    (scan.at == text.len()).then_some(())
}

/// Goes through a text from left to right; every step is `None` where the form is not canonical.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// What has been gone through since.
    fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    fn literal(&mut self, literal: &str) -> Option<()> {
        self.rest().starts_with(literal.as_bytes()).then(|| self.at += literal.len())
    }

    fn value(&mut self, depth: u32) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b'{' => self.object(depth + 1, |_, _| ()),
            b'[' => self.array(depth + 1),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => self.integer(),
        }
    }

    /// `depth` counts the object itself.
    fn object(&mut self, depth: u32, mut shown: impl FnMut(&'a str, &'a str)) -> Option<()> {
        self.literal("{")?;
        if depth > DEEPEST {
            return None;
        }
        if self.peek()? == b'}' {
            return self.literal("}");
        }
        let mut before: Option<&str> = None;
        loop {
            let name = self.string()?;
            let follows = before.map_or(name != RAW_VALUE, |before| precedes(before, name));
            if !follows {
                return None;
            }
            before = Some(name);
            self.literal(":")?;
            let start = self.at;
            self.value(depth)?;
            shown(name, self.since(start));
            if self.ends(b'}')? {
                return Some(());
            }
        }
    }

    fn array(&mut self, depth: u32) -> Option<()> {
        self.literal("[")?;
        if depth > DEEPEST {
            return None;
        }
        if self.peek()? == b']' {
            return self.literal("]");
        }
        loop {
            self.value(depth)?;
            if self.ends(b']')? {
                return Some(());
            }
        }
    }

    /// Whether an object or array ends here; otherwise a comma leads to its next item.
    fn ends(&mut self, end: u8) -> Option<bool> {
        let byte = self.peek().filter(|byte| *byte == end || *byte == b',')?;
        self.at += 1;
        Some(byte == end)
    }

    /// What stands between the quotes.
    fn string(&mut self) -> Option<&'a str> {
        self.literal("\"")?;
        let start = self.at;
        loop {
            self.at += plain(self.rest());
            match self.peek()? {
                b'"' => break,
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
        let string = self.since(start);
        self.at += 1;
        Some(string)
    }

    /// The shortest one there is, and none where none is needed.
    fn escape(&mut self) -> Option<()> {
        let length = match *self.rest() {
            [_, b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            // the others are those that have a letter
            [_, b'u', b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f', ..]
            | [_, b'u', b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f', ..] => 6,
            _ => return None,
        };
        self.at += length;
        Some(())
    }

    fn integer(&mut self) -> Option<()> {
        let is_negative = self.literal("-").is_some();
        let start = self.at;
        self.at += self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = self.since(start);
        let value = digits.parse::<u64>().ok().filter(|value| *value <= LARGEST_INTEGER)?;
        let is_shortest = if value == 0 { digits == "0" } else { !digits.starts_with('0') };
        (is_shortest && !(is_negative && value == 0)).then_some(())
    }
}

/// How many bytes stand before the first that ends a string, begins an escape or may not be in it.
/// Eight at a time: in `found` the highest bit of such a byte is set, and of none before it.
fn plain(bytes: &[u8]) -> usize {
    const LOW: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = LOW << 7;
    let below = |word: u64, limit: u64| word.wrapping_sub(LOW * limit) & !word & HIGH;
    let is = |word: u64, byte: u8| below(word ^ (LOW * u64::from(byte)), 1);
    let (words, rest) = bytes.as_chunks();
    for (place, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = below(word, 0x20) | is(word, b'"') | is(word, b'\\');
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
