//! The OpenAPI document is true: its routes answer, and whatever they answer stands in it.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::operations::{Holdings, Stated};
use crate::people::{Answer, PASSWORD, Person, secret_of, words};
use crate::server::Installation;

/// What is asked by whoever watches the program: never refused.
const PROBES: [&str; 4] = ["/livez", "/readyz", "/v1/health", "/metrics"];

/// One route of the document with one of its methods.
struct Operation {
    id: String,
    method: Method,
    path: String,
    responses: Map<String, Value>,
    has_body: bool,
}

impl Operation {
    fn is_public(&self) -> bool {
        self.path.starts_with("/v1/auth/") && self.method == Method::POST
            || PROBES.contains(&self.path.as_str())
            || self.path == "/v1/invitations/{secret}"
            || self.path.starts_with("/.well-known/")
            || ["/v1/compliance/verify", "/v1/plans", "/v1/regions"].contains(&self.path.as_str())
    }

    /// What the document says about the JSON of this answer.
    fn assert_documents(&self, answer: &Answer) {
        let status = answer.status.to_string();
        let documented = self.responses.get(&status);
        let documented = documented.unwrap_or_else(|| panic!("{} gives {status}", self.id));
        let kind = answer.header("content-type").expect("an answer with a body has a type");
        let content = &documented["content"][kind];
        assert!(content.is_object(), "{} gives {status} as {kind}: {documented}", self.id);
    }
}

async fn document(node: &crate::server::Node) -> Value {
    Person::stranger(node).gets("/openapi.json").answer().await.expect(200).body()
}

