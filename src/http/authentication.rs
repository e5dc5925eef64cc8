//! `Caller`: a password, session or token -> an account, or a key of an organization. Every route that needs one takes it as an
//! argument.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, OptionalFromRequestParts};
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use events::id::{AccountId, OrganizationId, SubjectId};
use events::principal::{Principal, Who};
use events::recorded::Actor;
use events::scope::Level;
use secrecy::SecretString;

use super::problem::{Code, Problem};
use super::request::await_position;
use crate::api_token::ApiToken;
use crate::execute::{self, Client, Order, register, second_factor};
use crate::failure::Failure;
use crate::identity::{self, Bearer, Identity, Proven, Source};
use crate::rate_limit::Network;
use crate::session_token::SessionToken;
use crate::{App, session_activity, token_activity};

/// Carries the code of a second factor beside HTTP Basic.
const ONE_TIME_CODE: &str = "x-otp";
/// Longest part of a `User-Agent` that is recorded, in bytes.
const LONGEST_AGENT: usize = 512;

/// Whoever asks: a person who has signed in, a token of theirs, or a key of an organization.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    pub(crate) client: Client,
    /// The one organization that the token belongs to; none where no token came.
    pub(crate) bound_to: Option<OrganizationId>,
    /// The person, also behind a token; none behind a key.
    person: Option<Identity>,
}

impl Caller {
    /// The account that acts.
    pub(crate) fn account(&self) -> Result<AccountId, Problem> {
        self.principal.account().ok_or(Problem::new(Code::PersonNeeded))
    }

    /// The person behind the credential, whatever it is.
    pub(crate) fn person(&self) -> Result<&Identity, Problem> {
        self.person.as_ref().ok_or(Problem::new(Code::PersonNeeded))
    }

    /// The caller as they are now, for an answer that goes on; `None` when what they came with serves
    /// no more. Of a token that is asked with the organization's own rights.
    pub(crate) async fn again(&self, app: &App) -> Result<Option<Self>, Failure> {
        let person = match &self.person {
            None => None,
            Some(before) => {
                let again = match self.bound_to {
                    Some(_) => identity::owner_again(app, before).await?,
                    None => identity::again(app, before).await?,
                };
                if again.is_none() {
                    return Ok(None);
                }
                again
            }
        };
        let has_second_factor = person.as_ref().is_some_and(|it| it.person.second_factor.is_some());
        let principal = Principal { has_second_factor, now: app.clock.now(), ..self.principal };
        Ok(Some(Self { principal, person, ..self.clone() }))
    }

    /// The person, who has signed in for this: no token does it for them.
    pub(crate) fn signed_in(&self) -> Result<&Identity, Problem> {
        match self.bound_to {
            None => self.person(),
            Some(_) => Err(Problem::new(Code::SignInNeeded)),
        }
    }
}

/// A person who has signed in with a password or a session. What belongs to their account and not
/// to an organization is theirs alone: a token is refused.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    pub(crate) identity: Identity,
    caller: Caller,
}

impl Deref for SignedIn {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl FromRequestParts<Arc<App>> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let caller = <Caller as FromRequestParts<_>>::from_request_parts(parts, app).await?;
        let identity = caller.signed_in()?.clone();
        Ok(Self { identity, caller })
    }
}

/// Where a request comes from, known before anybody has signed in.
pub(crate) struct Origin {
    pub(crate) ip_address: Option<String>,
    pub(crate) user_agent: Option<String>,
}

impl Origin {
    pub(crate) fn of(parts: &Parts) -> Self {
        let connection = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = connection.map(|ConnectInfo(peer)| *peer);
        Self::new(peer, parts.headers.get(USER_AGENT))
    }

    pub(crate) fn new(peer: Option<SocketAddr>, agent: Option<&HeaderValue>) -> Self {
        let agent = agent.and_then(|agent| agent.to_str().ok());
        Self {
            ip_address: peer.map(|peer| peer.ip().to_canonical().to_string()),
            // `to_str` gives ASCII only
            user_agent: agent.map(|agent| agent[..agent.len().min(LONGEST_AGENT)].to_owned()),
        }
    }
}

