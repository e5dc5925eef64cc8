//! An organization with 10 000 members and 100 000 events, on the real server: how long its stream
//! is folded when nobody remembers it, what that takes in memory, and how fast commands and pages
//! of members are afterwards.
//!
//! The newest thousand members are accounts that registered, so that a page opens real sealed
//! names and addresses; the others are in the log only. What a caller waits for is measured, one
//! request after the other.

#![expect(clippy::print_stdout, reason = "a table is what a bench is for")]

use std::path::Path;
use std::time::{Duration, Instant};

use chancery::event_log::{EventLog, Expected, NewEvent};
use events::chain::Link;
use events::id::{AccountId, InvitationId, SubjectId};
use events::invitation::{self, Links};
use events::membership;
use events::organization::Changed;
use events::permission::Role;
use events::personal::Personal;
use events::recorded::Position;
use events::stream::Stream;
use events::time::Time;
use line::Writer;
use memory::Memory;
use reqwest::Method;
use serde_json::json;
use server::Server;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use uuid::Uuid;

mod line;
mod memory;
mod server;

const MEMBERS: usize = 10_000;
const EVENTS: u64 = 100_000;
const REGISTERED: usize = 1000;
const REGISTERING: usize = 100;
const AT_ONCE: usize = 500;
/// Requests of each kind that are measured.
const REQUESTS: usize = 500;
const GOAL: Duration = Duration::from_millis(20);

fn main() {
    let runtime = Runtime::new().expect("a runtime starts");
    runtime.block_on(measure());
}

async fn measure() {
    let data = tempfile::tempdir().expect("a folder can be made");
    let server = Server::start(data.path());
    let started = Instant::now();
    let owner = server.registers("owner@example.org").await;
    let body = json!({ "name": "Large", "slug": "large" });
    let founded = server.asks(Method::POST, "/v1/organizations", &owner, Some(&body)).await;
    let stream = format!("organization-{}", founded["id"].as_str().expect("an id"));
    let stream: Stream = stream.parse().expect("it names a stream");
    let mut registered = Vec::with_capacity(REGISTERED);
    while registered.len() < REGISTERED {
        // more would be too many for the passwords that can be waiting to be hashed
        let mut registering = JoinSet::new();
        for number in registered.len()..registered.len() + REGISTERING {
            let server = server.clone();
            registering.spawn(async move {
                server.registers(&format!("member{number}@example.org")).await.account
            });
        }
        registered.extend(registering.join_all().await);
    }
    println!("{REGISTERED} registrations in {:.1} s", started.elapsed().as_secs_f64());
    server.stop().await;

    let started = Instant::now();
    let (bytes, head) = fill(&data.path().join("log.db"), stream, owner.account, &registered).await;
    let mega = |bytes: u64| bytes / 1_000_000;
    let took = started.elapsed().as_secs_f64();
    println!("{EVENTS} events, {} MB, appended in {took:.1} s", mega(bytes));

    let started = Instant::now();
    let server = Server::start(data.path());
    server.is_ready(&owner, head).await;
    println!("all read models after {:.1} s", started.elapsed().as_secs_f64());
    server.stop().await;

    // nothing is new to a server that starts again, so nobody has asked for the fold before
    let server = Server::start(data.path());
    server.is_ready(&owner, head).await;
    let (memory, started) = (Memory::of(server.id()), Instant::now());
    server.asks(Method::GET, "/v1/organizations/large/settings", &owner, None).await;
    let (took, grown) = (started.elapsed(), memory.grown());
    println!("cold fold: {:.2} s, {grown} MB more in memory", took.as_secs_f64());

    let mut took = Vec::with_capacity(REQUESTS);
    for number in 0..REQUESTS {
        let member = registered[number % registered.len()];
        let role = json!({ "role": if number % 2 == 0 { "member" } else { "developer" } });
        let path = format!("/v1/organizations/large/members/{member}");
        let started = Instant::now();
        server.asks(Method::PATCH, &path, &owner, Some(&role)).await;
        took.push(started.elapsed());
    }
    say("change of a role", took);
    for size in [20, 100] {
        let mut took = Vec::with_capacity(REQUESTS);
        let first = format!("/v1/organizations/large/members?page_size={size}");
        let mut path = first.clone();
        for _ in 0..REQUESTS {
            let started = Instant::now();
            let page = server.asks(Method::GET, &path, &owner, None).await;
            took.push(started.elapsed());
            let next = page["next_page_token"].as_str().expect("there is more");
            path = format!("{first}&page_token={next}");
            // those who are in the log only have nothing to open
            if page["members"][0]["user"]["email"].is_null() {
                path.clone_from(&first);
            }
        }
        say(&format!("page of {size} members"), took);
    }
    server.stop().await;
}

