//! Packets of a real server, and those of an independent producer, given to verifiers that others
//! wrote: the plain commands of docs/auditors-guide.md, and programs in `third_party/` made of
//! packages for Python, Node and Go; and here of two crates.

use std::fs;
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use reqwest::Method;
use serde_json::{Value, json};
use signed_note::{Note, StandardVerifier, VerifierList};
use tempfile::TempDir;
use tlog_tiles::{Checkpoint, Hash, HashReader};
use zip::ZipArchive;

use crate::attacks::Cases;
use crate::people::{Person, words};
use crate::server::{Installation, text};

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
const REPORTS: &str = "/v1/organizations/acme/compliance-reports";
const CHALLENGE: &str = "auditor-nonce-1";

/// What an auditor has.
#[derive(Clone)]
struct Given {
    packet: PathBuf,
    packet_key: PathBuf,
    log_key: PathBuf,
    organization: String,
    challenge: String,
    kept: Option<PathBuf>,
    keys: Option<PathBuf>,
}

type Verifier = fn(&Given) -> Result<(), String>;

const VERIFIERS: [(&str, Verifier); 5] = [
    ("the guide", by_the_guide),
    ("Python", |given| {
        run(Command::new(named("CHANCERY_TEST_PYTHON")).arg("-B"), "verify.py", given)
    }),
    ("Node", |given| run(&mut Command::new("node"), "verify.mjs", given)),
    ("Go", |given| finished(asked(&mut Command::new(GO.0.path().join("verify")), given))),
    ("crates", by_crates),
];

fn named(variable: &str) -> String {
    std::env::var(variable).expect("tests/run names it")
}

fn asked(command: &mut Command, given: &Given) -> Output {
    command.args([&given.packet, &given.packet_key, &given.log_key]);
    command.args([&given.organization, &given.challenge]).output().unwrap()
}

fn finished(output: Output) -> Result<(), String> {
    if output.status.success() { Ok(()) } else { Err(text(&output.stderr)) }
}

fn run(command: &mut Command, program: &str, given: &Given) -> Result<(), String> {
    finished(asked(command.arg(Path::new(TESTS).join("third_party").join(program)), given))
}

fn by_the_guide(given: &Given) -> Result<(), String> {
    let mut command = Command::new(Path::new(TESTS).join("auditors_guide.sh"));
    command.args([&given.packet, &given.packet_key, &given.log_key]);
    command.args([&given.organization, &given.challenge]);
    for path in [&given.kept, &given.keys] {
        command.arg(path.as_deref().unwrap_or(Path::new("")));
    }
    let output = command.output().unwrap();
    let is_through = text(&output.stdout).ends_with("the packet holds\n");
    assert_eq!(output.status.success(), is_through, "the guide ends early");
    finished(output)
}

/// The folder with the compiled program.
struct Compiled(TempDir);

static GO: LazyLock<Compiled> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    let mut go = Command::new("go");
    go.args(["build", "-o"]).arg(folder.path().join("verify"));
    go.arg(Path::new(TESTS).join("third_party/verify.go"));
    go.env("GO111MODULE", "off").env("GOPATH", "/usr/share/gocode").env("GOFLAGS", "");
    // a cache in the home folder, as Go has it, would not be there everywhere
    let output = go.env("GOCACHE", folder.path().join("cache")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    Compiled(folder)
});

/// All hashes of a tree, in the order in which they are stored.
struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

/// The head in a note that the key has signed.
fn head(note: &[u8], key: &str) -> Result<Checkpoint, String> {
    let verifier = StandardVerifier::new(key).map_err(|why| why.to_string())?;
    let note = Note::from_bytes(note).map_err(|why| why.to_string())?;
    note.verify(&VerifierList::new(vec![Box::new(verifier)])).map_err(|why| why.to_string())?;
    Checkpoint::from_bytes(note.text()).map_err(|why| why.to_string())
}

fn ensure(holds: bool, why: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why.to_owned()) }
}

