//! A log that proves itself over HTTP: heads and proofs of it, the keys they are signed with, and
//! packets that are made once, whatever comes between.

use std::collections::BTreeSet;

use events::tree::{Hash, verify_consistency, verify_inclusion};
use reqwest::Method;
use serde_json::{Value, json};

use crate::operations::has_packet_made;
use crate::people::{Person, words};
use crate::server::{Installation, on_every_store};

on_every_store! {
    every_head_continues_the_one_before
    an_entry_is_proven_once_and_for_ever
    a_packet_that_was_cut_short_is_made_after_all
    a_packet_is_made_for_each_quarter_that_is_over
    who_takes_a_packet_along_is_recorded_once_a_day
}

const LOG: &str = "/v1/organizations/acme/audit-log";
const REPORTS: &str = "/v1/organizations/acme/compliance-reports";

/// Size and root of a signed head.
fn head(note: &str) -> (u64, Hash) {
    let lines: Vec<&str> = note.lines().collect();
    (lines[1].parse().unwrap(), lines[2].parse().unwrap())
}

fn hashes(list: &Value) -> Vec<Hash> {
    list.as_array().unwrap().iter().map(|hash| words(hash).parse().unwrap()).collect()
}

async fn checkpoint(by: &Person) -> String {
    let answer = by.gets(&format!("{LOG}/checkpoint")).answer().await.expect(200);
    String::from_utf8(answer.bytes).unwrap()
}

async fn every_head_continues_the_one_before(on: Installation) {
    let node = on.start().await;
    let ana = Person::registers(&node, "ana").await;
    let id = words(&ana.creates("acme").await.body()["id"]);
    let mut heads = Vec::new();
    for round in 0..9 {
        let note = checkpoint(&ana).await;
        assert!(note.lines().next().unwrap().ends_with(&format!("/organizations/{id}")), "{note}");
        assert_eq!(checkpoint(&ana).await, note, "one head has one signature");
        heads.push(head(&note));
        ana.renames("acme", &format!("Acme {round}")).await;
    }
    let sizes: BTreeSet<u64> = heads.iter().map(|(size, _)| *size).collect();
    assert_eq!(sizes.len(), heads.len());
    for (older, newer) in heads.iter().zip(&heads[1..]).chain([(&heads[0], &heads[8])]) {
        let path = format!("{LOG}/consistency?from={}&to={}", older.0, newer.0);
        let found = ana.gets(&path).answer().await.expect(200).body();
        assert_eq!(verify_consistency(*older, *newer, &hashes(&found["proof"])), Ok(()));
    }
    for wrong in ["", "?from=2&to=1", "?from=1&to=1000", "?from=x", "?to=1"] {
        let refused = ana.gets(&format!("{LOG}/consistency{wrong}")).answer().await;
        assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{wrong}");
    }
    node.stop().await;
    on.assert_no_difference();
}

