//! Who belongs to an organization, newest member first, each with who they are.

use events::id::AccountId;
use projections::Key;
use projections::member_list::{Member, MemberList};
use projections::person::Person;

use super::{Error, Page, View, one, person};
use crate::App;
use crate::access::Access;

/// The members of today, or of another time; who they are is told as it is today.
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
    access: &Access,
    account: AccountId,
) -> Result<(Member, Option<Person>), Error> {
    let member = one::<MemberList>(app, Key::new(access.organization(), account)).await?;
    let person = person::all(app, &[account]).await?.pop().flatten();
    Ok((member, person))
}
