//! Giving an organization to another member.

use serde_json::{Value, json};

use crate::people::{PASSWORD, Person, words};
use crate::server::Installation;

const TRANSFER: &str = "/v1/organizations/acme/transfer";

fn to(new_owner: &str) -> Value {
    json!({ "new_owner_id": new_owner, "password": PASSWORD })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_new_owner_owns_and_the_old_one_keeps_a_role() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    ana.creates("acme").await;
    ana.takes_in(&ben, "acme", "viewer").await;
    let (ana_id, ben_id) = (ana.id().await, ben.id().await);
    let give = || ana.posts(TRANSFER, &to(&ben_id)).key("once").answer();
    let given = give().await.expect(200);
    assert_eq!(
        (&given.body()["owner_id"], &given.body()["role"]),
        (&json!(ben_id), &json!("admin"))
    );
    assert_eq!(given.body(), ana.shows("acme").await);
    let again = give().await.expect(200);
    assert!(again.is_replayed());
    assert_eq!(again.body(), given.body());

    let log = "/v1/organizations/acme/audit-log?action=organization.ownership_transferred";
    let entry = ben.pages(log, "events").await.swap_remove(0);
    assert_eq!(entry["changes"][0], json!({ "field": "owner_id", "from": ana_id, "to": ben_id }));

    let back = json!({ "new_owner_id": ana_id, "password": PASSWORD, "keep_role": "member" });
    let header = ben.posts("/v1/organization/transfer", &back).with("x-active-org-id", "acme");
    let given = header.answer().await.expect(200).body();
    assert_eq!((&given["owner_id"], &given["role"]), (&json!(ana_id), &json!("member")));
    ben.posts(TRANSFER, &to(&ben_id)).answer().await.expect(403);

    let both = json!({ "new_owner_id": ben_id, "password": PASSWORD, "keep_role": "owner" });
    let given = ana.posts(TRANSFER, &both).answer().await.expect(200).body();
    assert_eq!((&given["owner_id"], &given["role"]), (&json!(ana_id), &json!("owner")));
    let roles = ana.pages("/v1/organizations/acme/members", "members").await;
    assert!(roles.iter().all(|member| member["role"] == "owner"), "{roles:?}");
    node.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_given_stays() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    let eve = Person::registers(&node, "eve").await;
    ana.creates("acme").await;
    ana.takes_in(&ben, "acme", "admin").await;
    let (ana_id, ben_id, eve_id) = (ana.id().await, ben.id().await, eve.id().await);

    let wrong = json!({ "new_owner_id": ben_id, "password": "something else entirely" });
    let refused = ana.posts(TRANSFER, &wrong).answer().await;
    assert_eq!(refused.refusal(), (403, "wrong_password".to_owned()));
    ana.gets("/v1/auth/me").answer().await.expect(200);

    for (body, field) in [
        (to(&eve_id), "new_owner_id"),
        (to(&ana_id), "new_owner_id"),
        (to("ben"), "new_owner_id"),
        (json!({ "new_owner_id": ben_id }), "password"),
        (
            json!({ "new_owner_id": ben_id, "password": PASSWORD, "keep_role": "viewer" }),
            "keep_role",
        ),
        (json!({ "new_owner_id": ben_id, "password": PASSWORD, "reason": "" }), "reason"),
    ] {
        let refused = ana.posts(TRANSFER, &body).answer().await.expect(422).body();
        assert_eq!(words(&refused["errors"][0]["field"]), field);
    }
    let personal = ana.posts("/v1/organization/transfer", &to(&ben_id)).answer().await;
    assert_eq!(personal.refusal(), (409, "personal_organization".to_owned()));
    // a body is of no interest where the right is missing
    let refused = ben.posts(TRANSFER, &json!({ "nonsense": 1 })).answer().await;
    assert_eq!(refused.refusal(), (403, "forbidden".to_owned()));
    eve.posts(TRANSFER, &to(&eve_id)).answer().await.expect(404);
    assert_eq!(ana.shows("acme").await["role"], "owner");
}
