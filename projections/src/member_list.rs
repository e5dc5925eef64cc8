//! Who belongs to each organization, newest member first. All of them are gone when it is deleted.

use events::Event;
use events::id::{AccountId, MembershipId};
use events::membership::Event::{
    Joined, Left, OwnershipTransferred, Removed, RoleChanged, SecondFactorChanged,
};
use events::organization::Event::{Created, Deleted, Updated};
use events::permission::Role;
use events::recorded::Recorded;
use events::stream::Stream;
use events::time::Time;
use serde::{Deserialize, Serialize};

use crate::Change::{Edit, Put, Remove, RemoveScope};
use crate::{Change, Key, ReadModel, descending};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub id: MembershipId,
    pub account: AccountId,
    pub role: Role,
    pub joined_at: Time,
    /// Version of the event with which the membership began.
    pub joined_version: u64,
    /// Version of the last event that changed this resource.
    pub changed_version: u64,
}

pub struct MemberList;

impl ReadModel for MemberList {
    const NAME: &'static str = "member_list";
    const VERSION: u32 = 1;
    type Row = Member;

    fn project(recorded: &Recorded) -> Vec<(Key, Change<Member>)> {
        let Stream::Organization(organization) = recorded.stream else { return vec![] };
        let version = recorded.version;
        let key = |account: &AccountId| Key::new(organization, account);
        let begins = |account: &AccountId, role| {
            let row = Member {
                id: MembershipId(recorded.id.0),
                account: *account,
                role,
                joined_at: recorded.at,
                joined_version: version,
                changed_version: version,
            };
            vec![(key(account), Put(row))]
        };
        let becomes = |account: &AccountId, role| {
            let edit = move |row: &mut Member| {
                row.role = role;
                row.changed_version = version;
            };
            (key(account), Edit(Box::new(edit)))
        };
        match &recorded.event {
            Event::Organization(Created { owner, .. }) => begins(owner, Role::Owner),
            Event::Membership(Joined { member, role, .. }) => begins(member, *role),
            Event::Membership(RoleChanged { member, role }) => vec![becomes(member, role.to)],
            Event::Membership(OwnershipTransferred { from, to, kept_role, .. }) => {
                vec![becomes(from, *kept_role), becomes(to, Role::Owner)]
            }
            Event::Membership(SecondFactorChanged { member, .. }) => {
                let edit = move |row: &mut Member| row.changed_version = version;
                vec![(key(member), Edit(Box::new(edit)))]
            }
            Event::Membership(Removed { member, .. } | Left { member, .. }) => {
                vec![(key(member), Remove)]
            }
            Event::Organization(Deleted { .. }) => vec![(Key::new(organization, ""), RemoveScope)],
            Event::Organization(Updated { .. })
            | Event::Invitation(_)
            | Event::Setting(_)
            | Event::Token(_)
            | Event::AccessAttempt(_)
            | Event::Erasure(_)
            | Event::Declaration(_)
            | Event::Incident(_)
            | Event::AccessReview(_)
            | Event::RestoreTest(_)
            | Event::Subscription(_)
            | Event::Invoice(_)
            | Event::Evidence(_)
            | Event::Project(_)
            | Event::Database(_)
            | Event::DatabasePart(_)
            | Event::Account(_)
            | Event::Address(_)
            | Event::Platform(_)
            | Event::Usage(_) => vec![],
        }
    }

    fn sort(row: &Member) -> String {
        descending(row.joined_version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::organization::Changed;

    use crate::table::{ANA, BEN, created_by, joined, rows_after};

    fn listed(past: impl IntoIterator<Item = Event>) -> Vec<(AccountId, Role, u64)> {
        let rows = rows_after::<MemberList>(past);
        rows.iter().map(|row| (row.account, row.role, row.changed_version)).collect()
    }

    #[test]
    fn whoever_joined_last_comes_first() {
        let past = [created_by(ANA), joined(BEN, Role::Viewer)];
        assert_eq!(listed(past), [(BEN, Role::Viewer, 1), (ANA, Role::Owner, 0)]);
    }

    #[test]
    fn a_new_role_leaves_the_member_in_its_place() {
        let role = Changed { from: Role::Owner, to: Role::Admin };
        let changed = RoleChanged { member: ANA, role };
        let past = [created_by(ANA), joined(BEN, Role::Owner), changed.into()];
        assert_eq!(listed(past), [(BEN, Role::Owner, 1), (ANA, Role::Admin, 2)]);
    }

    #[test]
    fn a_transfer_shows_on_both() {
        let transferred = OwnershipTransferred {
            from: ANA,
            to: BEN,
            kept_role: Role::Member,
            previous_role: Role::Admin,
        };
        let past = [created_by(ANA), joined(BEN, Role::Admin), transferred.into()];
        assert_eq!(listed(past), [(BEN, Role::Owner, 2), (ANA, Role::Member, 2)]);
    }

    #[test]
    fn whoever_left_and_whatever_was_deleted_is_gone() {
        let left = Left { member: BEN, role: Role::Viewer };
        let past = [created_by(ANA), joined(BEN, Role::Viewer), left.into()];
        assert_eq!(listed(past), [(ANA, Role::Owner, 0)]);
        let deleted = Deleted {
            members: 2,
            pending_invitations: 0,
            tokens: 0,
            projects: 0,
            databases: 0,
            is_billed: false,
        };
        let past = [created_by(ANA), joined(BEN, Role::Viewer), deleted.into()];
        assert_eq!(listed(past), []);
    }
}
