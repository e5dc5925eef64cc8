//! Pages of plain HTML: no scripts, nothing from elsewhere.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::html::Html;

const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";
const HTML: &str = "text/html; charset=utf-8";

/// The whole page.
pub(super) fn whole(content: &Html, title: &str) -> String {
    let mut page = Html::default();
    page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>");
    page.text(title).raw(" · Chancery</title>\n");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.raw("<link rel=\"stylesheet\" href=\"/docs/style.css\">\n</head>\n<body>\n");
    page.raw("<a class=\"skip\" href=\"#content\">Skip to the content</a>\n");
    page.raw("<header><strong>Chancery</strong> <a href=\"/docs\">Reference</a> ");
    page.raw("<a href=\"/docs/schemas\">Schemas</a> <a href=\"/errors\">Errors</a> ");
    page.raw("<a href=\"/openapi.json\">OpenAPI</a></header>\n<main id=\"content\">\n");
    page.element("h1", title).raw("\n").html(content);
    page.raw("</main>\n</body>\n</html>\n");
    page.into_string()
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
