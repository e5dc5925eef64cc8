//! Something that is in one state at a time, and the intervals of a window in which it was.

use events::time::Time;
use serde_json::{Value, json};

use super::log::Period;

/// For how long something was in one state, and the events that brought and ended it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interval<S> {
    pub(crate) state: S,
    pub(crate) span: Period,
    /// Of the event that brought it about; none when it was so from the start.
    pub(crate) begun_by: Option<u64>,
    pub(crate) ended_by: Option<u64>,
}

impl<S> Interval<S> {
    pub(crate) fn versions(&self) -> Vec<u64> {
        self.begun_by.into_iter().chain(self.ended_by).collect()
    }

    /// Where it is, as an exception says it.
    pub(crate) fn locator(&self) -> Value {
        json!({
            "gap_from": self.span.from,
            "gap_to": self.span.to,
            "versions": self.versions(),
        })
    }
}

/// The states that something went through; two equal ones that follow each other are one.
#[derive(Clone, Debug)]
pub(crate) struct Timeline<S> {
    past: Vec<Interval<S>>,
    state: S,
    since: Time,
    begun_by: Option<u64>,
}

impl<S: Clone + PartialEq> Timeline<S> {
    /// So from the start.
    pub(crate) fn new(state: S) -> Self {
        Self { past: Vec::new(), state, since: Time::from_millis(i64::MIN), begun_by: None }
    }

    pub(crate) fn state(&self) -> &S {
        &self.state
    }

    pub(crate) fn set(&mut self, state: S, at: Time, version: u64) {
        if self.state == state {
            return;
        }
        let before = std::mem::replace(&mut self.state, state);
        let span = Period { from: self.since, to: at };
        self.past.push(Interval {
            state: before,
            span,
            begun_by: self.begun_by,
            ended_by: Some(version),
        });
        (self.since, self.begun_by) = (at, Some(version));
    }

    /// What lasted in a window, cut to it.
    pub(crate) fn within(self, window: Period) -> Vec<Interval<S>> {
        let last = Interval {
            state: self.state,
            span: Period { from: self.since, to: window.to },
            begun_by: self.begun_by,
            ended_by: None,
        };
        let all = self.past.into_iter().chain([last]);
        all.filter_map(|interval| {
            let span = window.overlap(interval.span)?;
            let ended_by = interval.ended_by.filter(|_| interval.span.to <= window.to);
            Some(Interval { span, ended_by, ..interval })
        })
        .collect()
    }
}
