//! Invitations: a closed one never admits anybody, and one whose sender lost the right to send it is
//! as good as closed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::chain::Link;
use crate::id::{AccountId, InvitationId, SubjectId};
use crate::membership;
use crate::organization::Organization;
use crate::permission::{Permission, Role};
use crate::personal::Personal;
use crate::principal::Principal;
use crate::recorded::{Actor, Recorded};
use crate::time::Time;

mod send;

pub use send::{Draft, Refusal, refused};

/// How long a secret admits.
pub const LIFE: Duration = Duration::from_hours(7 * 24);
/// How often one invitation may be sent again.
pub const RESENDS: u32 = 5;
/// How many invitations end together with their sender's right; what is left of more is dead all the
/// same, because [`Command::Accept`] asks for the sender's right.
const ENDED_AT_ONCE: usize = 350;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    #[serde(rename = "member.invited")]
    Sent {
        invitation: InvitationId,
        /// Stands for the invited address.
        invitee: SubjectId,
        role: Role,
        issue: u32,
        links: Links,
        expires_at: Time,
        #[serde(skip)]
        email: Personal,
    },
    #[serde(rename = "invitation.resent")]
    Resent {
        invitation: InvitationId,
        issue: u32,
        links: Links,
        expires_at: Time,
        /// When it would have ended; version 1 did not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous_expires_at: Option<Time>,
    },
    #[serde(rename = "invitation.canceled")]
    Canceled { invitation: InvitationId, because: Cause },
    #[serde(rename = "invitation.rejected")]
    Rejected { invitation: InvitationId },
    #[serde(rename = "invitation.expired")]
    Expired { invitation: InvitationId },
}

