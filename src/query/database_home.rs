//! Which organization a database belongs to, for who knows the database alone. That there is none is
//! only said when the rows have come as far as the log: a report must not be lost to a reader that
//! is behind.

use std::time::Duration;

use events::id::{DatabaseId, OrganizationId};
use projections::Key;
use projections::database_home::{DatabaseHome, SCOPE};

use super::{Error, has_reached, one};
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

async fn look_up(app: &App, database: DatabaseId) -> Result<Option<OrganizationId>, Failure> {
    match one::<DatabaseHome>(app, Key::new(SCOPE, database)).await {
        Ok(home) => Ok(Some(home.organization)),
        Err(Error::NotFound | Error::Future) => Ok(None),
        Err(Error::Failed(failure)) => Err(failure),
    }
}
