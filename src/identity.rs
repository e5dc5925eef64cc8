//! Whose a credential is. Whether it still serves is asked of the account's own stream, each time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use events::account::{FailedProof, Person, Proof, SecondFactor, Session};
use events::id::{AccountId, EventId, OrganizationId, SessionId, SubjectId};
use events::personal::{Opened, Personal};
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
use crate::failed_sign_ins::Attempt;
use crate::failure::{Failure, fails_with};
use crate::query::credential;
use crate::rate_limit::{Left, Network, TooOften};
use crate::session_token::SessionToken;
use crate::{App, keyring, password, second_factor};

mod again;

pub(crate) use self::again::{again, owner_again};

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
    /// The version of the password: the event that set it.
    pub(crate) fn password_set_by(&self) -> Option<EventId> {
        self.person.password_hash.sealed().map(|sealed| sealed.event)
    }

    /// The version of all that a password needs to be enough.
    fn credential_version(&self) -> CredentialVersion {
        CredentialVersion {
            password_set_by: self.password_set_by(),
            second_factor_set_by: self.person.second_factor.as_ref().and_then(SecondFactor::set_by),
        }
    }
}

/// Another password, or another second factor or none, makes another credential.
#[derive(Clone, Copy, PartialEq, Eq)]
struct CredentialVersion {
    password_set_by: Option<EventId>,
    second_factor_set_by: Option<EventId>,
}

/// From where somebody proves who they are.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) ip_address: Option<&'a str>,
    pub(crate) user_agent: Option<&'a str>,
}

/// Somebody who has just proven who they are by a password.
pub(crate) struct Proven {
    pub(crate) identity: Identity,
    /// The code that came with it, where there is a second factor: it serves nobody before its use
    /// is recorded.
    pub(crate) code: Option<Proof>,
    /// To be remembered then.
    pub(crate) pair: Option<Pair>,
}

/// What was wrong with what should prove who somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Or the address.
    Password,
    /// The password is right, and no code came with it. That is no guess, and does not count.
    CodeMissing,
    /// The password is right.
    Code,
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
    pairs: Cache<Pair, Remembered>,
}

/// An address and a password from one client. Tells nothing of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Pair([u8; 32]);

#[derive(Clone, Copy)]
struct Remembered {
    account: AccountId,
    /// Another one ends the memory.
    credential: CredentialVersion,
    at: Instant,
    signed_in_at: Time,
}

impl ProvenPairs {
    pub(crate) fn new() -> Result<Self, keyring::Error> {
        Ok(Self { key: keyring::random()?, pairs: Cache::new(REMEMBERED_PAIRS) })
    }

