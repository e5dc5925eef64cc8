//! The same key and body give the first answer again, whatever happened in between.

use serde_json::{Value, json};

use crate::people::{Answer, PASSWORD, Person, secret_of, words};
use crate::server::{Installation, on_every_store};

on_every_store! {
    a_repeat_gets_the_first_answer_after_a_kill_and_later_changes
    a_repeated_registration_shows_its_token_again
}

/// The same answer, but for what says that it is a repeat.
#[track_caller]
fn assert_repeats(again: &Answer, first: &Answer) {
    assert!(!first.is_replayed() && again.is_replayed());
    assert_eq!((again.status, again.body()), (first.status, first.body()));
    assert_eq!(again.position(), first.position());
}

async fn a_repeat_gets_the_first_answer_after_a_kill_and_later_changes(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let body = json!({ "name": "Acme", "slug": "acme", "billing_email": "b@acme.com" });
    let change = json!({ "name": "Acme Two" });
    let create = |who: &Person| who.posts("/v1/organizations", &body).key("create").answer();
    let rename =
        |who: &Person| who.patches("/v1/organizations/acme", &change).key("rename").answer();
    let (created, renamed) = (create(&ana).await.expect(201), rename(&ana).await.expect(200));
    assert_repeats(&create(&ana).await, &created);
    ana.renames("acme", "Acme Three").await;
    assert_repeats(&rename(&ana).await, &renamed);
    node.kill();

    let node = installation.start().await;
    let ana = ana.at(&node);
    assert_repeats(&create(&ana).await, &created);
    assert_repeats(&rename(&ana).await, &renamed);
    assert_eq!(ana.shows("acme").await["name"], "Acme Three", "a repeat changes nothing");
    assert_eq!(ana.history("acme").await.len(), 3);
}

