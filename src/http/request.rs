//! What every route reads from a request in the same way: query parameters, bodies, pages, and the
//! order that a command becomes.

use std::collections::HashMap;
use std::convert::Infallible;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, OriginalUri, Path, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri};
use events::id::{CommandId, OrganizationId};
use events::recorded::{Actor, Position};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::authentication::{Caller, Origin};
use super::etag;
use super::problem::{Code, Problem};
use crate::execute::{Client, Naming, Order, Precondition};
use crate::past::{Moment, NoMoment};
use crate::{App, query, random};

pub(crate) use self::shape::part;

mod shape;

const LARGEST_BODY: usize = 1024 * 1024;
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Understood by every read, besides its own parameters.
const AT_LEAST: &str = "at_least";
/// Understood by reads of what an organization holds.
pub(crate) const AS_OF: &str = "as_of";
/// How long a read waits for the position it asked for.
const AT_LEAST_WITHIN: Duration = Duration::from_secs(5);

/// The request's id: a UUID. The client may send it, or other text from which it then follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestId(pub(crate) Uuid);

/// Longest text of a client's own that is sent back.
const LONGEST_REQUEST_ID: usize = 64;

impl RequestId {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self(match Self::sent(headers) {
            Some(text) => {
                text.parse().unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_URL, text.as_bytes()))
            }
            None => random::uuid(),
        })
    }

    /// What the client sent, where that is safe to be sent back and written down: neither markup
    /// nor an e-mail address can be made of it.
    pub(crate) fn sent(headers: &HeaderMap) -> Option<&str> {
        let text = headers.get("x-request-id")?.to_str().ok()?;
        let is_safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
        let is_short = (1..=LONGEST_REQUEST_ID).contains(&text.len());
        (is_short && text.bytes().all(is_safe)).then_some(text)
    }
}

/// Query parameters, refused when one is not known to the route.
pub(crate) struct Parameters(HashMap<String, String>);

impl Parameters {
    pub(crate) fn of(uri: &Uri, known: &[&str]) -> Result<Self, Problem> {
        let mut parameters = HashMap::new();
        for (name, value) in pairs(uri)? {
            if name == AS_OF && !known.contains(&AS_OF) {
                return Err(Problem::new(Code::AsOfNotSupported));
            }
            if name != AT_LEAST && !known.contains(&name.as_str()) {
                let detail = format!("the query parameter `{}` is not known here", shown(&name));
                return Err(Problem::with_detail(Code::UnknownParameter, detail));
            }
            if parameters.insert(name.clone(), value).is_some() {
                let detail = format!("the query parameter `{name}` is given twice");
                return Err(Problem::with_detail(Code::InvalidParameter, detail));
            }
        }
        Ok(Self(parameters))
    }

    /// The moment that `as_of` names: a version of the organization's stream, or a time.
    pub(crate) fn as_of(&self) -> Result<Option<Moment>, Problem> {
        self.moment(AS_OF)
    }

    /// The same by a parameter of this name.
    pub(crate) fn moment(&self, name: &str) -> Result<Option<Moment>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_: NoMoment| {
            let detail = format!("`{name}` is a version or a time like 2026-01-31T09:30:00Z");
            Problem::with_detail(Code::InvalidParameter, detail)
        })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// What a caller sent, short enough to be sent back.
fn shown(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(40).collect()
}

/// Makes a read wait until the read models show the position it asked for, in its header or its
/// query. Strangers are not made to wait: how long it takes would tell how far the log has come.
pub(crate) async fn await_position(app: &App, parts: &Parts) -> Result<(), Problem> {
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let Some(position) = at_least(&parts.headers, &parts.uri)? else { return Ok(()) };
    if query::has_reached(app, position, AT_LEAST_WITHIN).await {
        Ok(())
    } else {
        Err(Problem::new(Code::NotCaughtUp))
    }
}

fn at_least(headers: &HeaderMap, uri: &Uri) -> Result<Option<Position>, Problem> {
    let from_query = pairs(uri)?.into_iter().find(|(name, _)| name == AT_LEAST);
    let from_header = headers.get("at-least").map(|value| value.to_str().unwrap_or_default());
    let Some(text) = from_header.or(from_query.as_ref().map(|(_, value)| value.as_str())) else {
        return Ok(None);
    };
    let number = text.parse::<u64>().ok().filter(|number| i64::try_from(*number).is_ok());
    let position = number.ok_or_else(|| {
        Problem::with_detail(
            Code::InvalidParameter,
            "`At-Least` is a position, as a command's `Position` header gave it",
        )
    })?;
    Ok(Some(Position(position)))
}

fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, Problem> {
    serde_urlencoded::from_str(uri.query().unwrap_or_default())
        .map_err(|_| Problem::with_detail(Code::InvalidParameter, "the query is malformed"))
}

/// What a path names.
pub(crate) struct PathNames(Vec<(String, String)>);

impl PathNames {
    /// What is written at this place of the path; `None` when it is no text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let (_, text) = self.0.iter().find(|(found, _)| found == name)?;
        Some(text)
    }

    /// The id at this place of the path; `None` when what is written there is none.
    pub(crate) fn id<T: FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathNames {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let names = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        Ok(Self(names.map(|Path(names)| names).unwrap_or_default()))
    }
}

/// Which piece of a list is asked for.
pub(crate) struct Paging {
    pub(crate) size: usize,
    pub(crate) after: String,
}

const SMALLEST_PAGE: usize = 1;
const USUAL_PAGE: usize = 20;
const LARGEST_PAGE: usize = 100;

impl Paging {
    pub(crate) const PARAMETERS: [&str; 2] = ["page_size", "page_token"];

    /// `list` names the list and whose it is: a token made for another is refused.
    pub(crate) fn of(app: &App, uri: &Uri, list: &str) -> Result<Self, Problem> {
        Self::read(app, &Parameters::of(uri, &Self::PARAMETERS)?, list)
    }

    /// The same of a list with parameters of its own. They belong in `list`.
    pub(crate) fn read(app: &App, parameters: &Parameters, list: &str) -> Result<Self, Problem> {
        let size = Self::size(parameters, "page_size")?;
        let after = match parameters.get("page_token") {
            None => String::new(),
            Some(token) => query::page_token::read(app, list, token).ok_or_else(|| {
                let detail = "`page_token` is not one that this list has given";
                Problem::with_detail(Code::InvalidParameter, detail)
            })?,
        };
        Ok(Self { size, after })
    }

    /// How many items a page has, by a parameter of this name.
    pub(crate) fn size(parameters: &Parameters, name: &str) -> Result<usize, Problem> {
        let Some(text) = parameters.get(name) else { return Ok(USUAL_PAGE) };
        let size = text.parse().ok().filter(|size| (SMALLEST_PAGE..=LARGEST_PAGE).contains(size));
        size.ok_or_else(|| {
            let detail = format!("`{name}` is a number from 1 to 100");
            Problem::with_detail(Code::InvalidParameter, detail)
        })
    }
}

/// The body of a command with everything around it.
pub(crate) struct Submission {
    method: Method,
    path: String,
    headers: HeaderMap,
    request: RequestId,
    body: Vec<u8>,
    pub(crate) origin: Origin,
}

impl<S: Send + Sync> FromRequest<S> for Submission {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        Self::read(parts, body).await
    }
}

impl Submission {
    async fn read(parts: Parts, body: Body) -> Result<Self, Problem> {
        Parameters::of(&parts.uri, &[])?;
        let body =
            to_bytes(body, LARGEST_BODY).await.map_err(|_| Problem::new(Code::PayloadTooLarge))?;
        let origin = Origin::of(&parts);
        // the whole path: what is nested sees only the end of it
        let whole = parts.extensions.get().map_or(&parts.uri, |OriginalUri(uri)| uri);
        let request =
            parts.extensions.get().copied().unwrap_or_else(|| RequestId::of(&parts.headers));
        Ok(Self {
            // the same command with and without `/v1` is one command
            path: whole.path().trim_start_matches("/v1").to_owned(),
            method: parts.method,
            headers: parts.headers,
            request,
            body: body.to_vec(),
            origin,
        })
    }

