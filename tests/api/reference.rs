//! Pages that explain: the reference, and what each error means.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::people::{Answer, Person, words};
use crate::server::{Installation, Node};

/// Every address that a page links to.
fn links(page: &str) -> BTreeSet<String> {
    page.split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect()
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.bytes.clone()).expect("a page is text")
}

async fn page(node: &Node, path: &str) -> Answer {
    Person::stranger(node).gets(path).with("accept", "text/html").answer().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_shows_every_operation_and_no_link_is_dead() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let (mut open, mut seen) = (BTreeSet::from(["/docs".to_owned()]), BTreeSet::new());
    let mut everything = String::new();
    while let Some(link) = open.pop_first() {
        let (path, place) = link.split_once('#').unwrap_or((&link, ""));
        let answer = page(&node, if path.is_empty() { "/docs" } else { path }).await.expect(200);
        let text = text(&answer);
        if !place.is_empty() && !path.is_empty() {
            assert!(text.contains(&format!("id=\"{place}\"")), "{link} leads somewhere");
        }
        if answer.header("content-type") != Some("text/html; charset=utf-8") {
            continue;
        }
        let policy = answer.header("content-security-policy").expect("pages run no scripts");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(!text.contains("<script") && !text.contains("://"), "{path} needs nothing else");
        seen.insert(link.clone());
        open.extend(
            links(&text).into_iter().filter(|it| !it.starts_with('#') && !seen.contains(it)),
        );
        everything.push_str(&text);
    }
    let document = Person::stranger(&node).gets("/openapi.json").answer().await.body();
    for (path, methods) in document["paths"].as_object().unwrap() {
        assert!(everything.contains(path), "{path}");
        for operation in methods.as_object().unwrap().values() {
            let heading = format!("id=\"{}\"", words(&operation["operationId"]));
            assert!(everything.contains(&heading), "{heading}");
        }
    }
    page(&node, "/docs/nothing").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_explained_in_the_form_that_was_asked_for() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let stranger = Person::stranger(&node);
    let refused = stranger.gets("/v1/organizations").answer().await;
    let path = words(&refused.body()["type"]);
    let json = stranger.gets(&path).with("accept", "application/json").answer().await.expect(200);
    assert_eq!(
        (&json.body()["code"], &json.body()["status"]),
        (&"unauthenticated".into(), &401.into())
    );
    assert_eq!(json.body()["detail"], refused.body()["detail"]);
    assert_eq!(json.header("vary"), Some("Accept"));
    let meaning = words(&json.body()["meaning"]);
    let html = page(&node, &path).await.expect(200);
    assert_eq!(html.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(text(&html).contains(&meaning));
    let plain = stranger.gets(&path).answer().await.expect(200);
    assert_eq!(plain.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(text(&plain).contains(&meaning));
    for nothing in ["/errors/nothing", "/errors/%3Cb%3E"] {
        assert_eq!(stranger.gets(nothing).answer().await.refusal(), (404, "not_found".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_code_of_the_list_and_of_the_document_has_its_page() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let stranger = Person::stranger(&node);
    let list =
        stranger.gets("/errors").with("accept", "application/json").answer().await.expect(200);
    let listed: BTreeSet<String> = list.body()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| words(&error["code"]))
        .collect();
    assert!(listed.len() > 20, "{listed:?}");
    for code in &listed {
        stranger.gets(&format!("/errors/{code}")).answer().await.expect(200);
    }
    let document = stranger.gets("/openapi.json").answer().await.body();
    let responses = document["components"]["responses"].as_object().unwrap();
    for (name, response) in responses {
        let problem = &response["content"]["application/problem+json"];
        let examples = problem["examples"].as_object().unwrap();
        assert!(!examples.is_empty(), "{name} has an example");
        for (code, example) in examples {
            assert!(listed.contains(code), "{code}");
            assert_eq!(example["value"]["code"], Value::String(code.clone()));
        }
    }
}
