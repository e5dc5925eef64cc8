//! Projects: what databases are grouped by, with domains and cache rules.

use serde_json::json;

use crate::operations::{Holdings, database};
use crate::people::{Person, words};
use crate::server::Installation;

const PROJECTS: &str = "/v1/organizations/acme/projects";

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_created_changed_and_deleted_when_it_is_empty() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let body = json!({ "name": "Shop", "description": "sells", "tags": ["a"], "region": "fsn1" });
    let made = ana.posts(PROJECTS, &body).key("shop").answer().await.expect(201);
    let project = made.body();
    let place = format!("{PROJECTS}/{}", words(&project["id"]));
    assert!(words(&project["id"]).starts_with("prj_"));
    assert_eq!((&project["description"], &project["tags"]), (&json!("sells"), &json!(["a"])));
    assert!(ana.posts(PROJECTS, &body).key("shop").answer().await.expect(201).is_replayed());
    let refused = ana.posts(PROJECTS, &body).answer().await;
    assert_eq!(refused.refusal(), (409, "name_taken".to_owned()));

    let tag = made.header("etag").unwrap().to_owned();
    let same = ana.patches(&place, &json!({ "description": "sells" })).answer().await.expect(200);
    assert_eq!(same.header("etag"), Some(&*tag), "nothing has changed");
    let change = json!({ "name": "Store", "description": null, "tags": [], "region": null });
    let changed = ana.patches(&place, &change).with("if-match", &tag).answer().await.expect(200);
    let expected = json!([null, [], null]);
    let body = changed.body();
    assert_eq!(json!([body["description"], body["tags"], body["region"]]), expected);
    let stale = ana.patches(&place, &json!({ "name": "Late" })).with("if-match", &tag);
    assert_eq!(stale.answer().await.refusal(), (412, "precondition_failed".to_owned()));
    let then = ana.gets(&format!("{place}?as_of=1")).answer().await.expect(200).body();
    assert_eq!((&then["name"], &then["as_of_version"]), (&json!("Shop"), &json!(1)));

    let mut inside = database("orders");
    inside["project_id"] = project["id"].clone();
    let databases = "/v1/organizations/acme/databases";
    let inside = ana.posts(databases, &inside).answer().await.expect(201).body();
    let refused = ana.deletes(&place).answer().await;
    assert_eq!(refused.refusal(), (409, "project_not_empty".to_owned()));
    let moved = json!({ "project_id": null });
    let inside = format!("{databases}/{}", words(&inside["id"]));
    ana.patches(&inside, &moved).answer().await.expect(200);
    ana.deletes(&place).answer().await.expect(204);
    assert_eq!(ana.gets(&place).answer().await.refusal(), (404, "not_found".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn domains_and_cache_rules_belong_to_a_project() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let provisioner = ana.with_token(Some(installation.provisioner_token()));
    let held = Holdings::of(&ana, &provisioner, "acme").await;
    let at = |path: &str| format!("{PROJECTS}/{}/{path}", held.project);
    let again = ana.posts(&at("domains"), &json!({ "hostname": "DB.example.com." })).answer().await;
    assert_eq!(again.refusal(), (409, "hostname_taken".to_owned()));
    for odd in ["localhost", "192.0.2.7", "a..b", "-a.example.com", ""] {
        ana.posts(&at("domains"), &json!({ "hostname": odd })).answer().await.expect(422);
    }
    let rule = at(&format!("cache-rules/{}", held.cache_rule));
    let replaced = json!({ "query_shape": "b1", "ttl_seconds": 5, "enabled": false });
    let replaced = ana.puts(&rule, &replaced).answer().await.expect(200).body();
    assert_eq!((&replaced["enabled"], &replaced["ttl_seconds"]), (&json!(false), &json!(5)));
    assert_eq!(ana.pages(&at("cache-rules"), "cache_rules").await, [replaced]);
    let domain = at(&format!("domains/{}", held.domain));
    for place in [rule, domain] {
        ana.gets(&place).answer().await.expect(200);
        ana.deletes(&place).answer().await.expect(204);
        ana.gets(&place).answer().await.expect(404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_found_without_the_path_of_its_organization() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let id = words(&ana.creates("acme").await.body()["id"]);
    let body = json!({ "name": "Shop", "org_id": id });
    let made = ana.posts("/v1/projects", &body).answer().await.expect(201).body();
    assert_eq!(made["org_id"], json!(id));
    let listed = ana.gets(&format!("/v1/projects?org_id={id}&page_size=1")).answer().await;
    assert_eq!(listed.expect(200).body()["projects"], json!([made]));
    let place = format!("/v1/projects/{}", words(&made["id"]));
    let renamed = ana.patches(&place, &json!({ "name": "Store" })).with("x-active-org-id", "acme");
    assert_eq!(renamed.answer().await.expect(200).body()["name"], "Store");
    let ben = Person::registers(&node, "ben").await;
    for ask in [
        ben.posts("/v1/projects", &body),
        ben.gets(&format!("/v1/projects?org_id={id}")),
        ben.gets(&place).with("x-active-org-id", "acme"),
    ] {
        assert_eq!(ask.answer().await.refusal(), (404, "not_found".to_owned()));
    }
    ana.creates("other").await;
    let contradictory = ana.posts("/v1/projects", &body).with("x-active-org-id", "other");
    assert_eq!(contradictory.answer().await.refusal(), (400, "organization_mismatch".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_an_organization_is_the_end_of_all_it_holds() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let provisioner = ana.with_token(Some(installation.provisioner_token()));
    let held = Holdings::of(&ana, &provisioner, "acme").await;
    let confirm = json!({ "confirm": "acme" });
    ana.deletes("/v1/organizations/acme").json(&confirm).answer().await.expect(204);
    let running = provisioner.reports(&held.database, &json!({ "status": "running" })).await;
    assert_eq!(running.refusal(), (404, "not_found".to_owned()));
    provisioner.reports(&held.database, &json!({ "status": "deleted" })).await.expect(200);
}
