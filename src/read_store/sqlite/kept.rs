//! Rows that were read by their key not long ago, kept in memory. Only this process has the file,
//! so what it writes is all that can change them.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use projections::{Key, Written};
use quick_cache::sync::{Cache, GuardResult};
use quick_cache::{Equivalent, Weighter};

use super::super::ModelRows;

const MOST_BYTES: u64 = 32 * 1024 * 1024;
const USUAL_ROW: u64 = 1024;

pub(super) struct Kept(Cache<(&'static str, Key), Arc<str>, Bytes>);

#[derive(Clone)]
struct Bytes;

impl Weighter<(&'static str, Key), Arc<str>> for Bytes {
    fn weight(&self, (_, key): &(&'static str, Key), body: &Arc<str>) -> u64 {
        (key.scope.len() + key.id.len() + body.len()) as u64
    }
}

/// A place in the cache, without a copy of the key.
struct Place<'a>(&'static str, &'a Key);

impl Hash for Place<'_> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.hash(hasher);
        self.1.hash(hasher);
    }
}

impl Equivalent<(&'static str, Key)> for Place<'_> {
    fn equivalent(&self, (model, key): &(&'static str, Key)) -> bool {
        self.0 == *model && self.1 == key
    }
}

impl Kept {
    pub(super) fn new() -> Self {
        let rows = usize::try_from(MOST_BYTES / USUAL_ROW).unwrap_or_default();
        Self(Cache::with_weighter(rows, MOST_BYTES, Bytes))
    }

    /// The row that is kept, or else the one that `read` finds.
    pub(super) fn get<E>(
        &self,
        model: &'static str,
        key: &Key,
        read: impl FnOnce() -> Result<Option<String>, E>,
    ) -> Result<Option<Arc<str>>, E> {
        if let Some(kept) = self.0.get(&Place(model, key)) {
            return Ok(Some(kept));
        }
        // the guard is there before the row is read: if the row changes meanwhile, what was read
        // is not kept. Nobody waits for the guard of another
        let wait = Some(std::time::Duration::ZERO);
        let guard = match self.0.get_value_or_guard(&(model, key.clone()), wait) {
            GuardResult::Value(kept) => return Ok(Some(kept)),
            GuardResult::Guard(guard) => Some(guard),
            GuardResult::Timeout => None,
        };
        let found: Option<Arc<str>> = read()?.map(Arc::from);
        if let (Some(guard), Some(found)) = (guard, &found) {
            drop(guard.insert(Arc::clone(found)));
        }
        Ok(found)
    }

    /// Takes over what was just committed. Rows that nobody reads by their key are not kept.
    pub(super) fn take(&self, written: Vec<ModelRows>, cleared: bool) {
        if cleared {
            self.0.clear();
        }
        for ModelRows { model, rows } in written {
            for written in rows {
                if written.ends_scope() {
                    self.0.retain(|(of, key), _| *of != model || key.scope != written.key.scope);
                    continue;
                }
                let Written { key, body, .. } = written;
                match body {
                    Some(body) if self.0.contains_key(&Place(model, &key)) => {
                        self.0.insert((model, key), body.into());
                    }
                    Some(_) | None => drop(self.0.remove(&Place(model, &key))),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn key() -> Key {
        Key::new("scope", "id")
    }

    fn write(kept: &Kept, body: Option<&str>) {
        let body = body.map(str::to_owned);
        let written = Written { key: key(), sort: String::new(), body, columns: None };
        kept.take(vec![ModelRows { model: "model", rows: vec![written] }], false);
    }

    fn get(kept: &Kept, stored: &str) -> Option<String> {
        let read = || Ok::<_, Infallible>(Some(stored.to_owned()));
        let Ok(found) = kept.get("model", &key(), read);
        found.map(|body| body.to_string())
    }

    #[test]
    fn what_was_read_is_kept_until_it_changes() {
        let kept = Kept::new();
        write(&kept, Some("never read"));
        assert_eq!(get(&kept, "one").as_deref(), Some("one"));
        assert_eq!(get(&kept, "not asked").as_deref(), Some("one"));
        write(&kept, Some("two"));
        assert_eq!(get(&kept, "not asked").as_deref(), Some("two"));
        write(&kept, None);
        assert_eq!(get(&kept, "three").as_deref(), Some("three"));
        kept.take(Vec::new(), true);
        assert_eq!(get(&kept, "four").as_deref(), Some("four"));
    }

    #[test]
    fn what_changes_while_it_is_read_is_not_kept() {
        let kept = Kept::new();
        let late = kept.get("model", &key(), || {
            write(&kept, Some("new"));
            Ok::<_, Infallible>(Some("old".to_owned()))
        });
        assert_eq!(late, Ok(Some(Arc::from("old"))));
        assert_eq!(get(&kept, "new").as_deref(), Some("new"));
    }
}
