//! What was used counts once, however it is told and however often.

use std::time::Duration;

use events::time::Time;
use reqwest::Method;
use serde_json::{Value, json};

use crate::people::{Answer, Person, words};
use crate::server::{Installation, on_every_store};

on_every_store! {
    what_is_told_again_counts_once
    events_come_structured_binary_and_in_batches
}

const EVENTS: &str = "/v1/organizations/acme/usage/events";
const USAGE: &str = "/v1/organizations/acme/usage";
const QUOTAS: &str = "/v1/organizations/acme/quotas";
/// A database that there is not.
const NOBODYS: &str = "db_01h2xcejqtf2nbrexx3vqjhp41";
const DAY: Duration = Duration::from_hours(24);

fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Time::from_millis(i64::try_from(since.as_millis()).unwrap())
}

/// Two databases of one organization.
struct Databases {
    orders: String,
    stock: String,
}

impl Databases {
    async fn of(ana: &Person) -> Self {
        ana.creates("acme").await;
        let create = async |name: &str| {
            let database = json!({ "name": name, "database_type": "postgresql", "region": "fsn1" });
            let created = ana.posts("/v1/organizations/acme/databases", &database).answer().await;
            words(&created.expect(201).body()["id"])
        };
        Self { orders: create("orders").await, stock: create("stock").await }
    }

    /// An event with a name of its own, as it is now.
    fn used(&self, id: &str, kind: &str, value: impl Into<Value>) -> Value {
        json!({
            "specversion": "1.0", "id": id, "source": "proxy-1", "type": kind,
            "time": now().to_string(),
            "data": { "database_id": self.orders, "value": value.into() },
        })
    }
}

async fn tells(ana: &Person, events: &[Value]) -> Answer {
    let body = serde_json::to_vec(&events).unwrap();
    let ask = ana.asks(Method::POST, EVENTS);
    ask.bytes("application/cloudevents-batch+json", body).answer().await
}

fn statuses(answer: &Answer) -> Vec<(String, Option<String>)> {
    let body = answer.body();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let slots = body["events"].as_array().unwrap().iter();
    slots.map(|slot| (text(&slot["status"]).unwrap(), text(&slot["reason"]))).collect()
}

fn accepted() -> (String, Option<String>) {
    ("accepted".to_owned(), None)
}

fn duplicate() -> (String, Option<String>) {
    ("duplicate".to_owned(), None)
}

fn rejected(reason: &str) -> (String, Option<String>) {
    ("rejected".to_owned(), Some(reason.to_owned()))
}

/// Of today alone.
async fn today(ana: &Person) -> Value {
    let day = now().to_string()[..10].to_owned();
    let path = format!("{USAGE}?start_date={day}&end_date={day}");
    ana.gets(&path).answer().await.expect(200).body()["usage"][0].clone()
}

async fn what_is_told_again_counts_once(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let of = Databases::of(&ana).await;
    let used = |id: &str, kind: &str, value: u64| of.used(id, kind, value);
    let events =
        [used("1", "queries", 100), used("2", "bytes_transferred", 7), used("3", "queries", 5)];
    assert_eq!(statuses(&tells(&ana, &events).await.expect(200)), vec![accepted(); 3]);
    let again = tells(&ana, &[events[0].clone(), used("4", "queries", 1), events[2].clone()]).await;
    assert_eq!(statuses(&again), [duplicate(), accepted(), duplicate()]);
    let other = used("1", "queries", 101);
    let twice = used("5", "queries", 3);
    let again = tells(&ana, &[other, twice.clone(), twice]).await;
    assert_eq!(statuses(&again), [rejected("id_reused"), accepted(), duplicate()]);
    assert_eq!(again.body()["events"][0]["code"], 409);
    let shown = today(&ana).await;
    assert_eq!((&shown["queries_total"], &shown["bytes_transferred"]), (&json!(109), &json!(7)));
    node.kill();
    let node = installation.start().await;
    let ana = ana.at(&node);
    assert_eq!(statuses(&tells(&ana, &events).await), vec![duplicate(); 3]);
    assert_eq!(today(&ana).await, shown);
    node.stop().await;
    installation.assert_no_difference();
}

