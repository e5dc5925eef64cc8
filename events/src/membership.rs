//! Who belongs to an organization, and as what. There is always an owner: one who is the last can
//! neither step down nor leave nor be removed.

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, InvitationId, MembershipId};
use crate::invitation;
use crate::organization::{Changed, Organization};
use crate::permission::{Permission, Role};
use crate::recorded::{Actor, Recorded};
use crate::time::Time;
use crate::token;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    /// Somebody accepted an invitation.
    #[serde(rename = "member.joined")]
    Joined {
        member: AccountId,
        role: Role,
        invitation: InvitationId,
        /// The secret came by mail, so the invited address is the member's own.
        is_address_proven: bool,
    },
    #[serde(rename = "member.role_changed")]
    RoleChanged { member: AccountId, role: Changed<Role> },
    #[serde(rename = "member.removed")]
    Removed { member: AccountId, role: Role },
    #[serde(rename = "member.left")]
    Left { member: AccountId, role: Role },
    /// A copy of what happened to the member's account, for who reads this log alone.
    #[serde(rename = "member.second_factor_changed")]
    SecondFactorChanged { member: AccountId, is_enabled: bool },
    #[serde(rename = "organization.ownership_transferred")]
    OwnershipTransferred {
        from: AccountId,
        to: AccountId,
        /// What the one who gave it keeps.
        kept_role: Role,
        /// What the one who got it was before.
        previous_role: Role,
    },
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Joined { .. } => ("member.joined", 1),
            Self::RoleChanged { .. } => ("member.role_changed", 1),
            Self::Removed { .. } => ("member.removed", 1),
            Self::Left { .. } => ("member.left", 1),
            Self::SecondFactorChanged { .. } => ("member.second_factor_changed", 1),
            Self::OwnershipTransferred { .. } => ("organization.ownership_transferred", 1),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: MembershipId,
    pub role: Role,
    pub joined_at: Time,
    /// Version of the event that gave the role: who has had `owner` longest stands for the
    /// organization.
    pub role_version: u64,
    /// As this stream was last told; the account knows better.
    has_second_factor: bool,
    /// Version of the last event that changed this resource: its `ETag`.
    pub changed_version: u64,
}

impl Member {
    pub(crate) fn new(role: Role, recorded: &Recorded) -> Self {
        Self {
            id: MembershipId(recorded.id.0),
            role,
            joined_at: recorded.at,
            role_version: recorded.version,
            has_second_factor: false,
            changed_version: recorded.version,
        }
    }
}

impl Organization {
    pub fn member(&self, account: AccountId) -> Option<&Member> {
        self.members.get(&account)
    }

    /// The account behind a membership.
    pub fn account_of(&self, membership: MembershipId) -> Option<AccountId> {
        self.members.iter().find(|(_, member)| member.id == membership).map(|(account, _)| *account)
    }

    pub fn role_of(&self, account: AccountId) -> Option<Role> {
        self.members.get(&account).map(|member| member.role)
    }

    pub fn members(&self) -> impl Iterator<Item = AccountId> {
        self.members.keys().copied()
    }

    pub fn member_count(&self) -> usize {
        self.members.len()
    }

    fn owners(&self) -> impl Iterator<Item = (&AccountId, &Member)> {
        self.members.iter().filter(|(_, member)| member.role == Role::Owner)
    }

    /// Who has been an owner longest.
    pub fn longest_standing_owner(&self) -> Option<AccountId> {
        self.owners().min_by_key(|(_, owner)| owner.role_version).map(|(account, _)| *account)
    }
}

