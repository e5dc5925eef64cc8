//! What entries of an audit log are asked for by. The same for both dialects.

use events::time::Time;
use projections::audit_trail::Columns;

/// Entries of one organization, newest first.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) organization: String,
    /// Only entries of versions below this one.
    pub(crate) before: Option<u64>,
    pub(crate) filter: &'a Filter,
}

/// What is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) action: Option<Action>,
    pub(crate) actor: Option<String>,
    pub(crate) resource_type: Option<String>,
    pub(crate) resource_id: Option<String>,
    /// Inclusive.
    pub(crate) since: Option<Time>,
    /// Exclusive.
    pub(crate) until: Option<Time>,
    /// In lower case.
    pub(crate) words: Option<String>,
}

impl Filter {
    /// Whether an entry with these columns is wanted: what the databases ask in SQL, for entries that
    /// come from elsewhere.
    pub(crate) fn admits(&self, columns: &Columns) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        let is_action = match &self.action {
            None => true,
            Some(Action::Exactly(action)) => *action == columns.action,
            Some(Action::Of(kind)) => {
                columns.action.split_once('.').is_some_and(|(found, _)| found == kind)
            }
        };
        is_action
            && is(&self.actor, &columns.actor)
            && is(&self.resource_type, &columns.resource_type)
            && is(&self.resource_id, &columns.resource_id)
            && self.since.is_none_or(|since| columns.at >= since)
            && self.until.is_none_or(|until| columns.at < until)
            && self.words.as_ref().is_none_or(|words| columns.words.contains(words.as_str()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Exactly(String),
    /// Actions of one kind: what stands before their first dot.
    Of(String),
}

/// Which of the wanted entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    pub(crate) skip: usize,
    pub(crate) limit: usize,
}

impl Wanted<'_> {
    /// Where versions end, for databases whose numbers are signed.
    pub(super) fn before(&self) -> i64 {
        self.before.and_then(|version| i64::try_from(version).ok()).unwrap_or(i64::MAX)
    }

    /// The first and the last action, in the order of their bytes.
    pub(super) fn actions(&self) -> (Option<String>, Option<String>) {
        match &self.filter.action {
            None => (None, None),
            Some(Action::Exactly(action)) => (Some(action.clone()), Some(action.clone())),
            // `/` is the byte after the dot, and in no action
            Some(Action::Of(kind)) => (Some(format!("{kind}.")), Some(format!("{kind}/"))),
        }
    }
}
