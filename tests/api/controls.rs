//! What members state becomes what an auditor reads: the result of a control, in a packet that holds
//! for whoever pins the installation's keys.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::auditor::Auditor;
use crate::people::{Person, words};
use crate::server::Installation;

const FRAMEWORKS: [&str; 4] = ["soc2", "gdpr_ropa", "dora", "eu_ai_act"];
const CHALLENGE: &str = "auditor-nonce-1";

/// What docs/controls.md says of each control: where nothing was ever stated; on the day on which
/// it was, half of it; in a period in which all of it stood; in one in which it was neglected.
const TOLD: [(&str, [&str; 4]); 19] = [
    ("soc2.cc7.3.incidents", ["not_evidenced", "not_evidenced", "pass", "fail"]),
    ("soc2.cc6.3.access-review", ["not_evidenced", "not_evidenced", "pass", "fail"]),
    ("soc2.a1.3.restore", ["not_evidenced", "fail", "pass", "pass"]),
    ("ropa.complete", ["not_evidenced", "fail", "pass", "pass"]),
    ("ropa.reviewed", ["not_evidenced", "pass", "pass", "pass"]),
    ("ropa.measures.restore", ["not_evidenced", "fail", "pass", "pass"]),
    ("dora.28.role-complete", ["not_evidenced", "fail", "pass", "pass"]),
    ("dora.8.functions-complete", ["not_evidenced", "fail", "pass", "pass"]),
    ("dora.17.incidents", ["not_evidenced", "not_evidenced", "pass", "fail"]),
    ("dora.19.initial", ["not_evidenced", "not_evidenced", "pass", "fail"]),
    ("dora.19.final", ["not_evidenced", "not_evidenced", "pass", "not_applicable"]),
    ("dora.12.restore", ["not_evidenced", "fail", "pass", "pass"]),
    ("dora.12.segregated", ["not_evidenced", "not_applicable", "pass", "not_applicable"]),
    ("dora.21.rights-updated", ["not_evidenced", "not_evidenced", "pass", "not_applicable"]),
    // as long as the risk is undetermined nothing of the act is evidenced
    ("aia.3.systems-complete", ["not_evidenced", "not_evidenced", "pass", "pass"]),
    ("aia.3.systems-reviewed", ["not_evidenced", "not_evidenced", "pass", "pass"]),
    ("aia.26.2.assigned", ["not_evidenced", "not_evidenced", "pass", "fail"]),
    ("aia.26.6.retention", ["not_evidenced", "not_evidenced", "pass", "pass"]),
    ("aia.26.5.incidents", ["not_evidenced", "not_evidenced", "pass", "fail"]),
];

struct Acme(Person);

impl Acme {
    async fn states(&self, path: &str, body: Value, status: u16) -> Value {
        let path = format!("/v1/organizations/acme/{path}");
        self.0.posts(&path, &body).answer().await.expect(status).body()
    }

    async fn declares(&self, body: Value) -> String {
        words(&self.states("declarations", body, 201).await["id"])
    }

    async fn declares_anew(&self, declaration: &str, body: Value) {
        let path = format!("/v1/organizations/acme/declarations/{declaration}");
        let declared = self.0.puts(&path, &body).answer().await.expect(200).body();
        assert_eq!(declared["missing"], json!([]), "{declared}");
    }

    async fn opens_a_major_incident(&self, system: &str) -> String {
        let opened = json!({ "title": "Ranking is down", "ai_systems": [system] });
        let incident = words(&self.states("incidents", opened, 201).await["id"]);
        let path = format!("incidents/{incident}/classify");
        self.states(&path, json!({ "is_major": true }), 200).await;
        incident
    }

    async fn reports_and_closes(&self, incident: &str) {
        for stage in ["initial", "intermediate", "final"] {
            let report = json!({ "stage": stage });
            self.states(&format!("incidents/{incident}/report"), report, 200).await;
        }
        let closed = json!({ "cause": "system_failure", "root_cause": "A disk was full." });
        self.states(&format!("incidents/{incident}/close"), closed, 200).await;
    }

    async fn reviews_access(&self) {
        let review = self.states("access-reviews", json!({}), 201).await;
        let keep = |it: &Value| json!({ "item": it["item"], "decision": "keep" });
        let decisions: Vec<_> = review["items"].as_array().unwrap().iter().map(keep).collect();
        let path = format!("access-reviews/{}", words(&review["id"]));
        let decisions = json!({ "decisions": decisions });
        self.states(&format!("{path}/decide"), decisions, 200).await;
        self.states(&format!("{path}/complete"), json!({}), 200).await;
    }

    async fn tests_a_restore(&self, result: &str) {
        let test = json!({ "database": "db_1", "result": result, "duration_seconds": 540,
            "other_region": true });
        self.states("restore-tests", test, 201).await;
    }

