//! Usage told by many senders at once, in every form and some of it again, over a network that cuts
//! them off and to a server that is killed again and again; who gets no answer sends the same again. The
//! totals are what the senders know, and what somebody counts in the log who shares no code with us.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use events::stream::Stream;
use events::time::{DAY, Time};
use events::wire;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cut_off::PLACES;
use crate::cuts::Cuts;
use crate::dice::Dice;
use crate::operations::has_payment_method;
use crate::oracle::read_everything;
use crate::people::{Answer, Ask, Person, words};
use crate::server::{Installation, Node, on_every_store, text};

on_every_store! {
    whatever_is_cut_off_or_killed_counts_once
}

const SENDERS: usize = 16;
const EVENTS: &str = "/v1/organizations/acme/usage/events";
/// A server is killed about so often.
const KILLS: usize = 15;
/// Events of a batch, at most.
const BATCH: usize = 150;

/// How many events are told, repeats included: 5 000, or as `CHANCERY_TEST_EVENTS` says.
fn count() -> usize {
    let count = std::env::var("CHANCERY_TEST_EVENTS").ok();
    count.map_or(5_000, |text| text.parse().expect("CHANCERY_TEST_EVENTS is a number"))
}

/// A database with its project.
struct Database {
    id: String,
    project: Option<String>,
}

async fn databases(ana: &Person) -> Vec<Database> {
    let mut projects = vec![None];
    for name in ["shop", "blog"] {
        let body = json!({ "name": name, "region": "fsn1" });
        let made = ana.posts("/v1/organizations/acme/projects", &body).answer().await.expect(201);
        projects.push(Some(words(&made.body()["id"])));
    }
    let mut databases = Vec::new();
    for number in 0..3 {
        let project = projects[number % projects.len()].clone();
        let name = format!("database-{number}");
        let body = json!({
            "name": name, "database_type": "postgresql", "region": "fsn1", "project_id": project,
        });
        let made = ana.posts("/v1/organizations/acme/databases", &body).answer().await.expect(201);
        databases.push(Database { id: words(&made.body()["id"]), project });
    }
    databases
}

/// What is told: of ten events three repeat one of the others, and one in a hundred says something else
/// under the name of another.
fn told(count: usize, databases: &[Database], now: Time, dice: &mut Dice) -> Vec<Value> {
    let (repeats, reused) = (count * 3 / 10, count / 100);
    let mut events: Vec<Value> = (0..count - repeats - reused)
        .map(|number| {
            let (kind, value) = match dice.of(10) {
                0..4 => ("queries", json!(dice.of(5_000))),
                4..8 => ("bytes_transferred", json!(dice.of(10_000_000_000))),
                8 if dice.of(2) == 0 => ("storage_bytes", json!(dice.of(10_000_000_000))),
                8 => ("backup_bytes", json!(dice.of(10_000_000_000))),
                _ => ("query_shape", json!(format!("select {} from it", dice.of(40)))),
            };
            let ago = i64::try_from(dice.of(34 * 24 * 3_600_000)).expect("34 days are few");
            json!({
                "specversion": "1.0", "id": format!("{number}"), "type": kind,
                "source": format!("//proxy.example.com/{}", dice.of(4)),
                "time": Time::from_millis(now.millis() - ago).to_string(),
                "data": { "database_id": databases[dice.of(databases.len())].id, "value": value },
            })
        })
        .collect();
    let different = events.len();
    for _ in 0..repeats {
        events.push(events[dice.of(different)].clone());
    }
    for _ in 0..reused {
        let mut event = events[dice.of(different)].clone();
        event["type"] = json!("queries");
        event["data"]["value"] = json!(1_000_000 + dice.of(1000));
        events.push(event);
    }
    dice.shuffle(&mut events);
    events
}

/// Requests of one sender, each with the events that it tells.
fn requests(mut events: Vec<Value>, dice: &mut Dice) -> Vec<Vec<Value>> {
    let mut requests = Vec::new();
    while !events.is_empty() {
        let size = if dice.of(2) == 0 { 1 } else { 1 + dice.of(BATCH) };
        let rest = events.split_off(size.min(events.len()));
        requests.push(std::mem::replace(&mut events, rest));
    }
    requests
}

