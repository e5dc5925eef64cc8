//! An organization's invitations, the newest first, as they are or as they were. What an invitation
//! is, is also a matter of time.

use events::id::InvitationId;
use events::invitation::Status;
use projections::invitation_list::{Invitation, InvitationList};
use projections::{Key, ReadModel as _};

use super::{Error, Page, View};
use crate::App;
use crate::access::Access;

/// Rows looked at together when only some are wanted.
const LOOKED_AT: usize = 200;

pub(crate) type Rows<'a> = View<'a, InvitationList>;

/// Each invitation comes with its status at the moment that the view is of.
pub(crate) type Told = (Invitation, Status);

pub(crate) async fn show(
    app: &App,
    view: &Rows<'_>,
    access: &Access,
    invitation: InvitationId,
) -> Result<Told, Error> {
    let row = view.one(Key::new(access.organization(), invitation)).await?;
    let status = row.status_at(view.time(app));
    Ok((row, status))
}

/// Those with a status, or all.
pub(crate) async fn list(
    app: &App,
    view: &Rows<'_>,
    access: &Access,
    status: Option<Status>,
    after: &str,
    size: usize,
) -> Result<Page<Told>, Error> {
    let scope = access.organization().to_string();
    let time = view.time(app);
    let looked_at = if status.is_some() { LOOKED_AT } else { size + 1 };
    let mut after = after.to_owned();
    let mut items: Vec<Told> = Vec::with_capacity(size);
    loop {
        let page = view.page(&scope, &after, looked_at).await?;
        for row in page.items {
            let told = row.status_at(time);
            if status.is_some_and(|wanted| wanted != told) {
                continue;
            }
            if items.len() == size {
                let next = items.last().map(|(row, _)| InvitationList::sort(row));
                return Ok(Page { items, next });
            }
            items.push((row, told));
        }
        match page.next {
            Some(next) => after = next,
            None => return Ok(Page { items, next: None }),
        }
    }
}
