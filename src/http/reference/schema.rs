//! Schemas of the document as tables, and examples that follow from them.

use serde_json::{Map, Value, json};

use super::page::{self, cell, code};
use crate::html::Html;

const SCHEMAS: &str = "#/components/schemas/";
/// No body nests deeper than this; a schema that contains itself ends there.
const DEEPEST: usize = 6;

/// One page with every named schema.
pub(super) fn page(document: &Value) -> String {
    let mut html = Html::default();
    html.paragraph("What bodies and answers are made of.");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        html.heading(2, name, name);
        fields(&mut html, document, schema);
    }
    page::whole(&html, "Schemas")
}

/// The members of an object, or what else the schema is.
pub(super) fn fields(html: &mut Html, document: &Value, schema: &Value) {
    if let Some(text) = schema["description"].as_str() {
        html.paragraph(text);
    }
    let schema = resolved(document, schema);
    let mut rows = Vec::new();
    let parts = schema["allOf"].as_array().map_or_else(|| vec![schema], |all| all.iter().collect());
    for part in parts {
        let part = resolved(document, part);
        let required = part["required"].as_array().cloned().unwrap_or_default();
        for (name, property) in part["properties"].as_object().into_iter().flatten() {
            let is_required = required.iter().any(|required| required == name.as_str());
            rows.push(vec![
                code(name),
                kind(property),
                cell(if is_required { "always" } else { "" }),
                cell(property["description"].as_str().unwrap_or_default()),
            ]);
        }
    }
    if rows.is_empty() {
        html.raw("<p>").text("Any of: ").text(&kind_of(schema)).raw("</p>\n");
    } else {
        html.table(&["Member", "Type", "There", "Meaning"], rows);
    }
}

fn kind(schema: &Value) -> Html {
    let mut html = Html::default();
    let target = |schema: &Value| Some(schema["$ref"].as_str()?.strip_prefix(SCHEMAS)?.to_owned());
    if let Some(name) = target(schema) {
        html.link(&format!("/docs/schemas#{name}"), &name);
    } else if let Some(name) = target(&schema["items"]) {
        html.text("list of ").link(&format!("/docs/schemas#{name}"), &name);
    } else {
        html.text(&kind_of(schema));
    }
    html
}

/// The type in words.
pub(super) fn kind_of(schema: &Value) -> String {
    if let Some(choices) = schema["enum"].as_array() {
        let choices: Vec<_> = choices.iter().filter_map(Value::as_str).collect();
        return choices.join(", ");
    }
    if let Some(choices) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        let choices: Vec<_> = choices.iter().map(kind_of).collect();
        return choices.join(" or ");
    }
    if let Some(name) = schema["$ref"].as_str() {
        return name.trim_start_matches(SCHEMAS).to_owned();
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => format!("list of {}", kind_of(&schema["items"])),
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            let kinds: Vec<_> = kinds.iter().filter_map(Value::as_str).collect();
            kinds.join(" or ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => "anything".to_owned(),
    }
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    target.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema)
}

/// A value that fits the schema: its own example, or one put together from its parts.
pub(super) fn example(document: &Value, schema: &Value) -> Value {
    example_within(document, schema, DEEPEST)
}

fn example_within(document: &Value, schema: &Value, left: usize) -> Value {
    let schema = resolved(document, schema);
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    if let Some(first) = schema["examples"].get(0).or(schema["enum"].get(0)) {
        return first.clone();
    }
    if left == 0 {
        return Value::Null;
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut whole = Map::new();
        for part in parts {
            if let Value::Object(members) = example_within(document, part, left - 1) {
                whole.extend(members);
            }
        }
        return Value::Object(whole);
    }
    if let Some(choice) = schema["oneOf"].get(0).or(schema["anyOf"].get(0)) {
        let null = json!("null");
        let choices = schema["oneOf"].as_array().or(schema["anyOf"].as_array());
        let other = choices.into_iter().flatten().find(|choice| choice["type"] != null);
        return example_within(document, other.unwrap_or(choice), left - 1);
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        Value::String(kind) => Some(kind.as_str()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    };
    match kind {
        Some("object") => {
            let members = schema["properties"].as_object().into_iter().flatten();
            let example = |(name, property): (&String, &Value)| {
                (name.clone(), example_within(document, property, left - 1))
            };
            Value::Object(members.map(example).collect())
        }
        Some("array") => json!([example_within(document, &schema["items"], left - 1)]),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("string") => json!("text"),
        _ => Value::Null,
    }
}
