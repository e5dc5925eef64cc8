//! Callers in words: `ana.creates("acme")`, `ana.lists()`. Each speaks HTTP to one node.

use std::net::IpAddr;

use events::time::Time;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::server::Node;

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Somebody, with an account or without, who asks one node.
#[derive(Clone)]
pub(crate) struct Person {
    client: Client,
    url: String,
    pub(crate) email: String,
    pub(crate) token: Option<String>,
}

/// What a node answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn body(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.bytes)))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a header is text"))
    }

    /// The answer must be this one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        let body = String::from_utf8_lossy(&self.bytes);
        assert_eq!(self.status, status, "{body}");
        self
    }

    /// The answer must be this refusal; its code is given back for comparing.
    #[track_caller]
    pub(crate) fn refusal(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let body = self.body();
        assert_eq!(body["status"], self.status);
        (self.status, words(&body["code"]))
    }

    /// Where a command stands in the log.
    #[track_caller]
    pub(crate) fn position(&self) -> u64 {
        let position = self.header("position").unwrap_or_else(|| panic!("{self:?} has a position"));
        position.parse().expect("a position is a number")
    }

    pub(crate) fn is_replayed(&self) -> bool {
        self.header("idempotency-replayed") == Some("true")
    }
}

/// An audit entry without the proof that only its own address carries.
pub(crate) fn unproven(mut entry: Value) -> Value {
    let proof = entry.as_object_mut().expect("an entry").remove("proof");
    assert!(proof.is_some_and(|proof| proof["line"].is_string()), "{entry} is proven");
    entry
}

/// The text of a JSON string.
#[track_caller]
pub(crate) fn words(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is a string")).to_owned()
}

/// A request being put together.
pub(crate) struct Ask(pub(crate) RequestBuilder);

impl Ask {
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.with("idempotency-key", key)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        Self(self.0.json(body))
    }

    pub(crate) fn bytes(self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self(self.0.header("content-type", kind).body(body.into()))
    }

    pub(crate) async fn answer(self) -> Answer {
        self.try_answer().await.expect("the node answers")
    }

    pub(crate) async fn try_answer(self) -> Result<Answer, reqwest::Error> {
        let response = self.0.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let kind = headers.get("content-type").map(|kind| kind.to_str().expect("it is text"));
        if kind == Some("text/event-stream") {
            // it does not end: what it begins with is the answer
            return Ok(Answer { status, headers, bytes: Vec::new() });
        }
        Ok(Answer { status, headers, bytes: response.bytes().await?.to_vec() })
    }
}

impl Person {
    /// Somebody without an account.
    pub(crate) fn stranger(node: &Node) -> Self {
        let url = node.url().to_owned();
        Self { client: Client::new(), url, email: String::new(), token: None }
    }

    /// Whoever runs the installation.
    pub(crate) fn operator(node: &Node, token: String) -> Self {
        Self { token: Some(token), ..Self::stranger(node) }
    }

    /// Moves the clock; gives the time it shows then.
    pub(crate) async fn advances(&self, span: &str) -> Time {
        let answer = self.posts("/v1/admin/clock", &json!({ "advance": span })).answer().await;
        words(&answer.expect(200).body()["now"]).parse().expect("it is a time")
    }

    /// Somebody who has this address, signed in nowhere.
    pub(crate) fn with_address(node: &Node, email: &str) -> Self {
        Self { email: email.to_owned(), ..Self::stranger(node) }
    }

    /// Registers `<name>@example.org`.
    pub(crate) async fn registers(node: &Node, name: &str) -> Self {
        let person = Self::with_address(node, &format!("{name}@example.org"));
        let body = json!({ "email": person.email, "password": PASSWORD, "name": name });
        let answer = person.posts("/v1/auth/register", &body).answer().await;
        person.with_token_of(&answer.expect(201))
    }

    /// The same person with the session that this answer began.
    pub(crate) fn with_token_of(&self, answer: &Answer) -> Self {
        self.with_token(Some(words(&answer.body()["token"])))
    }

    /// The same person with this token, or with none.
    pub(crate) fn with_token(&self, token: Option<String>) -> Self {
        Self { token, ..self.clone() }
    }

    /// The same person, from another address of this machine.
    pub(crate) fn from(&self, address: IpAddr) -> Self {
        let client = Client::builder().local_address(address).build().expect("it is an address");
        Self { client, ..self.clone() }
    }

    /// Has the account erased.
    pub(crate) fn erases(&self) -> Ask {
        self.deletes("/v1/account").json(&json!({ "password": PASSWORD }))
    }

    /// The same person, asking another node.
    pub(crate) fn at(&self, node: &Node) -> Self {
        self.at_url(node.url())
    }

