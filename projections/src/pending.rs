//! The changes of a run of events, folded row by row before anything is written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use events::recorded::Recorded;

use crate::{Change, Impossible, Key, ReadModel, Touched, Written};

pub struct Pending<M: ReadModel> {
    changes: BTreeMap<Key, Vec<Change<M::Row>>>,
}

impl<M: ReadModel> Pending<M> {
    pub fn of(recorded: &[Recorded]) -> Self {
        Self::folded(recorded.iter().flat_map(M::project))
    }

    fn folded(all: impl IntoIterator<Item = (Key, Change<M::Row>)>) -> Self {
        let mut changes: BTreeMap<Key, Vec<Change<M::Row>>> = BTreeMap::new();
        let mut ended = BTreeSet::new();
        for (key, change) in all {
            if matches!(change, Change::RemoveScope) {
                changes.retain(|other, _| other.scope != key.scope);
                ended.insert(key.scope.clone());
                changes.insert(Key::new(key.scope, ""), vec![change]);
                continue;
            }
            // what is stored of a scope that has ended is no row to edit
            let gone = || if ended.contains(&key.scope) { vec![Change::Remove] } else { vec![] };
            let earlier = changes.entry(key.clone()).or_insert_with(gone);
            // whatever came before a whole row, or before its end, no longer matters
            if !matches!(change, Change::Edit(_)) {
                earlier.clear();
            }
            earlier.push(change);
        }
        Self { changes }
    }
}

impl<M: ReadModel> Touched for Pending<M> {
    fn wanted(&self) -> Vec<Key> {
        let edited = |changes: &[Change<M::Row>]| matches!(changes.first(), Some(Change::Edit(_)));
        self.changes
            .iter()
            .filter(|(_, changes)| edited(changes))
            .map(|(key, _)| key.clone())
            .collect()
    }

    fn apply(
        self: Box<Self>,
        mut stored: HashMap<Key, String>,
    ) -> Result<Vec<Written>, Impossible> {
        let mut written = Vec::with_capacity(self.changes.len());
        for (key, changes) in self.changes {
            let before = stored.remove(&key).map(|body| serde_json::from_str::<M::Row>(&body));
            let mut row = before.transpose().map_err(unreadable::<M>)?;
            for change in changes {
                match change {
                    Change::Put(whole) => row = Some(whole),
                    Change::Edit(edit) => {
                        edit(row.as_mut().ok_or(Impossible::NoRow { model: M::NAME })?);
                    }
                    Change::Remove | Change::RemoveScope => row = None,
                }
            }
            let sort = row.as_ref().map_or_else(String::new, M::sort);
            let columns = row.as_ref().and_then(M::columns).map(Box::new);
            let body = row.map(|row| serde_json::to_string(&row)).transpose();
            let body = body.map_err(unreadable::<M>)?;
            written.push(Written { key, sort, body, columns });
        }
        Ok(written)
    }
}

fn unreadable<M: ReadModel>(source: serde_json::Error) -> Impossible {
    Impossible::Unreadable { model: M::NAME, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Change::{Edit, Put, Remove, RemoveScope};

    /// Rows that are a word each.
    struct Words;

    impl ReadModel for Words {
        const NAME: &'static str = "words";
        const VERSION: u32 = 1;
        type Row = String;

        fn project(_: &Recorded) -> Vec<(Key, Change<String>)> {
            vec![]
        }

        fn sort(row: &String) -> String {
            row.clone()
        }
    }

    fn key(id: &str) -> Key {
        Key::new("acme", id)
    }

    fn put(id: &str) -> (Key, Change<String>) {
        (key(id), Put(id.to_owned()))
    }

    fn edit(id: &str) -> (Key, Change<String>) {
        (key(id), Edit(Box::new(|row| row.push('!'))))
    }

    fn end() -> (Key, Change<String>) {
        (Key::new("acme", "whatever"), RemoveScope)
    }

    /// Ids and bodies as they are written, when `stored` is there already.
    fn written(
        all: impl IntoIterator<Item = (Key, Change<String>)>,
        stored: &[&str],
    ) -> Result<Vec<(String, Option<String>)>, Impossible> {
        let pending = Box::new(Pending::<Words>::folded(all));
        let wanted = pending.wanted();
        let body = |id: &&str| (key(id), format!("\"{id}\""));
        let found = stored.iter().map(body).filter(|(key, _)| wanted.contains(key));
        let written = pending.apply(found.collect())?;
        Ok(written.into_iter().map(|row| (row.key.id, row.body)).collect())
    }

    fn row(id: &str, body: Option<&str>) -> (String, Option<String>) {
        (id.to_owned(), body.map(|body| format!("\"{body}\"")))
    }

    #[test]
    fn a_row_is_written_once_as_it_is_in_the_end() {
        let all = [put("a"), edit("a"), edit("b"), put("c"), (key("c"), Remove)];
        let expected = [row("a", Some("a!")), row("b", Some("b!")), row("c", None)];
        assert_eq!(written(all, &["b"]).expect("they fit"), expected);
    }

    #[test]
    fn the_end_of_a_scope_comes_before_the_rows_that_follow_it() {
        let other = (Key::new("other", "a"), Put("a".to_owned()));
        let all = [put("a"), edit("b"), other, end(), put("c")];
        let expected = [row("", None), row("c", Some("c")), row("a", Some("a"))];
        assert_eq!(written(all, &["b"]).expect("they fit"), expected);
    }

    #[test]
    fn what_has_ended_cannot_be_edited() {
        assert!(matches!(written([end(), edit("b")], &["b"]), Err(Impossible::NoRow { .. })));
    }
}