    /// The body as JSON; every way in which it can be wrong names its field.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if self.content_type() != "application/json" {
            return Err(Problem::new(Code::UnsupportedMediaType));
        }
        shape::of_body(&self.body)
    }

    /// What the body is said to be, without parameters, in lower case.
    pub(crate) fn content_type(&self) -> String {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        kind.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The same where a body may be left out: then it is an empty object.
    pub(crate) fn json_or_empty<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if self.body.is_empty() {
            return shape::of_body(b"{}");
        }
        self.json()
    }

    /// What a field of the body says, where that can be told before the body is checked.
    pub(crate) fn text(&self, field: &str) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        Some(body.get(field)?.as_str()?.to_owned())
    }

    /// The order of a caller who has signed in.
    pub(crate) fn order(
        &self,
        app: &App,
        caller: &Caller,
        organization: Option<OrganizationId>,
    ) -> Result<Order, Problem> {
        let by = &caller.principal;
        // a person is the same whether they come with a token or without
        let principal = by.account().map_or_else(|| by.token().map(|it| it.0), |it| Some(it.0));
        let principal = principal.unwrap_or_default();
        let organization = organization.map(|organization| organization.0);
        let organization = organization.as_ref().map_or(&[][..], |id| id.as_bytes());
        let (command, naming) = self.command(app, principal.as_bytes(), organization)?;
        let client = Some(caller.client.clone());
        let order = self.order_as(app, command, naming, by.actor(), client);
        let token = by.token();
        Ok(Order { token, precondition: etag::precondition(&self.method, &self.headers)?, ..order })
    }

    /// The operator's order.
    pub(crate) fn operator_order(&self, app: &App) -> Result<Order, Problem> {
        let (command, naming) = self.command(app, b"operator", &[])?;
        Ok(self.order_as(app, command, naming, Actor::Operator, None))
    }

    /// The order of somebody without an account, scoped to what stands for them.
    pub(crate) fn anonymous_order(&self, app: &App, principal: &[u8]) -> Result<Order, Problem> {
        let (command, naming) = self.command(app, principal, &[])?;
        Ok(self.order_as(app, command, naming, Actor::System, None))
    }

    /// An order that is never repeated, whatever its headers say.
    pub(crate) fn unkeyed_order(&self, app: &App, actor: Actor, client: Client) -> Order {
        self.order_as(app, fresh(), Naming::Fresh, actor, Some(client))
    }

    fn order_as(
        &self,
        app: &App,
        command: CommandId,
        naming: Naming,
        actor: Actor,
        client: Option<Client>,
    ) -> Order {
        let body = app.keyring.body_mac(&self.body);
        let request = self.request.0;
        let precondition = Precondition::None;
        Order { command, naming, body, request, actor, token: None, client, at: None, precondition }
    }

    fn command(
        &self,
        app: &App,
        principal: &[u8],
        organization: &[u8],
    ) -> Result<(CommandId, Naming), Problem> {
        let Some(key) = self.headers.get(IDEMPOTENCY_KEY) else {
            return Ok((fresh(), Naming::Fresh));
        };
        let key = key.to_str().map_err(|_| Problem::new(Code::InvalidIdempotencyKey))?;
        let bare = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
        if bare.is_empty() || bare.len() > 255 {
            return Err(Problem::new(Code::InvalidIdempotencyKey));
        }
        let method = self.method.as_str().as_bytes();
        let path = if organization.is_empty() { [&*self.path, ""] } else { within(&self.path) };
        let [what, of_one] = path.map(str::as_bytes);
        let scope = [principal, organization, method, what, of_one, bare.as_bytes()];
        Ok((app.keyring.command(&scope), Naming::Key))
    }
}

/// What of an organization a path means: the same under its id, its slug and no name at all, and
/// under both names that invitations have.
fn within(path: &str) -> [&str; 2] {
    let rest = match path.strip_prefix("/organizations/") {
        Some(named) => named.split_once('/').map_or("", |(_, rest)| rest),
        None => path.trim_start_matches("/organization").trim_start_matches('/'),
    };
    match rest.split_once('/').unwrap_or((rest, "")) {
        ("invites", of_one) => ["invitations", of_one],
        (what, of_one) => [what, of_one],
    }
}

fn fresh() -> CommandId {
    CommandId(random::uuid())
}

/// A caller and a body, authenticated before the body is looked at.
pub(crate) struct Authenticated<By = Caller>(pub(crate) By, pub(crate) Submission);

impl<By> FromRequest<Arc<App>> for Authenticated<By>
where
    By: FromRequestParts<Arc<App>, Rejection = Problem> + Send,
{
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        match By::from_request_parts(&mut parts, app).await {
            Ok(caller) => Ok(Self(caller, Submission::read(parts, body).await?)),
            Err(problem) => {
                // who is still writing when the connection closes never reads the refusal
                drop(to_bytes(body, LARGEST_BODY).await);
                Err(problem)
            }
        }
    }
}
