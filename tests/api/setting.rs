//! Settings of an organization: read, changed, previewed.

use serde_json::{Value, json};

use crate::people::{Person, words};
use crate::server::{Installation, files};

const SETTINGS: &str = "/v1/organizations/acme/settings";
const PREVIEW: &str = "/v1/organizations/acme/settings/preview";

fn at_first() -> Value {
    json!({
        "require_2fa": false, "allowed_regions": [], "ip_allowlist_required": false,
        "ip_allowlist": [], "default_tier": "micro", "sso_enabled": false, "sso_enforced": false,
        "audit_retention_days": null, "controller": null,
    })
}

async fn shown(person: &Person) -> Value {
    person.gets(SETTINGS).answer().await.expect(200).body()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_names_only_what_it_changes() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let before = ana.gets(SETTINGS).answer().await.expect(200);
    assert_eq!(before.body(), at_first());
    let tag = before.header("etag").expect("settings have a tag").to_owned();

    let change = json!({
        "require_2fa": true, "allowed_regions": ["hel1", "fsn1", "hel1"], "default_tier": "2xl",
        "audit_retention_days": 365, "sso_enabled": true,
        "ip_allowlist": [
            { "cidr": "192.0.2.0/24", "description": "Office" }, { "cidr": "2001:db8::1" },
        ],
    });
    let changed = ana.patches(SETTINGS, &change).with("if-match", &tag).answer().await.expect(200);
    let expected = json!({
        "require_2fa": true, "allowed_regions": ["fsn1", "hel1"], "ip_allowlist_required": false,
        "ip_allowlist": [
            { "cidr": "192.0.2.0/24", "description": "Office" },
            { "cidr": "2001:db8::1/128", "description": null },
        ],
        "default_tier": "2xl", "sso_enabled": true, "sso_enforced": false,
        "audit_retention_days": 365, "controller": null,
    });
    assert_eq!(changed.body(), expected);
    let stale = ana.patches(SETTINGS, &change).with("if-match", &tag).answer().await;
    assert_eq!(stale.refusal(), (412, "precondition_failed".to_owned()));
    let tag = changed.header("etag").unwrap().to_owned();
    ana.gets(SETTINGS).with("if-none-match", &tag).answer().await.expect(304);
    // a rename is another resource's change
    ana.renames("acme", "Acme").await;
    ana.gets(SETTINGS).with("if-none-match", &tag).answer().await.expect(304);

    let log = "/v1/organizations/acme/audit-log?action=settings.updated";
    let entry = ana.pages(log, "events").await.swap_remove(0);
    let changes = entry["changes"].as_array().unwrap();
    let of = |field: &str| changes.iter().find(|change| change["field"] == field).unwrap();
    assert_eq!(*of("require_2fa"), json!({ "field": "require_2fa", "from": false, "to": true }));
    let regions = json!({ "field": "allowed_regions", "from": [], "to": ["fsn1", "hel1"] });
    assert_eq!(*of("allowed_regions"), regions);

    let back = json!({ "audit_retention_days": null, "allowed_regions": [], "ip_allowlist": [] });
    let header = ana.patches("/organization/settings", &back).with("x-active-org-id", "acme");
    let changed = header.answer().await.expect(200).body();
    assert_eq!(
        (&changed["audit_retention_days"], &changed["ip_allowlist"], &changed["require_2fa"]),
        (&json!(null), &json!([]), &json!(true))
    );
    assert_eq!(shown(&ana).await, changed);
    let entries = ana.pages(log, "events").await.len();
    ana.patches(SETTINGS, &json!({ "require_2fa": true })).answer().await.expect(200);
    assert_eq!(ana.pages(log, "events").await.len(), entries, "what is so already is no event");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_is_named_where_it_is() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let many: Vec<_> = (0..101).map(|n| json!({ "cidr": format!("10.0.{n}.0/24") })).collect();
    for (body, field) in [
        (json!({ "allowed_regions": ["fsn1", "mars"] }), "allowed_regions[1]"),
        (json!({ "default_tier": "huge" }), "default_tier"),
        (json!({ "default_tier": 7 }), "default_tier"),
        (json!({ "audit_retention_days": 0 }), "audit_retention_days"),
        (json!({ "audit_retention_days": -1 }), "audit_retention_days"),
        (json!({ "ip_allowlist": [{ "cidr": "office" }] }), "ip_allowlist[0].cidr"),
        (json!({ "ip_allowlist": [{ "cidr": "192.0.2.7/24" }] }), "ip_allowlist[0].cidr"),
        (
            json!({ "ip_allowlist": [{ "cidr": "192.0.2.0/24" }, { "cidr": "192.0.2.0/24" }] }),
            "ip_allowlist[1].cidr",
        ),
        (
            json!({ "ip_allowlist": [{ "cidr": "::/0", "description": "x".repeat(101) }] }),
            "ip_allowlist[0].description",
        ),
        (json!({ "ip_allowlist": many }), "ip_allowlist"),
        (json!({ "require_two_factor": true }), "require_two_factor"),
        (json!({ "controller": { "legal_name": "" } }), "controller.legal_name"),
        (json!({ "controller": { "contact_email": "nobody" } }), "controller.contact_email"),
        (json!({ "controller": { "dpo": "nobody" } }), "controller.dpo"),
        (json!({ "controller": { "dpo": { "name": "" } } }), "controller.dpo.name"),
        (json!({ "controller": { "dpo": { "phone": "1" } } }), "controller.dpo.phone"),
        (json!({ "controller": { "joint_controllers": [] } }), "controller.joint_controllers"),
        (
            json!({ "controller": { "joint_controllers": [{ "name": "B" }, { "name": " " }] } }),
            "controller.joint_controllers[1].name",
        ),
    ] {
        for (method, path) in [("PATCH", SETTINGS), ("POST", PREVIEW)] {
            let ask = ana.asks(method.parse().unwrap(), path).json(&body);
            let refused = ask.answer().await.expect(422).body();
            assert_eq!(words(&refused["errors"][0]["field"]), field, "{body}");
        }
    }
    let early = json!({ "sso_enforced": true });
    let refused = ana.patches(SETTINGS, &early).answer().await;
    assert_eq!(refused.refusal(), (409, "sso_not_enabled".to_owned()));
    assert_eq!(shown(&ana).await, at_first());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_locks_themselves_out_without_meaning_it() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let elsewhere = |is_meant: bool| {
        json!({
            "ip_allowlist_required": true, "ip_allowlist": [{ "cidr": "192.0.2.0/24" }],
            "override": is_meant,
        })
    };
    let refused = ana.patches(SETTINGS, &elsewhere(false)).answer().await;
    assert_eq!(refused.refusal(), (409, "would_lock_you_out".to_owned()));
    let preview = ana.posts(PREVIEW, &elsewhere(false)).answer().await.expect(200).body();
    assert_eq!(preview["would_lock_you_out"], true);
    let [blocked] = preview["blocked"].as_array().unwrap().as_slice() else {
        panic!("ana is blocked: {preview}")
    };
    assert_eq!(
        *blocked,
        json!({
            "user_id": ana.id().await, "email": "ana@example.org", "name": "ana",
            "reasons": ["address_not_allowed"],
            "addresses": [{
                "ip_address": "127.0.0.1", "last_seen_at": blocked["addresses"][0]["last_seen_at"],
            }],
        })
    );
    let here = json!({
        "ip_allowlist_required": true,
        "ip_allowlist": [{ "cidr": "192.0.2.0/24" }, { "cidr": "127.0.0.0/8" }],
    });
    let preview = ana.posts(PREVIEW, &here).answer().await.expect(200).body();
    assert_eq!((&preview["would_lock_you_out"], &preview["blocked"]), (&json!(false), &json!([])));
    assert_eq!((&preview["members_seen"], &preview["is_complete"]), (&json!(1), &json!(true)));
    assert_eq!(shown(&ana).await, at_first(), "a preview changes nothing");

    ana.patches(SETTINGS, &here).answer().await.expect(200);

    let on = json!({ "sso_enabled": true, "sso_enforced": true });
    let refused = ana.patches(SETTINGS, &on).answer().await;
    assert_eq!(refused.refusal(), (409, "would_lock_you_out".to_owned()));
    let preview = ana.posts(PREVIEW, &on).answer().await.expect(200).body();
    assert!(preview["blocked"][0]["reasons"].as_array().unwrap().contains(&json!("sso_required")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_controller_is_declared_as_a_whole_and_kept_sealed() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let declared = json!({
        "legal_name": "Acme Engineering GmbH", "address": "Hauptstraße 1\n10115 Berlin",
        "contact_email": "privacy@acme.com", "representative": "none",
        "dpo": { "name": "Dora", "address": null, "email": "dora.officer@acme.com" },
        "joint_controllers": [{ "name": "Beta Ltd", "address": null, "email": null }],
    });
    let change = json!({
        "controller": declared,
        "ip_allowlist": [{ "cidr": "192.0.2.0/24", "description": "Home of Dora" }],
    });
    let changed = ana.patches(SETTINGS, &change).answer().await.expect(200).body();
    assert_eq!(changed["controller"], declared);
    let less = json!({ "controller": { "legal_name": "Acme Holding" } });
    let changed = ana.patches(SETTINGS, &less).answer().await.expect(200).body();
    assert_eq!(changed["controller"]["legal_name"], "Acme Holding");
    assert_eq!(changed["controller"]["dpo"], json!(null), "not declared any more");
    let none = json!({ "controller": null });
    let changed = ana.patches(SETTINGS, &none).answer().await.expect(200).body();
    assert_eq!(changed["controller"], json!(null));
    node.stop().await;
    for path in files(&installation.data()) {
        let bytes = std::fs::read(&path).unwrap();
        for word in ["Home of Dora", "dora.officer", "Acme Engineering GmbH"] {
            let found = bytes.windows(word.len()).any(|part| part == word.as_bytes());
            assert!(!found, "{word} is in {}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_reads_settings_and_admins_change_them() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let change = json!({ "default_tier": "small" });
    for (role, status) in
        [("owner", 200), ("admin", 200), ("developer", 403), ("member", 403), ("viewer", 403)]
    {
        let person = Person::registers(&node, role).await;
        ana.takes_in(&person, "acme", role).await;
        assert_eq!(shown(&person).await["sso_enabled"], false);
        assert_eq!(person.patches(SETTINGS, &change).answer().await.status, status, "{role}");
        assert_eq!(person.posts(PREVIEW, &change).answer().await.status, status, "{role}");
        let nonsense = person.patches(SETTINGS, &json!({ "nonsense": 1 })).answer().await;
        assert_eq!(nonsense.status, if status == 200 { 422 } else { 403 }, "{role}");
    }
}
