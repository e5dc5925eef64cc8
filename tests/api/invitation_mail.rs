//! The mail to whoever is invited, and what its link proves.

use serde_json::json;

use crate::mailbox::{MailServer, free_port, kept};
use crate::people::{Person, secret_of, words};
use crate::server::{Installation, on_every_store};

on_every_store! {
    the_mailed_link_admits_and_proves_the_address
    a_proof_that_a_crash_cut_short_is_completed
}

async fn verified_at(person: &Person) -> serde_json::Value {
    person.gets("/v1/auth/me").answer().await.expect(200).body()["email_verified_at"].clone()
}

async fn the_mailed_link_admits_and_proves_the_address(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let sent = ana.invites("acme", "dora@example.org", "admin").await.body();
    // the first mail asks ANA to verify her address
    let mail = kept(&installation, &node, 2).await;
    assert_eq!(mail.to, "dora@example.org");
    let secret = mail.secret(&node, "invitations");
    assert_ne!(secret, secret_of(&sent), "what is mailed is not what the inviter sees");
    let said = "ana invites you to join acme as an admin.";
    assert!(mail.text.contains(said), "{}", mail.text);
    let day = &words(&sent["expires_at"])[..10];
    assert!(mail.text.contains(day), "{}", mail.text);

    let page = Person::stranger(&node).gets(&format!("/invitations/{secret}")).answer().await;
    assert!(String::from_utf8_lossy(&page.expect(200).bytes).contains("/v1/invitations/accept"));
    let dora = Person::registers(&node, "dora").await;
    assert!(verified_at(&dora).await.is_null());
    let body = json!({ "token": secret });
    let joined = dora.posts("/v1/invitations/accept", &body).key("in").answer().await.expect(200);
    assert!(verified_at(&dora).await.is_string());
    let again = dora.posts("/v1/invitations/accept", &body).key("in").answer().await;
    assert!(again.is_replayed() && again.body() == joined.body());

    // a copied link says nothing of who reads the mail
    ana.creates("other").await;
    let emil = Person::registers(&node, "emil").await;
    ana.takes_in(&emil, "other", "viewer").await;
    assert!(verified_at(&emil).await.is_null());
    node.stop().await;
    installation.assert_no_difference();
}

async fn a_proof_that_a_crash_cut_short_is_completed(installation: Installation) {
    let node = installation.start().await;
    let (ana, dora) =
        (Person::registers(&node, "ana").await, Person::registers(&node, "dora").await);
    ana.creates("acme").await;
    ana.invites("acme", &dora.email, "viewer").await;
    let secret = kept(&installation, &node, 3).await.secret(&node, "invitations");
    node.stop().await;

    let node = installation.start_failing_at("invitation.accepted", "park").await;
    let accepts = dora.at(&node);
    let there = "reached invitation.accepted".to_owned();
    tokio::select! {
        _ = node.until_it_says(&there) => {}
        answer = accepts.accepts(&secret) => panic!("{answer:?}"),
    }
    node.kill();

    let node = installation.start().await;
    let (ana, dora) = (ana.at(&node), dora.at(&node));
    let log = ana.gets("/v1/organizations/acme/audit-log?action=member.joined").answer().await;
    let position: u64 = words(&log.expect(200).body()["events"][0]["position"]).parse().unwrap();
    // what completes it is the next event of the log, whoever writes it
    dora.waits_for(position + 1).await;
    assert!(verified_at(&dora).await.is_string());
    assert_eq!(dora.accepts(&secret).await.expect(200).body()["role"], "viewer");
    node.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sending_has_a_mail_with_its_own_link() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let sent = ana.invites("acme", "dora@example.org", "viewer").await.body();
    let first = kept(&installation, &node, 2).await;
    let path = format!("/v1/organizations/acme/invitations/{}/resend", words(&sent["id"]));
    ana.posts(&path, &json!({})).answer().await.expect(200);
    let second = kept(&installation, &node, 3).await;
    assert_ne!(first.message_id, second.message_id);
    let (old, new) = (first.secret(&node, "invitations"), second.secret(&node, "invitations"));
    assert_ne!(old, new);
    let stranger = Person::stranger(&node);
    stranger.gets(&format!("/v1/invitations/{old}")).answer().await.expect(410);
    stranger.gets(&format!("/v1/invitations/{new}")).answer().await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_of_an_invitation_that_is_closed_by_then() {
    let installation = Installation::sqlite();
    let port = free_port();
    let url = format!("smtp://127.0.0.1:{}", port.number());
    let node = installation.launch(0, &[("CHANCERY_MAIL", &url)]).serving().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let sent = ana.invites("acme", "dora@example.org", "viewer").await.body();
    let path = format!("/v1/organizations/acme/invitations/{}", words(&sent["id"]));
    ana.deletes(&path).answer().await.expect(204);
    ana.invites("acme", "emil@example.org", "viewer").await;
    node.until_it_says("the mail server cannot be reached").await;
    let server = MailServer::start_with(port, &[]).await;
    let to: Vec<_> = server.takes(2).await.into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, ["ana@example.org", "emil@example.org"]);
    node.stop().await;
}
