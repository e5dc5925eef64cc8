//! What an organization was. As it is, it comes with the proof of access.

use events::organization::Organization;

use super::Error;
use crate::App;
use crate::access::Access;
use crate::past::{self, Moment};

/// With the version that it is of.
pub(crate) async fn at(
    app: &App,
    access: &Access,
    moment: Moment,
) -> Result<(Organization, u64), Error> {
    Ok(past::organization(app, access.organization(), moment).await?)
}
