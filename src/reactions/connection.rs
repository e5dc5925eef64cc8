//! Ends the leases on connections that can be no more, and tells as usage what they were.

use events::connection::End;
use events::recorded::Recorded;
use events::stream::Stream;

use super::Interruption;
use crate::App;
use crate::execute::connection;

pub(super) fn wants(kind: &str) -> bool {
    End::KINDS.contains(&kind)
}

pub(super) async fn react(app: &App, recorded: &Recorded) -> Result<(), Interruption> {
    if let (Some((database, reason)), Stream::Organization(organization)) =
        (End::of(&recorded.event), recorded.stream)
    {
        connection::end(app, organization, database, recorded.version, reason).await?;
    }
    Ok(())
}

pub(super) async fn resume(app: &App) -> Result<(), Interruption> {
    Ok(connection::settle(app).await?)
}
