//! Anybody may have a packet verified by the server, with the server's own keys.

use reqwest::{Body, Client, Response, StatusCode};
use serde_json::{Value, json};

use crate::attacks::Cases;
use crate::server::{Installation, Node};

const ZIP: &str = "application/zip";

async fn verify(node: &Node, query: &str, kind: &str, body: impl Into<Body>) -> Response {
    let url = format!("{}/v1/compliance/verify{query}", node.url());
    Client::new().post(url).header("content-type", kind).body(body).send().await.unwrap()
}

async fn verdict(node: &Node, kind: &str, body: impl Into<Body>) -> Value {
    let response = verify(node, "", kind, body).await;
    assert_eq!(response.status(), StatusCode::OK);
    response.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_of_another_installation_is_told_so_to_anybody() {
    let node = Installation::sqlite().start().await;
    let cases = Cases::made_from("1");
    let zip = std::fs::read(cases.packet("honest_zip")).unwrap();
    let answer = verdict(&node, ZIP, zip).await;
    assert_eq!(answer["valid"], false);
    assert_eq!(answer["fault"]["code"], "V1-dsse-signature");
    assert_eq!(answer["checks"], json!([]));

    let envelope = std::fs::read(cases.packet("honest_envelope_alone")).unwrap();
    for kind in ["application/json", "application/vnd.dsse.envelope.v1+json"] {
        let answer = verdict(&node, kind, envelope.clone()).await;
        assert_eq!(answer["fault"]["code"], "V1-dsse-signature", "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_packet_is_no_error_of_the_server() {
    let node = Installation::sqlite().start().await;
    for (body, code) in
        [("", "V1-envelope"), ("{}", "V1-envelope"), ("PK\u{3}\u{4}", "V0-unreadable")]
    {
        let answer = verdict(&node, ZIP, body).await;
        assert_eq!(answer["fault"]["code"], code, "{body:?}");
    }
    for (case, code) in [
        ("b1_a_path_out_of_the_bundle", "V0-entry-name"),
        ("b1_two_entries_of_one_name", "V0-entry-twice"),
        ("b1_a_bomb", "V0-too-large:packet.dsse.json"),
    ] {
        let zip = std::fs::read(Cases::made_from("1").packet(case)).unwrap();
        assert_eq!(verdict(&node, ZIP, zip).await["fault"]["code"], code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_a_packet_of_some_size_in_a_known_form() {
    let node = Installation::sqlite().start().await;
    let status = |response: Response| response.status().as_u16();
    assert_eq!(status(verify(&node, "", "text/html", "x").await), 415);
    assert_eq!(status(verify(&node, "?organization=acme", ZIP, "x").await), 400);
    assert_eq!(status(verify(&node, "?colour=red", ZIP, "x").await), 400);
    let large = vec![b' '; (64 << 20) + 1];
    let response = verify(&node, "", ZIP, large).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}
