//! Passwords changed by who knows them, or set through a link; addresses verified through one.

use serde_json::json;

use super::account::basic;
use crate::mailbox::kept;
use crate::people::{Answer, PASSWORD, Person, words};
use crate::server::{Installation, Node, on_every_store};

on_every_store! {
    a_forgotten_password_is_set_once_through_a_link
    an_address_is_verified_through_a_link
}

const ANOTHER: &str = "an altogether different one";

async fn signs_in_with(who: &Person, password: &str) -> Answer {
    let body = json!({ "email": who.email, "password": password });
    who.with_token(None).posts("/v1/auth/login", &body).answer().await
}

async fn is_signed_in(who: &Person) -> bool {
    who.gets("/v1/auth/me").answer().await.status == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_every_other_session_and_the_memory_of_the_old_one() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let elsewhere = ana.with_token_of(&ana.signs_in().await.expect(200));
    let stranger = Person::stranger(&node);
    let by_password = async |password: &str| {
        let credential = basic(&ana.email, password);
        stranger.gets("/v1/auth/me").with("authorization", &credential).answer().await.status
    };
    assert_eq!(by_password(PASSWORD).await, 200);

    let change = |current: &str, new: &str| {
        let body = json!({ "current_password": current, "new_password": new });
        ana.posts("/v1/auth/password", &body)
    };
    let refused = change("not the right password", ANOTHER).answer().await;
    assert_eq!(refused.refusal(), (403, "wrong_password".to_owned()));
    assert_eq!(change(PASSWORD, "short").answer().await.refusal().0, 422);
    assert!(is_signed_in(&elsewhere).await, "nothing has happened yet");

    assert_eq!(change(PASSWORD, ANOTHER).answer().await.expect(200).body(), json!({}));
    assert!(is_signed_in(&ana).await && !is_signed_in(&elsewhere).await);
    assert_eq!((by_password(PASSWORD).await, by_password(ANOTHER).await), (401, 200));
    signs_in_with(&ana, PASSWORD).await.expect(401);
    signs_in_with(&ana, ANOTHER).await.expect(200);
    node.stop().await;
    installation.assert_no_difference();
}

async fn forgets(node: &Node, email: &str) -> Answer {
    let body = json!({ "email": email });
    Person::stranger(node).posts("/v1/auth/password/forgot", &body).answer().await
}

async fn resets(node: &Node, secret: &str, password: &str) -> Answer {
    let body = json!({ "token": secret, "new_password": password });
    Person::stranger(node).posts("/v1/auth/password/reset", &body).answer().await
}

async fn a_forgotten_password_is_set_once_through_a_link(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    kept(&installation, &node, 1).await;
    let known = forgets(&node, &ana.email).await.expect(202);
    let unknown = forgets(&node, "nobody@example.org").await.expect(202);
    assert_eq!(known.bytes, unknown.bytes);
    let names = |answer: &Answer| {
        let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    };
    assert_eq!(names(&known), names(&unknown));

    let first = kept(&installation, &node, 2).await;
    assert_eq!(first.to, ana.email);
    let old = first.secret(&node, "reset-password");
    forgets(&node, " ANA@example.org").await.expect(202);
    let mail = kept(&installation, &node, 3).await;
    let secret = mail.secret(&node, "reset-password");
    assert_ne!(old, secret);

    // looking at the link changes nothing
    let path = format!("/reset-password/{secret}");
    let page = Person::stranger(&node).gets(&path).answer().await.expect(200);
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let page = String::from_utf8(page.bytes).unwrap();
    assert!(page.contains("/v1/auth/password/reset") && page.contains(&secret), "{page}");
    Person::stranger(&node).gets("/reset-password/nonsense").answer().await.expect(404);

    assert_eq!(resets(&node, &secret, "short").await.refusal().0, 422);
    assert_eq!(resets(&node, &old, ANOTHER).await.refusal(), (410, "link_closed".to_owned()));
    assert_eq!(resets(&node, &"x".repeat(43), ANOTHER).await.refusal().0, 404);
    assert!(is_signed_in(&ana).await);
    let reset = resets(&node, &secret, ANOTHER).await.expect(200);
    assert_eq!(reset.body(), json!({ "outcome": "password_set" }));
    assert!(!is_signed_in(&ana).await, "every session has ended");
    signs_in_with(&ana, PASSWORD).await.expect(401);
    let ana = ana.with_token_of(&signs_in_with(&ana, ANOTHER).await.expect(200));
    let me = ana.gets("/v1/auth/me").answer().await.expect(200).body();
    assert!(me["email_verified_at"].is_string(), "who reads the mail has proven the address");
    let again = resets(&node, &secret, PASSWORD).await;
    assert_eq!(again.refusal(), (410, "link_closed".to_owned()));
    assert!(is_signed_in(&ana).await);
    node.stop().await;
    installation.assert_no_difference();
}

