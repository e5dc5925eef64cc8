//! What a packet says, for people: as HTML and as PDF, with the same content. Both follow from the
//! signed predicate alone, byte for byte; neither holds a clock's time, a random id or anything
//! personal. They are renderings: what counts is what is signed.

mod content;
mod font;
mod html;
mod layout;
mod pdf;
mod qr;

use self::content::Document;
use super::statement::Predicate;

/// One file that needs nothing else: no scripts, no addresses to load from.
pub(crate) fn html(predicate: &Predicate) -> String {
    html::render(&Document::of(predicate))
}

/// PDF 1.7, on A4.
pub(crate) fn pdf(predicate: &Predicate) -> Vec<u8> {
    pdf::render(&Document::of(predicate))
}

#[cfg(test)]
mod tests;
