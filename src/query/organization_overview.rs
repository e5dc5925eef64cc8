//! One organization, or those of one account.

use events::id::OrganizationId;
use events::permission::Role;
use events::slug;
use projections::organization_overview::{OrganizationOverview, Overview, SCOPE};
use projections::{Key, ReadModel as _};

use super::{Error, Page, View, membership_list, page, row, rows};
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
        let listed: Vec<_> = page.items.iter().map(|membership| membership.organization).collect();
        let roles = access::roles_of(app, caller.account, &listed).await?;
        let roles = listed.into_iter().zip(roles);
        let belonging: Vec<(Key, Role)> =
            roles.filter_map(|(id, role)| Some((Key::new(SCOPE, id), role?))).collect();
        let keys: Vec<Key> = belonging.iter().map(|(key, _)| key.clone()).collect();
        let found = rows::<OrganizationOverview>(app).await?;
        let found = found.rows(OrganizationOverview::NAME, &keys).await?;
        for (key, role) in belonging {
            // one without a row was deleted since its stream was asked
            if let Some(body) = found.get(&key) {
                items.push((row::<OrganizationOverview>(body)?, role));
            }
        }
        match page.next {
            Some(next) if items.len() < size => after = next,
            next => return Ok(Page { items, next }),
        }
    }
}

/// Every organization there is, by slug: for the operator.
pub(crate) async fn list_all(app: &App, after: &str, size: usize) -> Result<Page<Overview>, Error> {
    page::<OrganizationOverview>(app, SCOPE, after, size).await
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
