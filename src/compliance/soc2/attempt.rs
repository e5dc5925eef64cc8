//! What members tried and were not allowed to do. It is listed; whether anybody looked is not known.

use std::collections::BTreeMap;

use events::recorded::{Actor, Recorded};
use events::{Event, access_attempt};
use serde_json::json;

use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::Findings;
use crate::compliance::evaluation::log::{Log, Period};

/// Actors that are named by how often they were refused.
const NAMED: usize = 10;

#[derive(Default)]
pub(crate) struct Attempts {
    found: Findings,
    by_operation: BTreeMap<String, u64>,
    by_actor: BTreeMap<Actor, u64>,
}

impl Check for Attempts {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        let Event::AccessAttempt(access_attempt::Event::Denied { operation, count }) =
            &recorded.event
        else {
            return;
        };
        if !log.is_in_period() {
            return;
        }
        let by_operation = self.by_operation.entry(operation.clone()).or_default();
        *by_operation = by_operation.saturating_add(*count);
        let by_actor = self.by_actor.entry(recorded.actor).or_default();
        *by_actor = by_actor.saturating_add(*count);
        self.found.cited.add(recorded.version);
        self.found.member(&json!({
            "actor": recorded.actor,
            "count": count.to_string(),
            "operation": operation,
            "version": recorded.version,
        }));
    }

    fn standing(&mut self) -> Option<&mut Vec<u8>> {
        Some(&mut self.found.lines)
    }

    fn finish(self: Box<Self>, _: &Log, _: Period) -> Findings {
        let Self { mut found, by_operation, by_actor } = *self;
        for (operation, count) in by_operation {
            found.observe(format!("operation.{operation}"), count);
        }
        found.observe("actors", by_actor.len());
        let mut most: Vec<_> = by_actor.into_iter().collect();
        most.sort_by_key(|(actor, count)| (std::cmp::Reverse(*count), *actor));
        for (actor, count) in most.into_iter().take(NAMED) {
            found.observe(format!("actor.{actor}"), count);
        }
        found
    }
}
