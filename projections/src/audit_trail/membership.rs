//! How an audit entry tells of members. A member is named by the account.

use events::id::OrganizationId;
use events::membership::Event::{
    self, Joined, Left, OwnershipTransferred, Removed, RoleChanged, SecondFactorChanged,
};

use super::{FieldChange, Resource, plain};

pub(super) fn resource(organization: OrganizationId, event: &Event) -> Resource {
    match event {
        Joined { member, .. }
        | RoleChanged { member, .. }
        | Removed { member, .. }
        | Left { member, .. }
        | SecondFactorChanged { member, .. } => Resource::new("member", member, None),
        OwnershipTransferred { .. } => Resource::new("organization", organization, None),
    }
}

pub(super) fn changes(event: &Event) -> Vec<FieldChange> {
    let role = |from, to| FieldChange::new("role", from, to);
    match event {
        Joined { role: now, invitation, .. } => vec![
            role(None, Some(plain(now))),
            FieldChange::new("invitation_id", None, Some(plain(invitation))),
        ],
        RoleChanged { role: changed, .. } => {
            vec![role(Some(plain(changed.from)), Some(plain(changed.to)))]
        }
        Removed { role: before, .. } | Left { role: before, .. } => {
            vec![role(Some(plain(before)), None)]
        }
        SecondFactorChanged { is_enabled, .. } => vec![FieldChange::new(
            "two_factor_enabled",
            Some(plain(!is_enabled)),
            Some(plain(is_enabled)),
        )],
        OwnershipTransferred { from, to, kept_role, previous_role } => vec![
            FieldChange::new("owner_id", Some(plain(from)), Some(plain(to))),
            FieldChange::new("previous_owner_role", Some(plain("owner")), Some(plain(kept_role))),
            FieldChange::new("new_owner_role", Some(plain(previous_role)), Some(plain("owner"))),
        ],
    }
}
