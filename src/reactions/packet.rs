//! Makes the packets that were asked for, if whoever asked did not get theirs: because the program
//! stopped, or because nobody waits for it.

use events::Event;
use events::evidence::Event::PacketRequested;
use events::recorded::Recorded;
use events::stream::Stream;

use super::Interruption;
use crate::App;
use crate::packet::made;

pub(super) fn wants(kind: &str) -> bool {
    kind == "compliance.packet_requested"
}

pub(super) async fn react(app: &App, recorded: &Recorded) -> Result<(), Interruption> {
    if let (Event::Evidence(PacketRequested { packet, .. }), Stream::Organization(organization)) =
        (&recorded.event, recorded.stream)
    {
        made::ensure(app, organization, *packet).await?;
    }
    Ok(())
}
