//! An organization with 100 000 events, on the real server: what a packet over all of them costs in
//! time and memory, to make, to take along and to verify; and what one entry costs with its proof.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chancery::event_log::{EventLog, Expected};
use events::chain::Link;
use events::id::AccountId;
use events::recorded::Position;
use events::stream::Stream;
use events::wire;
use reqwest::Method;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::line::Writer;
use crate::memory::Memory;
use crate::server::{Owner, Server};

const EVENTS: u64 = 100_000;
const AT_ONCE: usize = 500;
const PROOFS: u64 = 500;
const REPORTS: &str = "/v1/organizations/large/compliance-reports";

pub(crate) fn measure(runtime: &Runtime) {
    runtime.block_on(cost());
}

async fn cost() {
    let data = tempfile::tempdir().expect("a folder can be made");
    let data = data.path();
    let server = Server::start(data);
    let owner = server.registers("owner@example.org").await;
    let body = json!({ "name": "Large", "slug": "large" });
    let founded = server.asks(Method::POST, "/v1/organizations", &owner, Some(&body)).await;
    let organization = founded["id"].as_str().expect("an id").to_owned();
    let subscription = "/v1/organizations/large/compliance-subscriptions/soc2";
    server.asks(Method::PUT, subscription, &owner, Some(&json!({}))).await;
    server.stop().await;
    let stream: Stream = format!("organization-{organization}").parse().expect("it names a stream");
    let (bytes, head) = fill(&data.join("log.db"), stream, owner.account).await;
    let server = Server::start(data);
    server.is_ready(&owner, head).await;
    // the trees come a step behind, and the fold is made for whoever asks first
    let checkpoint = "/v1/organizations/large/audit-log/checkpoint";
    saves(&server, checkpoint, &owner, &data.join("checkpoint")).await;
    server.asks(Method::GET, "/v1/organizations/large/settings", &owner, None).await;
    println!("\na log of {EVENTS} events, {} MB", bytes / 1_000_000);

    let id = server.id();
    for number in 1..=3 {
        let memory = Memory::of(id);
        let (wanted, started) = (json!({ "framework": "soc2" }), Instant::now());
        let made = server.asks(Method::POST, REPORTS, &owner, Some(&wanted)).await;
        say(&format!("packet {number}, made"), started.elapsed(), &memory);
        let memory = Memory::of(id);
        let started = Instant::now();
        let path = format!("{REPORTS}/{}/bundle", made["report_id"].as_str().expect("an id"));
        let size = saves(&server, &path, &owner, &data.join("packet.zip")).await;
        let what = format!("packet {number}, bundle of {} MB taken along", size / 1_000_000);
        say(&what, started.elapsed(), &memory);
    }

    for (path, name) in [
        ("/.well-known/compliance-signing-keys", "keys.json"),
        ("/.well-known/log-keys", "log.txt"),
    ] {
        saves(&server, path, &owner, &data.join(name)).await;
    }
    let mut verify = chancery();
    verify.arg("verify").arg(data.join("packet.zip"));
    verify.arg("--packet-key").arg(data.join("keys.json"));
    verify.arg("--log-key").arg(data.join("log.txt"));
    run("chancery verify packet.zip", verify);
    proofs(&server, &owner).await;
    server.stop().await;
    let mut verify = chancery();
    verify.args(["log", "verify", "--data"]).arg(data);
    run("chancery log verify", verify);
}

/// Saves what is answered, as it comes, and says how large it is.
async fn saves(server: &Server, path: &str, who: &Owner, to: &Path) -> u64 {
    let request = server.client.get(format!("{}{path}", server.url)).bearer_auth(&who.token);
    let mut answer = request.send().await.expect("the server answers");
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    let (mut file, mut size) = (File::create(to).expect("the disk has room"), 0);
    while let Some(piece) = answer.chunk().await.expect("the answer is whole") {
        file.write_all(&piece).expect("the disk has room");
        size += piece.len() as u64;
    }
    size
}

/// One entry with its inclusion proof after the other.
async fn proofs(server: &Server, owner: &Owner) {
    let first = "/v1/organizations/large/audit-log?page_size=100";
    let (mut path, mut ids) = (first.to_owned(), Vec::new());
    while ids.len() < 500 {
        let page = server.asks(Method::GET, &path, owner, None).await;
        let entries = page["events"].as_array().expect("entries").clone();
        ids.extend(entries.iter().filter_map(|it| Some(it["id"].as_str()?.to_owned())));
        path = format!("{first}&page_token={}", page["next_page_token"].as_str().expect("more"));
    }
    let mut took = Vec::new();
    for id in ids.iter().cycle().take(usize::try_from(PROOFS).expect("few")) {
        let path = format!("/v1/organizations/large/audit-log/{id}");
        let started = Instant::now();
        server.asks(Method::GET, &path, owner, None).await;
        took.push(started.elapsed());
    }
    took.sort_unstable();
    let at = |hundredth: usize| took[took.len() * hundredth / 100].as_secs_f64() * 1000.0;
    println!(
        "{:46} {:6.2} ms, p99 {:6.2} ms",
        "an entry with its proof, over HTTP",
        at(50),
        at(99)
    );
}

fn say(what: &str, took: Duration, memory: &Memory) {
    println!("{what:46} {:6.2} s, {:4} MB more at most", took.as_secs_f64(), memory.grown());
}

fn chancery() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
    command.stdout(Stdio::null());
    command
}

fn run(what: &str, mut command: Command) {
    let started = Instant::now();
    let mut child = command.spawn().expect("it starts");
    let (memory, mut most) = (Memory::of(child.id()), 0);
    let status = loop {
        most = most.max(memory.grown());
        if let Some(status) = child.try_wait().expect("it is ours") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(status.success(), "{what}: everything is as it was made");
    println!("{what:46} {:6.2} s, {:4} MB more at most", started.elapsed().as_secs_f64(), most);
}

/// Goes on with a stream that has its first events. Gives the size of the lines and where the last
/// one stands.
async fn fill(path: &Path, stream: Stream, owner: AccountId) -> (u64, Position) {
    let log = EventLog::sqlite(path).expect("the file opens");
    let stored = log.read_stream(&stream, 0, 1000).await.expect("it can be read");
    let last = stored.last().expect("the stream begins with its founding");
    let mut writer = Writer::new();
    (writer.stream, writer.owner) = (stream, owner);
    writer.at = wire::head(&last.line).ok().map(|head| head.recorded_at);
    (writer.next, writer.prev) = (stored.len() as u64, Link::of_line(&last.line));
    let (mut bytes, mut head) = (0, Position::default());
    while writer.next < EVENTS {
        let expected = Expected::after(writer.next);
        let lines: Vec<_> = (0..AT_ONCE).map(|_| writer.line()).collect();
        bytes += lines.iter().map(|line| line.line.len() as u64).sum::<u64>();
        head = log.append(&stream, expected, lines).await.expect("nobody else appends").position;
    }
    log.close().await;
    (bytes, head)
}
