//! Restore tests that members recorded: what was tested came back not too long ago, or elsewhere
//! than where it had been.

use std::collections::BTreeMap;

use events::Event;
use events::recorded::Recorded;
use events::restore_test::{self, Outcome};
use events::time::Time;
use serde_json::json;

use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::{Findings, Recording, WhenEmpty};
use crate::compliance::evaluation::log::{Log, Period};

/// What was tested of one database, or of what only the text names.
#[derive(Default)]
struct Tested {
    succeeded_at: Option<Time>,
    last_version: u64,
    count: u64,
}

pub(crate) struct RestoreTests {
    most_age: i64,
    tested: BTreeMap<Option<String>, Tested>,
}

impl RestoreTests {
    pub(crate) fn new(most_age_seconds: i64) -> Self {
        Self { most_age: most_age_seconds.saturating_mul(1000), tested: BTreeMap::new() }
    }
}

impl Check for RestoreTests {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        let Event::RestoreTest(restore_test::Event::Recorded {
            database,
            result,
            performed_at,
            ..
        }) = &recorded.event
        else {
            return;
        };
        let tested = self.tested.entry(database.clone()).or_default();
        tested.last_version = recorded.version;
        tested.count += 1;
        // nobody has tested yet what they say they will have
        if *result == Outcome::Succeeded && *performed_at <= log.now {
            tested.succeeded_at = tested.succeeded_at.max(Some(*performed_at));
        }
    }

    fn finish(self: Box<Self>, _: &Log, window: Period) -> Findings {
        let is_unused = self.tested.is_empty();
        let recording = if is_unused { Recording::Since(None) } else { Recording::Always };
        let mut found = Findings { recording, ..Findings::default() };
        for (database, Tested { succeeded_at, last_version, count }) in self.tested {
            found.cited.add(last_version);
            found.member(&json!({
                "database": database,
                "last_success_at": succeeded_at,
                "tests": count.to_string(),
                "versions": [last_version],
            }));
            let age = succeeded_at.map(|at| Period { from: at, to: window.to }.millis());
            if age.is_none_or(|age| age > self.most_age) {
                found.exceptions.push(json!({
                    "database": database,
                    "last_success_at": succeeded_at,
                    "reason": "no success within the time that is allowed",
                    "versions": [last_version],
                }));
            }
        }
        found
    }
}

/// Each test of the period that succeeded restored to another place.
#[derive(Default)]
pub(crate) struct RestoredElsewhere {
    is_used: bool,
    found: Findings,
}

impl Check for RestoredElsewhere {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        let Event::RestoreTest(restore_test::Event::Recorded {
            database,
            result,
            duration_seconds,
            is_other_region,
            ..
        }) = &recorded.event
        else {
            return;
        };
        self.is_used = true;
        if *result != Outcome::Succeeded || !log.is_in_period() {
            return;
        }
        self.found.cited.add(recorded.version);
        self.found.member(&json!({
            "database": database,
            "duration_seconds": duration_seconds.to_string(),
            "is_other_region": is_other_region,
            "version": recorded.version,
        }));
        if !is_other_region {
            self.found.exceptions.push(json!({
                "database": database,
                "reason": "restored to where it had been",
                "versions": [recorded.version],
            }));
        }
    }

    fn standing(&mut self) -> Option<&mut Vec<u8>> {
        Some(&mut self.found.lines)
    }

    fn finish(self: Box<Self>, _: &Log, _: Period) -> Findings {
        let Self { is_used, found } = *self;
        let recording = if is_used { Recording::Always } else { Recording::Since(None) };
        Findings { recording, when_empty: WhenEmpty::NoOccurrence, ..found }
    }
}
