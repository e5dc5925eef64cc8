//! Text as a QR code.

use qrcode::{Color, EcLevel, QrCode};

/// Modules without anything around the code.
pub(super) const MARGIN: usize = 4;

pub(crate) struct Code {
    pub(crate) text: String,
    /// Modules along one side, without the margin.
    pub(super) width: usize,
    /// Dark modules next to each other: column, row and how many.
    pub(super) runs: Vec<(usize, usize, usize)>,
}

impl Code {
    /// `None` when the text is so long that no code can hold it.
    pub(crate) fn holding(text: String) -> Option<Self> {
        let code = QrCode::with_error_correction_level(&text, EcLevel::M).ok()?;
        let width = code.width();
        let mut runs = Vec::new();
        for (row, modules) in code.to_colors().chunks(width).enumerate() {
            let mut column = 0;
            for run in modules.chunk_by(PartialEq::eq) {
                if run[0] == Color::Dark {
                    runs.push((column, row, run.len()));
                }
                column += run.len();
            }
        }
        Some(Self { text, width, runs })
    }

    /// Modules along one side, with the margin.
    pub(super) fn whole(&self) -> usize {
        self.width + 2 * MARGIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_the_dark_modules() {
        let text = "x".repeat(330);
        let code = Code::holding(text.clone()).unwrap();
        let drawn = QrCode::with_error_correction_level(&text, EcLevel::M).unwrap();
        let mut colors = vec![Color::Light; code.width * code.width];
        for (column, row, length) in code.runs {
            colors[row * code.width + column..][..length].fill(Color::Dark);
        }
        assert_eq!(colors, drawn.to_colors());
    }

    #[test]
    fn what_is_too_long_has_no_code() {
        assert!(Code::holding("x".repeat(5000)).is_none());
    }
}
