//! How an audit entry tells of access reviews.

use events::access_review::Event::{self, Completed, Decided, Started};

use super::{FieldChange, Resource, personal, plain};

pub(super) fn resource(event: &Event) -> Resource {
    Resource::new("access_review", event.review(), None)
}

pub(super) fn changes(event: &Event) -> Vec<FieldChange> {
    let now = |field: &str, value| FieldChange::new(field, None, Some(value));
    match event {
        Started { as_of, members, tokens, review: _ } => vec![
            now("as_of", plain(as_of)),
            now("members", plain(members)),
            now("tokens", plain(tokens)),
        ],
        Decided { item, decision, reason, review: _ } => {
            let mut changes = vec![now("item", plain(item)), now("decision", plain(decision))];
            changes.extend(personal(reason).map(|reason| now("reason", reason)));
            changes
        }
        Completed { kept, removed, changed, gone, review: _ } => vec![
            now("kept", plain(kept)),
            now("removed", plain(removed)),
            now("changed", plain(changed)),
            now("gone", plain(gone)),
        ],
    }
}
