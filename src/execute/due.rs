//! What time does by itself, each at its own time, whenever it is given.

use events::id::{InvitationId, OrganizationId};
use events::invitation::{self, Answer};
use events::organization::Organization;
use events::recorded::Position;
use events::stream::Stream;
use events::time::Time;

use super::{Error, Order, append, system_order};
use crate::App;

/// Ends an invitation whose time is over. Does nothing to one that has ended otherwise, or was
/// sent again meanwhile. Every node gives the same order, and it is carried out once.
pub(crate) async fn expire_invitation(
    app: &App,
    organization: OrganizationId,
    invitation: InvitationId,
    at: Time,
) -> Result<Position, Error> {
    let due = at.millis().to_be_bytes();
    let why = [b"expire invitation".as_slice(), invitation.0.as_bytes(), &due];
    let order = Order { at: Some(at), ..system_order(app, &why) };
    let decide =
        |state: &Organization| Ok(invitation::answer(state, &Answer::Expire { invitation, at })?);
    let stream = Stream::Organization(organization);
    let done = append(app, &app.organizations, stream, &order, decide, |_| ()).await?;
    Ok(done.position)
}
