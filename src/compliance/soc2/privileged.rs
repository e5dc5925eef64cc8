//! Who was owner or admin from when to when, by whose grant; and that there was an owner always.

use std::collections::BTreeMap;

use events::id::{AccountId, InvitationId};
use events::permission::Role;
use events::recorded::{Actor, Recorded};
use events::{Event, invitation, membership, organization};
use serde_json::json;

use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::Findings;
use crate::compliance::evaluation::interval::{Interval, Timeline};
use crate::compliance::evaluation::log::{Log, Period};

/// A role that may much, and who gave it.
type Held = Option<(Role, Actor)>;

pub(crate) struct Privileged {
    held: BTreeMap<AccountId, Timeline<Held>>,
    /// Who sent each invitation last.
    senders: BTreeMap<InvitationId, Actor>,
    owners: usize,
    owned: Timeline<bool>,
}

impl Default for Privileged {
    fn default() -> Self {
        let (held, senders) = (BTreeMap::new(), BTreeMap::new());
        Self { held, senders, owners: 0, owned: Timeline::new(false) }
    }
}

impl Privileged {
    fn give(&mut self, log: &Log, version: u64, member: AccountId, held: Held) {
        let is_owner = |held: Held| held.is_some_and(|(role, _)| role == Role::Owner);
        let held = held.filter(|(role, _)| matches!(role, Role::Owner | Role::Admin));
        let timeline = self.held.entry(member).or_insert_with(|| Timeline::new(None));
        let before = *timeline.state();
        // the same role again is not another grant
        if before.map(|(role, _)| role) == held.map(|(role, _)| role) {
            return;
        }
        timeline.set(held, log.now, version);
        self.owners += usize::from(is_owner(held));
        self.owners -= usize::from(is_owner(before));
    }

    fn settle(&mut self, log: &Log, version: u64) {
        self.owned.set(self.owners > 0, log.now, version);
    }
}

impl Check for Privileged {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        let (version, by) = (recorded.version, recorded.actor);
        if let Event::Invitation(
            invitation::Event::Sent { invitation, .. }
            | invitation::Event::Resent { invitation, .. },
        ) = &recorded.event
        {
            self.senders.insert(*invitation, by);
        }
        if let Event::Organization(organization::Event::Created { owner, .. }) = &recorded.event {
            self.give(log, version, *owner, Some((Role::Owner, by)));
        }
        if let Event::Membership(event) = &recorded.event {
            match event {
                membership::Event::Joined { member, role, invitation, .. } => {
                    let by = self.senders.get(invitation).copied().unwrap_or(by);
                    self.give(log, version, *member, Some((*role, by)));
                }
                membership::Event::RoleChanged { member, role } => {
                    self.give(log, version, *member, Some((role.to, by)));
                }
                membership::Event::OwnershipTransferred { from, to, kept_role, .. } => {
                    self.give(log, version, *from, Some((*kept_role, by)));
                    self.give(log, version, *to, Some((Role::Owner, by)));
                }
                membership::Event::Removed { member, .. }
                | membership::Event::Left { member, .. } => {
                    self.give(log, version, *member, None);
                }
                membership::Event::SecondFactorChanged { .. } => {}
            }
        }
        self.settle(log, version);
    }

    fn finish(self: Box<Self>, _: &Log, window: Period) -> Findings {
        let mut found = Findings::default();
        let mut at_end = BTreeMap::from([(Role::Owner, 0_u64), (Role::Admin, 0)]);
        for (member, timeline) in self.held {
            for held in timeline.within(window) {
                let Interval { state: Some((role, by)), span, begun_by, ended_by } = held else {
                    continue;
                };
                if span.to == window.to {
                    *at_end.entry(role).or_default() += 1;
                }
                for version in begun_by.into_iter().chain(ended_by) {
                    found.cited.add(version);
                }
                found.member(&json!({
                    "from": span.from,
                    "granted_by": by,
                    "member": member,
                    "role": role,
                    "to": span.to,
                    "versions": begun_by.into_iter().chain(ended_by).collect::<Vec<_>>(),
                }));
            }
        }
        for (role, count) in at_end {
            found.observe(format!("{}s_at_end", role.as_str()), count);
        }
        let ownerless = self.owned.within(window).into_iter().filter(|owned| !owned.state);
        found.exceptions.extend(ownerless.map(|interval| interval.locator()));
        found
    }
}
