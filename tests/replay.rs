//! `chancery audit replay`: what an organization was, from its log beside the server, or from a file.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::operations::Stated;
use crate::people::{Answer, Person, words};
use crate::server::{Installation, on_every_store, text};

on_every_store! {
    a_log_is_replayed_beside_its_server
}

const ACME: &str = "/v1/organizations/acme";

fn replayed(installation: &Installation, arguments: &[&str]) -> Value {
    let output = installation.run(&[["audit", "replay"].as_slice(), arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What it says when it does not print anything; its exit code.
fn refused(installation: &Installation, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        installation.run(&[["audit", "replay"].as_slice(), arguments].concat());
    assert!(stdout.is_empty(), "{}", text(&stdout));
    (status.code(), text(&stderr))
}

/// Founds an organization in which much has happened.
async fn founds(ana: &Person, ben: &Person) -> String {
    let acme = words(&ana.creates("acme").await.body()["id"]); // 0
    ana.takes_in(ben, "acme", "viewer").await; // 1, 2
    let bens = ben.as_member_of("acme").await;
    ana.patches(&bens, &json!({ "role": "admin" })).answer().await.expect(200); // 3
    ben.makes_token("acme", "personal", &["audit:read"]).await; // 4
    let change = json!({ "name": "Acme Two", "billing_email": "billing@acme.com" });
    ana.patches(ACME, &change).answer().await.expect(200); // 5
    let settings = json!({ "default_tier": "large", "require_2fa": false });
    ana.patches(&format!("{ACME}/settings"), &settings).answer().await.expect(200); // 6
    ana.deletes(&bens).answer().await.expect(204); // 7 and the end of the token
    acme
}

async fn a_log_is_replayed_beside_its_server(installation: Installation) {
    let node = installation.start().await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    let acme = founds(&ana, &ben).await;
    let (ana_id, ben_id) = (ana.id().await, ben.id().await);
    let history = ana.history("acme").await.len();

    let now = replayed(&installation, &["--org", "acme"]);
    assert_eq!(now, replayed(&installation, &["--org", &acme]));
    assert_eq!((&now["id"], &now["version"]), (&json!(acme), &json!(history - 1)));
    assert_eq!(now["profile"]["name"], "Acme Two");
    assert!(now["profile"]["billing_email"]["sealed_for"].is_string(), "{now}");
    assert!(now["members"][&ben_id].is_null() && now["members"][&ana_id]["role"] == "owner");
    let token = |told: &Value| told["tokens"].as_object().unwrap().values().next().cloned();
    assert_eq!(token(&now).unwrap()["status"], "revoked");
    let hash = ana.gets(&format!("{ACME}/audit-log?page_size=1")).answer().await.body();
    assert_eq!(now["hash"], hash["events"][0]["hash"]);

    let then = replayed(&installation, &["--org", "acme", "--until", "6"]);
    assert_eq!(then["members"][&ben_id]["role"], "admin");
    assert_eq!(token(&then).unwrap()["status"], "active");
    let by_time = words(&then["recorded_at"]);
    let by_time = replayed(&installation, &["--org", "acme", "--until", &by_time]);
    assert!(by_time["version"].as_u64() >= Some(6));

    let diff = ["--org", "acme", "--from", "2", "--to", "6", "--diff"];
    let diff = replayed(&installation, &diff);
    let actions: Vec<_> =
        diff["events"].as_array().unwrap().iter().map(|it| words(&it["action"])).collect();
    let expected =
        ["member.role_changed", "api_key.created", "organization.updated", "settings.updated"];
    assert_eq!(actions, expected);
    let changes = diff["changes"].as_array().unwrap();
    let change = |path: &str| {
        let found = changes.iter().find(|it| it["path"] == path);
        let found = found.unwrap_or_else(|| panic!("{path} has changed: {diff}"));
        (found["from"].clone(), found["to"].clone())
    };
    assert_eq!(change(&format!("members.{ben_id}.role")), (json!("viewer"), json!("admin")));
    assert_eq!(change("settings.default_tier"), (json!("micro"), json!("large")));
    assert_eq!(change("profile.name"), (json!("acme"), json!("Acme Two")));

    for odd in [
        ["--org", "acne", "--until", "0"],
        ["--org", "acme", "--until", "99"],
        ["--org", "acme", "--until", "2000-01-01T00:00:00Z"],
        ["--org", "acme", "--until", "yesterday"],
    ] {
        let (code, said) = refused(&installation, &odd);
        assert_eq!(code, Some(1), "{odd:?}: {said}");
    }
    // an address that nobody sees who only reads the log
    let everything = now.to_string() + &then.to_string() + &diff.to_string();
    assert!(!everything.contains("@example.org") && !everything.contains("@acme.com"));
    node.stop().await;
    assert_eq!(replayed(&installation, &["--org", "acme"]), now);
}

/// A file with these bytes.
fn written(folder: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("export.ndjson");
    std::fs::write(&path, bytes).unwrap();
    path
}

async fn exported(ana: &Person, path: &str) -> String {
    let answer: Answer = ana.gets(&format!("{ACME}/{path}")).answer().await.expect(200);
    String::from_utf8(answer.bytes).unwrap()
}

fn of_file(path: &Path) -> [&str; 2] {
    ["--file", path.to_str().unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_replayed_without_a_server() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    founds(&ana, &ben).await;
    let mut log = replayed(&installation, &["--org", "acme"]);
    let folder = TempDir::new().unwrap();
    let files = [exported(&ana, "audit-log/export").await, exported(&ana, "export").await];
    let filtered = exported(&ana, "audit-log/export?action=member.*").await;
    node.stop().await;
    let elsewhere = Installation::sqlite();
    for file in &files {
        let path = written(&folder, file.as_bytes());
        let mut told = replayed(&elsewhere, &of_file(&path));
        // what is sealed in the log is open in the file
        assert_eq!(told["profile"]["billing_email"], "billing@acme.com");
        let invitations = told["invitations"].as_object_mut().unwrap();
        for (id, invitation) in invitations {
            assert_eq!(invitation["email"], "ben@example.org");
            log["invitations"][id]["email"] = invitation["email"].clone();
        }
        log["profile"]["billing_email"] = told["profile"]["billing_email"].clone();
        assert_eq!(told, log);
        let [option, path] = of_file(&path);
        replayed(&elsewhere, &[option, path, "--org", "acme", "--until", "0"]);
        let (code, said) = refused(&elsewhere, &[option, path, "--org", "acne"]);
        assert_eq!(code, Some(1), "{said}");
    }
    assert!(!elsewhere.data().exists(), "a file needs no data folder");

    let file = &files[0];
    let lines: Vec<&str> = file.lines().collect();
    let without = |left_out: usize| {
        let kept = lines.iter().enumerate().filter(|(number, _)| *number != left_out);
        kept.flat_map(|(_, line)| [*line, "\n"]).collect::<String>()
    };
    let last = lines.len() - 1;
    let mut swapped = lines.clone();
    swapped.swap(4, 5);
    for (faulty, said) in [
        (without(3), "version 3 names another place"),
        (without(0), "version 0 names another place"),
        (without(last), "it is torn"),
        (without(last - 1), "`lines` differs"),
        (swapped.join("\n") + "\n", "version 4 names another place"),
        (
            file.replacen("\"role\":\"viewer\"", "\"role\":\"owner\"", 1),
            "version 1 has another hash",
        ),
        (file.replacen("large", "small", 1), "version 6 has another hash"),
        (file.replacen("billing@acme.com", "x@acme.com", 1), "`blake3` differs"),
        (file.clone() + lines[0] + "\n", "after its manifest"),
        (file.replacen("\"kind\":\"event\"", "\"kind\":", 1), "line 1 of the file"),
        (file[..file.len() - 20].to_owned(), "line 10 of the file"),
    ] {
        let path = written(&folder, faulty.as_bytes());
        let (code, talk) = refused(&elsewhere, &of_file(&path));
        assert_eq!(code, Some(8), "{said}: {talk}");
        assert!(talk.contains(said), "{said}: {talk}");
    }
    let path = written(&folder, filtered.as_bytes());
    let (code, talk) = refused(&elsewhere, &of_file(&path));
    assert!(code == Some(1) && talk.contains("with a filter"), "{talk}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_members_have_stated_is_replayed() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let Stated { declaration, incident, review } = Stated::by(&ana, "acme").await;
    let close = json!({ "cause": "system_failure", "root_cause": "A disk was full." });
    let path = format!("{ACME}/incidents/{incident}/close");
    ana.posts(&path, &close).answer().await.expect(200);
    let test = json!({ "database": "db_1", "result": "succeeded", "duration_seconds": 540 });
    let test = ana.posts(&format!("{ACME}/restore-tests"), &test).answer().await.expect(201);
    let test = words(&test.body()["id"]);
    let folder = TempDir::new().unwrap();
    let file = written(&folder, exported(&ana, "audit-log/export").await.as_bytes());
    let ana_id = ana.id().await;

    let of_log = replayed(&installation, &["--org", "acme"]);
    let of_export = replayed(&installation, &of_file(&file));
    for told in [&of_log, &of_export] {
        let declared = &told["declarations"][&declaration];
        assert_eq!(declared["recorded"]["kind"], "dora_function");
        assert_eq!(declared["recorded"]["is_critical_or_important"], true, "{declared}");
        assert_eq!(declared["declared_by"], json!(ana_id));
        let incident = &told["incidents"][&incident];
        assert_eq!((&incident["status"], &incident["cause"]), (&json!("closed"), &close["cause"]));
        assert_eq!(incident["classification"]["is_major"], true);
        let review = &told["access_reviews"][&review];
        assert_eq!((&review["status"], &review["completed_at"]), (&json!("open"), &Value::Null));
        assert_eq!(review["items"][&ana_id]["access"], json!({ "role": "owner" }));
        assert_eq!(review["items"][&ana_id]["decision"], "keep");
        assert_eq!(told["restore_tests"][&test]["result"], "succeeded");
    }
    // in the file it is open
    let written = |told: &Value| {
        let incident = &told["incidents"][&incident];
        let name = told["declarations"][&declaration]["statement"]["name"].clone();
        (name, incident["text"]["title"].clone(), incident["root_cause"].clone())
    };
    let expected = (json!("Payments"), json!("Outage"), close["root_cause"].clone());
    assert_eq!(written(&of_export), expected);
    assert!(written(&of_log).2["sealed_for"].is_string(), "{of_log}");

    let diff = replayed(&installation, &["--org", "acme", "--from", "0", "--to", "1", "--diff"]);
    assert_eq!(diff["changes"][0]["path"], format!("declarations.{declaration}"), "{diff}");
}
