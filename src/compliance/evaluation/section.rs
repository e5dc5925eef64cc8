//! The lists of a packet beside its controls: who could do what at the end of the period, and what
//! changed in it. Ids, roles, times and counts; nothing personal.

use std::collections::BTreeMap;

use events::declaration::Content;
use events::organization::Organization;
use events::permission::Role;
use events::recorded::Recorded;
use events::{Event, invitation, membership, token, wire};
use serde_json::{Value, json};

use super::log::Log;

#[derive(Default)]
pub(crate) struct Sections {
    joined: u64,
    moved: u64,
    left: u64,
    /// Events of the period by their type.
    changes: BTreeMap<&'static str, u64>,
}

impl Sections {
    pub(crate) fn take(&mut self, log: &Log, recorded: &Recorded) {
        if !log.is_in_period() {
            return;
        }
        *self.changes.entry(wire::kind(&recorded.event).0).or_default() += 1;
        if let Event::Membership(event) = &recorded.event {
            match event {
                membership::Event::Joined { .. } => self.joined += 1,
                membership::Event::RoleChanged { .. }
                | membership::Event::OwnershipTransferred { .. } => self.moved += 1,
                membership::Event::Removed { .. } | membership::Event::Left { .. } => {
                    self.left += 1;
                }
                membership::Event::SecondFactorChanged { .. } => {}
            }
        }
    }

    pub(crate) fn finish(self, log: &Log) -> Value {
        let organization = &log.organization;
        let changes: BTreeMap<_, _> =
            self.changes.into_iter().map(|(kind, count)| (kind, count.to_string())).collect();
        json!({
            "access_at_period_end": {
                "members": members(organization, |_| true),
                "tokens": tokens(log),
                "pending_invitations": invitations(log),
            },
            "privileged_at_period_end":
                members(organization, |role| matches!(role, Role::Owner | Role::Admin)),
            "membership_changes": {
                "joiners": self.joined.to_string(),
                "movers": self.moved.to_string(),
                "leavers": self.left.to_string(),
            },
            "changes": changes,
            "declared": declared(organization),
        })
    }
}

fn members(organization: &Organization, of_role: impl Fn(Role) -> bool) -> Vec<Value> {
    let members = organization.members().filter_map(|account| {
        let member = organization.member(account).filter(|member| of_role(member.role))?;
        let (role, since) = (member.role, member.joined_at);
        let by = member.role_version;
        Some(json!({ "member": account, "role": role, "joined_at": since, "role_version": by }))
    });
    members.collect()
}

fn tokens(log: &Log) -> Vec<Value> {
    let listed = |(id, token): (_, &token::Token)| {
        let scopes = &token.scopes;
        json!({
            "token": id,
            "kind": token.kind.as_str(),
            "owner": token.owner,
            "scopes": scopes,
            "created_at": token.created_at,
            "expires_at": token.expires_at,
        })
    };
    log.organization.live_tokens(log.period.to).map(listed).collect()
}

/// Whom the frameworks concern, as the organization declared it by the end of the period.
fn declared(organization: &Organization) -> Value {
    let (mut dora_role, mut headcount, mut systems) = (None, None, Vec::new());
    for (id, declaration) in organization.declared().declarations() {
        let version = declaration.changed_version;
        match &declaration.content {
            Content::DoraRole(role) => {
                dora_role = Some(json!({ "role": role.role, "version": version }));
            }
            // for the exemption of Article 30(5), which nobody decides here
            Content::ControllerRecord(record) => headcount = record.headcount,
            Content::AiSystem(system) => systems.push(json!({
                "high_risk": system.high_risk,
                "role": system.role,
                "system": id,
                "version": version,
            })),
            Content::ProcessingActivity(_) | Content::DoraFunction(_) => {}
        }
    }
    json!({
        "ai_systems": systems,
        "dora_role": dora_role,
        "headcount": headcount.map(|count| count.to_string()),
    })
}

fn invitations(log: &Log) -> Vec<Value> {
    let open = log.organization.pending_invitations().filter(|(_, invitation)| {
        invitation.status_at(log.period.to) == invitation::Status::Pending
    });
    let listed = |(id, invitation): (_, &invitation::Invitation)| json!({ "invitation": id, "role": invitation.role, "expires_at": invitation.expires_at });
    open.map(listed).collect()
}
