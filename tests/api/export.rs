//! What somebody takes along.

use std::collections::BTreeMap;

use events::chain::{Link, Walk};
use serde_json::{Value, json};

use crate::people::{PASSWORD, Person, words};
use crate::server::{Installation, on_every_store};

on_every_store! {
    an_export_holds_everything_and_says_so
}

/// The lines of an export, the manifest apart.
fn lines(bytes: &[u8]) -> (Vec<Value>, Value) {
    let text = str::from_utf8(bytes).unwrap();
    let mut lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let manifest = lines.pop().expect("there is a last line");
    assert_eq!(manifest["kind"], "manifest");
    let before = &bytes[..=text.trim_end().rfind('\n').expect("there are others")];
    assert_eq!(manifest["blake3"], blake3::hash(before).to_hex().to_string());
    assert_eq!(manifest["lines"], lines.len());
    (lines, manifest)
}

async fn an_export_holds_everything_and_says_so(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let acme = words(&ana.creates("acme").await.body()["id"]);
    let ben = Person::joins(&node, "ben", &ana, "acme", "admin").await;
    let ben_id = ben.id().await;
    for number in 0..250 {
        ana.renames("acme", &format!("Acme {number}")).await;
    }
    let answer = ben.gets("/v1/organizations/acme/export").answer().await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let (found, manifest) = lines(&answer.bytes);
    assert_eq!((&manifest["organization"], &manifest["version"]), (&json!(acme), &json!(252)));
    assert_eq!(
        manifest["counts"],
        json!({ "organization.created": 1, "organization.updated": 250, "member.invited": 1,
            "member.joined": 1, "member": 2 })
    );
    // each line is there byte by byte, so that the chain can be walked
    let text = str::from_utf8(&answer.bytes).unwrap();
    let stream = format!("organization-{acme}").parse().unwrap();
    let mut walk = Walk::new(&stream);
    let mut last = String::new();
    for line in text.lines().filter(|line| line.starts_with(r#"{"kind":"event""#)) {
        let (_, line) = line.split_once(r#""line":"#).unwrap();
        let line = line.strip_suffix('}').unwrap();
        walk.step(line.as_bytes()).unwrap();
        last = Link::of_line(line.as_bytes()).to_string();
    }
    assert_eq!(manifest["hash"], last);
    let invited = found.iter().find(|it| it["line"]["type"] == "member.invited").unwrap();
    assert_eq!(invited["personal"]["email"], ben.email);
    let members: BTreeMap<String, &Value> = found
        .iter()
        .filter(|it| it["kind"] == "member")
        .map(|it| (words(&it["user_id"]), it))
        .collect();
    assert_eq!(
        (&members[&ben_id]["email"], &members[&ben_id]["role"]),
        (&json!(ben.email), &json!("admin"))
    );

    ben.erases().answer().await.expect(204);
    let answer = ana.gets("/v1/organization/export").with("x-active-org-id", "acme").answer().await;
    let (found, manifest) = lines(&answer.expect(200).bytes);
    assert_eq!(manifest["counts"]["member.left"], 1);
    let invited = found.iter().find(|it| it["line"]["type"] == "member.invited").unwrap();
    assert_eq!(invited["personal"]["email"], "erased");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_takes_along_what_is_held_about_them() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let ben = Person::registers(&node, "ben").await;
    ben.creates("beta").await;
    ben.takes_in(&ana, "beta", "viewer").await;
    ben.creates("gamma").await;
    ben.invites("gamma", "ana@example.org", "admin").await;
    let change = json!({ "name": "Ana Two", "company": "Acme Ltd" });
    ana.patches("/v1/auth/me", &change).answer().await.expect(200);
    let token = json!({ "token_name": "ci", "organization": "beta", "scopes": ["org:read"] });
    let token = ana.posts("/v1/auth/tokens", &token).answer().await.expect(201).body();
    let wanted = ana.gets("/v1/account/export").with("user-agent", "some-browser");
    let answer = wanted.answer().await.expect(200);
    let body = answer.body();
    assert_eq!(body["account"]["email"], ana.email);
    assert_eq!(body["account"]["company"], "Acme Ltd");
    assert_eq!(body["sessions"][0]["ip_address"], "127.0.0.1");
    let slugs: Vec<&Value> =
        body["memberships"].as_array().unwrap().iter().map(|it| &it["slug"]).collect();
    assert_eq!((slugs.len(), slugs[1]), (2, &json!("beta")));
    let invitations = body["invitations"].as_array().unwrap();
    let statuses: Vec<&Value> = invitations.iter().map(|it| &it["status"]).collect();
    assert_eq!(statuses, ["pending", "accepted"]);
    assert_eq!(
        (&body["tokens"][0]["id"], &body["tokens"][0]["scopes"]),
        (&token["token_info"]["id"], &json!(["org:read"]))
    );
    let by_token = ana.with_token(Some(words(&token["token"])));
    let refused = by_token.gets("/v1/account/export").answer().await;
    assert_eq!(refused.refusal(), (403, "sign_in_required".to_owned()));
    let events = body["events"].as_array().unwrap();
    let registered = &events[0];
    assert_eq!(registered["line"]["type"], "account.registered");
    assert_eq!(registered["personal"]["name"], "ana");
    assert_eq!(registered["personal"].get("password_hash"), None);
    let updated = events.iter().find(|it| it["line"]["type"] == "account.updated").unwrap();
    assert_eq!(updated["personal"]["name.to"], "Ana Two");
    let text = String::from_utf8(answer.bytes).unwrap();
    assert!(!text.contains("argon2"), "no secret is given away");
    let token = ana.token.as_deref().unwrap();
    assert!(!text.contains(token) && !text.contains(PASSWORD));
    assert!(!text.contains(by_token.token.as_deref().unwrap()));
    ana.gets("/account/export").answer().await.expect(200);
    Person::stranger(&node).gets("/v1/account/export").answer().await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_an_export_slowly_holds_up_nobody() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let ben = Person::joins(&node, "ben", &ana, "acme", "admin").await;
    // more than fits between the two ends of a connection
    let settings = |number: usize| {
        let entry = |it: usize| {
            let description = format!("{number} {}", "x".repeat(95));
            json!({ "cidr": format!("10.{number}.{it}.0/24"), "description": description })
        };
        json!({ "ip_allowlist": (0..100).map(entry).collect::<Vec<_>>(), "override": true })
    };
    for number in 0..250 {
        let path = "/v1/organizations/acme/settings";
        ana.patches(path, &settings(number)).answer().await.expect(200);
    }
    let export = ben.gets("/v1/organizations/acme/export").0.send().await.unwrap();
    assert_eq!(export.status(), 200);
    ana.renames("acme", "Acme Two").await;
    ben.at(&node).erases().answer().await.expect(204);
    node.until_it_says("an erasure is recorded wherever").await;
    let bytes = export.bytes().await.unwrap();
    assert!(bytes.len() > 4 * 1024 * 1024, "{} bytes", bytes.len());
    let (found, manifest) = lines(&bytes);
    assert_eq!(manifest["version"], 252, "as it was when the export began");
    assert!(found.iter().all(|it| it["line"]["type"] != "member.left"));
}
