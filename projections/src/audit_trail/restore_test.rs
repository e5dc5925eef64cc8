//! How an audit entry tells of restore tests.

use events::restore_test::Event;

use super::{FieldChange, Resource, personal, plain};

pub(super) fn resource(event: &Event) -> Resource {
    let Event::Recorded { restore_test, .. } = event;
    Resource::new("restore_test", restore_test, None)
}

pub(super) fn changes(event: &Event) -> Vec<FieldChange> {
    let Event::Recorded {
        database,
        result,
        duration_seconds,
        performed_at,
        is_other_region,
        text,
        restore_test: _,
    } = event;
    let now = |field: &str, value| FieldChange::new(field, None, Some(value));
    let mut changes = vec![
        now("database", plain(database)),
        now("result", plain(result)),
        now("duration_seconds", plain(duration_seconds)),
        now("performed_at", plain(performed_at)),
        now("is_other_region", plain(is_other_region)),
    ];
    changes.extend(personal(text).map(|text| now("text", text)));
    changes
}
