//! Who could do what at a moment, and because of which events.

use serde_json::{Value, json};

use crate::people::{Person, words};
use crate::server::{Installation, on_every_store};

on_every_store! {
    every_right_names_the_events_that_gave_it
}

const ACME: &str = "/v1/organizations/acme";

/// Of what an entry says it is because: versions and actions.
fn because(of: &Value) -> Vec<(u64, String)> {
    let causes = of["because"].as_array().expect("a list").iter();
    causes.map(|cause| (cause["version"].as_u64().unwrap(), words(&cause["action"]))).collect()
}

fn causes<const N: usize>(causes: [(u64, &str); N]) -> Vec<(u64, String)> {
    causes.into_iter().map(|(version, action)| (version, action.to_owned())).collect()
}

fn member<'a>(answer: &'a Value, email: &str) -> Option<&'a Value> {
    answer["members"].as_array().expect("a list").iter().find(|it| it["email"] == email)
}

async fn every_right_names_the_events_that_gave_it(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await; // 0
    let ben = Person::joins(&node, "ben", &ana, "acme", "viewer").await; // 1, 2
    let bens = ben.as_member_of("acme").await;
    for role in ["member", "admin"] {
        ana.patches(&bens, &json!({ "role": role })).answer().await.expect(200); // 3, 4
    }
    let token = ben.makes_token("acme", "personal", &["audit:read"]).await.body(); // 5
    let id = words(&token["token_info"]["id"]);
    let key = ana.makes_token("acme", "organization", &["*"]).await.body(); // 6
    let rotate = format!("{ACME}/tokens/{}/rotate", words(&key["token_info"]["id"]));
    let rotated = ana.posts(&rotate, &json!({ "overlap": "1h" })).answer().await.expect(200); // 7
    let settings = json!({ "default_tier": "large" });
    ana.patches(&format!("{ACME}/settings"), &settings).answer().await.expect(200); // 8
    ana.deletes(&format!("{ACME}/tokens/{id}")).answer().await.expect(204); // 9
    ana.deletes(&bens).answer().await.expect(204); // 10

    let at = async |moment: &str| {
        let answer = ana.gets(&format!("{ACME}/access?at={moment}")).answer().await;
        answer.expect(200).body()
    };
    let first = at("0").await;
    let owner = member(&first, "ana@example.org").expect("the founder");
    assert_eq!((&owner["role"], &owner["since_version"]), (&json!("owner"), &json!(0)));
    assert_eq!(because(owner), causes([(0, "organization.created")]));
    assert_eq!(first["version"], 0);
    let permissions = |of: &Value| -> Vec<String> {
        of["permissions"].as_array().expect("a list").iter().map(words).collect()
    };
    assert!(permissions(owner).contains(&"delete_organization".to_owned()));
    assert_eq!(member(&at("1").await, "ben@example.org"), None);

    let joined = at("2").await;
    let viewer = member(&joined, "ben@example.org").expect("ben has joined");
    assert_eq!(permissions(viewer)[..2], ["read_organization", "read_members"]);
    assert!(!permissions(viewer).contains(&"read_audit_log".to_owned()));
    assert_eq!(because(viewer), causes([(1, "member.invited"), (2, "member.joined")]));

    let before = at("8").await;
    let admin = member(&before, "ben@example.org").expect("ben is a member");
    assert_eq!((&admin["role"], &admin["since_version"]), (&json!("admin"), &json!(4)));
    let came = [(1, "member.invited"), (2, "member.joined"), (4, "member.role_changed")];
    assert_eq!(because(admin), causes(came));
    assert_eq!(
        (&admin["tokens"][0]["id"], &admin["tokens"][0]["scopes"]),
        (&json!(id), &json!(["audit:read"]))
    );
    assert_eq!(because(&admin["tokens"][0]), causes([(5, "api_key.created")]));
    assert_eq!(before["conditions"]["version"], 8);
    // the key and its successor serve side by side, because of the same events
    let keys = before["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    for key in keys {
        let made = causes([(6, "api_key.created"), (7, "api_key.rotated")]);
        assert_eq!((because(key), &key["kind"]), (made, &json!("organization")));
        let is_successor = key["id"] == rotated.body()["token_info"]["id"];
        assert_eq!(key["expires_at"].is_null(), is_successor);
    }
    let revoked = at("9").await;
    assert_eq!(member(&revoked, "ben@example.org").unwrap()["tokens"], json!([]));
    let now = ana.gets("/organization/access").with("x-active-org-id", "acme").answer().await;
    let now = now.expect(200).body();
    assert_eq!((&now["version"], member(&now, "ben@example.org")), (&json!(10), None));
    let then = words(&at("4").await["at"]);
    let found = at(&then).await;
    assert!(found["version"].as_u64().unwrap() >= 4);

    // one person, by their id or address
    for user in [ben.id().await, "BEN@example.org".to_owned()] {
        let one = ana.gets(&format!("{ACME}/access?at=8&user={user}")).answer().await;
        let one = one.expect(200).body();
        assert_eq!((&one["members"], &one["keys"]), (&json!([admin]), &json!([])));
    }
    let nobody = ana.gets(&format!("{ACME}/access?user=nobody@example.org")).answer().await;
    assert_eq!(nobody.expect(200).body()["members"], json!([]));
    for odd in ["at=99", "at=2999-01-01T00:00:00Z", "at=yesterday", "user=x", "user=a@"] {
        let refused = ana.gets(&format!("{ACME}/access?{odd}")).answer().await;
        assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{odd}");
    }
    // an address that can be read no more
    ben.erases().answer().await.expect(204);
    let erased = at("8").await;
    assert_eq!(member(&erased, "ben@example.org"), None);
    let other = member(&erased, "erased").expect("what was done stays");
    assert_eq!(because(other), causes(came));
}
