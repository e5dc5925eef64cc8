//! Changes of settings, roles and the organization itself name who made them, and what stood before
//! is what the log says stood before.

use events::organization::{Changed, Name, Organization};
use events::recorded::Recorded;
use events::{Event, membership, organization, setting, wire};
use serde_json::json;

use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::Findings;
use crate::compliance::evaluation::log::{Log, Period};

#[derive(Default)]
pub(crate) struct Changes {
    found: Findings,
}

impl Check for Changes {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        let Some(wrong) = wrong(&log.organization, &recorded.event) else { return };
        if !log.is_in_period() {
            return;
        }
        let (kind, version) = (wire::kind(&recorded.event).0, recorded.version);
        self.found.cited.add(version);
        self.found.member(&json!({
            "actor": recorded.actor,
            "at": recorded.at,
            "type": kind,
            "version": version,
        }));
        if !wrong.is_empty() {
            self.found.exceptions.push(json!({
                "fields": wrong,
                "reason": "what it says stood before did not",
                "versions": [version],
            }));
        }
    }

    fn standing(&mut self) -> Option<&mut Vec<u8>> {
        Some(&mut self.found.lines)
    }

    fn finish(self: Box<Self>, _: &Log, _: Period) -> Findings {
        self.found
    }
}

/// The fields of a change whose value before is not what stood; `None` for what is no change.
fn wrong(organization: &Organization, event: &Event) -> Option<Vec<&'static str>> {
    let wrong = match event {
        Event::Setting(setting::Event::Updated(update)) => of_settings(organization, update),
        Event::Organization(organization::Event::Updated { name, country, .. }) => {
            let profile = organization.profile();
            let before = profile.and_then(|profile| match &profile.name {
                Name::Plain(name) => Some(name),
                Name::Personal(_) => None,
            });
            let name = name.as_ref().is_some_and(|name| before != Some(&name.from));
            let before = profile.and_then(|profile| profile.country.as_ref());
            let country = country.as_ref().is_some_and(|it| before != it.from.as_ref());
            vec![("name", name), ("country", country)]
        }
        Event::Membership(membership::Event::RoleChanged { member, role }) => {
            vec![("role", organization.role_of(*member) != Some(role.from))]
        }
        Event::Membership(membership::Event::OwnershipTransferred {
            to, previous_role, ..
        }) => {
            vec![("role", organization.role_of(*to) != Some(*previous_role))]
        }
        Event::Membership(
            membership::Event::Joined { .. }
            | membership::Event::Removed { .. }
            | membership::Event::Left { .. }
            | membership::Event::SecondFactorChanged { .. },
        )
        | Event::Organization(
            organization::Event::Created { .. } | organization::Event::Deleted { .. },
        )
        | Event::Platform(_)
        | Event::Usage(_)
        | Event::Address(_)
        | Event::Account(_)
        | Event::Invitation(_)
        | Event::Token(_)
        | Event::AccessAttempt(_)
        | Event::Evidence(_)
        | Event::Declaration(_)
        | Event::Incident(_)
        | Event::AccessReview(_)
        | Event::RestoreTest(_)
        | Event::Project(_)
        | Event::Database(_)
        | Event::DatabasePart(_)
        | Event::Subscription(_)
        | Event::Invoice(_)
        | Event::Erasure(_) => return None,
    };
    Some(wrong.into_iter().filter(|(_, is_wrong)| *is_wrong).map(|(field, _)| field).collect())
}

fn of_settings(organization: &Organization, update: &setting::Update) -> Vec<(&'static str, bool)> {
    fn differs<T: PartialEq>(changed: Option<&Changed<T>>, stood: &T) -> bool {
        changed.is_some_and(|changed| changed.from != *stood)
    }
    let stood = organization.settings();
    vec![
        ("require_2fa", differs(update.require_2fa.as_ref(), &stood.require_2fa)),
        ("allowed_regions", differs(update.allowed_regions.as_ref(), &stood.allowed_regions)),
        (
            "ip_allowlist_required",
            differs(update.ip_allowlist_required.as_ref(), &stood.ip_allowlist_required),
        ),
        ("ip_allowlist", differs(update.ip_allowlist.as_ref(), &stood.ip_allowlist)),
        ("default_tier", differs(update.default_tier.as_ref(), &stood.default_tier)),
        ("sso_enabled", differs(update.sso_enabled.as_ref(), &stood.sso_enabled)),
        ("sso_enforced", differs(update.sso_enforced.as_ref(), &stood.sso_enforced)),
        (
            "audit_retention_days",
            differs(update.audit_retention_days.as_ref(), &stood.audit_retention_days),
        ),
    ]
}
