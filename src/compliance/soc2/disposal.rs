//! Erasures that were carried out. When they were asked for stands on the person's own account, so
//! the organization's log cannot tell how long they took.

use events::recorded::Recorded;
use events::{Event, erasure};
use serde_json::json;

use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::{Findings, Recording};
use crate::compliance::evaluation::log::{Log, Period};

#[derive(Default)]
pub(crate) struct Disposal {
    found: Findings,
}

impl Check for Disposal {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        let Event::Erasure(erasure::Event::Erased { subject }) = &recorded.event else { return };
        if log.is_in_period() {
            self.found.cited.add(recorded.version);
            self.found.member(&json!({
                "erased_at": recorded.at,
                "subject": subject,
                "version": recorded.version,
            }));
        }
    }

    fn standing(&mut self) -> Option<&mut Vec<u8>> {
        Some(&mut self.found.lines)
    }

    fn finish(self: Box<Self>, _: &Log, _: Period) -> Findings {
        let mut found = self.found;
        found.observe("erasures_recorded", found.size);
        Findings { recording: Recording::Never, ..found }
    }
}
