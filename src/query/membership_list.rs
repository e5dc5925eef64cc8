//! To which organizations an account belongs.

use events::id::{AccountId, OrganizationId};
use projections::membership_list::{Membership, MembershipList};

use super::{Error, Page, page};
use crate::identity::Identity;
use crate::{App, access};

const PAGE: usize = 100;

pub(crate) async fn list(
    app: &App,
    caller: &Identity,
    after: &str,
    size: usize,
) -> Result<Page<Membership>, Error> {
    of_account(app, caller.account, after, size).await
}

/// The same for whoever does not ask on the account's behalf.
pub(crate) async fn of_account(
    app: &App,
    account: AccountId,
    after: &str,
    size: usize,
) -> Result<Page<Membership>, Error> {
    page::<MembershipList>(app, &account.to_string(), after, size).await
}

/// Those that ask for a second factor which this account has not. The list says where to ask; each
/// organization's own stream says whether.
pub(crate) async fn requiring_second_factor(
    app: &App,
    caller: &Identity,
) -> Result<Vec<OrganizationId>, Error> {
    let mut requiring = Vec::new();
    if caller.person.second_factor.is_some() {
        return Ok(requiring);
    }
    let mut after = String::new();
    loop {
        let page = list(app, caller, &after, PAGE).await?;
        let listed: Vec<_> = page.items.iter().map(|membership| membership.organization).collect();
        requiring.extend(access::requiring_second_factor(app, caller.account, &listed).await?);
        match page.next {
            Some(next) => after = next,
            None => return Ok(requiring),
        }
    }
}

/// All organizations of an account, the personal one first.
pub(crate) async fn all(app: &App, account: AccountId) -> Result<Vec<OrganizationId>, Error> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let piece = of_account(app, account, &after, PAGE).await?;
        all.extend(piece.items.iter().map(|membership| membership.organization));
        match piece.next {
            Some(next) => after = next,
            None => return Ok(all),
        }
    }
}
