//! Access reviews: everybody is decided about, and nobody is removed by it.

use serde_json::{Value, json};

use crate::people::{Person, words};
use crate::server::{Installation, on_every_store};

on_every_store! {
    a_review_is_complete_when_everybody_who_still_has_access_is_decided_about
}

const REVIEWS: &str = "/v1/organizations/acme/access-reviews";

fn item<'a>(review: &'a Value, id: &str) -> &'a Value {
    let items = review["items"].as_array().expect("a review shows its items");
    items.iter().find(|it| it["item"] == id).expect("it is reviewed")
}

async fn a_review_is_complete_when_everybody_who_still_has_access_is_decided_about(
    installation: Installation,
) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let ben = Person::joins(&node, "ben", &ana, "acme", "developer").await;
    let cleo = Person::joins(&node, "cleo", &ana, "acme", "viewer").await;
    let key = ana.makes_token("acme", "organization", &["org:read"]).await.body();
    let key = words(&key["token_info"]["id"]);
    let (ana_id, ben_id, cleo_id) = (ana.id().await, ben.id().await, cleo.id().await);

    let started = ana.posts(REVIEWS, &json!({})).key("q3").answer().await.expect(201).body();
    let again = ana.posts(REVIEWS, &json!({})).key("q3").answer().await.expect(201);
    assert!(again.is_replayed() && again.body() == started);
    let review = words(&started["id"]);
    let counts = ["members", "tokens", "undecided"].map(|it| started[it].clone());
    assert_eq!(counts, [json!(3), json!(1), json!(4)]);
    assert_eq!(item(&started, &ben_id)["role"], "developer");
    assert_eq!(item(&started, &key)["token_name"], "made");

    let of = |what: &str| format!("{REVIEWS}/{review}/{what}");
    let decide =
        |decisions: Value| ana.posts(&of("decide"), &json!({ "decisions": decisions })).answer();
    decide(json!([
        { "item": ana_id, "decision": "keep" },
        { "item": ben_id, "decision": "change", "reason": "reads only" },
        { "item": key, "decision": "keep" },
    ]))
    .await
    .expect(200);
    let early = ana.posts(&of("complete"), &json!({})).answer().await.refusal();
    assert_eq!(early, (409, "review_undecided".to_owned()));
    let decided = decide(json!([{ "item": key, "decision": "remove" }])).await.expect(200).body();
    assert_eq!(item(&decided, &key)["decision"], "remove");
    assert_eq!(item(&decided, &ben_id)["reason"], "reads only");
    assert_eq!(decided["undecided"], 1);

    // a decision removes nobody, and who has left needs none
    ana.gets(&format!("/v1/organizations/acme/tokens/{key}")).answer().await.expect(200);
    cleo.posts("/v1/organizations/acme/leave", &json!({})).answer().await.expect(200);
    let open = ben.gets(&format!("{REVIEWS}/{review}")).answer().await.expect(200);
    assert_eq!((open.header("etag"), &open.body()["undecided"]), (None, &json!(0)));
    assert_eq!(item(&open.body(), &cleo_id)["is_gone"], true);
    let completed = ana.posts(&of("complete"), &json!({})).answer().await.expect(200).body();
    assert_eq!(completed["status"], "completed");
    assert_eq!(item(&completed, &cleo_id)["decision"], Value::Null);
    let late = decide(json!([{ "item": key, "decision": "keep" }])).await.refusal();
    assert_eq!(late, (409, "review_completed".to_owned()));

    let mut summary = completed.clone();
    summary.as_object_mut().unwrap().remove("items");
    assert_eq!(ben.pages(REVIEWS, "access_reviews").await, [summary]);
    let log = "/v1/organizations/acme/audit-log?action=access_review.completed";
    let entry = ana.pages(log, "events").await.swap_remove(0);
    let counted: Vec<_> = entry["changes"].as_array().unwrap().iter().map(|it| &it["to"]).collect();
    assert_eq!(counted, [&json!(1), &json!(1), &json!(1), &json!(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_are_taken_all_or_none() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let ben = Person::joins(&node, "ben", &ana, "acme", "viewer").await;
    let ana_id = ana.id().await;
    let refused = ben.posts(REVIEWS, &json!({})).answer().await.refusal();
    assert_eq!(refused, (403, "forbidden".to_owned()));
    let review = words(&ana.posts(REVIEWS, &json!({})).answer().await.expect(201).body()["id"]);
    let odd = ana.posts(REVIEWS, &json!({ "members": [] })).answer().await.expect(422).body();
    assert_eq!(words(&odd["errors"][0]["field"]), "members");
    let path = format!("{REVIEWS}/{review}/decide");
    let keep = |item: &str| json!({ "item": item, "decision": "keep" });
    for (decisions, field) in [
        (json!([]), "decisions"),
        (json!([keep(&ana_id), keep(&ana_id)]), "decisions[1].item"),
        (json!([keep(&ana_id), keep("usr_01h2xcejqtf2nbrexx3vqjhp41")]), "decisions"),
        (json!([keep("org_01h2xcejqtf2nbrexx3vqjhp41")]), "decisions[0].item"),
        (json!([{ "item": ana_id, "decision": "promote" }]), "decisions[0].decision"),
    ] {
        let ask = ana.posts(&path, &json!({ "decisions": decisions }));
        let refused = ask.answer().await.expect(422).body();
        assert_eq!(words(&refused["errors"][0]["field"]), field, "{decisions}");
    }
    let shown = ana.gets(&format!("{REVIEWS}/{review}")).answer().await.expect(200).body();
    assert_eq!(shown["undecided"], 2);
    for _ in 0..4 {
        ana.posts(REVIEWS, &json!({})).answer().await.expect(201);
    }
    let sixth = ana.posts(REVIEWS, &json!({})).answer().await.refusal();
    assert_eq!(sixth, (409, "statement_limit".to_owned()));
}
