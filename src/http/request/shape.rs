//! From JSON to what a route understands. What has no shape for it is named field by field: every
//! field of the body that is not known or has the wrong type; of those that are missing the first,
//! because whoever reads a body stops there.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::shown;
use crate::http::problem::{Code, FieldError, Problem};

/// A body with more mistakes is told so many of them.
const MOST: usize = 20;

/// The whole body.
pub(super) fn of_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        if !error.inner().is_data() {
            return Problem::new(Code::MalformedBody);
        }
        let first = wrong_field(error.path().to_string(), error.inner());
        match serde_json::from_slice(body) {
            Ok(body) => Problem::invalid(all_wrong::<T>(body, first)),
            Err(_) => Problem::new(Code::MalformedBody),
        }
    })?;
    reader.end().map_err(|_| Problem::new(Code::MalformedBody))?;
    Ok(read)
}

/// A part of a body that is read on its own; what is wrong with it names its field in the part.
pub(crate) fn part<T: DeserializeOwned>(part: &Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(part).map_err(|error| {
        let first = wrong_field(error.path().to_string(), error.inner());
        Problem::invalid(all_wrong::<T>(part.clone(), first))
    })
}

/// The first mistake, and those that come up when the field is left away in which it was.
fn all_wrong<T: DeserializeOwned>(mut body: Value, first: FieldError) -> Vec<FieldError> {
    let mut wrong = vec![first];
    while let Some(FieldError { field, .. }) = wrong.last()
        && wrong.len() < MOST
        && let Some(members) = body.as_object_mut()
    {
        let top = field.split(['.', '[']).next().unwrap_or_default();
        if members.remove(top).is_none() {
            break;
        }
        let Err(error) = serde_path_to_error::deserialize::<_, T>(&body) else { break };
        let next = wrong_field(error.path().to_string(), error.inner());
        // of a field that was left away here nothing more is said
        if wrong.iter().any(|told| told.field.split(['.', '[']).next() == Some(&next.field)) {
            break;
        }
        wrong.push(next);
    }
    wrong
}

fn wrong_field(path: String, error: &serde_json::Error) -> FieldError {
    let text = error.to_string();
    let sentence = text.split(" at line ").next().unwrap_or_default();
    // serde names such a field in the sentence, any other in the path
    let named = ["unknown field `", "missing field `", "duplicate field `"]
        .iter()
        .find_map(|start| sentence.strip_prefix(start).and_then(|rest| rest.split('`').next()));
    let detail = match named {
        Some(_) if sentence.starts_with("unknown") => "is not known here".to_owned(),
        Some(_) if sentence.starts_with("duplicate") => "is given twice".to_owned(),
        Some(_) => "is required".to_owned(),
        None => "has the wrong type".to_owned(),
    };
    let field = match (named, path.as_str()) {
        (Some(name), "." | "") => name.to_owned(),
        (Some(name), path) if path.ends_with(name) => path.to_owned(),
        (Some(name), path) => format!("{path}.{name}"),
        (None, path) => path.to_owned(),
    };
    FieldError { field: shown(&field), detail }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[serde(rename = "name")]
        _name: String,
        #[serde(rename = "slug")]
        _slug: String,
        #[serde(default, rename = "inner")]
        _inner: Option<Inner>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(rename = "cidr")]
        _cidr: String,
    }

    fn mistakes(body: &Value) -> Vec<(String, String)> {
        let Err(problem) = of_body::<Body>(body.to_string().as_bytes()) else { return vec![] };
        problem.errors().iter().map(|it| (it.field.clone(), it.detail.clone())).collect()
    }

    #[test]
    fn every_field_without_a_shape_is_named() {
        let unknown = "is not known here";
        let (required, kind) = ("is required", "has the wrong type");
        for (body, expected) in [
            (json!({ "name": "a", "slug": "b" }), vec![]),
            (json!({}), vec![("name", required)]),
            (
                json!({ "name": 1, "slug": [], "inner": { "cidr": 7 }, "x": 1, "y": 2 }),
                vec![
                    ("inner.cidr", kind),
                    ("name", kind),
                    ("slug", kind),
                    ("x", unknown),
                    ("y", unknown),
                ],
            ),
            (json!({ "name": 1, "x": 1 }), vec![("name", kind), ("x", unknown)]),
            (json!({ "name": "a", "x": 1 }), vec![("x", unknown), ("slug", required)]),
            (json!({ "name": 1, "slug": "b" }), vec![("name", kind)]),
            (json!([]), vec![(".", kind)]),
        ] {
            let mut found = mistakes(&body);
            found.sort();
            let mut expected: Vec<_> = expected
                .into_iter()
                .map(|(field, detail)| (field.to_owned(), detail.to_owned()))
                .collect();
            expected.sort();
            assert_eq!(found, expected, "{body}");
        }
    }
}
