//! Which organization a database or an invoice belongs to, for who knows only that. That there is none is
//! only said when the rows have come as far as the log: a report must not be lost to a reader that
//! is behind.

use std::fmt::Display;
use std::time::Duration;

use events::id::{DatabaseId, OrganizationId};
use projections::home::{Homes, SCOPE};
use projections::{Key, ReadModel as _};

use super::{Error, has_reached, one, row, rows};
use crate::App;
use crate::failure::Failure;

/// How long somebody who asks for something unknown waits for the rows.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
#[error("the read models have not come to the end of the log")]
struct Behind;

/// `None` when there never was such a thing.
pub(crate) async fn find(app: &App, id: impl Display) -> Result<Option<OrganizationId>, Failure> {
    let key = Key::new(SCOPE, id);
    if let Some(found) = look_up(app, key.clone()).await? {
        return Ok(Some(found));
    }
    let head = app.log.head().await?;
    if !has_reached(app, head, CAUGHT_UP_WITHIN).await {
        return Err(Failure::Unavailable(Behind.into()));
    }
    look_up(app, key).await
}

/// The databases that belong, or belonged, to an organization.
pub(crate) async fn among(
    app: &App,
    organization: OrganizationId,
    databases: &[DatabaseId],
) -> Result<Vec<DatabaseId>, Error> {
    let keys: Vec<Key> = databases.iter().map(|database| Key::new(SCOPE, database)).collect();
    let found = rows::<Homes>(app).await?.rows(Homes::NAME, &keys).await?;
    let mut among = Vec::new();
    for (database, key) in databases.iter().zip(&keys) {
        let home = found.get(key).map(|body| row::<Homes>(body)).transpose()?;
        among.extend(home.filter(|home| home.organization == organization).map(|_| *database));
    }
    Ok(among)
}

async fn look_up(app: &App, key: Key) -> Result<Option<OrganizationId>, Failure> {
    match one::<Homes>(app, key).await {
        Ok(home) => Ok(Some(home.organization)),
        Err(Error::NotFound | Error::Future) => Ok(None),
        Err(Error::Failed(failure)) => Err(failure),
    }
}
