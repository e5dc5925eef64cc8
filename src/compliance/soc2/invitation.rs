//! No invitation stayed open beyond its expiry: each was closed, by whatever, soon after it at the
//! latest.

use std::collections::BTreeMap;

use events::id::InvitationId;
use events::recorded::Recorded;
use events::time::Time;
use events::{Event, invitation, membership, organization};
use serde_json::json;

use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::Findings;
use crate::compliance::evaluation::log::{Log, Period};

struct Sent {
    version: u64,
    at: Time,
    expires_at: Time,
    closed: Option<(Time, u64)>,
}

pub(crate) struct StaleInvitations {
    most_delay: i64,
    sent: BTreeMap<InvitationId, Sent>,
}

impl StaleInvitations {
    pub(crate) fn new(most_delay_seconds: i64) -> Self {
        Self { most_delay: most_delay_seconds.saturating_mul(1000), sent: BTreeMap::new() }
    }

    fn close(&mut self, invitation: InvitationId, log: &Log, version: u64) {
        if let Some(sent) = self.sent.get_mut(&invitation) {
            sent.closed.get_or_insert((log.now, version));
        }
    }
}

impl Check for StaleInvitations {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        let version = recorded.version;
        match &recorded.event {
            Event::Invitation(invitation::Event::Sent { invitation, expires_at, .. }) => {
                let sent = Sent { version, at: log.now, expires_at: *expires_at, closed: None };
                self.sent.insert(*invitation, sent);
            }
            Event::Invitation(invitation::Event::Resent { invitation, expires_at, .. }) => {
                if let Some(sent) = self.sent.get_mut(invitation) {
                    sent.expires_at = *expires_at;
                }
            }
            Event::Invitation(
                invitation::Event::Canceled { invitation, .. }
                | invitation::Event::Rejected { invitation }
                | invitation::Event::Expired { invitation },
            )
            | Event::Membership(membership::Event::Joined { invitation, .. }) => {
                self.close(*invitation, log, version);
            }
            Event::Organization(organization::Event::Deleted { .. }) => {
                for sent in self.sent.values_mut() {
                    sent.closed.get_or_insert((log.now, version));
                }
            }
            Event::Organization(
                organization::Event::Created { .. } | organization::Event::Updated { .. },
            )
            | Event::Membership(
                membership::Event::RoleChanged { .. }
                | membership::Event::Removed { .. }
                | membership::Event::Left { .. }
                | membership::Event::SecondFactorChanged { .. }
                | membership::Event::OwnershipTransferred { .. },
            )
            | Event::Platform(_)
            | Event::Usage(_)
            | Event::Address(_)
            | Event::Account(_)
            | Event::Setting(_)
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
            | Event::Erasure(_) => {}
        }
    }

    fn finish(self: Box<Self>, _: &Log, window: Period) -> Findings {
        let mut found = Findings::default();
        let mut sent: Vec<_> = self.sent.into_iter().collect();
        sent.sort_by_key(|(_, sent)| sent.version);
        for (invitation, Sent { version, at, expires_at, closed }) in sent {
            let end = closed.map_or(window.to, |(at, _)| at);
            // one that was closed the moment it was sent was open at no time
            if window.overlap(Period { from: at, to: end }).is_none() {
                continue;
            }
            let closed_by = closed.map(|(_, version)| version);
            let versions: Vec<u64> = [Some(version), closed_by].into_iter().flatten().collect();
            found.cited.add(version);
            found.member(&json!({
                "closed_at": closed.map(|(at, _)| at),
                "expires_at": expires_at,
                "invitation": invitation,
                "sent_at": at,
                "versions": versions,
            }));
            let open = Period { from: expires_at, to: end };
            if open.millis() > self.most_delay {
                found.exceptions.push(json!({
                    "gap_from": expires_at,
                    "gap_to": end,
                    "invitation": invitation,
                    "versions": versions,
                }));
            }
        }
        found
    }
}
