//! Whose a credential is. Whether it still serves is asked of the account's own stream, each time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use events::account::{Person, Session};
use events::id::{AccountId, EventId, OrganizationId, SessionId, SubjectId};
use events::personal::Opened;
use events::principal::Who;
use events::stream::Stream;
use events::time::Time;
use events::token::Ended;
use projections::credential::Credential;
use quick_cache::sync::Cache;
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use crate::access::Refusal;
use crate::address::Address;
use crate::api_token::ApiToken;
use crate::event_log::ReadError;
use crate::failure::{Failure, fails_with};
use crate::query::credential;
use crate::rate_limit::{Left, Network, TooOften};
use crate::session_token::SessionToken;
use crate::{App, keyring, password};

/// How long a proven pair of address and password is remembered.
const REMEMBERED_FOR: Duration = Duration::from_mins(5);
const REMEMBERED_PAIRS: usize = 10_000;

/// Somebody who proved to be the owner of an account.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) account: AccountId,
    pub(crate) person: Arc<Person>,
    /// The session it was proven by; none for a password.
    pub(crate) session: Option<Current>,
    /// When the credential was proven.
    pub(crate) signed_in_at: Time,
}

/// The session of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Current {
    pub(crate) id: SessionId,
    /// What its requests act on that name no organization, unless it is the personal one.
    pub(crate) organization: Option<OrganizationId>,
}

impl Identity {
    /// The version of the credential: the event that set the password.
    pub(crate) fn password_set_by(&self) -> Option<EventId> {
        self.person.password_hash.sealed().map(|sealed| sealed.event)
    }
}

/// Why it cannot be told whose a password is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unproven {
    #[error(transparent)]
    TooOften(#[from] TooOften),
    #[error(transparent)]
    Failed(#[from] Failure),
}

fails_with!(Unproven, Unproven::Failed: keyring::Error, ReadError, password::Error);

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
    signed_in_at: Time,
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
    let now = app.clock.now();
    let session = folded.state.session(token.session, now).filter(|_| folded.state.admits());
    let session = session.filter(|session| session.serving(now).any(|hash| token.proves(hash)));
    Ok(session.and_then(|session| {
        let person = folded.state.person()?.clone();
        let current = Current { id: token.session, organization: session.organization };
        let (account, signed_in_at) = (token.account, session.started_at);
        Some(Identity { account, person, session: Some(current), signed_in_at })
    }))
}

/// A token that serves, and the person it acts for.
#[derive(Clone, Debug)]
pub(crate) struct Bearer {
    pub(crate) who: Who,
    /// The one organization it belongs to.
    pub(crate) organization: OrganizationId,
    /// None for a key.
    pub(crate) owner: Option<Identity>,
    /// When it was made.
    pub(crate) created_at: Time,
}

/// Which token a text is, if any. Texts that are none count against the client that sent them: too
/// many, and none is looked up for it any more that was not known before.
pub(crate) async fn credential(
    app: &App,
    text: &str,
    client: Option<&str>,
) -> Result<Option<Credential>, Unproven> {
    let token = ApiToken::parse(text);
    if let Some(found) = token.as_ref().and_then(|it| credential::remembered(app, &it.hash())) {
        return Ok(Some(found));
    }
    let network = Network::of(client);
    app.rate_limits.may_guess_tokens(network)?;
    let found = match token {
        Some(token) => credential::find(app, &token.hash()).await?,
        None => None,
    };
    if found.is_none() {
        app.rate_limits.unknown_token(network)?;
    }
    Ok(found)
}

/// Whose a token is, while it serves.
pub(crate) async fn by_token(app: &App, found: Credential) -> Result<Bearer, Refusal> {
    let (organization, id) = (found.organization, found.token);
    let stream = Stream::Organization(organization);
    let entry = app.organizations.current(&app.log, stream).await?;
    let (owner, created_at) = {
        let state = &entry.read().state;
        let Some(token) = state.token(id) else {
            return Err(Refusal::TokenEnded(Ended::Revoked));
        };
        if let Some(ended) = token.ended(app.clock.now()) {
            return Err(Refusal::TokenEnded(ended));
        }
        (token.acts_for(), token.created_at)
    };
    let Some(owner) = owner else {
        let who = Who::Key(id);
        return Ok(Bearer { who, organization, owner: None, created_at });
    };
    let Some(identity) = existing(app, owner).await? else {
        return Err(Refusal::TokenEnded(Ended::Revoked));
    };
    let who = Who::Token { owner, token: id };
    Ok(Bearer { who, organization, owner: Some(identity), created_at })
}

/// The owner of an address and password, proven from this client. An unknown address costs as much
/// as a wrong password: the same hashing, and as many questions to the stores. Also tells how often
/// this client may still fail.
pub(crate) async fn by_password(
    app: &App,
    address: &Address,
    password: SecretString,
    client: Option<&str>,
) -> Result<(Option<Identity>, Option<Left>), Unproven> {
    let subject = app.keyring.subject_of(address).await?;
    let named = named(app, address, subject);
    let proof = app.rate_limits.proof(Network::of(client), named).await?;
    let identity = compared(app, subject, named, password).await?;
    let left = proof.ended(identity.is_none());
    Ok((identity, left))
}

