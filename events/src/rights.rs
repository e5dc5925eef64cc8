//! Who may do what in an organization, and because of which events: its state, and beside each member
//! and token the events without which they would not be what they are.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::id::{AccountId, EventId, InvitationId, TokenId};
use crate::organization::{self, Organization};
use crate::recorded::Recorded;
use crate::time::Time;
use crate::{Event, State, invitation, membership, token, wire};

/// An event that made it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Because {
    pub id: EventId,
    pub version: u64,
    pub action: &'static str,
}

impl Because {
    fn of(recorded: &Recorded) -> Self {
        let (action, _) = wire::kind(&recorded.event);
        Self { id: recorded.id, version: recorded.version, action }
    }
}

/// How somebody came in, and what last gave them another role.
#[derive(Debug, Default)]
struct Held {
    came: Vec<Because>,
    role: Option<Because>,
}

#[derive(Debug)]
pub struct Rights {
    organization: Organization,
    /// When the last event was recorded.
    at: Time,
    members: BTreeMap<AccountId, Held>,
    invitations: BTreeMap<InvitationId, Vec<Because>>,
    tokens: BTreeMap<TokenId, Vec<Because>>,
}

impl Default for Rights {
    fn default() -> Self {
        Self {
            organization: Organization::default(),
            at: Time::EPOCH,
            members: BTreeMap::new(),
            invitations: BTreeMap::new(),
            tokens: BTreeMap::new(),
        }
    }
}

impl Rights {
    pub fn organization(&self) -> &Organization {
        &self.organization
    }

    pub fn at(&self) -> Time {
        self.at
    }

    /// Why somebody is a member in their role, oldest first: how they came in, and what last changed
    /// their role.
    pub fn of_member(&self, member: AccountId) -> Vec<Because> {
        let held = self.members.get(&member);
        held.map_or_else(Vec::new, |held| held.came.iter().chain(&held.role).copied().collect())
    }

    /// Why a token serves: how it was made, by way of those that it replaced, and what replaces it.
    pub fn of_token(&self, token: TokenId) -> &[Because] {
        self.tokens.get(&token).map_or(&[], Vec::as_slice)
    }

    fn evolve_members(&mut self, event: &membership::Event, because: Because) {
        use membership::Event::{
            Joined, Left, OwnershipTransferred, Removed, RoleChanged, SecondFactorChanged,
        };
        match event {
            Joined { member, invitation, .. } => {
                let mut came = self.invitations.remove(invitation).unwrap_or_default();
                came.push(because);
                self.members.insert(*member, Held { came, role: None });
            }
            RoleChanged { member, .. } => {
                self.members.entry(*member).or_default().role = Some(because);
            }
            OwnershipTransferred { from, to, .. } => {
                for member in [from, to] {
                    self.members.entry(*member).or_default().role = Some(because);
                }
            }
            Removed { member, .. } | Left { member, .. } => {
                self.members.remove(member);
            }
            SecondFactorChanged { .. } => {}
        }
    }

    fn evolve_invitations(&mut self, event: &invitation::Event, because: Because) {
        use invitation::Event::{Canceled, Expired, Rejected, Resent, Sent};
        match event {
            Sent { invitation, .. } | Resent { invitation, .. } => {
                self.invitations.entry(*invitation).or_default().push(because);
            }
            Canceled { invitation, .. } | Rejected { invitation } | Expired { invitation } => {
                self.invitations.remove(invitation);
            }
        }
    }

    fn evolve_tokens(&mut self, event: &token::Event, because: Because) {
        match event {
            token::Event::Created { token, .. } => {
                self.tokens.insert(*token, vec![because]);
            }
            token::Event::Rotated { token, successor, .. } => {
                let causes = self.tokens.entry(*token).or_default();
                causes.push(because);
                let causes = causes.clone();
                self.tokens.insert(*successor, causes);
            }
            token::Event::Revoked { token } => {
                self.tokens.remove(token);
            }
        }
    }
}

impl State for Rights {
    fn evolve(&mut self, recorded: &Recorded) {
        self.organization.evolve(recorded);
        self.at = recorded.at;
        let because = Because::of(recorded);
        match &recorded.event {
            Event::Organization(organization::Event::Created { owner, .. }) => {
                self.members.insert(*owner, Held { came: vec![because], role: None });
            }
            Event::Organization(organization::Event::Deleted { .. }) => {
                self.members.clear();
                self.invitations.clear();
                self.tokens.clear();
            }
            Event::Membership(event) => self.evolve_members(event, because),
            Event::Invitation(event) => self.evolve_invitations(event, because),
            Event::Token(event) => self.evolve_tokens(event, because),
            Event::Organization(organization::Event::Updated { .. })
            | Event::Platform(_)
            | Event::Usage(_)
            | Event::Address(_)
            | Event::Account(_)
            | Event::Setting(_)
            | Event::AccessAttempt(_)
            | Event::Erasure(_)
            | Event::Evidence(_)
            | Event::Declaration(_)
            | Event::Incident(_)
            | Event::AccessReview(_)
            | Event::RestoreTest(_)
            | Event::Project(_)
            | Event::Database(_)
            | Event::DatabasePart(_)
            | Event::Subscription(_)
            | Event::Invoice(_) => {}
        }
    }
}
