//! What provisioners report. Their order is the operator's, whatever credential it came with.

use events::database::report::{self, Report};
use events::id::{BackupId, DatabaseId, OrganizationId};
use events::organization::Organization;
use events::stream::Stream;
use events::time::Time;

use super::{Done, Error, Order, append, caught_up};
use crate::App;

/// Records a report on a database that this organization has, or once had.
pub(crate) async fn report<T>(
    app: &App,
    organization: OrganizationId,
    order: &Order,
    database: DatabaseId,
    report: &Report,
    answer: impl Fn(&Organization) -> T,
) -> Result<Done<T>, Error> {
    let _running = app.running.enter(order)?;
    let decide = |state: &Organization| Ok(report::decide(state, database, report)?);
    let stream = Stream::Organization(organization);
    let done = append(app, &app.organizations, stream, order, decide, answer).await?;
    Ok(caught_up(app, done).await)
}

/// The id of a backup that nobody asked for: by when it ended, so that a report that is repeated is
/// about the same one.
pub(crate) fn backup(app: &App, database: DatabaseId, finished_at: Time) -> BackupId {
    let finished_at = finished_at.millis().to_be_bytes();
    let scope: [&[u8]; 3] = [b"scheduled backup", database.0.as_bytes(), &finished_at];
    BackupId(app.keyring.id_of(app.keyring.command(&scope), "backup"))
}
