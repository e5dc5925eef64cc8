//! Which organization a database belongs to, for who knows the database alone. That there is none is
//! only said when the rows have come as far as the log: a report must not be lost to a reader that
//! is behind.

use std::time::Duration;

use events::id::{DatabaseId, OrganizationId};
use projections::database_home::{DatabaseHome, SCOPE};
use projections::{Key, ReadModel as _};

use super::{Error, has_reached, one, row, rows};
use crate::App;
use crate::failure::Failure;

/// How long somebody who asks for an unknown database waits for the rows.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
#[error("the read models have not come to the end of the log")]
struct Behind;

/// `None` when there never was such a database.
pub(crate) async fn find(
    app: &App,
    database: DatabaseId,
) -> Result<Option<OrganizationId>, Failure> {
    if let Some(found) = look_up(app, database).await? {
        return Ok(Some(found));
    }
    let head = app.log.head().await?;
    if !has_reached(app, head, CAUGHT_UP_WITHIN).await {
        return Err(Failure::Unavailable(Behind.into()));
    }
    look_up(app, database).await
}

/// Those that belong, or belonged, to an organization.
pub(crate) async fn among(
    app: &App,
    organization: OrganizationId,
    databases: &[DatabaseId],
) -> Result<Vec<DatabaseId>, Error> {
    let keys: Vec<Key> = databases.iter().map(|database| Key::new(SCOPE, database)).collect();
    let found = rows::<DatabaseHome>(app).await?.rows(DatabaseHome::NAME, &keys).await?;
    let mut among = Vec::new();
    for body in found.values() {
        let home = row::<DatabaseHome>(body)?;
        among.extend((home.organization == organization).then_some(home.database));
    }
    Ok(among)
}

async fn look_up(app: &App, database: DatabaseId) -> Result<Option<OrganizationId>, Failure> {
    match one::<DatabaseHome>(app, Key::new(SCOPE, database)).await {
        Ok(home) => Ok(Some(home.organization)),
        Err(Error::NotFound | Error::Future) => Ok(None),
        Err(Error::Failed(failure)) => Err(failure),
    }
}
