//! `Caller`: a password or session -> an account. Every route that needs one takes it as an
//! argument.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, OptionalFromRequestParts};
use axum::http::HeaderValue;
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use events::id::SubjectId;
use secrecy::SecretString;

use super::problem::{Code, Problem};
use super::request::await_position;
use crate::execute::{Client, register};
use crate::identity::{self, Identity};
use crate::rate_limit::Network;
use crate::session_token::SessionToken;
use crate::{App, session_activity};

/// Longest part of a `User-Agent` that is recorded, in bytes.
const LONGEST_AGENT: usize = 512;

#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) identity: Identity,
    pub(crate) client: Client,
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
        let identity = if scheme.eq_ignore_ascii_case("bearer") {
            let token = SessionToken::parse(credential).ok_or(Problem::new(Code::InvalidToken))?;
            let owner = identity::by_session(app, &token).await?;
            owner.ok_or(Problem::new(Code::InvalidToken))?
        } else if scheme.eq_ignore_ascii_case("basic") {
            let (email, password) =
                basic(credential).ok_or(Problem::new(Code::InvalidCredentials))?;
            let address = email.parse().map_err(|_| Problem::new(Code::InvalidCredentials))?;
            let owner = identity::by_basic(app, &address, password, ip_address.as_deref()).await?;
            owner.ok_or(Problem::new(Code::InvalidCredentials))?
        } else {
            return Err(Problem::new(Code::Unauthenticated));
        };
        register::complete(app, identity.account).await?;
        await_position(app, parts).await?;
        let client = Client { subject: identity.person.subject, ip_address, user_agent };
        session_activity::note(app, &identity, &client);
        Ok(Self { identity, client })
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

/// RFC 7617: base64 of the user's name, a colon and the password, in UTF-8.
fn basic(credential: &str) -> Option<(String, SecretString)> {
    let text = String::from_utf8(STANDARD.decode(credential).ok()?).ok()?;
    let (email, password) = text.split_once(':')?;
    Some((email.to_owned(), SecretString::from(password)))
}
