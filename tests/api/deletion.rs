//! The end of an organization: confirmed, complete and for ever.

use serde_json::json;

use crate::people::Person;
use crate::server::{Installation, on_every_store, text};

on_every_store! {
    a_deleted_organization_is_nothing_to_anybody
}

const ACME: &str = "/v1/organizations/acme";

#[tokio::test(flavor = "multi_thread")]
async fn deletion_is_for_owners_who_mean_it() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    ana.creates("acme").await;
    ana.takes_in(&ben, "acme", "admin").await;
    let confirmed = json!({ "confirm": "acme" });

    let unconfirmed = (428, "confirmation_required".to_owned());
    assert_eq!(ana.deletes(ACME).answer().await.refusal(), unconfirmed);
    assert_eq!(ana.deletes(ACME).json(&json!({})).answer().await.refusal(), unconfirmed);
    for wrong in ["", "Acme", "acme-two"] {
        let refused = ana.deletes(ACME).json(&json!({ "confirm": wrong })).answer().await;
        assert_eq!(refused.refusal(), (422, "validation_failed".to_owned()), "{wrong}");
        assert_eq!(refused.body()["errors"][0]["field"], "confirm");
    }
    let personal = ana.lists().await.swap_remove(0);
    let path = format!("/v1/organizations/{personal}");
    for body in [json!({ "confirm": personal }), json!({})] {
        let refused = ana.deletes(&path).json(&body).answer().await;
        assert_eq!(refused.refusal(), (409, "personal_organization".to_owned()));
    }
    let refused = ben.deletes(ACME).json(&confirmed).answer().await;
    assert_eq!(refused.refusal(), (403, "forbidden".to_owned()));
    let stale = ana.deletes(ACME).json(&confirmed).with("if-match", "\"0\"").answer().await;
    assert_eq!(stale.refusal(), (412, "precondition_failed".to_owned()));
    assert_eq!(ana.shows("acme").await["member_count"], 2);
}

async fn a_deleted_organization_is_nothing_to_anybody(installation: Installation) {
    let node = installation.start().await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    let id = ana.creates("acme").await.body()["id"].as_str().unwrap().to_owned();
    ana.creates("other").await;
    for slug in ["acme", "other"] {
        ana.takes_in(&ben, slug, "admin").await;
    }
    let delete = || ana.deletes(ACME).json(&json!({ "confirm": "acme" })).key("once").answer();
    let deleted = delete().await.expect(204);
    assert!(deleted.bytes.is_empty() && deleted.position() > 0);
    assert!(delete().await.expect(204).is_replayed());

    let nothing = ana.gets("/v1/organizations/nothing-here").answer().await.refusal();
    for person in [&ana, &ben] {
        for organization in ["acme", &id] {
            for rest in ["", "/members", "/settings", "/audit-log"] {
                let path = format!("/v1/organizations/{organization}{rest}");
                assert_eq!(person.gets(&path).answer().await.refusal(), nothing, "{path}");
            }
        }
        assert_eq!(person.lists().await[1..], ["other"]);
        let again = json!({ "name": "Again", "slug": "acme" });
        let refused = person.posts("/v1/organizations", &again).answer().await;
        assert_eq!(refused.refusal(), (409, "slug_taken".to_owned()));
    }
    let rename = json!({ "name": "Again" });
    ana.patches(ACME, &rename).answer().await.expect(404);
    let others = ana.pages("/v1/organizations/other/members", "members").await;
    assert_eq!(others.len(), 2, "what is not deleted keeps its members");

    node.stop().await;
    installation.assert_no_difference();
    let rebuilt = installation.run(&["projections", "rebuild"]);
    assert!(rebuilt.status.success(), "{}", text(&rebuilt.stderr));
    installation.assert_no_difference();
    let node = installation.start().await;
    assert_eq!(ben.at(&node).lists().await[1..], ["other"]);
}
