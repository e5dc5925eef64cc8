//! One organization as it was: its stream, folded up to a version through the same `project`
//! functions that keep the read models, into rows in memory, or into the state that decisions are
//! made on. The stream is read once, page by page; what is held is the rows of one model, or the
//! state.

use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::str::FromStr;

use events::State as _;
use events::id::OrganizationId;
use events::invoice::meter::Meter;
use events::organization::Organization;
use events::recorded::Recorded;
use events::rights::Rights;
use events::stream::Stream;
use events::time::Time;
use projections::{Impossible, Key, Pending, ReadModel, Touched as _, Written};
use tokio::sync::Semaphore;

use crate::App;
use crate::event_log::{ReadError, Stored};
use crate::failure::Failure;

const PAGE: usize = 1000;
/// Streams that are folded at once: each holds its rows and a page.
const AT_ONCE: usize = 4;

/// When in an organization's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Right after the event of this version.
    Version(u64),
    /// After the last event recorded until then.
    Time(Time),
}

/// It is neither a version nor a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a moment is a version or a time like 2026-01-31T09:30:00Z")]
pub(crate) struct NoMoment;

impl FromStr for Moment {
    type Err = NoMoment;

    fn from_str(text: &str) -> Result<Self, NoMoment> {
        if text.bytes().all(|b| b.is_ascii_digit()) {
            let version = text.parse().ok().filter(|version| i64::try_from(*version).is_ok());
            return version.map(Self::Version).ok_or(NoMoment);
        }
        text.parse().map(Self::Time).map_err(|_| NoMoment)
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("that moment has not come yet")]
    Future,
    #[error("there was nothing yet")]
    Before,
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Room for folding streams. Whoever finds none waits.
pub(crate) struct Room(Semaphore);

impl Default for Room {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

/// The rows of one model after an event of one organization.
pub(crate) struct Past<M> {
    /// Of that event.
    pub(crate) version: u64,
    /// The moment itself: what time does without an event is told by it.
    pub(crate) at: Time,
    rows: BTreeMap<Key, Written>,
    model: PhantomData<fn() -> M>,
}

impl<M: ReadModel> Past<M> {
    /// Who asks must have been let in today.
    pub(crate) async fn of(
        app: &App,
        organization: OrganizationId,
        moment: Moment,
    ) -> Result<Self, Error> {
        let at = Time::EPOCH;
        let mut past = Self { version: 0, at, rows: BTreeMap::new(), model: PhantomData };
        let version = until(app, organization, moment, |recorded| past.take(recorded)).await?;
        let at = match moment {
            Moment::Time(time) => time,
            Moment::Version(_) => past.at,
        };
        Ok(Self { version, at, ..past })
    }

    fn take(&mut self, recorded: &[Recorded]) -> Result<(), Error> {
        self.at = recorded.last().map_or(self.at, |last| last.at);
        let pending = Box::new(Pending::<M>::of(recorded));
        let wanted = pending.wanted();
        let before = wanted.into_iter().filter_map(|key| {
            let body = self.rows.get(&key)?.body.clone()?;
            Some((key, body))
        });
        let before: HashMap<Key, String> = before.collect();
        for row in pending.apply(before).map_err(broken)? {
            if row.ends_scope() {
                self.rows.retain(|key, _| key.scope != row.key.scope);
            } else if row.body.is_some() {
                self.rows.insert(row.key.clone(), row);
            } else {
                self.rows.remove(&row.key);
            }
        }
        Ok(())
    }

    /// The body of a row.
    pub(crate) fn row(&self, key: &Key) -> Option<&str> {
        self.rows.get(key)?.body.as_deref()
    }

