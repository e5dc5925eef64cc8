//! Registration: claim the address, register the account, found its personal organization. Three
//! streams, three idempotent steps; whatever is missing after a crash is completed later.

use std::sync::Arc;

use events::Event;
use events::account::{Account, Command, Person, Rejection, decide};
use events::address;
use events::id::{AccountId, OrganizationId};
use events::organization::{self, Organization};
use events::personal::{self, Personal};
use events::recorded::Actor;
use events::slug;
use events::stream::Stream;
use events::wire;
use secrecy::SecretString;
use uuid::Uuid;

use super::session::{Opened, expiry, first_tokens};
use super::{Client, Done, Error, Naming, Order, account, append, caught_up, email_verification};
use super::{found, password, system_order, told};
use crate::address::Address;
use crate::event_log::ReadError;
use crate::{App, fail_point};

pub(crate) struct Registration {
    pub(crate) address: Address,
    pub(crate) password: SecretString,
    pub(crate) name: String,
    pub(crate) company: Option<String>,
}

pub(crate) struct Registered<T> {
    pub(crate) account: AccountId,
    pub(crate) person: Arc<Person>,
    pub(crate) opened: Opened,
    pub(crate) organization: T,
}

/// Registers an account, signs it in and founds its personal organization. `order.actor` and
/// `order.client` are filled in here: nobody has an account before.
pub(crate) async fn register<T>(
    app: &App,
    mut order: Order,
    ip_address: Option<String>,
    user_agent: Option<String>,
    registration: Registration,
    answer: impl Fn(&Organization) -> T,
) -> Result<Done<Registered<T>>, Error> {
    let running = app.running.enter(&order)?;
    let keyring = &app.keyring;
    let account = AccountId(keyring.id_of(order.command, "account"));
    let subject = keyring.subject_for(&registration.address).await?;
    order.actor = Actor::Account(account);
    order.client = Some(Client { subject, ip_address, user_agent });

    let password_hash = password::hash(app, &order, registration.password).await?;
    claim(app, &order, Stream::Address(subject), account).await?;
    fail_point::reached("register.claimed");

    let tokens = first_tokens(app, &order, account);
    let now = app.clock.now();
    let person = Person {
        subject,
        email: Personal::known(subject, registration.address.as_str()),
        name: Personal::known(subject, registration.name),
        company: Personal::optional(subject, registration.company),
        password_hash: Personal::known(subject, password_hash),
        registered_at: now,
        email_verified_at: None,
        second_factor: None,
        changed_version: 0,
        seen_version: 0,
    };
    let session = tokens.session.session;
    let command = Command::Register {
        person: Box::new(person),
        session,
        secrets: tokens.secrets(),
        verification: email_verification::link(app, account, 1, now),
        now,
    };
    let decide = |state: &Account| decide(state, &command);
    let registered = account::step(app, account, &order, decide, |state: &Account| {
        (state.person().cloned(), expiry(state, session))
    })
    .await
    .map_err(taken)?;
    fail_point::reached("register.registered");
    let (person, expires_at) = registered.answer;
    let person = person.ok_or(Rejection::Unregistered)?;

    let founded = found_personal_organization(app, account, &person, answer).await?;
    drop(running);
    let opened = Opened { tokens, expires_at };
    let answer = Registered { account, person, opened, organization: founded.answer };
    let position = founded.position.max(registered.position);
    let is_replayed = registered.is_replayed;
    Ok(caught_up(app, Done { answer, position, is_replayed, is_caught_up: false }).await)
}

/// Refuses a key with which another body has claimed the address, before anybody looks into this
/// one.
pub(crate) async fn refuse_other_body(
    app: &App,
    order: &Order,
    address: &Address,
) -> Result<(), Error> {
    if order.naming != Naming::Key {
        return Ok(());
    }
    let Some(subject) = app.keyring.subject_of(address).await? else { return Ok(()) };
    let entry = app.addresses.current(&app.log, Stream::Address(subject)).await?;
    match told(&entry, order) {
        Some(told) if told.body != order.body => Err(Error::KeyReused),
        Some(_) | None => Ok(()),
    }
}

