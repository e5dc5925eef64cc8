//! Documents for people: what is said is written once, and comes out as HTML and as PDF. Both follow from
//! that alone, byte for byte; neither holds a clock's time nor a random id of its own.

mod font;
mod html;
mod layout;
mod pdf;
pub(crate) mod qr;

use events::time::Time;

use self::qr::Code;

pub(crate) struct Document {
    pub(crate) title: String,
    /// What made it, with its version.
    pub(crate) made_by: String,
    pub(crate) made_at: Time,
    pub(crate) blocks: Vec<Block>,
}

pub(crate) enum Block {
    /// The title has level 1.
    Heading {
        level: u8,
        id: String,
        text: String,
    },
    Paragraph(String),
    Steps(Vec<String>),
    /// Names, each with what is to be said about it, in one line or several.
    Facts {
        caption: String,
        facts: Vec<(String, Vec<String>)>,
    },
    Table {
        caption: String,
        heads: Vec<String>,
        rows: Vec<Vec<String>>,
    },
    Code(Code),
}

impl Document {
    /// One file that needs nothing else: no scripts, no addresses to load from.
    pub(crate) fn html(&self) -> String {
        html::render(self)
    }

    /// PDF 1.7, on A4.
    pub(crate) fn pdf(&self) -> Vec<u8> {
        pdf::render(self)
    }
}
