//! Months are billed once, exactly, and paid.

use std::time::Duration;

use events::time::Time;
use reqwest::Method;
use serde_json::{Value, json};

use crate::people::{Person, words};
use crate::server::{Installation, Node, on_every_store, text};
use crate::used::computed_apart;

on_every_store! {
    a_month_is_drafted_billed_and_paid
}

const INVOICES: &str = "/v1/organizations/acme/invoices";
const DATABASES: &str = "/v1/organizations/acme/databases";

/// Moves the clock to just after the beginning of the next month, and gives that.
async fn begins_a_month(operator: &Person) -> Time {
    let shown = operator.gets("/livez").answer().await;
    let now: Time = shown.header("test-clock").unwrap().parse().unwrap();
    let begins = now.month().1;
    operator.advances(&format!("{}s", now.until(begins).as_secs() + 1)).await;
    begins
}

async fn signed_in(ana: &Person) -> Person {
    ana.with_token_of(&ana.signs_in().await.expect(200))
}

/// A database that runs.
async fn runs(ana: &Person, provisioner: &Person, name: &str, tier: &str) -> String {
    let database = json!({
        "name": name, "database_type": "postgresql", "region": "fsn1", "tier": tier,
        "storage_gb": 72,
    });
    let created = ana.posts(DATABASES, &database).answer().await.expect(201).body();
    let id = words(&created["id"]);
    provisioner.reports(&id, &json!({ "status": "running" })).await.expect(200);
    id
}

/// Tells usage, one event of each.
async fn tells(ana: &Person, events: &[(&str, &str, Time, u64)], database: &str) {
    let events: Vec<Value> = events
        .iter()
        .map(|(id, kind, time, value)| {
            json!({
                "specversion": "1.0", "id": id, "source": "proxy-1", "type": kind,
                "time": time.to_string(), "data": { "database_id": database, "value": value },
            })
        })
        .collect();
    let body = serde_json::to_vec(&events).unwrap();
    let ask = ana.asks(Method::POST, "/v1/organizations/acme/usage/events");
    let answer = ask.bytes("application/cloudevents-batch+json", body).answer().await.expect(200);
    assert_eq!(answer.body()["accepted"], json!(events.len()), "{}", answer.body());
}

async fn invoices(ana: &Person) -> Vec<Value> {
    ana.pages(INVOICES, "invoices").await
}

async fn details(ana: &Person, invoice: &Value) -> Value {
    let path = format!("{INVOICES}/{}", words(&invoice["id"]));
    ana.gets(&path).answer().await.expect(200).body()
}

/// Amounts of the lines by their kinds.
fn amounts(details: &Value) -> Vec<(String, String)> {
    let lines = details["lines"].as_array().unwrap().iter();
    lines.map(|line| (words(&line["kind"]), words(&line["amount"]))).collect()
}

fn pairs(amounts: &[(&str, &str)]) -> Vec<(String, String)> {
    amounts.iter().map(|(kind, amount)| ((*kind).to_owned(), (*amount).to_owned())).collect()
}

async fn takes(ana: &Person, plan: &str) {
    let methods = "/v1/organizations/acme/payment-methods";
    ana.posts(methods, &json!({ "provider": "manual" })).answer().await.expect(201);
    let plan = json!({ "plan": plan });
    ana.puts("/v1/organizations/acme/plan", &plan).answer().await.expect(200);
}

async fn started(installation: &Installation) -> (Node, Person, Person, Person) {
    let node = installation.start_with_clock(0).await;
    let operator = Person::operator(&node, installation.operator_token());
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let provisioner = ana.with_token(Some(installation.provisioner_token()));
    (node, operator, ana, provisioner)
}

