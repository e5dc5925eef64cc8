//! Orders about the installation itself.

use events::Event;
use events::plan::Catalogue;
use events::platform::{self, Command, Platform};
use events::recorded::Actor;
use events::stream::Stream;

use super::{Done, Error, Order, append, caught_up, into_events};
use crate::App;

/// Publishes the catalogue of this node's file, unless it is the one that was taken in last.
pub(crate) async fn take_in_catalogue(app: &App, catalogue: Catalogue) -> Result<(), Error> {
    let order = super::fresh_order(app, Actor::System);
    self::order(app, &order, &Command::TakeInCatalogue { catalogue }, |_| ()).await.map(drop)
}

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
