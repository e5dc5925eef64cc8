//! Every change of a role was made by somebody entitled to it, and nobody raised their own.

use events::id::AccountId;
use events::permission::{Permission, Role};
use events::recorded::{Actor, Recorded};
use events::{Event, membership};
use serde_json::json;

use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::Findings;
use crate::compliance::evaluation::log::{Log, Period};

#[derive(Default)]
pub(crate) struct RoleChanges {
    found: Findings,
}

struct Change {
    member: AccountId,
    from: Role,
    to: Role,
    needed: Permission,
}

fn change(event: &Event) -> Option<Change> {
    let Event::Membership(event) = event else { return None };
    match *event {
        membership::Event::RoleChanged { member, ref role } => {
            let (from, to) = (role.from, role.to);
            let needed = Permission::to_grant(from).max(Permission::to_grant(to));
            Some(Change { member, from, to, needed })
        }
        membership::Event::OwnershipTransferred { to, previous_role, .. } => Some(Change {
            member: to,
            from: previous_role,
            to: Role::Owner,
            needed: Permission::TransferOrganization,
        }),
        membership::Event::Joined { .. }
        | membership::Event::Removed { .. }
        | membership::Event::Left { .. }
        | membership::Event::SecondFactorChanged { .. } => None,
    }
}

impl Check for RoleChanges {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        let Some(Change { member, from, to, needed }) = change(&recorded.event) else { return };
        if !log.is_in_period() {
            return;
        }
        self.found.cited.add(recorded.version);
        self.found.member(&json!({
            "actor": recorded.actor,
            "from": from,
            "member": member,
            "to": to,
            "version": recorded.version,
        }));
        // roles are in order, the one that may most first
        let raised_own = recorded.actor == Actor::Account(member) && to < from;
        let reason = match (raised_own, log.standing.may(needed)) {
            (true, _) => "raised their own role",
            (false, false) => "not entitled",
            (false, true) => return,
        };
        self.found.exceptions.push(json!({
            "actor": recorded.actor,
            "member": member,
            "reason": reason,
            "versions": [recorded.version],
        }));
    }

    fn standing(&mut self) -> Option<&mut Vec<u8>> {
        Some(&mut self.found.lines)
    }

    fn finish(self: Box<Self>, _: &Log, _: Period) -> Findings {
        self.found
    }
}
