//! Registration is three steps on three streams: who comes at once, and what a crash leaves behind.

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::people::{Answer, PASSWORD, Person, words};
use crate::server::{Installation, Node, on_every_store};

on_every_store! {
    a_dead_claim_is_taken_over
    a_registration_cut_short_is_completed_by_its_owners_next_request
    a_registration_cut_short_is_completed_without_its_owner
    a_registration_cut_short_is_completed_by_its_repeat
}

fn body() -> Value {
    json!({ "email": "ana@example.org", "password": PASSWORD, "name": "Ana" })
}

fn register(who: &Person) -> JoinHandle<Result<Answer, reqwest::Error>> {
    tokio::spawn(who.posts("/v1/auth/register", &body()).key("ana").try_answer())
}

/// Lets a registration come to this place, where the program ends: what else it would do, such as
/// completing the registration, it does no more.
async fn cut_at(installation: &Installation, place: &str) {
    let mut node = installation.start_failing_at(place, "abort").await;
    let cut = register(&Person::stranger(&node));
    node.until_it_says(&format!("reached {place}")).await;
    assert!(!node.ended().await.success());
    cut.await.unwrap().expect_err("its server was killed");
}

/// Somebody who knows Ana's address and password.
fn ana(node: &Node) -> Person {
    Person::with_address(node, "ana@example.org")
}

async fn a_dead_claim_is_taken_over(installation: Installation) {
    cut_at(&installation, "register.claimed").await;
    let node = installation.start().await;
    ana(&node).signs_in().await.expect(401);
    let ben = Person::registers(&node, "ana").await;
    ben.waits_for(ben.signs_in().await.position()).await;
    assert_eq!(ben.lists().await.len(), 1);
    // the address is gone for the one who claimed it first
    let late = register(&Person::stranger(&node)).await.unwrap().unwrap();
    assert_eq!(late.refusal(), (409, "email_taken".to_owned()));
    ben.signs_in().await.expect(200);
    node.stop().await;
    installation.assert_no_difference();
}

async fn a_registration_cut_short_is_completed_by_its_owners_next_request(
    installation: Installation,
) {
    cut_at(&installation, "register.registered").await;
    let node = installation.start().await;
    let signed_in = ana(&node).signs_in().await.expect(200);
    let ana = ana(&node).with_token_of(&signed_in);
    ana.waits_for(signed_in.position()).await;
    let personal = ana.gets("/v1/organization").answer().await.expect(200).body();
    assert_eq!((&personal["name"], &personal["is_personal"]), (&json!("Ana"), &json!(true)));
    assert_eq!(ana.lists().await, [words(&personal["slug"])]);
    node.stop().await;
    installation.assert_no_difference();
}

async fn a_registration_cut_short_is_completed_without_its_owner(installation: Installation) {
    cut_at(&installation, "register.registered").await;
    let node = installation.start().await;
    let said = node.until_it_says("completing a registration that was cut short").await;
    assert!(!said.contains("example.org"), "{said}");
    node.stop().await;
    installation.assert_no_difference();
}

async fn a_registration_cut_short_is_completed_by_its_repeat(installation: Installation) {
    cut_at(&installation, "register.claimed").await;
    // the repeat gets further, and is cut short as well
    cut_at(&installation, "register.registered").await;
    let node = installation.start().await;
    let again = register(&Person::stranger(&node)).await.unwrap().unwrap().expect(201);
    let ana = ana(&node).with_token_of(&again);
    ana.waits_for(again.position()).await;
    assert_eq!(ana.lists().await.len(), 1);
    node.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_registrations_at_once_exactly_one_wins() {
    let installation = Installation::postgres().await.with_master_key();
    let nodes = [installation.start_node(0).await, installation.start_node(1).await];
    for round in 0..8 {
        let mut running = Vec::new();
        for number in 0..4 {
            let person = Person::stranger(&nodes[number % 2]);
            let email = format!("ana-{round}@example.org");
            let body = json!({ "email": email, "password": PASSWORD, "name": "Ana" });
            running.push(tokio::spawn(person.posts("/v1/auth/register", &body).answer()));
        }
        let mut won = 0;
        for answer in running {
            let answer = answer.await.unwrap();
            if answer.status == 201 {
                won += 1;
            } else {
                assert_eq!(answer.refusal(), (409, "email_taken".to_owned()));
            }
        }
        assert_eq!(won, 1, "in round {round}");
        let winner = Person::with_address(&nodes[0], &format!("ana-{round}@example.org"));
        winner.signs_in().await.expect(200);
    }
}