/// Makes `account` the holder of the address, unless an account that exists holds it.
async fn claim(app: &App, order: &Order, stream: Stream, account: AccountId) -> Result<(), Error> {
    let holder = app.addresses.current(&app.log, stream).await?.read().state.holder();
    let dead = match holder {
        Some(other) if other != account => {
            abandon(app, other).await?;
            Some(other)
        }
        Some(_) | None => None,
    };
    let decide = |state: &address::Address| {
        let events = address::claim(state, account, dead)?;
        Ok(events.into_iter().map(Event::Address).collect())
    };
    append(app, &app.addresses, stream, order, decide, |_| ()).await.map_err(taken)?;
    Ok(())
}

/// Makes sure that the account a claim names can never exist; refused when it does.
async fn abandon(app: &App, account: AccountId) -> Result<(), Error> {
    let order = system_order(app, &[b"abandon", account.0.as_bytes()]);
    account::step(app, account, &order, |state| decide(state, &Command::Abandon), |_| ())
        .await
        .map(drop)
        .map_err(taken)
}

/// Whatever stopped a registration, the person learns that the address is in use.
fn taken(error: Error) -> Error {
    let is_taken = matches!(
        error,
        Error::Account(Rejection::Registered | Rejection::Abandoned | Rejection::Erasing)
            | Error::Address(address::Rejection::Claimed)
    );
    // its holder was erased since: the address stands for nobody now
    let is_free_since = matches!(error, Error::Account(Rejection::Unregistered));
    if is_taken {
        Error::EmailTaken
    } else if is_free_since {
        Error::Contended
    } else {
        error
    }
}

/// Founds the personal organization of an account, or gives the answer of when it was founded. Its
/// command follows from the account alone: whoever completes the registration proposes the same
/// events.
pub(crate) async fn found_personal_organization<T>(
    app: &App,
    account: AccountId,
    person: &Person,
    answer: impl Fn(&Organization) -> T,
) -> Result<Done<T>, Error> {
    let organization = OrganizationId::personal(app.keyring.log_id(), account);
    let name = opened(app, &person.name).await?.unwrap_or_default();
    let create = organization::Create {
        organization,
        slug: slug::personal(organization),
        owner: account,
        is_personal: true,
        name,
        billing_email: None,
        country: None,
    };
    let (request, client) = origin(app, account, person).await?;
    let order = Order {
        actor: Actor::Account(account),
        request,
        client,
        ..system_order(app, &[b"personal organization", account.0.as_bytes()])
    };
    found(app, &order, &create, answer).await
}

/// By which request an account was registered, and from where: told by its first event, so that
/// whoever completes the registration tells the same.
async fn origin(
    app: &App,
    account: AccountId,
    person: &Person,
) -> Result<(Uuid, Option<Client>), Error> {
    let stream = Stream::Account(account);
    let Some(first) = app.log.read_stream(&stream, 0, 1).await?.pop() else {
        return Ok((Uuid::nil(), None));
    };
    let recorded = wire::decode(first.position, &first.line, &first.sealed)
        .map_err(|error| ReadError::Corrupt { position: first.position, source: error.into() })?;
    let client = Client {
        subject: person.subject,
        ip_address: opened(app, &recorded.ip_address).await?,
        user_agent: opened(app, &recorded.user_agent).await?,
    };
    Ok((recorded.cause.request, Some(client)))
}

async fn opened(app: &App, value: &Personal) -> Result<Option<String>, Error> {
    let Some(sealed) = value.sealed() else { return Ok(None) };
    Ok(match app.keyring.open_value(sealed).await? {
        personal::Opened::Known(text) => Some(text),
        personal::Opened::Erased | personal::Opened::KeyMissing => None,
    })
}

/// Completes a registration that a crash cut short, if it was.
pub(crate) async fn complete(app: &App, account: AccountId) -> Result<(), Error> {
    if app.complete_accounts.get(&account).is_some() {
        return Ok(());
    }
    let organization = OrganizationId::personal(app.keyring.log_id(), account);
    if app.log.last_version(&Stream::Organization(organization)).await?.is_none() {
        let entry = app.accounts.current(&app.log, Stream::Account(account)).await?;
        let person = {
            let state = &entry.read().state;
            state.person().filter(|_| state.admits()).cloned()
        };
        let Some(person) = person else { return Ok(()) };
        tracing::info!(%account, "completing a registration that was cut short");
        caught_up(app, found_personal_organization(app, account, &person, |_| ()).await?).await;
    }
    app.complete_accounts.insert(account, ());
    Ok(())
}
