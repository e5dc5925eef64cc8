//! Completes registrations that were cut short between two of their steps.

use events::Event;
use events::account::Event::Registered;
use events::recorded::Recorded;
use events::stream::Stream;

use super::Interruption;
use crate::App;
use crate::execute::register;

pub(super) fn wants(kind: &str) -> bool {
    kind == "account.registered"
}

pub(super) async fn react(app: &App, recorded: &Recorded) -> Result<(), Interruption> {
    if let (Event::Account(Registered { .. }), Stream::Account(account)) =
        (&recorded.event, recorded.stream)
    {
        register::complete(app, account).await?;
    }
    Ok(())
}
