//! What owners order, cut off anywhere and repeated: one effect, and the same answer as long as
//! anybody asks. The log itself is asked what happened, because a deleted organization shows nothing.

use serde_json::json;

use crate::crash::organizations_in_the_log;
use crate::cut_off::{CutOff, places, starts};
use crate::people::{PASSWORD, Person, words};
use crate::server::{Installation, Node, on_every_store};

on_every_store! {
    an_order_cut_off_anywhere_has_one_effect_and_one_answer
}

async fn an_order_cut_off_anywhere_has_one_effect_and_one_answer(on: Installation) {
    let mut node = starts(&on).await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    let cleo = Person::registers(&node, "cleo").await;
    let (ben_id, cleo_id) = (ben.id().await, cleo.id().await);
    let mut slugs = Vec::new();
    for (number, place) in places(&on) {
        let slug = format!("acme-{number}");
        let path = format!("/v1/organizations/{slug}");
        ana.at(&node).creates(&slug).await;
        ana.at(&node).takes_in(&ben.at(&node), &slug, "viewer").await;
        ana.at(&node).takes_in(&cleo.at(&node), &slug, "viewer").await;
        let server = CutOff::at((number, place), &on, node);

        let settings = format!("{path}/settings");
        let change = json!({ "allowed_regions": ["fsn1"] });
        let change = async |node: &Node| {
            ana.at(node).patches(&settings, &change).key("settings").try_answer().await
        };
        let (server, changed) = server.gives(change).await;
        assert_eq!(changed.expect(200).body()["allowed_regions"], json!(["fsn1"]));

        // the body says which organization is meant, so the key must be another each time
        let wish = json!({ "token_name": "ci", "organization": slug });
        let make = async |node: &Node| {
            ana.at(node).posts("/v1/auth/tokens", &wish).key(&slug).try_answer().await
        };
        let (server, made) = server.gives(make).await;
        let made = made.expect(201);
        ana.at(server.node()).with_token_of(&made).gets(&path).answer().await.expect(200);
        let token = words(&made.body()["token_info"]["id"]);
        let rotation = format!("/v1/auth/tokens/{token}/rotate");
        let rotate = async |node: &Node| {
            ana.at(node).posts(&rotation, &json!({})).key("rotation").try_answer().await
        };
        let (server, rotated) = server.gives(rotate).await;
        let token = ana.with_token_of(&rotated.expect(200));
        token.at(server.node()).gets(&path).answer().await.expect(200);

        let member = format!("{path}/members/{ben_id}");
        let role = json!({ "role": "admin" });
        let raise =
            async |node: &Node| ana.at(node).patches(&member, &role).key("role").try_answer().await;
        let (server, raised) = server.gives(raise).await;
        assert_eq!(raised.expect(200).body()["role"], "admin");

        let member = format!("{path}/members/{cleo_id}");
        let remove =
            async |node: &Node| ana.at(node).deletes(&member).key("removal").try_answer().await;
        let (server, removed) = server.gives(remove).await;
        removed.expect(204);
        let seen = cleo.at(server.node()).gets(&path).answer().await;
        assert_eq!(seen.status, 404, "who was removed sees nothing");

        let gift = json!({ "new_owner_id": ben_id, "password": PASSWORD, "keep_role": "member" });
        let transfer = format!("{path}/transfer");
        let give =
            async |node: &Node| ana.at(node).posts(&transfer, &gift).key("gift").try_answer().await;
        let (server, given) = server.gives(give).await;
        let given = given.expect(200).body();
        assert_eq!((&given["owner_id"], &given["role"]), (&json!(ben_id), &json!("member")));

        let confirmed = json!({ "confirm": slug });
        let end = async |node: &Node| {
            ben.at(node).deletes(&path).json(&confirmed).key("end").try_answer().await
        };
        let (server, ended) = server.gives(end).await;
        ended.expect(204);
        let seen = ben.at(server.node()).gets(&path).answer().await;
        assert_eq!(seen.status, 404, "it is gone for everybody");
        let seen = token.at(server.node()).gets(&path).answer().await;
        assert_eq!(seen.refusal(), (401, "token_revoked".to_owned()));
        slugs.push(slug);
        node = server.into_node();
    }
    node.stop().await;
    on.assert_no_difference();

    let expected = [
        "organization.created",
        "member.invited",
        "member.joined",
        "member.invited",
        "member.joined",
        "settings.updated",
        "api_key.created",
        "api_key.rotated",
        "member.role_changed",
        "member.removed",
        "organization.ownership_transferred",
        "organization.deleted",
    ];
    let histories = organizations_in_the_log(&on).await;
    for slug in slugs {
        assert_eq!(histories[&slug].kinds, expected, "{slug}");
    }
}
