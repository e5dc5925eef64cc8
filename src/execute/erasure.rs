//! The steps of an erasure, each on one stream and harmless when it is done twice. Who puts them in
//! their order is `erasure.rs`.

use std::sync::atomic::{AtomicBool, Ordering};

use events::account::{Account, Beginning, Command, Erasure, Proof, decide};
use events::id::{AccountId, OrganizationId, SubjectId};
use events::membership::Rejection;
use events::organization::Organization;
use events::recorded::{Actor, Position};
use events::stream::Stream;
use events::{Event, erasure};

use super::{Done, Error, Order, account, append, caught_up, fresh_order};
use crate::App;
use crate::identity::Identity;

/// Starts the erasure of somebody who has just proven to be the owner of the account. Nobody gets in
/// by it any more, by any credential and on any node.
pub(crate) async fn start(
    app: &App,
    order: &Order,
    identity: &Identity,
    second_factor: Option<Proof>,
) -> Result<Done<Option<Beginning>>, Error> {
    let password_set_by = identity.password_set_by();
    let command = Command::StartErasure { password_set_by, second_factor };
    account::order(app, identity.account, order, &command, Account::erasure_began).await
}

/// Ends what somebody is in one organization. `Err` is [`Rejection::LastOwner`], or a failure.
pub(crate) async fn leave(
    app: &App,
    organization: OrganizationId,
    account: AccountId,
) -> Result<Position, Error> {
    let order = fresh_order(app, Actor::Account(account));
    let decide = |state: &Organization| -> Result<Vec<Event>, Error> {
        Ok(erasure::leave(state, account, app.clock.now())?)
    };
    let stream = Stream::Organization(organization);
    Ok(append(app, &app.organizations, stream, &order, decide, |_| ()).await?.position)
}

/// Whether somebody could leave an organization now, as it stands.
pub(crate) async fn may_leave(
    app: &App,
    organization: OrganizationId,
    account: AccountId,
) -> Result<bool, Error> {
    let stream = Stream::Organization(organization);
    let entry = app.organizations.current(&app.log, stream).await?;
    let left = erasure::leave(&entry.read().state, account, app.clock.now());
    Ok(left != Err(Rejection::LastOwner))
}

/// Gives up the erasure that began so, and no other. Sign-in is open again.
pub(crate) async fn abandon(
    app: &App,
    account: AccountId,
    began: Beginning,
    kept_by: Vec<OrganizationId>,
    left: Vec<OrganizationId>,
) -> Result<Position, Error> {
    end(app, account, began, Command::AbandonErasure { kept_by, left }).await
}

/// Records that nothing of the person can be read any more.
pub(crate) async fn finish(
    app: &App,
    account: AccountId,
    began: Beginning,
) -> Result<Position, Error> {
    end(app, account, began, Command::FinishErasure).await
}

async fn end(
    app: &App,
    id: AccountId,
    began: Beginning,
    command: Command,
) -> Result<Position, Error> {
    let order = fresh_order(app, Actor::System);
    let decide = |state: &Account| {
        // somebody else may have ended it, and the person begun another
        let is_it = state.erasure() == Some(Erasure::Started) && is_same(state, began);
        if is_it { decide(state, &command) } else { Ok(vec![]) }
    };
    let done = account::step(app, id, &order, decide, |_| ()).await?;
    Ok(caught_up(app, done).await.position)
}

fn is_same(state: &Account, began: Beginning) -> bool {
    state.erasure_began().is_some_and(|it| it.event == began.event)
}

/// Records in an organization that ever named somebody that they are erased, whether it still
/// exists or not. `None` when it says so already.
pub(crate) async fn record(
    app: &App,
    organization: OrganizationId,
    subject: SubjectId,
) -> Result<Option<Position>, Error> {
    let order = fresh_order(app, Actor::System);
    let is_news = AtomicBool::new(false);
    let decide = |state: &Organization| {
        let facts = erasure::record(state, subject);
        is_news.store(!facts.is_empty(), Ordering::Relaxed);
        Ok(facts)
    };
    let stream = Stream::Organization(organization);
    let done = append(app, &app.organizations, stream, &order, decide, |_| ()).await?;
    Ok(is_news.into_inner().then_some(done.position))
}

/// Which of two ends an erasure that began so has: the first that anybody, on any node, decides on.
/// Behind `true` it is carried out to the end whatever happens; behind `false` never.
pub(crate) async fn is_final(app: &App, began: Beginning, wanted: bool) -> Result<bool, Error> {
    let register = app.keyring.command(&[b"end of an erasure", began.event.0.as_bytes()]);
    let end =
        |is_final: bool| app.keyring.body_mac(if is_final { b"erased" } else { b"abandoned" });
    Ok(app.operational.first_body(register, end(wanted)).await? == end(true))
}
