//! What an organization was at a version or a time.

use serde_json::{Value, json};

use crate::people::{Person, words};
use crate::server::{Installation, on_every_store};

on_every_store! {
    an_organization_is_shown_as_it_was
    members_and_settings_are_shown_as_they_were
}

const ACME: &str = "/v1/organizations/acme";

async fn an_organization_is_shown_as_it_was(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let mut was = vec![ana.creates("acme").await.body()];
    for number in 1..4 {
        let change = json!({ "name": format!("Acme {number}"), "billing_email": format!("{number}@acme.com") });
        was.push(ana.patches(ACME, &change).answer().await.expect(200).body());
    }
    let log = ana.gets(&format!("{ACME}/audit-log")).answer().await.expect(200).body();
    for (version, was) in was.iter().enumerate() {
        let at = words(&log["events"][was_index(version)]["created_at"]);
        let shown = ana.gets(&format!("{ACME}?as_of={version}")).answer().await.expect(200);
        assert_eq!(shown.header("as-of-version"), Some(version.to_string().as_str()));
        let mut body = shown.body();
        assert_eq!(body.as_object_mut().unwrap().remove("as_of_version"), Some(json!(version)));
        assert_eq!(body, *was, "version {version}");
        // of several in one millisecond the last counts
        let then = ana.gets(&format!("{ACME}?as_of={at}")).answer().await.expect(200).body();
        let found = usize::try_from(then["as_of_version"].as_u64().unwrap()).unwrap();
        assert!(found >= version && log["events"][was_index(found)]["created_at"] == at.as_str());
        assert_eq!(then, ana.gets(&format!("{ACME}?as_of={found}")).answer().await.body());
    }
    // the same without a version in the path, and for the active organization
    let active = ana.gets("/organization?as_of=0").with("x-active-org-id", "acme").answer().await;
    assert_eq!(active.expect(200).body()["name"], "acme");
}

/// The audit log has the newest first.
fn was_index(version: usize) -> usize {
    3 - version
}

#[tokio::test(flavor = "multi_thread")]
async fn moments_that_cannot_be_shown_are_refused() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let eve = Person::registers(&node, "eve").await;
    ana.creates("acme").await;
    for moment in ["1", "99999999999999999999", "2999-01-01T00:00:00Z", "yesterday", "-1", ""] {
        let refused = ana.gets(&format!("{ACME}?as_of={moment}")).answer().await;
        assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{moment}");
    }
    let before = ana.gets(&format!("{ACME}?as_of=2000-01-01T00:00:00Z")).answer().await;
    assert_eq!(before.refusal(), (404, "not_found".to_owned()));
    eve.gets(&format!("{ACME}?as_of=0")).answer().await.expect(404);
    for path in [
        "/v1/organizations?as_of=0",
        "/v1/auth/me?as_of=0",
        "/v1/organizations/acme/audit-log?as_of=0",
    ] {
        let refused = ana.gets(path).answer().await;
        assert_eq!(refused.refusal(), (400, "as_of_not_supported".to_owned()), "{path}");
    }
    let change = ana.patches(&format!("{ACME}?as_of=0"), &json!({})).answer().await;
    assert_eq!(change.refusal(), (400, "as_of_not_supported".to_owned()));
}

async fn members_and_settings_are_shown_as_they_were(installation: Installation) {
    let node = installation.start().await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    ana.creates("acme").await;
    ana.takes_in(&ben, "acme", "viewer").await;
    let bens = ben.as_member_of("acme").await;
    let shown = ana.gets(&bens).answer().await.expect(200).body();
    let joined_version = ana.history("acme").await.len() - 1;
    ana.patches(&bens, &json!({ "role": "admin" })).answer().await.expect(200);
    let settings = format!("{ACME}/settings");
    ana.patches(&settings, &json!({ "default_tier": "large" })).answer().await.expect(200);
    ana.deletes(&bens).answer().await.expect(204);

    let roles = async |version: usize| {
        let path = format!("{ACME}/members?page_size=1&as_of={version}");
        let members = ana.pages(&path, "members").await;
        let role = |member: &Value| (words(&member["user"]["email"]), words(&member["role"]));
        members.iter().map(role).collect::<Vec<_>>()
    };
    let pair = |name: &str, role: &str| (format!("{name}@example.org"), role.to_owned());
    assert_eq!(roles(0).await, [pair("ana", "owner")]);
    let (viewer, admin) = (pair("ben", "viewer"), pair("ben", "admin"));
    assert_eq!(roles(joined_version).await, [viewer, pair("ana", "owner")]);
    assert_eq!(roles(joined_version + 2).await, [admin, pair("ana", "owner")]);
    assert_eq!(roles(joined_version + 3).await, [pair("ana", "owner")]);

    let membership = format!("{ACME}/members/{}", words(&shown["id"]));
    for path in [&bens, &membership] {
        ana.gets(path).answer().await.expect(404);
        let then = ana.gets(&format!("{path}?as_of={}", joined_version + 1)).answer().await;
        let then = then.expect(200).body();
        assert_eq!((&then["id"], &then["role"]), (&shown["id"], &json!("admin")));
        ana.gets(&format!("{path}?as_of=0")).answer().await.expect(404);
    }
    for (version, tier) in [(joined_version + 1, "micro"), (joined_version + 2, "large")] {
        let then = ana.gets(&format!("{settings}?as_of={version}")).answer().await.expect(200);
        assert_eq!(then.header("as-of-version"), Some(version.to_string().as_str()));
        assert_eq!(then.body()["default_tier"], tier);
    }
    let first = ana.gets(&format!("{ACME}/members?page_size=1&as_of={joined_version}"));
    let token = words(&first.answer().await.expect(200).body()["next_page_token"]);
    let other = ana.gets(&format!("{ACME}/members?page_size=1&page_token={token}")).answer().await;
    assert_eq!(other.refusal(), (400, "invalid_parameter".to_owned()));
}
