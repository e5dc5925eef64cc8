//! How an audit entry tells of declarations: all that was declared, field by field.

use events::declaration::Event::{self, Removed, Reviewed, Set};
use serde_json::Value;

use super::{FieldChange, Resource, Shown, personal, plain};

pub(super) fn resource(event: &Event) -> Resource {
    Resource::new("declaration", event.declaration(), None)
}

pub(super) fn changes(event: &Event) -> Vec<FieldChange> {
    match event {
        Set { content, text, .. } => {
            let Shown::Plain(Value::Object(fields)) = plain(content) else { return vec![] };
            let now = |(field, value): (String, Value)| {
                FieldChange::new(&field, None, Some(Shown::Plain(value)))
            };
            let mut changes: Vec<FieldChange> = fields.into_iter().map(now).collect();
            changes.extend(personal(text).map(|text| FieldChange::new("text", None, Some(text))));
            changes
        }
        Removed { .. } | Reviewed { .. } => vec![],
    }
}
