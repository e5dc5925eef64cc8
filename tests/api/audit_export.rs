//! An audit log as a file.

use std::collections::BTreeMap;

use events::chain::{Link, Walk};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor as _};

use crate::people::{Answer, Person, words};
use crate::server::{Installation, on_every_store};

on_every_store! {
    an_export_is_the_whole_log_and_proves_it
    a_table_shows_what_the_list_shows
    filters_leave_what_the_list_leaves
}

const LOG: &str = "/v1/organizations/acme/audit-log";
const COLUMNS: &str = "id,version,created_at,action,actor,actor_email,resource_type,resource_id,\
    resource_name,ip_address,user_agent,request_id,changes,hash";

/// The lines of an export before its manifest, and the manifest, which must say what they are.
fn lines(answer: &Answer) -> (Vec<&str>, Value) {
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let text = str::from_utf8(&answer.bytes).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    let manifest = lines.pop().expect("there is a last line");
    assert_proves(&text[..text.len() - manifest.len() - 1], lines.len(), manifest);
    (lines, serde_json::from_str(manifest).unwrap())
}

fn assert_proves(before: &str, lines: usize, manifest: &str) {
    let manifest: Value = serde_json::from_str(manifest).unwrap();
    assert_eq!(manifest["kind"], "manifest");
    assert_eq!(manifest["blake3"], blake3::hash(before.as_bytes()).to_hex().to_string());
    assert_eq!(manifest["lines"], lines);
    let counts: BTreeMap<String, usize> =
        serde_json::from_value(manifest["counts"].clone()).unwrap();
    assert_eq!(counts.values().sum::<usize>(), lines);
}

async fn an_export_is_the_whole_log_and_proves_it(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let acme = words(&ana.creates("acme").await.body()["id"]);
    Person::joins(&node, "ben", &ana, "acme", "viewer").await;
    for number in 0..250 {
        ana.renames("acme", &format!("Acme {number}")).await;
    }
    let answer = ana.gets(&format!("{LOG}/export")).answer().await.expect(200);
    let name = format!("attachment; filename=\"{acme}-audit-log.ndjson\"");
    assert_eq!(answer.header("content-disposition"), Some(name.as_str()));
    let (lines, manifest) = lines(&answer);
    assert_eq!(
        manifest["counts"],
        json!({ "organization.created": 1, "organization.updated": 250, "member.invited": 1,
            "member.joined": 1 })
    );
    let bounds = ["version", "first_version", "last_version"].map(|name| manifest[name].as_u64());
    assert_eq!(bounds, [Some(252), Some(0), Some(252)]);
    assert_eq!((&manifest["filter"], &manifest["format"]), (&json!({}), &json!("ndjson")));
    // the chain is walked over the very bytes that were recorded
    let mut walk = Walk::new(&format!("organization-{acme}").parse().unwrap());
    for text in &lines {
        let (_, line) = text.split_once(r#""line":"#).unwrap();
        let line = line.strip_suffix('}').unwrap();
        walk.step(line.as_bytes()).unwrap();
        let event: Value = serde_json::from_str(text).unwrap();
        assert_eq!(event["hash"], Link::of_line(line.as_bytes()).to_string());
    }
    let (count, last) = walk.end();
    assert_eq!((count, &manifest["hash"]), (253, &json!(last.to_string())));
    let invited: Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(invited["personal"]["email"], "ben@example.org");
    assert_eq!(invited["personal"]["ip_address"], "127.0.0.1");
    // the events of the organization's own export are the same
    let whole = ana.gets("/v1/organizations/acme/export").answer().await.expect(200);
    let whole = String::from_utf8(whole.bytes).unwrap();
    assert!(whole.starts_with(&lines.join("\n")));
}

/// The rows of a table, each with its cells (RFC 4180).
fn rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (vec![], vec![], String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => cell.extend(letters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => assert_eq!(letters.peek(), Some(&'\n')),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            other => cell.push(other),
        }
    }
    assert!(!quoted && cell.is_empty() && row.is_empty(), "the last row has its end");
    rows
}