async fn an_address_is_verified_through_a_link(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let me = async || ana.gets("/v1/auth/me").answer().await.expect(200).body();
    let mail = kept(&installation, &node, 1).await;
    assert!(mail.message_id.starts_with("<evt_"), "{mail:?}");
    let replaced = mail.secret(&node, "verify-email");
    let page = format!("/verify-email/{replaced}");
    Person::stranger(&node).gets(&page).answer().await.expect(200);
    assert!(me().await["email_verified_at"].is_null());

    let ask = || ana.asks(reqwest::Method::POST, "/v1/auth/email/verification");
    ask().key("again").answer().await.expect(202);
    assert!(ask().key("again").answer().await.expect(202).is_replayed());
    let secret = kept(&installation, &node, 2).await.secret(&node, "verify-email");
    let verify = async |secret: &str| {
        let body = json!({ "token": secret });
        Person::stranger(&node).posts("/v1/auth/email/verify", &body).answer().await
    };
    assert_eq!(verify(&replaced).await.refusal(), (410, "link_closed".to_owned()));
    // a link of one purpose does not serve another
    assert_eq!(resets(&node, &secret, ANOTHER).await.refusal().0, 404);
    verify(&secret).await.expect(200);
    let verified_at = words(&me().await["email_verified_at"]);
    verify(&secret).await.expect(200);
    assert_eq!(words(&me().await["email_verified_at"]), verified_at, "it stays as it is");
    assert_eq!(ask().answer().await.refusal(), (409, "already_verified".to_owned()));
    node.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn links_run_out() {
    let installation = Installation::sqlite();
    let node = installation.start_with_clock(0).await;
    let ana = Person::registers(&node, "ana").await;
    let operator = Person::operator(&node, installation.operator_token());
    let verification = kept(&installation, &node, 1).await.secret(&node, "verify-email");
    forgets(&node, &ana.email).await.expect(202);
    let reset = kept(&installation, &node, 2).await.secret(&node, "reset-password");
    operator.advances("1h").await;
    let closed = (410, "link_closed".to_owned());
    assert_eq!(resets(&node, &reset, ANOTHER).await.refusal(), closed);
    operator.advances("47h").await;
    let body = json!({ "token": verification });
    let verified = Person::stranger(&node).posts("/v1/auth/email/verify", &body).answer().await;
    assert_eq!(verified.refusal(), closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_nobody_has_verified_goes_to_who_reads_its_mail() {
    let installation = Installation::sqlite();
    let node = installation.start_with_clock(0).await;
    // somebody who cannot read Ana's mail
    let eve = Person::registers(&node, "ana").await;
    let operator = Person::operator(&node, installation.operator_token());
    kept(&installation, &node, 1).await;
    operator.advances("7d").await;
    let eve = eve.with_token_of(&eve.signs_in().await.expect(200));
    forgets(&node, &eve.email).await.expect(202);
    let secret = kept(&installation, &node, 2).await.secret(&node, "reset-password");
    let released = resets(&node, &secret, ANOTHER).await.expect(200);
    assert_eq!(released.body(), json!({ "outcome": "address_released" }));
    assert!(!is_signed_in(&eve).await);
    signs_in_with(&eve, PASSWORD).await.expect(401);
    signs_in_with(&eve, ANOTHER).await.expect(401);
    assert_eq!(resets(&node, &secret, ANOTHER).await.refusal().0, 410);
    let ana = Person::registers(&node, "ana").await;
    let me = ana.gets("/v1/auth/me").answer().await.expect(200).body();
    assert_eq!(ana.lists().await.len(), 1, "an account of her own: {me}");
    signs_in_with(&ana, PASSWORD).await.expect(200);
    node.stop().await;
    installation.assert_no_difference();
}
