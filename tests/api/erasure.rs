//! The end of an account: what is gone, what stays, and who is kept.

use serde_json::{Value, json};

use crate::people::{PASSWORD, Person, secret_of, words};
use crate::server::{Installation, Node, on_every_store};

on_every_store! {
    whoever_is_erased_is_gone_for_everybody
}

/// Waits until the erasure is recorded everywhere.
async fn recorded(node: &Node, times: usize) {
    node.until_it_has_said("an erasure is recorded wherever", times).await;
}

async fn whoever_is_erased_is_gone_for_everybody(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let ben = Person::joins(&node, "ben", &ana, "acme", "admin").await;
    let id = ben.id().await;
    ben.renames("acme", "Acme by Ben").await;
    ben.invites("acme", "dora@example.org", "viewer").await;
    let body = json!({ "token_name": "ci", "organization": "acme" });
    let token = ben.posts("/v1/auth/tokens", &body).answer().await.expect(201);
    let by_token = ben.with_token_of(&token);
    let refused = by_token.erases().answer().await;
    assert_eq!(refused.refusal(), (403, "sign_in_required".to_owned()));
    let version = ana.gets("/v1/organizations/acme/audit-log?page_size=1").answer().await.body();
    let version = version["events"][0]["version"].as_u64().unwrap();
    let own = words(&ben.gets("/v1/auth/me").answer().await.body()["active_organization"]);

    let erased = ben.erases().answer().await.expect(204);
    assert!(erased.position() > 0);

    let refused = ben.gets("/v1/auth/me").answer().await;
    assert_eq!(refused.refusal(), (401, "invalid_token".to_owned()));
    assert_eq!(ben.signs_in().await.refusal(), (401, "invalid_credentials".to_owned()));
    ben.gets_by_password("/v1/auth/me").answer().await.expect(401);
    let refused = by_token.gets("/v1/organizations/acme").answer().await;
    assert_eq!(refused.refusal(), (401, "token_revoked".to_owned()));
    recorded(&node, 1).await;

    let members = ana.pages("/v1/organizations/acme/members", "members").await;
    assert_eq!(members.len(), 1);
    let then = format!("/v1/organizations/acme/members?as_of={version}");
    let then = ana.gets(&then).answer().await.expect(200).body();
    let then = then["members"].as_array().unwrap();
    let him = then.iter().find(|member| member["user_id"] == id.as_str()).expect("he was one");
    assert_eq!(him["user"], json!({ "id": id, "email": "erased", "name": "erased" }));

    let all = ana.pages("/v1/organizations/acme/audit-log?page_size=100", "events").await;
    let his: Vec<&Value> = all.iter().filter(|it| it["actor"]["id"] == id.as_str()).collect();
    assert!(his.len() >= 4, "joined, updated, invited, left");
    for entry in his {
        assert_eq!(entry["actor"]["email"], "erased", "{entry}");
        let address = &entry["ip_address"];
        assert!(address.is_null() || *address == "erased", "{entry}");
    }
    let renamed = all.iter().find(|it| it["action"] == "organization.updated").unwrap();
    assert_eq!((&renamed["ip_address"], &renamed["user_agent"]), (&json!("erased"), &Value::Null));
    let history = ana.history("acme").await;
    assert_eq!(
        history[history.len() - 4..],
        ["member.left", "api_key.revoked", "invitation.canceled", "person.erased"],
        "what he had made and sent ends with his right to"
    );
    let invited = ana.pages("/v1/organizations/acme/invitations", "invitations").await;
    let his = invited.iter().find(|it| it["status"] == "accepted").unwrap();
    assert_eq!(his["email"], "erased");

    // the address is nobody's now, and whoever registers it is somebody else
    let again = Person::registers(&node, "ben").await;
    assert_ne!(again.id().await, id);
    again.gets(&format!("/v1/organizations/{own}")).answer().await.expect(404);
    again.gets("/v1/organizations/acme").answer().await.expect(404);
    ana.invites("acme", "ben@example.org", "viewer").await;
    node.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_erased_without_their_password() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let wrong = json!({ "password": "not the right password" });
    let refused = ana.deletes("/v1/account").json(&wrong).answer().await;
    assert_eq!(refused.refusal(), (403, "wrong_password".to_owned()));
    let refused = ana.deletes("/v1/account").json(&json!({})).answer().await;
    assert_eq!(refused.refusal(), (422, "validation_failed".to_owned()));
    let refused = Person::stranger(&node).erases().answer().await;
    assert_eq!(refused.refusal(), (401, "unauthenticated".to_owned()));
    ana.signs_in().await.expect(200);
    // what is mounted under `/v1` is there without it, too
    ana.deletes("/account").json(&json!({ "password": PASSWORD })).answer().await.expect(204);
    ana.signs_in().await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_only_owner_is_kept_and_told_by_what() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let ben = Person::registers(&node, "ben").await;
    ben.creates("beta").await;
    ben.takes_in(&ana, "beta", "admin").await;
    let acme = ana.creates("acme").await.body();
    let refused = ana.erases().answer().await;
    assert_eq!(refused.refusal(), (409, "last_owner".to_owned()));
    let body = refused.body();
    assert_eq!(body["kept_by"], json!([{ "id": acme["id"], "slug": "acme" }]));
    assert_eq!(body["left"], json!([]));
    assert!(words(&body["detail"]).contains("acme"));
    let lists = ana.lists().await;
    assert_eq!(lists[1..], ["acme", "beta"], "nothing was left");
    ana.signs_in().await.expect(200);
    ana.deletes("/v1/organizations/acme")
        .json(&json!({ "confirm": "acme" }))
        .answer()
        .await
        .expect(204);
    ana.erases().answer().await.expect(204);
    recorded(&node, 1).await;
    assert_eq!(ben.history("beta").await.last().unwrap(), "person.erased");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_owners_who_go_at_once_one_stays() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    for round in 0..6 {
        let slug = format!("acme-{round}");
        let ana = Person::registers(&node, &format!("ana-{round}")).await;
        ana.creates(&slug).await;
        let ben = Person::joins(&node, &format!("ben-{round}"), &ana, &slug, "owner").await;
        let (one, other) = tokio::join!(ana.erases().answer(), ben.erases().answer());
        let (stays, refused) = match (one.status, other.status) {
            (204, 409) => (ben, other),
            (409, 204) => (ana, one),
            statuses => panic!("{statuses:?}"),
        };
        assert_eq!(refused.refusal(), (409, "last_owner".to_owned()));
        assert_eq!(refused.body()["kept_by"][0]["slug"], slug);
        let stays = stays.with_token_of(&stays.signs_in().await.expect(200));
        assert_eq!(stays.shows(&slug).await["role"], "owner");
        assert_eq!(stays.lists().await.len(), 2, "the personal organization is there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_nobody_can_answer_any_more_ends() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let dora = Person::registers(&node, "dora").await;
    let sent = ana.invites("acme", "dora@example.org", "viewer").await.body();
    dora.erases().answer().await.expect(204);
    recorded(&node, 1).await;
    let shown = ana.pages("/v1/organizations/acme/invitations", "invitations").await;
    assert_eq!((&shown[0]["status"], &shown[0]["email"]), (&json!("canceled"), &json!("erased")));
    let again = Person::registers(&node, "dora").await;
    again.accepts(&secret_of(&sent)).await.expect(403);
    ana.takes_in(&again, "acme", "viewer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_erases_no_other_shows() {
    let installation = Installation::postgres().await.with_master_key();
    let (one, two) = (installation.start_node(0).await, installation.start_node(1).await);
    let ana = Person::registers(&one, "ana").await;
    ana.creates("acme").await;
    let ben = Person::joins(&one, "ben", &ana, "acme", "viewer").await;
    let names = async |node: &Node| {
        let there = ana.at(node);
        let log = there.pages("/v1/organizations/acme/invitations", "invitations").await;
        words(&log[0]["email"])
    };
    assert_eq!((names(&one).await, names(&two).await), (ben.email.clone(), ben.email.clone()));
    ben.erases().answer().await.expect(204);
    assert_eq!((names(&one).await, names(&two).await), ("erased".to_owned(), "erased".to_owned()));
    ben.at(&two).signs_in().await.expect(401);
    ben.at(&two).gets("/v1/auth/me").answer().await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_key_is_an_alarm_and_no_erasure() {
    let installation = Installation::postgres().await;
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let ben = Person::joins(&node, "ben", &ana, "acme", "viewer").await;
    let dora = Person::joins(&node, "dora", &ana, "acme", "viewer").await;
    dora.erases().answer().await.expect(204);
    recorded(&node, 1).await;
    node.stop().await;
    let mut connection = installation.database().connect().await;
    let lost = "DELETE FROM keyring.subject_key WHERE wrapped IS NOT NULL AND subject IN \
                (SELECT subject FROM keyring.address) AND subject <> ALL ($1)";
    let kept = "SELECT subject FROM keyring.address ORDER BY subject";
    let subjects: Vec<uuid::Uuid> =
        sqlx::query_scalar(kept).fetch_all(&mut connection).await.unwrap();
    assert_eq!(subjects.len(), 2, "the erased have none");
    sqlx::query(lost).bind(Vec::<uuid::Uuid>::new()).execute(&mut connection).await.unwrap();
    drop(connection);

    let node = installation.start().await;
    let ana = ana.at(&node);
    let shown = ana.pages("/v1/organizations/acme/invitations", "invitations").await;
    let emails: Vec<&Value> = shown.iter().map(|invitation| &invitation["email"]).collect();
    assert_eq!(emails, [&json!("erased"), &Value::Null], "dora and {}", ben.email);
    node.until_it_says("the key of a personal value is missing").await;
    let metrics = crate::api::metrics::metrics(&ana).await;
    assert_ne!(metrics["chancery_missing_keys"], "0");
}
