//! The logs of each high-risk system were declared to be kept long enough, all the time.

use std::collections::BTreeMap;

use events::id::AiSystemId;
use events::recorded::Recorded;
use serde_json::json;

use super::{change, is_due};
use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::{Findings, WhenEmpty};
use crate::compliance::evaluation::interval::Timeline;
use crate::compliance::evaluation::log::{Log, Period};

/// What is declared of a system that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    days: Option<u32>,
    /// A reason to keep them for less.
    has_basis: bool,
    has_stores: bool,
}

pub(crate) struct LogRetention {
    fewest_days: i64,
    systems: BTreeMap<AiSystemId, Timeline<Option<Kept>>>,
}

impl LogRetention {
    pub(crate) fn new(fewest_days: i64) -> Self {
        Self { fewest_days, systems: BTreeMap::new() }
    }

    fn is_enough(&self, kept: Kept) -> bool {
        let is_long = kept.days.is_some_and(|days| i64::from(days) >= self.fewest_days);
        kept.has_stores && (is_long || kept.days.is_some() && kept.has_basis)
    }
}

impl Check for LogRetention {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        let Some((id, system)) = change(&recorded.event) else { return };
        let kept = system.filter(|system| is_due(system)).map(|system| Kept {
            days: system.log_retention_days,
            has_basis: system.has_retention_basis,
            has_stores: !system.log_stores.is_empty(),
        });
        let timeline = self.systems.entry(id).or_insert_with(|| Timeline::new(None));
        timeline.set(kept, log.now, recorded.version);
    }

    fn finish(mut self: Box<Self>, _: &Log, window: Period) -> Findings {
        let when_empty = WhenEmpty::NoSubject;
        let mut found = Findings { when_empty, ..Findings::default() };
        for (system, timeline) in std::mem::take(&mut self.systems) {
            for interval in timeline.within(window) {
                let Some(kept) = interval.state else { continue };
                let versions = interval.versions();
                for version in &versions {
                    found.cited.add(*version);
                }
                found.member(&json!({
                    "days": kept.days.map(|days| days.to_string()),
                    "from": interval.span.from,
                    "has_basis": kept.has_basis,
                    "has_stores": kept.has_stores,
                    "system": system,
                    "to": interval.span.to,
                    "versions": versions,
                }));
                if !self.is_enough(kept) {
                    let mut gap = interval.locator();
                    gap["system"] = json!(system);
                    found.exceptions.push(gap);
                }
            }
        }
        found
    }
}
