//! What a run of events does to the rows. Entries of one hour, database and project are added up
//! before any row of totals is touched: a request tells many of them.

use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map};

use events::id::{DatabaseId, OrganizationId, ProjectId};
use events::recorded::Recorded;
use events::time::Time;
use events::usage::{Entry, KEYS_KEPT, Kind};

use super::billed::{self, Counted};
use super::{
    Known, OUTCOMES_KEPT, Of, Outcome, SHAPES_KEPT, Span, Totals, before, id_of, key_of_outcome,
    keys, outcomes, read, row, scope_of, sort_of_time,
};
use crate::{Impossible, Key, Touched, Written};

const HOUR: i64 = 3_600_000;

/// Where something was used, and in which hour.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) organization: OrganizationId,
    /// When it began.
    pub(super) hour: Time,
    pub(super) database: DatabaseId,
    pub(super) project: Option<ProjectId>,
}

impl Place {
    fn of(organization: OrganizationId, entry: &Entry) -> Self {
        let millis = entry.time.millis();
        Self {
            organization,
            hour: Time::from_millis(millis - millis.rem_euclid(HOUR)),
            database: entry.database,
            project: entry.project,
        }
    }

    /// Every total that counts what was used here.
    fn totals(&self) -> impl Iterator<Item = Key> {
        Span::ALL.into_iter().flat_map(move |span| {
            let within = span.of(self.hour);
            Of::ALL.into_iter().filter_map(move |of| {
                let scope = scope_of(self.organization, of, span);
                Some(Key::new(scope, id_of(&within, &of.named(self)?)))
            })
        })
    }
}

/// What was used in one place.
#[derive(Clone, Default)]
pub(super) struct Sums {
    pub(super) queries: Counted,
    pub(super) bytes_transferred: Counted,
    pub(super) connection_seconds: u64,
    /// The most at any moment.
    pub(super) storage_bytes: u64,
    pub(super) backup_bytes: u64,
    /// Version of the first event that told any of what is billed.
    pub(super) first_billed: Option<u64>,
}

impl Sums {
    fn add(&mut self, kind: Kind, value: u64, version: u64) {
        match kind {
            Kind::Queries => self.queries.add(value),
            Kind::BytesTransferred => self.bytes_transferred.add(value),
            Kind::ConnectionSeconds => {
                self.connection_seconds = self.connection_seconds.saturating_add(value);
            }
            Kind::StorageBytes => self.storage_bytes = self.storage_bytes.max(value),
            Kind::BackupBytes => self.backup_bytes = self.backup_bytes.max(value),
            Kind::QueryShape => {}
        }
        if billed::is_billed(kind) {
            self.first_billed.get_or_insert(version);
        }
    }
}

/// What one event told.
struct Event {
    organization: OrganizationId,
    version: u64,
    at: Time,
    entries: Vec<Used>,
}

struct Used {
    key: Key,
    content: String,
    kind: Kind,
    value: u64,
    time: Time,
    shape: Option<String>,
    /// Its number among the places of the run.
    place: usize,
}

#[derive(Default)]
pub(super) struct Batch {
    events: Vec<Event>,
    places: Vec<Place>,
    numbers: HashMap<Place, usize>,
}

impl Batch {
    pub(super) fn take(
        &mut self,
        organization: OrganizationId,
        recorded: &Recorded,
        entries: &[Entry],
    ) {
        let keys = keys(organization);
        let used = |entry: &Entry| {
            let place = Place::of(organization, entry);
            let number = *self.numbers.entry(place).or_insert_with(|| {
                self.places.push(place);
                self.places.len() - 1
            });
            Used {
                key: Key::new(&keys, &entry.key),
                content: entry.content(),
                kind: entry.kind,
                value: entry.value,
                time: entry.time,
                shape: entry.shape.clone(),
                place: number,
            }
        };
        let entries = entries.iter().map(used).collect();
        let (version, at) = (recorded.version, recorded.at);
        self.events.push(Event { organization, version, at, entries });
    }
}

/// Where it is kept that a shape was counted in a total.
fn shape_key(total: &Key, shape: &str) -> Key {
    Key::new(shapes_of(&total.scope), format_args!("{} {shape}", total.id))
}

fn shapes_of(scope: &str) -> String {
    format!("{scope} shapes")
}

impl Touched for Batch {
    fn wanted(&self) -> Vec<Key> {
        let mut totals: BTreeSet<Key> = self.places.iter().flat_map(Place::totals).collect();
        totals.extend(self.places.iter().map(billed::month_of));
        let entries = || self.events.iter().flat_map(|event| &event.entries);
        let shapes: BTreeSet<(usize, &str)> =
            entries().filter_map(|used| Some((used.place, used.shape.as_deref()?))).collect();
        for (place, shape) in shapes {
            totals.extend(self.places[place].totals().map(|total| shape_key(&total, shape)));
        }
        let mut wanted: Vec<Key> = entries().map(|used| used.key.clone()).collect();
        wanted.extend(totals);
        wanted
    }

