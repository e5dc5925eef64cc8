//! Sending invitations, one or many at once: an address has one that is pending.

use super::{Event, LIFE, Links, Rejection, Status};
use crate::id::{AccountId, InvitationId, SubjectId};
use crate::organization::Organization;
use crate::permission::{Permission, Role};
use crate::personal::Personal;
use crate::principal::{self, Principal};
use crate::time::Time;

/// An invitation to be sent.
#[derive(Clone, Debug)]
pub struct Draft {
    pub invitation: InvitationId,
    /// Stands for the address.
    pub invitee: SubjectId,
    pub email: String,
    /// Who holds the address, when anybody does.
    pub account: Option<AccountId>,
    pub role: Role,
    /// Of issue 1.
    pub links: Links,
}

/// Why one of many was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its sender may not grant that role.
    Denied(principal::Refusal),
    Rejected(Rejection),
}

/// `taken` seats go to others of the same order.
pub(super) fn one(
    organization: &Organization,
    draft: &Draft,
    at: Time,
    taken: u64,
) -> Result<Vec<Event>, Rejection> {
    let is_personal = organization.profile().is_some_and(|profile| profile.is_personal);
    if is_personal && draft.role == Role::Owner {
        return Err(Rejection::PersonalOrganization);
    }
    if draft.account.is_some_and(|account| organization.role_of(account).is_some()) {
        return Err(Rejection::AlreadyMember);
    }
    // one whose time is over ends by this very event: the address has one that is pending
    let mut earlier =
        organization.pending_invitations().filter(|(_, earlier)| earlier.invitee == draft.invitee);
    let mut events = Vec::new();
    if let Some((id, earlier)) = earlier.next() {
        if earlier.status_at(at) == Status::Pending {
            return Err(Rejection::AlreadyInvited);
        }
        events.push(Event::Expired { invitation: *id });
    }
    if organization.free_seats(at).is_some_and(|free| free <= taken) {
        return Err(Rejection::NoSeat);
    }
    events.push(Event::Sent {
        invitation: draft.invitation,
        invitee: draft.invitee,
        role: draft.role,
        issue: 1,
        links: draft.links,
        expires_at: at.after(LIFE),
        email: Personal::known(draft.invitee, &draft.email),
    });
    Ok(events)
}

fn one_of_many(
    organization: &Organization,
    draft: &Draft,
    by: &Principal,
    at: Time,
    taken: u64,
) -> Result<Vec<Event>, Refusal> {
    organization.grants(by, Permission::to_grant(draft.role)).map_err(Refusal::Denied)?;
    one(organization, draft, at, taken).map_err(Refusal::Rejected)
}

/// The events of all that may be sent. Of two to one address the first counts.
pub(super) fn all(
    organization: &Organization,
    drafts: &[Draft],
    by: &Principal,
    at: Time,
) -> Vec<Event> {
    let mut invited = Vec::with_capacity(drafts.len());
    let mut events = Vec::new();
    for draft in drafts {
        if invited.contains(&draft.invitee) {
            continue;
        }
        if let Ok(sent) = one_of_many(organization, draft, by, at, invited.len() as u64) {
            invited.push(draft.invitee);
            events.extend(sent);
        }
    }
    events
}

/// Why a draft is not among the invitations that [`super::Command::SendAll`] has sent, told from
/// what the organization was right after it; so a repeat of the command is told the same.
pub fn refused(organization: &Organization, draft: &Draft, by: &Principal, at: Time) -> Refusal {
    match one_of_many(organization, draft, by, at, 0) {
        Err(refusal) => refusal,
        // the pending one that was in the way is over by now
        Ok(_) => Refusal::Rejected(Rejection::AlreadyInvited),
    }
}
