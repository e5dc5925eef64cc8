//! Whoever accepted by a mailed link has proven their address: completes what a crash cut short
//! between the organization and the account.

use events::Event;
use events::membership::Event::Joined;
use events::recorded::Recorded;

use super::Interruption;
use crate::App;
use crate::execute::invitation;

pub(super) fn wants(kind: &str) -> bool {
    kind == "member.joined"
}

pub(super) async fn react(app: &App, recorded: &Recorded) -> Result<(), Interruption> {
    if let Event::Membership(Joined { member, invitation, is_address_proven: true, .. }) =
        &recorded.event
    {
        invitation::prove_address(app, *member, *invitation).await?;
    }
    Ok(())
}
