//! A sample of what was used, with an entry of each form.

use crate::Event;
use crate::time::Time;
use crate::usage::{Entry, Event as Of, Kind, key, shape};

pub(super) fn sample() -> Event {
    let entry = |id: &str, kind, value| Entry {
        key: key("//proxy.example.com/7", id),
        kind,
        time: Time::from_millis(1_769_851_800_000),
        database: "db_01h2xcejqtf2nbrexx3vqjhp41".to_owned(),
        project: None,
        value,
        shape: None,
    };
    let project = Some("prj_01h2xcejqtf2nbrexx3vqjhp41".to_owned());
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
