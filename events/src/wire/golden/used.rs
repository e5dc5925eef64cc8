//! A sample of what was used, with an entry of each form.

use uuid::Uuid;

use crate::Event;
use crate::id::{DatabaseId, ProjectId};
use crate::time::Time;
use crate::usage::{Entry, Event as Of, Kind, key, shape};

pub(super) fn sample() -> Event {
    let entry = |id: &str, kind, value| Entry {
        key: key("//proxy.example.com/7", id),
        kind,
        time: Time::from_millis(1_769_851_800_000),
        database: DatabaseId(Uuid::from_u128(0xdb)),
        project: None,
        value,
        shape: None,
    };
    let project = Some(ProjectId(Uuid::from_u128(0x97)));
    let sample = Of::Recorded {
        entries: vec![
            entry("1", Kind::Queries, 1200),
            Entry { shape: Some(shape("select $1")), ..entry("2", Kind::QueryShape, 1) },
            Entry { project, ..entry("3", Kind::BytesTransferred, 5_000_000_000) },
        ],
    };
    match &sample {
        Of::Recorded { .. } => {}
    }
    sample.into()
}
