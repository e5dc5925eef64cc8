//! What differs between two JSON objects: the outermost places that are not the same.

use serde_json::{Value, json};

/// Of what every moment differs in, and which is told beside the changes.
const OF_THE_MOMENT: [&str; 4] = ["version", "recorded_at", "hash", "at"];

/// Each place that differs, with what stands there in the one and in the other; null for nothing.
pub(super) fn between(from: &Value, to: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    collect(&mut Vec::new(), from, to, &mut found);
    found
}

fn collect(path: &mut Vec<String>, from: &Value, to: &Value, found: &mut Vec<Value>) {
    let (Value::Object(left), Value::Object(right)) = (from, to) else {
        if from != to {
            found.push(json!({ "path": path.join("."), "from": from, "to": to }));
        }
        return;
    };
    let only_right = right.keys().filter(|name| !left.contains_key(*name));
    for name in left.keys().chain(only_right) {
        if path.is_empty() && OF_THE_MOMENT.contains(&name.as_str()) {
            continue;
        }
        path.push(name.clone());
        let of = |members: &serde_json::Map<String, Value>| {
            members.get(name).cloned().unwrap_or_default()
        };
        collect(path, &of(left), &of(right), found);
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_places_that_differ_are_told() {
        let from = json!({ "version": 1, "a": { "x": 1, "y": [1] }, "gone": { "z": 1 } });
        let to = json!({ "version": 2, "a": { "x": 1, "y": [2] }, "new": { "z": 1 } });
        let expected = [
            json!({ "path": "a.y", "from": [1], "to": [2] }),
            json!({ "path": "gone", "from": { "z": 1 }, "to": null }),
            json!({ "path": "new", "from": null, "to": { "z": 1 } }),
        ];
        assert_eq!(between(&from, &to), expected);
        assert_eq!(between(&to, &to), Vec::<Value>::new());
    }
}
