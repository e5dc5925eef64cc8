//! Requests for one version of a resource: `ETag`, `If-None-Match`, `If-Match`.

use serde_json::json;
use tokio::task::JoinSet;

use crate::people::{Answer, Person};
use crate::server::{Installation, on_every_store};

on_every_store! {
    of_those_who_saw_one_version_one_changes_it
}

const ACME: &str = "/v1/organizations/acme";

fn tag(answer: &Answer) -> String {
    answer.header("etag").expect("a single resource carries a tag").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_a_version_is_told_so() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let created = tag(&ana.creates("acme").await);
    let shown = ana.gets(ACME).answer().await.expect(200);
    assert_eq!(tag(&shown), created);
    assert_eq!(shown.header("cache-control"), Some("private, no-cache"));

    let weak = format!("\"99\", W/{created}");
    for known in [created.as_str(), "*", &weak] {
        let unchanged = ana.gets(ACME).with("if-none-match", known).answer().await.expect(304);
        assert_eq!((tag(&unchanged), unchanged.bytes.len()), (created.clone(), 0), "{known}");
    }
    let renamed = tag(&ana.renames("acme", "Acme Two").await);
    assert_ne!(renamed, created);
    for unknown in [created.as_str(), "\"99\"", "nonsense"] {
        let shown = ana.gets(ACME).with("if-none-match", unknown).answer().await.expect(200);
        assert_eq!(tag(&shown), renamed);
    }
    // what the answer would be is nobody else's business
    let eve = Person::registers(&node, "eve").await;
    eve.gets(ACME).with("if-none-match", &renamed).answer().await.expect(404);
    Person::stranger(&node).gets(ACME).with("if-none-match", "*").answer().await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_meant_for_another_version_changes_nothing() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let created = tag(&ana.creates("acme").await);
    let renamed = ana.renames("acme", "Acme Two").await;
    let change = json!({ "name": "Acme Three" });
    let patch = |tag: &str| ana.patches(ACME, &change).with("if-match", tag).answer();
    let weak = format!("W/{}", tag(&renamed));
    for stale in [created.as_str(), weak.as_str(), "\"nonsense\""] {
        let refused = patch(stale).await.refusal();
        assert_eq!(refused, (412, "precondition_failed".to_owned()), "{stale}");
    }
    for malformed in ["7", "\"7", "\"\"7\"\""] {
        assert_eq!(patch(malformed).await.refusal(), (400, "invalid_header".to_owned()));
    }
    assert_eq!(ana.shows("acme").await["name"], "Acme Two");
    let either = format!("{created}, {}", tag(&renamed));
    patch(&either).await.expect(200);
    patch("*").await.expect(200);
    assert_eq!(ana.shows("acme").await["name"], "Acme Three");
    let history = ana.history("acme").await;
    assert_eq!(history, ["organization.created", "organization.updated", "organization.updated"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_command_is_answered_whatever_the_version_is_now() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let created = tag(&ana.creates("acme").await);
    let change = json!({ "name": "Acme Two" });
    let patch = || ana.patches(ACME, &change).with("if-match", &created).key("once").answer();
    let first = patch().await.expect(200);
    ana.renames("acme", "Acme Three").await;
    let again = patch().await.expect(200);
    assert!(again.is_replayed());
    assert_eq!((tag(&again), again.body()), (tag(&first), first.body()));
}

/// The version is compared where the change is decided, so nobody comes between.
async fn of_those_who_saw_one_version_one_changes_it(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let seen = tag(&ana.creates("acme").await);
    let mut callers = JoinSet::new();
    for number in 0..8 {
        let (ana, seen) = (ana.clone(), seen.clone());
        callers.spawn(async move {
            let change = json!({ "name": format!("Acme {number}") });
            ana.patches(ACME, &change).with("if-match", &seen).answer().await.status
        });
    }
    let mut statuses = callers.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
    assert_eq!(ana.history("acme").await, ["organization.created", "organization.updated"]);
}

/// Sealed values are compared by what they say, however they were sealed.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_already_changes_no_version_and_records_nothing() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let settings = format!("{ACME}/settings");
    let personal = "/v1/organization";
    let described = |text: &str| json!([{ "cidr": "192.0.2.0/24", "description": text }]);
    for (path, first, again, other) in [
        (
            "/v1/auth/me",
            json!({ "name": "Ana", "company": "Acme" }),
            json!({ "company": "Acme" }),
            json!({ "company": "Acme Two" }),
        ),
        (
            ACME,
            json!({ "billing_email": "b@acme.com" }),
            json!({ "name": "acme", "billing_email": "b@acme.com" }),
            json!({ "billing_email": null }),
        ),
        (personal, json!({ "name": "Mine" }), json!({ "name": "Mine" }), json!({ "name": "My" })),
        (
            &settings,
            json!({ "controller": { "legal_name": "Acme" }, "ip_allowlist": described("Office") }),
            json!({ "ip_allowlist": described("Office"), "controller": { "legal_name": "Acme" } }),
            json!({ "ip_allowlist": described("Home") }),
        ),
    ] {
        let set = ana.patches(path, &first).answer().await.expect(200);
        let read = ana.gets(path).answer().await.expect(200);
        assert_eq!(tag(&read), tag(&set), "{path}");
        let ask = ana.patches(path, &again).with("if-match", &tag(&set)).key("again");
        let same = ask.answer().await.expect(200);
        assert_eq!((tag(&same), same.body()), (tag(&set), set.body()), "{path}");
        assert_eq!(same.position(), set.position(), "{path} records nothing");
        let known = ana.gets(path).with("if-none-match", &tag(&set)).answer().await;
        assert_eq!(known.status, 304, "{path}");
        // a part that changes is recorded alone
        let changed = ana.patches(path, &other).answer().await.expect(200);
        assert_ne!(tag(&changed), tag(&set), "{path}");
        // and the repeat is told what it was told before
        let repeated = ana.patches(path, &again).key("again").answer().await.expect(200);
        assert!(repeated.is_replayed());
        assert_eq!(repeated.body(), set.body(), "{path}");
    }
    let history = ana.history("acme").await;
    let count = |action: &str| history.iter().filter(|found| *found == action).count();
    assert_eq!((count("organization.updated"), count("settings.updated")), (2, 2), "{history:?}");
}

/// A member's answer also says who they are, and that about oneself where one acts.
#[tokio::test(flavor = "multi_thread")]
async fn a_tag_changes_with_everything_that_an_answer_shows() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let ben = Person::joins(&node, "ben", &ana, "acme", "viewer").await;
    let member = ben.as_member_of("acme").await;
    let shown = |tag: String| ana.gets(&member).with("if-none-match", &tag).answer();
    let first = tag(&ana.gets(&member).answer().await.expect(200));
    shown(first.clone()).await.expect(304);
    // what is not shown of them changes nothing
    ben.patches("/v1/auth/me", &json!({ "company": "Acme" })).answer().await.expect(200);
    shown(first.clone()).await.expect(304);
    ben.patches("/v1/auth/me", &json!({ "name": "Benjamin" })).answer().await.expect(200);
    let renamed = shown(first.clone()).await.expect(200);
    assert_eq!(renamed.body()["user"]["name"], "Benjamin");
    shown(tag(&renamed)).await.expect(304);
    // the membership is what it was, so a command for it is not late; its answer has the same tag
    let change = json!({ "role": "developer" });
    let changed = ana.patches(&member, &change).with("if-match", &first).answer().await;
    let changed = changed.expect(200);
    assert_eq!(changed.body()["user"]["name"], "Benjamin");
    shown(tag(&changed)).await.expect(304);
    let late = ana.patches(&member, &change).with("if-match", &tag(&renamed)).answer().await;
    assert_eq!(late.refusal(), (412, "precondition_failed".to_owned()));

    let me = "/v1/auth/me";
    let known = |who: &Person, tag: &str| who.gets(me).with("if-none-match", tag).answer();
    let elsewhere = ben.with_token_of(&ben.signs_in().await.expect(200));
    let choice = json!({ "active_organization": "acme" });
    let chosen = tag(&ben.patches(me, &choice).answer().await.expect(200));
    known(&ben, &chosen).await.expect(304);
    let other = known(&elsewhere, &chosen).await.expect(200);
    assert_ne!(
        other.body()["active_organization"],
        ben.gets(me).answer().await.body()["active_organization"]
    );
    known(&elsewhere, &tag(&other)).await.expect(304);
    known(&ben, &tag(&other)).await.expect(200);
    ana.deletes(&member).answer().await.expect(204);
    let gone = known(&ben, &chosen).await.expect(200);
    assert_eq!(gone.body()["active_organization"], json!(null));
    known(&ben, &tag(&gone)).await.expect(304);
}