/// The same, remembering what was proven from this client for a few minutes.
pub(crate) async fn by_basic(
    app: &App,
    address: &Address,
    password: SecretString,
    client: Option<&str>,
) -> Result<Option<Identity>, Unproven> {
    let name = app.proven.name(address, &password, client.unwrap_or_default());
    if let Some(identity) = remembered(app, &name).await? {
        return Ok(Some(identity));
    }
    let subject = app.keyring.subject_of(address).await?;
    let named = named(app, address, subject);
    let proof = app.rate_limits.proof(Network::of(client), named).await?;
    // somebody else may have proven the pair while this waited
    if let Some(identity) = remembered(app, &name).await? {
        return Ok(Some(identity));
    }
    let identity = compared(app, subject, named, password).await?;
    match &identity {
        Some(identity) => {
            let proven = Proven {
                account: identity.account,
                password_set_by: identity.password_set_by(),
                at: Instant::now(),
                signed_in_at: identity.signed_in_at,
            };
            app.proven.pairs.insert(name, proven);
        }
        None => proof.failed(),
    }
    Ok(identity)
}

/// Whether this is the caller's password. A wrong one counts like a failed sign-in.
pub(crate) async fn proves_again(
    app: &App,
    identity: &Identity,
    password: SecretString,
    client: Option<&str>,
) -> Result<bool, Unproven> {
    let named = *identity.person.subject.0.as_bytes();
    let proof = app.rate_limits.proof(Network::of(client), named).await?;
    let hash = password_hash(app, Some(&identity.person)).await?;
    let is_proven = app.passwords.verify(password, hash).await?;
    if !is_proven {
        proof.failed();
    }
    Ok(is_proven)
}

/// What stands for the account of an address in counts of failures, whether there is one or not.
fn named(app: &App, address: &Address, subject: Option<SubjectId>) -> [u8; 16] {
    let mac = app.keyring.principal_of(address);
    subject.map_or_else(|| std::array::from_fn(|place| mac[place]), |it| *it.0.as_bytes())
}

async fn remembered(app: &App, name: &[u8; 32]) -> Result<Option<Identity>, Failure> {
    let Some(proven) = app.proven.pairs.get(name) else { return Ok(None) };
    if proven.at.elapsed() < REMEMBERED_FOR
        && let Some(identity) = existing(app, proven.account).await?
        && identity.password_set_by() == proven.password_set_by
    {
        return Ok(Some(Identity { signed_in_at: proven.signed_in_at, ..identity }));
    }
    app.proven.pairs.remove(name);
    Ok(None)
}

async fn compared(
    app: &App,
    subject: Option<SubjectId>,
    named: [u8; 16],
    password: SecretString,
) -> Result<Option<Identity>, Failure> {
    let holder = match subject {
        Some(subject) => holder_by_subject(app, subject).await?,
        None => None,
    };
    if holder.is_none() {
        decoy(app, subject, named).await?;
    }
    let hash = password_hash(app, holder.as_ref().map(|holder| &*holder.person)).await?;
    let is_proven = app.passwords.verify(password, hash).await?;
    Ok(holder.filter(|_| is_proven))
}

/// Asks what would be asked for an address that has an account; what comes back is of no interest.
async fn decoy(app: &App, subject: Option<SubjectId>, named: [u8; 16]) -> Result<(), Failure> {
    let nobody = Uuid::new_v8(named);
    if subject.is_none() {
        app.log.last_version(&Stream::Address(SubjectId(nobody))).await?;
    }
    app.log.last_version(&Stream::Account(AccountId(nobody))).await?;
    Ok(())
}

async fn password_hash(app: &App, person: Option<&Person>) -> Result<Option<String>, Failure> {
    let Some(sealed) = person.and_then(|person| person.password_hash.sealed()) else {
        return Ok(None);
    };
    Ok(match app.keyring.open_value(sealed).await? {
        Opened::Known(hash) => Some(hash),
        Opened::Erased | Opened::KeyMissing => None,
    })
}

/// Who holds an address; nobody when the claim on it is dead.
pub(crate) async fn holder(app: &App, address: &Address) -> Result<Option<Identity>, Failure> {
    match app.keyring.subject_of(address).await? {
        Some(subject) => holder_by_subject(app, subject).await,
        None => Ok(None),
    }
}

async fn holder_by_subject(app: &App, subject: SubjectId) -> Result<Option<Identity>, Failure> {
    let claim = app.addresses.current(&app.log, Stream::Address(subject)).await?;
    let holder = claim.read().state.holder();
    match holder {
        Some(account) => existing(app, account).await,
        None => Ok(None),
    }
}

/// The account, if it exists and whoever has its address owns it.
async fn existing(app: &App, account: AccountId) -> Result<Option<Identity>, Failure> {
    let entry = app.accounts.current(&app.log, Stream::Account(account)).await?;
    let folded = entry.read();
    let person = folded.state.person().filter(|_| folded.state.admits()).cloned();
    let signed_in_at = app.clock.now();
    Ok(person.map(|person| Identity { account, person, session: None, signed_in_at }))
}

/// Who an account is; `None` when there is no such account.
pub(crate) async fn person(app: &App, account: AccountId) -> Result<Option<Arc<Person>>, Failure> {
    let entry = app.accounts.current(&app.log, Stream::Account(account)).await?;
    let person = entry.read().state.person().cloned();
    Ok(person)
}

/// The sessions of an account that are not over.
pub(crate) async fn sessions(
    app: &App,
    account: AccountId,
) -> Result<Vec<(SessionId, Session)>, Failure> {
    let entry = app.accounts.current(&app.log, Stream::Account(account)).await?;
    let folded = entry.read();
    let sessions = folded.state.sessions(app.clock.now());
    Ok(sessions.map(|(id, session)| (id, session.clone())).collect())
}
