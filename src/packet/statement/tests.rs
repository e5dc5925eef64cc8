//! The statement is what its published schema says, member by member. `tests/packets/statement.json`
//! was made by another program (`tests/packet.py`), which holds it against the schema, too.

use serde_json::Value;

use super::Statement;

const GOLDEN: &[u8] = include_bytes!("../../../tests/packets/statement.json");
const SCHEMA: &str = include_str!("../../../docs/packet.schema.json");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("JSON")
}

/// What a schema refers to, or itself.
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema.get("$ref").and_then(Value::as_str);
    target.map_or(schema, |target| {
        let found = root.pointer(target.trim_start_matches('#'));
        found.unwrap_or_else(|| panic!("{target} is defined"))
    })
}

/// Each member that the schema requires of this value and of what is in it: its pointer, and whether
/// it may be null.
fn required(
    root: &Value,
    schema: &Value,
    value: &Value,
    at: &str,
    found: &mut Vec<(String, bool)>,
) {
    let schema = resolved(root, schema);
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for (index, value) in values.iter().enumerate().take(1) {
            required(root, items, value, &format!("{at}/{index}"), found);
        }
    }
    let (Some(properties), Some(members)) = (schema.get("properties"), value.as_object()) else {
        return;
    };
    let names: Vec<_> = schema["required"].as_array().into_iter().flatten().collect();
    for (name, value) in members {
        let member = properties.get(name);
        let member = member.unwrap_or_else(|| panic!("the schema knows {at}/{name}"));
        let at = format!("{at}/{name}");
        if names.iter().any(|required| *required == name) {
            let is_nullable = member.get("anyOf").is_some();
            found.push((at.clone(), is_nullable));
        }
        required(root, member, value, &at, found);
    }
    for name in names {
        let name = name.as_str().unwrap_or_default();
        assert!(members.contains_key(name), "{at}/{name} is required");
    }
}

fn without(value: &Value, pointer: &str) -> Value {
    let mut value = value.clone();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = value.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.expect("an object").remove(name).expect("a member");
    value
}

#[test]
fn the_statement_of_another_program_is_read_and_written_the_same() {
    let statement: Statement = serde_json::from_slice(GOLDEN).expect("a statement");
    let written = serde_json_canonicalizer::to_vec(&statement).expect("JSON");
    assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(GOLDEN));
}

#[test]
fn what_the_schema_requires_is_required() {
    let (schema, golden) = (schema(), serde_json::from_slice::<Value>(GOLDEN).expect("JSON"));
    let mut found = Vec::new();
    required(&schema, &schema, &golden, "", &mut found);
    // what a control and a gap hold is written by the evaluation and compared as JSON
    found.retain(|(at, _)| {
        let inner =
            ["/predicate/controls/", "/predicate/not_evidenced/", "/predicate/privacy/erased/"];
        !inner.iter().any(|inner| at.starts_with(inner))
    });
    assert!(found.len() > 40, "{found:?}");
    for (at, is_nullable) in found {
        let read = serde_json::from_value::<Statement>(without(&golden, &at));
        assert_eq!(read.is_ok(), is_nullable, "without {at}");
    }
}
