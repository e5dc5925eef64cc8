//! What one control found, before the rules that all controls share say what follows from it.

use std::collections::BTreeMap;

use events::time::Time;
use serde_json::Value;

use super::report::Exception;

/// Versions that a control cites at most; its population holds the others.
pub(crate) const MOST_CITED: usize = 100;

/// Since when what a control looks at is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Recording {
    /// The platform records it without being asked, as long as an organization exists.
    #[default]
    Always,
    /// Members record it when they use a feature; first then, if ever.
    Since(Option<Time>),
    /// No event says it.
    Never,
}

/// What an empty population means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WhenEmpty {
    /// The control did not operate.
    #[default]
    NoOccurrence,
    /// There was nothing that it could have been about.
    NoSubject,
}

/// Versions of events, the first of them kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cited {
    pub(crate) versions: Vec<u64>,
    pub(crate) count: u64,
}

impl Cited {
    pub(crate) fn add(&mut self, version: u64) {
        if self.versions.last() == Some(&version) {
            return;
        }
        self.count += 1;
        if self.versions.len() < MOST_CITED {
            self.versions.push(version);
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) recording: Recording,
    pub(crate) when_empty: WhenEmpty,
    pub(crate) exceptions: Vec<Exception>,
    pub(crate) observed: BTreeMap<String, String>,
    pub(crate) cited: Cited,
    pub(crate) size: u64,
    /// The population, one canonical line each; without what was taken away before.
    pub(crate) lines: Vec<u8>,
}

impl Findings {
    /// One more of what the control is about.
    pub(crate) fn member(&mut self, line: &Value) {
        let written = if is_in_order(line) {
            serde_json::to_writer(&mut self.lines, line).ok()
        } else {
            serde_json_canonicalizer::to_writer(line, &mut self.lines).ok()
        };
        written.expect("values of ids, numbers and times are always JSON");
        self.lines.push(b'\n');
        self.size += 1;
    }

    pub(crate) fn observe(&mut self, name: impl Into<String>, value: impl ToString) {
        self.observed.insert(name.into(), value.to_string());
    }
}

/// Whether plain JSON writes this value in canonical form, which takes a fraction of the time:
/// numbers are integers and strings are escaped alike, so only the order of members can differ.
fn is_in_order(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(is_in_order),
        Value::Object(members) => {
            members.keys().all(|name| name.is_ascii())
                && members.keys().is_sorted()
                && members.values().all(is_in_order)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}
