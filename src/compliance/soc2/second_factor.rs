//! Members have a second factor: at the end of the period, and as long as it is required.

use std::collections::BTreeMap;

use events::id::AccountId;
use events::recorded::Recorded;
use events::{Event, membership, organization, setting};
use serde_json::json;

use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::Findings;
use crate::compliance::evaluation::interval::{Interval, Timeline};
use crate::compliance::evaluation::log::{Log, Period};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Stranger,
    Without,
    With,
}

pub(crate) struct SecondFactors {
    /// What is true at sign-in is copied to the organization's log a little later.
    most_delay: i64,
    members: BTreeMap<AccountId, Timeline<Standing>>,
    required: Timeline<bool>,
}

impl SecondFactors {
    pub(crate) fn new(most_delay_seconds: i64) -> Self {
        let most_delay = most_delay_seconds.saturating_mul(1000);
        Self { most_delay, members: BTreeMap::new(), required: Timeline::new(false) }
    }

    fn set(&mut self, log: &Log, version: u64, member: AccountId, standing: Standing) {
        let timeline =
            self.members.entry(member).or_insert_with(|| Timeline::new(Standing::Stranger));
        timeline.set(standing, log.now, version);
    }

    fn take_membership(&mut self, log: &Log, version: u64, event: &membership::Event) {
        match event {
            membership::Event::Joined { member, .. } => {
                self.set(log, version, *member, Standing::Without);
            }
            membership::Event::SecondFactorChanged { member, is_enabled } => {
                let is_member =
                    self.members.get(member).is_some_and(|it| *it.state() != Standing::Stranger);
                if is_member {
                    let standing = if *is_enabled { Standing::With } else { Standing::Without };
                    self.set(log, version, *member, standing);
                }
            }
            membership::Event::Removed { member, .. } | membership::Event::Left { member, .. } => {
                self.set(log, version, *member, Standing::Stranger);
            }
            membership::Event::RoleChanged { .. }
            | membership::Event::OwnershipTransferred { .. } => {}
        }
    }
}

impl Check for SecondFactors {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        let version = recorded.version;
        if let Event::Organization(organization::Event::Created { owner, .. }) = &recorded.event {
            self.set(log, version, *owner, Standing::Without);
        }
        if let Event::Membership(event) = &recorded.event {
            self.take_membership(log, version, event);
        }
        if let Event::Setting(setting::Event::Updated(update)) = &recorded.event
            && let Some(require_2fa) = &update.require_2fa
        {
            self.required.set(require_2fa.to, log.now, version);
        }
    }

    fn finish(self: Box<Self>, _: &Log, window: Period) -> Findings {
        let mut found = Findings::default();
        let Self { most_delay, members, required } = *self;
        let required: Vec<_> =
            required.within(window).into_iter().filter(|required| required.state).collect();
        let (mut at_end, mut without_at_end) = (0_u64, 0_u64);
        for (member, timeline) in members {
            for interval in timeline.within(window) {
                let Interval { state, span, begun_by, .. } = interval;
                if state == Standing::Stranger {
                    continue;
                }
                let versions = interval.versions();
                for version in &versions {
                    found.cited.add(*version);
                }
                let is_at_end = span.to == window.to;
                at_end += u64::from(is_at_end);
                found.member(&json!({
                    "from": span.from,
                    "has_second_factor": state == Standing::With,
                    "member": member,
                    "to": span.to,
                    "versions": versions,
                }));
                if state == Standing::With {
                    continue;
                }
                for demanded in &required {
                    let lacking = span.overlap(demanded.span);
                    if let Some(gap) = lacking.filter(|gap| gap.millis() > most_delay) {
                        found.exceptions.push(json!({
                            "gap_from": gap.from,
                            "gap_to": gap.to,
                            "member": member,
                            "reason": "required",
                            "versions": begun_by.into_iter().chain(demanded.begun_by)
                                .collect::<Vec<_>>(),
                        }));
                    }
                }
                without_at_end += u64::from(is_at_end);
                if is_at_end && span.millis() > most_delay {
                    found.exceptions.push(json!({
                        "at": window.to,
                        "gap_from": span.from,
                        "gap_to": span.to,
                        "member": member,
                        "reason": "at the end",
                        "versions": versions,
                    }));
                }
            }
        }
        found.observe("members_at_end", at_end);
        found.observe("without_second_factor_at_end", without_at_end);
        found
    }
}
