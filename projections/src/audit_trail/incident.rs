//! How an audit entry tells of incidents.

use events::incident::Event::{self, Classified, Closed, Opened, Recovered, Reported};

use super::{FieldChange, Resource, Shown, personal, plain};

pub(super) fn resource(event: &Event) -> Resource {
    Resource::new("incident", event.incident(), None)
}

pub(super) fn changes(event: &Event) -> Vec<FieldChange> {
    let now = |field: &str, value| FieldChange::new(field, None, Some(value));
    let written = |field: &str, text: Option<Shown>| text.map(|text| now(field, text));
    match event {
        Opened { detected_at, aware_at, databases, ai_systems, text, incident: _ } => {
            let mut changes = vec![
                now("detected_at", plain(detected_at)),
                now("aware_at", plain(aware_at)),
                now("databases", plain(databases)),
                now("ai_systems", plain(ai_systems)),
            ];
            changes.extend(written("text", personal(text)));
            changes
        }
        Classified { classified_at, criteria, is_major, reason, incident: _ } => {
            let mut changes = vec![
                now("classified_at", plain(classified_at)),
                now("criteria", plain(criteria)),
                now("is_major", plain(is_major)),
            ];
            changes.extend(written("reason", personal(reason)));
            changes
        }
        Reported { stage, submitted_at, reference, incident: _ } => {
            let mut changes =
                vec![now("stage", plain(stage)), now("submitted_at", plain(submitted_at))];
            changes.extend(written("reference", personal(reference)));
            changes
        }
        Recovered { recovered_at, incident: _ } => vec![now("recovered_at", plain(recovered_at))],
        Closed { cause, root_cause, incident: _ } => {
            let mut changes = vec![now("cause", plain(cause))];
            changes.extend(written("root_cause", personal(root_cause)));
            changes
        }
    }
}
