//! Declarations and restore tests: what members state is kept, shown and reviewed; the log holds
//! numbers and ids of it and no word.

use events::stream::Stream;
use serde_json::{Value, json};

use crate::people::{Person, words};
use crate::server::{Installation, on_every_store};

on_every_store! {
    what_is_declared_is_shown_as_written_and_counted_in_the_log
}

const DECLARATIONS: &str = "/v1/organizations/acme/declarations";
const TESTS: &str = "/v1/organizations/acme/restore-tests";

fn payroll() -> Value {
    json!({
        "kind": "processing_activity", "name": "Payroll of Ana", "as_processor": false,
        "purposes": ["paying wages"], "subject_categories": ["employees", "applicants"],
        "data_categories": ["bank details"], "special_categories": false, "recipients": "none",
        "transfers": [{ "country": "CH", "safeguard": "adequacy" }, { "organization": "UN" }],
        "retention": [{ "category": "payslips", "days": 3650 }],
        "databases": ["db_01h2xcejqtf2nbrexx3vqjhp41"],
    })
}

fn of(declaration: &str) -> String {
    format!("{DECLARATIONS}/{declaration}")
}

async fn what_is_declared_is_shown_as_written_and_counted_in_the_log(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let organization = words(&ana.creates("acme").await.body()["id"]);
    let declared = ana.posts(DECLARATIONS, &payroll()).key("payroll").answer().await.expect(201);
    let (tag, body) = (declared.header("etag").unwrap().to_owned(), declared.body());
    let id = words(&body["id"]);
    assert!(id.starts_with("act_"), "{id}");
    assert_eq!(body["missing"], json!(["transfers.safeguard", "security_measures"]));
    let again = ana.posts(DECLARATIONS, &payroll()).key("payroll").answer().await.expect(201);
    assert!(again.is_replayed() && again.body() == body);

    let shown = ana.gets(&of(&id)).answer().await.expect(200);
    assert_eq!(shown.body(), body);
    for (field, written) in payroll().as_object().unwrap() {
        assert_eq!(body["statement"][field], *written, "{field}");
    }
    let recorded = json!({
        "kind": "processing_activity", "as_processor": false, "purposes": 1,
        "subject_categories": 2, "data_categories": 1, "has_special_categories": false,
        "recipients": 0, "has_security_measures": false, "controllers": 0,
        "transfers": [
            { "country": "CH", "has_safeguard": true },
            { "country": null, "has_safeguard": false },
        ],
        "retention": { "limits": [3650] }, "processing_categories": 0,
        "databases": ["db_01h2xcejqtf2nbrexx3vqjhp41"],
    });
    assert_eq!(body["recorded"], recorded);
    ana.gets(&of(&id)).with("if-none-match", &tag).answer().await.expect(304);

    let mut complete = payroll();
    complete["security_measures"] = json!("two keys");
    complete["transfers"] = json!("none");
    let put = |tag: &str| {
        ana.asks("PUT".parse().unwrap(), &of(&id)).json(&complete).with("if-match", tag).answer()
    };
    let replaced = put(&tag).await.expect(200).body();
    assert_eq!(
        (&replaced["missing"], &replaced["recorded"]["transfers"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(replaced["created_at"], body["created_at"]);
    assert_eq!(put(&tag).await.refusal(), (412, "precondition_failed".to_owned()));
    let review = format!("{}/review", of(&id));
    let reviewed = ana.posts(&review, &json!({})).answer().await.expect(200).body();
    assert_eq!(reviewed["reviewed_by"], json!(ana.id().await));

    // a word of what was written stands in the audit log only as long as its key does
    let entry = ana.pages("/v1/organizations/acme/audit-log", "events").await.swap_remove(1);
    assert_eq!(entry["action"], "declaration.set");
    assert_eq!(entry["resource"]["id"], json!(id));
    let changes = entry["changes"].as_array().unwrap();
    let purposes = json!({ "field": "purposes", "from": null, "to": 1 });
    assert!(changes.contains(&purposes), "{changes:?}");

    ana.deletes(&of(&id)).answer().await.expect(204);
    for gone in [ana.gets(&of(&id)), ana.posts(&review, &json!({})), ana.deletes(&of(&id))] {
        assert_eq!(gone.answer().await.refusal(), (404, "not_found".to_owned()));
    }
    assert!(ana.pages(DECLARATIONS, "declarations").await.is_empty());
    node.stop().await;
    let stream = Stream::Organization(organization.parse().unwrap());
    let stored = installation.log().await.read_stream(&stream, 0, 100).await.unwrap();
    let lines: String =
        stored.iter().map(|event| String::from_utf8_lossy(&event.line).into_owned()).collect();
    assert!(lines.contains("declaration.reviewed"));
    for word in ["Payroll of Ana", "paying wages", "two keys", "adequacy"] {
        assert!(!lines.contains(word), "{word} stands in a line");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_is_declared_by_owners_and_admins_and_read_by_all() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let ben = Person::joins(&node, "ben", &ana, "acme", "viewer").await;
    let ben_id = ben.id().await;
    let digest = format!("sha256:{}", "0".repeat(64));
    let kinds = [
        json!({
            "kind": "controller_record", "legal_name": "Acme GmbH", "address": "Berlin",
            "joint_controllers": "none", "representative": "none",
            "data_protection_officer": { "name": "Desk", "email": "dpo@acme.com" },
            "headcount": 12,
        }),
        json!({ "kind": "dora_role", "role": "financial_entity", "entity_type": 4,
            "lei": "5493001KJTIIGC8Y1R12" }),
        json!({ "kind": "dora_function", "name": "Payments", "critical_or_important": true,
            "databases": ["db_1"], "rto_seconds": 3600, "rpo_seconds": 0 }),
        json!({ "kind": "ai_system", "name": "Ranking", "role": "deployer",
            "high_risk": "annex_iii", "log_stores": ["db_1"], "log_retention_days": 200,
            "overseers": [ben_id], "instructions_digest": digest }),
    ];
    for body in &kinds {
        let refused = ben.posts(DECLARATIONS, body).answer().await;
        assert_eq!(refused.refusal(), (403, "forbidden".to_owned()));
        let declared = ana.posts(DECLARATIONS, body).answer().await.expect(201).body();
        assert_eq!(declared["missing"], json!([]), "{body}");
        let shown = ben.gets(&of(&words(&declared["id"]))).answer().await.expect(200).body();
        assert_eq!((&shown["kind"], &shown["statement"]), (&body["kind"], &declared["statement"]));
    }
    let single = of("controller_record");
    ana.deletes(&single).answer().await.expect(204);
    let put = || ana.asks("PUT".parse().unwrap(), &single).json(&kinds[0]);
    let of_another = put().with("if-match", "\"1\"").answer().await.refusal();
    assert_eq!(of_another, (412, "precondition_failed".to_owned()));
    put().answer().await.expect(200);
    let refused = ana.posts(DECLARATIONS, &kinds[0]).answer().await.refusal();
    assert_eq!(refused, (409, "already_declared".to_owned()));
    let other = ana.asks("PUT".parse().unwrap(), &of("dora_role")).json(&kinds[0]);
    assert_eq!(words(&other.answer().await.expect(422).body()["errors"][0]["field"]), "kind");

    let all = ben.pages(&format!("{DECLARATIONS}?page_size=1"), "declarations").await;
    let found: Vec<_> = all.iter().map(|declared| words(&declared["kind"])).collect();
    assert_eq!(found, ["controller_record", "ai_system", "dora_function", "dora_role"]);

    // whoever oversees a system stays named when they are gone, but is not named again
    ana.deletes(&format!("/v1/organizations/acme/members/{ben_id}")).answer().await.expect(204);
    let system = ana.gets(&of(&words(&all[1]["id"]))).answer().await.expect(200).body();
    assert_eq!(system["recorded"]["overseers"], json!([ben_id]));
    let refused = ana.posts(DECLARATIONS, &kinds[3]).answer().await.expect(422).body();
    assert_eq!(words(&refused["errors"][0]["field"]), "overseers");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_in_a_declaration_is_named_where_it_is() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let payroll = |field: &str, value: Value| {
        let mut body = payroll();
        body[field] = value;
        body
    };
    let long = "x".repeat(500);
    let many: Vec<_> = (0..40).map(|n| format!("{n}{}", &long[..497])).collect();
    let system = |field: &str, value: Value| {
        let mut body =
            json!({ "kind": "ai_system", "name": "R", "role": "none", "high_risk": "no" });
        body[field] = value;
        body
    };
    for (body, field) in [
        (json!({ "kind": "gossip" }), "kind"),
        (json!({ "role": "none" }), "kind"),
        (payroll("purposes", json!(["a", " "])), "purposes[1]"),
        (payroll("purposes", json!(many)), "."),
        (payroll("recipients", json!([])), "recipients"),
        (payroll("recipients", json!("nobody")), "recipients"),
        (payroll("transfers", json!([{ "country": "Mars" }])), "transfers[0].country"),
        (payroll("transfers", json!([{ "safeguard": "a wall" }])), "transfers[0].country"),
        (payroll("retention", json!([{ "category": "a" }])), "retention[0].days"),
        (payroll("retention_not_possible", json!("why not")), "retention_not_possible"),
        (payroll("databases", json!(["db_1", "db_1"])), "databases[1]"),
        (payroll("databases", json!(["payroll"])), "databases[0]"),
        (payroll("colour", json!("blue")), "colour"),
        (json!({ "kind": "dora_role", "role": "none", "entity_type": 3 }), "entity_type"),
        (json!({ "kind": "dora_role", "role": "financial_entity", "lei": "acme" }), "lei"),
        (json!({ "kind": "dora_function", "critical_or_important": true }), "name"),
        (system("instructions_digest", json!("md5:1")), "instructions_digest"),
        (system("overseers", json!(["usr_nobody"])), "overseers[0]"),
        (system("overseers", json!(["usr_01h2xcejqtf2nbrexx3vqjhp41"])), "overseers"),
    ] {
        let refused = ana.posts(DECLARATIONS, &body).answer().await.expect(422).body();
        assert_eq!(words(&refused["errors"][0]["field"]), field, "{body}");
    }
    assert!(ana.pages(DECLARATIONS, "declarations").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_test_is_recorded_with_its_database_or_in_words() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let of_database = json!({ "database": "db_1", "result": "succeeded", "duration_seconds": 540,
        "performed_at": "2026-01-31T09:30:00Z", "other_region": true });
    ana.posts(TESTS, &of_database).answer().await.expect(201);
    let in_words = json!({ "scope": "the mail server", "result": "failed", "duration_seconds": 0,
        "notes": "the tape was empty" });
    ana.posts(TESTS, &in_words).answer().await.expect(201);
    let all = ana.pages(TESTS, "restore_tests").await;
    assert_eq!(all.len(), 2);
    assert_eq!((&all[0]["scope"], &all[0]["notes"]), (&in_words["scope"], &in_words["notes"]));
    assert_eq!(all[1]["performed_at"], "2026-01-31T09:30:00.000Z");
    assert_eq!((&all[1]["scope"], &all[1]["other_region"]), (&Value::Null, &json!(true)));
    for (field, value, wrong) in [
        ("scope", json!("both"), "database"),
        ("database", Value::Null, "database"),
        ("duration_seconds", json!(2_592_001), "duration_seconds"),
        ("performed_at", json!("2999-01-01T00:00:00Z"), "performed_at"),
        ("performed_at", json!("yesterday"), "performed_at"),
        ("result", json!("fine"), "result"),
    ] {
        let mut body = of_database.clone();
        body[field] = value;
        let refused = ana.posts(TESTS, &body).answer().await.expect(422).body();
        assert_eq!(words(&refused["errors"][0]["field"]), wrong, "{body}");
    }
}

#[test]
fn the_page_about_declarations_names_controls_that_there_are() {
    let read = |path: &str| {
        let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("it can be read")
    };
    let specifications = ["soc2", "gdpr_ropa", "dora", "eu_ai_act"]
        .map(|it| read(&format!("src/compliance/specifications/{it}.v1.json")))
        .concat();
    let page = read("docs/compliance-declarations.md");
    let frameworks = ["soc2.", "ropa.", "dora.", "aia."];
    let is_control = |word: &&str| frameworks.iter().any(|it| word.starts_with(it));
    let named: Vec<&str> = page.split('`').filter(is_control).collect();
    assert!(named.len() > 20, "{named:?}");
    for control in named {
        let id = format!("\"id\": \"{control}\"");
        assert!(specifications.contains(&id), "there is no control `{control}`");
    }
}