impl Origin {
    /// As proofs tell clients apart.
    pub(crate) fn source(&self) -> Source<'_> {
        let (ip_address, user_agent) = (self.ip_address.as_deref(), self.user_agent.as_deref());
        Source { ip_address, user_agent }
    }

    /// As limits tell clients apart.
    pub(crate) fn network(&self) -> Network {
        Network::of(self.ip_address.as_deref())
    }

    /// As events record it, for a person.
    pub(crate) fn client(&self, subject: SubjectId) -> Client {
        let Self { ip_address, user_agent } = self;
        Client { subject, ip_address: ip_address.clone(), user_agent: user_agent.clone() }
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Origin { ip_address, user_agent } = Origin::of(parts);
        let header = parts.headers.get(AUTHORIZATION).ok_or(Problem::new(Code::Unauthenticated))?;
        let header = header.to_str().map_err(|_| Problem::new(Code::Unauthenticated))?;
        let (scheme, credential) =
            header.split_once(' ').ok_or(Problem::new(Code::Unauthenticated))?;
        let credential = credential.trim();
        let level = level_of(&parts.method);
        let address = ip_address.as_deref().and_then(|address| address.parse().ok());
        let principal = |who, signed_in_at, person: Option<&Identity>| Principal {
            who,
            level,
            address,
            signed_in_at,
            has_second_factor: person.is_some_and(|it| it.person.second_factor.is_some()),
            now: app.clock.now(),
        };
        let is_bearer = scheme.eq_ignore_ascii_case("bearer");
        if is_bearer && ApiToken::is_meant(credential) {
            let found = identity::credential(app, credential, ip_address.as_deref()).await?;
            let found = found.ok_or(Problem::new(Code::InvalidToken))?;
            let bearer = identity::by_token(app, found).await?;
            token_activity::note(app, found.token);
            await_position(app, parts).await?;
            let Bearer { who, organization, owner: person, created_at } = bearer;
            let subject = person.as_ref().map(|person| person.person.subject);
            let subject = subject.unwrap_or_else(|| organization.subject());
            let principal = principal(who, created_at, person.as_ref());
            let client = Client { subject, ip_address, user_agent };
            return Ok(Self { principal, client, bound_to: Some(organization), person });
        }
        let identity = if is_bearer {
            let token = SessionToken::parse(credential).ok_or(Problem::new(Code::InvalidToken))?;
            let owner = identity::by_session(app, &token).await?;
            owner.ok_or(Problem::new(Code::InvalidToken))?
        } else if scheme.eq_ignore_ascii_case("basic") {
            let (email, password) =
                basic(credential).ok_or(Problem::new(Code::InvalidCredentials))?;
            let address = email.parse().map_err(|_| Problem::new(Code::InvalidCredentials))?;
            let code = one_time_code(&parts.headers)?;
            let source =
                Source { ip_address: ip_address.as_deref(), user_agent: user_agent.as_deref() };
            let proven = identity::by_basic(app, &address, password, code, source).await??;
            taken(app, proven, source).await?
        } else {
            return Err(Problem::new(Code::Unauthenticated));
        };
        register::complete(app, identity.account).await?;
        await_position(app, parts).await?;
        let client = Client { subject: identity.person.subject, ip_address, user_agent };
        session_activity::note(app, &identity, &client);
        let who = Who::Account(identity.account);
        let principal = principal(who, identity.signed_in_at, Some(&identity));
        Ok(Self { principal, client, bound_to: None, person: Some(identity) })
    }
}

/// How far a request goes, as scopes tell requests apart.
fn level_of(method: &Method) -> Level {
    match *method {
        Method::GET | Method::HEAD => Level::Read,
        Method::DELETE => Level::Admin,
        _ => Level::Write,
    }
}

/// For what is also shown to those who have not signed in. A credential that is sent must hold.
impl OptionalFromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        app: &Arc<App>,
    ) -> Result<Option<Self>, Problem> {
        if !parts.headers.contains_key(AUTHORIZATION) {
            return Ok(None);
        }
        <Self as FromRequestParts<Arc<App>>>::from_request_parts(parts, app).await.map(Some)
    }
}

/// The code of a second factor that came with a password.
fn one_time_code(headers: &HeaderMap) -> Result<Option<SecretString>, Problem> {
    let Some(code) = headers.get(ONE_TIME_CODE) else { return Ok(None) };
    let code = code.to_str().map_err(|_| Problem::new(Code::WrongTotp))?;
    Ok(Some(SecretString::from(code)))
}

/// Whoever a password and a code have proven, once the use of the code is recorded.
async fn taken(app: &App, proven: Proven, source: Source<'_>) -> Result<Identity, Problem> {
    let Proven { identity, code, pair } = proven;
    if let Some(code) = code {
        let client = Client {
            subject: identity.person.subject,
            ip_address: source.ip_address.map(str::to_owned),
            user_agent: source.user_agent.map(str::to_owned),
        };
        let order = execute::fresh_order(app, Actor::Account(identity.account));
        let order = Order { client: Some(client), ..order };
        second_factor::take(app, &order, identity.account, code).await?;
    }
    if let Some(pair) = pair {
        identity::remember(app, pair, &identity);
    }
    Ok(identity)
}

/// RFC 7617: base64 of the user's name, a colon and the password, in UTF-8.
fn basic(credential: &str) -> Option<(String, SecretString)> {
    let text = String::from_utf8(STANDARD.decode(credential).ok()?).ok()?;
    let (email, password) = text.split_once(':')?;
    Some((email.to_owned(), SecretString::from(password)))
}
