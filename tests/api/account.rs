//! Register, sign in, and who I am.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::people::{PASSWORD, Person, words};
use crate::server::Installation;

fn fields(body: &Value) -> Vec<String> {
    let errors = body["errors"].as_array().expect("the fields are named");
    errors.iter().map(|error| words(&error["field"])).collect()
}

pub(crate) fn basic(email: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{email}:{password}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_answers_with_everything_to_go_on_with() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let stranger = Person::stranger(&node);
    let body = json!({
        "email": " Ana@Example.ORG ", "password": PASSWORD, "name": "Ana", "company": "Acme",
    });
    let answer = stranger.posts("/v1/auth/register", &body).answer().await.expect(201);
    assert!(answer.position() > 0);
    let ana = stranger.with_token_of(&answer);
    let answer = answer.body();
    assert_eq!(answer["user"]["email"], "ana@example.org");
    assert_eq!(
        (&answer["user"]["name"], &answer["user"]["company"]),
        (&json!("Ana"), &json!("Acme"))
    );
    assert!(words(&answer["user"]["id"]).starts_with("usr_"));
    assert_eq!(answer["user"]["email_verified_at"], Value::Null);

    let organization = &answer["organization"];
    let id = words(&organization["id"]);
    let slug = format!("u-{}", &id[id.len() - 12..]);
    assert_eq!((&organization["slug"], &organization["is_personal"]), (&json!(slug), &json!(true)));
    assert_eq!((&organization["name"], &organization["role"]), (&json!("Ana"), &json!("owner")));

    let me = ana.gets("/v1/auth/me").answer().await.expect(200).body();
    assert_eq!(
        (&me["id"], &me["active_organization"]),
        (&answer["user"]["id"], &organization["id"])
    );
    assert_eq!(ana.shows(&slug).await["id"], organization["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_of_a_registration_is_named_at_once() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let stranger = Person::stranger(&node);
    let body =
        json!({ "email": "ana", "password": "short", "name": " ", "company": "x".repeat(101) });
    let refused = stranger.posts("/v1/auth/register", &body).answer().await;
    assert_eq!(refused.refusal(), (422, "validation_failed".to_owned()));
    assert_eq!(fields(&refused.body()), ["email", "password", "name", "company"]);

    for (body, field) in [
        (json!({ "password": PASSWORD, "name": "Ana" }), "email"),
        (json!({ "email": 1, "password": PASSWORD, "name": "Ana" }), "email"),
        (
            json!({ "email": "a@b.org", "password": PASSWORD, "name": "Ana", "admin": true }),
            "admin",
        ),
        (json!({ "email": "a@b.org", "password": "passwordpassword", "name": "Ana" }), "password"),
    ] {
        let refused = stranger.posts("/v1/auth/register", &body).answer().await.expect(422);
        assert_eq!(fields(&refused.body()), [field]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_one_account_however_it_is_written() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let stranger = Person::stranger(&node);
    for email in ["ana@example.org", "ANA@example.ORG", "  ana@EXAMPLE.org\t"] {
        let body = json!({ "email": email, "password": PASSWORD, "name": "Other" });
        let refused = stranger.posts("/v1/auth/register", &body).answer().await;
        assert_eq!(refused.refusal(), (409, "email_taken".to_owned()));
    }
    ana.signs_in().await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_tells_nobody_who_has_an_account() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let stranger = Person::stranger(&node);
    let mut sentences = Vec::new();
    for (email, password) in [
        (ana.email.as_str(), "not the right password"),
        ("nobody@example.org", PASSWORD),
        ("no address", PASSWORD),
    ] {
        let body = json!({ "email": email, "password": password });
        let refused = stranger.posts("/v1/auth/login", &body).answer().await;
        assert_eq!(refused.refusal(), (401, "invalid_credentials".to_owned()));
        sentences.push(words(&refused.body()["detail"]));
    }
    sentences.dedup();
    assert_eq!(sentences.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_and_a_password_open_the_same_account() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let signed_in = ana.signs_in().await.expect(200);
    let token = words(&signed_in.body()["token"]);
    assert_ne!(Some(&token), ana.token.as_ref(), "each session has its own token");
    let stranger = Person::stranger(&node);
    let me = ana.gets("/v1/auth/me").answer().await.expect(200).body();
    for credential in [format!("Bearer {token}"), basic(&ana.email, PASSWORD)] {
        // the second time, a proven pair is remembered
        for _ in 0..2 {
            let asked = stranger.gets("/v1/auth/me").with("authorization", &credential);
            assert_eq!(asked.answer().await.expect(200).body(), me);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_proves_nothing_is_refused_with_a_challenge() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let stranger = Person::stranger(&node);
    let token = ana.token.as_deref().unwrap();
    let forged =
        format!("{}{}", &token[..token.len() - 2], if token.ends_with("AA") { "BB" } else { "AA" });
    for (credential, code) in [
        (None, "unauthenticated"),
        (Some("Bearer".to_owned()), "unauthenticated"),
        (Some("Digest abc".to_owned()), "unauthenticated"),
        (Some("Bearer chy_ses_nonsense".to_owned()), "invalid_token"),
        (Some(format!("Bearer {forged}")), "invalid_token"),
        (Some(basic(&ana.email, "not the right password")), "invalid_credentials"),
        (Some(basic("nobody@example.org", PASSWORD)), "invalid_credentials"),
        (Some("Basic %%%".to_owned()), "invalid_credentials"),
    ] {
        let mut ask = stranger.gets("/v1/auth/me");
        if let Some(credential) = &credential {
            ask = ask.with("authorization", credential);
        }
        let refused = ask.answer().await;
        assert_eq!(refused.refusal(), (401, code.to_owned()), "{credential:?}");
        let challenge = refused.header("www-authenticate").expect("a challenge");
        assert!(challenge.contains("Bearer") && challenge.contains("Basic"), "{challenge}");
    }
}
