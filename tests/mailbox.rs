//! Mails as their readers see them: from the outbox of a node, or from a mail server of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use eventstore_double::Port;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::people::words;
use crate::server::{Installation, Node};

const SINK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail_sink.py");
const SOON: Duration = Duration::from_mins(2);

#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) message_id: String,
    pub(crate) to: String,
    pub(crate) text: String,
}

impl Mail {
    /// The secret in the link, which stands on a line of its own.
    pub(crate) fn secret(&self, node: &Node, path: &str) -> String {
        let start = format!("{}/{path}/", node.url());
        let mut lines = self.text.lines().filter_map(|line| line.strip_prefix(&start));
        let secret = lines.next().unwrap_or_else(|| panic!("no link to {path}: {}", self.text));
        assert_eq!(secret.len(), 43, "{secret}");
        secret.to_owned()
    }
}

/// The `number`-th mail, from 1, that the first node has written into its outbox.
pub(crate) async fn kept(installation: &Installation, node: &Node, number: usize) -> Mail {
    let said = node.until_it_has_said("a mail is delivered", number).await;
    let line = &said[number - 1];
    let at = line.find("evt_").unwrap_or_else(|| panic!("{line} names an event"));
    let event = &line[at..at + 30];
    let path = installation.data().join("outbox").join(format!("{event}.eml"));
    let written = std::fs::read_to_string(path).expect("it is there as soon as it is said");
    let (head, text) = written.split_once("\r\n\r\n").expect("a mail has a head");
    let member = |name: &str| {
        let found = head.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap_or_else(|| panic!("no {name} in {head}")).to_owned()
    };
    Mail { message_id: member("Message-ID: "), to: member("To: "), text: text.to_owned() }
}

/// Where a mail server will listen.
pub(crate) fn free_port() -> Port {
    Port::free().expect("a port is free")
}

/// A mail server that treats recipients as their names ask for.
pub(crate) struct MailServer {
    child: Child,
    pub(crate) port: Port,
    said: watch::Receiver<Vec<String>>,
}

impl MailServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(free_port(), &[]).await
    }

    pub(crate) async fn start_with(port: Port, arguments: &[&str]) -> Self {
        let python = std::env::var("CHANCERY_TEST_PYTHON").unwrap_or_else(|_| {
            panic!("CHANCERY_TEST_PYTHON is not set: run tests/run, which installs a mail server")
        });
        let mut child = Command::new(python)
            .arg(SINK)
            .arg(port.number().to_string())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the mail server starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let (sender, said) = watch::channel(Vec::new());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                sender.send_modify(|said| said.push(line));
            }
        });
        let server = Self { child, port, said };
        server.until_it_has_said(1).await;
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port.number())
    }

    async fn until_it_has_said(&self, count: usize) -> Vec<String> {
        let mut said = self.said.clone();
        let heard = timeout(SOON, said.wait_for(|lines| lines.len() >= count)).await;
        heard.expect("it says so soon").expect("the mail server lives").clone()
    }

    /// The first mails it has taken, as soon as there are so many.
    pub(crate) async fn takes(&self, count: usize) -> Vec<Mail> {
        self.until_it_has_said(1 + count).await;
        self.taken()
    }

    /// The mails it has taken so far.
    pub(crate) fn taken(&self) -> Vec<Mail> {
        let said = self.said.borrow();
        said.iter()
            .skip(1)
            .map(|line| {
                let mail: Value = serde_json::from_str(line).expect("a mail is JSON");
                Mail {
                    message_id: words(&mail["message_id"]),
                    to: words(&mail["to"][0]),
                    text: words(&mail["text"]),
                }
            })
            .collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
