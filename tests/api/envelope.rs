//! What holds for every request, whatever its route: ids, positions, parameters and refusals.

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::people::{Answer, Person, words};
use crate::server::Installation;

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_names_its_request() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let sent = "2b0a7d4e-5b1f-4c7e-9d3a-222222222222";
    for (path, status) in [
        ("/livez", 200),
        ("/v1/organizations", 200),
        ("/v1/organizations/nothing", 404),
        ("/x", 404),
    ] {
        let answer = ana.gets(path).with("x-request-id", sent).answer().await.expect(status);
        assert_eq!(answer.header("x-request-id"), Some(sent), "{path}");
        let own = ana.gets(path).with("x-request-id", "ci-run.7:42").answer().await.expect(status);
        assert_eq!(own.header("x-request-id"), Some("ci-run.7:42"), "{path}");
        let long = "x".repeat(65);
        for odd in ["", "a b", "<b>", "ana@example.org", &long] {
            let answer = ana.gets(path).with("x-request-id", odd).answer().await.expect(status);
            assert_ne!(answer.header("x-request-id"), Some(odd), "{path}");
        }
        let drawn = ana.gets(path).with("x-request-id", "not sane\u{e9}").answer().await;
        let drawn = drawn.expect(status).header("x-request-id").unwrap().to_owned();
        assert!(uuid::Uuid::parse_str(&drawn).is_ok(), "{drawn}");
        let other = ana.gets(path).answer().await;
        assert_ne!(other.header("x-request-id"), Some(drawn.as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_a_problem_with_all_its_members() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let stranger = Person::stranger(&node);
    let refused = stranger.gets("/v1/organizations").answer().await;
    assert_eq!(refused.refusal(), (401, "unauthenticated".to_owned()));
    let (body, request) = (refused.body(), refused.header("x-request-id").unwrap().to_owned());
    let detail = words(&body["detail"]);
    assert_eq!(
        body,
        json!({
            "type": "/errors/unauthenticated", "title": "Unauthorized", "status": 401,
            "detail": detail, "instance": format!("urn:uuid:{request}"),
            "code": "unauthenticated", "request_id": request, "error": detail,
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_problem_names_the_request_as_its_client_does() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let stranger = Person::stranger(&node);
    let ask = || stranger.gets("/v1/organizations").with("x-request-id", "ci-run.7:42").answer();
    let (first, second) = (ask().await.body(), ask().await.body());
    assert_eq!(first["request_id"], "ci-run.7:42");
    let instance = words(&first["instance"]);
    let id = instance.strip_prefix("urn:uuid:").expect("it is a URN");
    assert!(uuid::Uuid::parse_str(id).is_ok(), "{id}");
    assert_eq!(second["instance"], first["instance"], "the UUID follows from the text");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_use_is_refused_for_its_reason() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let organization = r#"{"name":"Acme","slug":"acme"}"#;
    let large = format!(r#"{{"name":"{}","slug":"acme"}}"#, "x".repeat(1024 * 1024));
    let post = |kind: &str, body: &str| {
        ana.asks(Method::POST, "/v1/organizations").bytes(kind, body).answer()
    };
    for (kind, body, status, code) in [
        ("text/plain", organization, 415, "unsupported_media_type"),
        ("application/x-www-form-urlencoded", "name=Acme", 415, "unsupported_media_type"),
        ("application/json", "", 400, "malformed_body"),
        ("application/json", "{\"name\":", 400, "malformed_body"),
        ("application/json", &format!("{organization} {{}}"), 400, "malformed_body"),
        ("application/json", "[]", 422, "validation_failed"),
        ("application/json", r#"{"name":1,"slug":"acme"}"#, 422, "validation_failed"),
        ("application/json", r#"{"name":"A","slug":"abc","x":1}"#, 422, "validation_failed"),
        ("application/json", &large, 413, "payload_too_large"),
    ] {
        let refused = post(kind, body).await;
        assert_eq!(refused.refusal(), (status, code.to_owned()), "{kind}: {body:.60}");
    }
    let created = post("Application/JSON; charset=utf-8", organization).await;
    created.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_come_before_everything_else() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let stranger = Person::stranger(&node);
    let large = "x".repeat(2 * 1024 * 1024);
    for (method, path) in [
        (Method::POST, "/v1/organizations"),
        (Method::PATCH, "/v1/organizations/acme"),
        (Method::PATCH, "/v1/organization"),
    ] {
        for body in ["{", large.as_str()] {
            let ask = stranger.asks(method.clone(), path).bytes("text/plain", body);
            // a server may answer, and close, before it has read a body it does not want
            if let Ok(refused) = ask.try_answer().await {
                assert_eq!(refused.refusal(), (401, "unauthenticated".to_owned()));
            }
        }
    }
    // not over a connection that the server is about to close
    let stranger = Person::stranger(&node);
    for path in ["/v1/organizations?nonsense=1", "/v1/organizations/acme/audit-log?page_size=0"] {
        stranger.gets(path).answer().await.expect(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_and_what_is_not_done_are_told_apart() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    for path in ["/", "/nothing", "/v1", "/v2/organizations", "/v1/organizations/acme/nothing"] {
        let refused = ana.gets(path).answer().await;
        assert_eq!(refused.refusal(), (404, "not_found".to_owned()), "{path}");
    }
    for (method, path, allowed) in [
        (Method::PUT, "/v1/organizations", ["GET", "POST"].as_slice()),
        (Method::GET, "/v1/auth/register", &["POST"]),
        (Method::POST, "/livez", &["GET"]),
    ] {
        let refused = ana.asks(method, path).answer().await;
        assert_eq!(refused.refusal(), (405, "method_not_allowed".to_owned()), "{path}");
        let allow = refused.header("allow").expect("RFC 9110 demands it");
        assert!(allowed.iter().all(|method| allow.contains(method)), "{path} allows {allow}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trailing_slash_and_a_missing_version_make_no_difference() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    for path in ["/organizations", "/organizations/acme", "/organization", "/auth/me", "/health"] {
        let expected = ana.gets(&format!("/v1{path}")).answer().await.expect(200).body();
        for same in [format!("/v1{path}/"), path.to_owned(), format!("{path}/")] {
            assert_eq!(ana.gets(&same).answer().await.expect(200).body(), expected, "{same}");
        }
    }
    let page = ana.gets("/organizations/?page_size=1").answer().await.expect(200);
    assert_eq!(page.body()["organizations"].as_array().unwrap().len(), 1);
    let body = json!({ "name": "Other", "slug": "other" });
    let first = ana.posts("/organizations/", &body).key("one").answer().await.expect(201);
    let again = ana.posts("/v1/organizations", &body).key("one").answer().await.expect(201);
    assert!(!first.is_replayed() && again.is_replayed(), "it is one and the same command");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_is_not_understood_is_refused() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    for path in [
        "/v1/organizations?",
        "/v1/organizations/acme?",
        "/v1/organization?",
        "/v1/auth/me?",
        "/v1/organizations/acme/audit-log?",
        "/v1/organization/audit-log?",
    ] {
        let refused = ana.gets(&format!("{path}pagesize=3")).answer().await;
        assert_eq!(refused.refusal(), (400, "unknown_parameter".to_owned()), "{path}");
        assert!(words(&refused.body()["detail"]).contains("`pagesize`"));
    }
    let change = json!({ "name": "Acme" });
    let refused = ana.patches("/v1/organizations/acme?force=1", &change).answer().await;
    assert_eq!(refused.refusal(), (400, "unknown_parameter".to_owned()));
    for list in ["/v1/organizations", "/v1/organizations/acme/audit-log"] {
        for wrong in [
            "page_size=0",
            "page_size=101",
            "page_size=-1",
            "page_size=ten",
            "page_size=",
            "page_size=1&page_size=2",
            "page_token=abc",
            "page_token=",
            "at_least=-1",
            "at_least=x",
            "at_least=9223372036854775808",
        ] {
            let refused = ana.gets(&format!("{list}?{wrong}")).answer().await;
            assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{list}?{wrong}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_token_serves_only_the_list_that_gave_it() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    for slug in ["acme", "other"] {
        ana.creates(slug).await;
        ana.renames(slug, "Renamed").await;
        ana.renames(slug, "Renamed again").await;
    }
    let token = async |list: &str| {
        let page = ana.gets(&format!("{list}?page_size=1")).answer().await.expect(200);
        words(&page.body()["next_page_token"])
    };
    let (organizations, acme) = ("/v1/organizations", "/v1/organizations/acme/audit-log");
    let (of_organizations, of_acme) = (token(organizations).await, token(acme).await);
    for (who, list, token) in [
        (&ana, acme, &of_organizations),
        (&ana, organizations, &of_acme),
        (&ana, "/v1/organizations/other/audit-log", &of_acme),
        (&ben, organizations, &of_organizations),
    ] {
        let refused = who.gets(&format!("{list}?page_token={token}")).answer().await;
        assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{list}");
    }
    ana.gets(&format!("{acme}?page_token={of_acme}&page_size=100")).answer().await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_sees_at_least_the_position_it_names() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let position = ana.creates("acme").await.position();
    for (name, value) in [("at-least", position), ("at-least", 0)] {
        let asked = ana.gets("/v1/organizations/acme").with(name, &value.to_string());
        asked.answer().await.expect(200);
    }
    let path = format!("/v1/organizations/acme?at_least={position}");
    ana.gets(&path).answer().await.expect(200);

    let future = ana.gets("/v1/organizations/acme").with("at-least", &(position + 1).to_string());
    let refused = future.answer().await;
    assert_eq!(refused.refusal(), (503, "not_caught_up".to_owned()));
    assert!(refused.header("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_waits_for_the_command_that_it_wants_to_see() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let position = ana.creates("acme").await.position();
    let read = ana.gets("/v1/organizations/acme").with("at-least", &(position + 1).to_string());
    let (read, renamed) = tokio::join!(read.answer(), ana.renames("acme", "Acme Two"));
    assert_eq!(renamed.position(), position + 1);
    assert_eq!(read.expect(200).body()["name"], "Acme Two");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_http_hurt_nobody() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    for bytes in [
        b"\x16\x03\x01\x02\x00\x01\x00".as_slice(),
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /v1/organizations/%ff%00 HTTP/1.1\r\nHost: a\r\nAuthorization: \xff\r\nConnection: close\r\n\r\n",
        b"GET /v1/organizations?page_size=%ff HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"POST /v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    ] {
        let mut connection = TcpStream::connect(node.address()).await.unwrap();
        connection.write_all(bytes).await.unwrap();
        connection.shutdown().await.unwrap();
        let mut answer = Vec::new();
        drop(connection.read_to_end(&mut answer).await);
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains(" 500 "), "{answer}");
    }
    let stranger = Person::stranger(&node);
    let alive: Answer = stranger.gets("/livez").answer().await.expect(200);
    assert_eq!(alive.body(), json!({ "status": "ok" }));
    assert!(!node.said().contains("panicked"), "{}", node.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_names_every_store_and_model() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let position = ana.creates("acme").await.position().to_string();
    let ready = ana.gets("/readyz").answer().await.expect(200).body();
    let model = |name: &str| json!({ "name": name, "status": "live" });
    assert_eq!(
        ready,
        json!({
            "status": "ready", "event_log": "ok", "read_store": "ok", "projector": "owner",
            "head": position, "position": position,
            "read_models": [
                model("audit_trail"), model("credential"), model("due_list"), model("home"),
                model("invitation_list"), model("invitee_list"), model("ledger"), model("link_target"), model("member_list"),
                model("membership_list"), model("organization_overview"), model("own_token_list"),
                model("person"), model("token_list"), model("usage"),
            ],
            "reactions": [
                { "name": "complete_registrations" }, { "name": "mail" }, { "name": "address_proof" },
                { "name": "second_factor" }, { "name": "erasure" }, { "name": "outbox" },
                { "name": "packets" }, { "name": "connections" }, { "name": "due" },
                { "name": "signer" },
            ],
        })
    );
    assert_eq!(ana.gets("/v1/health").answer().await.expect(200).body()["status"], "ok");
}
