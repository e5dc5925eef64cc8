//! How invitations end: by time, with their sender's right, with the organization. And what they
//! were before.

use serde_json::json;

use crate::people::{Person, secret_of, words};
use crate::server::{Installation, on_every_store};

on_every_store! {
    an_invitation_ends_after_a_week
}

const INVITATIONS: &str = "/v1/organizations/acme/invitations";

fn closed() -> (u16, String) {
    (410, "invitation_closed".to_owned())
}

async fn signed_in(person: &Person) -> Person {
    person.with_token_of(&person.signs_in().await.expect(200))
}

async fn an_invitation_ends_after_a_week(installation: Installation) {
    let node = installation.start_with_clock(0).await;
    let operator = Person::operator(&node, installation.operator_token());
    let (ana, dora) =
        (Person::registers(&node, "ana").await, Person::registers(&node, "dora").await);
    ana.creates("acme").await;
    let sent = ana.invites("acme", &dora.email, "viewer").await.body();
    let kept = ana.invites("acme", "emil@example.org", "viewer").await.body();
    let link = format!("/v1/invitations/{}", secret_of(&sent));

    operator.advances("167h").await;
    let (ana, dora) = (signed_in(&ana).await, signed_in(&dora).await);
    dora.gets(&link).answer().await.expect(200);
    let resend = format!("{INVITATIONS}/{}/resend", words(&kept["id"]));
    let kept = ana.posts(&resend, &json!({})).answer().await.expect(200).body();
    let now = operator.advances("1h").await.to_string();
    let (ana, dora) = (signed_in(&ana).await, signed_in(&dora).await);

    assert_eq!(dora.gets(&link).answer().await.refusal(), closed());
    assert_eq!(dora.accepts(&secret_of(&sent)).await.refusal(), closed());
    let one = format!("{INVITATIONS}/{}", words(&sent["id"]));
    assert_eq!(ana.deletes(&one).answer().await.refusal(), closed());
    assert_eq!(ana.gets(&one).answer().await.expect(200).body()["status"], "expired");
    let listed = ana.pages(&format!("{INVITATIONS}?status=expired"), "invitations").await;
    assert!(listed.len() == 1 && listed[0]["id"] == sent["id"], "{listed:?}");
    let listed = ana.pages(&format!("{INVITATIONS}?status=pending"), "invitations").await;
    assert!(listed.len() == 1 && listed[0]["id"] == kept["id"], "another week: {listed:?}");

    let path = "/v1/organizations/acme/audit-log?action=invitation.expired";
    let log = ana.pages(path, "events").await;
    assert_eq!(log.len(), 1, "{log:?}");
    assert_eq!(log[0]["actor"]["kind"], "system");
    assert_eq!(log[0]["resource"]["id"], sent["id"]);
    assert_eq!(log[0]["created_at"], sent["expires_at"], "at its own time, not at {now}");
    ana.invites("acme", &dora.email, "viewer").await;
    node.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_ends_with_its_senders_right() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    for (number, role) in [(0, None), (1, Some("developer"))] {
        let ben = Person::joins(&node, &format!("ben-{number}"), &ana, "acme", "admin").await;
        let guest = Person::registers(&node, &format!("guest-{number}")).await;
        let sent = ben.invites("acme", &guest.email, "viewer").await.body();
        let secret = secret_of(&sent);
        let member = ben.as_member_of("acme").await;
        match role {
            None => drop(ana.deletes(&member).answer().await.expect(204)),
            Some(role) => {
                ana.patches(&member, &json!({ "role": role })).answer().await.expect(200);
            }
        }
        let link = format!("/v1/invitations/{secret}");
        assert_eq!(guest.gets(&link).answer().await.refusal(), closed());
        assert_eq!(guest.accepts(&secret).await.refusal(), closed());
        let path = format!("{INVITATIONS}/{}", words(&sent["id"]));
        assert_eq!(ana.gets(&path).answer().await.expect(200).body()["status"], "canceled");
        // somebody who has the right invites anew
        let sent = ana.invites("acme", &guest.email, "viewer").await.body();
        guest.accepts(&secret_of(&sent)).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_ends_with_the_organization() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let (ana, dora) =
        (Person::registers(&node, "ana").await, Person::registers(&node, "dora").await);
    ana.creates("acme").await;
    let secret = secret_of(&ana.invites("acme", &dora.email, "viewer").await.body());
    let confirmed = json!({ "confirm": "acme" });
    ana.deletes("/v1/organizations/acme").json(&confirmed).answer().await.expect(204);
    let nothing = (404, "not_found".to_owned());
    assert_eq!(dora.gets(&format!("/v1/invitations/{secret}")).answer().await.refusal(), nothing);
    assert_eq!(dora.accepts(&secret).await.refusal(), nothing);
    assert_eq!(ana.gets(INVITATIONS).answer().await.refusal(), nothing);
    node.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn invitations_are_shown_as_they_were() {
    let installation = Installation::sqlite();
    let node = installation.start_with_clock(0).await;
    let operator = Person::operator(&node, installation.operator_token());
    let (ana, dora) =
        (Person::registers(&node, "ana").await, Person::registers(&node, "dora").await);
    ana.creates("acme").await;
    // versions 1, 2, 3 and 4
    let first = ana.invites("acme", &dora.email, "viewer").await.body();
    let second = ana.invites("acme", "emil@example.org", "viewer").await.body();
    let path = format!("{INVITATIONS}/{}", words(&second["id"]));
    ana.deletes(&path).answer().await.expect(204);
    dora.accepts(&secret_of(&first)).await.expect(200);
    let statuses = async |who: &Person, moment: &str| -> Vec<String> {
        let path = format!("{INVITATIONS}?page_size=1&as_of={moment}");
        let all = who.pages(&path, "invitations").await;
        all.iter().map(|one| words(&one["status"])).collect()
    };
    for (version, expected) in [
        ("0", vec![]),
        ("1", vec!["pending"]),
        ("2", vec!["pending", "pending"]),
        ("3", vec!["canceled", "pending"]),
        ("4", vec!["canceled", "accepted"]),
    ] {
        assert_eq!(statuses(&ana, version).await, expected, "version {version}");
    }
    let shown = ana.gets(&format!("{path}?as_of=2")).answer().await.expect(200);
    assert_eq!(
        (&shown.body()["status"], &shown.body()["as_of_version"]),
        (&json!("pending"), &json!(2))
    );
    assert_eq!(shown.header("as-of-version"), Some("2"));
    assert_eq!(ana.gets(&format!("{path}?as_of=1")).answer().await.refusal().0, 404);
    assert_eq!(ana.gets(&format!("{path}?as_of=9")).answer().await.refusal().0, 400);
    let pending = ana.gets(&format!("{INVITATIONS}?as_of=3&status=pending")).answer().await.body();
    assert_eq!(pending["as_of_version"], 3);
    assert_eq!(pending["invitations"][0]["id"], first["id"]);

    // what time did without an event shows, too
    let third = ana.invites("acme", "finn@example.org", "viewer").await.body();
    operator.advances("8d").await;
    let ana = signed_in(&ana).await;
    let end = words(&third["expires_at"]);
    for (moment, expected) in [("5", "pending"), ("6", "expired"), (end.as_str(), "expired")] {
        assert_eq!(statuses(&ana, moment).await[0], expected, "{moment}");
    }
}
