//! The mail to somebody who is invited: with the link that also proves that the address is theirs.

use events::id::{OrganizationId, SubjectId};
use events::invitation::{Event, Invitation};
use events::organization::{Name, Organization, Profile};
use events::personal::{Opened, Personal};
use events::recorded::{Actor, Recorded};
use events::stream::Stream;

use super::{link, opened};
use crate::failure::Failure;
use crate::link_secret::Purpose;
use crate::mail::{Mail, text};
use crate::reactions::Interruption;
use crate::{App, identity};

/// None for an invitation that is closed by now, or was sent again since with another link.
pub(super) async fn letter(
    app: &App,
    recorded: &Recorded,
    event: &Event,
    organization: OrganizationId,
) -> Result<Option<Mail>, Interruption> {
    let (Event::Sent { invitation: id, links, .. } | Event::Resent { invitation: id, links, .. }) =
        event
    else {
        return Ok(None);
    };
    let entry = app.organizations.current(&app.log, Stream::Organization(organization)).await?;
    let open: Option<(Profile, Invitation)> = {
        let state = &entry.read().state;
        let sent = state.invitation(*id);
        let now = app.clock.now();
        let open = sent.filter(|sent| sent.is_open(state, links.mailed, now));
        state.profile().cloned().zip(open.cloned())
    };
    let Some((profile, invitation)) = open else { return Ok(None) };
    let Some(sealed) = invitation.email.sealed() else { return Ok(None) };
    let Some(to) = opened(app, sealed).await? else { return Ok(None) };
    let name = match &profile.name {
        Name::Plain(name) => Some(name.clone()),
        Name::Personal(name) => known(app, name).await?,
    };
    let inviter = match invitation.sender {
        Actor::Account(account) => match identity::person(app, account).await? {
            Some(person) => known(app, &person.name).await?,
            None => None,
        },
        Actor::Token(_) | Actor::Operator | Actor::System => None,
    };
    let (subject, text) = text::invitation(&text::Invited {
        organization: name.as_deref().unwrap_or(&profile.slug),
        inviter: inviter.as_deref(),
        role: invitation.role,
        expires_at: invitation.expires_at,
        link: &link(app, Purpose::InvitationMailed, id.0, invitation.issue.into()),
    });
    Ok(Some(Mail { event: recorded.id, at: recorded.at, to, subject, text }))
}

/// Whom an invitation is for that an event is about.
pub(super) fn invitee(state: &Organization, event: &events::Event) -> Option<SubjectId> {
    let events::Event::Invitation(
        Event::Sent { invitation, .. } | Event::Resent { invitation, .. },
    ) = event
    else {
        return None;
    };
    state.invitation(*invitation).map(|sent| sent.invitee)
}

async fn known(app: &App, value: &Personal) -> Result<Option<String>, Failure> {
    let Some(sealed) = value.sealed() else { return Ok(None) };
    Ok(match app.keyring.open_value(sealed).await? {
        Opened::Known(value) => Some(value),
        Opened::Erased | Opened::KeyMissing => None,
    })
}
