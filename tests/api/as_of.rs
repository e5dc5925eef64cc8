//! What an organization was at a version or a time.

use events::id::InvitationId;
use events::permission::Role;
use events::{Event, membership};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::people::{Person, words};
use crate::server::{Installation, on_every_store};
use crate::written::write;

on_every_store! {
    an_organization_is_shown_as_it_was
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

#[tokio::test(flavor = "multi_thread")]
async fn members_are_shown_as_they_were() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let acme = words(&ana.creates("acme").await.body()["id"]);
    let (mut others, mut joined) = (Vec::new(), Vec::new());
    for name in ["ben", "cleo", "dan"] {
        let other = Person::registers(&node, name).await;
        joined.push(Event::Membership(membership::Event::Joined {
            member: other.id().await.parse().unwrap(),
            role: Role::Viewer,
            invitation: InvitationId(Uuid::new_v4()),
            is_address_proven: true,
        }));
        others.push(other);
    }
    node.stop().await;
    write(&installation, &acme, joined).await;
    let node = installation.start().await;
    let ana = ana.at(&node);
    let others: Vec<Person> = others.iter().map(|other| other.at(&node)).collect();
    let members = format!("{ACME}/members");
    let all = ana.pages(&members, "members").await;
    let log = ana.gets(&format!("{ACME}/audit-log?page_size=1")).answer().await.expect(200).body();
    let version = log["events"][0]["version"].as_u64().unwrap();
    let ben = others[0].id().await;
    let change = json!({ "role": "admin" });
    ana.patches(&format!("{members}/{ben}"), &change).answer().await.expect(200);
    ana.deletes(&format!("{members}/{}", others[1].id().await)).answer().await.expect(204);

    let then = ana.pages(&format!("{members}?as_of={version}&page_size=3"), "members").await;
    let without_activity = |members: &[Value]| -> Vec<Value> {
        let mut members = members.to_vec();
        for member in &mut members {
            member.as_object_mut().unwrap().remove("last_active_at");
        }
        members
    };
    assert_eq!(without_activity(&then), without_activity(&all));
    let first = ana.gets(&format!("{members}?as_of={version}&page_size=3")).answer().await;
    let first = first.expect(200);
    assert_eq!(first.header("as-of-version"), Some(version.to_string().as_str()));
    assert_eq!(first.body()["as_of_version"], version);
    let token = words(&first.body()["next_page_token"]);
    let today = ana.gets(&format!("{members}?page_token={token}")).answer().await;
    assert_eq!(today.refusal(), (400, "invalid_parameter".to_owned()), "it is of another time");

    let removed = format!("{members}/{}", others[1].id().await);
    ana.gets(&removed).answer().await.expect(404);
    let then = ana.gets(&format!("{removed}?as_of={version}")).answer().await.expect(200);
    assert_eq!(without_activity(&[then.body()]), without_activity(&all[1..2]));
    ana.gets(&format!("{removed}?as_of=0")).answer().await.expect(404);
    // who may look is asked today
    others[1].gets(&format!("{members}?as_of={version}")).answer().await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_shown_as_they_were() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let settings = format!("{ACME}/settings");
    let before = ana.gets(&settings).answer().await.expect(200).body();
    let change = json!({ "default_tier": "large", "require_2fa": true });
    ana.patches(&settings, &change).answer().await.expect(200);
    let then = ana.gets(&format!("{settings}?as_of=0")).answer().await.expect(200);
    assert_eq!((then.header("as-of-version"), then.body()), (Some("0"), before));
    let now = ana.gets(&settings).answer().await.expect(200).body();
    assert_eq!(ana.gets(&format!("{settings}?as_of=1")).answer().await.expect(200).body(), now);
    ana.gets(&format!("{settings}?as_of=2")).answer().await.expect(400);
}
