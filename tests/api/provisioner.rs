//! What provisioners report: with a credential of their own, once for ever, and nothing that the
//! state does not lead to.

use serde_json::{Value, json};

use crate::operations::database;
use crate::people::{Person, words};
use crate::server::{Installation, on_every_store};

on_every_store! {
    a_report_is_recorded_once
}

const DATABASES: &str = "/v1/organizations/acme/databases";

async fn created(ana: &Person) -> String {
    words(&ana.posts(DATABASES, &database("orders")).answer().await.expect(201).body()["id"])
}

fn report() -> Value {
    json!({
        "status": "running", "since": "2026-01-31T09:35:00Z",
        "endpoint": { "host": "orders.example.com", "port": 5432 },
        "encryption": { "at_rest": true, "algorithm": "AES-256-XTS" },
        "tls": { "required": true, "min_version": "1.3" },
        "backups": [{
            "status": "succeeded", "size_bytes": 1500, "encrypted": true,
            "started_at": "2026-01-31T03:00:00Z", "finished_at": "2026-01-31T03:10:00Z",
        }],
    })
}

async fn a_report_is_recorded_once(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let provisioner = ana.with_token(Some(installation.provisioner_token()));
    let id = created(&ana).await;
    let reports = (0..8).map(|_| {
        let (provisioner, id) = (provisioner.clone(), id.clone());
        tokio::spawn(async move { provisioner.reports(&id, &report()).await.expect(200) })
    });
    for answer in futures_util::future::join_all(reports).await {
        assert_eq!(answer.unwrap().body()["status"], "running");
    }
    let history = ana.history("acme").await;
    let expected = ["database.facts_reported", "backup.completed", "database.started"];
    assert_eq!(history[2..], expected);
    let shown = ana.gets(&format!("{DATABASES}/{id}")).answer().await.expect(200).body();
    assert_eq!(shown["encryption"], json!({ "at_rest": true, "algorithm": "AES-256-XTS" }));
    assert_eq!(shown["tls"], json!({ "required": true, "min_version": "1.3" }));
    // it did not run before it was asked for, whatever another clock says
    assert_eq!(shown["status_since"], shown["created_at"]);
    let backups = ana.pages(&format!("{DATABASES}/{id}/backups"), "backups").await;
    let told = (&backups[0]["kind"], &backups[0]["size_bytes"], &backups[0]["finished_at"]);
    let expected = (&json!("scheduled"), &json!(1500), &json!("2026-01-31T03:10:00.000Z"));
    assert_eq!((backups.len(), told), (1, expected));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_provisioners_and_the_operator_report() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let id = created(&ana).await;
    let running = json!({ "status": "running" });
    let refused = ana.reports(&id, &running).await;
    assert_eq!(refused.refusal(), (401, "provisioner_only".to_owned()));
    let asked = format!("/v1/provisioner/databases/{id}");
    let refused = Person::stranger(&node).gets(&asked).answer().await;
    assert_eq!(refused.refusal(), (401, "provisioner_only".to_owned()));
    let operator = Person::operator(&node, installation.operator_token());
    operator.reports(&id, &running).await.expect(200);
    let provisioner = Person::operator(&node, installation.provisioner_token());
    provisioner.reports(&id, &running).await.expect(200);
    let nothing = "db_01h2xcejqtf2nbrexx3vqjhp41";
    let refused = provisioner.reports(nothing, &running).await;
    assert_eq!(refused.refusal(), (404, "not_found".to_owned()));
    // it is no operator
    let refused = provisioner.posts("/v1/admin/signing-keys/rotate", &json!({})).answer().await;
    assert_eq!(refused.refusal(), (401, "operator_only".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_state_does_not_lead_to_is_refused() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let provisioner = Person::operator(&node, installation.provisioner_token());
    let id = created(&ana).await;
    let report = async |status: &str| provisioner.reports(&id, &json!({ "status": status })).await;
    let illegal = (409, "illegal_state".to_owned());
    assert_eq!(report("stopped").await.refusal(), illegal);
    assert_eq!(report("deleted").await.refusal(), illegal);
    report("provisioning").await.expect(200);
    report("running").await.expect(200);
    assert_eq!(report("provisioning").await.refusal(), illegal);
    let stop = format!("{DATABASES}/{id}/stop");
    ana.posts(&stop, &json!({})).answer().await.expect(200);
    assert_eq!(report("running").await.refusal(), illegal);
    report("stopped").await.expect(200);
    let wrong = json!({
        "status": "flying", "endpoint": "nowhere", "since": "yesterday",
        "backups": [{ "status": "succeeded" }],
    });
    let refused = provisioner.reports(&id, &wrong).await.expect(422).body();
    let fields: Vec<String> =
        refused["errors"].as_array().unwrap().iter().map(|error| words(&error["field"])).collect();
    let expected = ["status", "since", "endpoint", "backups[0].id", "backups[0].size_bytes"];
    assert_eq!(fields, expected);
    let unknown = json!({ "tls": { "required": true, "extra": 1 } });
    provisioner.reports(&id, &unknown).await.expect(422);
}
