//! THE way to change anything: load, authorize, decide, append, and again if somebody was faster.
//!
//! A command is known by its id. Its event ids, other ids and salts all follow from that id, so that
//! a repeat proposes the very same events and gets the first answer, after a crash too.

use std::sync::Arc;
use std::time::{Duration, Instant};

use events::id::{CommandId, OrganizationId, SubjectId, TokenId};
use events::plan::Catalogue;
use events::principal::Principal;
use events::recorded::{Actor, BodyMac, Position};
use events::stream::Stream;
use events::time::Time;
use events::wire::Unwritable;
use events::{Command, Event, State, address, membership, organization, setting};
use uuid::Uuid;

use crate::App;
use crate::access::{self, Refusal};
use crate::event_log::{AppendError, Appended, Expected, NewEvent, ReadError};
use crate::failure::{Failure, fails_with};
use crate::fold::{self, Entry, Folds, Told};
use crate::{keyring, operational};

pub(crate) mod access_attempt;
pub(crate) mod account;
pub(crate) mod connection;
pub(crate) mod database;
pub(crate) mod due;
pub(crate) mod email_verification;
pub(crate) mod erasure;
pub(crate) mod invitation;
pub(crate) mod invoice;
mod lines;
pub(crate) mod password;
pub(crate) mod platform;
mod precondition;
pub(crate) mod provisioner;
pub(crate) mod register;
mod running;
pub(crate) mod second_factor;
pub(crate) mod session;
pub(crate) mod stated;
pub(crate) mod subscription;
pub(crate) mod token;
pub(crate) mod usage;

use lines::{Lines, Next};
pub(crate) use precondition::Precondition;
pub(crate) use running::Running;

/// How often a command is decided anew because another was faster.
const ATTEMPTS: u32 = 100;
/// A command waits this long for the read models before it answers anyway.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(2);

/// Who orders something, by which request, and with which right to have it repeated.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) command: CommandId,
    pub(crate) naming: Naming,
    pub(crate) body: BodyMac,
    pub(crate) request: Uuid,
    pub(crate) actor: Actor,
    pub(crate) token: Option<TokenId>,
    /// Where it came from; recorded under the actor's own key.
    pub(crate) client: Option<Client>,
    /// When it is given, where that is not now.
    pub(crate) at: Option<Time>,
    /// Which version of the resource it is meant for.
    pub(crate) precondition: Precondition,
}

/// Where a command's id comes from, and so who may give the very same order again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// Drawn for this request alone: nobody.
    Fresh,
    /// From the caller's idempotency key: the caller, on any node.
    Key,
    /// From what the order is about: any node.
    Derived,
}

/// From where a request came. Personal: sealed under the subject.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) subject: SubjectId,
    pub(crate) ip_address: Option<String>,
    pub(crate) user_agent: Option<String>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client(..)")
    }
}

/// A command's outcome.
#[derive(Debug)]
pub(crate) struct Done<T> {
    pub(crate) answer: T,
    pub(crate) position: Position,
    /// The command was here before; this is its first answer.
    pub(crate) is_replayed: bool,
    /// The read models show the outcome.
    pub(crate) is_caught_up: bool,
}