async fn events_come_structured_binary_and_in_batches(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let of = Databases::of(&ana).await;
    let one = serde_json::to_vec(&of.used("1", "queries", 10)).unwrap();
    let structured = ana.asks(Method::POST, EVENTS).bytes("application/cloudevents+json", one);
    assert_eq!(statuses(&structured.answer().await.expect(200)), [accepted()]);
    let time = now().to_string();
    let binary = ana
        .posts(EVENTS, &json!({ "database_id": of.stock, "value": 20 }))
        .with("ce-specversion", "1.0")
        .with("ce-id", "2")
        .with("ce-source", "proxy%2D1")
        .with("ce-type", "queries")
        .with("ce-time", &time);
    assert_eq!(statuses(&binary.answer().await.expect(200)), [accepted()]);
    let plain = ana.posts(EVENTS, &json!([of.used("3", "query_shape", "select 1")]));
    assert_eq!(statuses(&plain.answer().await.expect(200)), [accepted()]);
    let day = &time[..10];
    let path = format!("{USAGE}?start_date={day}&end_date={day}&group_by=database");
    let databases = ana.gets(&path).answer().await.expect(200).body()["usage"].clone();
    let queries = |id: &str| {
        let databases = databases.as_array().unwrap();
        let found = databases.iter().find(|database| database["database_id"] == id);
        found.unwrap()["queries_total"].clone()
    };
    assert_eq!((queries(&of.orders), queries(&of.stock)), (json!(10), json!(20)));
    assert_eq!(today(&ana).await["query_shapes"], 1);
    let text = ana.asks(Method::POST, EVENTS).bytes("text/plain", "queries");
    assert_eq!(text.answer().await.refusal().0, 415);
    let broken = ana.asks(Method::POST, EVENTS).bytes("application/cloudevents+json", "{");
    assert_eq!(broken.answer().await.refusal(), (400, "malformed_body".to_owned()));
    node.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_is_refused_by_itself() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let of = Databases::of(&ana).await;
    let with = |name: &str, value: Value| {
        let mut event = of.used(name, "queries", 1);
        event[name] = value;
        event
    };
    let at = |millis: i64| json!(Time::from_millis(now().millis() + millis).to_string());
    let days = |days: i64| days * i64::try_from(DAY.as_millis()).unwrap();
    let tried = [
        (with("specversion", json!("0.3")), "unknown_specversion"),
        (with("id", json!("")), "invalid_id"),
        (with("source", Value::Null), "invalid_source"),
        (with("type", json!("joules")), "unknown_type"),
        (with("type", json!("connection_seconds")), "unknown_type"),
        (with("time", json!("yesterday")), "invalid_time"),
        (with("time", Value::Null), "invalid_time"),
        (with("time", at(6 * 60 * 1000)), "too_early"),
        (with("time", at(-days(36))), "too_late"),
        (with("data", json!("1")), "invalid_data"),
        (with("data", json!({ "value": 1 })), "invalid_database_id"),
        (with("data", json!({ "database_id": "orders", "value": 1 })), "invalid_database_id"),
        (with("data", json!({ "database_id": NOBODYS, "value": 1 })), "unknown_database"),
        (with("data", json!({ "database_id": of.orders, "value": -1 })), "invalid_value"),
        (with("data", json!({ "database_id": of.orders, "value": 1.5 })), "invalid_value"),
        (of.used("shape", "query_shape", 7), "invalid_value"),
        (json!("an event"), "unknown_specversion"),
    ];
    let mut events: Vec<Value> = tried.iter().map(|(event, _)| event.clone()).collect();
    events.push(of.used("good", "queries", 1));
    events.push(with("time", at(-days(34))));
    let answer = tells(&ana, &events).await.expect(200);
    let expected = tried.iter().map(|(_, reason)| rejected(reason)).chain([accepted(), accepted()]);
    assert_eq!(statuses(&answer), expected.collect::<Vec<_>>());
    assert_eq!((&answer.body()["accepted"], &answer.body()["rejected"]), (&json!(2), &json!(17)));
    let many: Vec<Value> = (0..1001).map(|id| of.used(&id.to_string(), "queries", 1)).collect();
    tells(&ana, &many).await.expect(413);
    let whole = tells(&ana, &many[..1000]).await.expect(200).body();
    assert_eq!(whole["accepted"], 1000);
    for wrong in [
        "start_date=soon",
        "start_date=2026-02-30",
        "group_by=hour",
        "end_date=2020-01-01&start_date=2020-01-02",
    ] {
        let refused = ana.gets(&format!("{USAGE}?{wrong}")).answer().await.refusal();
        assert_eq!(refused, (400, "invalid_parameter".to_owned()), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_tell_what_is_left_and_when_they_begin_anew() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let of = Databases::of(&ana).await;
    let quota = async |name: &str| {
        let quotas = ana.gets(QUOTAS).answer().await.expect(200).body();
        let quotas = quotas["quotas"].as_array().unwrap().clone();
        quotas.into_iter().find(|quota| quota["name"] == name).expect("it is there")
    };
    assert_eq!(quota("queries_per_day").await["limit"], Value::Null);
    let plan = json!({ "plan": "starter" });
    ana.puts("/v1/organizations/acme/plan", &plan).answer().await.expect(200);
    tells(
        &ana,
        &[of.used("1", "queries", 60_000), of.used("2", "bytes_transferred", 4_000_000_000_u64)],
    )
    .await;
    let queries = quota("queries_per_day").await;
    assert_eq!(
        (&queries["limit"], &queries["used"], &queries["remaining"]),
        (&json!(50_000), &json!(60_000), &json!(0))
    );
    let midnight: Time = queries["resets_at"].as_str().unwrap().parse().unwrap();
    assert!(midnight > now() && midnight.millis() % 86_400_000 == 0);
    let bytes = quota("bytes_per_month").await;
    assert_eq!(
        (&bytes["remaining"], &bytes["used"]),
        (&json!(6_000_000_000_u64), &json!(4_000_000_000_u64))
    );
    assert_eq!(bytes["resets_at"], json!(now().month().1.to_string()));
    assert_eq!(quota("seats").await["remaining"], 0);
    let databases = quota("databases").await;
    assert_eq!((&databases["limit"], &databases["used"]), (&json!(3), &json!(2)));
    assert_eq!(databases["resets_at"], Value::Null);
}
