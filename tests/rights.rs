//! A right that was taken away is gone at the next request, and one that was given works: on every
//! node, with every credential, and beside a read model that does not come further.

use chancery::event_log::Expected;
use events::id::AccountId;
use events::membership;
use events::organization::Changed;
use events::permission::Role;
use serde_json::json;
use uuid::Uuid;

use crate::people::{Answer, Person};
use crate::read_models::unfounded;
use crate::rounds::rounds;
use crate::server::{Installation, on_every_store};

on_every_store! {
    a_stuck_read_model_keeps_nobody_in
}

const ACME: &str = "/v1/organizations/acme";

/// The same request with the session and with the password.
async fn both_ways(who: &Person, path: &str) -> [Answer; 2] {
    [who.gets(path).answer().await, who.gets_by_password(path).answer().await]
}

/// What is answered to a token that serves no more.
fn revoked() -> (u16, String) {
    (401, "token_revoked".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_gives_or_takes_the_other_knows() {
    let installation = Installation::postgres().await.with_master_key();
    let (one, two) = (installation.start_node(0).await, installation.start_node(1).await);
    let ana = Person::registers(&one, "ana").await;
    let ben = Person::registers(&one, "ben").await;
    ana.creates("acme").await;
    let bens = ben.as_member_of("acme").await;
    for round in rounds() {
        let (here, there) = if round % 2 == 0 { (&one, &two) } else { (&two, &one) };
        let (ana, ben) = (ana.at(here), ben.at(there));
        ana.takes_in(&ben.at(here), "acme", "viewer").await;
        assert_eq!(ben.lists().await[1..], ["acme"], "round {round}");
        for answer in both_ways(&ben, &format!("{ACME}/members")).await {
            let members = answer.expect(200).body();
            assert_eq!(members["members"][0]["user"]["email"], "ben@example.org");
        }
        let made = ben.at(here).makes_token("acme", "personal", &["*"]).await;
        let token = ben.with_token_of(&made);
        let change = json!({ "role": "admin" });
        ana.patches(&bens, &change).answer().await.expect(200);
        let name = json!({ "name": format!("Acme {round}") });
        ben.patches(ACME, &name).answer().await.expect(200);
        token.patches(ACME, &name).answer().await.expect(200);
        let key = ben.with_token_of(&ben.makes_token("acme", "organization", &["*"]).await);
        ana.patches(&bens, &json!({ "role": "viewer" })).answer().await.expect(200);
        ben.patches(ACME, &name).answer().await.expect(403);
        token.patches(ACME, &name).answer().await.expect(403);
        ana.deletes(&bens).answer().await.expect(204);
        assert_eq!(token.gets(ACME).answer().await.refusal(), revoked(), "round {round}");
        key.patches(ACME, &name).answer().await.expect(200);
        let keys = format!("{ACME}/tokens");
        let newest = ana.gets(&keys).answer().await.expect(200).body();
        let newest = newest["tokens"][0]["id"].as_str().unwrap().to_owned();
        ana.deletes(&format!("{keys}/{newest}")).answer().await.expect(204);
        assert_eq!(key.gets(ACME).answer().await.refusal(), revoked(), "round {round}");
        for answer in both_ways(&ben, ACME).await {
            answer.expect(404);
        }
        assert_eq!(ben.lists().await.len(), 1, "round {round}");
    }
    one.stop().await;
    two.stop().await;
    installation.assert_no_difference();
}

async fn a_stuck_read_model_keeps_nobody_in(installation: Installation) {
    let node = installation.start().await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    ana.creates("acme").await;
    ana.takes_in(&ben, "acme", "admin").await;
    let bens = ben.as_member_of("acme").await;
    let token = ben.with_token_of(&ben.makes_token("acme", "personal", &["*"]).await);
    let made = ben.makes_token("acme", "organization", &["*"]).await;
    let (key, id) = (ben.with_token_of(&made), made.body()["token_info"]["id"].clone());
    node.stop().await;
    let role = Changed { from: Role::Viewer, to: Role::Admin };
    let member = AccountId(Uuid::new_v4());
    let (stream, poison) = unfounded(membership::Event::RoleChanged { member, role }.into());
    let log = installation.log().await;
    log.append(&stream, Expected::NoStream, vec![poison]).await.unwrap();
    log.close().await;
    drop(log);

    let node = installation.start().await;
    node.until_it_says("a read model is stuck").await;
    let (ana, ben, token, key) = (ana.at(&node), ben.at(&node), token.at(&node), key.at(&node));
    let list = ana.gets(&format!("{ACME}/members")).answer().await;
    assert_eq!(list.refusal(), (503, "unavailable".to_owned()), "no old members are shown");
    let settings = format!("{ACME}/settings");
    for answer in both_ways(&ben, &settings).await {
        answer.expect(200);
    }
    token.gets(&settings).answer().await.expect(200);
    key.gets(&settings).answer().await.expect(200);
    ana.patches(&bens, &json!({ "role": "viewer" })).answer().await.expect(200);
    for demoted in [&ben, &token] {
        let change = json!({ "default_tier": "large" });
        demoted.patches(&settings, &change).answer().await.expect(403);
    }
    ana.deletes(&bens).answer().await.expect(204);
    for answer in both_ways(&ben, &settings).await {
        answer.expect(404);
    }
    assert_eq!(token.gets(&settings).answer().await.refusal(), revoked());
    let key_is_at = format!("{ACME}/tokens/{}", id.as_str().unwrap());
    ana.deletes(&key_is_at).answer().await.expect(204);
    assert_eq!(key.gets(&settings).answer().await.refusal(), revoked());
}
