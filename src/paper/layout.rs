//! Where everything stands on paper: lines, tables and pages. Lengths are in points, from the lower
//! left corner.

use std::slice;

use super::Block;
use super::font::{Font, encoded};
use super::qr::Code;

/// A4.
pub(super) const PAGE: (f32, f32) = (595.0, 842.0);
pub(super) const MARGIN: f32 = 56.0;
const WIDTH: f32 = PAGE.0 - 2.0 * MARGIN;
const TOP: f32 = PAGE.1 - MARGIN;
/// Above the page's number.
const BOTTOM: f32 = MARGIN + 20.0;
const TEXT: f32 = 9.0;
const CELL: f32 = 8.0;
/// Of a line, in sizes of its font.
const LEADING: f32 = 1.35;
/// Right of a cell's text.
const GAP: f32 = 8.0;
/// Of the column with the names of facts.
const NAMES: f32 = 110.0;
const CODE: f32 = 180.0;

/// What is drawn, by itself.
pub(super) enum Mark {
    Text { x: f32, y: f32, font: Font, size: f32, text: Vec<u8> },
    Rectangle { x: f32, y: f32, width: f32, height: f32 },
}

/// Lines of one cell, in one font.
struct Cell {
    lines: Vec<Vec<u8>>,
    font: Font,
}

impl Cell {
    fn new(texts: &[String], font: Font, width: f32) -> Self {
        let lines = texts.iter().flat_map(|text| wrapped(&encoded(text), font, CELL, width));
        Self { lines: lines.collect(), font }
    }
}

pub(super) struct Layout {
    pages: Vec<Vec<Mark>>,
    /// The lower edge of what stands on the last page.
    y: f32,
}

/// The pages that these blocks fill; at least one.
pub(super) fn pages(blocks: &[Block]) -> Vec<Vec<Mark>> {
    let mut layout = Layout { pages: vec![Vec::new()], y: TOP };
    for block in blocks {
        layout.add(block);
    }
    layout.pages
}

impl Layout {
    fn add(&mut self, block: &Block) {
        match block {
            Block::Heading { level, text, .. } => self.heading(*level, text),
            Block::Paragraph(text) => {
                self.lines(text, 0.0, TEXT, Font::Plain);
                self.y -= 4.0;
            }
            Block::Steps(steps) => {
                for (place, step) in steps.iter().enumerate() {
                    self.keep_together(TEXT * LEADING);
                    let number = encoded(&format!("{}.", place + 1));
                    self.text(MARGIN, self.y - TEXT, Font::Plain, TEXT, number);
                    self.lines(step, 16.0, TEXT, Font::Plain);
                    self.y -= 2.0;
                }
            }
            Block::Facts { facts, .. } => {
                let widths = [NAMES, WIDTH - NAMES];
                for (name, lines) in facts {
                    let name = Cell::new(slice::from_ref(name), Font::Bold, NAMES - GAP);
                    let said = Cell::new(lines, Font::Plain, WIDTH - NAMES);
                    self.row(&widths, &[name, said]);
                }
            }
            Block::Table { heads, rows, .. } => self.table(heads, rows),
            Block::Code(code) => self.code(code),
        }
    }

    fn new_page(&mut self) {
        self.pages.push(Vec::new());
        self.y = TOP;
    }

    /// Begins a page when this does not fit on the last any more, but would on a new one.
    fn keep_together(&mut self, height: f32) {
        if self.y - height < BOTTOM && self.y < TOP && height <= TOP - BOTTOM {
            self.new_page();
        }
    }

    fn mark(&mut self, mark: Mark) {
        self.pages.last_mut().expect("there is a page from the beginning").push(mark);
    }

    fn text(&mut self, x: f32, y: f32, font: Font, size: f32, text: Vec<u8>) {
        if !text.is_empty() {
            self.mark(Mark::Text { x, y, font, size, text });
        }
    }

    fn rule(&mut self) {
        self.mark(Mark::Rectangle { x: MARGIN, y: self.y, width: WIDTH, height: 0.4 });
    }

    fn lines(&mut self, text: &str, indent: f32, size: f32, font: Font) {
        for line in wrapped(&encoded(text), font, size, WIDTH - indent) {
            self.keep_together(size * LEADING);
            self.text(MARGIN + indent, self.y - size, font, size, line);
            self.y -= size * LEADING;
        }
    }

    fn heading(&mut self, level: u8, text: &str) {
        let (size, above) = match level {
            1 => (18.0, 0.0),
            2 => (13.0, 14.0),
            3 => (10.5, 10.0),
            _ => (9.0, 8.0),
        };
        // with a bit of what it is about
        self.keep_together(above + size * LEADING + 50.0);
        if self.y < TOP {
            self.y -= above;
        }
        self.lines(text, 0.0, size, Font::Bold);
        self.y -= 3.0;
    }

