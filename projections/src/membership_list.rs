//! The organizations of each account, as its owner lists them: the personal one first, then the
//! newest.

use events::Event;
use events::id::{AccountId, OrganizationId};
use events::organization::Event::{Created, Updated};
use events::permission::Role;
use events::recorded::Recorded;
use events::time::Time;
use serde::{Deserialize, Serialize};

use crate::Change::Put;
use crate::{Change, Key, ReadModel, descending};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub account: AccountId,
    pub organization: OrganizationId,
    pub role: Role,
    pub is_personal: bool,
    pub organization_created_at: Time,
}

pub struct MembershipList;

impl ReadModel for MembershipList {
    const NAME: &'static str = "membership_list";
    const VERSION: u32 = 1;
    type Row = Membership;

    fn project(recorded: &Recorded) -> Vec<(Key, Change<Membership>)> {
        match &recorded.event {
            Event::Organization(Created { organization, owner, is_personal, .. }) => {
                let row = Membership {
                    account: *owner,
                    organization: *organization,
                    role: Role::Owner,
                    is_personal: *is_personal,
                    organization_created_at: recorded.at,
                };
                vec![(Key::new(owner, organization), Put(row))]
            }
            Event::Organization(Updated { .. })
            | Event::Account(_)
            | Event::Address(_)
            | Event::Platform(_) => vec![],
        }
    }

    fn sort(row: &Membership) -> String {
        let first = if row.is_personal { '0' } else { '1' };
        let millis = u64::try_from(row.organization_created_at.millis()).unwrap_or_default();
        format!("{first}{}{}", descending(millis), row.organization)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{ACME, ANA, created_by, rows_after};

    #[test]
    fn a_founder_is_listed_as_owner() {
        let rows = rows_after::<MembershipList>([created_by(ANA)]);
        let listed: Vec<_> =
            rows.iter().map(|row| (row.account, row.organization, row.role)).collect();
        assert_eq!(listed, [(ANA, ACME, Role::Owner)]);
    }
}
