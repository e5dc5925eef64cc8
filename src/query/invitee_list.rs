//! Which invitations were sent to an address.

use events::id::SubjectId;
use projections::invitee_list::{InviteeList, SentTo};

use super::{Error, page};
use crate::App;

/// Rows read at once.
const PAGE: usize = 500;

/// All of them, the newest first, by the subject that stands for the address.
pub(crate) async fn all(app: &App, invitee: SubjectId) -> Result<Vec<SentTo>, Error> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let piece = page::<InviteeList>(app, &invitee.to_string(), &after, PAGE).await?;
        all.extend(piece.items);
        match piece.next {
            Some(next) => after = next,
            None => return Ok(all),
        }
    }
}
