//! Anybody may have a packet verified by the server, with the server's own keys; and whoever pins
//! those keys verifies what the server made without it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::attacks::Cases;
use crate::auditor::Auditor;
use crate::people::{Answer, Person, words};
use crate::server::{Installation, Node, text};

const ZIP: &str = "application/zip";
const VERIFY: &str = "/v1/compliance/verify";
const REPORTS: &str = "/v1/organizations/acme/compliance-reports";
const CHALLENGE: &str = "auditor-nonce-1";
const FRAMEWORKS: [&str; 4] = ["soc2", "gdpr_ropa", "dora", "eu_ai_act"];

async fn asked(node: &Node, path: &str, kind: &str, body: impl Into<Vec<u8>>) -> Answer {
    Person::stranger(node).asks(Method::POST, path).bytes(kind, body).answer().await
}

async fn verdict(node: &Node, kind: &str, body: impl Into<Vec<u8>>) -> Value {
    asked(node, VERIFY, kind, body).await.expect(200).body()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_of_another_installation_is_told_so_to_anybody() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let cases = Cases::made_from("1");
    let zip = std::fs::read(cases.packet("honest_zip")).unwrap();
    let answer = verdict(&node, ZIP, zip).await;
    assert_eq!(answer["valid"], false);
    assert_eq!(answer["fault"]["code"], "V1-dsse-signature");
    assert_eq!(answer["checks"], json!([]));

    let envelope = std::fs::read(cases.packet("honest_envelope_alone")).unwrap();
    for kind in ["application/json", "application/vnd.dsse.envelope.v1+json"] {
        let answer = verdict(&node, kind, envelope.clone()).await;
        assert_eq!(answer["fault"]["code"], "V1-dsse-signature", "{kind}");
    }
    for (case, code) in [
        ("b1_a_path_out_of_the_bundle", "V0-entry-name"),
        ("b1_two_entries_of_one_name", "V0-entry-twice"),
        ("b1_a_bomb", "V0-too-large:packet.dsse.json"),
    ] {
        let zip = std::fs::read(cases.packet(case)).unwrap();
        assert_eq!(verdict(&node, ZIP, zip).await["fault"]["code"], code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_packet_is_no_error_of_the_server() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    for (body, code) in
        [("", "V1-envelope"), ("{}", "V1-envelope"), ("PK\u{3}\u{4}", "V0-unreadable")]
    {
        let answer = verdict(&node, ZIP, body).await;
        assert_eq!(answer["fault"]["code"], code, "{body:?}");
    }
    for (path, kind, status) in [
        (VERIFY, "text/html", 415),
        ("/v1/compliance/verify?organization=acme", ZIP, 400),
        ("/v1/compliance/verify?colour=red", ZIP, 400),
    ] {
        assert_eq!(asked(&node, path, kind, "x").await.status, status, "{path}");
    }
    let large = vec![b' '; (64 << 20) + 1];
    assert_eq!(asked(&node, VERIFY, ZIP, large).await.status, 413);
}

async fn packet(by: &Person, framework: &str) -> (String, Vec<u8>) {
    let body = json!({ "framework": framework, "challenge": CHALLENGE });
    let made = by.posts("/v1/organizations/acme/compliance-reports", &body).answer().await;
    let id = words(&made.expect(201).body()["report_id"]);
    let bundle = bundle(by, &id).await;
    (id, bundle)
}

/// What a packet's signed statement says.
async fn statement(by: &Person, id: &str) -> Value {
    let shown = by.gets(&format!("{REPORTS}/{id}")).answer().await.expect(200).body();
    let payload = STANDARD.decode(words(&shown["dsse"]["payload"])).unwrap();
    let statement: Value = serde_json::from_slice(&payload).unwrap();
    statement["predicate"].clone()
}

async fn bundle(by: &Person, id: &str) -> Vec<u8> {
    let path = format!("/v1/organizations/acme/compliance-reports/{id}/bundle");
    by.gets(&path).answer().await.expect(200).bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_made_holds_for_whoever_pins_its_keys() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let ben = Person::registers(&node, "ben").await;
    let organization = words(&ana.creates("acme").await.body()["id"]);
    ana.takes_in(&ben, "acme", "developer").await;
    let auditor = Auditor::of(&node).await;
    let mut bundles = Vec::new();
    for framework in FRAMEWORKS {
        let path = format!("/v1/organizations/acme/compliance-subscriptions/{framework}");
        ana.asks(Method::PUT, &path).answer().await.expect(200);
        let (id, bundle) = packet(&ana, framework).await;
        let said = verdict(&node, ZIP, bundle.clone()).await;
        assert_eq!(said["valid"], true, "{framework}: {said:#}");
        let path = auditor.keeps(&format!("{framework}.zip"), &bundle);
        let expected = ["--organization", &organization, "--challenge", CHALLENGE];
        let (fault, said) = auditor.verifies(&path, &expected);
        assert_eq!(fault, None, "{framework}: {said}");
        let (fault, _) = auditor.verifies(&path, &["--challenge", "another"]);
        assert_eq!(fault.as_deref(), Some("V9-challenge-not-last-event"));
        bundles.push((id, path));
    }

    // the head that was kept binds every later packet
    let (first, path) = &bundles[0];
    let name = format!("/v1/organizations/acme/compliance-reports/{first}/files/checkpoint");
    let checkpoint = ana.gets(&name).answer().await.expect(200).bytes;
    let kept = auditor.keeps("kept", &checkpoint).display().to_string();
    let (fault, said) = auditor.verifies(&bundles[3].1, &["--checkpoint", &kept]);
    assert_eq!(fault, None, "{said}");

    // once ben is erased what was disclosed of him is gone, and the log says why
    let before = statement(&ana, first).await;
    let of_ben = before["privacy"]["disclosed"].as_array().unwrap();
    let [of_ben] = &of_ben[..] else { panic!("{of_ben:?}") };
    let name = format!("{REPORTS}/{first}/files/disclosures-{}.jsonl", words(of_ben));
    let disclosed: Value =
        serde_json::from_slice(&ana.gets(&name).answer().await.expect(200).bytes).unwrap();
    ben.erases().answer().await.expect(204);
    node.until_it_says("an erasure is recorded wherever").await;
    let path_of_export = "/v1/organizations/acme/audit-log/export";
    let export = ana.gets(path_of_export).answer().await.expect(200).bytes;
    assert!(text(&export).contains("person.erased"));
    let again = auditor.keeps("again.zip", &bundle(&ana, first).await);
    let (fault, said) = auditor.verifies(&again, &[]);
    let fault = fault.unwrap_or_default();
    assert!(fault.starts_with("V4-missing-file:disclosures-"), "{fault}: {said}");
    let later = auditor.keeps("later.ndjson", &export).display().to_string();
    let (fault, said) = auditor.verifies(&again, &["--later-log", &later]);
    assert_eq!(fault, None, "{said}");
    // the copy from before still holds
    assert_eq!(auditor.verifies(path, &[]).0, None);
    let (new, bundle) = packet(&ana, "soc2").await;
    let withheld = events::personal::digest(&words(&disclosed["disclosure"]));
    let erased = statement(&ana, &new).await["privacy"]["erased"].clone();
    assert_eq!((&erased[0]["subject"], &erased[0]["digests"]), (of_ben, &json!([withheld])));
    let (fault, said) =
        auditor.verifies(&auditor.keeps("new.zip", &bundle), &["--checkpoint", &kept]);
    assert_eq!(fault, None, "{said}");
}