/// What a reference within the document leads to.
fn followed<'a>(document: &'a Value, part: &'a Value) -> &'a Value {
    match part["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).expect("a reference leads somewhere"),
        None => part,
    }
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("there are paths") {
        for (method, operation) in methods.as_object().expect("there are methods") {
            found.push(Operation {
                id: words(&operation["operationId"]),
                method: method.to_uppercase().parse().expect("it is a method"),
                path: path.clone(),
                responses: operation["responses"]
                    .as_object()
                    .expect("it answers")
                    .iter()
                    .map(|(status, response)| {
                        (status.clone(), followed(document, response).clone())
                    })
                    .collect(),
                has_body: operation.get("requestBody").is_some(),
            });
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_openapi_with_unique_names() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let document = document(&node).await;
    assert!(words(&document["openapi"]).starts_with("3.1."), "{}", document["openapi"]);
    let mut names = BTreeSet::new();
    for Operation { id, .. } in operations(&document) {
        let camel = id.starts_with(|c: char| c.is_ascii_lowercase())
            && id.chars().all(|c| c.is_ascii_alphanumeric());
        assert!(camel, "{id}");
        assert!(names.insert(id.clone()), "{id} is there twice");
    }
    assert!(names.len() >= 14, "{names:?}");
    assert_every_reference_leads_somewhere(&document, &document);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_end_of_an_organization_must_name_it() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let document = document(&node).await;
    let operations = operations(&document);
    let alone = operations.iter().filter(|named| {
        let Some(rest) = named.path.strip_prefix("/v1/organizations/{org}") else { return false };
        let path = format!("/v1/organization{rest}");
        let active = operations.iter().find(|o| o.path == path && o.method == named.method);
        active.is_none_or(|active| active.id.replacen("Active", "", 1) != named.id)
    });
    let alone: Vec<&str> = alone.map(|operation| operation.id.as_str()).collect();
    assert_eq!(alone, ["deleteOrganization"]);
}

fn assert_every_reference_leads_somewhere(document: &Value, part: &Value) {
    if let Some(reference) = part["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').expect("it stays in the document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for part in part.as_object().into_iter().flatten().map(|(_, part)| part) {
        assert_every_reference_leads_somewhere(document, part);
    }
    for part in part.as_array().into_iter().flatten() {
        assert_every_reference_leads_somewhere(document, part);
    }
}

/// What somebody may get wrong; whatever comes back must stand in the document.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_stands_in_the_document() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let eve = Person::registers(&node, "eve").await;
    let stranger = Person::stranger(&node);
    ana.creates("acme").await;
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(1024 * 1024));
    let mut seen: BTreeMap<String, BTreeSet<u16>> = BTreeMap::new();
    for operation in operations(&document(&node).await) {
        let path = operation.path.replace("{org}", "acme");
        // one of the operations before may have ended the session
        let ana = ana.with_token_of(&ana.signs_in().await.expect(200));
        let mut asks = Vec::new();
        if operation.has_body {
            let bodies = [
                ("text/plain", "{}"),
                ("application/json", "{"),
                ("application/json", r#"{"unknown":1}"#),
                ("application/json", &large),
            ];
            let ask = |(kind, body): (&str, &str)| {
                ana.asks(operation.method.clone(), &path).bytes(kind, body)
            };
            asks.extend(bodies.map(ask));
            let key = ana.asks(operation.method.clone(), &path).json(&json!({}));
            asks.push(key.key(""));
        }
        // last, because one of them may end the session
        asks.extend([
            stranger.asks(operation.method.clone(), &path),
            ana.asks(operation.method.clone(), &path),
            ana.asks(operation.method.clone(), &format!("{path}?nonsense=1")),
            eve.asks(operation.method.clone(), &path).with("x-active-org-id", "acme"),
            eve.asks(operation.method.clone(), &path).with("x-active-org-id", "nothing"),
        ]);
        for ask in asks {
            let answer = ask.answer().await;
            assert_ne!(answer.status, 405, "{} answers at {path}", operation.id);
            let is_probe = PROBES.contains(&path.as_str());
            if !is_probe || answer.status == 200 {
                operation.assert_documents(&answer);
            }
            seen.entry(operation.id.clone()).or_default().insert(answer.status);
        }
        if !operation.is_public() {
            assert!(seen[&operation.id].contains(&401), "{} wants credentials", operation.id);
        }
    }
    let body = json!({ "email": "ana@example.org", "password": PASSWORD, "name": "Ana" });
    let taken = stranger.posts("/v1/auth/register", &body).answer().await.expect(409);
    let slug = json!({ "name": "Acme", "slug": "acme" });
    let slug_taken = ana.posts("/v1/organizations", &slug).answer().await.expect(409);
    for operation in operations(&document(&node).await) {
        match operation.id.as_str() {
            "register" => operation.assert_documents(&taken),
            "createOrganization" => operation.assert_documents(&slug_taken),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_documents_its_errors_as_problems() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let document = document(&node).await;
    for operation in operations(&document) {
        if PROBES.contains(&operation.path.as_str()) {
            continue;
        }
        for (status, response) in &operation.responses {
            let description = response["description"].as_str().unwrap_or_default();
            assert!(!description.is_empty(), "{} {status} is not described", operation.id);
            if status.as_str() < "400" {
                continue;
            }
            let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/Problem", "{} {status}", operation.id);
        }
        assert!(operation.responses.contains_key("503"), "{} can be unavailable", operation.id);
    }
    let problem = document["components"]["schemas"]["Problem"]["properties"].as_object().unwrap();
    for member in
        ["type", "title", "status", "detail", "instance", "code", "request_id", "errors", "error"]
    {
        assert!(problem.contains_key(member), "{member}");
    }
}

/// What an answer holds stands in its schema, and what the schema demands is there.
#[tokio::test(flavor = "multi_thread")]
async fn answers_fit_their_schemas() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let document = document(&node).await;
    let created = ana.creates("acme").await.body();
    let missing = ana.gets("/v1/organizations/nothing").answer().await.body();
    let list = ana.gets("/v1/organizations?page_size=1").answer().await.body();
    let log = ana.gets("/v1/organizations/acme/audit-log").answer().await.body();
    let me = ana.gets("/v1/auth/me").answer().await.body();
    let ready = ana.gets("/readyz").answer().await.body();
    let sent = ana.invites("acme", "dora@example.org", "viewer").await.body();
    let path = "/v1/organizations/acme/invitations?page_size=1&as_of=1";
    let invitations = ana.gets(path).answer().await.expect(200).body();
    let many = json!({ "invitations": [{ "email": "emil@example.org" }, { "email": "x" }] });
    let many = ana.posts("/v1/organizations/acme/invitations/bulk", &many).answer().await.body();
    let offer = ana.gets(&format!("/v1/invitations/{}", secret_of(&sent))).answer().await.body();
    let made = ana.makes_token("acme", "personal", &["*"]).await.body();
    let token = format!("/v1/auth/tokens/{}", words(&made["token_info"]["id"]));
    let rotated = ana.posts(&format!("{token}/rotate"), &json!({})).answer().await.body();
    let tokens =
        ana.gets("/v1/organizations/acme/tokens?page_size=1&as_of=4").answer().await.body();
    let dora = Person::registers(&node, "dora").await;
    let joined = dora.accepts(&secret_of(&sent)).await.expect(200).body();
    let emil = Person::registers(&node, "emil").await;
    let declined = emil.declines(&secret_of(&many["results"][0]["invitation"])).await.body();
    let stated = Stated::by(&ana, "acme").await;
    let shown = async |path: &str| {
        ana.gets(&format!("/v1/organizations/acme/{path}")).answer().await.expect(200).body()
    };
    let declaration = shown(&format!("declarations/{}", stated.declaration)).await;
    let declarations = shown("declarations?page_size=1").await;
    let incident = shown(&format!("incidents/{}", stated.incident)).await;
    let incidents = shown("incidents").await;
    let review = shown(&format!("access-reviews/{}", stated.review)).await;
    let reviews = shown("access-reviews").await;
    let restored = json!({ "scope": "mail", "result": "failed", "duration_seconds": 60 });
    let tests = "/v1/organizations/acme/restore-tests";
    let restored = ana.posts(tests, &restored).answer().await.expect(201).body();
    for (name, value) in [
        ("Declaration", &declaration),
        ("DoraFunction", &declaration["statement"]),
        ("DeclarationList", &declarations),
        ("Incident", &incident),
        ("Classification", &incident["classification"]),
        ("IncidentList", &incidents),
        ("AccessReview", &review),
        ("ReviewedItem", &review["items"][0]),
        ("AccessReviewList", &reviews),
        ("AccessReview", &reviews["access_reviews"][0]),
        ("RestoreTest", &restored),
        ("RestoreTestList", &shown("restore-tests").await),
        ("Organization", &created),
        ("Problem", &missing),
        ("OrganizationList", &list),
        ("Organization", &list["organizations"][0]),
        ("AuditLog", &log),
        ("AuditEntry", &log["events"][0]),
        ("Me", &me),
        ("Readiness", &ready),
        ("MadeToken", &made),
        ("RotatedToken", &rotated),
        ("TokenInfo", &rotated["token_info"]),
        ("TokenList", &tokens),
        ("TokenInfo", &tokens["tokens"][0]),
        ("Invitation", &sent),
        ("InvitationList", &invitations),
        ("Invitation", &invitations["invitations"][0]),
        ("BulkResults", &many),
        ("BulkResult", &many["results"][0]),
        ("BulkResult", &many["results"][1]),
        ("BulkError", &many["results"][1]["error"]),
        ("Offer", &offer),
        ("OfferedOrganization", &offer["organization"]),
        ("Inviter", &offer["inviter"]),
        ("Accepted", &joined),
        ("Declined", &declined),
    ] {
        fits(&document, name, value);
    }
}

/// The same of what an organization holds.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_fits_its_schemas() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let document = document(&node).await;
    ana.creates("acme").await;
    let provisioner = ana.with_token(Some(installation.provisioner_token()));
    let held = Holdings::of(&ana, &provisioner, "acme").await;
    let facts = json!({
        "endpoint": "orders.example.com:5432", "encryption": true, "tls": { "required": true },
    });
    let reported = provisioner.reports(&held.database, &facts).await.expect(200).body();
    let shown = async |path: String| {
        ana.gets(&format!("/v1/organizations/acme/{path}")).answer().await.expect(200).body()
    };
    let (project, database) =
        (format!("projects/{}", held.project), format!("databases/{}", held.database));
    let wanted = format!("/v1/provisioner/{database}");
    let wanted = provisioner.gets(&wanted).answer().await.expect(200).body();
    let reveal = format!("/v1/organizations/acme/{database}/users/{}/reveal-password", held.user);
    let events = shown(format!("{database}/events")).await;
    let allowlist = shown(format!("{database}/ip-allowlist")).await;
    let orders = shown(database.clone()).await;
    for (name, value) in [
        ("Reported", &reported),
        ("ProvisionedDatabase", &wanted),
        ("ProvisionedUser", &wanted["users"][0]),
        ("RevealedUser", &ana.posts(&reveal, &json!({})).answer().await.expect(200).body()),
        ("ProjectList", &shown("projects?as_of=1".to_owned()).await),
        ("Project", &shown(format!("{project}?as_of=1")).await),
        ("DomainList", &shown(format!("{project}/domains")).await),
        ("Domain", &shown(format!("{project}/domains/{}", held.domain)).await),
        ("CacheRuleList", &shown(format!("{project}/cache-rules")).await),
        ("CacheRule", &shown(format!("{project}/cache-rules/{}", held.cache_rule)).await),
        ("DatabaseList", &shown("databases?page_size=1&as_of=2".to_owned()).await),
        ("Database", &orders),
        ("Endpoint", &orders["endpoint"]),
        ("Encryption", &orders["encryption"]),
        ("Tls", &orders["tls"]),
        ("DatabaseEvents", &events),
        ("DatabaseEvent", &events["events"][0]),
        ("DatabaseUserList", &shown(format!("{database}/users")).await),
        ("DatabaseUser", &shown(format!("{database}/users/{}", held.user)).await),
        ("BackupList", &shown(format!("{database}/backups")).await),
        ("Backup", &shown(format!("{database}/backups/{}", held.backup)).await),
        ("BackupSchedule", &shown(format!("{database}/backup-schedule")).await),
        ("DatabaseAllowlist", &allowlist),
        ("AllowlistRule", &allowlist["rules"][0]),
        ("AlertList", &shown(format!("{database}/alerts")).await),
        ("Alert", &shown(format!("{database}/alerts/{}", held.alert)).await),
        ("PipelineList", &shown(format!("{database}/pipelines")).await),
        ("Pipeline", &shown(format!("{database}/pipelines/{}", held.pipeline)).await),
    ] {
        fits(&document, name, value);
    }
}

#[track_caller]
fn fits(document: &Value, name: &str, value: &Value) {
    let schema = &document["components"]["schemas"][name];
    let (properties, required) = members(document, schema);
    let value = value.as_object().unwrap_or_else(|| panic!("{name} is an object"));
    for member in value.keys() {
        assert!(properties.contains(member), "`{member}` is not in the schema {name}");
    }
    for member in required {
        assert!(value.contains_key(&member), "`{member}` is missing from a {name}");
    }
}

/// Members that a schema knows, and those it demands, whatever it is put together from.
fn members(document: &Value, schema: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut known, mut required) = (BTreeSet::new(), BTreeSet::new());
    if let Some(reference) = schema["$ref"].as_str() {
        let found = document.pointer(reference.trim_start_matches('#'));
        return members(document, found.expect("a reference leads somewhere"));
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        let (more, demanded) = members(document, part);
        known.extend(more);
        required.extend(demanded);
    }
    known.extend(
        schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()),
    );
    required.extend(schema["required"].as_array().into_iter().flatten().map(words));
    (known, required)
}
