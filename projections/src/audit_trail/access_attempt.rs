//! How an audit entry tells of what a member was not allowed to do.

use events::access_attempt::Event::{self, Denied};

use super::{FieldChange, Resource, plain};

/// What was tried: an operation of the API.
pub(super) fn resource(event: &Event) -> Resource {
    let Denied { operation, .. } = event;
    Resource::new("operation", operation, None)
}

pub(super) fn changes(event: &Event) -> Vec<FieldChange> {
    let Denied { count, .. } = event;
    vec![FieldChange::new("attempts", None, Some(plain(count)))]
}
