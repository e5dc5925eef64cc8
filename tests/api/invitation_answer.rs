//! Invitations as the invited see them: what a link shows, accepting and declining.

use reqwest::Method;
use serde_json::json;

use crate::people::{PASSWORD, Person, secret_of, words};
use crate::server::{Installation, files, on_every_store};

on_every_store! {
    a_repeat_shows_the_same_link_again_after_a_kill
}

fn closed() -> (u16, String) {
    (410, "invitation_closed".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_in_leads_through_registration_and_back() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let created = ana.creates("acme").await.body();
    let sent = ana.invites("acme", "dora@example.org", "developer").await;
    let secret = secret_of(&sent.body());
    let link = format!("/v1/invitations/{secret}");
    let expected = |email: &str| {
        json!({
            "organization": { "id": created["id"], "name": "acme", "slug": "acme" },
            "inviter": { "name": "ana" }, "email": email, "role": "developer",
            "status": "pending", "expires_at": sent.body()["expires_at"],
        })
    };
    let stranger = Person::stranger(&node);
    let seen = stranger.gets(&link).answer().await.expect(200);
    assert_eq!(seen.body(), expected("d***@example.org"));
    assert_eq!(seen.header("cache-control"), Some("no-store"));
    let unsigned = stranger.accepts(&secret).await;
    assert_eq!(unsigned.refusal(), (401, "unauthenticated".to_owned()));

    let eve = Person::registers(&node, "eve").await;
    assert_eq!(eve.gets(&link).answer().await.expect(200).body(), expected("d***@example.org"));
    for refused in [eve.accepts(&secret).await, eve.declines(&secret).await] {
        assert_eq!(refused.refusal(), (403, "wrong_account".to_owned()));
    }

    let dora = Person::registers(&node, "dora").await;
    assert_eq!(dora.gets(&link).answer().await.expect(200).body(), expected("dora@example.org"));
    let joined = dora.accepts(&secret).await.expect(200);
    assert_eq!(joined.body()["role"], "developer");
    assert_eq!(joined.body()["organization"], dora.shows("acme").await);
    assert_eq!(joined.body()["organization"]["member_count"], 2);
    assert_eq!(dora.lists().await[1..], ["acme"]);
    let again = dora.accepts(&secret).await.expect(200);
    assert_eq!(again.body(), joined.body(), "accepting again changes nothing");
    assert_eq!(dora.declines(&secret).await.refusal(), closed());
    assert_eq!(stranger.gets(&link).answer().await.refusal(), closed());
    let path = format!("/v1/organizations/acme/invitations/{}", words(&sent.body()["id"]));
    assert_eq!(ana.gets(&path).answer().await.expect(200).body()["status"], "accepted");
    let history = ana.history("acme").await;
    assert_eq!(history, ["organization.created", "member.invited", "member.joined"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_declines_is_not_admitted_later() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let dora = Person::registers(&node, "dora").await;
    let id = words(&ana.creates("acme").await.body()["id"]);
    let secret = secret_of(&ana.invites("acme", &dora.email, "viewer").await.body());
    let expected = json!({
        "organization": { "id": id, "name": "acme", "slug": "acme" }, "role": "viewer",
    });
    for _ in 0..2 {
        assert_eq!(dora.declines(&secret).await.expect(200).body(), expected);
    }
    assert_eq!(dora.accepts(&secret).await.refusal(), closed());
    dora.gets("/v1/organizations/acme").answer().await.expect(404);
    assert_eq!(ana.history("acme").await.last().unwrap(), "invitation.rejected");
    ana.invites("acme", &dora.email, "viewer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_secret_opens_nothing() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let sent = ana.invites("acme", "dora@example.org", "viewer").await;
    let secret = secret_of(&sent.body());
    let nothing = (404, "not_found".to_owned());
    let other = "A".repeat(43);
    for wrong in [&secret[1..], &format!("{secret}A"), &other, "x", "%FF", "a%2Fb"] {
        let seen = Person::stranger(&node).gets(&format!("/v1/invitations/{wrong}"));
        assert_eq!(seen.answer().await.refusal(), nothing, "{wrong}");
        assert_eq!(ana.accepts(wrong).await.refusal(), nothing, "{wrong}");
        assert_eq!(ana.declines(wrong).await.refusal(), nothing, "{wrong}");
    }
    let seen = Person::stranger(&node).gets(&format!("/v1/invitations/{secret}"));
    let refused = seen.with("authorization", "Bearer chy_ses_x").answer().await;
    assert_eq!(refused.refusal(), (401, "invalid_token".to_owned()), "a credential must hold");
    let refused = ana.posts("/v1/invitations/accept", &json!({})).answer().await;
    assert_eq!(refused.body()["errors"][0]["field"], "token");
}

/// The same answers whether somebody has an account or not.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_an_account_is_not_told() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    Person::registers(&node, "dora").await;
    ana.creates("acme").await;
    let shape = async |email: &str| {
        let sent = ana.invites("acme", email, "viewer").await;
        let seen = Person::stranger(&node)
            .gets(&format!("/v1/invitations/{}", secret_of(&sent.body())))
            .answer()
            .await
            .expect(200);
        let keys = |body: serde_json::Value| -> Vec<String> {
            body.as_object().unwrap().keys().cloned().collect()
        };
        let twice = ana.invite("acme", email, "viewer").answer().await;
        (sent.status, keys(sent.body()), keys(seen.body()), twice.refusal())
    };
    assert_eq!(shape("dora@example.org").await, shape("nobody@example.org").await);
}

/// Strangers get for an organization that exists what they get for one that does not.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_see_nothing() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let (ana, eve) = (Person::registers(&node, "ana").await, Person::registers(&node, "eve").await);
    ana.creates("acme").await;
    let sent = ana.invites("acme", "dora@example.org", "viewer").await;
    let id = words(&sent.body()["id"]);
    let one = format!("invitations/{id}");
    let again = format!("{one}/resend");
    for (method, rest) in [
        (Method::POST, "invitations"),
        (Method::POST, "invites"),
        (Method::POST, "members"),
        (Method::POST, "invitations/bulk"),
        (Method::GET, "invitations"),
        (Method::GET, "invitations?status=nonsense"),
        (Method::GET, one.as_str()),
        (Method::GET, "invitations/nothing"),
        (Method::DELETE, one.as_str()),
        (Method::DELETE, "invitations/nothing"),
        (Method::POST, again.as_str()),
    ] {
        let ask = async |org: &str, body: &'static str| {
            let path = format!("/v1/organizations/{org}/{rest}");
            let ask = eve.asks(method.clone(), &path).bytes("application/json", body);
            let mut answer = ask.answer().await;
            for volatile in ["x-request-id", "date"] {
                answer.headers.remove(volatile);
            }
            let mut body = answer.body();
            for volatile in ["instance", "request_id"] {
                body[volatile].take();
            }
            (answer.status, answer.headers, body)
        };
        let expected = ask("nothing", "{}").await;
        assert_eq!(expected.0, 404, "{method} {rest}");
        for body in ["{}", "{", r#"{"email":"eve@example.org"}"#] {
            assert_eq!(ask("acme", body).await, expected, "{method} {rest} {body}");
        }
        let anonymous =
            Person::stranger(&node).asks(method, &format!("/v1/organizations/acme/{rest}"));
        assert_eq!(anonymous.answer().await.status, 401, "{rest}");
    }
}

async fn a_repeat_shows_the_same_link_again_after_a_kill(installation: Installation) {
    let public = [("CHANCERY_PUBLIC_URL", "https://org.example.com")];
    let node = installation.launch(0, &public).serving().await;
    let ana = Person::registers(&node, "ana").await;
    let dora = Person::registers(&node, "dora").await;
    ana.creates("acme").await;
    let invite =
        |who: &Person| who.invite("acme", "dora@example.org", "viewer").key("invite").answer();
    let sent = invite(&ana).await.expect(201);
    let link = words(&sent.body()["accept_url"]);
    assert!(link.starts_with("https://org.example.com/invitations/"), "{link}");
    let path = format!("/v1/organizations/acme/invitations/{}/resend", words(&sent.body()["id"]));
    let resend = |who: &Person| who.posts(&path, &json!({})).key("again").answer();
    let again = resend(&ana).await.expect(200);
    let token = json!({ "token": secret_of(&again.body()) });
    let accept = |who: &Person| who.posts("/v1/invitations/accept", &token).key("in").answer();
    let joined = accept(&dora).await.expect(200);
    node.kill();

    let node = installation.launch(0, &public).serving().await;
    let (ana, dora) = (ana.at(&node), dora.at(&node));
    for (first, repeated) in
        [(&sent, invite(&ana).await), (&again, resend(&ana).await), (&joined, accept(&dora).await)]
    {
        assert!(repeated.is_replayed() && !first.is_replayed());
        assert_eq!((repeated.status, repeated.body()), (first.status, first.body()));
        assert_eq!(repeated.position(), first.position());
    }
    let other = json!({ "token": secret_of(&sent.body()) });
    let reused = dora.posts("/v1/invitations/accept", &other).key("in").answer().await;
    assert_eq!(reused.refusal(), (422, "idempotency_key_reused".to_owned()));
    let expected = ["organization.created", "member.invited", "invitation.resent", "member.joined"];
    assert_eq!(ana.history("acme").await, expected);
}

/// Neither the secret of a link nor the invited address stands in a file or in what is logged.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_addresses_stand_nowhere_in_the_clear() {
    let installation = Installation::sqlite();
    let node = installation.launch(0, &[("CHANCERY_LOG", "trace")]).serving().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let sent = ana.invites("acme", "telltale-guest@example.org", "viewer").await;
    let secret = secret_of(&sent.body());
    Person::stranger(&node).gets(&format!("/v1/invitations/{secret}")).answer().await.expect(200);
    ana.accepts(&secret).await.expect(403);
    let body = json!({ "email": "telltale-guest@example.org", "password": PASSWORD, "name": "G" });
    let stranger = Person::stranger(&node);
    let registered = stranger.posts("/v1/auth/register", &body).answer().await.expect(201);
    stranger.with_token_of(&registered).accepts(&secret).await.expect(200);
    let said = node.stop().await;
    let mut places = vec![("the log of the program".to_owned(), said.into_bytes())];
    // mails are there to be read
    let is_mail = |path: &std::path::PathBuf| path.extension().is_some_and(|it| it == "eml");
    for path in files(&installation.data()).into_iter().filter(|path| !is_mail(path)) {
        places.push((path.display().to_string(), std::fs::read(path).unwrap()));
    }
    for (place, bytes) in places {
        for telltale in [secret.as_str(), "telltale-guest"] {
            let is_there = bytes.windows(telltale.len()).any(|found| found == telltale.as_bytes());
            assert!(!is_there, "{telltale} stands in {place}");
        }
    }
}
