//! Who checks packets without the server that made them: with keys of their own, in a folder of
//! their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::people::Person;
use crate::server::{Node, text};

/// What an auditor keeps in a folder of their own.
pub(crate) struct Auditor {
    folder: TempDir,
}

impl Auditor {
    /// Pins the keys that a node publishes now.
    pub(crate) async fn of(node: &Node) -> Self {
        let auditor = Self { folder: TempDir::new().unwrap() };
        for (path, name) in [
            ("/.well-known/compliance-signing-keys", "packet-keys"),
            ("/.well-known/log-keys", "log-keys"),
        ] {
            let keys = Person::stranger(node).gets(path).answer().await.expect(200);
            auditor.keeps(name, &keys.bytes);
        }
        auditor
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn keeps(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The code of the first fault, if there is one, and everything that was said.
    pub(crate) fn verifies(&self, packet: &Path, more: &[&str]) -> (Option<String>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
        command.arg("verify").arg(packet).arg("--json");
        command.arg("--packet-key").arg(self.path("packet-keys"));
        command.arg("--log-key").arg(self.path("log-keys"));
        let output = command.args(more).output().unwrap();
        let said = text(&output.stdout);
        let verdict: Value = serde_json::from_str(&said).unwrap_or_else(|_| {
            panic!("{}", text(&output.stderr));
        });
        assert_eq!(output.status.success(), verdict["valid"] == true);
        (verdict["fault"]["code"].as_str().map(str::to_owned), said)
    }
}