async fn an_entry_is_proven_once_and_for_ever(on: Installation) {
    let node = on.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    for round in 0..5 {
        ana.renames("acme", &format!("Acme {round}")).await;
    }
    let mut before = Vec::new();
    for entry in ana.pages(LOG, "events").await {
        let path = format!("{LOG}/{}", words(&entry["id"]));
        let shown = ana.gets(&path).answer().await.expect(200).body();
        let proof = &shown["proof"];
        let line = Hash::of_leaf(words(&proof["line"]).as_bytes());
        let (size, root) = head(&words(&proof["checkpoint"]));
        let index = shown["version"].as_u64().unwrap();
        assert_eq!(verify_inclusion(line, index, size, &hashes(&proof["hashes"]), root), Ok(()));
        assert!(verify_inclusion(line, index, size, &[], root).is_err() || size == 1);
        before.push((path, shown));
    }
    assert!(before.len() > 5);
    ana.renames("acme", "Acme Again").await;
    for (path, shown) in before {
        assert_eq!(ana.gets(&path).answer().await.expect(200).body(), shown);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_replaced_stays_published() {
    let on = Installation::sqlite();
    let node = on.start().await;
    let (ana, operator) =
        (Person::registers(&node, "ana").await, Person::operator(&node, on.operator_token()));
    ana.creates("acme").await;
    let old = has_packet_made(&ana, "acme").await;
    let stranger = Person::stranger(&node);
    let keys = async || {
        let path = "/.well-known/compliance-signing-keys";
        stranger.gets(path).answer().await.expect(200).body()["keys"].as_array().unwrap().clone()
    };
    let first = keys().await;
    let refused = ana.posts("/v1/admin/signing-keys/rotate", &json!({})).answer().await;
    assert_eq!(refused.refusal(), (401, "operator_only".to_owned()));
    let rotate = || operator.posts("/v1/admin/compliance/signing-keys/rotate", &json!({})).key("r");
    let rotated = rotate().answer().await.expect(200).body();
    assert_eq!(rotate().answer().await.expect(200).body(), rotated, "the first answer again");
    assert_eq!(rotated["keys"].as_array().unwrap(), &keys().await);
    let active: Vec<bool> = keys().await.iter().map(|key| key["active"] == true).collect();
    assert_eq!(active, [true, false]);
    assert_eq!(keys().await[1]["x"], first[0]["x"]);
    for key in keys().await {
        let path = format!("/.well-known/compliance-signing-keys/{}.pem", words(&key["kid"]));
        let pem = stranger.gets(&path).answer().await.expect(200).bytes;
        assert_eq!(String::from_utf8(pem).unwrap(), words(&key["public_key"]));
    }
    let new = has_packet_made(&ana, "acme").await;
    for (packet, key) in [(&old, &first[0]), (&new, &keys().await[0])] {
        let shown = ana.gets(&format!("{REPORTS}/{packet}")).answer().await.expect(200).body();
        assert_eq!(shown["signature"]["key_id"], key["kid"]);
        let bundle = ana.gets(&format!("{REPORTS}/{packet}/bundle")).answer().await.expect(200);
        let verify = stranger.posts("/v1/compliance/verify", &json!(null));
        let verdict = verify.bytes("application/zip", bundle.bytes).answer().await.expect(200);
        assert_eq!(verdict.body()["valid"], true, "{}", verdict.body());
    }
    let stolen = words(&keys().await[0]["kid"]);
    let path = format!("/v1/admin/signing-keys/{stolen}/revoke");
    let body = json!({ "compromised_since": "2026-01-01T00:00:00Z" });
    let revoked = operator.posts(&path, &body).answer().await.expect(200).body();
    assert_eq!(revoked["keys"].as_array().unwrap().len(), 3, "another signs in its place");
    let again = operator.posts(&path, &body).answer().await;
    assert_eq!(again.refusal(), (409, "key_revoked".to_owned()));
    let bundle = ana.gets(&format!("{REPORTS}/{new}/bundle")).answer().await.expect(200);
    let verify = stranger.posts("/v1/compliance/verify", &json!(null));
    let verdict = verify.bytes("application/zip", bundle.bytes).answer().await.expect(200).body();
    assert_eq!(verdict["valid"], false, "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_takes_a_subscription_and_stays_when_that_ends() {
    let on = Installation::sqlite();
    let node = on.start().await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    ana.creates("acme").await;
    ana.takes_in(&ben, "acme", "viewer").await;
    let wanted = json!({ "framework": "soc2" });
    let refused = ben.posts(REPORTS, &wanted).answer().await;
    assert_eq!(refused.refusal(), (402, "not_subscribed".to_owned()));
    let packet = has_packet_made(&ana, "acme").await;
    let by_key = || ben.posts(REPORTS, &wanted).key("once");
    let first = by_key().answer().await.expect(201);
    let again = by_key().answer().await.expect(201);
    assert!(again.is_replayed());
    assert_eq!(first.body(), again.body());
    let files = async || {
        let shown = ben.gets(&format!("{REPORTS}/{packet}")).answer().await.expect(200).bytes;
        let bundle =
            ben.gets(&format!("{REPORTS}/{packet}/bundle")).answer().await.expect(200).bytes;
        let report = ben.gets(&format!("{REPORTS}/{packet}/pdf")).answer().await.expect(200).bytes;
        assert!(report.starts_with(b"%PDF"));
        (shown, bundle, report)
    };
    let before = files().await;
    let subscription = "/v1/organizations/acme/compliance-subscriptions/soc2";
    ana.deletes(subscription).answer().await.expect(204);
    ana.renames("acme", "Acme Two").await;
    assert_eq!(files().await, before, "byte for byte");
    assert_eq!(ben.posts(REPORTS, &wanted).answer().await.refusal().0, 402);
    let list = "/v1/organizations/acme/compliance-subscriptions";
    let list = ben.gets(list).answer().await.expect(200).body();
    assert_eq!(list["subscriptions"].as_array().unwrap().len(), 4);
    assert_eq!(list["subscriptions"][0]["enabled"], false);
    assert!(list["subscriptions"][0]["canceled_at"].is_string());
    let missing = ben.gets(&format!("{REPORTS}/{packet}/files/nothing")).answer().await;
    assert_eq!(missing.status, 404);
    let unknown =
        json!({ "framework": "iso27001", "period_end": "2999-01-01", "challenge": "a b" });
    let refused = ana.posts(REPORTS, &unknown).answer().await.expect(422).body();
    let fields: Vec<String> =
        refused["errors"].as_array().unwrap().iter().map(|it| words(&it["field"])).collect();
    assert_eq!(fields, ["framework", "period_end", "challenge"]);
    let posture = "/v1/organizations/acme/compliance-report";
    let posture = ben.gets(posture).answer().await.expect(200).body();
    assert_eq!(posture["report"]["organization"]["id"], json!(ana.shows("acme").await["id"]));
    assert!(posture["signature"]["value"].is_string());
}

async fn a_packet_that_was_cut_short_is_made_after_all(on: Installation) {
    let node = on.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let subscription = "/v1/organizations/acme/compliance-subscriptions/soc2";
    ana.puts(subscription, &json!({})).answer().await.expect(200);
    node.stop().await;
    let mut node = on.start_failing_at("packet.signed", "abort").await;
    let wanted = json!({ "framework": "soc2", "challenge": "mine" });
    let cut = ana.at(&node).posts(REPORTS, &wanted).try_answer().await;
    assert!(cut.is_err());
    node.ended().await;

    let node = on.start().await;
    node.until_it_says("a compliance packet is made").await;
    let ana = ana.at(&node);
    let made = ana.pages(REPORTS, "reports").await;
    assert_eq!(made.len(), 1);
    assert_eq!((&made[0]["status"], &made[0]["challenge"]), (&json!("ready"), &json!("mine")));
    let path = format!("{REPORTS}/{}/bundle", words(&made[0]["id"]));
    let bundle = ana.gets(&path).answer().await.expect(200);
    let verify = ana.posts("/v1/compliance/verify?challenge=mine", &json!(null));
    let verdict = verify.bytes("application/zip", bundle.bytes).answer().await.expect(200).body();
    assert_eq!(verdict["valid"], true, "{verdict}");
}

async fn a_packet_is_made_for_each_quarter_that_is_over(on: Installation) {
    let node = on.start_with_clock(0).await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let subscription = "/v1/organizations/acme/compliance-subscriptions/soc2";
    ana.puts(subscription, &json!({})).answer().await.expect(200);
    let operator = Person::operator(&node, on.operator_token());
    operator.advances("190d").await;
    let ana = ana.with_token_of(&ana.signs_in().await.expect(200));
    let made = ana.pages(REPORTS, "reports").await;
    assert!((2..=3).contains(&made.len()), "{made:?}");
    for (newer, older) in made.iter().zip(&made[1..]) {
        assert_eq!(newer["period_start"], older["period_end"]);
    }
    assert!(made.iter().all(|packet| packet["status"] == "ready"));
    ana.deletes(subscription).answer().await.expect(204);
    operator.advances("190d").await;
    let ana = ana.with_token_of(&ana.signs_in().await.expect(200));
    assert_eq!(ana.pages(REPORTS, "reports").await.len(), made.len());
}

async fn who_takes_a_packet_along_is_recorded_once_a_day(on: Installation) {
    let node = on.start_with_clock(0).await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let ben = Person::joins(&node, "ben", &ana, "acme", "viewer").await;
    let packet = has_packet_made(&ana, "acme").await;
    let path = |what: &str| format!("{REPORTS}/{packet}{what}");
    let gets = async |by: &Person, what: &str| by.gets(&path(what)).answer().await;
    let downloads = async |by: &Person| {
        let found = format!("{LOG}?action=compliance.packet_downloaded");
        let told = by.pages(&found, "events").await.into_iter().rev();
        told.map(|entry| {
            assert_eq!(entry["resource"]["id"], packet);
            (words(&entry["actor"]["id"]), entry["changes"][0]["to"] == true)
        })
        .collect::<Vec<_>>()
    };
    let (ana_id, ben_id) = (ana.id().await, ben.id().await);

    for what in ["/bundle", "/pdf", "/files/checkpoint"] {
        ben.asks(Method::HEAD, &path(what)).answer().await.expect(200);
    }
    gets(&ben, "").await.expect(200);
    gets(&ben, "/files/nothing").await.expect(404);
    gets(&Person::registers(&node, "cleo").await, "/bundle").await.expect(404);
    assert_eq!(downloads(&ana).await, []);

    let bundle = gets(&ben, "/bundle").await.expect(200).bytes;
    let mut expected = vec![(ben_id.clone(), true)];
    assert_eq!(downloads(&ana).await, expected);
    for what in ["/bundle", "/pdf", "/files/events.jsonl"] {
        gets(&ben, what).await.expect(200);
    }
    let token =
        words(&ben.makes_token("acme", "personal", &["compliance:read"]).await.body()["token"]);
    gets(&ben.with_token(Some(token)), "/bundle").await.expect(200);
    assert_eq!(downloads(&ana).await, expected, "the same person within a day");

    // the report opens no value; what comes with it later does
    gets(&ana, "/pdf").await.expect(200);
    gets(&ana, "/files/checkpoint").await.expect(200);
    assert_eq!(gets(&ana, "/bundle").await.expect(200).bytes, bundle, "byte for byte");
    expected.extend([(ana_id.clone(), false), (ana_id, true)]);
    assert_eq!(downloads(&ana).await, expected);

    Person::operator(&node, on.operator_token()).advances("25h").await;
    let (ana, ben) = (
        ana.with_token_of(&ana.signs_in().await.expect(200)),
        ben.with_token_of(&ben.signs_in().await.expect(200)),
    );
    assert_eq!(gets(&ben, "/bundle").await.expect(200).bytes, bundle, "byte for byte");
    expected.push((ben_id, true));
    assert_eq!(downloads(&ana).await, expected);
    node.stop().await;
    on.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_what_of_an_erased_person_is_told() {
    let on = Installation::sqlite();
    let node = on.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let ben = Person::joins(&node, "ben", &ana, "acme", "viewer").await;
    let cleo = Person::joins(&node, "cleo", &ana, "acme", "viewer").await;
    let subscription = "/v1/organizations/acme/compliance-subscriptions/gdpr_ropa";
    ana.puts(subscription, &json!({})).answer().await.expect(200);
    let requests = async || {
        let wanted = json!({ "framework": "gdpr_ropa" });
        ana.posts(REPORTS, &wanted).answer().await.expect(201).body()
    };
    let control = |made: &Value| {
        let controls = made["packet"]["controls"].as_array().unwrap();
        let found = controls.iter().find(|it| it["control_id"] == "ropa.recipients-notified");
        found.expect("it is specified").clone()
    };
    let before = requests().await;
    assert_eq!(control(&before)["reason"], "no_occurrence");
    let packet = words(&before["report_id"]);
    ben.gets(&format!("{REPORTS}/{packet}/bundle")).answer().await.expect(200);
    ana.gets(&format!("{REPORTS}/{packet}/pdf")).answer().await.expect(200);
    cleo.erases().answer().await.expect(204);
    node.until_it_says("an erasure is recorded wherever").await;

    let after = requests().await;
    assert_eq!(control(&after)["status"], "pass");
    let report = format!("{REPORTS}/{}", words(&after["report_id"]));
    let path = format!("{report}/files/population-ropa.recipients-notified.jsonl");
    let population = ana.gets(&path).answer().await.expect(200).bytes;
    let told: Value = serde_json::from_slice(&population).expect("one line");
    assert_eq!((&told["recipient"], &told["packet"]), (&json!(ben.id().await), &json!(packet)));
    let bundle = ana.gets(&format!("{report}/bundle")).answer().await.expect(200).bytes;
    let verify = ana.posts("/v1/compliance/verify", &json!(null));
    let verdict = verify.bytes("application/zip", bundle).answer().await.expect(200).body();
    assert_eq!(verdict["valid"], true, "{verdict}");
}