    fn table(&mut self, heads: &[String], rows: &[Vec<String>]) {
        let widths = columns(heads, rows);
        let cells = |texts: &[String], font| -> Vec<Cell> {
            let cell = |(text, width): (&String, &f32)| {
                Cell::new(slice::from_ref(text), font, width - GAP)
            };
            texts.iter().zip(&widths).map(cell).collect()
        };
        let head = cells(heads, Font::Bold);
        self.row(&widths, &head);
        for row in rows {
            let (row, page) = (cells(row, Font::Plain), self.pages.len());
            self.keep_together(height_of(&row));
            if self.pages.len() > page {
                self.row(&widths, &head);
            }
            self.row(&widths, &row);
        }
        self.y -= 4.0;
    }

    /// Cells beside each other; what is longer than a page goes on upon the next.
    fn row(&mut self, widths: &[f32], cells: &[Cell]) {
        self.keep_together(height_of(cells));
        self.rule();
        self.y -= 2.0;
        for place in 0..lines_of(cells) {
            self.keep_together(CELL * LEADING);
            let mut x = MARGIN;
            for (cell, width) in cells.iter().zip(widths) {
                let line = cell.lines.get(place).cloned().unwrap_or_default();
                self.text(x, self.y - CELL, cell.font, CELL, line);
                x += width;
            }
            self.y -= CELL * LEADING;
        }
        self.y -= 2.0;
    }

    #[expect(clippy::cast_precision_loss, reason = "a code has fewer than 200 modules a side")]
    fn code(&mut self, code: &Code) {
        self.keep_together(CODE);
        let (module, margin) = (CODE / code.whole() as f32, super::qr::MARGIN);
        for (column, row, length) in &code.runs {
            self.mark(Mark::Rectangle {
                x: MARGIN + (column + margin) as f32 * module,
                y: self.y - (row + margin + 1) as f32 * module,
                width: *length as f32 * module,
                height: module,
            });
        }
        self.y -= CODE;
    }
}

fn lines_of(cells: &[Cell]) -> usize {
    cells.iter().map(|cell| cell.lines.len()).max().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a cell has few lines")]
fn height_of(cells: &[Cell]) -> f32 {
    lines_of(cells) as f32 * CELL * LEADING + 4.0
}

/// Columns are as wide as their longest cell, or share what is left over by those that are narrow.
#[expect(clippy::cast_precision_loss, reason = "a table has few columns")]
fn columns(heads: &[String], rows: &[Vec<String>]) -> Vec<f32> {
    let wanted: Vec<f32> = (0..heads.len())
        .map(|place| {
            let cells = rows.iter().filter_map(|row| row.get(place));
            let widths = cells.map(|cell| Font::Plain.width(&encoded(cell), CELL));
            let head = Font::Bold.width(&encoded(&heads[place]), CELL);
            widths.fold(head, f32::max) + GAP
        })
        .collect();
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let (mut widths, mut left) = (wanted.clone(), WIDTH);
    for (place, column) in order.iter().enumerate() {
        let share = left / (wanted.len() - place) as f32;
        widths[*column] = wanted[*column].min(share);
        left -= widths[*column];
    }
    widths
}

/// Text in lines of at most this width, broken at spaces, and within words that are longer.
fn wrapped(text: &[u8], font: Font, size: f32, width: f32) -> Vec<Vec<u8>> {
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    for word in text.split(|code| *code == b' ') {
        let with_word = [line.as_slice(), b" ", word].concat();
        if line.is_empty() {
            line = word.to_vec();
        } else if font.width(&with_word, size) <= width {
            line = with_word;
        } else {
            lines.push(std::mem::replace(&mut line, word.to_vec()));
        }
        while font.width(&line, size) > width && line.len() > 1 {
            let fitting =
                (1..line.len()).take_while(|end| font.width(&line[..*end], size) <= width);
            let rest = line.split_off(fitting.last().unwrap_or(1));
            lines.push(std::mem::replace(&mut line, rest));
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_spaces_and_within_long_words() {
        let lines = wrapped(b"a bc defghijklmnop q", Font::Plain, 10.0, 30.0);
        let lines: Vec<_> = lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
        assert_eq!(lines, ["a bc", "defghij", "klmno", "p q"]);
    }

    #[test]
    fn columns_fill_at_most_the_page() {
        let heads = ["a", "b", "c"].map(str::to_owned);
        let rows = [vec!["x".to_owned(), "y".repeat(300), "z z ".repeat(90)]];
        let widths = columns(&heads, &rows);
        assert!(widths.iter().sum::<f32>() <= WIDTH + 0.01, "{widths:?}");
        assert!(widths[0] < 20.0 && (widths[1] - widths[2]).abs() < 0.01, "{widths:?}");
    }

    #[test]
    fn what_is_longer_than_a_page_goes_on() {
        let long = Block::Facts {
            caption: String::new(),
            facts: vec![("name".to_owned(), vec!["word ".repeat(9000)])],
        };
        let pages = pages(&[long]);
        assert!(pages.len() > 3);
        let bottom = pages.iter().flatten().filter_map(|mark| match mark {
            Mark::Text { y, .. } => Some(*y),
            Mark::Rectangle { .. } => None,
        });
        assert!(bottom.fold(TOP, f32::min) >= MARGIN);
    }
}
