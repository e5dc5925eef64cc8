//! One walk through everything there is, on every store.

use serde_json::json;

use crate::people::Person;
use crate::server::{Installation, on_every_store};

on_every_store! {
    an_organization_is_founded_read_renamed_and_remembered
    what_was_answered_survives_a_kill
}

async fn an_organization_is_founded_read_renamed_and_remembered(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let me = ana.gets("/v1/auth/me").answer().await.expect(200).body();
    assert_eq!((&me["email"], &me["name"]), (&json!("ana@example.org"), &json!("ana")));

    let created = ana.creates("acme").await.body();
    assert_eq!(created, ana.shows("acme").await);
    assert_eq!(created["owner_id"], me["id"]);
    let renamed = ana.renames("acme", "Acme Corporation").await.body();
    assert_eq!(renamed["name"], "Acme Corporation");
    assert_eq!(renamed, ana.shows("acme").await);

    let personal = ana.gets("/v1/organization").answer().await.expect(200).body();
    assert_eq!(personal["id"], me["active_organization"]);
    assert_eq!(ana.lists().await, [personal["slug"].as_str().unwrap(), "acme"]);
    assert_eq!(ana.history("acme").await, ["organization.created", "organization.updated"]);

    let ready = ana.gets("/readyz").answer().await.expect(200).body();
    assert_eq!(ready["status"], "ready", "{ready}");
    let said = node.stop().await;
    assert!(!said.contains("WARN"), "nothing is wrong with a first start: {said}");
    installation.assert_no_difference();
}

async fn what_was_answered_survives_a_kill(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let created = ana.creates("acme").await.body();
    let position = ana.renames("acme", "Acme Two").await.position();
    node.kill();

    let node = installation.start().await;
    let ana = ana.at(&node);
    let path = "/v1/organizations/acme";
    let seen = ana.gets(path).with("at-least", &position.to_string()).answer().await;
    let seen = seen.expect(200).body();
    assert_eq!((&seen["id"], &seen["name"]), (&created["id"], &json!("Acme Two")));
    ana.signs_in().await.expect(200);
    assert_eq!(ana.history("acme").await, ["organization.created", "organization.updated"]);
    node.stop().await;
    installation.assert_no_difference();
}
