//! A document as PDF 1.7, with two of the fonts that every reader has.

use events::time::Time;
use pdf_writer::{Content, Date, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};

use super::Document;
use super::font::{Font, encoded};
use super::layout::{self, MARGIN, Mark, PAGE};

const FOOT: f32 = 8.0;

pub(super) fn render(document: &Document) -> Vec<u8> {
    let pages = layout::pages(&document.blocks);
    let mut pdf = Pdf::new();
    let mut next = Ref::new(1);
    let (catalog, tree, about) = (next.bump(), next.bump(), next.bump());
    let fonts = Font::ALL.map(|font| (font, next.bump()));
    let ids: Vec<_> = pages.iter().map(|_| (next.bump(), next.bump())).collect();

    let mut root = pdf.catalog(catalog);
    root.pages(tree).lang(TextStr("en"));
    root.viewer_preferences().display_doc_title(true);
    root.finish();
    let mut information = pdf.document_info(about);
    information.title(TextStr(&document.title));
    information.creator(TextStr(&document.made_by)).producer(TextStr(&document.made_by));
    if let Some(date) = date(document.made_at) {
        information.creation_date(date).modified_date(date);
    }
    information.finish();
    for (font, id) in fonts {
        pdf.type1_font(id).base_font(font.base()).encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    let count = i32::try_from(ids.len()).expect("a report has fewer pages");
    pdf.pages(tree).kids(ids.iter().map(|(page, _)| *page)).count(count);
    for (place, (marks, (id, content))) in pages.iter().zip(&ids).enumerate() {
        let mut page = pdf.page(*id);
        page.parent(tree).media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1)).contents(*content);
        let mut resources = page.resources();
        let mut named = resources.fonts();
        for (font, id) in fonts {
            named.pair(font.name(), id);
        }
        named.finish();
        resources.finish();
        page.finish();
        let number = format!("{} / {}", place + 1, ids.len());
        pdf.stream(*content, &drawn(marks, &document.title, &number));
    }
    pdf.finish()
}

fn drawn(marks: &[Mark], title: &str, number: &str) -> Vec<u8> {
    let mut content = Content::new();
    for mark in marks {
        match mark {
            Mark::Text { x, y, font, size, text } => {
                write(&mut content, (*x, *y), *font, *size, text);
            }
            Mark::Rectangle { x, y, width, height } => {
                content.rect(*x, *y, *width, *height).fill_nonzero();
            }
        }
    }
    let (title, number) = (encoded(title), encoded(number));
    let right = PAGE.0 - MARGIN - Font::Plain.width(&number, FOOT);
    // what is longer would run into the number
    let fits = |end: &usize| MARGIN + Font::Plain.width(&title[..*end], FOOT) < right - 2.0 * FOOT;
    let end = (0..=title.len()).rev().find(fits).unwrap_or_default();
    write(&mut content, (MARGIN, MARGIN - FOOT), Font::Plain, FOOT, &title[..end]);
    write(&mut content, (right, MARGIN - FOOT), Font::Plain, FOOT, &number);
    content.finish().into_vec()
}

fn write(content: &mut Content, (x, y): (f32, f32), font: Font, size: f32, text: &[u8]) {
    content.begin_text().set_font(font.name(), size).next_line(x, y).show(Str(text)).end_text();
}

/// `None` outside of the years that are written with four digits.
fn date(at: Time) -> Option<Date> {
    let at = at.to_string();
    let part = |from: usize, to: usize| at.get(from..to)?.parse::<u8>().ok();
    let day = Date::new(at.get(..4)?.parse().ok()?).month(part(5, 7)?).day(part(8, 10)?);
    let time = day.hour(part(11, 13)?).minute(part(14, 16)?).second(part(17, 19)?);
    Some(time.utc_offset_hour(0).utc_offset_minute(0))
}