    /// At most `limit` rows of a scope, each its sort key and body, in order, after a sort key.
    pub(crate) fn page(&self, scope: &str, after: &str, limit: usize) -> Vec<(&str, &str)> {
        let of_scope = self.rows.values().filter(|row| row.key.scope == scope);
        let mut found: Vec<_> = of_scope
            .filter(|row| row.sort.as_str() > after)
            .filter_map(|row| Some((row.sort.as_str(), row.body.as_deref()?)))
            .collect();
        found.sort_unstable();
        found.truncate(limit);
        found
    }
}

/// What an organization was, and the version of the event right after which it was that. Who asks
/// must have been let in today.
pub(crate) async fn organization(
    app: &App,
    organization: OrganizationId,
    moment: Moment,
) -> Result<(Organization, u64), Error> {
    let mut state = Organization::default();
    let evolve = |recorded: &[Recorded]| {
        for recorded in recorded {
            state.evolve(recorded);
        }
        Ok(())
    };
    let version = until(app, organization, moment, evolve).await?;
    Ok((state, version))
}

/// What of an organization's was metered, from its beginning to now.
pub(crate) async fn meter(app: &App, organization: OrganizationId) -> Result<Meter, Error> {
    let mut meter = Meter::default();
    let evolve = |recorded: &[Recorded]| {
        for recorded in recorded {
            meter.evolve(recorded);
        }
        Ok(())
    };
    until(app, organization, Moment::Time(app.clock.now()), evolve).await?;
    Ok(meter)
}

/// Who could do what, and because of which events; the version and the moment.
pub(crate) async fn rights(
    app: &App,
    organization: OrganizationId,
    moment: Moment,
) -> Result<(Rights, u64, Time), Error> {
    let mut rights = Rights::default();
    let evolve = |recorded: &[Recorded]| {
        for recorded in recorded {
            rights.evolve(recorded);
        }
        Ok(())
    };
    let version = until(app, organization, moment, evolve).await?;
    let at = match moment {
        Moment::Time(time) => time,
        Moment::Version(_) => rights.at(),
    };
    Ok((rights, version, at))
}

/// Some events of an organization: from the first version to that before the end.
pub(crate) async fn events(
    app: &App,
    organization: OrganizationId,
    (first, end): (u64, u64),
) -> Result<Vec<Recorded>, Error> {
    let count = usize::try_from(end.saturating_sub(first)).unwrap_or(usize::MAX);
    let stream = Stream::Organization(organization);
    let stored = app.log.read_stream(&stream, first, count).await.map_err(Failure::from)?;
    decoded(&stored, Moment::Version(end))
}

/// Reads a stream up to a moment, and gives the version of the last event until then.
async fn until(
    app: &App,
    organization: OrganizationId,
    moment: Moment,
    mut take: impl FnMut(&[Recorded]) -> Result<(), Error>,
) -> Result<u64, Error> {
    if matches!(moment, Moment::Time(time) if time > app.clock.now()) {
        return Err(Error::Future);
    }
    let _room = app.past.0.acquire().await.expect("the semaphore is never closed");
    let stream = Stream::Organization(organization);
    let mut next = 0;
    loop {
        let limit = match moment {
            Moment::Version(version) => {
                usize::try_from(version + 1 - next).unwrap_or(PAGE).min(PAGE)
            }
            Moment::Time(_) => PAGE,
        };
        let stored = app.log.read_stream(&stream, next, limit).await.map_err(Failure::from)?;
        let recorded = decoded(&stored, moment)?;
        take(&recorded)?;
        next += recorded.len() as u64;
        let stream_ends = stored.is_empty();
        let is_there = match moment {
            Moment::Version(version) => next > version,
            Moment::Time(_) => stream_ends || recorded.len() < stored.len(),
        };
        if is_there {
            return next.checked_sub(1).ok_or(Error::Before);
        }
        if stream_ends {
            return Err(Error::Future);
        }
    }
}

/// What was recorded until the moment.
fn decoded(stored: &[Stored], moment: Moment) -> Result<Vec<Recorded>, Error> {
    let mut recorded = Vec::with_capacity(stored.len());
    for event in stored {
        let decoded = events::wire::decode(event.position, &event.line, &event.sealed);
        let decoded = decoded.map_err(|error| {
            Failure::from(ReadError::Corrupt { position: event.position, source: error.into() })
        })?;
        if matches!(moment, Moment::Time(time) if decoded.at > time) {
            break;
        }
        recorded.push(decoded);
    }
    Ok(recorded)
}

fn broken(error: Impossible) -> Error {
    Error::Failed(Failure::Broken(error.into()))
}
