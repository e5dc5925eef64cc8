//! The log has no gap, and it was verified often enough. That it is consistent with every signed
//! checkpoint is for whoever holds those to check.

use events::recorded::Recorded;
use events::time::Time;
use serde_json::json;

use crate::compliance::evaluation::finding::{Findings, Recording};
use crate::compliance::evaluation::log::{Log, Period};
use crate::compliance::evaluation::{Check, Facts, Verification};

pub(crate) struct Verifications {
    most_gap: i64,
    /// In the order of their times.
    runs: Vec<Verification>,
    next: u64,
    /// Versions that do not follow each other.
    holes: Vec<(u64, u64)>,
}

impl Verifications {
    pub(crate) fn new(most_gap_seconds: i64, facts: &Facts) -> Self {
        let mut runs = facts.verifications.clone();
        runs.sort_by_key(|run| run.at);
        let most_gap = most_gap_seconds.saturating_mul(1000);
        Self { most_gap, runs, next: 0, holes: Vec::new() }
    }
}

impl Check for Verifications {
    fn take(&mut self, _: &Log, recorded: &Recorded) {
        if recorded.version != self.next {
            self.holes.push((self.next, recorded.version));
        }
        self.next = recorded.version.saturating_add(1);
    }

    fn finish(self: Box<Self>, log: &Log, window: Period) -> Findings {
        let Self { most_gap, mut runs, next, holes } = *self;
        runs.retain(|run| run.at < log.period.to);
        let first = runs.first().map(|run| run.at);
        let mut found = Findings { recording: Recording::Since(first), ..Findings::default() };
        found.observe("events", next);
        for (expected, version) in holes {
            found.exceptions.push(json!({
                "reason": "a version is missing or stands twice",
                "versions": [expected, version],
            }));
        }
        for run in runs.iter().filter(|run| window.contains(run.at)) {
            found.member(&json!({ "at": run.at, "succeeded": run.succeeded }));
            if !run.succeeded {
                found.exceptions.push(json!({
                    "gap_from": run.at,
                    "gap_to": run.at,
                    "reason": "the run failed",
                }));
            }
        }
        let succeeded: Vec<Time> =
            runs.iter().filter(|run| run.succeeded).map(|run| run.at).collect();
        if first.is_some_and(|first| first <= window.from) {
            let gaps = gaps(&succeeded, window, most_gap);
            found.exceptions.extend(gaps.into_iter().map(|gap| {
                json!({
                    "gap_from": gap.from,
                    "gap_to": gap.to,
                    "reason": "not verified for too long",
                })
            }));
        }
        found
    }
}

/// What lies between two successes, or between one and an end of the window, and is too long.
pub(crate) fn gaps(succeeded: &[Time], window: Period, most_gap: i64) -> Vec<Period> {
    let before = succeeded.iter().rev().find(|at| **at <= window.from);
    let from = before.copied().unwrap_or(window.from);
    let inside = succeeded.iter().copied().filter(|at| *at > window.from && *at < window.to);
    let points: Vec<Time> = [from].into_iter().chain(inside).chain([window.to]).collect();
    let pairs = points.windows(2).map(|pair| Period { from: pair[0], to: pair[1] });
    pairs.filter(|gap| gap.millis() > most_gap).collect()
}
