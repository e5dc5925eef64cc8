//! Orders about the installation itself.

use events::Event;
use events::platform::{self, Command, Platform};
use events::stream::Stream;

use super::{Done, Error, Order, append, caught_up, into_events};
use crate::App;

/// What the installation is right after it answers.
pub(crate) async fn order<T>(
    app: &App,
    order: &Order,
    command: &Command,
    answer: impl Fn(&Platform) -> T,
) -> Result<Done<T>, Error> {
    let _running = app.running.enter(order)?;
    let decide =
        |state: &Platform| Ok(into_events(platform::decide(state, command)?, Event::Platform));
    let done = append(app, &app.platform, Stream::Platform, order, decide, answer).await?;
    Ok(caught_up(app, done).await)
}
