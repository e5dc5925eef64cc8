//! Pages of plain HTML: no scripts, nothing from elsewhere.

use std::fmt::Write as _;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";
const HTML: &str = "text/html; charset=utf-8";

/// A piece of HTML: whatever text was put in is escaped.
#[derive(Default)]
pub(super) struct Html(String);

impl Html {
    /// Markup as it is; nothing that came from elsewhere.
    pub(super) fn raw(&mut self, markup: &str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        self
    }

    /// Text in which backticks enclose code.
    pub(super) fn prose(&mut self, text: &str) -> &mut Self {
        for (place, part) in text.split('`').enumerate() {
            if place % 2 == 1 {
                self.element("code", part);
            } else {
                self.text(part);
            }
        }
        self
    }

    pub(super) fn element(&mut self, name: &str, text: &str) -> &mut Self {
        self.raw("<").raw(name).raw(">").text(text).raw("</").raw(name).raw(">")
    }

    pub(super) fn link(&mut self, to: &str, text: &str) -> &mut Self {
        self.raw("<a href=\"").text(to).raw("\">").text(text).raw("</a>")
    }

    pub(super) fn paragraph(&mut self, text: &str) -> &mut Self {
        self.raw("<p>").prose(text).raw("</p>\n")
    }

    /// A heading that can be linked to.
    pub(super) fn heading(&mut self, level: u8, id: &str, text: &str) -> &mut Self {
        let _ = write!(self.0, "<h{level} id=\"");
        self.text(id).raw("\">").text(text);
        let _ = writeln!(self.0, "</h{level}>");
        self
    }

    pub(super) fn code_block(&mut self, text: &str) -> &mut Self {
        self.raw("<pre tabindex=\"0\"><code>").text(text).raw("</code></pre>\n")
    }

    /// A table; what a cell holds is written by the caller.
    pub(super) fn table(&mut self, heads: &[&str], rows: Vec<Vec<Self>>) -> &mut Self {
        self.raw("<div class=\"table\"><table><thead><tr>");
        for head in heads {
            self.raw("<th scope=\"col\">").text(head).raw("</th>");
        }
        self.raw("</tr></thead><tbody>\n");
        for row in rows {
            self.raw("<tr>");
            for cell in row {
                self.raw("<td>").raw(&cell.0).raw("</td>");
            }
            self.raw("</tr>\n");
        }
        self.raw("</tbody></table></div>\n")
    }

    /// The whole page.
    pub(super) fn page(self, title: &str) -> String {
        let mut page = Self::default();
        page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>");
        page.text(title).raw(" · Chancery</title>\n");
        page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        page.raw("<link rel=\"stylesheet\" href=\"/docs/style.css\">\n</head>\n<body>\n");
        page.raw("<a class=\"skip\" href=\"#content\">Skip to the content</a>\n");
        page.raw("<header><strong>Chancery</strong> <a href=\"/docs\">Reference</a> ");
        page.raw("<a href=\"/docs/schemas\">Schemas</a> <a href=\"/errors\">Errors</a> ");
        page.raw("<a href=\"/openapi.json\">OpenAPI</a></header>\n<main id=\"content\">\n");
        page.element("h1", title).raw("\n").raw(&self.0);
        page.raw("</main>\n</body>\n</html>\n");
        page.0
    }
}

/// Text or prose as a cell.
pub(super) fn cell(text: &str) -> Html {
    let mut cell = Html::default();
    cell.prose(text);
    cell
}

pub(super) fn code(text: &str) -> Html {
    let mut cell = Html::default();
    cell.element("code", text);
    cell
}

/// A finished page as an answer.
pub(super) fn answer(page: String) -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static(HTML));
    let policy = (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    let sniff = HeaderName::from_static("x-content-type-options");
    let sniff = (sniff, HeaderValue::from_static("nosniff"));
    (StatusCode::OK, [kind, policy, sniff], page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup() {
        let mut html = Html::default();
        html.prose("a < `<b>` & \"c\"").link("/x?a='1'&b", "<i>");
        assert_eq!(
            html.0,
            "a &lt; <code>&lt;b&gt;</code> &amp; &quot;c&quot;\
             <a href=\"/x?a=&#39;1&#39;&amp;b\">&lt;i&gt;</a>"
        );
    }
}
