//! What an organization has many of, kept under an id: the thing itself, since when it is there, and
//! the versions by which lists are ordered and changes are compared.

use crate::recorded::{Actor, Recorded};
use crate::time::Time;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept<T> {
    pub content: T,
    pub created_at: Time,
    pub created_by: Actor,
    pub created_version: u64,
    /// Version of the last event that changed this resource: its `ETag`.
    pub changed_version: u64,
}

impl<T> Kept<T> {
    pub(crate) fn new(content: T, recorded: &Recorded) -> Self {
        Self {
            content,
            created_at: recorded.at,
            created_by: recorded.actor,
            created_version: recorded.version,
            changed_version: recorded.version,
        }
    }

    /// The content, which this event changes.
    pub(crate) fn changed_by(&mut self, recorded: &Recorded) -> &mut T {
        self.changed_version = recorded.version;
        &mut self.content
    }
}
