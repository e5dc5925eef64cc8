//! The tokens and keys of an organization, as they are or as they were, and those of one account
//! over all its organizations.

use std::collections::BTreeSet;

use events::id::{OrganizationId, TokenId};
use events::permission::Permission;
use events::principal::Principal;
use events::time::Time;
use projections::own_token_list::{OwnToken, OwnTokenList};
use projections::token_list::{Token, TokenList};
use projections::{Key, ReadModel as _};

use super::{Error, Page, View, one, row, rows};
use crate::App;
use crate::access::{self, Access};

/// Rows looked at together when only some are wanted.
const LOOKED_AT: usize = 100;

pub(crate) type Rows<'a> = View<'a, TokenList>;

/// The moment that the rows are of: by it a token serves or serves no more.
pub(crate) fn moment(app: &App, view: &Rows<'_>) -> Time {
    view.time(app)
}

pub(crate) async fn show(view: &Rows<'_>, access: &Access, token: TokenId) -> Result<Token, Error> {
    view.one(Key::new(access.organization(), token)).await
}

pub(crate) async fn list(
    view: &Rows<'_>,
    access: &Access,
    after: &str,
    size: usize,
) -> Result<Page<Token>, Error> {
    view.page(&access.organization().to_string(), after, size).await
}

/// The organization of a token of the caller's own.
pub(crate) async fn organization_of_own(
    app: &App,
    by: &Principal,
    token: TokenId,
) -> Result<OrganizationId, Error> {
    let account = by.account().ok_or(Error::NotFound)?;
    Ok(one::<OwnTokenList>(app, Key::new(account, token)).await?.organization)
}

/// The caller's own tokens, of one organization or of all that let the caller in now.
pub(crate) async fn list_own(
    app: &App,
    by: &Principal,
    of: Option<OrganizationId>,
    after: &str,
    size: usize,
) -> Result<Page<(OrganizationId, Token)>, Error> {
    let account = by.account().ok_or(Error::NotFound)?.to_string();
    let mut after = after.to_owned();
    let mut items: Vec<(OwnToken, Token)> = Vec::with_capacity(size);
    let own = View::<OwnTokenList>::now(app).await?;
    loop {
        let page = own.page(&account, &after, LOOKED_AT).await?;
        let wanted = |row: &OwnToken| of.is_none_or(|of| of == row.organization);
        let found: Vec<OwnToken> = page.items.into_iter().filter(wanted).collect();
        for (place, token) in shown(app, by, &found).await? {
            if items.len() == size {
                let next = items.last().map(|(place, _)| OwnTokenList::sort(place));
                return Ok(page_of(items, next));
            }
            items.push((place, token));
        }
        match page.next {
            Some(next) => after = next,
            None => return Ok(page_of(items, None)),
        }
    }
}

fn page_of(items: Vec<(OwnToken, Token)>, next: Option<String>) -> Page<(OrganizationId, Token)> {
    let items = items.into_iter().map(|(place, token)| (place.organization, token)).collect();
    Page { items, next }
}

/// Those of organizations that grant their owner the use of tokens.
async fn shown(
    app: &App,
    by: &Principal,
    found: &[OwnToken],
) -> Result<Vec<(OwnToken, Token)>, Error> {
    let organizations: BTreeSet<_> = found.iter().map(|place| place.organization).collect();
    let organizations: Vec<_> = organizations.into_iter().collect();
    let granting = access::granting(app, by, &organizations, Permission::UseOwnTokens).await?;
    let key = |place: &OwnToken| Key::new(place.organization, place.token);
    let keys: Vec<Key> = found.iter().map(key).collect();
    let bodies = rows::<TokenList>(app).await?.rows(TokenList::NAME, &keys).await?;
    let mut shown = Vec::with_capacity(found.len());
    for place in found.iter().filter(|place| granting.contains(&place.organization)) {
        // one without a row ended with its organization
        if let Some(body) = bodies.get(&key(place)) {
            shown.push((*place, row::<TokenList>(body)?));
        }
    }
    Ok(shown)
}
