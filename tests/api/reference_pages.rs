//! The requests that the reference products document, verbatim but for host and credentials, sent
//! by the client their pages use: `curl` in a shell.

use std::process::Command;

use serde_json::Value;

use crate::people::{PASSWORD, Person};
use crate::server::{Installation, Node, text};

const FOUNDRYDB_CREATE: &str = r#"curl -u user:password -X POST https://api.foundrydb.com/organizations \
-H "Content-Type: application/json" \
-d '{
"name": "Acme Engineering",
"slug": "acme-engineering",
"billing_email": "billing@acme.com"
}'"#;

const FOUNDRYDB_LIST: &str = "curl -u user:password https://api.foundrydb.com/organizations";

const CLOUDHEED_GET: &str = r#"curl https://api.cloudheed.com/v1/organization \
  -H "Authorization: Bearer YOUR_TOKEN""#;

const CLOUDHEED_UPDATE: &str = r#"curl -X PATCH https://api.cloudheed.com/v1/organization \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "name": "Acme Corporation"
  }'"#;

const CLOUDHEED_SETTINGS: &str = r#"curl https://api.cloudheed.com/v1/organization/settings \
  -H "Authorization: Bearer YOUR_TOKEN""#;

const CLOUDHEED_UPDATE_SETTINGS: &str = r#"curl -X PATCH https://api.cloudheed.com/v1/organization/settings \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "require_2fa": true
  }'"#;

const CLOUDHEED_AUDIT_LOG: &str = r#"curl https://api.cloudheed.com/v1/organization/audit-log \
  -H "Authorization: Bearer YOUR_TOKEN""#;

/// Runs a line of a page; the status and the body.
fn run(line: &str, node: &Node, ana: &Person) -> (String, Value) {
    let mut line = line.to_owned();
    for host in ["https://api.foundrydb.com", "https://api.cloudheed.com"] {
        line = line.replace(host, node.url());
    }
    line = line.replace("user:password", &format!("'{}:{PASSWORD}'", ana.email));
    line = line.replace("YOUR_TOKEN", ana.token.as_deref().unwrap());
    let script =
        format!("curl() {{ command curl -sS -w '%{{stderr}}%{{http_code}}' \"$@\"; }}\n{line}");
    let output = Command::new("sh").args(["-c", &script]).output().expect("there is a shell");
    let status = text(&output.stderr);
    let body = serde_json::from_slice(&output.stdout);
    (status.clone(), body.unwrap_or_else(|error| panic!("{error}: {status} to {line}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_requests_of_foundrydb_run_verbatim() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let (status, created) = run(FOUNDRYDB_CREATE, &node, &ana);
    assert_eq!(status, "201");
    assert_eq!(created["name"], "Acme Engineering");
    assert_eq!(created["slug"], "acme-engineering");
    assert_eq!(created["billing_email"], "billing@acme.com");

    let (status, listed) = run(FOUNDRYDB_LIST, &node, &ana);
    assert_eq!(status, "200");
    let listed = listed["organizations"].as_array().unwrap();
    assert_eq!(listed.len(), 2, "the personal organization is among them");
    assert_eq!(listed[1], created);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_requests_of_cloudheed_run_verbatim() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let (status, shown) = run(CLOUDHEED_GET, &node, &ana);
    assert_eq!(status, "200");
    for member in
        ["id", "name", "slug", "plan", "owner_id", "member_count", "database_count", "created_at"]
    {
        assert!(!shown[member].is_null(), "{member} of {shown}");
    }

    let (status, updated) = run(CLOUDHEED_UPDATE, &node, &ana);
    assert_eq!((status.as_str(), &updated["name"]), ("200", &Value::from("Acme Corporation")));

    let (status, settings) = run(CLOUDHEED_SETTINGS, &node, &ana);
    assert_eq!((status.as_str(), &settings["require_2fa"]), ("200", &Value::from(false)));
    for member in ["allowed_regions", "ip_allowlist_required", "default_tier", "sso_enabled"] {
        assert!(!settings[member].is_null(), "{member} of {settings}");
    }
    let (status, settings) = run(CLOUDHEED_UPDATE_SETTINGS, &node, &ana);
    assert_eq!((status.as_str(), &settings["require_2fa"]), ("200", &Value::from(true)));

    let (status, log) = run(CLOUDHEED_AUDIT_LOG, &node, &ana);
    assert_eq!(status, "200");
    assert_eq!(log["events"][0]["action"], "settings.updated");
    assert_eq!(log["events"][0]["changes"][0]["field"], "require_2fa");
    let event = &log["events"][1];
    assert_eq!(event["action"], "organization.updated");
    assert_eq!(event["actor"]["email"], "ana@example.org");
    assert_eq!(event["resource"]["id"], shown["id"]);
    for member in ["id", "ip_address", "created_at"] {
        assert!(event[member].is_string(), "{member} of {event}");
    }
    assert!(event["resource"]["type"].is_string() && event["actor"]["id"].is_string());
}
