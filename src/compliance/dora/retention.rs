//! For how long the audit log is kept, as the organization set it.

use events::recorded::Recorded;
use events::{Event, setting};
use serde_json::json;

use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::Findings;
use crate::compliance::evaluation::interval::Timeline;
use crate::compliance::evaluation::log::{Log, Period};

pub(crate) struct AuditRetention {
    fewest_days: i64,
    /// `None`: as long as the log itself.
    days: Timeline<Option<u32>>,
}

impl AuditRetention {
    pub(crate) fn new(fewest_days: i64) -> Self {
        Self { fewest_days, days: Timeline::new(None) }
    }
}

impl Check for AuditRetention {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        if let Event::Setting(setting::Event::Updated(update)) = &recorded.event
            && let Some(days) = &update.audit_retention_days
        {
            self.days.set(days.to, log.now, recorded.version);
        }
    }

    fn finish(self: Box<Self>, _: &Log, window: Period) -> Findings {
        let mut found = Findings::default();
        for interval in self.days.within(window) {
            let versions = interval.versions();
            for version in &versions {
                found.cited.add(*version);
            }
            found.member(&json!({
                "days": interval.state.map(|days| days.to_string()),
                "from": interval.span.from,
                "to": interval.span.to,
                "versions": versions,
            }));
            if interval.state.is_some_and(|days| i64::from(days) < self.fewest_days) {
                found.exceptions.push(interval.locator());
            }
        }
        found
    }
}
