//! Who has what of a person that was erased since: everybody who took along a packet that disclosed
//! their address. A packet discloses the addresses of all who were invited before it was asked for
//! and are not erased by then.

use std::collections::BTreeMap;

use events::id::{PacketId, SubjectId};
use events::recorded::{Actor, Recorded};
use events::time::Time;
use events::{Event, erasure, evidence, invitation};
use serde_json::json;

use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::Findings;
use crate::compliance::evaluation::log::{Log, Period};

/// A packet that was taken along with what it discloses.
struct Download {
    packet: PacketId,
    by: Actor,
    at: Time,
    version: u64,
    /// Of the packet's request.
    requested: u64,
}

#[derive(Default)]
pub(crate) struct Recipients {
    /// Who can be disclosed, by the version of the first invitation.
    invited: BTreeMap<SubjectId, u64>,
    requested: BTreeMap<PacketId, u64>,
    downloads: Vec<Download>,
    found: Findings,
}

impl Recipients {
    fn erase(&mut self, subject: SubjectId, log: &Log, version: u64) {
        let Some(since) = self.invited.remove(&subject) else { return };
        if !log.is_in_period() {
            return;
        }
        for download in self.downloads.iter().filter(|it| it.requested > since) {
            self.found.cited.add(download.version);
            self.found.member(&json!({
                "downloaded_at": download.at,
                "erased_at": log.now,
                "packet": download.packet,
                "recipient": download.by,
                "subject": subject,
                "versions": [download.version, version],
            }));
        }
    }
}

impl Check for Recipients {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        let version = recorded.version;
        if let Event::Invitation(invitation::Event::Sent { invitee, .. }) = &recorded.event {
            self.invited.entry(*invitee).or_insert(version);
        }
        if let Event::Erasure(erasure::Event::Erased { subject }) = &recorded.event {
            self.erase(*subject, log, version);
        }
        let Event::Evidence(event) = &recorded.event else { return };
        match event {
            evidence::Event::PacketRequested { packet, .. } => {
                self.requested.insert(*packet, version);
            }
            evidence::Event::PacketDownloaded { packet, discloses: true } => {
                let requested = self.requested.get(packet).copied().unwrap_or(version);
                let (packet, by, at) = (*packet, recorded.actor, log.now);
                self.downloads.push(Download { packet, by, at, version, requested });
            }
            evidence::Event::Subscribed { .. }
            | evidence::Event::Unsubscribed { .. }
            | evidence::Event::PacketDownloaded { discloses: false, .. } => {}
        }
    }

    fn finish(self: Box<Self>, _: &Log, _: Period) -> Findings {
        self.found
    }
}
