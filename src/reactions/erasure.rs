//! Completes erasures that were cut short, ends what was begun for somebody while they were being
//! erased, and records an erasure in every organization that ever named the person.

use events::Event;
use events::account::Event::{Erased, ErasureStarted};
use events::invitation::Event::Sent;
use events::membership::Event::Joined;
use events::organization::Event::Created;
use events::recorded::Recorded;
use events::stream::Stream;

use super::Interruption;
use crate::App;
use crate::erasure;

pub(super) fn wants(kind: &str) -> bool {
    [
        "account.erasure_started",
        "account.erased",
        "member.joined",
        "member.invited",
        "organization.created",
    ]
    .contains(&kind)
}

pub(super) async fn react(app: &App, recorded: &Recorded) -> Result<(), Interruption> {
    match (&recorded.event, recorded.stream) {
        (Event::Account(ErasureStarted {}), Stream::Account(account)) => {
            erasure::resume(app, account).await?;
        }
        (Event::Account(Erased {}), Stream::Account(account)) => {
            // an older copy of the keyring may have been put back with that of the place here
            erasure::destroy_again(app, account).await?;
            if let Some(subject) = erasure::subject_of(app, account).await? {
                erasure::record_everywhere(app, account, subject).await?;
            }
        }
        (Event::Membership(Joined { member, .. }), Stream::Organization(organization)) => {
            erasure::end_late(app, *member, organization).await?;
        }
        (Event::Organization(Created { owner, .. }), Stream::Organization(organization)) => {
            erasure::end_late(app, *owner, organization).await?;
        }
        (Event::Invitation(Sent { invitee, .. }), Stream::Organization(organization)) => {
            erasure::end_late_invitation(app, *invitee, organization).await?;
        }
        _ => {}
    }
    Ok(())
}
