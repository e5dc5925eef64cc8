//! Who belongs to an organization, newest member first, each with who they are today.

use events::id::{AccountId, MembershipId};
use projections::Key;
use projections::member_list::{Member, MemberList};
use projections::person::Person;

use super::{Error, Page, View, person};
use crate::App;
use crate::access::Access;
use crate::past::{self, Moment};

pub(crate) async fn list(
    app: &App,
    view: &View<'_, MemberList>,
    access: &Access,
    after: &str,
    size: usize,
) -> Result<Page<(Member, Option<Person>)>, Error> {
    let scope = access.organization().to_string();
    let Page { items, next } = view.page(&scope, after, size).await?;
    let accounts: Vec<AccountId> = items.iter().map(|member| member.account).collect();
    let people = person::all(app, &accounts).await?;
    Ok(Page { items: items.into_iter().zip(people).collect(), next })
}

pub(crate) async fn show(
    app: &App,
    view: &View<'_, MemberList>,
    access: &Access,
    account: AccountId,
) -> Result<(Member, Option<Person>), Error> {
    let member = view.one(Key::new(access.organization(), account)).await?;
    let person = person::all(app, &[account]).await?.pop().flatten();
    Ok((member, person))
}

/// The account behind a membership, which may be over today.
pub(crate) async fn account_at(
    app: &App,
    access: &Access,
    moment: Moment,
    membership: MembershipId,
) -> Result<Option<AccountId>, Error> {
    let (organization, _) = past::organization(app, access.organization(), moment).await?;
    Ok(organization.account_of(membership))
}