/// `signed_note` and `tlog_tiles`: what the log key signs, and the proofs; not the envelope.
fn by_crates(given: &Given) -> Result<(), String> {
    let file = |name: &str| fs::read(given.packet.join(name)).map_err(|why| why.to_string());
    let key = fs::read_to_string(&given.log_key).unwrap();
    let key = key.trim();
    let checkpoint = head(&file("checkpoint")?, key)?;
    let name = key.split('+').next().unwrap_or_default();
    let origin = format!("{name}/organizations/{}", given.organization);
    ensure(checkpoint.origin() == origin, "the checkpoint is of another log")?;

    let events = file("events.jsonl")?;
    let lines: Vec<_> = events.split_inclusive(|octet| *octet == b'\n').collect();
    let leaves: Vec<_> =
        lines.iter().map(|line| line.strip_suffix(b"\n").unwrap_or(line)).collect();
    let mut stored = Stored(Vec::new());
    for (version, line) in (0..).zip(&leaves) {
        let more = tlog_tiles::stored_hashes(version, line, &stored);
        stored.0.extend(more.map_err(|why| why.to_string())?);
    }
    let (size, root) = (checkpoint.size(), *checkpoint.hash());
    ensure(usize::try_from(size) == Ok(leaves.len()), "the checkpoint is of another size")?;
    let found = tlog_tiles::tree_hash(size, &stored).map_err(|why| why.to_string())?;
    ensure(found == root, "the checkpoint is of other lines")?;

    for entry in fs::read_dir(&given.packet).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".tlog-proof") {
            continue;
        }
        let proof = String::from_utf8(file(&name)?).map_err(|why| why.to_string())?;
        let (proof, note) = proof.split_once("\n\n").ok_or("no proof")?;
        let (mut lines, under) = (proof.lines().skip(1), head(note.as_bytes(), key)?);
        let index = lines.next().and_then(|line| line.strip_prefix("index ")?.parse().ok());
        let index: u64 = index.ok_or("no index")?;
        let leaf = leaves.get(usize::try_from(index).unwrap()).ok_or("no such line")?;
        let hashes: Result<Vec<_>, _> = lines.map(Hash::parse_hash).collect();
        let hashes = hashes.map_err(|why| why.to_string())?;
        let leaf = tlog_tiles::record_hash(leaf);
        let proven = tlog_tiles::check_record(&hashes, under.size(), *under.hash(), index, leaf);
        proven.map_err(|why| format!("{name}: {why}"))?;
        ensure(name == format!("proof-{index}.tlog-proof"), "it is about something else")?;
    }
    Ok(())
}

fn unpacked(zip: Vec<u8>, folder: &Path) {
    fs::create_dir(folder).unwrap();
    let mut zip = ZipArchive::new(Cursor::new(zip)).unwrap();
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        fs::write(folder.join(entry.name().unwrap().as_ref()), bytes).unwrap();
    }
}

