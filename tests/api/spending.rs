//! What is refused because of money: at the spend limit, and in a trial beyond the limits.

use events::time::Time;
use reqwest::Method;
use serde_json::{Value, json};

use crate::people::{Answer, Person, words};
use crate::server::{Installation, Node};

const PLAN: &str = "/v1/organizations/acme/plan";
const LIMIT: &str = "/v1/organizations/acme/spend-limit";

async fn started(installation: &Installation) -> (Node, Person, Person, String) {
    let node = installation.start_with_clock(0).await;
    let operator = Person::operator(&node, installation.operator_token());
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let database = json!({ "name": "orders", "database_type": "postgresql", "region": "fsn1" });
    let created = ana.posts("/v1/organizations/acme/databases", &database).answer().await;
    let orders = words(&created.expect(201).body()["id"]);
    (node, operator, ana, orders)
}

async fn now(node: &Node) -> Time {
    let shown = Person::stranger(node).gets("/livez").answer().await;
    shown.header("test-clock").unwrap().parse().unwrap()
}

/// Tells one event of now.
async fn tells(node: &Node, ana: &Person, id: &str, kind: &str, value: u64, of: &str) -> Answer {
    tells_at(ana, id, kind, value, of, &now(node).await.to_string()).await
}

async fn tells_at(ana: &Person, id: &str, kind: &str, value: u64, of: &str, time: &str) -> Answer {
    let events = json!([{
        "specversion": "1.0", "id": id, "source": "proxy-1", "type": kind,
        "time": time, "data": { "database_id": of, "value": value },
    }]);
    let body = serde_json::to_vec(&events).unwrap();
    let ask = ana.asks(Method::POST, "/v1/organizations/acme/usage/events");
    ask.bytes("application/cloudevents-batch+json", body).answer().await
}

fn slot(answer: &Answer) -> (String, Value) {
    let slot = &answer.body()["events"][0];
    (words(&slot["status"]), slot["reason"].clone())
}

fn accepted() -> (String, Value) {
    ("accepted".to_owned(), Value::Null)
}

async fn pays(ana: &Person) {
    let methods = "/v1/organizations/acme/payment-methods";
    ana.posts(methods, &json!({ "provider": "manual" })).answer().await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_refused_at_the_spend_limit_until_it_is_raised_or_the_month_is_over() {
    let installation = Installation::sqlite();
    let (node, operator, ana, orders) = started(&installation).await;
    let until = now(&node).await.until(now(&node).await.month().1).as_secs() + 1;
    operator.advances(&format!("{until}s")).await;
    let ana = ana.with_token_of(&ana.signs_in().await.expect(200));
    pays(&ana).await;
    ana.puts(PLAN, &json!({ "plan": "pro" })).answer().await.expect(200);
    ana.puts(LIMIT, &json!({ "spend_limit": 1.5 })).answer().await.expect(200);
    let (gigabyte, bytes) = (1_000_000_000, "bytes_transferred");
    // ten more than the plan allows: two dollars
    let time = now(&node).await.to_string();
    let told = tells_at(&ana, "1", bytes, 60 * gigabyte, &orders, &time).await.expect(200);
    assert_eq!(slot(&told), accepted());
    let plan = ana.gets(PLAN).answer().await.expect(200).body();
    assert_eq!((&plan["spend_capped"], plan["spend_capped_at"].is_string()), (&json!(true), true));
    let refused = tells(&node, &ana, "2", bytes, 1, &orders).await;
    assert_eq!(refused.refusal(), (402, "spend_limit_reached".to_owned()));
    // who lost the answer is told again that it counts
    let again = tells_at(&ana, "1", bytes, 60 * gigabyte, &orders, &time).await.expect(200);
    assert_eq!(slot(&again), ("duplicate".to_owned(), Value::Null));
    let log = "/v1/organizations/acme/audit-log?action=spend_limit.reached";
    let entries = ana.pages(log, "events").await;
    assert_eq!((entries.len(), &entries[0]["actor"]["id"]), (1, &json!("system")));

    // a higher cap lets the same events in
    let raised = ana.puts(LIMIT, &json!({ "spend_limit": 2.1 })).answer().await.expect(200).body();
    assert_eq!(
        (&raised["spend_capped"], &raised["spend_capped_at"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(slot(&tells(&node, &ana, "2", bytes, gigabyte, &orders).await), accepted());
    let refused = tells(&node, &ana, "3", bytes, 1, &orders).await;
    assert_eq!(refused.refusal(), (402, "spend_limit_reached".to_owned()));

    // and so does the next month
    operator.advances("32d").await;
    let ana = ana.with_token_of(&ana.signs_in().await.expect(200));
    let plan = ana.gets(PLAN).answer().await.expect(200).body();
    assert_eq!(plan["spend_capped"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_trial_the_limits_refuse_and_who_pays_is_let_in() {
    let installation = Installation::sqlite();
    let (node, _operator, ana, orders) = started(&installation).await;
    let plan = ana.puts(PLAN, &json!({ "plan": "starter" })).answer().await.expect(200).body();
    assert_eq!(plan["subscription_status"], "trialing");
    assert_eq!(slot(&tells(&node, &ana, "1", "queries", 50_000, &orders).await), accepted());
    let refused = tells(&node, &ana, "2", "queries", 1, &orders).await.expect(200);
    assert_eq!(slot(&refused), ("rejected".to_owned(), json!("quota_exceeded")));
    assert_eq!(refused.body()["events"][0]["code"], 402);
    assert_eq!(slot(&tells(&node, &ana, "3", "bytes_transferred", 1, &orders).await), accepted());
    pays(&ana).await;
    assert_eq!(slot(&tells(&node, &ana, "2", "queries", 1, &orders).await), accepted());
}
