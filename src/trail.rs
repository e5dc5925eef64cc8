//! An organization's audit log read forward, from the log itself: entry after entry in the order of
//! their versions, each linked to the one before. What rows lag behind, or a reader came late for, is
//! not missed here.

use std::time::Duration;

use events::chain::Link;
use events::recorded::{Position, Recorded};
use events::stream::Stream;
use events::wire;
use projections::audit_trail::{AuditTrail, Columns, Entry};
use projections::{Change, ReadModel as _};

use crate::App;
use crate::access::Access;
use crate::event_log::{Cause, ReadError, Stored};
use crate::failure::Failure;
use crate::query::audit_trail::name_invitations;

/// Events that are in memory at once.
const PAGE: usize = 200;

/// How far somebody has read.
pub(crate) struct Trail {
    access: Access,
    next: u64,
    prev: Option<Link>,
}

/// One event, as the audit log shows it and as it was recorded.
pub(crate) struct Step {
    pub(crate) entry: Entry,
    /// What filters ask for.
    pub(crate) columns: Columns,
    pub(crate) recorded: Recorded,
    pub(crate) stored: Stored,
}

impl Trail {
    /// Begins with an event of this version.
    pub(crate) fn from(access: Access, version: u64) -> Self {
        Self { access, next: version, prev: None }
    }

    /// Waits until the log may hold more than when it was this long; a hint only.
    pub(crate) async fn wait(app: &App, length: Position, up_to: Duration) {
        app.log.wait(length, up_to).await;
    }

    /// How long the whole log is now, to wait for more.
    pub(crate) async fn length(app: &App) -> Result<Position, Failure> {
        Ok(app.log.head().await?)
    }

    /// The version of the next event.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The next events that are there now, of versions below `end`; none when nothing is there.
    pub(crate) async fn page(&mut self, app: &App, end: u64) -> Result<Vec<Step>, Failure> {
        let left = usize::try_from(end.saturating_sub(self.next)).unwrap_or(PAGE).min(PAGE);
        if left == 0 {
            return Ok(Vec::new());
        }
        let stream = Stream::Organization(self.access.organization());
        let stored = app.log.read_stream(&stream, self.next, left).await?;
        let (mut steps, mut entries) = (Vec::with_capacity(stored.len()), Vec::new());
        for stored in stored {
            let recorded = wire::decode(stored.position, &stored.line, &stored.sealed);
            let recorded = recorded.map_err(|error| corrupt(&stored, error))?;
            if recorded.stream != stream || recorded.version != self.next {
                return Err(corrupt(&stored, format!("not version {} of {stream}", self.next)));
            }
            if self.prev.is_some_and(|prev| prev != recorded.prev) {
                return Err(corrupt(&stored, "the line does not link to the one before it"));
            }
            self.next += 1;
            self.prev = Some(recorded.link);
            let entry = entry_of(&recorded);
            entries.push(entry.ok_or_else(|| corrupt(&stored, "no audit log shows this event"))?);
            steps.push((recorded, stored));
        }
        name_invitations(app, self.access.organization(), &mut entries).await?;
        let step = |(entry, (recorded, stored))| {
            let columns = AuditTrail::columns(&entry)?;
            Some(Step { entry, columns, recorded, stored })
        };
        Ok(entries.into_iter().zip(steps).filter_map(step).collect())
    }
}

fn entry_of(recorded: &Recorded) -> Option<Entry> {
    AuditTrail::project(recorded).into_iter().find_map(|(_, change)| match change {
        Change::Put(entry) => Some(entry),
        Change::Edit(_) | Change::Remove | Change::RemoveScope => None,
    })
}

fn corrupt(stored: &Stored, source: impl Into<Cause>) -> Failure {
    ReadError::Corrupt { position: stored.position, source: source.into() }.into()
}
