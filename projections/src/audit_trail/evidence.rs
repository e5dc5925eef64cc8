//! How an audit entry tells of compliance: subscriptions and packets.

use events::evidence::Event::{self, PacketDownloaded, PacketRequested, Subscribed, Unsubscribed};

use super::{FieldChange, Resource, plain};

pub(super) fn resource(event: &Event) -> Resource {
    match event {
        Subscribed { framework } | Unsubscribed { framework } => {
            Resource::new("compliance_subscription", framework.as_str(), None)
        }
        PacketRequested { packet, .. } | PacketDownloaded { packet, .. } => {
            Resource::new("compliance_packet", packet, None)
        }
    }
}

pub(super) fn changes(event: &Event) -> Vec<FieldChange> {
    let now = |field: &str, value| FieldChange::new(field, None, Some(value));
    match event {
        Subscribed { .. } => {
            vec![FieldChange::new("enabled", Some(plain(false)), Some(plain(true)))]
        }
        Unsubscribed { .. } => {
            vec![FieldChange::new("enabled", Some(plain(true)), Some(plain(false)))]
        }
        PacketRequested { framework, period_start, period_end, challenge, supersedes, .. } => vec![
            now("framework", plain(framework)),
            now("period_start", plain(period_start)),
            now("period_end", plain(period_end)),
            now("challenge", plain(challenge)),
            now("supersedes", plain(supersedes)),
        ],
        PacketDownloaded { discloses, .. } => vec![now("discloses", plain(discloses))],
    }
}
