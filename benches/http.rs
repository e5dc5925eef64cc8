//! Commands and reads through the real server, beside a bare axum server that gives the same
//! answers to the same requests. Both are processes of their own; one lean client asks both.
//!
//! Rates move with whatever else the machine does. The processor time that each server spends on a
//! request, which is printed below them, moves much less. An argument chooses the lines that have
//! it in their name.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use connection::Connection;
use rounds::{compare, length, say, title};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

mod connection;
mod processor;
mod rounds;

const CONNECTIONS: usize = 32;
/// The argument that makes this program the bare server.
const BARE: &str = "bare-server";

fn main() {
    let runtime = Runtime::new().expect("a runtime starts");
    if std::env::args().any(|argument| argument == BARE) {
        return runtime.block_on(serve_bare());
    }
    let data = tempfile::tempdir().expect("a folder can be made");
    let ours = Server::start(
        Command::new(env!("CARGO_BIN_EXE_chancery"))
            .args(["serve", "--listen", "127.0.0.1:0", "--rate-limits", "off", "--data"])
            .arg(data.path())
            .env_remove("CHANCERY_BENCH_SECONDS"),
    );
    let this = std::env::current_exe().expect("this program is a file");
    let raw = Server::start(Command::new(this).arg(BARE));
    let accounts = runtime.block_on(accounts(&ours.address));
    let all: Vec<Template> = accounts.iter().map(Account::rename).collect();
    let one = vec![all[0].clone(); CONNECTIONS];
    let reads: Vec<Template> = accounts.iter().map(Account::show).collect();
    let one_read = vec![reads[0].clone(); CONNECTIONS];
    let probes: Vec<Template> = accounts.iter().map(Account::me).collect();

    title("HTTP, SQLite: requests over 32 connections; raw: a bare axum server");
    let chosen: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let mut costs = Vec::new();
    let mut measure = |name: &str, goal, templates: &[Template]| {
        if !chosen.is_empty() && !chosen.iter().any(|part| name.contains(part.as_str())) {
            return;
        }
        let (mut raw_took, mut ours_took) = (Vec::new(), Vec::new());
        let before = (raw.processor_time(), ours.processor_time());
        let ask_raw = |()| runtime.block_on(ask_all(&raw.address, templates, &mut raw_took));
        let ask_ours = |()| runtime.block_on(ask_all(&ours.address, templates, &mut ours_took));
        compare(name, goal, || (), ask_raw, ask_ours);
        let raw_cost = cost(raw.processor_time().saturating_sub(before.0), raw_took);
        let ours_cost = cost(ours.processor_time().saturating_sub(before.1), ours_took);
        costs.push(format!("{name:46} {raw_cost} | {ours_cost}"));
    };
    measure("rename, 32 organizations", Some(0.15), &all);
    measure("rename, one organization", None, &one);
    measure("read, 32 organizations", Some(0.4), &reads);
    measure("read, one organization", None, &one_read);
    measure("who am I, by 32 API tokens", Some(0.4), &probes);
    say("\nmilliseconds, p50 / p99, and microseconds of processor time each: raw | ours");
    for line in costs {
        say(&line);
    }
}

/// How long requests took, and the server's processor time for each.
fn cost(spent: Duration, mut took: Vec<u32>) -> String {
    took.sort_unstable();
    let at = |hundredth: usize| {
        let micros = took.get(took.len() * hundredth / 100).copied().unwrap_or_default();
        f64::from(micros) / 1000.0
    };
    let count = f64::from(u32::try_from(took.len()).expect("rounds are short"));
    let each = spent.as_secs_f64() * 1e6 / count;
    format!("{:6.2} / {:6.2} {each:6.0}", at(50), at(99))
}

struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts a server that tells its address on standard error.
    fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the server starts");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("serves on http://").map(|(_, rest)| rest.to_owned()));
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { child, address: address.expect("the server tells its address") }
    }

    fn processor_time(&self) -> Duration {
        processor::time_of(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A request, and where in it the eight digits stand that make each one different.
#[derive(Clone)]
struct Template {
    bytes: Vec<u8>,
    digits: Option<usize>,
}

const DIGITS: &str = "00000000";

/// All connections ask for one round; how often in a second, together.
async fn ask_all(address: &str, templates: &[Template], took: &mut Vec<u32>) -> f64 {
    let mut connections = JoinSet::new();
    let started = Instant::now();
    let until = started + length();
    for (number, template) in templates.iter().enumerate() {
        let mut connection = Connection::open(address).await;
        let Template { mut bytes, digits } = template.clone();
        connections.spawn(async move {
            let mut took = Vec::new();
            let mut text = String::new();
            // no round, and no connection, sends a name that another has just sent
            let mut name = number * 1_000_000 + usize::try_from(std::process::id()).unwrap_or(0);
            while Instant::now() < until {
                if let Some(at) = digits {
                    name += 1;
                    text.clear();
                    write!(text, "{:08}", name % 100_000_000).expect("a string takes it");
                    bytes[at..at + DIGITS.len()].copy_from_slice(text.as_bytes());
                }
                let asked = Instant::now();
                let (status, body) = connection.ask(&bytes).await;
                assert_eq!(status, 200, "{}", String::from_utf8_lossy(body));
                took.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            took
        });
    }
    let all = connections.join_all().await.concat();
    let rate = f64::from(u32::try_from(all.len()).expect("a round is short"));
    let rate = rate / started.elapsed().as_secs_f64();
    took.extend(all);
    rate
}

/// Somebody with an organization.
struct Account {
    token: String,
    organization: String,
    api_token: String,
}

impl Account {
    fn rename(&self) -> Template {
        let body = format!("{{\"name\":\"Name {DIGITS}\"}}");
        let Self { token, organization, .. } = self;
        let bytes = format!(
            "PATCH /v1/organizations/{organization} HTTP/1.1\r\nhost: bench\r\n\
             authorization: Bearer {token}\r\nuser-agent: bench\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes();
        let digits = Some(bytes.len() - DIGITS.len() - 2);
        Template { bytes, digits }
    }

    fn show(&self) -> Template {
        let Self { token, organization, .. } = self;
        let text = format!(
            "GET /v1/organizations/{organization} HTTP/1.1\r\nhost: bench\r\n\
             authorization: Bearer {token}\r\nuser-agent: bench\r\n\r\n"
        );
        Template { bytes: text.into_bytes(), digits: None }
    }

    fn me(&self) -> Template {
        let Self { api_token, .. } = self;
        let text = format!(
            "GET /v1/auth/me HTTP/1.1\r\nhost: bench\r\n\
             authorization: Bearer {api_token}\r\nuser-agent: bench\r\n\r\n"
        );
        Template { bytes: text.into_bytes(), digits: None }
    }
}

async fn accounts(address: &str) -> Vec<Account> {
    let address: Arc<str> = address.into();
    let mut made = JoinSet::new();
    for number in 0..CONNECTIONS {
        let address = Arc::clone(&address);
        made.spawn(async move {
            let mut connection = Connection::open(&address).await;
            let body = format!(
                "{{\"email\":\"bench{number}@example.org\",\"name\":\"Bench\",\
                 \"password\":\"a long enough passphrase\"}}"
            );
            let registered = post(&mut connection, "/v1/auth/register", "", &body).await;
            let token = registered["token"].as_str().expect("a token").to_owned();
            let authorization = format!("authorization: Bearer {token}\r\n");
            let body = format!(
                "{{\"name\":\"Bench\",\"slug\":\"bench-{number}\",\"country\":\"DE\",\
                 \"billing_email\":\"billing{number}@example.org\"}}"
            );
            let founded = post(&mut connection, "/v1/organizations", &authorization, &body).await;
            let organization = founded["id"].as_str().expect("an id").to_owned();
            let body = format!("{{\"token_name\":\"bench\",\"organization\":\"{organization}\"}}");
            let made = post(&mut connection, "/v1/auth/tokens", &authorization, &body).await;
            let api_token = made["token"].as_str().expect("a token").to_owned();
            Account { token, organization, api_token }
        });
    }
    made.join_all().await
}

async fn post(connection: &mut Connection, path: &str, headers: &str, body: &str) -> Value {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\n{headers}content-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    let (status, body) = connection.ask(request.as_bytes()).await;
    assert_eq!(status, 201, "{}", String::from_utf8_lossy(body));
    serde_json::from_slice(body).expect("answers are JSON")
}

/// The members of the real answer.
#[derive(Serialize)]
struct Organization {
    id: String,
    name: String,
    slug: &'static str,
    is_personal: bool,
    role: &'static str,
    plan: &'static str,
    owner_id: &'static str,
    member_count: u64,
    database_count: u64,
    country: Option<&'static str>,
    created_at: &'static str,
    status: &'static str,
    billing_email: Option<&'static str>,
}

impl Organization {
    fn new(id: String, name: String) -> Self {
        Self {
            id,
            name,
            slug: "bench-12",
            is_personal: false,
            role: "owner",
            plan: "unlimited",
            owner_id: "usr_01h2xcejqtf2nbrexx3vqjhp41",
            member_count: 1,
            database_count: 0,
            country: Some("DE"),
            created_at: "2026-01-31T09:30:00.000Z",
            status: "active",
            billing_email: Some("billing12@example.org"),
        }
    }
}

/// The members of the real answer.
#[derive(Serialize)]
struct Me {
    id: &'static str,
    email: &'static str,
    name: &'static str,
    company: Option<&'static str>,
    two_factor_enabled: bool,
    email_verified_at: Option<&'static str>,
    created_at: &'static str,
    active_organization: &'static str,
}

impl Me {
    fn new() -> Self {
        Self {
            id: "usr_01h2xcejqtf2nbrexx3vqjhp41",
            email: "bench12@example.org",
            name: "Bench",
            company: None,
            two_factor_enabled: false,
            email_verified_at: None,
            created_at: "2026-01-31T09:30:00.000Z",
            active_organization: "org_01h2xcejqtf2nbrexx3vqjhp41",
        }
    }
}

#[derive(Deserialize)]
struct Rename {
    name: String,
}

#[expect(clippy::print_stderr, reason = "the address is told as the real server tells it")]
async fn serve_bare() {
    let show = async |Path(id): Path<String>| Json(Organization::new(id, "Bench".to_owned()));
    let rename = async |Path(id): Path<String>, Json(rename): Json<Rename>| {
        Json(Organization::new(id, rename.name))
    };
    let me = async || Json(Me::new());
    let router = Router::new()
        .route("/v1/organizations/{org}", get(show).patch(rename))
        .route("/v1/auth/me", get(me));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    eprintln!("bare serves on http://{}", listener.local_addr().expect("it is bound"));
    axum::serve(listener, router).await.expect("it serves until it is killed");
}
