//! To a stranger an organization that exists is what one is that does not: the same bytes and
//! headers, whatever is asked and however, by each name a route has. Without a credential nothing
//! is told at all, but that there is such a route: a name that is gone would be 404.

use reqwest::header::HeaderMap;

use crate::operations::{
    Holdings, Operation, Places, Stated, draft_of, has_packet_made, has_payment_method,
    of_organizations,
};
use crate::people::{Answer, Person, words};
use crate::server::{Installation, Node};

const REQUEST: &str = "9b2f3c1e-7c50-4f4e-9a53-1d0c8a5b7e10";

/// What differs between any two answers.
fn comparable(answer: &Answer) -> (u16, Vec<(String, Vec<u8>)>, String) {
    let passes = |name: &str| name != "date" && !name.starts_with("ratelimit");
    let headers: &HeaderMap = &answer.headers;
    let mut headers: Vec<_> = headers
        .iter()
        .filter(|(name, _)| passes(name.as_str()))
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect();
    headers.sort();
    (answer.status, headers, String::from_utf8_lossy(&answer.bytes).into_owned())
}

/// Requests of every kind for one operation.
async fn answers(operation: &Operation, who: &Person, places: &Places) -> Vec<Answer> {
    let ask = |added: &str| operation.asked_by(who, places, added).with("x-request-id", REQUEST);
    let valid = operation.valid_body(places).map(|body| body.to_string());
    let bodies = [
        ("application/json", "{}"),
        ("application/json", "{"),
        ("application/json", "[1]"),
        ("application/json", r#"{"unknown":1}"#),
        ("application/json", r#"{"role":"boss","name":"","confirm":7}"#),
        ("text/plain", "{}"),
        ("application/json", valid.as_deref().unwrap_or("null")),
    ];
    let mut asks: Vec<_> = ["", "?nonsense=1", "?page_size=0", "?page_token=x", "?as_of=1"]
        .iter()
        .map(|added| ask(added))
        .collect();
    asks.extend(bodies.map(|(kind, body)| ask("").bytes(kind, body)));
    asks.push(ask("").with("if-match", "\"0\""));
    asks.push(ask("").with("if-match", "nonsense"));
    asks.push(ask("").with("if-none-match", "*"));
    asks.push(ask("").key("the same").bytes("application/json", "{}"));
    let mut answers = Vec::new();
    for ask in asks {
        answers.push(ask.answer().await);
    }
    answers
}

/// An organization, what is in it, and the same places where there is none.
async fn pairs(node: &Node, provisioner: String) -> Vec<(Places, Places)> {
    let (ana, ben) = (Person::registers(node, "ana").await, Person::registers(node, "ben").await);
    let id = words(&ana.creates("acme").await.body()["id"]);
    ana.takes_in(&ben, "acme", "viewer").await;
    let invited = ana.pages("/v1/organizations/acme/invitations", "invitations").await;
    let event = ana.pages("/v1/organizations/acme/audit-log", "events").await.swap_remove(0);
    let key = ana.makes_token("acme", "organization", &["*"]).await.body();
    let there = Places {
        org: "acme".to_owned(),
        member: ben.id().await,
        invitation: words(&invited[0]["id"]),
        event: words(&event["id"]),
        token: words(&key["token_info"]["id"]),
        payment_method: has_payment_method(&ana, "acme").await,
        invoice: draft_of(&ana, "acme").await,
        stated: Stated::by(&ana, "acme").await,
        holdings: Holdings::of(&ana, &ana.with_token(Some(provisioner)), "acme").await,
        packet: has_packet_made(&ana, "acme").await,
    };
    let personal = ben.lists().await.swap_remove(0);
    let nothing = Places { org: "acne".to_owned(), ..there.clone() };
    let none = "org_01h2xcejqtf2nbrexx3vqjhp41".to_owned();
    ana.creates("gone").await;
    let gone = serde_json::json!({ "confirm": "gone" });
    ana.deletes("/v1/organizations/gone").json(&gone).answer().await.expect(204);
    vec![
        (there.clone(), nothing.clone()),
        (Places { org: id, ..there.clone() }, Places { org: none, ..there.clone() }),
        (Places { org: personal, ..there.clone() }, nothing.clone()),
        (Places { org: "gone".to_owned(), ..there.clone() }, nothing),
    ]
}

/// Every operation by every name, with the pairs of places to compare: all of them by the name that
/// the document lists, and one by the others, which lead to the same.
async fn asked<'a>(
    node: &Node,
    pairs: &'a [(Places, Places)],
) -> Vec<(Operation, &'a [(Places, Places)])> {
    let mut asked = Vec::new();
    for operation in of_organizations(node).await {
        asked.extend(operation.by_other_names().into_iter().map(|other| (other, &pairs[..1])));
        asked.push((operation, pairs));
    }
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_answered_as_if_there_were_nothing() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let eve = Person::registers(&node, "eve").await;
    let pairs = pairs(&node, installation.provisioner_token()).await;
    let (mut compared, mut not_found) = (0, 0);
    for (operation, pairs) in asked(&node, &pairs).await {
        for (there, nothing) in pairs {
            let found = answers(&operation, &eve, there).await;
            let missing = answers(&operation, &eve, nothing).await;
            for (found, missing) in found.iter().zip(&missing) {
                assert_eq!(
                    comparable(found),
                    comparable(missing),
                    "{operation:?}: {} and {}",
                    there.org,
                    nothing.org
                );
                assert!(found.status >= 400, "{operation:?}: {found:?}");
                compared += 1;
                not_found += usize::from(found.status == 404);
            }
        }
    }
    eprintln!("{compared} pairs of answers, {not_found} of them 404");
    assert!(not_found * 2 > compared, "most are 404: {not_found} of {compared}");
}

/// Tokens of somebody who belongs to nothing here: their own, and a key of their organization.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_from_elsewhere_is_answered_as_if_there_were_nothing() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let eve = Person::registers(&node, "eve").await;
    eve.creates("eves").await;
    let mut tokens = Vec::new();
    for kind in ["personal", "organization"] {
        tokens.push(eve.with_token_of(&eve.makes_token("eves", kind, &["*"]).await));
    }
    let pairs = pairs(&node, installation.provisioner_token()).await;
    for operation in of_organizations(&node).await {
        for (there, nothing) in &pairs {
            for token in &tokens {
                let found = answers(&operation, token, there).await;
                let missing = answers(&operation, token, nothing).await;
                for (found, missing) in found.iter().zip(&missing) {
                    assert_eq!(comparable(found), comparable(missing), "{operation:?}");
                    assert!(found.status >= 400, "{operation:?}: {found:?}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_credential_nothing_is_told() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let nobody = Person::stranger(&node);
    let pairs = pairs(&node, installation.provisioner_token()).await;
    for (operation, pairs) in asked(&node, &pairs).await {
        for (there, nothing) in pairs {
            let found = answers(&operation, &nobody, there).await;
            let missing = answers(&operation, &nobody, nothing).await;
            for (found, missing) in found.iter().zip(&missing) {
                assert_eq!(found.status, 401, "{operation:?}: {found:?}");
                assert_eq!(comparable(found), comparable(missing), "{operation:?}");
            }
        }
    }
}
