//! Settings of an organization as they were. As they are they come with the proof of access.

use events::setting::Settings;

use super::Error;
use crate::App;
use crate::access::Access;
use crate::past::{self, Moment};

/// With the version of the organization that they are of.
pub(crate) async fn at(
    app: &App,
    access: &Access,
    moment: Moment,
) -> Result<(Settings, u64), Error> {
    let (organization, version) = past::organization(app, access.organization(), moment).await?;
    Ok((organization.settings().clone(), version))
}
