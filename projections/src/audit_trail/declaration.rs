//! How an audit entry tells of declarations: all that was declared, field by field.

use events::declaration::Event::{self, Removed, Reviewed, Set};

use super::{FieldChange, Resource, personal};

pub(super) fn resource(event: &Event) -> Resource {
    Resource::new("declaration", event.declaration(), None)
}

pub(super) fn changes(event: &Event) -> Vec<FieldChange> {
    match event {
        Set { content, text, .. } => {
            let mut changes = super::fields(content);
            changes.extend(personal(text).map(|text| FieldChange::new("text", None, Some(text))));
            changes
        }
        Removed { .. } | Reviewed { .. } => vec![],
    }
}
