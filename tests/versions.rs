//! Of several who saw one version of a resource and change it at once, on several nodes, one
//! changes it, and the others are told.

use serde_json::{Value, json};

use crate::people::{Answer, Person};
use crate::rounds::rounds;
use crate::server::Installation;

/// What can be changed for one version, and a change of it that says something new each time.
struct Resource {
    path: String,
    change: fn(usize) -> Value,
}

const ROLES: [&str; 4] = ["admin", "developer", "member", "viewer"];

fn tag(answer: &Answer) -> String {
    answer.header("etag").unwrap_or_else(|| panic!("{answer:?} has a tag")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_nodes_that_saw_one_version_one_changes_it() {
    let installation = Installation::postgres().await.with_master_key();
    let (one, two) = (installation.start_node(0).await, installation.start_node(1).await);
    let here = Person::registers(&one, "ana").await;
    let ben = Person::registers(&one, "ben").await;
    here.creates("acme").await;
    here.takes_in(&ben, "acme", "viewer").await;
    let there = here.at(&two);
    let resources = [
        Resource {
            path: "/v1/organizations/acme".to_owned(),
            change: |number| json!({ "name": format!("Acme {number}") }),
        },
        Resource {
            path: "/v1/organizations/acme/settings".to_owned(),
            change: |number| json!({ "audit_retention_days": 100 + number }),
        },
        Resource {
            path: ben.as_member_of("acme").await,
            // another role than the one before, whichever of the two won
            change: |number| json!({ "role": ROLES[number % ROLES.len()] }),
        },
        Resource {
            path: "/v1/auth/me".to_owned(),
            change: |number| json!({ "name": format!("Ana {number}") }),
        },
    ];
    let mut won = [0, 0];
    for resource in resources {
        let Resource { path, change } = resource;
        let mut seen = tag(&here.gets(&path).answer().await.expect(200));
        for round in rounds() {
            let patch = |who: &Person, number| {
                who.patches(&path, &change(number)).with("if-match", &seen).answer()
            };
            let answers = tokio::join!(patch(&here, round * 2), patch(&there, round * 2 + 1));
            let (winner, changed, refused) = match (answers.0.status, answers.1.status) {
                (200, 412) => (0, answers.0, answers.1),
                (412, 200) => (1, answers.1, answers.0),
                statuses => panic!("{path}, round {round}: {statuses:?}"),
            };
            assert_eq!(refused.refusal(), (412, "precondition_failed".to_owned()));
            won[winner] += 1;
            // each node shows what the winner was told
            for reader in [&here, &there] {
                let position = changed.position().to_string();
                let shown = reader.gets(&path).with("at-least", &position).answer().await;
                let shown = shown.expect(200);
                assert_eq!(tag(&shown), tag(&changed), "{path}, round {round}");
                let expected = change(round * 2 + winner);
                for (name, value) in expected.as_object().expect("a change is an object") {
                    assert_eq!(shown.body()[name], *value, "{path}, round {round}");
                }
            }
            seen = tag(&changed);
        }
    }
    eprintln!("{} rounds for each of four; the nodes won {won:?}", rounds().len());
    one.stop().await;
    two.stop().await;
    installation.assert_no_difference();
}
