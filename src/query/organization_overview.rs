//! One organization, or those of one account.

use events::id::OrganizationId;
use events::permission::Role;
use events::slug;
use projections::organization_overview::{OrganizationOverview, Overview, SCOPE};
use projections::{Key, ReadModel as _};

use super::{Error, Page, View, membership_list, one, row, rows};
use crate::App;
use crate::access::{self, Access};
use crate::identity::Identity;

/// One organization, as it is or was.
pub(crate) async fn show(
    view: &View<'_, OrganizationOverview>,
    access: &Access,
) -> Result<Overview, Error> {
    view.one(Key::new(SCOPE, access.organization())).await
}

/// The organizations of the caller, each with the caller's role. The list says where to ask; each
/// organization's own stream says whether, and as what, the caller belongs to it.
pub(crate) async fn list(
    app: &App,
    caller: &Identity,
    after: &str,
    size: usize,
) -> Result<Page<(Overview, Role)>, Error> {
    let mut items = Vec::with_capacity(size);
    let mut after = after.to_owned();
    loop {
        let page = membership_list::list(app, caller, &after, size - items.len()).await?;
        for organization in page.items.iter().map(|membership| membership.organization) {
            let role = access::role_of(app, caller.account, organization).await?;
            let Some(role) = role else { continue };
            match one::<OrganizationOverview>(app, Key::new(SCOPE, organization)).await {
                Ok(overview) => items.push((overview, role)),
                // deleted since its stream was asked
                Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        match page.next {
            Some(next) if items.len() < size => after = next,
            next => return Ok(Page { items, next }),
        }
    }
}

/// Which organization an id or slug means; whether it exists is asked of the log, later.
pub(crate) async fn resolve(app: &App, id_or_slug: &str) -> Result<Option<OrganizationId>, Error> {
    if let Ok(id) = id_or_slug.parse() {
        return Ok(Some(id));
    }
    // what can be no slug is not asked of a database, which may refuse its characters
    if !id_or_slug.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Ok(None);
    }
    if !id_or_slug.starts_with(slug::PERSONAL_PREFIX) {
        return Ok(Some(OrganizationId::of_slug(app.keyring.log_id(), id_or_slug)));
    }
    let found = rows::<OrganizationOverview>(app)
        .await?
        .at(OrganizationOverview::NAME, SCOPE, id_or_slug)
        .await?;
    Ok(found.map(|body| row::<OrganizationOverview>(&body)).transpose()?.map(|found| found.id))
}