    /// The result of every control, of a packet of each framework that holds.
    async fn results(&self, auditor: &Auditor, since: Option<&str>) -> BTreeMap<String, Value> {
        let mut results = BTreeMap::new();
        for framework in FRAMEWORKS {
            let wanted = json!({ "framework": framework, "challenge": CHALLENGE,
                "period_start": since });
            let made = self.states("compliance-reports", wanted, 201).await;
            let path = format!(
                "/v1/organizations/acme/compliance-reports/{}/bundle",
                words(&made["report_id"])
            );
            let bundle = self.0.gets(&path).answer().await.expect(200).bytes;
            let (fault, said) = auditor
                .verifies(&auditor.keeps("packet.zip", &bundle), &["--challenge", CHALLENGE]);
            assert_eq!(fault, None, "{framework}: {said}");
            let controls = made["packet"]["controls"].as_array().unwrap();
            results.extend(controls.iter().map(|it| (words(&it["control_id"]), it.clone())));
        }
        results
    }
}

#[track_caller]
fn assert_told(results: &BTreeMap<String, Value>, when: usize) {
    for (control, told) in TOLD {
        let found = &results[control];
        assert_eq!(found["status"], told[when], "{when}: {found}");
    }
}

fn system(risk: &str, overseer: &str) -> Value {
    json!({ "kind": "ai_system", "name": "Ranking", "role": "deployer", "high_risk": risk,
        "log_stores": ["db_1"], "log_retention_days": 200, "overseers": [overseer],
        "instructions_digest": format!("sha256:{}", "0".repeat(64)) })
}

fn function() -> Value {
    json!({ "kind": "dora_function", "name": "Payments", "critical_or_important": true,
        "databases": ["db_1"] })
}

fn payroll() -> Value {
    json!({ "kind": "processing_activity", "name": "Payroll", "as_processor": false,
        "purposes": ["paying wages"], "subject_categories": ["employees"],
        "data_categories": ["bank details"], "special_categories": false, "recipients": "none",
        "transfers": "none", "retention": [{ "category": "payslips", "days": 3650 }],
        "security_measures": "two keys" })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_members_state_changes_what_a_packet_says() {
    let installation = Installation::sqlite();
    let node = installation.start_with_clock(0).await;
    let operator = Person::operator(&node, installation.operator_token());
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let ben = Person::joins(&node, "ben", &ana, "acme", "developer").await;
    let ben_id = ben.id().await;
    for framework in FRAMEWORKS {
        let path = format!("/v1/organizations/acme/compliance-subscriptions/{framework}");
        ana.puts(&path, &json!({})).answer().await.expect(200);
    }
    let auditor = Auditor::of(&node).await;
    let after = async |span: &str| {
        let now = operator.advances(span).await;
        let answer = ana.signs_in().await.expect(200);
        (Acme(ana.with_token_of(&answer)), now.to_string())
    };

    let (acme, _) = after("1d").await;
    let results = acme.results(&auditor, None).await;
    assert_told(&results, 0);
    let reason =
        |control: &str, results: &BTreeMap<String, Value>| words(&results[control]["reason"]);
    assert_eq!(reason("soc2.cc7.3.incidents", &results), "nothing of the kind was ever recorded");
    assert_eq!(reason("aia.26.2.assigned", &results), "no AI system is declared");

    acme.declares(json!({ "kind": "controller_record", "legal_name": "Acme GmbH",
        "address": "Berlin", "joint_controllers": "none", "representative": "none",
        "data_protection_officer": "none" }))
        .await;
    acme.declares(json!({ "kind": "dora_role", "role": "financial_entity" })).await;
    let payments = acme.declares(function()).await;
    let ranking = acme.declares(system("undetermined", &ben_id)).await;
    let incident = acme.opens_a_major_incident(&ranking).await;
    acme.reports_and_closes(&incident).await;
    acme.reviews_access().await;
    acme.tests_a_restore("failed").await;
    let (acme, _) = after("1d").await;
    let results = acme.results(&auditor, None).await;
    assert_told(&results, 1);
    assert_eq!(
        reason("soc2.cc7.3.incidents", &results),
        "it was first recorded after the period began"
    );

    acme.declares(payroll()).await;
    let role = json!({ "kind": "dora_role", "role": "financial_entity", "entity_type": 4,
        "lei": "5493001KJTIIGC8Y1R12" });
    acme.declares_anew("dora_role", role).await;
    let mut with_objectives = function();
    with_objectives["rto_seconds"] = json!(3600);
    with_objectives["rpo_seconds"] = json!(0);
    acme.declares_anew(&payments, with_objectives).await;
    acme.declares_anew(&ranking, system("annex_iii", &ben_id)).await;
    let (acme, complete_since) = after("1d").await;
    let incident = acme.opens_a_major_incident(&ranking).await;
    acme.reports_and_closes(&incident).await;
    acme.reviews_access().await;
    acme.tests_a_restore("succeeded").await;
    let (acme, neglected_since) = after("1d").await;
    assert_told(&acme.results(&auditor, Some(&complete_since)).await, 2);

    acme.opens_a_major_incident(&ranking).await;
    let path = format!("/v1/organizations/acme/members/{ben_id}");
    acme.0.deletes(&path).answer().await.expect(204);
    let (acme, _) = after("100d").await;
    assert_told(&acme.results(&auditor, Some(&neglected_since)).await, 3);
}