fn ask(by: &Person, events: &[Value], form: usize) -> Ask {
    match events {
        [event] if form == 0 => {
            let body = serde_json::to_vec(event).unwrap();
            by.asks(Method::POST, EVENTS).bytes("application/cloudevents+json", body)
        }
        [event] if form == 1 => {
            let names = ["specversion", "id", "source", "type", "time"];
            names.into_iter().fold(by.posts(EVENTS, &event["data"]), |ask, name| {
                ask.with(&format!("ce-{name}"), event[name].as_str().unwrap())
            })
        }
        events => {
            let body = serde_json::to_vec(events).unwrap();
            by.asks(Method::POST, EVENTS).bytes("application/cloudevents-batch+json", body)
        }
    }
}

/// What the senders know of one event: what counts under its name.
struct Known {
    event: Value,
    /// Whether somebody was told that it was the first.
    is_accepted: bool,
}

/// What all senders know together.
#[derive(Default)]
struct Knowledge {
    events: HashMap<(String, String), Known>,
    /// What was refused, because something else counts under its name.
    refused: Vec<Value>,
    position: u64,
}

fn name(event: &Value) -> (String, String) {
    (words(&event["source"]), words(&event["id"]))
}

impl Knowledge {
    fn learn(&mut self, told: &[Value], answer: &Answer) {
        self.position = self.position.max(answer.position());
        let body = answer.body();
        let slots = body["events"].as_array().unwrap();
        assert_eq!(slots.len(), told.len());
        for (event, slot) in told.iter().zip(slots) {
            assert_eq!((&slot["id"], &slot["source"]), (&event["id"], &event["source"]));
            let is_accepted = slot["status"] == "accepted";
            if slot["status"] == "rejected" {
                assert_eq!(slot["reason"], "id_reused");
                self.refused.push(event.clone());
                continue;
            }
            let fresh = || Known { event: event.clone(), is_accepted: false };
            let known = self.events.entry(name(event)).or_insert_with(fresh);
            assert_eq!(known.event, *event, "one thing counts under one name");
            assert!(!(known.is_accepted && is_accepted), "{event} was accepted twice");
            known.is_accepted |= is_accepted;
        }
    }
}

/// How far the senders are.
#[derive(Clone, Copy, Default)]
struct Progress {
    answered: usize,
    /// Senders who have told everything.
    ready: usize,
}

async fn tells_everything(
    by: Person,
    requests: Vec<Vec<Value>>,
    mut dice: Dice,
    knowledge: Arc<Mutex<Knowledge>>,
    progress: watch::Sender<Progress>,
) {
    for events in requests {
        let form = dice.of(3);
        loop {
            match ask(&by, &events, form).try_answer().await {
                Ok(answer) if answer.status == 200 => {
                    knowledge.lock().unwrap().learn(&events, &answer);
                    break;
                }
                Ok(answer) if answer.status < 500 => panic!("{answer:?}"),
                Ok(_) | Err(_) => {}
            }
        }
        progress.send_modify(|progress| progress.answered += 1);
    }
    progress.send_modify(|progress| progress.ready += 1);
}

/// Does not end, unless one of the senders has found something wrong.
async fn are_well(senders: &mut JoinSet<()>) -> Infallible {
    while let Some(ended) = senders.join_next().await {
        ended.unwrap();
    }
    std::future::pending().await
}

/// Kills one server after the other, at a place where that hurts or anywhere, until all is told.
async fn kills(on: &Installation, cuts: &Cuts, each: usize, progress: &watch::Sender<Progress>) {
    let mut dice = Dice::new(3);
    let places: Vec<&str> =
        PLACES.into_iter().chain(["read.advancing"]).filter(|place| on.passes(place)).collect();
    let mut progress = progress.subscribe();
    loop {
        let (place, after) = (places[dice.of(places.len())], 1 + dice.of(2 * each));
        let times = after.to_string();
        let is_anywhere = dice.of(3) == 0;
        let failing = [("CHANCERY_FAIL_POINT", place), ("CHANCERY_FAIL_AFTER", times.as_str())];
        let clock = [("CHANCERY_TEST_CLOCK", "on")];
        let failing = [&clock[..], &failing[..]].concat();
        let node = on.launch(0, if is_anywhere { &clock } else { &failing }).serving().await;
        cuts.lead_to(Some(node.address()));
        let until = progress.borrow().answered + after;
        let there = format!("reached {place}");
        tokio::select! {
            _ = node.until_it_says(&there) => {}
            _ = progress.wait_for(|now| {
                now.ready == SENDERS || is_anywhere && now.answered >= until
            }) => {}
        }
        cuts.lead_to(None);
        node.kill();
        if progress.borrow().ready == SENDERS {
            return;
        }
    }
}

