//! What happened to an organization, as its owners read it.

use events::chain::Walk;
use events::stream::Stream;
use serde_json::{Value, json};

use crate::people::{PASSWORD, Person, next_link, unproven, words};
use crate::server::{Installation, Node, on_every_store};

on_every_store! {
    the_audit_log_is_the_stream
}

/// Versions without gaps, and the hash of each entry is that of the bytes in the log.
async fn the_audit_log_is_the_stream(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let id = words(&ana.creates("acme").await.body()["id"]);
    for number in 0..6 {
        ana.renames("acme", &format!("Acme {number}")).await;
    }
    let path = "/v1/organizations/acme/audit-log?page_size=2";
    let mut entries = ana.pages(path, "events").await;
    node.stop().await;
    entries.reverse();

    let stream: Stream = format!("organization-{id}").parse().unwrap();
    let stored = installation.log().await.read_stream(&stream, 0, 100).await.unwrap();
    assert_eq!(entries.len(), stored.len());
    let mut walk = Walk::new(&stream);
    for (version, (entry, event)) in entries.iter().zip(&stored).enumerate() {
        walk.step(&event.line).unwrap();
        assert_eq!(entry["version"], version);
        assert_eq!(entry["position"], event.position.to_string());
        assert_eq!(entry["hash"], walk.end().1.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_tells_who_did_what_from_where() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let me = ana.gets("/v1/auth/me").answer().await.expect(200).body();
    let body = json!({ "name": "Acme", "slug": "acme", "billing_email": "old@acme.com" });
    let id = words(&ana.posts("/v1/organizations", &body).answer().await.expect(201).body()["id"]);
    let change = json!({ "name": "Acme Two", "billing_email": "new@acme.com", "country": "DE" });
    let request = "2b0a7d4e-5b1f-4c7e-9d3a-111111111111";
    let ask = ana.patches("/v1/organizations/acme", &change);
    let changed = ask.with("x-request-id", request).with("user-agent", "tests/1").answer().await;
    let position = changed.expect(200).position();

    let log = ana.gets("/v1/organizations/acme/audit-log").answer().await.expect(200).body();
    let entry = &log["events"][0];
    assert_eq!(entry["action"], "organization.updated");
    assert_eq!(
        entry["actor"],
        json!({ "id": me["id"], "kind": "user", "email": "ana@example.org" })
    );
    assert_eq!(entry["resource"]["type"], "organization");
    assert_eq!(entry["resource"]["id"], id);
    assert_eq!(
        (&entry["ip_address"], &entry["user_agent"]),
        (&json!("127.0.0.1"), &json!("tests/1"))
    );
    assert_eq!((&entry["request_id"], &entry["version"]), (&json!(request), &json!(1)));
    assert_eq!(entry["position"], position.to_string());
    let mut changes = entry["changes"].as_array().unwrap().clone();
    changes.sort_by_key(|change| words(&change["field"]));
    assert_eq!(
        Value::Array(changes),
        json!([
            { "field": "billing_email", "from": "old@acme.com", "to": "new@acme.com" },
            { "field": "country", "from": null, "to": "DE" },
            { "field": "name", "from": "Acme", "to": "Acme Two" },
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_nothing_is_not_recorded() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    ana.renames("acme", "acme").await;
    ana.patches("/v1/organizations/acme", &json!({})).answer().await.expect(200);
    assert_eq!(ana.history("acme").await, ["organization.created"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_audit_log_neither_skip_nor_repeat_while_it_grows() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    for number in 0..10 {
        ana.renames("acme", &format!("Acme {number}")).await;
    }
    let (mut versions, mut round) = (Vec::new(), 0);
    let mut next = Some("/v1/organizations/acme/audit-log?page_size=3".to_owned());
    while let Some(path) = next {
        let page = ana.gets(&path).answer().await.expect(200);
        let body = page.body();
        assert_eq!(body.get("next_page_token").is_some(), next_link(&page).is_some());
        let events = body["events"].as_array().unwrap();
        versions.extend(events.iter().map(|event| event["version"].as_u64().unwrap()));
        ana.renames("acme", &format!("Meanwhile {round}")).await;
        (next, round) = (next_link(&page), round + 1);
    }
    let expected: Vec<u64> = (0..=10).rev().collect();
    assert_eq!(versions, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_active_organization_has_its_audit_log_too() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let acme = ana.gets("/v1/organization/audit-log").with("x-active-org-id", "acme");
    let named = ana.gets("/v1/organizations/acme/audit-log").answer().await.expect(200);
    assert_eq!(acme.answer().await.expect(200).body(), named.body());
    let personal = ana.gets("/v1/organization/audit-log?page_size=1").answer().await.expect(200);
    let personal = personal.body();
    assert_eq!(personal["events"][0]["action"], "organization.created");
    assert_eq!(personal["events"][0]["resource"]["name"], "ana");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_about_an_invitation_names_it_by_its_address() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let sent = ana.invites("acme", "dora@example.org", "viewer").await.body();
    let one = format!("/v1/organizations/acme/invitations/{}", words(&sent["id"]));
    let resend = ana.asks(reqwest::Method::POST, &format!("{one}/resend"));
    let resent = resend.answer().await.expect(200).body();
    ana.deletes(&one).answer().await.expect(204);
    let log = "/v1/organizations/acme/audit-log?resource_type=invitation";
    for way in ["page_size=3", "per_page=3", ""] {
        let entries = ana.gets(&format!("{log}&{way}")).answer().await.expect(200).body();
        let entries = entries["events"].as_array().unwrap().clone();
        let told: Vec<_> = entries.iter().map(|entry| words(&entry["action"])).collect();
        assert_eq!(told, ["invitation.canceled", "invitation.resent", "member.invited"], "{way}");
        for entry in &entries {
            assert_eq!(entry["resource"]["name"], "dora@example.org", "{entry}");
            let path = format!("/v1/organizations/acme/audit-log/{}", words(&entry["id"]));
            let shown = ana.gets(&path).answer().await.expect(200).body();
            assert_eq!(unproven(shown), *entry);
        }
        let expiry = json!({
            "field": "expires_at", "from": sent["expires_at"], "to": resent["expires_at"],
        });
        assert!(entries[1]["changes"].as_array().unwrap().contains(&expiry), "{}", entries[1]);
    }
}

/// What a registration founds was asked for by its request, whoever completes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_personal_organization_was_founded_by_its_registration() {
    let installation = Installation::sqlite();
    let request = "2b0a7d4e-5b1f-4c7e-9d3a-222222222222";
    let ask = |node: &Node, name: &str| {
        let email = format!("{name}@example.org");
        let body = json!({ "email": email, "password": PASSWORD, "name": name });
        let ask = Person::stranger(node).posts("/v1/auth/register", &body);
        ask.with("x-request-id", request).with("user-agent", "tests/1")
    };
    let cut_short = installation.start_failing_at("register.registered", "abort").await;
    ask(&cut_short, "ana").try_answer().await.expect_err("the server has ended");
    let node = installation.start().await;
    ask(&node, "ben").answer().await.expect(201);
    for name in ["ana", "ben"] {
        let person = Person::with_address(&node, &format!("{name}@example.org"));
        let person = person.with_token_of(&person.signs_in().await.expect(200));
        let log = person.gets("/v1/organization/audit-log").answer().await.expect(200).body();
        let founded = &log["events"][0];
        assert_eq!(founded["action"], "organization.created");
        assert_eq!(founded["request_id"], request, "{founded}");
        let from = (&founded["ip_address"], &founded["user_agent"]);
        assert_eq!(from, (&json!("127.0.0.1"), &json!("tests/1")));
    }
}
