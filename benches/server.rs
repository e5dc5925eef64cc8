//! The real server in a process of its own, and whoever asks it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use events::id::AccountId;
use events::recorded::Position;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Clone)]
pub(crate) struct Owner {
    pub(crate) account: AccountId,
    pub(crate) token: String,
}

/// The real server on a free port.
#[derive(Clone)]
pub(crate) struct Server {
    child: std::sync::Arc<Process>,
    pub(crate) client: Client,
    pub(crate) url: String,
}

struct Process(std::sync::Mutex<Child>);

impl Drop for Process {
    fn drop(&mut self) {
        let child = self.0.get_mut().expect("nothing panics with the lock held");
        drop(child.kill());
        drop(child.wait());
    }
}

impl Server {
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// With these variables in its environment.
    pub(crate) fn start_with(data: &Path, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_chancery"))
            .args(["serve", "--listen", "127.0.0.1:0", "--rate-limits", "off", "--data"])
            .arg(data)
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("serves on ").map(|(_, url)| url.to_owned()));
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let url = url.expect("the server tells its address");
        let child = std::sync::Arc::new(Process(std::sync::Mutex::new(child)));
        Self { child, client: Client::new(), url }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.0.lock().expect("nothing panics with the lock held").id()
    }

    pub(crate) async fn registers(&self, email: &str) -> Owner {
        let body = json!({ "email": email, "name": "Member", "password": "a long enough phrase" });
        let nobody = Owner { account: AccountId(Uuid::nil()), token: String::new() };
        let answer = self.asks(Method::POST, "/v1/auth/register", &nobody, Some(&body)).await;
        let text = |value: &Value| value.as_str().expect("it is text").to_owned();
        let account = text(&answer["user"]["id"]).parse().expect("it is an id");
        Owner { account, token: text(&answer["token"]) }
    }

    pub(crate) async fn asks(
        &self,
        method: Method,
        path: &str,
        who: &Owner,
        body: Option<&Value>,
    ) -> Value {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if !who.token.is_empty() {
            request = request.bearer_auth(&who.token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.expect("the server answers");
        let status = answer.status();
        let text = answer.text().await.expect("an answer has a body");
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).expect("answers are JSON")
    }

    /// Waits until its read models have come to the end of the log.
    pub(crate) async fn is_ready(&self, who: &Owner, head: Position) {
        loop {
            let request = self.client.get(format!("{}/v1/auth/me", self.url));
            let request = request.bearer_auth(&who.token).header("at-least", head.to_string());
            if request.send().await.expect("the server answers").status().is_success() {
                return;
            }
        }
    }

    pub(crate) async fn stop(self) {
        let id = self.id().to_string();
        let status = Command::new("kill").args(["-s", "TERM", &id]).status();
        assert!(status.expect("`kill` is there").success(), "the process is there");
        drop(self.client);
        let ended = tokio::task::spawn_blocking(move || {
            let mut child = self.child.0.lock().expect("nothing panics with the lock held");
            child.wait().expect("it is ours")
        });
        assert!(ended.await.expect("waiting does not panic").success(), "it ends well");
    }
}