/// BLAKE3 of the two secrets of one issue: what was mailed proves the address, what the inviter
/// copied does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Links {
    pub copied: Link,
    pub mailed: Link,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    Withdrawn,
    /// Its sender was removed, left, or may no longer grant the role.
    SenderLostRight,
    /// Whoever it was for is erased: the address is somebody else's, if anybody's.
    PersonErased,
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Sent { .. } => ("member.invited", 1),
            Self::Resent { .. } => ("invitation.resent", 2),
            Self::Canceled { .. } => ("invitation.canceled", 1),
            Self::Rejected { .. } => ("invitation.rejected", 1),
            Self::Expired { .. } => ("invitation.expired", 1),
        }
    }

    pub(crate) fn personal(&mut self, visit: &mut dyn FnMut(&'static str, &mut Personal)) {
        match self {
            Self::Sent { email, .. } => visit("email", email),
            Self::Resent { .. }
            | Self::Canceled { .. }
            | Self::Rejected { .. }
            | Self::Expired { .. } => {}
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pending,
    Accepted,
    Rejected,
    Canceled,
    Expired,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    pub invitee: SubjectId,
    pub email: Personal,
    pub role: Role,
    /// How often a secret was made for it, from 1.
    pub issue: u32,
    pub links: Links,
    pub expires_at: Time,
    pub created_at: Time,
    /// Who sent it last, and so answers for it.
    pub sender: Actor,
    pub accepted_by: Option<AccountId>,
    status: Status,
    /// Version of the last event that changed this resource: its `ETag`.
    pub changed_version: u64,
}

impl Invitation {
    /// What it is at a time, whether or not its expiry has been recorded.
    pub fn status_at(&self, at: Time) -> Status {
        if self.status == Status::Pending && at >= self.expires_at {
            Status::Expired
        } else {
            self.status
        }
    }

    /// Whether this secret, by its BLAKE3, admits whom it is for.
    pub fn is_open(&self, organization: &Organization, link: Link, at: Time) -> bool {
        let is_current = link == self.links.mailed || link == self.links.copied;
        let may_still = match self.sender {
            Actor::Account(sender) => organization
                .role_of(sender)
                .is_some_and(|role| role.may(Permission::to_grant(self.role))),
            Actor::Token(key) => organization.token(key).is_some_and(|key| !key.is_revoked()),
            Actor::Operator | Actor::System => true,
        };
        is_current && may_still && self.status_at(at) == Status::Pending
    }

    fn ends(&mut self, status: Status, recorded: &Recorded) {
        self.status = status;
        self.changed_version = recorded.version;
    }
}

impl Organization {
    pub fn invitation(&self, invitation: InvitationId) -> Option<&Invitation> {
        self.invitations.get(&invitation)
    }

    /// All there ever were.
    pub fn invitations(&self) -> impl Iterator<Item = (&InvitationId, &Invitation)> {
        self.invitations.iter()
    }

    /// Those that nothing has ended yet, also when their time is over.
    pub fn pending_invitations(&self) -> impl Iterator<Item = (&InvitationId, &Invitation)> {
        self.invitations.iter().filter(|(_, invitation)| invitation.status == Status::Pending)
    }
}

pub(crate) fn evolve(organization: &mut Organization, event: &Event, recorded: &Recorded) {
    let invitations = &mut organization.invitations;
    let mut end = |invitation: &InvitationId, status| {
        if let Some(invitation) = invitations.get_mut(invitation) {
            invitation.ends(status, recorded);
        }
    };
    match event {
        Event::Canceled { invitation, .. } => end(invitation, Status::Canceled),
        Event::Rejected { invitation } => end(invitation, Status::Rejected),
        Event::Expired { invitation } => end(invitation, Status::Expired),
        Event::Sent { invitation, invitee, role, issue, links, expires_at, email } => {
            let sent = Invitation {
                invitee: *invitee,
                email: email.clone(),
                role: *role,
                issue: *issue,
                links: *links,
                expires_at: *expires_at,
                created_at: recorded.at,
                sender: recorded.actor,
                accepted_by: None,
                status: Status::Pending,
                changed_version: recorded.version,
            };
            invitations.insert(*invitation, sent);
        }
        Event::Resent { invitation, issue, links, expires_at, previous_expires_at: _ } => {
            if let Some(invitation) = invitations.get_mut(invitation) {
                invitation.issue = *issue;
                invitation.links = *links;
                invitation.expires_at = *expires_at;
                invitation.sender = recorded.actor;
                invitation.changed_version = recorded.version;
            }
        }
    }
}

/// Ends an invitation because somebody joined by it.
pub(crate) fn accepted(
    organization: &mut Organization,
    invitation: InvitationId,
    member: AccountId,
    recorded: &Recorded,
) {
    if let Some(invitation) = organization.invitations.get_mut(&invitation) {
        invitation.ends(Status::Accepted, recorded);
        invitation.accepted_by = Some(member);
    }
}

/// The end of whatever `sender` sent and could not send with the role that is left to them.
pub(crate) fn orphaned(
    organization: &Organization,
    sender: Actor,
    role: Option<Role>,
) -> impl Iterator<Item = Event> {
    organization
        .pending_invitations()
        .filter(move |(_, invitation)| {
            invitation.sender == sender
                && !role.is_some_and(|role| role.may(Permission::to_grant(invitation.role)))
        })
        .take(ENDED_AT_ONCE)
        .map(|(invitation, _)| Event::Canceled {
            invitation: *invitation,
            because: Cause::SenderLostRight,
        })
}

/// The end of whatever was sent to somebody who is erased.
pub(crate) fn unanswerable(
    organization: &Organization,
    invitee: SubjectId,
) -> impl Iterator<Item = Event> {
    organization
        .pending_invitations()
        .filter(move |(_, invitation)| invitation.invitee == invitee)
        .take(ENDED_AT_ONCE)
        .map(|(invitation, _)| Event::Canceled {
            invitation: *invitation,
            because: Cause::PersonErased,
        })
}

#[derive(Clone, Debug)]
pub enum Command {
    Send {
        draft: Draft,
        at: Time,
    },
    /// Each that may be sent; one that may not holds up no other. `by` is who sends them.
    SendAll {
        drafts: Vec<Draft>,
        by: Principal,
        at: Time,
    },
    /// A new secret, another week. `links` are those of the next issue.
    Resend {
        invitation: InvitationId,
        links: Links,
        at: Time,
    },
    Cancel {
        invitation: InvitationId,
        at: Time,
    },
}

impl Command {
    /// Nobody grants by invitation what they could not grant by hand.
    pub fn requires(&self, organization: &Organization) -> Permission {
        let to_grant = |invitation| {
            let sent = organization.invitation(invitation);
            sent.map_or(Permission::ManageMembers, |sent| Permission::to_grant(sent.role))
        };
        match self {
            Self::Send { draft, .. } => Permission::to_grant(draft.role),
            Self::Resend { invitation, .. } => to_grant(*invitation),
            // each of many is asked for on its own
            Self::SendAll { .. } | Self::Cancel { .. } => Permission::ManageMembers,
        }
    }

    pub fn resource_version(&self, organization: &Organization) -> Option<u64> {
        match self {
            Self::Send { .. } | Self::SendAll { .. } => None,
            Self::Resend { invitation, .. } | Self::Cancel { invitation, .. } => {
                organization.invitation(*invitation).map(|sent| sent.changed_version)
            }
        }
    }
}

/// What the invited does, who is no member, and what time does. The right to it is the secret, or
/// nothing but the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Accept { invitation: InvitationId, by: Holder, at: Time },
    Decline { invitation: InvitationId, by: Holder, at: Time },
    Expire { invitation: InvitationId, at: Time },
}

/// Who holds a secret, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    pub account: AccountId,
    /// Stands for the account's address.
    pub subject: SubjectId,
    /// BLAKE3 of the secret.
    pub link: Link,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such invitation")]
    NotFound,
    #[error("an invitation to this address is pending")]
    AlreadyInvited,
    #[error("the holder of this address is a member")]
    AlreadyMember,
    #[error("the invitation is closed")]
    Closed,
    #[error("the invitation was sent again often enough")]
    ResentTooOften,
    #[error("the invitation is for another address")]
    WrongAccount,
    #[error("a personal organization belongs to its account alone")]
    PersonalOrganization,
    #[error("no seat is free")]
    NoSeat,
}

