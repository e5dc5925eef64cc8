//! Sessions: new tokens for old ones, where one is signed in, signing out, and what a session acts on.

use serde_json::{Value, json};

use crate::people::{Answer, PASSWORD, Person, words};
use crate::server::{Installation, Node, on_every_store};

on_every_store! {
    a_session_goes_on_with_new_tokens
    a_refresh_token_that_comes_again_late_ends_the_session
}

/// Somebody's tokens.
struct Tokens {
    session: String,
    refresh: String,
}

impl Tokens {
    fn of(answer: &Answer) -> Self {
        let body = answer.body();
        Self { session: words(&body["token"]), refresh: words(&body["refresh_token"]) }
    }

    async fn refresh(&self, node: &Node) -> Answer {
        let body = json!({ "refresh_token": self.refresh });
        Person::stranger(node).posts("/v1/auth/refresh", &body).answer().await
    }

    async fn serves(&self, node: &Node) -> bool {
        let bearer = format!("Bearer {}", self.session);
        let answer = Person::stranger(node)
            .gets("/v1/auth/me")
            .with("authorization", &bearer)
            .answer()
            .await;
        if answer.status == 401 {
            assert_eq!(answer.refusal(), (401, "invalid_token".to_owned()));
        }
        answer.status == 200
    }
}

async fn a_session_goes_on_with_new_tokens(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let first = Tokens::of(&ana.signs_in().await.expect(200));
    let answer = first.refresh(&node).await.expect(200);
    let second = Tokens::of(&answer);
    assert!(answer.position() > 0 && answer.body()["expires_at"].is_string());
    assert_ne!((&first.session, &first.refresh), (&second.session, &second.refresh));
    assert!(second.serves(&node).await);
    // what was under way with the old token is not cut off, and a lost answer is given again
    assert!(first.serves(&node).await);
    let again = Tokens::of(&first.refresh(&node).await.expect(200));
    assert_eq!((&again.session, &again.refresh), (&second.session, &second.refresh));
    node.stop().await;
    let node = installation.start().await;
    assert!(second.serves(&node).await, "a session outlives a restart");
    assert!(Tokens::of(&second.refresh(&node).await.expect(200)).serves(&node).await);
    node.stop().await;
    installation.assert_no_difference();
}

