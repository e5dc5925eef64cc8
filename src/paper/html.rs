//! A document as one HTML file. No script and no address to load from: it may be opened from a disk
//! and served under a policy that allows only the style in it.

use std::fmt::Write as _;

use super::qr::{Code, MARGIN};
use super::{Block, Document};
use crate::html::Html;

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'";

pub(super) fn render(document: &Document) -> String {
    let mut html = Html::default();
    html.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"").text(POLICY).raw("\">\n");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    html.raw("<meta name=\"generator\" content=\"").text(&document.made_by).raw("\">\n");
    html.element("title", &document.title).raw("\n<style>\n").raw(include_str!("paper.css"));
    html.raw("</style>\n</head>\n<body>\n<main>\n");
    for block in &document.blocks {
        show(&mut html, block);
    }
    html.raw("</main>\n</body>\n</html>\n");
    html.into_string()
}

fn show(html: &mut Html, block: &Block) {
    match block {
        Block::Heading { level, id, text } => {
            html.heading(*level, id, text);
        }
        Block::Paragraph(text) => {
            html.element("p", text).raw("\n");
        }
        Block::Steps(steps) => {
            html.raw("<ol>\n");
            for step in steps {
                html.element("li", step).raw("\n");
            }
            html.raw("</ol>\n");
        }
        Block::Facts { caption, facts } => {
            begin_table(html, caption);
            html.raw("<tbody>\n");
            for (name, lines) in facts {
                html.raw("<tr><th scope=\"row\">").text(name).raw("</th><td>");
                for (place, line) in lines.iter().enumerate() {
                    html.raw(if place == 0 { "" } else { "<br>" }).text(line);
                }
                html.raw("</td></tr>\n");
            }
            html.raw("</tbody></table></div>\n");
        }
        Block::Table { caption, heads, rows } => table(html, caption, heads, rows),
        Block::Code(code) => draw(html, code),
    }
}

/// Wide tables are scrolled by themselves, with the keyboard, too; their captions repeat headings and
/// are for screen readers.
fn begin_table(html: &mut Html, caption: &str) {
    html.raw("<div class=\"table\" role=\"group\" tabindex=\"0\" aria-label=\"").text(caption);
    html.raw("\"><table>").element("caption", caption).raw("\n");
}

fn table(html: &mut Html, caption: &str, heads: &[String], rows: &[Vec<String>]) {
    begin_table(html, caption);
    html.raw("<thead><tr>");
    for head in heads {
        html.raw("<th scope=\"col\">").text(head).raw("</th>");
    }
    html.raw("</tr></thead>\n<tbody>\n");
    for row in rows {
        html.raw("<tr>");
        for (place, cell) in row.iter().enumerate() {
            let (begin, end) = match place {
                0 => ("<th scope=\"row\">", "</th>"),
                _ => ("<td>", "</td>"),
            };
            html.raw(begin).text(cell).raw(end);
        }
        html.raw("</tr>\n");
    }
    html.raw("</tbody></table></div>\n");
}

fn draw(html: &mut Html, code: &Code) {
    let (whole, mut dark) = (code.whole(), String::new());
    for (column, row, length) in &code.runs {
        let (x, y) = (column + MARGIN, row + MARGIN);
        write!(dark, "M{x} {y}h{length}v1h-{length}z").expect("a string takes any text");
    }
    html.raw("<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 ");
    html.raw(&format!("{whole} {whole}\" shape-rendering=\"crispEdges\">"));
    html.element("title", "QR code with the line of JSON above");
    html.raw(&format!("<path fill=\"#fff\" d=\"M0 0h{whole}v{whole}H0z\"/>"));
    html.raw("<path fill=\"#000\" d=\"").raw(&dark).raw("\"/></svg>\n");
}
