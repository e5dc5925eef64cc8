//! Each high-risk system that is used had somebody assigned to oversee it who was a member, all the
//! time.

use std::collections::{BTreeMap, BTreeSet};

use events::declaration::AiRole;
use events::id::{AccountId, AiSystemId};
use events::recorded::Recorded;
use events::{Event, membership, organization};
use serde_json::json;

use super::{change, is_due};
use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::{Findings, WhenEmpty};
use crate::compliance::evaluation::interval::Timeline;
use crate::compliance::evaluation::log::{Log, Period};

struct System {
    overseers: Vec<AccountId>,
    /// Whether somebody oversees it; `None` while it is not due.
    overseen: Timeline<Option<bool>>,
}

#[derive(Default)]
pub(crate) struct Oversight {
    members: BTreeSet<AccountId>,
    systems: BTreeMap<AiSystemId, System>,
}

impl Oversight {
    fn take_members(&mut self, event: &Event) -> bool {
        if let Event::Organization(organization::Event::Created { owner, .. }) = event {
            return self.members.insert(*owner);
        }
        let Event::Membership(event) = event else { return false };
        match event {
            membership::Event::Joined { member, .. } => self.members.insert(*member),
            membership::Event::Removed { member, .. } | membership::Event::Left { member, .. } => {
                self.members.remove(member)
            }
            membership::Event::RoleChanged { .. }
            | membership::Event::SecondFactorChanged { .. }
            | membership::Event::OwnershipTransferred { .. } => false,
        }
    }
}

impl Check for Oversight {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        let (at, version) = (log.now, recorded.version);
        if self.take_members(&recorded.event) {
            for system in self.systems.values_mut() {
                let is_overseen =
                    system.overseers.iter().any(|overseer| self.members.contains(overseer));
                let overseen = system.overseen.state().map(|_| is_overseen);
                system.overseen.set(overseen, at, version);
            }
        }
        let Some((id, declared)) = change(&recorded.event) else { return };
        let new = || System { overseers: Vec::new(), overseen: Timeline::new(None) };
        let system = self.systems.entry(id).or_insert_with(new);
        let used = declared.filter(|system| is_due(system) && system.role == AiRole::Deployer);
        system.overseers = used.map(|system| system.overseers.clone()).unwrap_or_default();
        let is_overseen = system.overseers.iter().any(|overseer| self.members.contains(overseer));
        system.overseen.set(used.map(|_| is_overseen), at, version);
    }

    fn finish(self: Box<Self>, _: &Log, window: Period) -> Findings {
        let when_empty = WhenEmpty::NoSubject;
        let mut found = Findings { when_empty, ..Findings::default() };
        for (id, System { overseen, .. }) in self.systems {
            for interval in overseen.within(window) {
                let Some(is_overseen) = interval.state else { continue };
                let versions = interval.versions();
                for version in &versions {
                    found.cited.add(*version);
                }
                found.member(&json!({
                    "from": interval.span.from,
                    "is_overseen": is_overseen,
                    "system": id,
                    "to": interval.span.to,
                    "versions": versions,
                }));
                if !is_overseen {
                    let mut gap = interval.locator();
                    gap["system"] = json!(id);
                    found.exceptions.push(gap);
                }
            }
        }
        found
    }
}
