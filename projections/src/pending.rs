//! The changes of a run of events, folded row by row before anything is written.

use std::collections::{BTreeMap, HashMap};

use events::recorded::Recorded;

use crate::{Change, Impossible, Key, ReadModel, Touched, Written};

pub struct Pending<M: ReadModel> {
    changes: BTreeMap<Key, Vec<Change<M::Row>>>,
}

impl<M: ReadModel> Pending<M> {
    pub fn of(recorded: &[Recorded]) -> Self {
        let mut changes: BTreeMap<Key, Vec<Change<M::Row>>> = BTreeMap::new();
        for (key, change) in recorded.iter().flat_map(M::project) {
            let earlier = changes.entry(key).or_default();
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
                    Change::Remove => row = None,
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