impl<T> Done<T> {
    pub(crate) fn map<U>(self, answer: impl FnOnce(T) -> U) -> Done<U> {
        let Self { position, is_replayed, is_caught_up, .. } = self;
        Done { answer: answer(self.answer), position, is_replayed, is_caught_up }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("this idempotency key came first with another body")]
    KeyReused,
    #[error("the first request with this idempotency key is still running")]
    InProgress,
    #[error(transparent)]
    Account(#[from] events::account::Rejection),
    #[error(transparent)]
    Address(#[from] address::Rejection),
    #[error(transparent)]
    Organization(#[from] organization::Rejection),
    #[error(transparent)]
    Membership(#[from] membership::Rejection),
    #[error(transparent)]
    Invitation(#[from] events::invitation::Rejection),
    #[error(transparent)]
    Setting(#[from] setting::Rejection),
    #[error(transparent)]
    Token(#[from] events::token::Rejection),
    #[error(transparent)]
    Declaration(#[from] events::declaration::Rejection),
    #[error(transparent)]
    Incident(#[from] events::incident::Rejection),
    #[error(transparent)]
    AccessReview(#[from] events::access_review::Rejection),
    #[error(transparent)]
    RestoreTest(#[from] events::restore_test::Rejection),
    #[error(transparent)]
    Evidence(#[from] events::evidence::Rejection),
    #[error(transparent)]
    Project(#[from] events::project::Rejection),
    #[error(transparent)]
    Database(#[from] events::database::Rejection),
    #[error(transparent)]
    Subscription(#[from] events::subscription::Rejection),
    #[error(transparent)]
    Invoice(#[from] events::invoice::Rejection),
    #[error(transparent)]
    Connection(#[from] events::connection::Rejection),
    #[error(transparent)]
    Platform(#[from] events::platform::Rejection),
    #[error("the e-mail address belongs to an account already")]
    EmailTaken,
    #[error("the resource has changed since the version that the order is for")]
    Stale,
    #[error("the stream is too busy")]
    Contended,
    #[error(transparent)]
    Failed(#[from] Failure),
}

fails_with!(Error, Error::Failed: AppendError, ReadError, keyring::Error, operational::Error,
    crate::password::Error);

impl From<Unwritable> for Error {
    fn from(error: Unwritable) -> Self {
        Self::Failed(Failure::Broken(error.into()))
    }
}

/// Founds an organization.
pub(crate) async fn create_organization<T>(
    app: &App,
    order: &Order,
    create: &organization::Create,
    answer: impl Fn(&organization::Organization) -> T,
) -> Result<Done<T>, Error> {
    let _running = app.running.enter(order)?;
    keep_body(app, order).await?;
    let done = found(app, order, create, answer).await?;
    Ok(caught_up(app, done).await)
}

/// Where the body chooses the stream, another body would miss the first answer; so it is remembered
/// beside the log with which body a key came first.
async fn keep_body(app: &App, order: &Order) -> Result<(), Error> {
    let is_keyed = order.naming == Naming::Key;
    if is_keyed && app.operational.first_body(order.command, order.body).await? != order.body {
        return Err(Error::KeyReused);
    }
    Ok(())
}

/// Refuses a key that came first with another body, before anybody looks into this one.
pub(crate) async fn refuse_other_body(app: &App, order: &Order) -> Result<(), Error> {
    if order.naming != Naming::Key {
        return Ok(());
    }
    match app.operational.known_body(order.command).await? {
        Some(first) if first != order.body => Err(Error::KeyReused),
        Some(_) | None => Ok(()),
    }
}

/// What can be chosen now.
pub(crate) async fn catalogue(app: &App) -> Result<Arc<Catalogue>, Error> {
    let entry = app.platform.current(&app.log, Stream::Platform).await?;
    let catalogue = entry.read().state.catalogue();
    Ok(catalogue)
}

async fn found<T>(
    app: &App,
    order: &Order,
    create: &organization::Create,
    answer: impl Fn(&organization::Organization) -> T,
) -> Result<Done<T>, Error> {
    let stream = Stream::Organization(create.organization);
    let catalogue = catalogue(app).await?;
    // a trial begins when the organization does, to the millisecond
    let now = order.at.unwrap_or_else(|| app.clock.now());
    let order = &Order { at: Some(now), ..order.clone() };
    let decide = |state: &organization::Organization| {
        let created = organization::create(state, create)?;
        let terms = catalogue.first_terms();
        let subscribed =
            terms.map_or_else(Vec::new, |terms| events::subscription::first(terms, now));
        let subscribed = into_events(subscribed, Event::Subscription);
        Ok(into_events(created, Event::Organization).into_iter().chain(subscribed).collect())
    };
    append(app, &app.organizations, stream, order, decide, answer).await
}

/// Gives an order to an organization. What the caller's role does not allow is refused in the same
/// loop in which the rules are checked. `command` makes the order from what the organization is
/// then, each time it is decided anew.
pub(crate) async fn organization<C: Command, T>(
    app: &App,
    by: &Principal,
    organization: OrganizationId,
    order: &Order,
    command: impl Fn(&organization::Organization) -> C,
    answer: impl Fn(&organization::Organization) -> T,
) -> Result<Done<T>, Error>
where
    Error: From<C::Rejection>,
{
    let _running = app.running.enter(order)?;
    let decide = |state: &organization::Organization| {
        // strangers first: what a command requires may depend on what there is
        state.standing(by).map_err(|because| access::refused(by, organization, because))?;
        let command = command(state);
        state
            .grants(by, command.requires(state))
            .map_err(|because| access::refused(by, organization, because))?;
        order.precondition.check(command.resource_version(state))?;
        Ok(command.decide(state)?)
    };
    let stream = Stream::Organization(organization);
    let done = append(app, &app.organizations, stream, order, decide, answer).await?;
    Ok(caught_up(app, done).await)
}

/// The first answer to a command that its caller named, when it was here before. A command that can
/// take the caller's own right away asks for that right before this, and refuses after it: its
/// twin, on whatever node, may have been what took it.
pub(crate) async fn organization_before<T>(
    app: &App,
    organization: OrganizationId,
    order: &Order,
    answer: impl Fn(&organization::Organization) -> T,
) -> Result<Option<Done<T>>, Error> {
    if order.naming != Naming::Key {
        return Ok(None);
    }
    let stream = Stream::Organization(organization);
    let entry = app.organizations.current(&app.log, stream).await?;
    let Some(told) = told_before(app, &stream, &entry, order).await? else { return Ok(None) };
    let done = first_answer(app, stream, order, told, &answer).await?;
    Ok(Some(caught_up(app, done).await))
}

fn into_events<E>(events: Vec<E>, wrap: impl Fn(E) -> Event) -> Vec<Event> {
    events.into_iter().map(wrap).collect()
}

async fn caught_up<T>(app: &App, done: Done<T>) -> Done<T> {
    let is_caught_up = app.read_store.wait_for(done.position, CATCH_UP_WITHIN).await;
    Done { is_caught_up, ..done }
}

/// Load, decide, append: one command on one stream. Its place in the stream's queue is free again
/// when this returns.
async fn append<S: State, T>(
    app: &App,
    folds: &Folds<S>,
    stream: Stream,
    order: &Order,
    decide: impl Fn(&S) -> Result<Vec<Event>, Error>,
    answer: impl Fn(&S) -> T,
) -> Result<Done<T>, Error> {
    let entry = folds.entry(stream);
    let _turn = entry.turn.lock().await;
    entry.catch_up(&app.log).await?;
    if let Some(told) = told_before(app, &stream, &entry, order).await? {
        return first_answer(app, stream, order, told, &answer).await;
    }
    for _ in 0..ATTEMPTS {
        if let Some(told) = told(&entry, order) {
            return first_answer(app, stream, order, told, &answer).await;
        }
        let (facts, next, unchanged) = {
            let folded = entry.read();
            let facts = decide(&folded.state)?;
            let may_be_unchanged = facts.iter().all(Event::may_change_nothing);
            let unchanged = may_be_unchanged.then(|| (folded.position, answer(&folded.state)));
            (facts, Next::after(&folded), unchanged)
        };
        let facts = lines::open(app, facts).await?;
        if let Some((position, answer)) = unchanged
            && facts.is_empty()
        {
            remember_unchanged(app, &stream, order, next.expected, position).await?;
            return Ok(Done { answer, position, is_replayed: false, is_caught_up: true });
        }
        let (count, expected) = (facts.len() as u64, next.expected);
        let Lines { events, mut recorded } = lines::finish(app, stream, order, facts, next).await?;
        let begun = Instant::now();
        let appended = app.log.append(&stream, expected, events.clone()).await;
        app.metrics.appended(&appended, count, begun.elapsed());
        match appended {
            Ok(appended) if is_ours(app, &stream, order, &appended, expected, &events).await? => {
                for recorded in &mut recorded {
                    recorded.position = appended.position;
                }
                entry.take_appended(&recorded)?;
                let answer = answer(&entry.read().state);
                let position = appended.position;
                return Ok(Done { answer, position, is_replayed: false, is_caught_up: false });
            }
            // written by an earlier attempt of this very command: read it back
            Ok(appended) => entry.read_up_to(&app.log, appended.last + 1).await?,
            Err(AppendError::Conflict { current }) => {
                let at_least = current.map_or(0, |last| last + 1).max(expected.next() + 1);
                entry.read_up_to(&app.log, at_least).await?;
            }
            Err(error) => return Err(error.into()),
        }
        tracing::debug!(%stream, count, "another command was faster; deciding anew");
    }
    Err(Error::Contended)
}

/// Whether what stands in the log now are these very lines, and not those of an earlier attempt
/// with the same ids, which may differ in a time: that would break the chain of whatever came next.
/// A repeat may still be ours, when only its first answer was lost.
async fn is_ours(
    app: &App,
    stream: &Stream,
    order: &Order,
    appended: &Appended,
    expected: Expected,
    events: &[NewEvent],
) -> Result<bool, Error> {
    if !appended.replayed && (app.log.tells_repeats() || order.naming == Naming::Fresh) {
        return Ok(true);
    }
    let stored = app.log.read_stream(stream, expected.next(), events.len()).await?;
    Ok(stored.iter().map(|event| &event.line).eq(events.iter().map(|event| &event.line)))
}

fn told<S: State>(entry: &Entry<S>, order: &Order) -> Option<Told> {
    entry.read().told(order.command)
}

/// What a named command was told when it came first, whether it changed anything or not.
async fn told_before<S: State>(
    app: &App,
    stream: &Stream,
    entry: &Entry<S>,
    order: &Order,
) -> Result<Option<Told>, Error> {
    match told(entry, order) {
        None if order.naming == Naming::Key => {
            Ok(app.operational.unchanged(order.command, stream).await?)
        }
        told => Ok(told),
    }
}

/// A command that changes nothing leaves no event to be known by, but its repeat may come when
/// there would be something to change.
async fn remember_unchanged(
    app: &App,
    stream: &Stream,
    order: &Order,
    last: Expected,
    position: Position,
) -> Result<(), Error> {
    if order.naming == Naming::Key
        && let Expected::Version(version) = last
    {
        let told = Told { version, position, body: order.body };
        app.operational.remember_unchanged(order.command, stream, told).await?;
    }
    Ok(())
}

async fn first_answer<S: State, T>(
    app: &App,
    stream: Stream,
    order: &Order,
    told: Told,
    answer: &impl Fn(&S) -> T,
) -> Result<Done<T>, Error> {
    if told.body != order.body {
        return Err(Error::KeyReused);
    }
    let state = fold::state_at::<S>(&app.log, stream, told.version).await?;
    let Told { position, .. } = told;
    Ok(Done { answer: answer(&state), position, is_replayed: true, is_caught_up: false })
}

/// What is done once, now, because of a request that was not itself an order.
pub(crate) fn fresh_order(app: &App, actor: Actor) -> Order {
    let command = CommandId(Uuid::new_v4());
    Order { command, naming: Naming::Fresh, actor, ..system_order(app, &[]) }
}

/// What the system itself does, because of an earlier event or of nothing at all.
pub(crate) fn system_order(app: &App, why: &[&[u8]]) -> Order {
    Order {
        command: app.keyring.command(why),
        naming: Naming::Derived,
        body: app.keyring.body_mac(&[]),
        request: Uuid::nil(),
        actor: Actor::System,
        token: None,
        client: None,
        at: None,
        precondition: Precondition::None,
    }
}
