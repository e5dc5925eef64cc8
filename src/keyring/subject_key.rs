//! The key of one subject, opened, with the values it opened last: both leave the memory together.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use events::id::EventId;
use events::personal::Sealed;
use secrecy::{ExposeSecret as _, SecretBox};
use zeroize::Zeroizing;

/// Opened values that are kept with one key: a few, which its resource shows time and again.
const MOST_VALUES: usize = 4;

pub(super) struct SubjectKey {
    key: SecretBox<[u8; 32]>,
    values: Mutex<VecDeque<OpenedValue>>,
}

struct OpenedValue {
    event: EventId,
    field: Box<str>,
    value: Zeroizing<String>,
}

impl SubjectKey {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self { key: SecretBox::new(Box::new(key)), values: Mutex::default() }
    }

    pub(super) fn expose(&self) -> &[u8; 32] {
        self.key.expose_secret()
    }

    fn values(&self) -> MutexGuard<'_, VecDeque<OpenedValue>> {
        self.values.lock().expect("nothing panics with the lock held")
    }

    /// The value of a box that this key has opened not long ago.
    pub(super) fn opened_before(&self, sealed: &Sealed) -> Option<String> {
        let values = self.values();
        let is_it = |it: &&OpenedValue| it.event == sealed.event && it.field == sealed.field;
        values.iter().find(is_it).map(|opened| String::clone(&opened.value))
    }

    pub(super) fn keep(&self, sealed: &Sealed, value: &str) {
        let value = Zeroizing::new(value.to_owned());
        let opened = OpenedValue { event: sealed.event, field: sealed.field.clone(), value };
        let mut values = self.values();
        values.truncate(MOST_VALUES - 1);
        values.push_front(opened);
    }
}
