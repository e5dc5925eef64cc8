//! What entries of an audit log are asked for by. The same for both dialects.

use events::time::Time;

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
