//! What time does by itself, each at its own time, whenever it is given.

use events::evidence::{self, Framework};
use events::id::{InvitationId, OrganizationId, PacketId};
use events::invitation::{self, Answer};
use events::organization::Organization;
use events::recorded::Position;
use events::stream::Stream;
use events::subscription;
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

/// Ends a trial whose time is over, and lets take effect what was scheduled until `at`.
pub(crate) async fn change_subscription(
    app: &App,
    organization: OrganizationId,
    at: Time,
) -> Result<Position, Error> {
    let due = at.millis().to_be_bytes();
    let why = [b"change subscription".as_slice(), organization.0.as_bytes(), &due];
    let order = Order { at: Some(at), ..system_order(app, &why) };
    let decide = |state: &Organization| {
        Ok(super::into_events(subscription::time_passes(state, at), events::Event::Subscription))
    };
    let stream = Stream::Organization(organization);
    let done = append(app, &app.organizations, stream, &order, decide, |_| ()).await?;
    Ok(done.position)
}

/// Asks for the packet about the quarter that is over at `at`, and says which one that is. Does
/// nothing where nobody subscribes any more.
pub(crate) async fn request_quarterly_packet(
    app: &App,
    organization: OrganizationId,
    framework: Framework,
    at: Time,
) -> Result<(Position, Option<PacketId>), Error> {
    let (period_start, period_end) = Time::from_millis(at.millis() - 1).quarter();
    let due = at.millis().to_be_bytes();
    let why = [
        b"quarterly packet".as_slice(),
        organization.0.as_bytes(),
        framework.as_str().as_bytes(),
        &due,
    ];
    let order = Order { at: Some(at), ..system_order(app, &why) };
    let packet = PacketId(app.keyring.id_of(order.command, "packet"));
    let challenge = app.keyring.id_of(order.command, "challenge").simple().to_string();
    let decide = |state: &Organization| {
        if !state.evidence().is_subscribed(framework) {
            return Ok(vec![]);
        }
        let challenge = challenge.clone();
        let command = evidence::Command::RequestPacket {
            packet,
            framework,
            period_start,
            period_end,
            challenge,
        };
        Ok(super::into_events(evidence::decide(state, &command)?, events::Event::Evidence))
    };
    let stream = Stream::Organization(organization);
    let is_asked_for = |state: &Organization| state.evidence().packet(packet).map(|_| packet);
    let done = append(app, &app.organizations, stream, &order, decide, is_asked_for).await?;
    Ok((done.position, done.answer))
}
