//! One organization, or those of one account.

use events::id::OrganizationId;
use events::organization::PERSONAL_SLUG_PREFIX;
use events::permission::Role;
use projections::organization_overview::{OrganizationOverview, Overview, SCOPE};
use projections::{Key, ReadModel as _};

use super::{Error, Page, membership_list, one, row, rows};
use crate::App;
use crate::access::Access;
use crate::identity::Identity;

pub(crate) async fn show(app: &App, access: &Access) -> Result<Overview, Error> {
    one::<OrganizationOverview>(app, Key::new(SCOPE, access.organization())).await
}

/// The organizations of the caller, each with the caller's role.
pub(crate) async fn list(
    app: &App,
    caller: &Identity,
    after: &str,
    size: usize,
) -> Result<Page<(Overview, Role)>, Error> {
    let memberships = membership_list::list(app, caller, after, size).await?;
    let key = |organization: OrganizationId| Key::new(SCOPE, organization);
    let keys: Vec<Key> =
        memberships.items.iter().map(|membership| key(membership.organization)).collect();
    let found = rows(app).await?.rows(OrganizationOverview::NAME, &keys).await?;
    let items = keys
        .iter()
        .zip(&memberships.items)
        .filter_map(|(key, membership)| Some((found.get(key)?, membership.role)))
        .map(|(body, role)| Ok((row::<OrganizationOverview>(body)?, role)))
        .collect::<Result<_, Error>>()?;
    Ok(Page { items, next: memberships.next })
}

/// Which organization an id or slug means; whether it exists is asked of the log, later.
pub(crate) async fn resolve(app: &App, id_or_slug: &str) -> Result<Option<OrganizationId>, Error> {
    if let Ok(id) = id_or_slug.parse() {
        return Ok(Some(id));
    }
    if !id_or_slug.starts_with(PERSONAL_SLUG_PREFIX) {
        return Ok(Some(OrganizationId::of_slug(app.keyring.log_id(), id_or_slug)));
    }
    let found = rows(app).await?.at(OrganizationOverview::NAME, SCOPE, id_or_slug).await?;
    Ok(found.map(|body| row::<OrganizationOverview>(&body)).transpose()?.map(|found| found.id))
}
