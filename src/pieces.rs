//! The lines of a file in pieces of many, for work on several cores: whoever reads hands on whole
//! blocks, and where their lines end is found by whoever works on them. A line that is longer than
//! any may be ends the file, so that no more than a block and such a line is in memory.

use std::io::{self, BufRead as _, Read};
use std::mem;

/// Enough lines to be worth handing on.
const BLOCK: usize = 256 * 1024;

/// Why there is no next line where the file is not at its end.
#[derive(Debug, thiserror::Error)]
pub enum BadLine {
    #[error("it cannot be read")]
    Io(#[source] io::Error),
    #[error("a line is longer than any line of a log")]
    TooLong,
    #[error("its last line has no line feed")]
    NoEnd,
}

/// Reads one piece after the other.
pub struct Pieces<R> {
    from: R,
    longest: usize,
    /// Of the line that the last block broke off in.
    begun: Vec<u8>,
    is_at_end: bool,
}

impl<R: Read> Pieces<R> {
    /// `longest` is how many bytes a line may have, without its line feed.
    pub fn of(from: R, longest: usize) -> Self {
        Self { from, longest, begun: Vec::new(), is_at_end: false }
    }
}

impl<R: Read> Iterator for Pieces<R> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if self.is_at_end {
            return None;
        }
        let mut text = mem::take(&mut self.begun);
        text.reserve(BLOCK);
        let read = self.from.by_ref().take(BLOCK as u64).read_to_end(&mut text);
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let begun = text.split_off(whole);
        let ended_by = match read {
            Err(error) => Some(BadLine::Io(error)),
            Ok(_) if begun.len() > self.longest => Some(BadLine::TooLong),
            Ok(read) if read < BLOCK => {
                self.is_at_end = true;
                (!begun.is_empty()).then_some(BadLine::NoEnd)
            }
            Ok(_) => None,
        };
        self.is_at_end |= ended_by.is_some();
        self.begun = begun;
        let is_empty = text.is_empty() && ended_by.is_none() && self.is_at_end;
        (!is_empty).then_some(Piece { text, longest: self.longest, ended_by })
    }
}

/// Some lines that follow each other.
pub struct Piece {
    text: Vec<u8>,
    longest: usize,
    ended_by: Option<BadLine>,
}

impl Piece {
    /// Finds its lines.
    pub fn split(self) -> Lines {
        let Self { text, longest, mut ended_by } = self;
        let (mut ends, mut rest) = (Vec::new(), text.as_slice());
        while let Ok(length @ 1..) = rest.skip_until(b'\n') {
            if length > longest + 1 {
                ended_by = Some(BadLine::TooLong);
                break;
            }
            ends.push(text.len() - rest.len());
        }
        Lines { text, ends, ended_by }
    }
}

/// The same, with each line known.
pub struct Lines {
    text: Vec<u8>,
    /// Behind the line feed of each.
    ends: Vec<usize>,
    /// Why there is no line behind them, where something is wrong.
    pub ended_by: Option<BadLine>,
}

impl Lines {
    /// Each without its line feed.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut begin = 0;
        self.ends.iter().map(move |end| &self.text[mem::replace(&mut begin, *end)..*end - 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes each time, then fails where it should.
    struct Slow<'a>(&'a [u8], Option<io::ErrorKind>);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match (self.0.is_empty(), self.1) {
                (true, Some(kind)) => Err(kind.into()),
                _ => {
                    let most = buffer.len().min(999);
                    self.0.read(&mut buffer[..most])
                }
            }
        }
    }

    fn read(text: &[u8], fails: Option<io::ErrorKind>) -> (Vec<Vec<u8>>, Option<BadLine>) {
        let (mut found, mut ended_by) = (Vec::new(), None);
        for piece in Pieces::of(Slow(text, fails), 70_000) {
            assert!(ended_by.is_none(), "nothing comes behind what is wrong");
            let lines = piece.split();
            found.extend(lines.iter().map(<[u8]>::to_vec));
            ended_by = lines.ended_by;
        }
        (found, ended_by)
    }

    #[test]
    fn lines_are_the_same_wherever_a_block_breaks_off() {
        for length in [0, 1, 6, 1000, 4095, 65_535, 70_000] {
            for count in [0, 1, 2, 4, 300] {
                let lines: Vec<_> =
                    (b'a'..=b'z').cycle().take(count).map(|byte| vec![byte; length]).collect();
                let text: Vec<u8> =
                    lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect();
                let (found, ended_by) = read(&text, None);
                assert!(found == lines && ended_by.is_none(), "{count} lines of {length} bytes");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_told_behind_the_lines_before_it() {
        let good = b"one\ntwo\n".repeat(100_000);
        let behind = |bad: &[u8], fails| {
            let (found, ended_by) = read(&[&good, bad].concat(), fails);
            assert_eq!(found.len(), 200_000);
            ended_by
        };
        let too_long = vec![b'x'; 70_001];
        assert!(matches!(behind(b"three", None), Some(BadLine::NoEnd)));
        assert!(matches!(behind(&too_long, None), Some(BadLine::TooLong)));
        assert!(matches!(
            behind(&[&too_long, &b"\nfour\n"[..]].concat(), None),
            Some(BadLine::TooLong)
        ));
        assert!(matches!(behind(&vec![b'x'; 900_000], None), Some(BadLine::TooLong)));
        assert!(matches!(behind(b"thr", Some(io::ErrorKind::TimedOut)), Some(BadLine::Io(_))));
    }
}
