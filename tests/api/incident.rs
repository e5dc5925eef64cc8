//! Incidents: from the first notice to the last report.

use serde_json::{Value, json};

use crate::people::{Person, words};
use crate::server::{Installation, on_every_store};

on_every_store! {
    an_incident_is_told_from_its_beginning_to_its_end
}

const INCIDENTS: &str = "/v1/organizations/acme/incidents";

fn step(incident: &str, what: &str) -> String {
    format!("{INCIDENTS}/{incident}/{what}")
}

fn outage() -> Value {
    json!({
        "title": "Payments are down", "description": "Nobody can pay.",
        "detected_at": "2026-01-31T09:00:00Z", "aware_at": "2026-01-31T09:10:00Z",
        "databases": ["db_1"],
    })
}

async fn an_incident_is_told_from_its_beginning_to_its_end(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let opened = ana.posts(INCIDENTS, &outage()).answer().await.expect(201).body();
    let incident = words(&opened["id"]);
    assert_eq!((&opened["status"], &opened["classification"]), (&json!("open"), &Value::Null));
    let report = |stage: &str, at: &str| {
        let body = json!({ "stage": stage, "submitted_at": at, "reference": "BaFin 7" });
        ana.posts(&step(&incident, "report"), &body).answer()
    };
    let close = json!({ "cause": "system_failure", "root_cause": "A disk was full." });
    let early = report("initial", "2026-01-31T10:00:00Z").await.refusal();
    assert_eq!(early, (409, "incident_not_classified".to_owned()));
    let early = ana.posts(&step(&incident, "close"), &close).answer().await.refusal();
    assert_eq!(early, (409, "incident_not_classified".to_owned()));

    let classified = json!({ "is_major": true, "criteria": ["duration", "clients"],
        "classified_at": "2026-01-31T09:30:00Z", "reason": "half of the clients" });
    ana.posts(&step(&incident, "classify"), &classified).answer().await.expect(200);
    let refused = report("intermediate", "2026-01-31T10:00:00Z").await.refusal();
    assert_eq!(refused, (409, "report_out_of_order".to_owned()));
    report("initial", "2026-01-31T10:00:00Z").await.expect(200);
    report("intermediate", "2026-02-02T10:00:00Z").await.expect(200);
    let recovered = json!({ "recovered_at": "2026-01-31T12:00:00Z" });
    ana.posts(&step(&incident, "recover"), &recovered).answer().await.expect(200);
    ana.posts(&step(&incident, "close"), &close).answer().await.expect(200);
    let again = ana.posts(&step(&incident, "recover"), &recovered).answer().await.refusal();
    assert_eq!(again, (409, "incident_closed".to_owned()));
    let told = report("final", "2026-02-27T10:00:00Z").await.expect(200);

    let shown = ana.gets(&format!("{INCIDENTS}/{incident}")).answer().await.expect(200);
    assert_eq!(shown.header("etag"), told.header("etag"));
    let body = shown.body();
    let classification = json!({ "classified_at": "2026-01-31T09:30:00.000Z", "is_major": true,
        "criteria": ["clients", "duration"], "reason": "half of the clients" });
    assert_eq!(body["classification"], classification);
    let stages: Vec<_> =
        body["reports"].as_array().unwrap().iter().map(|it| words(&it["stage"])).collect();
    assert_eq!(stages, ["initial", "intermediate", "final"]);
    assert_eq!(body["reports"][0]["reference"], "BaFin 7");
    let end = ["status", "cause", "root_cause", "recovered_at", "title"].map(|it| &body[it]);
    let expected = ["closed", "system_failure", "A disk was full.", "2026-01-31T12:00:00.000Z"];
    assert_eq!(end[..4], expected.map(|it| json!(it)).each_ref()[..]);
    assert_eq!(ana.pages(INCIDENTS, "incidents").await, [body]);
    let expected =
        ["opened", "classified", "reported", "reported", "recovered", "closed", "reported"];
    let history = ana.history("acme").await;
    let told: Vec<_> = history.iter().filter_map(|it| it.strip_prefix("incident.")).collect();
    assert_eq!(told, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_named_where_it_is() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let opened = ana.posts(INCIDENTS, &outage()).answer().await.expect(201).body();
    let incident = words(&opened["id"]);
    let with = |field: &str, value: Value| {
        let mut body = outage();
        body[field] = value;
        body
    };
    let before = "2026-01-31T08:59:59Z";
    for (path, body, field) in [
        (INCIDENTS.to_owned(), with("title", json!("")), "title"),
        (INCIDENTS.to_owned(), with("detected_at", json!("2999-01-01T00:00:00Z")), "detected_at"),
        (INCIDENTS.to_owned(), with("aware_at", json!(before)), "aware_at"),
        (INCIDENTS.to_owned(), with("databases", json!(["payments"])), "databases[0]"),
        (
            INCIDENTS.to_owned(),
            with("ai_systems", json!(["ais_01h2xcejqtf2nbrexx3vqjhp41"])),
            "ai_systems",
        ),
        (step(&incident, "classify"), json!({ "criteria": [] }), "is_major"),
        (
            step(&incident, "classify"),
            json!({ "is_major": true, "criteria": ["fear"] }),
            "criteria[0]",
        ),
        (
            step(&incident, "classify"),
            json!({ "is_major": true, "classified_at": before }),
            "classified_at",
        ),
        (step(&incident, "recover"), json!({ "recovered_at": before }), "recovered_at"),
        (step(&incident, "close"), json!({ "cause": "bad luck", "root_cause": "a" }), "cause"),
        (step(&incident, "close"), json!({ "cause": "unknown" }), "root_cause"),
    ] {
        let refused = ana.posts(&path, &body).answer().await.expect(422).body();
        assert_eq!(words(&refused["errors"][0]["field"]), field, "{body}");
    }
    for nothing in ["inc_01h2xcejqtf2nbrexx3vqjhp41", "nothing"] {
        let path = step(nothing, "recover");
        let refused = ana.posts(&path, &json!({})).answer().await.refusal();
        assert_eq!(refused, (404, "not_found".to_owned()));
    }
}
