//! What is personal stands nowhere in the clear: not in a file, not in what the program says.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::json;

use crate::people::Person;
use crate::server::{Installation, files};

const SECRETS: [&str; 8] = [
    "telltale-mailbox",
    "Telltale Name",
    "telltale passphrase",
    "Telltale Company",
    "telltale-billing",
    "Telltale Desk",
    "telltale-agent",
    "telltale-unknown",
];

/// The text itself, in UTF-16, in hexadecimal, and in base64 wherever it may begin.
fn disguises(secret: &str) -> Vec<Vec<u8>> {
    let bytes = secret.as_bytes();
    let hexadecimal: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let wide = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut found = vec![bytes.to_vec(), wide, hexadecimal.concat().into_bytes()];
    for shift in 0..3 {
        let shifted = [&vec![0; shift], bytes].concat();
        // whole groups of three bytes only: their characters do not depend on what comes after
        let whole = &shifted[..shifted.len() / 3 * 3];
        let skipped = if shift == 0 { 0 } else { 4 };
        found.push(STANDARD_NO_PAD.encode(whole)[skipped..].into());
        found.push(URL_SAFE_NO_PAD.encode(whole)[skipped..].into());
    }
    found
}

fn assert_nothing_personal(what: &str, bytes: &[u8]) {
    assert_none_of(&SECRETS, what, bytes);
}

/// None of these texts stands there, in whatever disguise.
#[track_caller]
pub(crate) fn assert_none_of(secrets: &[&str], what: &str, bytes: &[u8]) {
    let lower = bytes.to_ascii_lowercase();
    for secret in secrets {
        for disguise in disguises(secret) {
            let is_there = bytes.windows(disguise.len()).any(|window| window == disguise);
            assert!(!is_there, "`{secret}` stands in {what}");
        }
        let folded = secret.to_lowercase();
        let is_there = lower.windows(folded.len()).any(|window| window == folded.as_bytes());
        assert!(!is_there, "`{secret}` stands in {what} in other letters");
    }
}

#[test]
fn a_disguise_is_seen_through() {
    let hidden = STANDARD_NO_PAD.encode("xx telltale-mailbox@example.org");
    let found = std::panic::catch_unwind(|| assert_nothing_personal("it", hidden.as_bytes()));
    found.expect_err("the search would find nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_personal_stands_in_the_clear() {
    let installation = Installation::sqlite();
    let node = installation.launch(0, &[("CHANCERY_LOG", "debug")]).serving().await;
    let stranger = Person::stranger(&node);
    let agent = "telltale-agent/1.0";
    let body = json!({
        "email": "telltale-mailbox@example.org", "password": "telltale passphrase",
        "name": "Telltale Name", "company": "Telltale Company",
    });
    let ask = stranger.posts("/v1/auth/register", &body).with("user-agent", agent);
    let registered = ask.key("one").answer().await.expect(201);
    let person = stranger.with_token_of(&registered);
    let token = person.token.clone().unwrap();
    let change = json!({ "name": "Telltale Name", "company": "Telltale Company Ltd" });
    person.patches("/v1/auth/me", &change).answer().await.expect(200);
    let forgotten = json!({ "email": "telltale-mailbox@example.org" });
    stranger.posts("/v1/auth/password/forgot", &forgotten).answer().await.expect(202);
    let sessions = person.gets("/v1/auth/sessions").with("user-agent", agent).answer().await;
    assert_eq!(sessions.expect(200).body()["sessions"][0]["device"], agent);
    let unknown =
        json!({ "email": "telltale-unknown@example.org", "password": "telltale passphrase" });
    stranger.posts("/v1/auth/login", &unknown).answer().await.expect(401);
    let body =
        json!({ "name": "Acme", "slug": "acme", "billing_email": "telltale-billing@acme.com" });
    let ask = person.posts("/v1/organizations", &body).with("user-agent", agent);
    ask.answer().await.expect(201);
    let change = json!({ "name": "Telltale Desk" });
    person.patches("/v1/organization", &change).answer().await.expect(200);
    let wrong = json!({ "name": "Acme", "slug": "x", "billing_email": "telltale-billing" });
    person.posts("/v1/organizations", &wrong).answer().await.expect(422);
    let incident = json!({ "title": "Telltale Name", "description": "telltale-unknown" });
    person.posts("/v1/organization/incidents", &incident).answer().await.expect(201);
    let function = json!({ "kind": "dora_function", "name": "Telltale Company",
        "critical_or_important": false });
    person.posts("/v1/organization/declarations", &function).answer().await.expect(201);
    let seen = person.gets("/v1/organization/audit-log").answer().await.expect(200);
    assert!(String::from_utf8(seen.bytes).unwrap().contains("Telltale Desk"), "it is kept, sealed");

    let look = || {
        let files = files(&installation.data());
        assert!(files.iter().any(|file| file.ends_with("log.db")));
        // what would be in the hands of a mail server is as readable as there
        let is_mail = |file: &std::path::PathBuf| file.extension().is_some_and(|it| it == "eml");
        for file in files.into_iter().filter(|file| !is_mail(file)) {
            let bytes = std::fs::read(&file).unwrap();
            assert_nothing_personal(&file.display().to_string(), &bytes);
            let contains =
                |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
            assert!(!contains(&token), "the session token stands in {}", file.display());
        }
    };
    // with what is still in the write-ahead logs, and without
    look();
    let said = node.stop().await;
    look();
    assert_nothing_personal("what the program said", said.as_bytes());
    assert!(!said.contains(&token), "the session token was said");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_folder_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let installation = Installation::sqlite();
    let node = installation.start().await;
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&installation.data()), 0o700);
    assert_eq!(mode(&installation.master_key()), 0o600);
    node.stop().await;
}
