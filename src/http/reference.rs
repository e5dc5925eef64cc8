//! Reference pages, made at the start from the same document that `/openapi.json` serves, and
//! pages about each code, from the table that makes the problems.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use self::page::{cell, code};
use super::problem::{Code, Explained, Problem};
use crate::App;
use crate::html::Html;

mod operation;
mod page;
mod schema;

const STYLE: &str = include_str!("reference/style.css");
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Pages by the last part of their address.
struct Pages {
    index: String,
    others: BTreeMap<String, String>,
}

/// Routes of the pages about this document.
pub(super) fn routes(document: &Value) -> Router<Arc<App>> {
    let pages = Arc::new(Pages::of(document));
    let others = Arc::clone(&pages);
    Router::new()
        .route("/docs", get(async move || page::answer(pages.index.clone())))
        .route("/docs/style.css", get(async || ([(header::CONTENT_TYPE, "text/css")], STYLE)))
        .route(
            "/docs/{page}",
            get(async move |name: Option<Path<String>>| {
                let found = name.and_then(|Path(name)| others.others.get(&name).cloned());
                found.map(page::answer).ok_or(Problem::new(Code::NotFound))
            }),
        )
        .route("/errors", get(async |headers: HeaderMap| all_codes(&headers)))
        .route(
            "/errors/{code}",
            get(async |headers: HeaderMap, name: Option<Path<String>>| {
                let found = name.and_then(|Path(name)| Code::named(&name));
                found.map(|code| one_code(code, &headers)).ok_or(Problem::new(Code::NotFound))
            }),
        )
}

/// Operations of one tag: path, method and what the document says.
type Operations<'a> = Vec<(&'a str, &'a str, &'a Value)>;

impl Pages {
    fn of(document: &Value) -> Self {
        let mut tags: BTreeMap<&str, Operations<'_>> = BTreeMap::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for method in METHODS {
                let Some(operation) = item.get(method) else { continue };
                let tag = operation["tags"][0].as_str().unwrap_or("other");
                tags.entry(tag).or_default().push((path, method, operation));
            }
        }
        let mut others = BTreeMap::new();
        for (tag, operations) in &tags {
            others.insert(address(tag), operation::page(document, tag, operations));
        }
        others.insert("schemas".to_owned(), schema::page(document));
        Self { index: index(document, &tags), others }
    }
}

fn address(tag: &str) -> String {
    tag.replace(' ', "-")
}

fn index(document: &Value, tags: &BTreeMap<&str, Operations<'_>>) -> String {
    let mut html = Html::default();
    html.paragraph(document["info"]["description"].as_str().unwrap_or_default());
    html.paragraph(
        "Send a bearer token, or an e-mail address and password by HTTP Basic. Every path is also \
         served without `/v1`. Times are UTC in RFC 3339. A command answers with its `Position`; \
         a read that sends it as `At-Least` shows at least that. An `Idempotency-Key` makes a \
         command safe to repeat; `If-Match` with an `ETag` makes it change only what you saw.",
    );
    for (tag, operations) in tags {
        html.heading(2, &address(tag), tag);
        let rows = operations.iter().map(|(path, method, operation)| {
            let name = operation["operationId"].as_str().unwrap_or_default();
            let mut link = Html::default();
            let target = format!("/docs/{}#{name}", address(tag));
            link.link(&target, &operation::title(name));
            vec![link, code(&format!("{} {path}", method.to_uppercase()))]
        });
        html.table(&["Operation", "Request"], rows.collect());
    }
    page::whole(&html, "Reference")
}

/// In which form an explanation is asked for.
enum Form {
    Html,
    Json,
    Text,
}

impl Form {
    fn of(headers: &HeaderMap) -> Self {
        let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        match accept.unwrap_or_default() {
            accept if accept.contains("text/html") => Self::Html,
            accept if accept.contains("json") => Self::Json,
            _ => Self::Text,
        }
    }
}

fn varying(mut response: Response) -> Response {
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    response
}

fn as_json(explained: &Explained) -> Value {
    let Explained { status, code, sentence, meaning, remedy } = explained;
    json!({
        "type": format!("/errors/{code}"), "code": code, "status": status.as_u16(),
        "title": status.canonical_reason(), "detail": sentence, "meaning": meaning,
        "remedy": remedy,
    })
}

fn one_code(code: Code, headers: &HeaderMap) -> Response {
    let explained = code.explained();
    let Explained { status, code, sentence, meaning, remedy } = explained;
    varying(match Form::of(headers) {
        Form::Json => Json(as_json(&explained)).into_response(),
        Form::Text => {
            format!("{code} ({status})\n\n{sentence}\n\n{meaning}\n\n{remedy}\n").into_response()
        }
        Form::Html => {
            let mut html = Html::default();
            html.paragraph(&format!("Status {status}: {sentence}."));
            html.heading(2, "meaning", "What it means").paragraph(meaning);
            html.heading(2, "remedy", "What to do").paragraph(remedy);
            page::answer(page::whole(&html, code))
        }
    })
}

fn all_codes(headers: &HeaderMap) -> Response {
    let all: Vec<Explained> = Code::ALL.iter().map(|code| code.explained()).collect();
    varying(match Form::of(headers) {
        Form::Json => {
            let errors: Vec<Value> = all.iter().map(as_json).collect();
            Json(json!({ "errors": errors })).into_response()
        }
        Form::Text => {
            let line = |Explained { status, code, sentence, .. }: &Explained| {
                format!("{} {code}: {sentence}\n", status.as_u16())
            };
            all.iter().map(line).collect::<String>().into_response()
        }
        Form::Html => {
            let rows = all.iter().map(|Explained { status, code, sentence, .. }| {
                let mut link = Html::default();
                link.link(&format!("/errors/{code}"), code);
                vec![cell(status.as_str()), link, cell(sentence)]
            });
            let mut html = Html::default();
            html.paragraph("Every refusal is `application/problem+json` with one of these codes.");
            html.table(&["Status", "Code", "Says"], rows.collect());
            page::answer(page::whole(&html, "Errors"))
        }
    })
}