async fn whatever_is_cut_off_or_killed_counts_once(on: Installation) {
    let node = on.start_with_clock(0).await;
    let operator = Person::operator(&node, on.operator_token());
    let ana = Person::registers(&node, "ana").await;
    let organization = words(&ana.creates("acme").await.body()["id"]);
    has_payment_method(&ana, "acme").await;
    let plan = json!({ "plan": "starter" });
    ana.puts("/v1/organizations/acme/plan", &plan).answer().await.expect(200);
    let databases = databases(&ana).await;
    // what is told then is late for a month that is closed, too
    let now = operator.advances("40d").await;
    let ana = ana.with_token_of(&ana.signs_in().await.expect(200));
    node.stop().await;

    let mut dice = Dice::new(7);
    let events = told(count(), &databases, now, &mut dice);
    let cuts = Cuts::after(100_000, dice.another()).await;
    let (knowledge, progress) = (Arc::<Mutex<Knowledge>>::default(), watch::Sender::default());
    let mut telling = JoinSet::new();
    let mut all = 0;
    for events in events.chunks(events.len().div_ceil(SENDERS)) {
        let requests = requests(events.to_vec(), &mut dice);
        all += requests.len();
        let (by, knowledge) = (ana.at_url(&cuts.url), Arc::clone(&knowledge));
        let progress = watch::Sender::clone(&progress);
        telling.spawn(tells_everything(by, requests, dice.another(), knowledge, progress));
    }
    tokio::select! {
        () = kills(&on, &cuts, all.div_ceil(KILLS), &progress) => {}
        never = are_well(&mut telling) => match never {},
    }
    while let Some(ended) = telling.join_next().await {
        ended.unwrap();
    }
    assert!(cuts.count() > 0, "connections were cut");

    let knowledge = Arc::into_inner(knowledge).expect("all senders have ended");
    let knowledge = knowledge.into_inner().unwrap();
    for refused in &knowledge.refused {
        assert_ne!(knowledge.events[&name(refused)].event, *refused);
    }
    let names: BTreeSet<_> = events.iter().map(name).collect();
    assert_eq!(names.len(), knowledge.events.len(), "something counts under each name");
    let expected = totals(&knowledge, &databases);
    let node = on.start_with_clock(0).await;
    assert_eq!(shown(&ana.at(&node), now, knowledge.position).await, expected);
    let export = billed(&node, &operator.at(&node), &ana.at(&node), now).await;
    node.stop().await;
    on.assert_no_difference();
    invoices_follow(&on, export);
    let counted = counted(&on, &organization).await;
    for group in ["days", "projects", "databases"] {
        assert_eq!(counted[group], expected[group]);
    }
    // `counted["months"]` is what the invoices of these months must bill
    let months = counted["months"].as_object().unwrap();
    for (of_month, of_day) in
        [("queries", "queries_total"), ("bytes_transferred", "bytes_transferred")]
    {
        let billed: u64 =
            months.values().map(|month| month[of_month]["sum"].as_u64().unwrap()).sum();
        let days = expected["days"].as_object().unwrap().values();
        assert_eq!(billed, days.map(|day| day[of_day].as_u64().unwrap()).sum::<u64>());
    }
}

/// Ends the month, and gives what the organization takes along.
async fn billed(node: &Node, operator: &Person, ana: &Person, now: Time) -> Vec<u8> {
    let over = now.until(now.month().1) + Duration::from_hours(2);
    operator.advances(&format!("{}s", over.as_secs())).await;
    let ana = ana.at(node).with_token_of(&ana.signs_in().await.expect(200));
    let listed = ana.pages("/v1/organizations/acme/invoices", "invoices").await;
    let path = format!("/v1/organizations/acme/invoices/{}", words(&listed[1]["id"]));
    let last = ana.gets(&path).answer().await.expect(200).body();
    let lines = last["lines"].as_array().unwrap();
    assert!(lines.iter().any(|line| line["kind"] == "transfer" && line["is_adjustment"] == true));
    ana.gets("/v1/organizations/acme/export").answer().await.expect(200).bytes
}

/// The invoices are computed again, by the program and by somebody who shares no code with it.
fn invoices_follow(on: &Installation, export: Vec<u8>) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&export).unwrap();
    let path = file.path().display().to_string();
    let again = on.run(&["billing", "recompute", "--file", &path, "--json"]);
    assert!(again.status.success(), "{}", text(&again.stderr));
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    let independent = computed_apart(file.path());
    let pairs = again.as_array().unwrap().iter().zip(independent.as_array().unwrap());
    for (again, independent) in pairs {
        assert_eq!(
            (&again["number"], &again["total"]),
            (&independent["number"], &independent["total"])
        );
    }
    assert!(independent.as_array().unwrap().len() >= 2);
}

