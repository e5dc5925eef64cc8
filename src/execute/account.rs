//! Orders to an account. Whoever gives one has proven to be its owner, or holds a link from its
//! owner's mail; the account's own rules decide the rest.

use events::Event;
use events::account::{Account, Command, decide};
use events::id::AccountId;
use events::stream::Stream;

use super::{
    Done, Error, Naming, Order, append, caught_up, first_answer, into_events, told_before,
};
use crate::App;

/// Gives an order to an account.
pub(crate) async fn order<T>(
    app: &App,
    account: AccountId,
    order: &Order,
    command: &Command,
    answer: impl Fn(&Account) -> T,
) -> Result<Done<T>, Error> {
    let decide = |state: &Account| {
        if let Command::Update { .. } = command {
            order.precondition.check(state.person().map(|person| person.changed_version))?;
        }
        Ok::<_, Error>(decide(state, command)?)
    };
    deciding(app, account, order, decide, answer).await
}

/// Gives an order that depends on what the account is at the moment, such as how many links it was
/// given.
pub(super) async fn deciding<T, E: Into<Error>>(
    app: &App,
    account: AccountId,
    order: &Order,
    decide: impl Fn(&Account) -> Result<Vec<events::account::Event>, E>,
    answer: impl Fn(&Account) -> T,
) -> Result<Done<T>, Error> {
    let _running = app.running.enter(order)?;
    let done = step(app, account, order, decide, answer).await?;
    Ok(caught_up(app, done).await)
}

/// A step of a longer chain: it does not wait for the read models.
pub(super) async fn step<T, E: Into<Error>>(
    app: &App,
    account: AccountId,
    order: &Order,
    decide: impl Fn(&Account) -> Result<Vec<events::account::Event>, E>,
    answer: impl Fn(&Account) -> T,
) -> Result<Done<T>, Error> {
    let decide =
        |state: &Account| Ok(into_events(decide(state).map_err(Into::into)?, Event::Account));
    append(app, &app.accounts, Stream::Account(account), order, decide, answer).await
}

/// The first answer to a command that its caller named, when it was here before.
pub(crate) async fn before<T>(
    app: &App,
    account: AccountId,
    order: &Order,
    answer: impl Fn(&Account) -> T,
) -> Result<Option<Done<T>>, Error> {
    if order.naming != Naming::Key {
        return Ok(None);
    }
    let stream = Stream::Account(account);
    let entry = app.accounts.current(&app.log, stream).await?;
    let Some(told) = told_before(app, &stream, &entry, order).await? else { return Ok(None) };
    let done = first_answer(app, stream, order, told, &answer).await?;
    Ok(Some(caught_up(app, done).await))
}