    pub(crate) fn at_url(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// The same person, signed in once more.
    pub(crate) async fn signs_in(&self) -> Answer {
        let body = json!({ "email": self.email, "password": PASSWORD });
        Self { token: None, ..self.clone() }.posts("/v1/auth/login", &body).answer().await
    }

    pub(crate) fn asks(&self, method: Method, path: &str) -> Ask {
        let request = self.client.request(method, format!("{}{path}", self.url));
        Ask(match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    pub(crate) fn gets(&self, path: &str) -> Ask {
        self.asks(Method::GET, path)
    }

    /// The same with address and password instead of the session.
    pub(crate) fn gets_by_password(&self, path: &str) -> Ask {
        let request = self.client.get(format!("{}{path}", self.url));
        Ask(request.basic_auth(&self.email, Some(PASSWORD)))
    }

    pub(crate) fn posts(&self, path: &str, body: &Value) -> Ask {
        self.asks(Method::POST, path).json(body)
    }

    pub(crate) fn puts(&self, path: &str, body: &Value) -> Ask {
        self.asks(Method::PUT, path).json(body)
    }

    pub(crate) fn patches(&self, path: &str, body: &Value) -> Ask {
        self.asks(Method::PATCH, path).json(body)
    }

    pub(crate) fn deletes(&self, path: &str) -> Ask {
        self.asks(Method::DELETE, path)
    }

    /// Invites somebody with this role, who accepts.
    pub(crate) async fn takes_in(&self, other: &Self, slug: &str, role: &str) {
        let sent = self.invites(slug, &other.email, role).await;
        let joined = other.accepts(&secret_of(&sent.body())).await.expect(200);
        other.sees(joined).await;
    }

    /// The id of the person's account.
    pub(crate) async fn id(&self) -> String {
        words(&self.gets("/v1/auth/me").answer().await.expect(200).body()["id"])
    }

    /// Where a member of an organization is found.
    pub(crate) async fn as_member_of(&self, slug: &str) -> String {
        format!("/v1/organizations/{slug}/members/{}", self.id().await)
    }

    pub(crate) async fn creates(&self, slug: &str) -> Answer {
        let body = json!({ "name": slug, "slug": slug });
        let created = self.posts("/v1/organizations", &body).answer().await.expect(201);
        self.sees(created).await
    }

    /// An answer may come before the read models, and says so: on a busy machine they take longer
    /// than a command waits for them. What is asked for next must show it.
    async fn sees(&self, done: Answer) -> Answer {
        if done.header("caught-up").is_some() {
            self.waits_for(done.position()).await;
        }
        done
    }

    pub(crate) async fn renames(&self, slug: &str, name: &str) -> Answer {
        let path = format!("/v1/organizations/{slug}");
        let renamed = self.patches(&path, &json!({ "name": name })).answer().await.expect(200);
        self.sees(renamed).await
    }

    pub(crate) fn invite(&self, slug: &str, email: &str, role: &str) -> Ask {
        let path = format!("/v1/organizations/{slug}/invitations");
        self.posts(&path, &json!({ "email": email, "role": role }))
    }

    pub(crate) async fn invites(&self, slug: &str, email: &str, role: &str) -> Answer {
        let invited = self.invite(slug, email, role).answer().await.expect(201);
        self.sees(invited).await
    }

    /// Reports what was seen of a database.
    pub(crate) async fn reports(&self, database: &str, report: &Value) -> Answer {
        let path = format!("/v1/provisioner/databases/{database}/status");
        self.posts(&path, report).answer().await
    }

    pub(crate) async fn accepts(&self, secret: &str) -> Answer {
        self.posts("/v1/invitations/accept", &json!({ "token": secret })).answer().await
    }

    pub(crate) async fn declines(&self, secret: &str) -> Answer {
        self.posts("/v1/invitations/decline", &json!({ "token": secret })).answer().await
    }

    /// Makes a token of one's own in an organization; `kind` can also be `organization`.
    pub(crate) async fn makes_token(&self, slug: &str, kind: &str, scopes: &[&str]) -> Answer {
        let body = json!({ "token_name": "made", "kind": kind, "scopes": scopes });
        let path = format!("/v1/organizations/{slug}/tokens");
        self.posts(&path, &body).answer().await.expect(201)
    }

    /// Registers `<name>@example.org`, and is taken in by a member of an organization.
    pub(crate) async fn joins(
        node: &Node,
        name: &str,
        inviter: &Self,
        slug: &str,
        role: &str,
    ) -> Self {
        let person = Self::registers(node, name).await;
        inviter.takes_in(&person, slug, role).await;
        person
    }

    pub(crate) async fn shows(&self, slug: &str) -> Value {
        self.gets(&format!("/v1/organizations/{slug}")).answer().await.expect(200).body()
    }

    /// Waits until reads show this position. After a crash a node comes to it only when the lease
    /// of the one that died has run out.
    pub(crate) async fn waits_for(&self, position: u64) {
        for _ in 0..8 {
            let ask = self.gets("/v1/auth/me").with("at-least", &position.to_string());
            let answer = ask.answer().await;
            if answer.status == 200 {
                return;
            }
            assert_eq!(answer.refusal(), (503, "not_caught_up".to_owned()));
        }
        panic!("nobody brings the read models to {position}");
    }

    /// The slugs of all organizations, page by page.
    pub(crate) async fn lists(&self) -> Vec<String> {
        let all = self.pages("/v1/organizations?page_size=100", "organizations").await;
        all.iter().map(|organization| words(&organization["slug"])).collect()
    }

    /// What happened to an organization, oldest first.
    pub(crate) async fn history(&self, slug: &str) -> Vec<String> {
        let path = format!("/v1/organizations/{slug}/audit-log?page_size=100");
        let all = self.pages(&path, "events").await;
        all.iter().rev().map(|event| words(&event["action"])).collect()
    }

    /// Every item of a list, following its links.
    pub(crate) async fn pages(&self, path: &str, plural: &str) -> Vec<Value> {
        let (mut items, mut next) = (Vec::new(), Some(path.to_owned()));
        while let Some(path) = next {
            let answer = self.gets(&path).answer().await.expect(200);
            items.extend(answer.body()[plural].as_array().expect("a list").clone());
            next = next_link(&answer);
        }
        items
    }
}

/// The secret in the link that an invitation shows.
#[track_caller]
pub(crate) fn secret_of(invitation: &Value) -> String {
    let url = words(&invitation["accept_url"]);
    url.rsplit('/').next().expect("there is always a last part").to_owned()
}

/// The path of the next page.
pub(crate) fn next_link(answer: &Answer) -> Option<String> {
    let link = answer.header("link")?;
    let path = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
    Some(path.unwrap_or_else(|| panic!("{link} is a link to the next page")).to_owned())
}