/// What each invoice of an export comes to, by a program that shares no code with the server; it must
/// be what was charged.
pub(crate) fn computed_apart(export: &Path) -> Value {
    let python = std::env::var("CHANCERY_TEST_PYTHON").expect("tests/run names it");
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/billing.py");
    let output = Command::new(python).arg("-B").arg(program).arg(export).output().unwrap();
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What must be shown, by what the senders know.
fn totals(knowledge: &Knowledge, databases: &[Database]) -> Value {
    let mut groups: BTreeMap<&str, BTreeMap<String, Value>> = BTreeMap::new();
    let mut shapes = BTreeSet::new();
    for Known { event, .. } in knowledge.events.values() {
        let (day, data) = (words(&event["time"])[..10].to_owned(), &event["data"]);
        let id = words(&data["database_id"]);
        let database = databases.iter().find(|database| database.id == id).unwrap();
        let project = database.project.clone();
        for (group, name) in
            [("days", Some(day.clone())), ("projects", project), ("databases", Some(id))]
        {
            let Some(name) = name else { continue };
            let nothing = || {
                json!({
                    "queries_total": 0, "bytes_transferred": 0, "connection_seconds": 0,
                    "query_shapes": 0, "storage_bytes": 0, "backup_bytes": 0,
                })
            };
            let is_new =
                shapes.insert((group, name.clone(), day.clone(), data["value"].to_string()));
            let totals = groups.entry(group).or_default().entry(name).or_insert_with(nothing);
            let value = data["value"].as_u64().unwrap_or_default();
            let (which, is_most) = match event["type"].as_str().unwrap() {
                "queries" => ("queries_total", false),
                "query_shape" => ("query_shapes", false),
                kind @ "bytes_transferred" => (kind, false),
                kind => (kind, true),
            };
            let value = if which == "query_shapes" { u64::from(is_new) } else { value };
            let before = totals[which].as_u64().unwrap();
            totals[which] = json!(if is_most { before.max(value) } else { before + value });
        }
    }
    json!(groups)
}

/// What is shown, without days on which there was nothing.
async fn shown(ana: &Person, now: Time, position: u64) -> Value {
    let day = |time: Time| time.to_string()[..10].to_owned();
    let month_ago = Time::from_millis(now.millis() - 35 * 24 * 3_600_000);
    let (start, end) = (day(month_ago), day(now.after(DAY)));
    let mut groups = BTreeMap::new();
    for (group, by, name) in [
        ("days", "day", "day"),
        ("projects", "project", "project_id"),
        ("databases", "database", "database_id"),
    ] {
        let path =
            format!("/v1/organizations/acme/usage?start_date={start}&end_date={end}&group_by={by}");
        let asked = ana.gets(&path).with("at-least", &position.to_string());
        let body = asked.answer().await.expect(200).body();
        let named = body["usage"].as_array().unwrap().iter().map(|totals| {
            let mut totals = totals.as_object().unwrap().clone();
            // nobody tells these: they follow from the databases, of which none has run
            for hours in ["compute_hours", "storage_gb_hours", "backup_gb_hours"] {
                assert_eq!(totals.remove(hours), Some(json!(0)));
            }
            (words(&totals.remove(name).unwrap()), json!(totals))
        });
        let some = |totals: &Value| totals.as_object().unwrap().values().any(|it| *it != 0);
        groups.insert(group, named.filter(|(_, it)| some(it)).collect::<BTreeMap<_, _>>());
    }
    json!(groups)
}

/// What somebody counts in the log.
async fn counted(on: &Installation, organization: &str) -> Value {
    let stream: Stream = format!("usage-{organization}").parse().unwrap();
    let log = on.log().await;
    let mut lines = tempfile::NamedTempFile::new().unwrap();
    for stored in read_everything(&log, 100).await {
        if wire::decode(stored.position, &stored.line, &stored.sealed).unwrap().stream == stream {
            lines.write_all(&stored.line).unwrap();
            lines.write_all(b"\n").unwrap();
        }
    }
    log.close().await;
    let python = std::env::var("CHANCERY_TEST_PYTHON").expect("tests/run names it");
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/used.py");
    let output = Command::new(python).arg("-B").arg(program).arg(lines.path()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
