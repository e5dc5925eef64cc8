//! The organizations of each account, as its owner lists them: the personal one first, then the one
//! joined last. A deleted organization stays in the lists of those who were its members then: it
//! does not know them here. Whoever reads asks the organization itself who still belongs to it.

use events::Event;
use events::id::{AccountId, OrganizationId};
use events::membership::Event::{
    Joined, Left, OwnershipTransferred, Removed, RoleChanged, SecondFactorChanged,
};
use events::organization::Event::{Created, Deleted, Updated};
use events::recorded::Recorded;
use events::stream::Stream;
use events::time::Time;
use serde::{Deserialize, Serialize};

use crate::Change::{Put, Remove};
use crate::{Change, Key, ReadModel, descending};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub account: AccountId,
    pub organization: OrganizationId,
    pub is_personal: bool,
    pub since: Time,
}

pub struct MembershipList;

impl ReadModel for MembershipList {
    const NAME: &'static str = "membership_list";
    const VERSION: u32 = 2;
    type Row = Membership;

    fn project(recorded: &Recorded) -> Vec<(Key, Change<Membership>)> {
        let Stream::Organization(organization) = recorded.stream else { return vec![] };
        let begins = |account: AccountId, is_personal| {
            let row = Membership { account, organization, is_personal, since: recorded.at };
            vec![(Key::new(account, organization), Put(row))]
        };
        match &recorded.event {
            Event::Organization(Created { owner, is_personal, .. }) => begins(*owner, *is_personal),
            Event::Membership(Joined { member, .. }) => begins(*member, false),
            Event::Membership(Removed { member, .. } | Left { member, .. }) => {
                vec![(Key::new(member, organization), Remove)]
            }
            Event::Membership(
                RoleChanged { .. } | SecondFactorChanged { .. } | OwnershipTransferred { .. },
            )
            | Event::Organization(Updated { .. } | Deleted { .. })
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

    fn sort(row: &Membership) -> String {
        let first = if row.is_personal { '0' } else { '1' };
        let millis = u64::try_from(row.since.millis()).unwrap_or_default();
        format!("{first}{}{}", descending(millis), row.organization)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::permission::Role;

    use crate::table::{ACME, ANA, BEN, created_by, joined, rows_after};

    fn listed(past: impl IntoIterator<Item = Event>) -> Vec<(AccountId, OrganizationId)> {
        let rows = rows_after::<MembershipList>(past);
        rows.iter().map(|row| (row.account, row.organization)).collect()
    }

    #[test]
    fn founders_and_members_have_the_organization_in_their_lists() {
        let past = [created_by(ANA), joined(BEN, Role::Viewer)];
        assert_eq!(listed(past), [(ANA, ACME), (BEN, ACME)]);
    }

    #[test]
    fn whoever_left_does_not_list_it() {
        let left = Left { member: BEN, role: Role::Viewer };
        let past = [created_by(ANA), joined(BEN, Role::Viewer), left.into()];
        assert_eq!(listed(past), [(ANA, ACME)]);
    }
}