pub(crate) fn evolve(organization: &mut Organization, event: &Event, recorded: &Recorded) {
    // how many members it has, who owns it and what the reader is are shown with the organization
    if !matches!(event, Event::SecondFactorChanged { .. }) {
        organization.is_changed_by(recorded);
    }
    let members = &mut organization.members;
    let mut give = |member: &AccountId, role: Role| {
        if let Some(member) = members.get_mut(member) {
            if member.role != role {
                member.role = role;
                member.role_version = recorded.version;
            }
            member.changed_version = recorded.version;
        }
    };
    match event {
        Event::RoleChanged { member, role } => give(member, role.to),
        Event::OwnershipTransferred { from, to, kept_role, .. } => {
            give(from, *kept_role);
            give(to, Role::Owner);
        }
        Event::Removed { member, .. } | Event::Left { member, .. } => {
            members.remove(member);
            token::end_with(organization, *member, recorded);
        }
        Event::SecondFactorChanged { member, is_enabled } => {
            if let Some(member) = members.get_mut(member) {
                member.has_second_factor = *is_enabled;
                member.changed_version = recorded.version;
            }
        }
        Event::Joined { member, role, invitation, .. } => {
            members.insert(*member, Member::new(*role, recorded));
            invitation::accepted(organization, *invitation, *member, recorded);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    ChangeRole {
        member: AccountId,
        role: Role,
    },
    /// Ends somebody else's membership.
    Remove {
        member: AccountId,
    },
    /// Ends one's own.
    Leave {
        member: AccountId,
    },
    /// Makes another member an owner; the giver keeps a role.
    Transfer {
        from: AccountId,
        to: AccountId,
        kept_role: Role,
    },
}

impl Command {
    /// What it takes depends on what the member is now: only owners touch owners.
    pub fn requires(&self, organization: &Organization) -> Permission {
        let to_touch = |member| organization.role_of(member).map(Permission::to_grant);
        match *self {
            Self::ChangeRole { member, role } => {
                let to_grant = Permission::to_grant(role);
                to_touch(member).map_or(to_grant, |to_touch| to_touch.max(to_grant))
            }
            Self::Remove { member } => match organization.role_of(member) {
                Some(Role::Owner) => Permission::ManageOwners,
                _ => Permission::ManageMembers,
            },
            Self::Leave { .. } => Permission::Leave,
            Self::Transfer { .. } => Permission::TransferOrganization,
        }
    }

    pub fn resource_version(&self, organization: &Organization) -> Option<u64> {
        match *self {
            Self::ChangeRole { member, .. } | Self::Remove { member } | Self::Leave { member } => {
                organization.member(member).map(|member| member.changed_version)
            }
            Self::Transfer { .. } => organization.profile().map(|profile| profile.changed_version),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such member")]
    NotAMember,
    #[error("an organization keeps at least one owner")]
    LastOwner,
    #[error("a personal organization belongs to its account alone")]
    PersonalOrganization,
    #[error("the organization can only be given to another member")]
    TransferToSelf,
}

pub fn decide(
    organization: &Organization,
    command: &Command,
) -> Result<Vec<crate::Event>, Rejection> {
    match *command {
        Command::ChangeRole { member, role } => change_role(organization, member, role),
        Command::Remove { member } => {
            let role = ends(organization, member)?;
            Ok(with_the_end(organization, Event::Removed { member, role }, member, None))
        }
        Command::Leave { member } => {
            let role = ends(organization, member)?;
            Ok(with_the_end(organization, Event::Left { member, role }, member, None))
        }
        Command::Transfer { from, to, kept_role } => transfer(organization, from, to, kept_role),
    }
}

/// What an account's owner did about their second factor, as the organization records it.
pub fn note_second_factor(
    organization: &Organization,
    member: AccountId,
    is_enabled: bool,
) -> Vec<Event> {
    let known = organization.member(member).map(|member| member.has_second_factor);
    let is_news = known.is_some_and(|known| known != is_enabled);
    is_news.then_some(Event::SecondFactorChanged { member, is_enabled }).into_iter().collect()
}

fn change_role(
    organization: &Organization,
    member: AccountId,
    role: Role,
) -> Result<Vec<crate::Event>, Rejection> {
    let from = organization.role_of(member).ok_or(Rejection::NotAMember)?;
    if from == role {
        return Ok(vec![]);
    }
    if role == Role::Owner && is_personal(organization) {
        return Err(Rejection::PersonalOrganization);
    }
    keeps_an_owner(organization, member)?;
    let event = Event::RoleChanged { member, role: Changed { from, to: role } };
    Ok(with_the_end(organization, event, member, Some(role)))
}

fn transfer(
    organization: &Organization,
    from: AccountId,
    to: AccountId,
    kept_role: Role,
) -> Result<Vec<crate::Event>, Rejection> {
    if is_personal(organization) {
        return Err(Rejection::PersonalOrganization);
    }
    if from == to {
        return Err(Rejection::TransferToSelf);
    }
    let previous_role = organization.role_of(to).ok_or(Rejection::NotAMember)?;
    if previous_role == Role::Owner && kept_role == Role::Owner {
        return Ok(vec![]);
    }
    let event = Event::OwnershipTransferred { from, to, kept_role, previous_role };
    Ok(with_the_end(organization, event, from, Some(kept_role)))
}

fn is_personal(organization: &Organization) -> bool {
    organization.profile().is_some_and(|profile| profile.is_personal)
}

/// The role somebody loses whose membership ends.
pub(crate) fn ends(organization: &Organization, member: AccountId) -> Result<Role, Rejection> {
    let role = organization.role_of(member).ok_or(Rejection::NotAMember)?;
    keeps_an_owner(organization, member)?;
    Ok(role)
}

fn keeps_an_owner(organization: &Organization, without: AccountId) -> Result<(), Rejection> {
    if organization.owners().any(|(owner, _)| *owner != without) {
        return Ok(());
    }
    match organization.role_of(without) {
        Some(Role::Owner) => Err(Rejection::LastOwner),
        _ => Ok(()),
    }
}

/// An event that takes a right away, and the end of what stood on that right: invitations, and with
/// the membership the tokens.
pub(crate) fn with_the_end(
    organization: &Organization,
    event: Event,
    sender: AccountId,
    role: Option<Role>,
) -> Vec<crate::Event> {
    let tokens = role.is_none().then(|| token::orphaned(organization, sender));
    let ended = invitation::orphaned(organization, Actor::Account(sender), role);
    std::iter::once(crate::Event::Membership(event))
        .chain(tokens.into_iter().flatten().map(crate::Event::Token))
        .chain(ended.map(crate::Event::Invitation))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Event::{Left, OwnershipTransferred, Removed, RoleChanged};
    use super::*;
    use crate::given::{ANA, BEN, created_by, given, joined, personal_of};

    fn role_changed(member: AccountId, from: Role, to: Role) -> Event {
        RoleChanged { member, role: Changed { from, to } }
    }

    #[test]
    fn the_last_owner_cannot_step_down() {
        given([created_by(ANA), joined(BEN, Role::Admin)])
            .when(Command::ChangeRole { member: ANA, role: Role::Admin })
            .then_rejected(Rejection::LastOwner);
    }

    #[test]
    fn the_last_owner_cannot_leave() {
        given([created_by(ANA), joined(BEN, Role::Admin)])
            .when(Command::Leave { member: ANA })
            .then_rejected(Rejection::LastOwner);
    }

    #[test]
    fn one_of_two_owners_can_leave() {
        given([created_by(ANA), joined(BEN, Role::Owner)])
            .when(Command::Leave { member: ANA })
            .then([Left { member: ANA, role: Role::Owner }]);
    }

    #[test]
    fn a_role_is_recorded_with_the_one_before() {
        given([created_by(ANA), joined(BEN, Role::Viewer)])
            .when(Command::ChangeRole { member: BEN, role: Role::Admin })
            .then([role_changed(BEN, Role::Viewer, Role::Admin)]);
    }

    #[test]
    fn the_same_role_again_records_nothing() {
        given([created_by(ANA), joined(BEN, Role::Viewer)])
            .when(Command::ChangeRole { member: BEN, role: Role::Viewer })
            .then::<Event, 0>([]);
    }

    #[test]
    fn nobody_can_be_removed_twice() {
        given([
            created_by(ANA),
            joined(BEN, Role::Member),
            Removed { member: BEN, role: Role::Member }.into(),
        ])
        .when(Command::Remove { member: BEN })
        .then_rejected(Rejection::NotAMember);
    }

    #[test]
    fn a_transfer_leaves_one_owner_more_or_as_many() {
        given([created_by(ANA), joined(BEN, Role::Member)])
            .when(Command::Transfer { from: ANA, to: BEN, kept_role: Role::Admin })
            .then([OwnershipTransferred {
                from: ANA,
                to: BEN,
                kept_role: Role::Admin,
                previous_role: Role::Member,
            }]);
    }

    #[test]
    fn an_organization_is_not_given_to_a_stranger() {
        given([created_by(ANA)])
            .when(Command::Transfer { from: ANA, to: BEN, kept_role: Role::Admin })
            .then_rejected(Rejection::NotAMember);
    }

    #[test]
    fn a_personal_organization_gets_no_second_owner() {
        let grant = Command::ChangeRole { member: BEN, role: Role::Owner };
        given([personal_of(ANA), joined(BEN, Role::Member)])
            .when(grant)
            .then_rejected(Rejection::PersonalOrganization);
    }

    #[test]
    fn whoever_has_been_an_owner_longest_stands_for_the_organization() {
        let state = given([
            created_by(ANA),
            joined(BEN, Role::Owner),
            role_changed(ANA, Role::Owner, Role::Admin).into(),
            role_changed(ANA, Role::Admin, Role::Owner).into(),
        ])
        .state();
        assert_eq!(state.longest_standing_owner(), Some(BEN));
    }

    #[test]
    fn only_owners_touch_owners_and_grant_admin() {
        let state = given([created_by(ANA), joined(BEN, Role::Admin)]).state();
        let required = |command: Command| command.requires(&state);
        let change = |member, role| Command::ChangeRole { member, role };
        assert_eq!(required(change(ANA, Role::Viewer)), Permission::ManageOwners);
        assert_eq!(required(change(BEN, Role::Viewer)), Permission::ManageAdmins);
        assert_eq!(required(Command::Remove { member: BEN }), Permission::ManageMembers);
        assert_eq!(required(Command::Remove { member: ANA }), Permission::ManageOwners);
    }
}