    fn pair(&self, address: &Address, password: &SecretString, client: &str) -> Pair {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        for part in [address.as_str(), password.expose_secret(), client] {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        Pair(*hasher.finalize().as_bytes())
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

/// The owner of an address and password, and of a second factor if there is one, proven from this
/// client. An unknown address costs as much as a wrong password: the same hashing, and as many
/// questions to the stores. Also tells how often this client may still fail.
pub(crate) async fn by_password(
    app: &App,
    address: &Address,
    password: SecretString,
    code: Option<SecretString>,
    source: Source<'_>,
) -> Result<(Result<Proven, Wrong>, Option<Left>), Unproven> {
    let subject = app.keyring.subject_of(address).await?;
    let named = named(app, address, subject);
    let proof = app.rate_limits.proof(Network::of(source.ip_address), named).await?;
    let proven = compared(app, subject, named, password, code, source).await?;
    let left = proof.ended(proven.as_ref().is_err_and(|wrong| wrong.counts()));
    Ok((proven, left))
}

/// The same, but what was proven from this client is remembered for a few minutes, and needs no
/// code in that time.
pub(crate) async fn by_basic(
    app: &App,
    address: &Address,
    password: SecretString,
    code: Option<SecretString>,
    source: Source<'_>,
) -> Result<Result<Proven, Wrong>, Unproven> {
    let pair = app.proven.pair(address, &password, source.ip_address.unwrap_or_default());
    let known = |identity| Ok(Ok(Proven { identity, code: None, pair: None }));
    if let Some(identity) = remembered(app, pair).await? {
        return known(identity);
    }
    let subject = app.keyring.subject_of(address).await?;
    let named = named(app, address, subject);
    let proof = app.rate_limits.proof(Network::of(source.ip_address), named).await?;
    // somebody else may have proven the pair while this waited
    if let Some(identity) = remembered(app, pair).await? {
        return known(identity);
    }
    Ok(match compared(app, subject, named, password, code, source).await? {
        Ok(proven) if proven.code.is_none() => {
            remember(app, pair, &proven.identity);
            Ok(proven)
        }
        Ok(proven) => Ok(Proven { pair: Some(pair), ..proven }),
        Err(wrong) => {
            proof.ended(wrong.counts());
            Err(wrong)
        }
    })
}

/// Lets who has proven a pair come by it alone for a few minutes.
pub(crate) fn remember(app: &App, pair: Pair, identity: &Identity) {
    let remembered = Remembered {
        account: identity.account,
        credential: identity.credential_version(),
        at: Instant::now(),
        signed_in_at: identity.signed_in_at,
    };
    app.proven.pairs.insert(pair, remembered);
}

/// Whether this is the caller's password. A wrong one counts like a failed sign-in.
pub(crate) async fn proves_again(
    app: &App,
    identity: &Identity,
    password: SecretString,
    source: Source<'_>,
) -> Result<bool, Unproven> {
    let named = *identity.person.subject.0.as_bytes();
    let proof = app.rate_limits.proof(Network::of(source.ip_address), named).await?;
    let wrong = !has_password(app, identity, password, source).await?;
    proof.ended(wrong);
    Ok(!wrong)
}

/// Whether this is the caller's password, and a code of their second factor if they have one: it
/// serves only what records its use. What is wrong counts like a failed sign-in.
pub(crate) async fn proves_all_again(
    app: &App,
    identity: &Identity,
    password: SecretString,
    code: Option<SecretString>,
    source: Source<'_>,
) -> Result<Result<Option<Proof>, Wrong>, Unproven> {
    let named = *identity.person.subject.0.as_bytes();
    let proof = app.rate_limits.proof(Network::of(source.ip_address), named).await?;
    let proven = if has_password(app, identity, password, source).await? {
        has_second_factor(app, identity, code, source).await?
    } else {
        Err(Wrong::Password)
    };
    proof.ended(proven.is_err_and(Wrong::counts));
    Ok(proven)
}

impl Wrong {
    /// Whether it was a guess.
    fn counts(self) -> bool {
        self != Self::CodeMissing
    }
}

/// The time step of a code, the first of a secret that was made for an authenticator. A wrong one
/// counts like a failed sign-in.
pub(crate) async fn shows_code(
    app: &App,
    identity: &Identity,
    prepared: &Personal,
    code: &SecretString,
    source: Source<'_>,
) -> Result<Option<u64>, Unproven> {
    let named = *identity.person.subject.0.as_bytes();
    let proof = app.rate_limits.proof(Network::of(source.ip_address), named).await?;
    let step = second_factor::first_step(app, prepared, code).await?;
    proof.ended(step.is_none());
    Ok(step)
}

/// What stands for the account of an address in counts of failures, whether there is one or not.
fn named(app: &App, address: &Address, subject: Option<SubjectId>) -> [u8; 16] {
    let mac = app.keyring.principal_of(address);
    subject.map_or_else(|| std::array::from_fn(|place| mac[place]), |it| *it.0.as_bytes())
}

async fn remembered(app: &App, pair: Pair) -> Result<Option<Identity>, Failure> {
    let Some(proven) = app.proven.pairs.get(&pair) else { return Ok(None) };
    if proven.at.elapsed() < REMEMBERED_FOR
        && let Some(identity) = existing(app, proven.account).await?
        && identity.credential_version() == proven.credential
    {
        return Ok(Some(Identity { signed_in_at: proven.signed_in_at, ..identity }));
    }
    app.proven.pairs.remove(&pair);
    Ok(None)
}

async fn compared(
    app: &App,
    subject: Option<SubjectId>,
    named: [u8; 16],
    password: SecretString,
    code: Option<SecretString>,
    source: Source<'_>,
) -> Result<Result<Proven, Wrong>, Failure> {
    let holder = match subject {
        Some(subject) => holder_by_subject(app, subject).await?,
        None => None,
    };
    let Some(identity) = holder else {
        decoy(app, subject, named).await?;
        app.passwords.verify(password, None).await?;
        return Ok(Err(Wrong::Password));
    };
    if !has_password(app, &identity, password, source).await? {
        return Ok(Err(Wrong::Password));
    }
    let code = has_second_factor(app, &identity, code, source).await?;
    Ok(code.map(|code| Proven { identity, code, pair: None }))
}

async fn has_password(
    app: &App,
    identity: &Identity,
    password: SecretString,
    source: Source<'_>,
) -> Result<bool, Failure> {
    let hash = password_hash(app, &identity.person).await?;
    let is_proven = app.passwords.verify(password, hash).await?;
    if !is_proven {
        tell(app, identity, FailedProof::Password, source);
    }
    Ok(is_proven)
}

/// None is needed where the account has no second factor.
async fn has_second_factor(
    app: &App,
    identity: &Identity,
    code: Option<SecretString>,
    source: Source<'_>,
) -> Result<Result<Option<Proof>, Wrong>, Failure> {
    let Some(factor) = &identity.person.second_factor else { return Ok(Ok(None)) };
    let Some(code) = code.filter(|code| !code.expose_secret().is_empty()) else {
        return Ok(Err(Wrong::CodeMissing));
    };
    let proof = second_factor::proof(app, factor, &code).await?;
    if proof.is_none() {
        tell(app, identity, FailedProof::SecondFactor, source);
    }
    Ok(proof.map(Some).ok_or(Wrong::Code))
}

/// Has the account's own history tell of it, without making anybody wait.
fn tell(app: &App, identity: &Identity, reason: FailedProof, source: Source<'_>) {
    app.failed_sign_ins.tell(Attempt {
        account: identity.account,
        subject: identity.person.subject,
        reason,
        ip_address: source.ip_address.map(str::to_owned),
        user_agent: source.user_agent.map(str::to_owned),
    });
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

async fn password_hash(app: &App, person: &Person) -> Result<Option<String>, Failure> {
    let Some(sealed) = person.password_hash.sealed() else { return Ok(None) };
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
