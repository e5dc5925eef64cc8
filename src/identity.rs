//! Whose a credential is. Whether it still serves is asked of the account's own stream, each time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use events::account::Person;
use events::id::{AccountId, EventId};
use events::personal::Opened;
use events::stream::Stream;
use quick_cache::sync::Cache;
use secrecy::{ExposeSecret as _, SecretString};

use crate::App;
use crate::address::Address;
use crate::failure::Failure;
use crate::keyring;
use crate::session_token::SessionToken;

/// How long a proven pair of address and password is remembered.
const REMEMBERED_FOR: Duration = Duration::from_mins(5);
const REMEMBERED_PAIRS: usize = 10_000;

/// Somebody who proved to be the owner of an account.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) account: AccountId,
    pub(crate) person: Arc<Person>,
}

/// Pairs of address and password that were proven, so that HTTP Basic costs Argon2 once.
pub(crate) struct ProvenPairs {
    /// Of this process only: nothing outside it can tell what is remembered.
    key: [u8; 32],
    pairs: Cache<[u8; 32], Proven>,
}

#[derive(Clone, Copy)]
struct Proven {
    account: AccountId,
    /// The event that set the password; another one ends the memory.
    password_set_by: Option<EventId>,
    at: Instant,
}

impl ProvenPairs {
    pub(crate) fn new() -> Result<Self, keyring::Error> {
        Ok(Self { key: keyring::random()?, pairs: Cache::new(REMEMBERED_PAIRS) })
    }

    fn name(&self, address: &Address, password: &SecretString, client: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        for part in [address.as_str(), password.expose_secret(), client] {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }
}

/// The owner of a session, while it lasts.
pub(crate) async fn by_session(
    app: &App,
    token: &SessionToken,
) -> Result<Option<Identity>, Failure> {
    let entry = app.accounts.current(&app.log, Stream::Account(token.account)).await?;
    let folded = entry.read();
    let session = folded.state.session(token.session, app.clock.now());
    Ok(session.filter(|session| token.proves(&session.secret_hash)).and_then(|_| {
        let person = folded.state.person()?.clone();
        Some(Identity { account: token.account, person })
    }))
}

/// The owner of an address and password. An unknown address costs as much as a wrong password.
pub(crate) async fn by_password(
    app: &App,
    address: &Address,
    password: SecretString,
) -> Result<Option<Identity>, Failure> {
    let holder = holder(app, address).await?;
    let hash = match holder.as_ref().and_then(|identity| identity.person.password_hash.sealed()) {
        Some(sealed) => match app.keyring.open_value(sealed).await? {
            Opened::Known(hash) => Some(hash),
            Opened::Erased | Opened::KeyMissing => None,
        },
        None => None,
    };
    let proven = app.passwords.verify(password, hash).await?;
    Ok(holder.filter(|_| proven))
}

/// The same, remembering what was proven from this client for a few minutes.
pub(crate) async fn by_basic(
    app: &App,
    address: &Address,
    password: SecretString,
    client: &str,
) -> Result<Option<Identity>, Failure> {
    let name = app.proven.name(address, &password, client);
    if let Some(proven) = app.proven.pairs.get(&name) {
        if proven.at.elapsed() < REMEMBERED_FOR
            && let Some(identity) = existing(app, proven.account).await?
            && set_by(&identity) == proven.password_set_by
        {
            return Ok(Some(identity));
        }
        app.proven.pairs.remove(&name);
    }
    let identity = by_password(app, address, password).await?;
    if let Some(identity) = &identity {
        let proven = Proven {
            account: identity.account,
            password_set_by: set_by(identity),
            at: Instant::now(),
        };
        app.proven.pairs.insert(name, proven);
    }
    Ok(identity)
}

/// Whether this is the caller's password.
pub(crate) async fn proves_again(
    app: &App,
    identity: &Identity,
    password: SecretString,
) -> Result<bool, Failure> {
    let hash = match identity.person.password_hash.sealed() {
        Some(sealed) => app.keyring.open_value(sealed).await?,
        None => Opened::KeyMissing,
    };
    let hash = match hash {
        Opened::Known(hash) => Some(hash),
        Opened::Erased | Opened::KeyMissing => None,
    };
    Ok(app.passwords.verify(password, hash).await?)
}

fn set_by(identity: &Identity) -> Option<EventId> {
    identity.person.password_hash.sealed().map(|sealed| sealed.event)
}

/// Who holds an address; nobody when the claim on it is dead.
pub(crate) async fn holder(app: &App, address: &Address) -> Result<Option<Identity>, Failure> {
    let Some(subject) = app.keyring.subject_of(address).await? else { return Ok(None) };
    let claim = app.addresses.current(&app.log, Stream::Address(subject)).await?;
    let holder = claim.read().state.holder();
    match holder {
        Some(account) => existing(app, account).await,
        None => Ok(None),
    }
}

async fn existing(app: &App, account: AccountId) -> Result<Option<Identity>, Failure> {
    let entry = app.accounts.current(&app.log, Stream::Account(account)).await?;
    let person = entry.read().state.person().cloned();
    Ok(person.map(|person| Identity { account, person }))
}

/// Who an account is; `None` when there is no such account.
pub(crate) async fn person(app: &App, account: AccountId) -> Result<Option<Arc<Person>>, Failure> {
    Ok(existing(app, account).await?.map(|identity| identity.person))
}
