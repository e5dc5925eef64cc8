//! The program itself: how it starts, refuses to start, and stops.

use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::people::Person;
use crate::server::{Installation, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_finished_before_the_end() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let body = r#"{"name":"Acme","slug":"acme"}"#;
    let (first, second) = body.split_at(10);
    let mut connection = TcpStream::connect(node.address()).await.unwrap();
    let head = format!(
        "POST /v1/organizations HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        ana.token.as_deref().unwrap(),
        body.len(),
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    // the server asks for the body once it has begun to work on the request
    let mut asked = [0; 25];
    connection.read_exact(&mut asked).await.unwrap();
    assert_eq!(text(&asked), "HTTP/1.1 100 Continue\r\n\r\n");
    connection.write_all(first.as_bytes()).await.unwrap();

    node.terminate();
    node.until_it_says("stopping").await;
    connection.write_all(second.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    let answer = text(&answer);
    assert!(answer.starts_with("HTTP/1.1 201 Created"), "{answer}");
    let mut node = node;
    assert!(node.ended().await.success());

    let node = installation.start().await;
    assert_eq!(ana.at(&node).shows("acme").await["name"], "Acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.lists().await;
    let started = std::time::Instant::now();
    node.stop().await;
    // requests that are under way would get twenty
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn every_mistake_of_the_configuration_is_told_at_once() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("chancery.toml"), "lisen = 'x'\ndata = 3\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_chancery"))
        .current_dir(folder.path())
        .args(["serve", "--check-config", "--listen", "nowhere", "--event-log", "http://x"])
        .env("CHANCERY_DATABASE", "mysql://localhost")
        .env("CHANCERY_LISTENS", "127.0.0.1:1")
        .env("CHANCERY_PUBLIC_URL", "org.example.com")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = text(&output.stderr);
    for mistake in [
        "`--listen`",
        "`--event-log`",
        "`CHANCERY_DATABASE`",
        "`CHANCERY_LISTENS`",
        "`CHANCERY_PUBLIC_URL`",
        "`lisen`",
        "`data`",
    ] {
        assert!(said.contains(mistake), "{mistake} is not in:\n{said}");
    }
    assert!(output.stdout.is_empty(), "stdout is data");
    assert!(!folder.path().join("chancery-data").exists(), "checking makes nothing");
}

#[test]
fn a_sound_configuration_is_told_so() {
    let folder = TempDir::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_chancery"))
        .current_dir(folder.path())
        .args(["serve", "--check-config"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!folder.path().join("chancery-data").exists(), "checking makes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_master_key_stops_the_start() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    node.stop().await;
    let key = std::fs::read(installation.master_key()).unwrap();

    std::fs::write(installation.master_key(), "0".repeat(64)).unwrap();
    let mut node = installation.launch(0, &[]);
    assert!(!node.ended().await.success());
    assert!(node.said().contains("the master key does not open this keyring"), "{}", node.said());

    std::fs::remove_file(installation.master_key()).unwrap();
    let mut node = installation.launch(0, &[]);
    assert!(!node.ended().await.success());
    assert!(node.said().contains("put back the key"), "{}", node.said());
    assert!(!installation.master_key().exists(), "no key is made that opens nothing");

    write_key(&installation, &key);
    let node = installation.start().await;
    ana.at(&node).signs_in().await.expect(200);
}

fn write_key(installation: &Installation, key: &[u8]) {
    use std::os::unix::fs::PermissionsExt as _;

    std::fs::write(installation.master_key(), key).unwrap();
    let owner_only = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(installation.master_key(), owner_only).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let installation = Installation::sqlite().with_master_key();
    let everybody = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(installation.master_key(), everybody).unwrap();
    let mut node = installation.launch(0, &[]);
    assert!(!node.ended().await.success());
    assert!(node.said().contains("chmod 600"), "{}", node.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_data_folder_serves_one_process() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let mut second = installation.launch(0, &[]);
    assert!(!second.ended().await.success(), "{}", second.said());
    let ana = Person::registers(&node, "ana").await;
    let body = json!({ "name": "Acme", "slug": "acme" });
    ana.posts("/v1/organizations", &body).answer().await.expect(201);
}
