//! Everybody who joined had been invited, by somebody who was allowed to invite as that, and accepted
//! in time.

use std::collections::BTreeMap;

use events::id::{AccountId, InvitationId};
use events::permission::{Permission, Role};
use events::recorded::{Actor, Recorded};
use events::time::Time;
use events::{Event, invitation, membership};
use serde_json::json;

use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::Findings;
use crate::compliance::evaluation::log::{Log, Period, RECORDED_WITHIN};

struct Sent {
    version: u64,
    role: Role,
    by: Actor,
    was_entitled: bool,
    expires_at: Time,
    is_open: bool,
}

#[derive(Default)]
pub(crate) struct Joiners {
    sent: BTreeMap<InvitationId, Sent>,
    found: Findings,
}

impl Check for Joiners {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        if let Event::Invitation(event) = &recorded.event {
            self.take_invitation(log, recorded, event);
        }
        let Event::Membership(membership::Event::Joined { member, role, invitation, .. }) =
            &recorded.event
        else {
            return;
        };
        if log.is_in_period() {
            self.join(log, recorded.version, *member, *role, *invitation);
        }
        if let Some(sent) = self.sent.get_mut(invitation) {
            sent.is_open = false;
        }
    }

    fn standing(&mut self) -> Option<&mut Vec<u8>> {
        Some(&mut self.found.lines)
    }

    fn finish(self: Box<Self>, _: &Log, _: Period) -> Findings {
        self.found
    }
}

impl Joiners {
    fn join(
        &mut self,
        log: &Log,
        version: u64,
        member: AccountId,
        role: Role,
        invitation: InvitationId,
    ) {
        let sent = self.sent.get(&invitation);
        let reason = sent.map_or(Some("no invitation"), |sent| {
            wrong(sent, role, Actor::Account(member), log.now)
        });
        let sent_by = sent.map(|sent| sent.version);
        let versions: Vec<u64> = sent_by.into_iter().chain([version]).collect();
        self.found.cited.add(version);
        self.found.member(&json!({
            "invitation": invitation,
            "invited_by": sent.map(|sent| sent.by),
            "joined_at": log.now,
            "member": member,
            "role": role,
            "versions": versions,
        }));
        if let Some(reason) = reason {
            let found = json!({ "member": member, "reason": reason, "versions": versions });
            self.found.exceptions.push(found);
        }
    }

    fn take_invitation(&mut self, log: &Log, recorded: &Recorded, event: &invitation::Event) {
        let was_entitled = |role| log.standing.may(Permission::to_grant(role));
        match event {
            invitation::Event::Sent { invitation, role, expires_at, .. } => {
                let sent = Sent {
                    version: recorded.version,
                    role: *role,
                    by: recorded.actor,
                    was_entitled: was_entitled(*role),
                    expires_at: *expires_at,
                    is_open: true,
                };
                self.sent.insert(*invitation, sent);
            }
            invitation::Event::Resent { invitation, expires_at, .. } => {
                if let Some(sent) = self.sent.get_mut(invitation) {
                    sent.by = recorded.actor;
                    sent.was_entitled = was_entitled(sent.role);
                    sent.expires_at = *expires_at;
                }
            }
            invitation::Event::Canceled { invitation, .. }
            | invitation::Event::Rejected { invitation }
            | invitation::Event::Expired { invitation } => {
                if let Some(sent) = self.sent.get_mut(invitation) {
                    sent.is_open = false;
                }
            }
        }
    }
}

fn wrong(sent: &Sent, role: Role, member: Actor, at: Time) -> Option<&'static str> {
    if !sent.is_open {
        Some("the invitation was closed")
    } else if at >= sent.expires_at.after(RECORDED_WITHIN) {
        Some("the invitation had expired")
    } else if sent.by == member {
        Some("self-issued")
    } else if !sent.was_entitled {
        Some("whoever invited was not allowed to")
    } else if sent.role != role {
        Some("another role than offered")
    } else {
        None
    }
}
