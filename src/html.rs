//! HTML as text: whatever is put into it that is not markup of ours is escaped.

use std::fmt::Write as _;

/// A piece of HTML: whatever text was put in is escaped.
#[derive(Default)]
pub(crate) struct Html(String);

impl Html {
    /// Markup as it is; nothing that came from elsewhere.
    pub(crate) fn raw(&mut self, markup: &str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
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
    pub(crate) fn prose(&mut self, text: &str) -> &mut Self {
        for (place, part) in text.split('`').enumerate() {
            if place % 2 == 1 {
                self.element("code", part);
            } else {
                self.text(part);
            }
        }
        self
    }

    pub(crate) fn element(&mut self, name: &str, text: &str) -> &mut Self {
        self.raw("<").raw(name).raw(">").text(text).raw("</").raw(name).raw(">")
    }

    pub(crate) fn link(&mut self, to: &str, text: &str) -> &mut Self {
        self.raw("<a href=\"").text(to).raw("\">").text(text).raw("</a>")
    }

    pub(crate) fn paragraph(&mut self, text: &str) -> &mut Self {
        self.raw("<p>").prose(text).raw("</p>\n")
    }

    /// A heading that can be linked to.
    pub(crate) fn heading(&mut self, level: u8, id: &str, text: &str) -> &mut Self {
        let _ = write!(self.0, "<h{level} id=\"");
        self.text(id).raw("\">").text(text);
        let _ = writeln!(self.0, "</h{level}>");
        self
    }

    pub(crate) fn code_block(&mut self, text: &str) -> &mut Self {
        self.raw("<pre tabindex=\"0\"><code>").text(text).raw("</code></pre>\n")
    }

    /// A table; what a cell holds is written by the caller.
    pub(crate) fn table(&mut self, heads: &[&str], rows: Vec<Vec<Self>>) -> &mut Self {
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

    /// Other HTML, as it is.
    pub(crate) fn html(&mut self, other: &Self) -> &mut Self {
        self.raw(&other.0)
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
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