    fn apply(self: Box<Self>, stored: HashMap<Key, String>) -> Result<Vec<Written>, Impossible> {
        let Self { events, places, numbers: _ } = *self;
        let mut keys = HashMap::new();
        let mut sums: Vec<Option<Sums>> = vec![None; places.len()];
        let mut shapes = Shapes::default();
        let mut written = Vec::new();
        let mut ends: BTreeMap<OrganizationId, End> = BTreeMap::new();
        for Event { organization, version, at, entries } in events {
            ends.insert(organization, End { version, at });
            let mut outcome = Outcome::default();
            for (index, used) in entries.into_iter().enumerate() {
                let Used { key, content, kind, value, time, shape, place } = used;
                let before = match keys.get(&key) {
                    Some(known) => Some(Known::clone(known)),
                    None => read::<Known>(&stored, &key)?,
                };
                if let Some(known) = before.filter(|known| known.is_kept_at(at)) {
                    let is_same = known.content == content;
                    if is_same { &mut outcome.duplicates } else { &mut outcome.reused }.push(index);
                    continue;
                }
                keys.insert(key, Known { content, at });
                sums[place].get_or_insert_default().add(kind, value, version);
                if let Some(shape) = shape {
                    shapes.count(place, &places, shape, time, &stored);
                }
            }
            let key = key_of_outcome(organization, version);
            written.push(row(key, sort_of_time(at), &outcome)?);
        }
        let mut totals: BTreeMap<Key, Totals> = BTreeMap::new();
        let mut billed = billed::Changed::default();
        for (place, sums) in places.iter().zip(&sums) {
            let Some(sums) = sums else { continue };
            for total in place.totals() {
                total_of(&mut totals, total, &stored)?.add(sums);
            }
            billed.count(place, sums, &stored)?;
        }
        for (total, more) in shapes.more {
            total_of(&mut totals, total, &stored)?.query_shapes += more;
        }
        let oldest = oldest(&ends);
        let is_kept =
            |key: &Key, at: Time| oldest.get(&key.scope).is_none_or(|oldest| at >= *oldest);
        written.retain(|row| {
            oldest.get(&row.key.scope).is_none_or(|oldest| row.sort >= sort_of_time(*oldest))
        });
        for (scope, oldest) in &oldest {
            written.push(Written {
                key: Key::new(scope, ""),
                sort: sort_of_time(*oldest),
                body: None,
                columns: None,
            });
        }
        // in the order of the pages that a store has them on
        let mut keys: Vec<(Key, Known)> = keys.into_iter().collect();
        keys.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (key, known) in keys.into_iter().filter(|(key, known)| is_kept(key, known.at)) {
            written.push(row(key, sort_of_time(known.at), &known)?);
        }
        for (key, totals) in totals {
            written.push(row(key.clone(), key.id, &totals)?);
        }
        for (key, at) in shapes.new.into_iter().filter(|(key, at)| is_kept(key, *at)) {
            written.push(row(key, sort_of_time(at), &())?);
        }
        written.extend(billed.written(&ends)?);
        Ok(written)
    }
}

/// Where the stream of an organization ends, as far as it is counted.
pub(super) struct End {
    pub(super) version: u64,
    pub(super) at: Time,
}

/// For each scope of rows that are not kept for ever, from when on they are kept.
fn oldest(ends: &BTreeMap<OrganizationId, End>) -> HashMap<String, Time> {
    let mut oldest = HashMap::new();
    for (organization, End { at, .. }) in ends {
        oldest.insert(keys(*organization), before(*at, KEYS_KEPT));
        oldest.insert(outcomes(*organization), before(*at, OUTCOMES_KEPT));
        for (span, of) in Span::ALL.into_iter().flat_map(|span| Of::ALL.map(|of| (span, of))) {
            let scope = shapes_of(&scope_of(*organization, of, span));
            oldest.insert(scope, before(*at, SHAPES_KEPT));
        }
    }
    oldest
}

fn total_of<'a>(
    totals: &'a mut BTreeMap<Key, Totals>,
    key: Key,
    stored: &HashMap<Key, String>,
) -> Result<&'a mut Totals, Impossible> {
    Ok(match totals.entry(key) {
        btree_map::Entry::Occupied(row) => row.into_mut(),
        btree_map::Entry::Vacant(row) => {
            let before = read::<Totals>(stored, row.key())?;
            row.insert(before.unwrap_or_default())
        }
    })
}

/// Shapes that were counted for the first time.
#[derive(Default)]
struct Shapes {
    /// Where it is kept that they were, and when they were used.
    new: BTreeMap<Key, Time>,
    /// By how many more a total has.
    more: BTreeMap<Key, u64>,
    /// Those of the run, by place.
    seen: BTreeSet<(usize, String)>,
}

impl Shapes {
    fn count(
        &mut self,
        place: usize,
        places: &[Place],
        shape: String,
        time: Time,
        stored: &HashMap<Key, String>,
    ) {
        let seen = (place, shape);
        if self.seen.contains(&seen) {
            return;
        }
        for total in places[place].totals() {
            let key = shape_key(&total, &seen.1);
            if !stored.contains_key(&key) && !self.new.contains_key(&key) {
                self.new.insert(key, time);
                *self.more.entry(total).or_default() += 1;
            }
        }
        self.seen.insert(seen);
    }
}
