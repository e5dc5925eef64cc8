//! What one operation takes and answers.

use serde_json::Value;

use super::page::{self, cell, code};
use super::{Operations, schema};
use crate::html::Html;

/// `createOrganization` as people write it.
pub(super) fn title(operation_id: &str) -> String {
    let mut title = String::new();
    for (place, c) in operation_id.char_indices() {
        if c.is_ascii_uppercase() {
            title.push(' ');
        }
        title.push(if place == 0 { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() });
    }
    title
}

/// The page of one tag.
pub(super) fn page(document: &Value, tag: &str, operations: &Operations<'_>) -> String {
    let mut html = Html::default();
    for (path, method, operation) in operations {
        show(&mut html, document, path, method, operation);
    }
    page::whole(&html, &title(tag))
}

fn show(html: &mut Html, document: &Value, path: &str, method: &str, operation: &Value) {
    let id = operation["operationId"].as_str().unwrap_or_default();
    html.heading(2, id, &title(id));
    html.code_block(&format!("{} {path}", method.to_uppercase()));
    for text in [&operation["summary"], &operation["description"]] {
        if let Some(text) = text.as_str() {
            html.paragraph(text);
        }
    }
    parameters(html, document, operation);
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    if body.is_object() {
        html.raw("<h3>Body</h3>\n");
        schema::fields(html, document, body);
    }
    html.raw("<h3>Example</h3>\n");
    html.code_block(&curl(document, path, method, operation));
    responses(html, document, operation);
}

fn parameters(html: &mut Html, document: &Value, operation: &Value) {
    let found = operation["parameters"].as_array().into_iter().flatten();
    let rows: Vec<_> = found
        .map(|parameter| followed(document, parameter))
        .map(|parameter| {
            vec![
                code(parameter["name"].as_str().unwrap_or_default()),
                cell(parameter["in"].as_str().unwrap_or_default()),
                cell(&schema::kind_of(&parameter["schema"])),
                cell(parameter["description"].as_str().unwrap_or_default()),
            ]
        })
        .collect();
    if !rows.is_empty() {
        html.raw("<h3>Parameters</h3>\n").table(&["Name", "In", "Type", "Meaning"], rows);
    }
}

fn responses(html: &mut Html, document: &Value, operation: &Value) {
    let mut rows = Vec::new();
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let response = followed(document, response);
        let mut body = Html::default();
        for content in response["content"].as_object().into_iter().flatten().map(|(_, it)| it) {
            if let Some(name) = content["schema"]["$ref"].as_str() {
                let name = name.rsplit('/').next().unwrap_or_default();
                body.link(&format!("/docs/schemas#{name}"), name);
            }
        }
        let description = response["description"].as_str().unwrap_or_default();
        rows.push(vec![cell(status), cell(description), body]);
    }
    html.raw("<h3>Answers</h3>\n").table(&["Status", "Means", "Body"], rows);
}

fn followed<'a>(document: &'a Value, part: &'a Value) -> &'a Value {
    let target = part["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    target.and_then(|pointer| document.pointer(pointer)).unwrap_or(part)
}

/// The request as it is typed into a shell.
fn curl(document: &Value, path: &str, method: &str, operation: &Value) -> String {
    let mut lines = vec![match method {
        "get" => format!("curl \"$URL{path}\""),
        other => format!("curl -X {} \"$URL{path}\"", other.to_uppercase()),
    }];
    let is_public = operation["security"].as_array().is_some_and(Vec::is_empty);
    if !is_public {
        lines.push("-H \"Authorization: Bearer $TOKEN\"".to_owned());
    }
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    if body.is_object() {
        let example = schema::example(document, body);
        let example = serde_json::to_string_pretty(&example).unwrap_or_default();
        lines.push("-H 'Content-Type: application/json'".to_owned());
        lines.push(format!("-d '{}'", example.replace('\'', "'\\''")));
    }
    lines.join(" \\\n  ")
}