fn say(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |hundredth: usize| took[took.len() * hundredth / 100].as_secs_f64() * 1000.0;
    let verdict = if took[took.len() / 2] < GOAL { "" } else { "  missed" };
    println!("{what:24} {:6.2} ms, p99 {:6.2} ms, goal 20 ms{verdict}", at(50), at(99));
}

/// Goes on with a stream that has its first event: members first, those who registered last, and
/// then changes of roles. Gives the size of the lines and where the last one stands.
async fn fill(
    path: &Path,
    stream: Stream,
    owner: AccountId,
    registered: &[AccountId],
) -> (u64, Position) {
    let log = EventLog::sqlite(path).expect("the file opens");
    let stored = log.read_stream(&stream, 0, 1000).await.expect("it can be read");
    let last = stored.last().expect("the stream begins with its founding");
    let (next, prev) = (stored.len() as u64, Link::of_line(&last.line));
    let mut writer = Writer::new();
    (writer.stream, writer.owner, writer.next, writer.prev) = (stream, owner, next, prev);
    let unregistered = MEMBERS - 1 - registered.len();
    let others = (0..unregistered).map(|_| AccountId(Uuid::new_v4()));
    let members: Vec<AccountId> = others.chain(registered.iter().copied()).collect();
    let (mut lines, mut bytes) = (Vec::new(), 0);
    for member in &members {
        let invitation = InvitationId(member.0);
        let links = Links { copied: Link::FIRST, mailed: Link::FIRST };
        let sent = invitation::Event::Sent {
            invitation,
            invitee: SubjectId(member.0),
            role: Role::Developer,
            issue: 1,
            links,
            expires_at: Time::from_millis(1_790_000_000_000),
            email: Personal::known(SubjectId(member.0), "somebody@example.org"),
        };
        let role = Role::Developer;
        let joined = membership::Event::Joined {
            member: *member,
            role,
            invitation,
            is_address_proven: true,
        };
        lines.push(writer.write(sent.into()));
        lines.push(writer.write(joined.into()));
    }
    let mut is_lower = false;
    'all: loop {
        let (from, to) = (Role::Developer, Role::Member);
        let role = if is_lower { Changed { from: to, to: from } } else { Changed { from, to } };
        for member in &members {
            if writer.next == EVENTS {
                break 'all;
            }
            let changed = membership::Event::RoleChanged { member: *member, role: role.clone() };
            // now and then somebody renames the organization
            let is_renaming = writer.next.is_multiple_of(10);
            lines.push(if is_renaming { writer.line() } else { writer.write(changed.into()) });
        }
        is_lower = !is_lower;
    }
    let (mut version, mut head) = (next, Position::default());
    for lines in lines.chunks(AT_ONCE) {
        bytes += lines.iter().map(|line| (line.line.len() + line.sealed.len()) as u64).sum::<u64>();
        let lines: Vec<NewEvent> = lines.to_vec();
        let count = lines.len() as u64;
        let appended = log.append(&stream, Expected::after(version), lines).await;
        head = appended.expect("it fits").position;
        version += count;
    }
    log.close().await;
    (bytes, head)
}
