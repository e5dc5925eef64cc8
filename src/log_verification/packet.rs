//! Stored packets: what they say about the log, and that a key which was published signed them.

use events::id::PacketId;
use events::platform::{Purpose, SigningKey};
use events::stream::Stream;

use super::fault::{Fault, Kind, Place, Stage};
use super::pass::Pass;
use crate::dsse::Envelope;
use crate::operational::{self, Operational};
use crate::packet::ENVELOPE;
use crate::packet::statement::Statement;
use crate::public_key::PublicKey;

/// What a packet says, whoever may have signed it. `None` when it cannot be read.
pub(super) async fn stored(
    operational: &Operational,
    packet: PacketId,
) -> Result<Option<(Envelope, Statement)>, operational::Error> {
    let body = operational.packet_file(packet, ENVELOPE).await?;
    let read = |body: Vec<u8>| {
        let envelope: Envelope = serde_json::from_slice(&body).ok()?;
        let statement: Statement = serde_json::from_slice(&envelope.payload()?).ok()?;
        (statement.predicate.packet.id == packet).then_some((envelope, statement))
    };
    Ok(body.and_then(read))
}

/// The first of the packets that the pass has met which no published key signed.
pub(super) async fn first_unsigned(
    operational: &Operational,
    pass: &Pass,
) -> Result<Option<Fault>, operational::Error> {
    for &packet in &pass.packets {
        let found = stored(operational, packet).await?;
        let Some((envelope, statement)) = found else {
            let kind = Kind::NoPacket(packet);
            return Ok(Some(Fault::new(Stage::Packets, Place::default(), kind)));
        };
        let is_believed = |key: &&SigningKey| {
            let at = statement.predicate.packet.generated_at;
            key.purpose == Purpose::Packet && key.compromised_since.is_none_or(|since| at < since)
        };
        let keys = pass.platform.keys().iter().filter(is_believed);
        let keys: Vec<_> =
            keys.filter_map(|key| PublicKey::of_base64url(&key.public_key).ok()).collect();
        if envelope.open(&keys).is_none() {
            let place = Place {
                stream: Some(Stream::Organization(statement.predicate.organization.id)),
                version: Some(statement.predicate.packet.request_version),
                position: None,
            };
            return Ok(Some(Fault::new(Stage::Packets, place, Kind::Unsigned(packet))));
        }
    }
    Ok(None)
}
