//! To which organizations an account belongs.

use projections::membership_list::{Membership, MembershipList};

use super::{Error, Page, page};
use crate::App;
use crate::identity::Identity;

pub(crate) async fn list(
    app: &App,
    caller: &Identity,
    after: &str,
    size: usize,
) -> Result<Page<Membership>, Error> {
    page::<MembershipList>(app, &caller.account.to_string(), after, size).await
}