async fn a_repeated_registration_shows_its_token_again(installation: Installation) {
    let node = installation.start().await;
    let body = json!({ "email": "ana@example.org", "password": PASSWORD, "name": "Ana" });
    let register = |who: &Person| who.posts("/v1/auth/register", &body).key("once").answer();
    let stranger = Person::stranger(&node);
    let first = register(&stranger).await.expect(201);
    assert_repeats(&register(&stranger).await, &first);
    node.kill();

    let node = installation.start().await;
    let stranger = stranger.at(&node);
    let again = register(&stranger).await;
    assert_repeats(&again, &first);
    let ana = stranger.with_token_of(&again);
    ana.gets("/v1/auth/me").answer().await.expect(200);
    let unkeyed = stranger.posts("/v1/auth/register", &body).answer().await;
    assert_eq!(unkeyed.refusal(), (409, "email_taken".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_comes_with_one_body_only() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let post = |body: Value| ana.posts("/v1/organizations", &body).key("key").answer();
    post(json!({ "name": "Acme", "slug": "acme" })).await.expect(201);
    for other in [
        json!({ "name": "Acme!", "slug": "acme" }),
        json!({ "name": "Acme", "slug": "other" }),
        json!({ "name": "", "slug": "--" }),
        json!({ "nonsense": 1 }),
    ] {
        let refused = post(other).await;
        assert_eq!(refused.refusal(), (422, "idempotency_key_reused".to_owned()));
    }
    let patch = |body: Value| ana.patches("/v1/organizations/acme", &body).key("key").answer();
    let renamed = patch(json!({ "name": "Acme Two" })).await.expect(200);
    assert!(!renamed.is_replayed(), "another method and path is another command");
    // the key is looked up before the body is checked
    for other in [json!({ "name": "Acme Three" }), json!({ "name": "" })] {
        assert_eq!(patch(other).await.refusal(), (422, "idempotency_key_reused".to_owned()));
    }
    let stranger = Person::stranger(&node);
    let register = |name: Value| {
        let body = json!({ "email": "ben@example.org", "password": PASSWORD, "name": name });
        stranger.posts("/v1/auth/register", &body).key("key").answer()
    };
    register(json!("Ben")).await.expect(201);
    for other in [json!("Other"), json!(""), json!(null), json!([])] {
        let refused = register(other).await;
        assert_eq!(refused.refusal(), (422, "idempotency_key_reused".to_owned()));
    }
    let ben = stranger.with_token_of(&register(json!("Ben")).await.expect(201));
    let sent = ana.invites("acme", "ben@example.org", "viewer").await;
    let accept = |body: Value| ben.posts("/v1/invitations/accept", &body).key("key").answer();
    accept(json!({ "token": secret_of(&sent.body()) })).await.expect(200);
    let refused = accept(json!({ "token": 1 })).await;
    assert_eq!(refused.refusal(), (422, "idempotency_key_reused".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_belongs_to_one_caller_and_one_organization() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    for (who, slug) in [(&ana, "acme"), (&ben, "bens")] {
        let body = json!({ "name": slug, "slug": slug });
        let created = who.posts("/v1/organizations", &body).key("key").answer().await.expect(201);
        assert!(!created.is_replayed());
    }
    ana.creates("other").await;
    for slug in ["acme", "other"] {
        let change = json!({ "name": "Renamed" });
        let ask = ana.patches("/v1/organization", &change).with("x-active-org-id", slug);
        let renamed = ask.key("key").answer().await.expect(200);
        assert!(!renamed.is_replayed());
        assert_eq!(renamed.body()["slug"], slug);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_the_same_however_the_organization_is_named() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let id = words(&ana.creates("acme").await.body()["id"]);
    let change = json!({ "name": "Renamed" });
    for (path, is_replayed) in [
        ("/v1/organizations/acme", false),
        ("/organizations/acme", true),
        ("/v1/organizations/acme/", true),
        (&format!("/v1/organizations/{id}"), true),
        ("/v1/organization", true),
        ("/organization/", true),
    ] {
        let ask = ana.patches(path, &change).with("x-active-org-id", "acme").key("key");
        assert_eq!(ask.answer().await.expect(200).is_replayed(), is_replayed, "{path}");
    }
    let body = json!({ "email": "dora@example.org", "role": "viewer" });
    let invite = |path: &str| ana.posts(&format!("/v1/organizations/{path}"), &body).key("key");
    let first = invite("acme/invitations").answer().await.expect(201);
    let again = invite(&format!("{id}/invites")).answer().await.expect(201);
    assert_repeats(&again, &first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quoted_key_is_the_same_key() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let body = json!({ "name": "Acme", "slug": "acme" });
    let post = |key: &str| ana.posts("/v1/organizations", &body).key(key).answer();
    let first = post("\"key\"").await.expect(201);
    assert_repeats(&post("key").await, &first);
    for wrong in ["", "\"\"", &"x".repeat(256)] {
        let refused = post(wrong).await;
        assert_eq!(refused.refusal(), (400, "invalid_idempotency_key".to_owned()), "{wrong:.10}");
    }
    let other = json!({ "name": "Other", "slug": "other" });
    let longest = ana.posts("/v1/organizations", &other).key(&"x".repeat(255));
    longest.answer().await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_decided_anew() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let change = json!({ "name": "Acme" });
    let rename = || ana.patches("/v1/organizations/acme", &change).key("key").answer();
    assert_eq!(rename().await.refusal(), (404, "not_found".to_owned()));
    ana.creates("acme").await;
    let renamed = rename().await.expect(200);
    assert!(!renamed.is_replayed());
    assert_eq!(renamed.body()["name"], "Acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_that_changed_nothing_is_repeated_too() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let change = json!({ "name": "acme" });
    let rename = || ana.patches("/v1/organizations/acme", &change).key("key").answer();
    let first = rename().await.expect(200);
    ana.renames("acme", "Acme Two").await;
    assert_repeats(&rename().await, &first);
    assert_eq!(ana.shows("acme").await["name"], "Acme Two", "a repeat changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_twin_that_comes_too_early_is_sent_away() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    node.stop().await;

    let node = installation.start_failing_at("log.received", "block").await;
    let body = json!({ "name": "Acme", "slug": "acme" });
    let create = |who: &Person| who.posts("/v1/organizations", &body).key("key").try_answer();
    let first = tokio::spawn(create(&ana.at(&node)));
    node.until_it_says("reached log.received").await;
    let refused = create(&ana.at(&node)).await.unwrap();
    assert_eq!(refused.refusal(), (409, "idempotency_in_progress".to_owned()));
    assert!(refused.header("retry-after").is_some());
    node.kill();
    first.await.unwrap().expect_err("its server was killed");

    let node = installation.start().await;
    let created = create(&ana.at(&node)).await.unwrap().expect(201);
    assert!(!created.is_replayed(), "the first had written nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_answer_was_lost_is_answered_when_it_comes_again() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    node.stop().await;

    let node = installation.start_failing_at("log.committed", "block").await;
    let body = json!({ "name": "Acme", "slug": "acme" });
    let create = |who: &Person| who.posts("/v1/organizations", &body).key("key").try_answer();
    let first = tokio::spawn(create(&ana.at(&node)));
    node.until_it_says("reached log.committed").await;
    node.kill();
    first.await.unwrap().expect_err("its server was killed");

    let node = installation.start().await;
    let ana = ana.at(&node);
    let created = create(&ana).await.unwrap().expect(201);
    assert!(created.is_replayed());
    assert_eq!(created.body(), ana.shows("acme").await);
    assert_eq!(ana.history("acme").await, ["organization.created"]);
}