async fn a_table_shows_what_the_list_shows(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    ana.renames("acme", "=HYPERLINK(\"http://example.org\",\"x\")").await;
    ana.invites("acme", "+ben@example.org", "viewer").await;
    let answer = ana.gets(&format!("{LOG}/export?format=csv"));
    let answer = answer.with("user-agent", "@agent").answer().await.expect(200);
    let kind = "text/csv; charset=utf-8; header=present";
    assert_eq!(answer.header("content-type"), Some(kind));
    let text = str::from_utf8(&answer.bytes).unwrap();
    assert!(text.starts_with(COLUMNS));
    let mut rows = rows(text);
    let manifest = rows.pop().unwrap();
    let before = text.rfind("manifest,").expect("it is the last row's first cell");
    assert_eq!(manifest[0], "manifest");
    assert_proves(&text[..before], rows.len() - 1, &manifest[12]);

    let listed = ana.pages(LOG, "events").await;
    let columns: Vec<&str> = COLUMNS.split(',').collect();
    assert_eq!(rows.len() - 1, listed.len());
    for (row, entry) in rows.iter().skip(1).zip(listed.iter().rev()) {
        assert_eq!(row.len(), columns.len());
        let of = |name: &str| row[columns.iter().position(|it| *it == name).unwrap()].clone();
        let guarded = |text: &Value| {
            let text = text.as_str().unwrap_or_default();
            if text.starts_with(['=', '+', '@']) { format!("'{text}") } else { text.to_owned() }
        };
        for name in ["id", "created_at", "action", "ip_address", "user_agent", "hash"] {
            assert_eq!(of(name), guarded(&entry[name]), "{name}");
        }
        assert_eq!(of("version"), entry["version"].to_string());
        assert_eq!(of("actor"), entry["actor"]["id"]);
        assert_eq!(of("actor_email"), entry["actor"]["email"]);
        assert_eq!(of("resource_type"), entry["resource"]["type"]);
        assert_eq!(of("resource_name"), guarded(&entry["resource"]["name"]));
        assert_eq!(serde_json::from_str::<Value>(&of("changes")).unwrap(), entry["changes"]);
    }
    assert!(text.contains("'+ben@example.org"), "{text}");
}

async fn filters_leave_what_the_list_leaves(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let me = ana.id().await;
    let acme = words(&ana.creates("acme").await.body()["id"]);
    ana.renames("acme", "Blue Émeraude").await;
    Person::joins(&node, "ben", &ana, "acme", "viewer").await;
    let at = words(&ana.pages(LOG, "events").await[1]["created_at"]);
    for query in [
        "action=organization.updated".to_owned(),
        "action=member.*".to_owned(),
        "action=membe.*".to_owned(),
        format!("actor={me}"),
        "actor=BEN@example.org".to_owned(),
        "actor=nobody@example.org".to_owned(),
        "resource_type=invitation".to_owned(),
        format!("resource_id={acme}"),
        format!("since={at}"),
        format!("until={at}"),
        "q=blue+%C3%A9MERAUDE".to_owned(),
        format!("q=updated&actor={me}"),
    ] {
        let listed = ana.pages(&format!("{LOG}?{query}&page_size=1"), "events").await;
        let listed: Vec<_> = listed.iter().rev().map(|entry| entry["hash"].clone()).collect();
        let answer = ana.gets(&format!("{LOG}/export?{query}")).answer().await.expect(200);
        let (lines, manifest) = lines(&answer);
        let hash = |line: &&str| serde_json::from_str::<Value>(line).unwrap()["hash"].clone();
        assert_eq!(lines.iter().map(hash).collect::<Vec<_>>(), listed, "{query}");
        assert_eq!(manifest["hash"], listed.last().cloned().unwrap_or_default());
        assert_eq!(manifest["version"], 3);
        let (name, _) = query.split_once('=').unwrap();
        assert!(manifest["filter"][name].is_string(), "{manifest}");
    }
    for odd in ["format=xml", "format=", "action=member", "q="] {
        let refused = ana.gets(&format!("{LOG}/export?{odd}")).answer().await;
        assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{odd}");
    }
    let refused = ana.gets(&format!("{LOG}/export?page_size=1")).answer().await;
    assert_eq!(refused.refusal(), (400, "unknown_parameter".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_meets_damage_is_cut_off() {
    let installation = Installation::postgres().await;
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let acme = words(&ana.creates("acme").await.body()["id"]);
    for number in 0..230 {
        ana.renames("acme", &format!("Acme {number}")).await;
    }
    let mut connection = installation.database().connect().await;
    for change in [
        "ALTER TABLE log.event DISABLE TRIGGER ALL".to_owned(),
        format!(
            "UPDATE log.event SET line = convert_to(replace(convert_from(line, 'UTF8'), \
             'Acme 219', 'Acme 999'), 'UTF8') WHERE stream = 'organization-{acme}' AND version = 220"
        ),
    ] {
        connection.execute(AssertSqlSafe(change)).await.expect("a superuser may");
    }
    for format in ["ndjson", "csv"] {
        let answer = ana.gets(&format!("{LOG}/export?format={format}")).try_answer().await;
        assert!(answer.is_err(), "nobody takes it for whole: {answer:?}");
    }
    node.until_it_says("an export of an audit log broke off").await;
    ana.gets(&format!("{LOG}/export?action=member.*")).try_answer().await.unwrap_err();
}
