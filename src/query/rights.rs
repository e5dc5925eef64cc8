//! Who could do what in an organization at a moment.

use events::rights::Rights;
use events::time::Time;

use super::Error;
use crate::App;
use crate::access::Access;
use crate::past::{self, Moment};

/// With the version of the last event until then, and the moment itself.
pub(crate) async fn at(
    app: &App,
    access: &Access,
    moment: Moment,
) -> Result<(Rights, u64, Time), Error> {
    past::rights(app, access.organization(), moment).await.map_err(|error| match error {
        past::Error::Future => Error::Future,
        past::Error::Before => Error::NotFound,
        past::Error::Failed(failure) => Error::Failed(failure),
    })
}
