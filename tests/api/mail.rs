//! Mails: once each, whatever the mail server does.

use serde_json::json;

use crate::mailbox::{MailServer, free_port};
use crate::people::Person;
use crate::server::{Installation, Node};

/// A node whose mails go there.
async fn sending(installation: &Installation, url: &str) -> Node {
    sending_on(installation, 0, url).await
}

async fn sending_on(installation: &Installation, node: usize, url: &str) -> Node {
    installation.launch(node, &[("CHANCERY_MAIL", url)]).serving().await
}

async fn verification(node: &Node, who: &Person) {
    who.at(node)
        .asks(reqwest::Method::POST, "/v1/auth/email/verification")
        .answer()
        .await
        .expect(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_gets_each_mail_once() {
    let installation = Installation::postgres().await.with_master_key();
    let server = MailServer::start_with(
        free_port(),
        &["--user", "chancery:se:cret".trim_end_matches(":cret")],
    )
    .await;
    let url =
        format!("smtp://chancery:se@127.0.0.1:{}?from=post@example.com", server.port.number());
    let one = sending_on(&installation, 0, &url).await;
    let two = sending_on(&installation, 1, &url).await;
    let mut people = Vec::new();
    for name in ["ana", "ben", "eve"] {
        people.push(Person::registers(&two, name).await);
    }
    let mails = server.takes(3).await;
    let to: Vec<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, ["ana@example.org", "ben@example.org", "eve@example.org"]);
    // whoever takes over goes on where the other has stopped
    one.stop().await;
    verification(&two, &people[0]).await;
    let mails = server.takes(4).await;
    two.stop().await;
    let mut ids: Vec<_> = mails.iter().map(|mail| mail.message_id.clone()).collect();
    let host = |id: &String| id.starts_with("<evt_") && id.ends_with("@127.0.0.1>");
    assert!(ids.iter().all(host), "{ids:?}");
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), server.taken().len()), (4, 4), "each mail is there once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_a_crash_sends_twice_is_the_same_mail() {
    let installation = Installation::sqlite();
    let server = MailServer::start().await;
    let url = server.url();
    let variables = [
        ("CHANCERY_MAIL", url.as_str()),
        ("CHANCERY_PUBLIC_URL", "https://org.example.com"),
        ("CHANCERY_FAIL_POINT", "mail.delivered"),
        ("CHANCERY_FAIL_HOW", "block"),
    ];
    let node = installation.launch(0, &variables).serving().await;
    Person::registers(&node, "ana").await;
    node.until_it_says("reached mail.delivered").await;
    node.kill();
    let node = installation.launch(0, &variables[..2]).serving().await;
    let mails = server.takes(2).await;
    assert_eq!(mails[0].message_id, mails[1].message_id);
    assert!(mails[0].message_id.ends_with("@org.example.com>"), "{mails:?}");
    assert_eq!(mails[0].text, mails[1].text);
    node.stop().await;
    assert_eq!(server.taken().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_while_the_mail_server_is_down_goes_out_when_it_is_up() {
    let installation = Installation::sqlite();
    let port = free_port();
    let node = sending(&installation, &format!("smtp://127.0.0.1:{}", port.number())).await;
    let ana = Person::registers(&node, "ana").await;
    node.until_it_says("the mail server cannot be reached").await;
    let ready = ana.gets("/readyz").answer().await.expect(200).body();
    assert_eq!(ready["status"], "degraded");
    let mail = json!({
        "name": "mail", "error": "no mail can be sent: the mail server cannot be reached",
    });
    assert!(ready["reactions"].as_array().unwrap().contains(&mail), "{ready}");
    // everything else goes on, also over a restart
    ana.creates("acme").await;
    node.stop().await;
    let server = MailServer::start_with(port, &[]).await;
    let node = sending(&installation, &server.url()).await;
    let mails = server.takes(1).await;
    assert_eq!(mails[0].to, ana.email);
    // the link leads to where the installation is now
    mails[0].secret(&node, "verify-email");
    node.stop().await;
    assert_eq!(server.taken().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_mail_server_refuses_or_puts_off_holds_up_no_other_mail() {
    let installation = Installation::sqlite();
    let server = MailServer::start().await;
    let node = sending(&installation, &server.url()).await;
    for name in ["refused", "later", "slow", "ana"] {
        Person::registers(&node, name).await;
    }
    let mails = server.takes(3).await;
    let to: Vec<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, ["slow@example.org", "ana@example.org", "later@example.org"]);
    let said = node.stop().await;
    assert!(said.contains("refuses a mail (code 550); it is not tried again"), "{said}");
    assert!(
        said.contains("the mail server puts a mail off (code 451); it is tried again"),
        "{said}"
    );
    assert!(!said.contains("example.org"), "no address is logged: {said}");
    assert_eq!(server.taken().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_falls_silent_is_given_up_and_asked_again() {
    let installation = Installation::sqlite();
    let server = MailServer::start().await;
    let node = sending(&installation, &format!("{}?timeout=1", server.url())).await;
    for name in ["silent", "ana"] {
        Person::registers(&node, name).await;
    }
    assert_eq!(server.takes(1).await[0].to, "ana@example.org");
    let put_off = "puts a mail off (no answer in time); it is tried again";
    node.until_it_has_said(put_off, 2).await;
    node.stop().await;
    assert_eq!(server.taken().len(), 1);
}
