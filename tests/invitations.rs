//! Invitations where things go wrong: a command cut off anywhere and repeated has one effect and
//! shows one link; nodes never disagree; of two who accept at once one is admitted once.

use serde_json::{Value, json};

use crate::cut_off::{CutOff, places, starts};
use crate::people::{Person, secret_of, words};
use crate::server::{Installation, Node, on_every_store};

on_every_store! {
    a_command_cut_off_anywhere_has_one_effect_and_shows_one_link
}

async fn a_command_cut_off_anywhere_has_one_effect_and_shows_one_link(on: Installation) {
    let mut node = starts(&on).await;
    let (ana, dora) =
        (Person::registers(&node, "ana").await, Person::registers(&node, "dora").await);
    for (number, place) in places(&on) {
        let slug = format!("acme-{number}");
        ana.at(&node).creates(&slug).await;
        let server = CutOff::at((number, place), &on, node);
        let path = format!("/v1/organizations/{slug}/invitations");
        let post = async |who: &Person, node: &Node, path: &str, key: &str, body: &Value| {
            who.at(node).posts(path, body).key(key).try_answer().await
        };

        let body = json!({ "email": dora.email, "role": "viewer" });
        let invite = async |node: &Node| post(&ana, node, &path, "invite", &body).await;
        let (server, sent) = server.gives(invite).await;
        let id = words(&sent.expect(201).body()["id"]);

        let many = json!({ "invitations": [
            { "email": "emil@example.org" }, { "email": dora.email }, { "email": "finn@example.org" },
        ]});
        let bulk = format!("{path}/bulk");
        let invite_all = async |node: &Node| post(&ana, node, &bulk, "bulk", &many).await;
        let (server, sent) = server.gives(invite_all).await;
        let statuses = sent.expect(200).body()["results"]
            .as_array()
            .map(|results| results.iter().map(|result| result["status"].clone()).collect());
        assert_eq!(statuses, Some(vec![json!(201), json!(409), json!(201)]));

        let again = format!("{path}/{id}/resend");
        let resend = async |node: &Node| post(&ana, node, &again, "resend", &json!({})).await;
        let (server, sent) = server.gives(resend).await;
        let token = json!({ "token": secret_of(&sent.expect(200).body()) });

        // the token says which organization is meant, so the key must be another each time
        let accept =
            async |node: &Node| post(&dora, node, "/v1/invitations/accept", &slug, &token).await;
        let (server, joined) = server.gives(accept).await;
        assert_eq!(joined.expect(200).body()["role"], "viewer");

        let expected = [
            "organization.created",
            "member.invited",
            "member.invited",
            "member.invited",
            "invitation.resent",
            "member.joined",
        ];
        assert_eq!(ana.at(server.node()).history(&slug).await, expected, "{place}");
        node = server.into_node();
    }
    node.stop().await;
    on.assert_no_difference();
}

async fn two_nodes() -> (Installation, Node, Node) {
    let installation = Installation::postgres().await.with_master_key();
    let one = installation.start_node(0).await;
    let two = installation.start_node(1).await;
    (installation, one, two)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_invited_the_other_lists_at_once() {
    let (installation, one, two) = two_nodes().await;
    let ana = Person::registers(&one, "ana").await;
    ana.creates("acme").await;
    let (mut here, mut there) = (ana.at(&one), ana.at(&two));
    for number in 0..20 {
        let sent = here.invites("acme", &format!("guest-{number}@example.org"), "viewer").await;
        let id = words(&sent.body()["id"]);
        let link = format!("/v1/invitations/{}", secret_of(&sent.body()));
        // an answer that came before the read models says so, and promises nothing
        if sent.header("caught-up").is_none() {
            let path = "/v1/organizations/acme/invitations?page_size=1";
            let newest = there.gets(path).answer().await.expect(200).body();
            assert_eq!(newest["invitations"][0]["id"], id);
            let elsewhere = if number % 2 == 0 { &two } else { &one };
            Person::stranger(elsewhere).gets(&link).answer().await.expect(200);
        }
        there
            .deletes(&format!("/v1/organizations/acme/invitations/{id}"))
            .answer()
            .await
            .expect(204);
        // whether it lives is asked of the log, not of what was read from it
        assert_eq!(here.gets(&link).answer().await.refusal().0, 410);
        (here, there) = (there, here);
    }
    one.stop().await;
    two.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_acceptances_at_once_are_one_membership() {
    let (installation, one, two) = two_nodes().await;
    let ana = Person::registers(&one, "ana").await;
    let dora = Person::registers(&one, "dora").await;
    for round in 0..10 {
        let slug = format!("acme-{round}");
        ana.creates(&slug).await;
        let secret = secret_of(&ana.invites(&slug, &dora.email, "viewer").await.body());
        let (here, there) = (dora.at(&one), dora.at(&two));
        let (a, b, c) =
            tokio::join!(here.accepts(&secret), there.accepts(&secret), here.accepts(&secret));
        for answer in [a, b, c] {
            assert_eq!(answer.expect(200).body()["organization"]["member_count"], 2);
        }
        let expected = ["organization.created", "member.invited", "member.joined"];
        assert_eq!(ana.history(&slug).await, expected);
    }
    one.stop().await;
    two.stop().await;
    installation.assert_no_difference();
}

/// Of accepting and withdrawing at once one comes first, and the other is told so.
#[tokio::test(flavor = "multi_thread")]
async fn accepting_and_withdrawing_at_once_agree_on_what_came_first() {
    let (installation, one, two) = two_nodes().await;
    let ana = Person::registers(&one, "ana").await;
    let dora = Person::registers(&two, "dora").await;
    for round in 0..10 {
        let slug = format!("acme-{round}");
        ana.creates(&slug).await;
        let sent = ana.invites(&slug, &dora.email, "viewer").await.body();
        let path = format!("/v1/organizations/{slug}/invitations/{}", words(&sent["id"]));
        let secret = secret_of(&sent);
        let (withdrawn, joined) = tokio::join!(ana.deletes(&path).answer(), dora.accepts(&secret));
        let seen = dora.gets(&format!("/v1/organizations/{slug}")).answer().await;
        match (withdrawn.status, joined.status) {
            (204, 410) => assert_eq!(seen.status, 404, "round {round}"),
            (410, 200) => assert_eq!(seen.status, 200, "round {round}"),
            statuses => panic!("round {round}: {statuses:?}"),
        }
    }
    one.stop().await;
    two.stop().await;
    installation.assert_no_difference();
}
