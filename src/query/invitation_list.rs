//! An organization's invitations, the newest first.

use events::id::InvitationId;
use events::invitation::Status;
use projections::invitation_list::{Invitation, InvitationList};
use projections::{Key, ReadModel as _};

use super::{Error, Page, one, page};
use crate::App;
use crate::access::Access;

/// Rows looked at together when only some are wanted.
const LOOKED_AT: usize = 200;

pub(crate) async fn show(
    app: &App,
    access: &Access,
    invitation: InvitationId,
) -> Result<Invitation, Error> {
    one::<InvitationList>(app, Key::new(access.organization(), invitation)).await
}

/// Those with a status, or all.
pub(crate) async fn list(
    app: &App,
    access: &Access,
    status: Option<Status>,
    after: &str,
    size: usize,
) -> Result<Page<Invitation>, Error> {
    let scope = access.organization().to_string();
    let Some(status) = status else {
        return page::<InvitationList>(app, &scope, after, size).await;
    };
    // which status a row has is also a matter of time, so no index can tell
    let now = app.clock.now();
    let mut after = after.to_owned();
    let mut items: Vec<Invitation> = Vec::with_capacity(size);
    loop {
        let looked_at = page::<InvitationList>(app, &scope, &after, LOOKED_AT).await?;
        for row in looked_at.items.into_iter().filter(|row| row.status_at(now) == status) {
            if items.len() == size {
                let next = items.last().map(InvitationList::sort);
                return Ok(Page { items, next });
            }
            items.push(row);
        }
        match looked_at.next {
            Some(next) => after = next,
            None => return Ok(Page { items, next: None }),
        }
    }
}
