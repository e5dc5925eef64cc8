//! Removes the mails to and from people who are erased out of this node's own folder. Which ones
//! these are, the log says: a mail is named after the event that called for it.

use std::collections::HashSet;

use events::account::Event::Erased;
use events::id::{AccountId, EventId, InvitationId, SubjectId};
use events::invitation::Event::{Resent, Sent};
use events::recorded::{Actor, Position, Recorded};
use events::stream::Stream;
use events::{Event, wire};

use super::{Interruption, mail};
use crate::event_log::ReadError;
use crate::{App, erasure};

const PAGE: usize = 500;

pub(super) fn wants(kind: &str) -> bool {
    kind == "account.erased"
}

pub(super) async fn react(app: &App, recorded: &Recorded) -> Result<(), Interruption> {
    let (Event::Account(Erased {}), Stream::Account(account)) = (&recorded.event, recorded.stream)
    else {
        return Ok(());
    };
    let kept = app.post.kept()?;
    let Some(subject) = erasure::subject_of(app, account).await? else { return Ok(()) };
    if !kept.is_empty() {
        for event in mails_of(app, account, subject, &kept).await? {
            app.post.discard(event)?;
        }
    }
    tracing::info!(%account, "no mails of an erased person are kept");
    Ok(())
}

/// Those of the mails that went to somebody, or name who sent them.
async fn mails_of(
    app: &App,
    account: AccountId,
    subject: SubjectId,
    kept: &HashSet<EventId>,
) -> Result<Vec<EventId>, ReadError> {
    let (mut found, mut theirs) = (Vec::new(), HashSet::new());
    let mut after = Position::default();
    loop {
        let page = app.log.read_all(after, PAGE).await?;
        for event in &page.events {
            if !wire::kind_of_line(&event.line).is_none_or(mail::calls_for_one) {
                continue;
            }
            let recorded =
                wire::decode(event.position, &event.line, &event.sealed).map_err(|error| {
                    ReadError::Corrupt { position: event.position, source: error.into() }
                })?;
            if is_of(&recorded, account, subject, &mut theirs) && kept.contains(&recorded.id) {
                found.push(recorded.id);
            }
        }
        if page.at_head {
            return Ok(found);
        }
        after = page.next;
    }
}

/// `theirs` are the invitations of the person so far.
fn is_of(
    recorded: &Recorded,
    account: AccountId,
    subject: SubjectId,
    theirs: &mut HashSet<InvitationId>,
) -> bool {
    if let Event::Invitation(Sent { invitation, invitee, .. }) = &recorded.event
        && *invitee == subject
    {
        theirs.insert(*invitation);
    }
    let is_invited = matches!(
        &recorded.event,
        Event::Invitation(Sent { invitation, .. } | Resent { invitation, .. })
            if theirs.contains(invitation)
    );
    is_invited
        || recorded.actor == Actor::Account(account)
        || recorded.stream == Stream::Account(account)
}