pub fn decide(organization: &Organization, command: &Command) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::Send { draft, at } => send::one(organization, draft, *at, 0),
        Command::SendAll { drafts, by, at } => Ok(send::all(organization, drafts, by, *at)),
        Command::Resend { invitation, links, at } => {
            let sent = pending(organization, *invitation, *at)?;
            if sent.issue > RESENDS {
                return Err(Rejection::ResentTooOften);
            }
            Ok(vec![Event::Resent {
                invitation: *invitation,
                issue: sent.issue + 1,
                links: *links,
                expires_at: at.after(LIFE),
                previous_expires_at: Some(sent.expires_at),
            }])
        }
        Command::Cancel { invitation, at } => {
            pending(organization, *invitation, *at)?;
            Ok(vec![Event::Canceled { invitation: *invitation, because: Cause::Withdrawn }])
        }
    }
}

pub fn answer(
    organization: &Organization,
    answer: &Answer,
) -> Result<Vec<crate::Event>, Rejection> {
    match *answer {
        Answer::Accept { invitation, by, at } => accept(organization, invitation, by, at),
        Answer::Decline { invitation, by, at } => {
            let sent = held(organization, invitation, by)?;
            if sent.status == Status::Rejected {
                return Ok(vec![]);
            }
            admits(organization, sent, by, at)?;
            Ok(vec![crate::Event::Invitation(Event::Rejected { invitation })])
        }
        Answer::Expire { invitation, at } => {
            let sent = organization.invitation(invitation);
            let is_over = sent.is_some_and(|sent| {
                sent.status == Status::Pending && sent.status_at(at) == Status::Expired
            });
            let expired = crate::Event::Invitation(Event::Expired { invitation });
            Ok(if is_over { vec![expired] } else { vec![] })
        }
    }
}

fn accept(
    organization: &Organization,
    invitation: InvitationId,
    by: Holder,
    at: Time,
) -> Result<Vec<crate::Event>, Rejection> {
    let sent = held(organization, invitation, by)?;
    let is_member = organization.role_of(by.account).is_some();
    if is_member && sent.accepted_by == Some(by.account) {
        return Ok(vec![]);
    }
    admits(organization, sent, by, at)?;
    if is_member {
        return Err(Rejection::AlreadyMember);
    }
    Ok(vec![crate::Event::Membership(membership::Event::Joined {
        member: by.account,
        role: sent.role,
        invitation,
        is_address_proven: by.link == sent.links.mailed,
    })])
}

fn pending(
    organization: &Organization,
    invitation: InvitationId,
    at: Time,
) -> Result<&Invitation, Rejection> {
    let sent = organization.invitation(invitation).ok_or(Rejection::NotFound)?;
    if sent.status_at(at) == Status::Pending { Ok(sent) } else { Err(Rejection::Closed) }
}

/// An invitation in the hands of the one it is for.
fn held(
    organization: &Organization,
    invitation: InvitationId,
    by: Holder,
) -> Result<&Invitation, Rejection> {
    let sent = organization.invitation(invitation).ok_or(Rejection::NotFound)?;
    if sent.invitee == by.subject { Ok(sent) } else { Err(Rejection::WrongAccount) }
}

fn admits(
    organization: &Organization,
    sent: &Invitation,
    by: Holder,
    at: Time,
) -> Result<(), Rejection> {
    if sent.is_open(organization, by.link, at) { Ok(()) } else { Err(Rejection::Closed) }
}

#[cfg(test)]
mod tests;
