//! The keys that this node keeps opened, and how a destroyed one leaves the memory of every node: who
//! destroys keys counts it in the store, and a node that has not looked at that count for a second
//! looks before it uses what it keeps. Where it cannot look, nothing is opened. An embedded store
//! has one node, which forgets at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use events::id::SubjectId;
use quick_cache::sync::Cache;

use super::subject_key::SubjectKey;
use super::{Error, Store};

/// Subjects whose key is kept opened in memory.
const MOST: usize = 50_000;
/// A key that was destroyed opens nothing on any node after this.
pub(super) const FORGOTTEN_WITHIN: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(super) enum OpenedKey {
    Destroyed,
    There(Arc<SubjectKey>),
}

pub(super) struct OpenedKeys {
    keys: Cache<SubjectId, OpenedKey>,
    /// How often keys were forgotten here.
    forgotten: AtomicU64,
    looked: Mutex<Option<Look>>,
}

/// What the store said about how often keys were destroyed.
#[derive(Clone, Copy)]
struct Look {
    at: Instant,
    destructions: u64,
}

impl OpenedKeys {
    pub(super) fn new() -> Self {
        let (forgotten, looked) = (AtomicU64::new(0), Mutex::new(None));
        Self { keys: Cache::new(MOST), forgotten, looked }
    }

    /// The key as it is kept, or as `open` gives it.
    pub(super) async fn get(
        &self,
        store: &Store,
        subject: SubjectId,
        open: impl AsyncFnOnce() -> Result<Option<OpenedKey>, Error>,
    ) -> Result<Option<OpenedKey>, Error> {
        self.look(store).await?;
        if let Some(opened) = self.keys.get(&subject) {
            return Ok(Some(opened));
        }
        let before = self.forgotten.load(Ordering::SeqCst);
        let opened = open().await?;
        if let Some(opened) = &opened {
            self.keys.insert(subject, opened.clone());
            // it may have been read before it was destroyed, and kept after it was forgotten
            if self.forgotten.load(Ordering::SeqCst) != before {
                self.keys.remove(&subject);
            }
        }
        Ok(opened)
    }

    async fn look(&self, store: &Store) -> Result<(), Error> {
        if !store.is_shared() {
            return Ok(());
        }
        let last = *self.looked();
        if last.is_some_and(|last| last.at.elapsed() < FORGOTTEN_WITHIN) {
            return Ok(());
        }
        let at = Instant::now();
        let destructions = store.destructions().await?;
        let is_news = {
            let mut looked = self.looked();
            let known = looked.filter(|known| known.at >= at || known.destructions > destructions);
            let now = known.unwrap_or(Look { at, destructions });
            looked.replace(now).is_some_and(|before| before.destructions != now.destructions)
        };
        if is_news {
            self.forgotten.fetch_add(1, Ordering::SeqCst);
            self.keys.clear();
        }
        Ok(())
    }

    fn looked(&self) -> std::sync::MutexGuard<'_, Option<Look>> {
        self.looked.lock().expect("nothing panics with the lock held")
    }

    /// Lets go of these keys, with whatever they have opened.
    pub(super) fn forget(&self, subjects: &[SubjectId]) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        for subject in subjects {
            self.keys.remove(subject);
        }
    }
}
