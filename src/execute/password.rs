//! Passwords: set by their owner, or through a link in their owner's mail.

use std::time::Duration;

use events::account::{Account, Command, LinkIssue, Rejection, decide};
use events::id::{AccountId, CommandId};
use events::personal::Personal;
use events::stream::Stream;
use secrecy::SecretString;
use uuid::Uuid;

use super::{Done, Error, Naming, Order, account, system_order};
use crate::App;
use crate::address::Address;
use crate::identity::{self, Identity};
use crate::link_secret::{LinkSecret, Purpose};

/// How long a link that sets a password lives.
const LINK: Duration = Duration::from_hours(1);

/// The hash of a new password, salted by the command that sets it.
pub(super) async fn hash(
    app: &App,
    order: &Order,
    password: SecretString,
) -> Result<String, Error> {
    let salt: [u8; 16] = *app.keyring.id_of(order.command, "password salt").as_bytes();
    Ok(app.passwords.hash(password, salt).await?)
}

/// Sets another password for somebody who has just proven the old one. Every other session ends.
pub(crate) async fn change(
    app: &App,
    order: &Order,
    identity: &Identity,
    password: SecretString,
) -> Result<Done<()>, Error> {
    let hash = hash(app, order, password).await?;
    let command = Command::ChangePassword {
        password_hash: Personal::known(identity.person.subject, hash),
        password_set_by: identity.password_set_by(),
        kept: identity.session.as_ref().map(|session| session.id),
    };
    account::order(app, identity.account, order, &command, |_| ()).await
}

/// Issues a link for the account that holds an address; does nothing when none does.
pub(crate) async fn request_reset(app: &App, address: &Address) -> Result<(), Error> {
    let Some(owner) = identity::holder(app, address).await? else { return Ok(()) };
    let id = owner.account;
    let command = CommandId(Uuid::new_v4());
    let order = Order { command, naming: Naming::Fresh, ..system_order(app, &[]) };
    let decide = |state: &Account| {
        let issue = state.next_reset();
        let secret = app.keyring.link_secret(Purpose::PasswordReset, id.0, issue);
        let expires_at = app.clock.now().after(LINK);
        let link = LinkIssue { issue, secret_hash: secret.hash(), expires_at };
        decide(state, &Command::RequestPasswordReset { link })
    };
    account::step(app, id, &order, decide, |_| ()).await.map(drop)
}

/// What became of a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    PasswordSet,
    /// Nobody had ever verified the address; it is free for whoever has just proven it.
    AddressReleased,
}

/// Sets a password through a link. Every session ends.
pub(crate) async fn reset(
    app: &App,
    order: &Order,
    owner: AccountId,
    secret: &LinkSecret,
    password: SecretString,
) -> Result<Done<Outcome>, Error> {
    let secret_hash = secret.hash();
    let now = app.clock.now();
    // a link that is dead costs no hashing
    let subject = {
        let entry = app.accounts.current(&app.log, Stream::Account(owner)).await?;
        let folded = entry.read();
        let lives = folded.state.reset().is_some_and(|link| link.lives(&secret_hash, now));
        let person = folded.state.person().filter(|_| lives).ok_or(Rejection::LinkClosed)?;
        person.subject
    };
    let hash = hash(app, order, password).await?;
    let password_hash = Personal::known(subject, hash);
    let command = Command::ResetPassword { secret_hash, password_hash, now };
    let answer = |state: &Account| {
        if state.has_address() { Outcome::PasswordSet } else { Outcome::AddressReleased }
    };
    account::order(app, owner, order, &command, answer).await
}