async fn a_month_is_drafted_billed_and_paid(installation: Installation) {
    let (node, operator, ana, provisioner) = started(&installation).await;
    let begins = begins_a_month(&operator).await;
    let ana = signed_in(&ana).await;
    takes(&ana, "starter").await;
    let orders = runs(&ana, &provisioner, "orders", "small").await;
    let told = begins.after(Duration::from_secs(1));
    tells(&ana, &[("1", "queries", told, 40_000), ("2", "queries", told, 20_000)], &orders).await;

    let drafts = invoices(&ana).await;
    assert_eq!((drafts.len(), &drafts[0]["status"]), (1, &json!("draft")));
    assert_eq!(drafts[0]["number"], Value::Null);
    let draft = details(&ana, &drafts[0]).await;
    assert!(amounts(&draft).contains(&("queries".to_owned(), "1.00".to_owned())));
    let preview = format!("{INVOICES}/preview?plan=pro&extra_seats=2");
    let preview = ana.gets(&preview).answer().await.expect(200).body();
    let mut previewed = amounts(&preview);
    // the first seconds on the plan before
    previewed.retain(|(_, amount)| amount != "0.00");
    assert_eq!(previewed[..2], pairs(&[("plan", "29.00"), ("seats", "20.00")]));
    let queries = previewed.iter().any(|(kind, _)| kind == "queries");
    assert!(!queries, "the larger plan would allow them");

    // the month ends, and an hour later it is billed
    let next = begins_a_month(&operator).await;
    let ana = signed_in(&ana).await;
    let unbilled = invoices(&ana).await;
    let statuses: Vec<_> = unbilled.iter().map(|it| words(&it["status"])).collect();
    assert_eq!(statuses, ["draft", "draft"]);
    operator.advances("1h").await;
    let ana = signed_in(&ana).await;
    let billed = invoices(&ana).await;
    let invoice = details(&ana, &billed[1]).await;
    assert_eq!((&invoice["id"], &invoice["status"]), (&drafts[0]["id"], &json!("open")));
    let year = next.to_string()[..4].to_owned();
    assert_eq!(invoice["number"], format!("INV-{year}-000001"));
    assert_eq!((&invoice["period_start"], &invoice["period_end"]), (&json!(begins), &json!(next)));
    let hours = begins.until(next).as_secs() / 3600;
    let cents =
        |microcents: u64| format!("{}.{:02}", microcents / 1_000_000, microcents / 10_000 % 100);
    let compute = cents((hours * 55_600 + 5000) / 10_000 * 10_000);
    let storage = cents((hours * 72 * 100_000 / 720 + 5000) / 10_000 * 10_000);
    let expected =
        [("plan", "9.00"), ("queries", "1.00"), ("compute", &compute), ("storage", &storage)];
    assert_eq!(amounts(&invoice), pairs(&expected));
    let usage = &invoice["lines"][1]["usage"];
    assert_eq!((&usage["count"], &usage["sum"]), (&json!(2), &json!("60000")));
    assert_eq!((&usage["first_version"], &usage["last_version"]), (&json!(0), &json!(0)));

    // it is paid once
    let path = format!("{INVOICES}/{}", words(&invoice["id"]));
    let pay = json!({ "reference": "transfer 4711" });
    let paid = ana.posts(&format!("{path}/pay"), &pay).answer().await.expect(200).body();
    assert_eq!((&paid["status"], &paid["amount_due"]), (&json!("paid"), &json!("0.00")));
    assert_eq!(paid["payments"][0]["reference"], "transfer 4711");
    assert_eq!(paid["payments"][0]["amount"], invoice["total"]);
    let again = ana.posts(&format!("{path}/pay"), &json!({})).answer().await;
    assert_eq!(again.refusal(), (409, "invoice_settled".to_owned()));
    for (form, kind) in [("html", "text/html; charset=utf-8"), ("pdf", "application/pdf")] {
        let paper = ana.gets(&format!("{path}/{form}")).answer().await.expect(200);
        assert_eq!(paper.header("content-type"), Some(kind));
        let paper = String::from_utf8_lossy(&paper.bytes).into_owned();
        for said in [words(&invoice["number"]), "transfer 4711".to_owned(), compute.clone()] {
            assert!(paper.contains(&said), "{form} lacks {said}");
        }
    }
    let history = ana.gets("/v1/organizations/acme/billing/usage/history").answer().await;
    let periods = history.expect(200).body()["periods"].clone();
    let statuses: Vec<_> =
        periods.as_array().unwrap().iter().map(|it| words(&it["status"])).collect();
    assert_eq!(statuses, ["open", "paid"]);
    assert_eq!(periods[1]["total_cost"], invoice["total"]);

    // anybody can compute it again: from the log, and from what the owner took along
    let export = ana.gets("/v1/organizations/acme/export").answer().await.expect(200);
    let file = installation.data().with_extension("ndjson");
    std::fs::write(&file, export.bytes).unwrap();
    computed_apart(&file);
    node.stop().await;
    installation.assert_no_difference();
    let path = file.display().to_string();
    for source in [["--org", "acme"], ["--file", &path]] {
        let [option, value] = source;
        let again = installation.run(&["billing", "recompute", option, value, "--json"]);
        assert!(again.status.success(), "{}", text(&again.stderr));
        let again: Value = serde_json::from_slice(&again.stdout).unwrap();
        assert_eq!(
            (&again[0]["number"], &again[0]["total"]),
            (&invoice["number"], &invoice["total"])
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_notes_credit_and_overdue_invoices() {
    let installation = Installation::sqlite();
    let (_node, operator, ana, _) = started(&installation).await;
    begins_a_month(&operator).await;
    let ana = signed_in(&ana).await;
    takes(&ana, "pro").await;
    let granted = operator.posts("/v1/organizations/acme/credits", &json!({ "amount": "9.00" }));
    let granted = granted.answer().await.expect(201).body();
    assert_eq!(granted["credit_balance"], "9.00");
    let refused = ana.posts("/v1/organizations/acme/credits", &json!({ "amount": "9.00" }));
    assert_eq!(refused.answer().await.refusal(), (401, "operator_only".to_owned()));

    begins_a_month(&operator).await;
    operator.advances("1h").await;
    let ana = signed_in(&ana).await;
    let invoice = details(&ana, &invoices(&ana).await[1]).await;
    let due = (&invoice["total"], &invoice["credit_applied"], &invoice["amount_due"]);
    assert_eq!(due, (&json!("29.00"), &json!("9.00"), &json!("20.00")));

    // what is not paid in two weeks is overdue
    operator.advances("15d").await;
    let ana = signed_in(&ana).await;
    let overdue = details(&ana, &invoice).await;
    assert_eq!(overdue["status"], "overdue");
    let plan = ana.gets("/v1/organizations/acme/plan").answer().await.expect(200).body();
    assert_eq!(plan["subscription_status"], "past_due");

    // the operator takes back more than is due: the rest comes back as credit
    let notes = format!("/v1/admin/invoices/{}/credit-notes", words(&invoice["id"]));
    let note = json!({ "amount": "22.50", "reason": "an outage" });
    let noted = operator.posts(&notes, &note).key("note-1").answer().await.expect(201).body();
    assert_eq!((&noted["status"], &noted["amount_due"]), (&json!("paid"), &json!("0.00")));
    assert_eq!(noted["credit_notes"][0]["number"].as_str().map(|it| &it[..3]), Some("CN-"));
    let again = operator.posts(&notes, &note).key("note-1").answer().await.expect(201);
    assert!(again.is_replayed());
    let more = operator.posts(&notes, &json!({ "amount": "6.51" })).answer().await;
    assert_eq!(more.refusal(), (409, "credit_too_large".to_owned()));
    for amount in [json!("0"), json!("-1"), json!("1.001"), json!("much"), json!(null)] {
        let refused = operator.posts(&notes, &json!({ "amount": amount })).answer().await;
        assert_eq!(refused.refusal(), (422, "validation_failed".to_owned()));
    }
    let credits = ana.gets("/v1/organizations/acme/credits").answer().await.expect(200).body();
    assert_eq!(credits["credit_balance"], "2.50");
    assert_eq!(details(&ana, &invoice).await["credit_notes"][0]["reason"], "an outage");

    // and a payment that went back is owed again
    begins_a_month(&operator).await;
    operator.advances("1h").await;
    let ana = signed_in(&ana).await;
    let second = invoices(&ana).await[1].clone();
    assert_eq!(
        (&second["amount_due"], &second["credit_applied"]),
        (&json!("26.50"), &json!("2.50"))
    );
    let of = |what: &str| format!("/v1/admin/invoices/{}/{what}", words(&second["id"]));
    let paid = operator.posts(&of("pay"), &json!({})).answer().await.expect(200).body();
    assert_eq!(paid["status"], "paid");
    let reversed = operator.posts(&of("reverse-payment"), &json!({ "reason": "no cover" }));
    let reversed = reversed.answer().await.expect(200).body();
    assert_eq!((&reversed["status"], &reversed["amount_due"]), (&json!("open"), &json!("26.50")));
    assert_eq!(reversed["payments"][0]["status"], "reversed");
    operator.advances("15d").await;
    let ana = signed_in(&ana).await;
    assert_eq!(details(&ana, &second).await["status"], "overdue");
}

#[tokio::test(flavor = "multi_thread")]
async fn late_usage_is_an_adjustment_and_the_end_has_its_own_invoice() {
    let installation = Installation::sqlite();
    let (node, operator, ana, provisioner) = started(&installation).await;
    let first = begins_a_month(&operator).await;
    let ana = signed_in(&ana).await;
    takes(&ana, "pro").await;
    let orders = runs(&ana, &provisioner, "orders", "free").await;
    let told = first.after(Duration::from_secs(1));
    tells(&ana, &[("1", "bytes_transferred", told, 45_000_000_000)], &orders).await;
    begins_a_month(&operator).await;
    operator.advances("1h").await;
    let ana = signed_in(&ana).await;
    // 25 GB more of the month before: 20 of them over its limit
    tells(&ana, &[("2", "bytes_transferred", told, 25_000_000_000)], &orders).await;
    let second = begins_a_month(&operator).await;
    operator.advances("1h").await;
    let ana = signed_in(&ana).await;
    let listed = invoices(&ana).await;
    let before = details(&ana, &listed[2]).await;
    assert_eq!(amounts(&before)[0], ("plan".to_owned(), "29.00".to_owned()));
    assert!(amounts(&before).iter().all(|(kind, _)| kind != "transfer"));
    let late = details(&ana, &listed[1]).await;
    let lines = late["lines"].as_array().unwrap();
    let line = lines.iter().find(|line| line["kind"] == "transfer").unwrap();
    assert_eq!((&line["amount"], &line["is_adjustment"]), (&json!("4.00"), &json!(true)));
    assert_eq!(line["start"], json!(first));
    assert_eq!((&line["usage"]["first_version"], &line["usage"]["count"]), (&json!(1), &json!(1)));

    // the end of the organization ends its month
    let draft = words(&listed[0]["id"]);
    assert_eq!(listed[0]["period_start"], json!(second));
    let end = json!({ "confirm": "acme" });
    ana.deletes("/v1/organizations/acme").json(&end).answer().await.expect(204);
    operator.advances("2h").await;
    let notes = format!("/v1/admin/invoices/{draft}/credit-notes");
    let noted = operator.posts(&notes, &json!({ "amount": "0.01" })).answer().await.expect(201);
    let last = noted.body();
    assert_eq!(last["number"].as_str().map(|it| &it[8..]), Some("-000003"));
    let ends: Time = words(&last["period_end"]).parse().unwrap();
    assert!(ends < second.month().1, "it ends with the organization");
    node.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn other_products_find_their_invoices_and_costs() {
    let installation = Installation::sqlite();
    let (node, operator, ana, provisioner) = started(&installation).await;
    begins_a_month(&operator).await;
    let ana = signed_in(&ana).await;
    takes(&ana, "pro").await;
    runs(&ana, &provisioner, "orders", "small").await;
    begins_a_month(&operator).await;
    operator.advances("1h").await;
    let ana = signed_in(&ana).await;
    let asks = |path: &str| ana.gets(path).with("x-organization-id", "acme");
    let bare = asks("/v1/invoices").answer().await.expect(200).body();
    assert_eq!((&bare[0]["status"], &bare[1]["status"]), (&json!("draft"), &json!("pending")));
    assert_eq!(bare[1]["invoice_number"].as_str().map(|it| &it[..4]), Some("INV-"));
    for path in ["/billing/usage", "/v1/billing/usage", "/v1/organization/billing/usage"] {
        let costs = asks(path).answer().await.expect(200).body();
        let service = &costs["services"][0];
        assert_eq!(
            (&service["service_name"], &service["plan_name"], &service["storage_size_gb"]),
            (&json!("orders"), &json!("small"), &json!(72))
        );
        assert_eq!(service["compute_hourly"], "0.055600");
        assert_eq!(service["storage_hourly"], "0.010000");
        assert_eq!(costs["total_hourly_cost"], "0.065600");
        assert_eq!(costs["total_monthly_cost"], "47.23");
        assert_eq!(costs["current_period"]["status"], "open");
        assert_eq!(costs["total"], costs["current_period"]["total_cost"]);
        assert_eq!(
            (&costs["has_payment_method"], &costs["credit_balance"]),
            (&json!(true), &json!("0.00"))
        );
    }
    let stranger = Person::registers(&node, "eve").await;
    let refused = stranger.gets("/v1/invoices").with("x-organization-id", "acme").answer().await;
    assert_eq!(refused.refusal(), (404, "not_found".to_owned()));
}
