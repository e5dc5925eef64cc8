//! What the secret of an invitation shows to whoever has it. It is known by the secret alone, so
//! this is the one read of an organization that takes no `Access`.

use events::chain::Link;
use events::id::{InvitationId, OrganizationId};
use events::invitation::Invitation;
use events::organization::Profile;
use events::stream::Stream;
use projections::link_target::Target;

use super::{Error, link_target};
use crate::App;
use crate::failure::Failure;

/// An invitation by one of its secrets.
pub(crate) struct Offer {
    pub(crate) organization: Profile,
    pub(crate) invitation: Invitation,
    /// The secret still admits whom it is for.
    pub(crate) is_open: bool,
}

/// Which invitation of which organization a secret belongs to, by its hash.
pub(crate) async fn find(
    app: &App,
    secret: &Link,
) -> Result<(OrganizationId, InvitationId), Error> {
    match link_target::find(app, secret).await? {
        Some(Target::Invitation { organization, invitation }) => Ok((organization, invitation)),
        Some(Target::PasswordReset { .. } | Target::EmailVerification { .. }) | None => {
            Err(Error::NotFound)
        }
    }
}

/// As the organization's own stream has it now.
pub(crate) async fn show(app: &App, secret: &Link) -> Result<Offer, Error> {
    let (organization, id) = find(app, secret).await?;
    let stream = Stream::Organization(organization);
    let entry = app.organizations.current(&app.log, stream).await.map_err(Failure::from)?;
    let folded = entry.read();
    let state = &folded.state;
    let profile = state.profile().ok_or(Error::NotFound)?;
    let invitation = state.invitation(id).ok_or(Error::NotFound)?;
    Ok(Offer {
        organization: profile.clone(),
        is_open: invitation.is_open(state, *secret, app.clock.now()),
        invitation: invitation.clone(),
    })
}
