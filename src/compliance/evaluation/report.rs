//! What an evaluation says, as it goes into a signed statement: no floats, and every number that may
//! grow is a string, so that its RFC 8785 form is well defined.

use std::collections::BTreeMap;

use events::id::SubjectId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One framework's controls over one organization's events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    pub(crate) controls: Vec<Control>,
    /// What lies outside of what an organization's events can show.
    pub(crate) not_evidenced: Vec<NotEvidenced>,
    #[serde(skip)]
    pub(crate) populations: Vec<Population>,
    pub(crate) erased: Vec<Erased>,
    /// Lists beside the controls: ids, roles and counts.
    pub(crate) sections: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Pass,
    Fail,
    NotApplicable,
    NotEvidenced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EvidenceKind {
    /// The platform itself caused or enforced it.
    Observed,
    /// A member typed it.
    Declared,
    Mixed,
    None,
}

/// A deviation, with a locator: `versions` of events, or a time interval `gap_from`, `gap_to`.
pub(crate) type Exception = Value;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Control {
    pub(crate) id: &'static str,
    pub(crate) criteria: &'static [String],
    pub(crate) statement: &'static str,
    /// Its name and version; a result can be computed again years later.
    pub(crate) method: &'static str,
    /// When the duty begins, where it has not begun for everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) applicable_from: Option<&'static str>,
    pub(crate) parameters: BTreeMap<&'static str, Parameter>,
    pub(crate) result: Verdict,
    /// Why it is neither pass nor fail: `no_subject`, `no_occurrence`, `declared_out_of_scope`, or a
    /// sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) evidence_kind: EvidenceKind,
    pub(crate) observed: BTreeMap<String, String>,
    pub(crate) exceptions: Vec<Exception>,
    /// Versions of the events that it rests on, at most [`MOST_CITED`](super::finding::MOST_CITED).
    pub(crate) events: Vec<u64>,
    /// How many there are in all.
    pub(crate) event_count: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) population: Option<PopulationReference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limits: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Parameter {
    pub(crate) value: String,
    /// `default`, or `setting` with the version of the event that set it.
    pub(crate) source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PopulationReference {
    pub(crate) file: String,
    pub(crate) size: String,
}

/// All that a control was computed on, one canonical line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Population {
    /// `population-<control>.jsonl`.
    pub(crate) name: String,
    pub(crate) size: u64,
    /// But for those that were taken away before the end.
    pub(crate) lines: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct NotEvidenced {
    pub(crate) id: &'static str,
    pub(crate) criteria: &'static [String],
    pub(crate) reason: &'static str,
}

/// A person whose values can be read no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_field_names, reason = "a packet's members are called so")]
pub(crate) struct Erased {
    pub(crate) subject: SubjectId,
    pub(crate) erased_by_version: u64,
    /// Of the values that a packet would open if they were not erased; whoever has the lines and the
    /// keys fills it.
    pub(crate) digests: Vec<String>,
}
