//! Two of the fonts that every PDF reader has, their characters and the widths of these.

use pdf_writer::Name;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Font {
    Plain,
    Bold,
}

impl Font {
    pub(super) const ALL: [Self; 2] = [Self::Plain, Self::Bold];

    /// In a page's resources.
    pub(super) fn name(self) -> Name<'static> {
        Name(match self {
            Self::Plain => b"F1",
            Self::Bold => b"F2",
        })
    }

    pub(super) fn base(self) -> Name<'static> {
        Name(match self {
            Self::Plain => b"Helvetica",
            Self::Bold => b"Helvetica-Bold",
        })
    }

    /// In points, at this size.
    #[expect(clippy::cast_precision_loss, reason = "lines are short")]
    pub(super) fn width(self, text: &[u8], size: f32) -> f32 {
        let thousandths: u32 = text.iter().map(|code| u32::from(self.advance(*code))).sum();
        thousandths as f32 * size / 1000.0
    }

    /// In thousandths of the font's size.
    fn advance(self, code: u8) -> u16 {
        let widths = match self {
            Self::Plain => &HELVETICA,
            Self::Bold => &HELVETICA_BOLD,
        };
        usize::from(code).checked_sub(FIRST).map_or(0, |place| widths[place])
    }
}

/// Text in `WinAnsi`, the encoding of these fonts. What that lacks becomes a question mark, and so do
/// control characters.
pub(super) fn encoded(text: &str) -> Vec<u8> {
    text.chars().map(code_of).collect()
}

fn code_of(c: char) -> u8 {
    match c {
        ' '..='~' | '\u{a0}'..='\u{ff}' => u8::try_from(u32::from(c)).unwrap_or(b'?'),
        _ => ABOVE_ASCII.iter().find(|(_, it)| *it == c).map_or(b'?', |(code, _)| *code),
    }
}

/// Where `WinAnsi` differs from Latin-1.
const ABOVE_ASCII: [(u8, char); 27] = [
    (0x80, '€'),
    (0x82, '‚'),
    (0x83, 'ƒ'),
    (0x84, '„'),
    (0x85, '…'),
    (0x86, '†'),
    (0x87, '‡'),
    (0x88, 'ˆ'),
    (0x89, '‰'),
    (0x8a, 'Š'),
    (0x8b, '‹'),
    (0x8c, 'Œ'),
    (0x8e, 'Ž'),
    (0x91, '‘'),
    (0x92, '’'),
    (0x93, '“'),
    (0x94, '”'),
    (0x95, '•'),
    (0x96, '–'),
    (0x97, '—'),
    (0x98, '˜'),
    (0x99, '™'),
    (0x9a, 'š'),
    (0x9b, '›'),
    (0x9c, 'œ'),
    (0x9e, 'ž'),
    (0x9f, 'Ÿ'),
];

/// The code that the tables of widths begin with.
const FIRST: usize = 0x20;

#[rustfmt::skip]
const HELVETICA: [u16; 224] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584, 350,
    556, 350, 222, 556, 333, 1000, 556, 556, 333, 1000, 667, 333, 1000, 350, 611, 350,
    350, 222, 222, 333, 333, 350, 556, 1000, 333, 1000, 500, 333, 944, 350, 500, 667,
    278, 333, 556, 556, 556, 556, 260, 556, 333, 737, 370, 556, 584, 333, 737, 333,
    400, 584, 333, 333, 333, 556, 537, 278, 333, 333, 365, 556, 834, 834, 834, 611,
    667, 667, 667, 667, 667, 667, 1000, 722, 667, 667, 667, 667, 278, 278, 278, 278,
    722, 722, 778, 778, 778, 778, 778, 584, 778, 722, 722, 722, 722, 667, 667, 611,
    556, 556, 556, 556, 556, 556, 889, 500, 556, 556, 556, 556, 278, 278, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 584, 611, 556, 556, 556, 556, 500, 556, 500,
];

#[rustfmt::skip]
const HELVETICA_BOLD: [u16; 224] = [
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611,
    975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556,
    333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611,
    611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584, 350,
    556, 350, 278, 556, 500, 1000, 556, 556, 333, 1000, 667, 333, 1000, 350, 611, 350,
    350, 278, 278, 500, 500, 350, 556, 1000, 333, 1000, 556, 333, 944, 350, 500, 667,
    278, 333, 556, 556, 556, 556, 280, 556, 333, 737, 370, 556, 584, 333, 737, 333,
    400, 584, 333, 333, 333, 611, 556, 278, 333, 333, 365, 556, 834, 834, 834, 611,
    722, 722, 722, 722, 722, 722, 1000, 722, 667, 667, 667, 667, 278, 278, 278, 278,
    722, 722, 778, 778, 778, 778, 778, 584, 778, 722, 722, 722, 722, 667, 667, 611,
    556, 556, 556, 556, 556, 556, 889, 556, 556, 556, 556, 556, 278, 278, 278, 278,
    611, 611, 611, 611, 611, 611, 611, 584, 611, 611, 611, 611, 611, 556, 611, 556,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_encoded_and_what_is_lacking_is_marked() {
        assert_eq!(encoded("a\u{e9}\u{20ac}\u{2014}\u{6f22}\n"), b"a\xe9\x80\x97??");
    }

    #[test]
    fn widths_are_those_of_the_fonts() {
        let (plain, bold) = (Font::Plain.width(b"Wi\xff", 10.0), Font::Bold.width(b"Wi\xff", 10.0));
        assert!((plain - 16.66).abs() < 1e-3, "{plain}");
        assert!((bold - 17.78).abs() < 1e-3, "{bold}");
    }
}