/// The same packet, with one byte changed.
fn edited(given: &Given, file: &str, folder: &Path) -> Given {
    fs::create_dir(folder).unwrap();
    for entry in fs::read_dir(&given.packet).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let path = folder.join(file);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    let at = (middle..bytes.len()).find(|at| bytes[*at].is_ascii_alphabetic()).unwrap();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    fs::write(&path, bytes).unwrap();
    Given { packet: folder.to_owned(), ..given.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_of_every_framework_pass_everywhere_and_with_one_edited_byte_nowhere() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    ana.creates("acme").await;
    ana.takes_in(&ben, "acme", "developer").await;
    let organization = words(&ana.shows("acme").await["id"]);

    let folder = TempDir::new().unwrap();
    let keys = ana.gets("/.well-known/compliance-signing-keys").answer().await.expect(200).body();
    let (packet_key, log_key) =
        (folder.path().join("packet-key.pem"), folder.path().join("log.vkey"));
    fs::write(&packet_key, words(&keys["keys"][0]["public_key"])).unwrap();
    let key_set = |name: &str, more: Value| {
        let (mut keys, path) = (keys.clone(), folder.path().join(name));
        keys["keys"][0].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fs::write(&path, keys.to_string()).unwrap();
        path
    };
    let valid = key_set("keys.json", json!({}));
    let invalid = [
        key_set("retired.json", json!({ "exp": 1 })),
        key_set("compromised.json", json!({ "revoked": { "revoked_at": 1 } })),
        key_set("later.json", json!({ "nbf": 99_999_999_999_u64 })),
        key_set("another.json", json!({ "kid": "another" })),
    ];
    fs::write(&log_key, ana.gets("/.well-known/log-keys").answer().await.expect(200).bytes)
        .unwrap();

    let (mut kept, mut last) = (None, None);
    for framework in ["soc2", "gdpr_ropa", "dora", "eu_ai_act"] {
        let subscription = format!("/v1/organizations/acme/compliance-subscriptions/{framework}");
        ana.asks(Method::PUT, &subscription).json(&json!({})).answer().await.expect(200);
        let request = json!({ "framework": framework, "challenge": CHALLENGE });
        let made = ana.posts(REPORTS, &request).answer().await.expect(201).body();
        let report = words(&made["report_id"]);
        let bundle = ana.gets(&format!("{REPORTS}/{report}/bundle")).answer().await.expect(200);
        let packet = folder.path().join(framework);
        unpacked(bundle.bytes, &packet);
        let given = Given {
            packet,
            packet_key: packet_key.clone(),
            log_key: log_key.clone(),
            organization: organization.clone(),
            challenge: CHALLENGE.to_owned(),
            kept: kept.take(),
            keys: Some(valid.clone()),
        };
        // each file but the lines is covered by the envelope, which the crates don't look at
        let edits: [(&str, &[&str]); 2] = [
            ("events.jsonl", &[]),
            match framework {
                "soc2" => ("packet.dsse.json", &["crates"]),
                "gdpr_ropa" => ("report.pdf", &["crates"]),
                "dora" => ("checkpoint", &[]),
                _ => ("seal.json", &["crates"]),
            },
        ];
        for (verifier, verify) in VERIFIERS {
            assert_eq!(verify(&given), Ok(()), "{framework} by {verifier}");
        }
        for (file, blind) in edits {
            let edited = edited(&given, file, &folder.path().join(format!("{framework}-{file}")));
            for (verifier, verify) in VERIFIERS.iter().filter(|(name, _)| !blind.contains(name)) {
                assert!(verify(&edited).is_err(), "{framework}, {file} edited, by {verifier}");
            }
        }
        let other = Given { challenge: "another".to_owned(), ..given.clone() };
        for (verifier, verify) in VERIFIERS.iter().filter(|(name, _)| *name != "crates") {
            assert!(verify(&other).is_err(), "{framework} for another challenge by {verifier}");
        }
        kept = Some(given.packet.join("checkpoint"));
        last = Some(given);
    }
    let last = last.unwrap();
    for keys in invalid {
        let given = Given { keys: Some(keys), ..last.clone() };
        assert!(by_the_guide(&given).is_err(), "{:?}", given.keys);
    }
}

/// What plain commands must tell from an honest packet; each step of the guide is there.
const REFUSED_BY_THE_GUIDE: [&str; 20] = [
    "a03_change_the_payload_type",
    "a05_another_key_with_the_genuine_id",
    "a06_a_file_that_is_not_listed",
    "a08_delete_another_file",
    "a10_edit_an_event",
    "a11_edit_an_event_and_chain_anew",
    "a17_cut_the_tail_with_a_genuine_old_checkpoint",
    "a19_an_edited_population",
    "a19_leave_a_control_out",
    "a20_a_checkpoint_by_another_log_key",
    "a21_of_another_organization",
    "a22_another_period",
    "a23_reveal_an_erased_person",
    "a24_a_member_twice",
    "a25_a_line_that_is_not_canonical",
    "a33_an_old_packet_for_a_new_challenge",
    "a30_rewrite_before_the_kept_checkpoint",
    "m3_a_proof_with_an_edited_hash",
    "m3_another_leaf",
    "p1_moved_to_another_event",
];

#[test]
fn the_guide_tells_attacks_from_the_packets_of_an_independent_producer() {
    let cases = Cases::made_from("1");
    let given = |case: &str| {
        let word = |name: &str| fs::read_to_string(cases.file(case, name)).unwrap();
        let kept = cases.packet(case).parent().unwrap().join("kept");
        let first = |folder: &Path| fs::read_dir(folder).ok()?.next()?.ok().map(|it| it.path());
        Given {
            packet: cases.packet(case),
            packet_key: cases.file(case, "packet-key"),
            log_key: cases.file(case, "log-key"),
            organization: word("organization"),
            challenge: word("challenge"),
            kept: first(&kept),
            keys: None,
        }
    };
    for case in ["honest_packet", "honest_sealed_later", "honest_with_a_kept_checkpoint"] {
        for (verifier, verify) in VERIFIERS {
            assert_eq!(verify(&given(case)), Ok(()), "{case} by {verifier}");
        }
    }
    for case in REFUSED_BY_THE_GUIDE {
        assert!(by_the_guide(&given(case)).is_err(), "{case}");
    }
}

/// Runs the commands of a page in a folder.
fn by_commands_of(page: &str, folder: &Path, variables: &[(&str, &str)]) -> Result<(), String> {
    let text = fs::read_to_string(format!("{TESTS}/../docs/{page}")).unwrap();
    let (_, rest) = text.split_once("```bash\n").expect("there are commands");
    let (block, _) = rest.split_once("\n```").expect("they end");
    let mut bash = Command::new("bash");
    finished(
        bash.args(["-c", block]).current_dir(folder).envs(variables.to_vec()).output().unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_pinned_a_key_accepts_the_one_that_takes_its_place() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let operator = Person::operator(&node, installation.operator_token());
    let stranger = Person::stranger(&node);
    let public = "/.well-known/compliance-signing-keys";
    let keys = async || {
        let keys = stranger.gets(public).answer().await.expect(200).body()["keys"].clone();
        keys.as_array().unwrap().clone()
    };
    let log_key = stranger.gets("/.well-known/log-keys").answer().await.expect(200).bytes;
    let issuer = text(&log_key).split('+').next().unwrap().to_owned();
    let first = keys().await.remove(0);
    let missing = format!("{public}/{}.rotation.json", words(&first["kid"]));
    assert_eq!(stranger.gets(&missing).answer().await.status, 404);

    let folder = TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name);
    fs::write(file("old-key.pem"), words(&first["public_key"])).unwrap();
    let packet = [("ISSUER", issuer.as_str()), ("PURPOSE", "packet")];
    // one step after the other
    for _ in 0..2 {
        operator.posts("/v1/admin/signing-keys/rotate", &json!({})).answer().await.expect(200);
        let (new, old) = (keys().await.remove(0), keys().await.remove(1));
        assert_eq!(new["rotated_from"], old["kid"]);
        let path = format!("{public}/{}.rotation.json", words(&new["kid"]));
        let rotation = stranger.gets(&path).answer().await.expect(200);
        assert_eq!(rotation.header("content-type"), Some("application/vnd.dsse.envelope.v1+json"));
        fs::write(file("rotation.json"), &rotation.bytes).unwrap();
        let accepted = by_commands_of("evidence.md", folder.path(), &packet);
        assert_eq!(accepted, Ok(()));
        let accepted = fs::read_to_string(file("new-key.pem")).unwrap();
        assert_eq!(accepted, words(&new["public_key"]));
        fs::remove_file(file("new-key.pem")).unwrap();

        // neither without one of the signatures, nor for another issuer or purpose, nor by another key
        let refuses = |variables: &[(&str, &str)]| {
            assert!(by_commands_of("evidence.md", folder.path(), variables).is_err());
            assert!(!file("new-key.pem").exists());
        };
        for left in 0..2 {
            let mut one = rotation.body();
            let signature = one["signatures"][left].clone();
            one["signatures"] = json!([signature]);
            fs::write(file("rotation.json"), one.to_string()).unwrap();
            refuses(&packet);
        }
        fs::write(file("rotation.json"), &rotation.bytes).unwrap();
        refuses(&[("ISSUER", "org.example.com"), ("PURPOSE", "packet")]);
        refuses(&[("ISSUER", issuer.as_str()), ("PURPOSE", "log")]);
        fs::write(file("old-key.pem"), &accepted).unwrap();
        refuses(&packet);
    }

    // who has the stolen key is not to say which one is next
    let stolen = words(&keys().await[0]["kid"]);
    let path = format!("/v1/admin/signing-keys/{stolen}/revoke");
    let body = json!({ "compromised_since": "2026-01-01T00:00:00Z" });
    operator.posts(&path, &body).answer().await.expect(200);
    let next = keys().await.remove(0);
    assert_eq!(next["rotated_from"], Value::Null);
    let path = format!("{public}/{}.rotation.json", words(&next["kid"]));
    assert_eq!(stranger.gets(&path).answer().await.status, 404);
}