async fn a_refresh_token_that_comes_again_late_ends_the_session(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let first = Tokens::of(&ana.signs_in().await.expect(200));
    let second = Tokens::of(&first.refresh(&node).await.expect(200));
    let third = Tokens::of(&second.refresh(&node).await.expect(200));
    // two generations old: no answer was lost here
    assert_eq!(first.refresh(&node).await.refusal(), (401, "invalid_token".to_owned()));
    assert!(!third.serves(&node).await && !second.serves(&node).await);
    assert_eq!(third.refresh(&node).await.refusal(), (401, "invalid_token".to_owned()));
    ana.gets("/v1/auth/me").answer().await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_run_out() {
    let installation = Installation::sqlite();
    let node = installation.start_with_clock(0).await;
    let ana = Person::registers(&node, "ana").await;
    let operator = Person::operator(&node, installation.operator_token());
    let first = Tokens::of(&ana.signs_in().await.expect(200));
    operator.advances("1h").await;
    assert!(!first.serves(&node).await, "a session token serves for an hour");
    let second = Tokens::of(&first.refresh(&node).await.expect(200));
    operator.advances("29s").await;
    first.refresh(&node).await.expect(200);
    operator.advances("1s").await;
    assert_eq!(first.refresh(&node).await.status, 401, "it is in two hands");
    assert!(!second.serves(&node).await);

    let idle = Tokens::of(&ana.signs_in().await.expect(200));
    operator.advances("30d").await;
    assert_eq!(idle.refresh(&node).await.status, 401, "a refresh token serves for thirty days");
    let mut used = Tokens::of(&ana.signs_in().await.expect(200));
    for _ in 0..4 {
        operator.advances("20d").await;
        used = Tokens::of(&used.refresh(&node).await.expect(200));
    }
    operator.advances("10d").await;
    assert_eq!(used.refresh(&node).await.status, 401, "and a session for ninety");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_given_refreshes_nothing_and_ends_nothing() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let tokens = Tokens::of(&ana.signs_in().await.expect(200));
    let middle = tokens.refresh.len() - 20;
    let other = if tokens.refresh.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let mut forged = tokens.refresh.clone();
    forged.replace_range(middle..=middle, other);
    for refresh in [forged, "chy_ref_".to_owned(), tokens.session.clone(), "é".to_owned()] {
        let forged = Tokens { session: String::new(), refresh };
        assert_eq!(forged.refresh(&node).await.refusal(), (401, "invalid_token".to_owned()));
    }
    assert!(tokens.serves(&node).await);
    tokens.refresh(&node).await.expect(200);
    // a refresh token opens nothing by itself
    let bearer = format!("Bearer {}", tokens.refresh);
    let asked = Person::stranger(&node).gets("/v1/auth/me").with("authorization", &bearer);
    assert_eq!(asked.answer().await.refusal(), (401, "invalid_token".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_a_session_and_no_other() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let tokens = Tokens::of(&ana.signs_in().await.expect(200));
    let signed_in = ana.with_token(Some(tokens.session.clone()));
    let ask = signed_in.asks(reqwest::Method::POST, "/v1/auth/logout");
    assert_eq!(ask.answer().await.expect(200).body(), json!({}));
    assert!(!tokens.serves(&node).await);
    assert_eq!(tokens.refresh(&node).await.status, 401);
    ana.gets("/v1/auth/me").answer().await.expect(200);

    // a session whose session token has run out is ended by its refresh token
    let tokens = Tokens::of(&ana.signs_in().await.expect(200));
    let stranger = Person::stranger(&node);
    let body = json!({ "refresh_token": tokens.refresh });
    stranger.posts("/v1/auth/logout", &body).answer().await.expect(200);
    assert!(!tokens.serves(&node).await);
    let refused = stranger.posts("/v1/auth/logout", &json!({})).answer().await;
    assert_eq!(refused.refusal(), (401, "unauthenticated".to_owned()));
}

fn sessions(answer: &Answer) -> Vec<Value> {
    answer.body()["sessions"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_with_device_and_address_and_ended_from_elsewhere() {
    let installation = Installation::postgres().await.with_master_key();
    let one = installation.start_node(0).await;
    let two = installation.start_node(1).await;
    let ana = Person::registers(&one, "ana").await;
    let eve = Person::registers(&one, "eve").await;
    let body = json!({ "email": ana.email, "password": PASSWORD });
    let stranger = Person::stranger(&one);
    let phone =
        stranger.posts("/v1/auth/login", &body).with("user-agent", "phone/1").answer().await;
    let phone = Tokens::of(&phone.expect(200));
    let listed = sessions(&ana.gets("/v1/auth/sessions").answer().await.expect(200));
    assert_eq!(listed.len(), 2);
    let (newest, oldest) = (&listed[0], &listed[1]);
    assert_eq!((&newest["device"], &newest["is_current"]), (&json!("phone/1"), &json!(false)));
    assert_eq!((&newest["ip_address"], &oldest["is_current"]), (&json!("127.0.0.1"), &json!(true)));
    for member in ["created_at", "last_used_at", "expires_at"] {
        assert!(words(&newest[member]).ends_with('Z'), "{newest}");
    }
    let all = ana.pages("/v1/auth/sessions?page_size=1", "sessions").await;
    assert_eq!(
        all.iter().map(|one| &one["id"]).collect::<Vec<_>>(),
        [&newest["id"], &oldest["id"]]
    );

    let path = format!("/v1/auth/sessions/{}", words(&newest["id"]));
    assert!(phone.serves(&two).await);
    let end = |who: &Person, path: &str| who.asks(reqwest::Method::DELETE, path);
    assert_eq!(end(&eve, &path).answer().await.refusal(), (404, "not_found".to_owned()));
    let ended = end(&ana, &path).key("end").answer().await.expect(204);
    assert!(ended.bytes.is_empty() && ended.position() > 0);
    assert!(!phone.serves(&two).await, "at once, on every node");
    assert!(end(&ana, &path).key("end").answer().await.expect(204).is_replayed());
    assert_eq!(end(&ana, &path).answer().await.refusal(), (404, "not_found".to_owned()));
    let nothing = end(&ana, "/v1/auth/sessions/%ff").answer().await;
    assert_eq!(nothing.refusal(), (404, "not_found".to_owned()));
    assert_eq!(sessions(&ana.at(&two).gets("/v1/auth/sessions").answer().await).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_acts_on_the_organization_it_has_chosen() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let eve = Person::registers(&node, "eve").await;
    let acme = ana.creates("acme").await.body()["id"].clone();
    eve.creates("foreign").await;
    let elsewhere = ana.with_token_of(&ana.signs_in().await.expect(200));
    let shown = async |who: &Person| {
        who.gets("/v1/organization").answer().await.expect(200).body()["id"].clone()
    };
    let personal = shown(&ana).await;
    let choose =
        |named: Value| ana.patches("/v1/auth/me", &json!({ "active_organization": named }));
    let chosen = choose(json!("acme")).key("choose").answer().await.expect(200);
    assert_eq!(chosen.body()["active_organization"], acme);
    assert_eq!(shown(&ana).await, acme);
    assert_eq!(shown(&elsewhere).await, personal, "it is kept in one session");
    let me = ana.gets("/v1/auth/me").answer().await.expect(200).body();
    assert_eq!(me["active_organization"], acme);
    let header = ana.gets("/v1/organization").with("x-active-org-id", &words(&personal));
    assert_eq!(header.answer().await.expect(200).body()["id"], personal, "a header goes first");
    for named in ["foreign", "nothing", "no slug at all"] {
        let refused = choose(json!(named)).answer().await;
        assert_eq!(refused.refusal(), (422, "validation_failed".to_owned()), "{named}");
    }
    choose(Value::Null).answer().await.expect(200);
    assert_eq!(shown(&ana).await, personal);
    assert!(choose(json!("acme")).key("choose").answer().await.expect(200).is_replayed());
    assert_eq!(shown(&ana).await, personal, "a repeat does nothing again");
    // a password is no session to keep it in
    let body = json!({ "active_organization": "acme" });
    let unnamed = ana.with_token(None);
    let refused = unnamed
        .patches("/v1/auth/me", &body)
        .with("authorization", &super::account::basic(&ana.email, PASSWORD));
    assert_eq!(refused.answer().await.refusal(), (422, "validation_failed".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_changes_name_and_company() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let change = |body: Value| ana.patches("/v1/auth/me", &body);
    let answer = change(json!({ "name": "Anna", "company": "Acme" })).answer().await.expect(200);
    let me = ana.gets("/v1/auth/me").answer().await.expect(200).body();
    assert_eq!(answer.body(), me);
    assert_eq!((&me["name"], &me["company"]), (&json!("Anna"), &json!("Acme")));
    // for one version of oneself only
    let tag = answer.header("etag").expect("it has a version").to_owned();
    let known = ana.gets("/v1/auth/me").with("if-none-match", &tag).answer().await;
    assert_eq!((known.status, known.bytes.len()), (304, 0));
    change(json!({ "company": null })).with("if-match", &tag).answer().await.expect(200);
    let stale = change(json!({ "company": "Desk" })).with("if-match", &tag).answer().await;
    assert_eq!(stale.refusal(), (412, "precondition_failed".to_owned()));
    let me = ana.gets("/v1/auth/me").answer().await.expect(200).body();
    assert_eq!((&me["name"], &me["company"]), (&json!("Anna"), &Value::Null));
    for (body, status) in [
        (json!({ "name": "" }), 422),
        (json!({ "company": "x".repeat(101) }), 422),
        (json!({ "email": "other@example.org" }), 422),
        (json!({}), 200),
    ] {
        change(body).answer().await.expect(status);
    }
}
