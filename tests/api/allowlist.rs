//! The allowlist of an organization, with and without proxies in front of the server.

use serde_json::{Value, json};

use crate::people::{Ask, Person};
use crate::server::{Installation, Node};

const ACME: &str = "/v1/organizations/acme";
const SETTINGS: &str = "/v1/organizations/acme/settings";
/// Within the allowlist, and outside.
const OFFICE: &str = "198.51.100.7";
const ELSEWHERE: &str = "203.0.113.5";

fn office_only() -> Value {
    json!({ "ip_allowlist_required": true, "ip_allowlist": [{ "cidr": "198.51.100.0/24" }] })
}

/// A node that believes this machine about where requests come from.
async fn behind_a_proxy(installation: &Installation) -> Node {
    installation.launch(0, &[("CHANCERY_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")]).serving().await
}

trait From: Sized {
    fn from(self, hops: &str) -> Self;
}

impl From for Ask {
    fn from(self, hops: &str) -> Self {
        self.with("x-forwarded-for", hops)
    }
}

async fn refusal(ask: Ask) -> (u16, String) {
    ask.answer().await.refusal()
}

fn kept_out() -> (u16, String) {
    (403, "address_not_allowed".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_from_elsewhere_are_refused_whoever_forges_what() {
    let installation = Installation::sqlite();
    let node = behind_a_proxy(&installation).await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let set = ana.patches(SETTINGS, &office_only()).from(OFFICE).answer().await.expect(200);

    ana.gets(ACME).from(OFFICE).answer().await.expect(200);
    ana.gets(ACME).from(&format!("{ELSEWHERE}, {OFFICE}, 10.1.1.1")).answer().await.expect(200);
    ana.gets(ACME).with("forwarded", "for=198.51.100.9;proto=https").answer().await.expect(200);
    // in the other family the same address
    ana.gets(ACME).from("::ffff:198.51.100.7").answer().await.expect(200);

    assert_eq!(refusal(ana.gets(ACME)).await, kept_out());
    for hops in [ELSEWHERE, "198.51.100.7, 203.0.113.5", "198.51.100.7, unknown", "10.1.1.1"] {
        assert_eq!(refusal(ana.gets(ACME).from(hops)).await, kept_out(), "{hops}");
        let by_password = ana.gets_by_password(ACME).from(hops);
        assert_eq!(refusal(by_password).await, kept_out(), "{hops}");
    }
    let rename = ana.patches(ACME, &json!({ "name": "Acme" })).from(ELSEWHERE);
    assert_eq!(refusal(rename).await, kept_out());
    let both = ana.gets(ACME).from(OFFICE).with("forwarded", "for=203.0.113.5");
    assert_eq!(refusal(both).await, (400, "invalid_header".to_owned()));

    // other organizations, and those who are no members, notice nothing
    ana.gets("/v1/organization").from(ELSEWHERE).answer().await.expect(200);
    let ben = Person::registers(&node, "ben").await;
    assert_eq!(refusal(ben.gets(ACME).from(ELSEWHERE)).await, (404, "not_found".to_owned()));

    let denied = "/v1/organizations/acme/audit-log?action=access.denied";
    let entries: Vec<Value> = loop {
        let page = ana.gets(denied).from(OFFICE).answer().await.expect(200).body();
        let entries = page["events"].as_array().expect("a list").clone();
        if entries.len() >= 2 {
            break entries;
        }
    };
    assert!(entries.iter().any(|entry| entry["ip_address"] == "127.0.0.1"), "{entries:?}");
    drop(set);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_trusted_proxy_headers_say_nothing() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let locked = ana.patches(SETTINGS, &office_only()).from(OFFICE);
    assert_eq!(refusal(locked).await, (409, "would_lock_you_out".to_owned()));

    let mut meant = office_only();
    meant["override"] = json!(true);
    ana.patches(SETTINGS, &meant).from(OFFICE).answer().await.expect(200);
    for name in ["x-forwarded-for", "forwarded", "x-real-ip"] {
        assert_eq!(refusal(ana.gets(ACME).with(name, OFFICE)).await, kept_out(), "{name}");
    }
    // nobody comes in any more to undo it, unless from a listed network
    let undo = json!({ "ip_allowlist_required": false, "override": true });
    assert_eq!(refusal(ana.patches(SETTINGS, &undo).from(OFFICE)).await, kept_out());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_locks_themselves_out_is_warned_and_an_override_is_on_record() {
    let installation = Installation::sqlite();
    let node = behind_a_proxy(&installation).await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let from_elsewhere = ana.patches(SETTINGS, &office_only()).from(ELSEWHERE);
    assert_eq!(refusal(from_elsewhere).await, (409, "would_lock_you_out".to_owned()));
    let preview = ana.posts("/v1/organizations/acme/settings/preview", &office_only());
    let preview = preview.from(ELSEWHERE).answer().await.expect(200).body();
    assert_eq!(preview["would_lock_you_out"], true, "{preview}");

    let mut meant = office_only();
    meant["override"] = json!(true);
    ana.patches(SETTINGS, &meant).from(ELSEWHERE).answer().await.expect(200);
    assert_eq!(refusal(ana.gets(ACME).from(ELSEWHERE)).await, kept_out());

    let log = "/v1/organizations/acme/audit-log?action=settings.updated";
    let page = ana.gets(log).from(OFFICE).answer().await.expect(200).body();
    let entry = &page["events"][0];
    assert_eq!(entry["ip_address"], ELSEWHERE, "{entry}");
    let changes = entry["changes"].as_array().expect("a list");
    assert!(changes.iter().any(|change| change["field"] == "override"), "{entry}");
}
