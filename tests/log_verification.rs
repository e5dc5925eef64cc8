//! `chancery log verify` against a database administrator: whatever they change, drop or put back is
//! named by its place, or nobody signs the log any more.

use events::chain::Link;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor as _};
use uuid::Uuid;

use crate::administrator::{Administrator, Row};
use crate::people::{Person, words};
use crate::server::{Installation, Node, on_every_store, text};

on_every_store! {
    an_untouched_log_verifies_beside_its_server_and_without
}

const SIGNED: [&str; 2] = ["acme", "globex"];
/// Read models with the trees over the logs, as a backup holds them beside the log.
const READ_TABLES: [&str; 4] =
    ["read.row", "read.audit_entry", "read.read_model", "read.projector"];

/// The exit code, and everything that was said.
fn verified(installation: &Installation) -> (Option<i32>, String) {
    let output = installation.run(&["log", "verify"]);
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[track_caller]
fn assert_sound(installation: &Installation) {
    let (code, said) = verified(installation);
    assert_eq!(code, Some(0), "{said}");
}

/// Two organizations, one with a packet; all logs are signed and sealed.
async fn life(node: &Node) -> Person {
    let (ana, ben) = (Person::registers(node, "ana").await, Person::registers(node, "ben").await);
    for slug in SIGNED {
        ana.creates(slug).await;
        ana.takes_in(&ben, slug, "developer").await;
        ana.renames(slug, "A first name").await;
    }
    let path = "/v1/organizations/acme/compliance-subscriptions/soc2";
    ana.asks(Method::PUT, path).answer().await.expect(200);
    let body = json!({ "framework": "soc2" });
    ana.posts("/v1/organizations/acme/compliance-reports", &body).answer().await.expect(201);
    ana.renames("acme", "Another name").await;
    signs(&ana).await;
    ana
}

async fn signs(by: &Person) {
    for slug in SIGNED {
        let path = format!("/v1/organizations/{slug}/audit-log/checkpoint");
        by.gets(&path).answer().await.expect(200);
    }
}

async fn an_untouched_log_verifies_beside_its_server_and_without(installation: Installation) {
    let node = installation.start().await;
    let ana = life(&node).await;
    let (code, said) = verified(&installation);
    assert_eq!(code, Some(0), "{said}");
    for stage in ["bytes: ", "chain: ", "tree: ", "signed heads: ", "seals: ", "packets: 1 "] {
        assert!(said.contains(stage), "{stage}: {said}");
    }
    assert!(!said.contains("not here") && said.contains("the log is sound"), "{said}");

    let path = "/v1/admin/log/verify";
    let refusal = ana.posts(path, &json!({})).answer().await.refusal();
    assert_eq!(refusal, (401, "operator_only".to_owned()));
    let operator = Person::operator(&node, installation.operator_token());
    let run = async || operator.posts(path, &json!({})).key("monday").answer().await.expect(200);
    let first = run().await;
    assert_eq!(first.body()["succeeded"], true, "{}", first.body());
    assert!(first.body()["compared"].as_array().is_some_and(|it| it.len() == 6));
    let again = run().await;
    assert!(again.is_replayed());
    for field in ["succeeded", "verified_at", "lines", "position"] {
        assert_eq!(again.body()[field], first.body()[field]);
    }
    let count = first.body()["lines"].as_u64().unwrap();
    let next = operator.posts(path, &json!({})).answer().await.expect(200).body();
    assert!(next["lines"].as_u64() > Some(count), "the run before is recorded: {next}");
    node.stop().await;
    assert_sound(&installation);
}

/// Which rows are of this organization's log.
fn of(rows: &[Row], slug: &str) -> Vec<usize> {
    let created = rows
        .iter()
        .find(|row| row.kind == "organization.created" && row.value()["data"]["slug"] == *slug);
    let stream = &created.expect("it was created").stream;
    (0..rows.len()).filter(|at| rows[*at].stream == *stream).collect()
}

/// Positions without a hole.
fn close_up(rows: &mut [Row]) {
    for (position, row) in (1..).zip(rows) {
        row.position = position;
    }
}

/// Whatever follows in a log is made to follow again: versions, links and columns.
fn chain_anew(rows: &mut [Row], stream: &str) {
    let (mut version, mut prev) = (0, Link::FIRST);
    for row in rows.iter_mut().filter(|row| row.stream == stream) {
        let mut value = row.value();
        (value["version"], value["prev"]) = (json!(version), json!(prev));
        row.puts(&value);
        (row.version, prev) = (version, Link::of_line(&row.line));
        version += 1;
    }
}

type Attack = fn(&mut Vec<Row>, &[usize]) -> String;

/// What the administrator does to the rows, given those of one organization; and what must be said.
const ATTACKS: [(&str, Attack); 15] = [
    ("edits a byte", |rows, acme| {
        let row = &mut rows[acme[2]];
        let at = row.line.len() / 2;
        row.line[at] ^= 1;
        format!("position {}", row.position)
    }),
    ("edits a word and the hash beside it", |rows, acme| {
        let mut value = rows[acme[0]].value();
        value["data"]["name"] = json!("Acne");
        rows[acme[0]].puts(&value);
        format!("chain: {}: version 1 does not link", rows[acme[1]].place())
    }),
    ("edits a word and chains anew", |rows, acme| {
        let mut value = rows[acme[0]].value();
        value["data"]["name"] = json!("Acne");
        rows[acme[0]].puts(&value);
        let stream = rows[acme[0]].stream.clone();
        chain_anew(rows, &stream);
        // of all who know better the packet knows the fewest lines
        format!("packets: stream {stream}, version ")
    }),
    ("deletes a row", |rows, acme| {
        let row = rows.remove(acme[2]);
        format!("bytes: position {}: no event is there", row.position)
    }),
    ("deletes a row and renumbers", |rows, acme| {
        let stream = rows.remove(acme[2]).stream;
        close_up(rows);
        format!("chain: stream {stream}, version 3, position")
    }),
    ("deletes a row and chains anew", |rows, acme| {
        let stream = rows.remove(acme[2]).stream;
        close_up(rows);
        chain_anew(rows, &stream);
        format!("packets: stream {stream}, version ")
    }),
    ("swaps two lines", |rows, acme| {
        let (one, other) = (rows[acme[1]].clone(), rows[acme[2]].clone());
        (rows[acme[1]].line, rows[acme[2]].line) = (other.line, one.line);
        format!("chain: stream {}, version 2, position {}", one.stream, one.position)
    }),
    ("swaps two rows", |rows, acme| {
        let (one, other) = (rows[acme[1]].position, rows[acme[2]].position);
        (rows[acme[1]].position, rows[acme[2]].position) = (other, one);
        format!("chain: stream {}, version 2, position {one}", rows[acme[1]].stream)
    }),
    ("swaps two versions in the columns", |rows, acme| {
        (rows[acme[1]].version, rows[acme[2]].version) = (2, 1);
        let Row { stream, position, .. } = &rows[acme[1]];
        let place = format!("bytes: stream {stream}, version 1, position {position}");
        format!("{place}: the store keeps it under another version")
    }),
    ("moves a row to another stream in the columns", |rows, acme| {
        let last = *acme.last().unwrap();
        let place = rows[last].place();
        rows[last].stream = format!("organization-{}", Uuid::new_v4());
        format!("bytes: {place}: the store keeps it under another stream")
    }),
    ("inserts a row", |rows, acme| {
        let mut forged = rows[acme[2]].clone();
        forged.event_id = Uuid::new_v4();
        forged.version = 1000;
        rows.insert(acme[2], forged);
        close_up(rows);
        let Row { stream, position, .. } = &rows[acme[2]];
        format!("stream {stream}, version 2, position {position}")
    }),
    ("inserts a row and chains anew", |rows, acme| {
        let mut forged = rows[acme[2]].clone();
        let stream = forged.stream.clone();
        forged.event_id = Uuid::new_v4();
        let mut value = forged.value();
        value["id"] = json!(events::id::EventId(forged.event_id));
        forged.puts(&value);
        rows.insert(acme[2], forged);
        close_up(rows);
        chain_anew(rows, &stream);
        format!("packets: stream {stream}, version ")
    }),
    ("renumbers", |rows, acme| {
        let position = rows[acme[2]].position;
        for row in &mut rows[acme[2]..] {
            row.position += 1;
        }
        format!("bytes: position {position}: no event is there")
    }),
    ("cuts the tail", |rows, acme| {
        let last = *acme.last().unwrap();
        let (stream, version) = (rows[last].stream.clone(), rows[last].version);
        rows.truncate(last);
        format!("tree: stream {stream}, version {version}: the log has {version} lines; the ledger")
    }),
    ("drops an organization", |rows, acme| {
        let stream = rows[acme[0]].stream.clone();
        rows.retain(|row| row.stream != stream);
        close_up(rows);
        format!("tree: stream {stream}, version 0: the log has 0 lines; the ledger knows")
    }),
];

/// Makes the signer and the ledger forget a log, and how far the ledger has come.
async fn forgets(installation: &Installation, is_sqlite: bool, stream: &str) {
    let id = stream.trim_start_matches("organization-");
    let signer = rusqlite::Connection::open(installation.data().join("signer-state")).unwrap();
    let forgotten = signer.execute("DELETE FROM signed_head WHERE origin LIKE '%' || ?1", [id]);
    assert_eq!(forgotten.unwrap(), 1);
    let schema = if is_sqlite { "" } else { "read." };
    let row = format!("DELETE FROM {schema}row WHERE model = 'ledger' AND id = '{stream}'");
    let position = format!("UPDATE {schema}read_model SET position = 0 WHERE name = 'ledger'");
    for sql in [row, position] {
        let changed = if is_sqlite {
            let read = rusqlite::Connection::open(installation.data().join("read.db")).unwrap();
            read.execute(&sql, []).unwrap() as u64
        } else {
            let mut read = installation.database().connect().await;
            read.execute(AssertSqlSafe(sql)).await.unwrap().rows_affected()
        };
        assert_eq!(changed, 1);
    }
}

async fn every_attack_on_the_rows_is_named(installation: Installation, is_sqlite: bool) {
    let node = installation.start().await;
    life(&node).await;
    node.stop().await;
    assert_sound(&installation);
    let mut administrator = Administrator::of(&installation, is_sqlite).await;
    let untouched = administrator.rows().await;
    let acme = of(&untouched, "acme");
    for (name, attack) in ATTACKS {
        let mut rows = untouched.clone();
        let expected = attack(&mut rows, &acme);
        administrator.puts(&rows).await;
        let (code, said) = verified(&installation);
        assert_eq!(code, Some(8), "{name}: {said}");
        assert!(said.contains(&expected), "{name}: {expected}: {said}");
        assert!(said.contains("stream ") || said.contains("position "), "{name}: {said}");
    }
    administrator.puts(&untouched).await;
    assert_sound(&installation);

    // whoever sees to it that nobody else remembers the organization is told of by a seal
    let globex = of(&untouched, "globex");
    let stream = untouched[globex[0]].stream.clone();
    forgets(&installation, is_sqlite, &stream).await;
    let mut rows = untouched.clone();
    rows.retain(|row| row.stream != stream);
    close_up(&mut rows);
    let mut replaced = untouched.clone();
    let other = format!("organization-{}", events::id::OrganizationId(Uuid::new_v4()));
    for at in globex {
        let mut value = replaced[at].value();
        value["stream"] = json!(other);
        replaced[at].puts(&value);
        replaced[at].stream.clone_from(&other);
    }
    chain_anew(&mut replaced, &other);
    for (rows, expected) in [(rows, "lines are missing"), (replaced, "logs have the root")] {
        administrator.puts(&rows).await;
        let (code, said) = verified(&installation);
        assert_eq!(code, Some(8), "{said}");
        assert!(said.contains("error: seals: stream platform, version "), "{said}");
        assert!(said.contains(expected), "{said}");
    }
    drop(administrator);

    // a server tells it too, and packets tell that the log was found like that
    let mut administrator = if is_sqlite {
        let log = rusqlite::Connection::open(installation.data().join("log.db")).unwrap();
        Administrator::Sqlite(log)
    } else {
        Administrator::Postgres(installation.database().connect().await)
    };
    let mut rows = untouched.clone();
    let mut value = rows[acme[0]].value();
    value["data"]["name"] = json!("Acne");
    rows[acme[0]].puts(&value);
    administrator.puts(&rows).await;
    drop(administrator);
    let node = installation.start().await;
    let operator = Person::operator(&node, installation.operator_token());
    let path = "/v1/admin/log/verify";
    let run = operator.posts(path, &json!({})).answer().await.expect(200).body();
    assert_eq!((&run["succeeded"], &run["fault"]["stage"]), (&json!(false), &json!("chain")));
    assert_eq!(words(&run["fault"]["stream"]), untouched[acme[0]].stream);
    assert_eq!((&run["fault"]["version"], run["fault"]["position"].is_string()), (&json!(1), true));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_on_the_rows_is_named_on_sqlite() {
    every_attack_on_the_rows_is_named(Installation::sqlite(), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_on_the_rows_is_named_on_postgres() {
    every_attack_on_the_rows_is_named(Installation::postgres().await, false).await;
}

/// What a backup of yesterday is.
enum Copy {
    Files(Vec<(&'static str, Vec<u8>)>),
    Tables,
}

impl Copy {
    async fn made(installation: &Installation, is_sqlite: bool) -> Self {
        if is_sqlite {
            let read = |name| (name, std::fs::read(installation.data().join(name)).unwrap());
            return Self::Files(["log.db", "read.db"].map(read).into());
        }
        let mut connection = installation.database().connect().await;
        for table in READ_TABLES.into_iter().chain(["log.event"]) {
            let copy = table.replace('.', "_");
            let sql = format!("CREATE TABLE public.{copy} AS SELECT * FROM {table}");
            connection.execute(AssertSqlSafe(sql)).await.unwrap();
        }
        Self::Tables
    }

    async fn put_back(&self, installation: &Installation) {
        if let Self::Files(files) = self {
            for (name, bytes) in files {
                std::fs::write(installation.data().join(name), bytes).unwrap();
            }
            return;
        }
        let mut administrator = Administrator::of(installation, false).await;
        for table in READ_TABLES.into_iter().chain(["log.event"]) {
            let copy = table.replace('.', "_");
            administrator.does(&format!("DELETE FROM {table}")).await;
            let put = format!("INSERT INTO {table} SELECT * FROM public.{copy}");
            administrator.does(&put).await;
        }
    }
}

async fn yesterdays_copy_is_not_signed(installation: Installation, is_sqlite: bool) {
    let node = installation.start().await;
    let ana = life(&node).await;
    node.stop().await;
    let yesterday = Copy::made(&installation, is_sqlite).await;
    let node = installation.start().await;
    let ana = ana.at(&node);
    ana.renames("acme", "What nobody shall know").await;
    signs(&ana).await;
    node.stop().await;
    yesterday.put_back(&installation).await;

    let (code, said) = verified(&installation);
    assert_eq!(code, Some(8), "{said}");
    assert!(said.contains("signed heads: stream organization-"), "{said}");
    assert!(said.contains("; the signer knows"), "{said}");

    let node = installation.start().await;
    let ana = ana.at(&node);
    let checkpoint = "/v1/organizations/acme/audit-log/checkpoint";
    let refusal = ana.gets(checkpoint).answer().await.refusal();
    assert_eq!(refusal, (503, "signer_refuses".to_owned()));
    node.until_it_says("heads of logs are not signed").await;
    let mut ready = Value::Null;
    // it is said a moment before it shows
    for _ in 0..1000 {
        ready = ana.gets("/readyz").answer().await.expect(200).body();
        if ready["status"] == "degraded" {
            break;
        }
    }
    assert_eq!(ready["status"], "degraded", "{ready}");
    let signer = ready["reactions"].as_array().unwrap().iter().find(|it| it["name"] == "signer");
    assert!(words(&signer.unwrap()["error"]).contains("an older copy"), "{ready}");
    // more lines than were signed, but other ones
    for name in ["One", "Two", "Three"] {
        ana.renames("acme", name).await;
    }
    let refusal = ana.gets(checkpoint).answer().await.refusal();
    assert_eq!(refusal, (503, "signer_refuses".to_owned()));
    node.stop().await;
    let (code, said) = verified(&installation);
    assert!(code == Some(8) && said.contains("signed heads: stream organization-"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn yesterdays_copy_is_not_signed_on_sqlite() {
    yesterdays_copy_is_not_signed(Installation::sqlite(), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yesterdays_copy_is_not_signed_on_postgres() {
    yesterdays_copy_is_not_signed(Installation::postgres().await, false).await;
}
