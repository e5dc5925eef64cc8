//! An erasure that is cut at every step, and what is left of a person in the files afterwards.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use events::Event;
use events::account::Event::ErasureStarted;
use events::chain::Walk;
use events::stream::Stream;
use events::wire;
use serde_json::{Value, json};

use crate::api::privacy::assert_none_of;
use crate::oracle::read_everything;
use crate::people::{Person, secret_of, words};
use crate::server::{Installation, files, on_every_store};
use crate::written::write_on;

/// Between each step and the next.
const PLACES: [&str; 7] = [
    "erasure.started",
    "erasure.left",
    "erasure.decided",
    "erasure.personal_organization_deleted",
    "erasure.key_destroyed",
    "erasure.finished",
    "erasure.recorded",
];

on_every_store! {
    an_erasure_that_is_cut_anywhere_comes_to_its_end
    an_erasure_that_is_cut_while_it_is_refused_lets_the_person_in_again
}

/// Every stream of the log is whole.
async fn assert_whole(on: &Installation) {
    let log = on.log().await;
    let mut walks: HashMap<Stream, Walk> = HashMap::new();
    for stored in read_everything(&log, 500).await {
        let stream = wire::head(&stored.line).expect("a line").stream;
        let walk = walks.entry(stream).or_insert_with(|| Walk::new(&stream));
        walk.step(&stored.line).unwrap_or_else(|broken| panic!("{stream}: {broken}"));
    }
    log.close().await;
}

async fn an_erasure_that_is_cut_anywhere_comes_to_its_end(on: Installation) {
    let node = on.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    ana.creates("beta").await;
    ana.creates("gone").await;
    let mut going = Vec::new();
    for (round, place) in PLACES.into_iter().enumerate() {
        let person = Person::registers(&node, &format!("p-{round}")).await;
        for slug in ["acme", "beta", "gone"] {
            ana.takes_in(&person, slug, "viewer").await;
        }
        person.posts("/v1/organizations/acme/leave", &json!({})).answer().await.expect(200);
        going.push((place, person.id().await, person));
    }
    let confirmed = json!({ "confirm": "gone" });
    ana.deletes("/v1/organizations/gone").json(&confirmed).answer().await.expect(204);
    node.stop().await;

    for (place, id, person) in going {
        let mut node = on.start_failing_at(place, "abort").await;
        let cut = person.at(&node).erases().try_answer().await;
        // the reaction may be at it before the answer is given
        assert!(cut.is_err() || cut.is_ok_and(|answer| answer.status == 204), "{place}");
        node.ended().await;
        let said = node.said();
        assert!(said.contains(&format!("reached {place}")), "{said}");

        let node = on.start().await;
        let recorded = "an erasure is recorded wherever";
        // behind the last step of the request the reaction may have done it already
        if !said.contains(recorded) {
            node.until_it_says(recorded).await;
        }
        let (ana, person) = (ana.at(&node), person.at(&node));
        person.signs_in().await.expect(401);
        let now = ana.signs_in().await.expect(200).position();
        ana.waits_for(now).await;
        for slug in ["acme", "beta"] {
            let log =
                format!("/v1/organizations/{slug}/audit-log?page_size=100&action=person.erased");
            let erased = ana.pages(&log, "events").await;
            let all = format!("/v1/organizations/{slug}/audit-log?page_size=100&actor={id}");
            let theirs = ana.pages(&all, "events").await;
            assert!(!erased.is_empty(), "{place}: {slug}");
            let left = theirs.iter().filter(|event| event["action"] == "member.left").count();
            assert_eq!(left, 1, "{place}: {slug}");
            assert!(theirs.iter().all(|event| event["actor"]["email"] == "erased"), "{place}");
        }
        node.stop().await;
    }
    assert_whole(&on).await;
    on.assert_no_difference();
    assert_recorded_once(&on).await;
}

/// Each person was named by three organizations and their own, and each says once that they are
/// erased, also the one that is deleted.
async fn assert_recorded_once(on: &Installation) {
    let log = on.log().await;
    let mut recorded: HashMap<String, Vec<Stream>> = HashMap::new();
    for stored in read_everything(&log, 500).await {
        let line: Value = serde_json::from_slice(&stored.line).unwrap();
        if line["type"] == "person.erased" {
            let stream = words(&line["stream"]).parse().unwrap();
            recorded.entry(words(&line["data"]["subject"])).or_default().push(stream);
        }
    }
    log.close().await;
    assert_eq!(recorded.len(), PLACES.len());
    for (subject, streams) in recorded {
        let different: BTreeSet<&Stream> = streams.iter().collect();
        assert_eq!((streams.len(), different.len()), (4, 4), "{subject}");
    }
}

async fn an_erasure_that_is_cut_while_it_is_refused_lets_the_person_in_again(on: Installation) {
    let node = on.start().await;
    let ben = Person::registers(&node, "ben").await;
    ben.creates("beta").await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    ben.takes_in(&ana, "beta", "admin").await;
    let account = format!("account-{}", ana.id().await);
    node.stop().await;
    // as if the other owner of `acme` had gone just after it began
    write_on(&on, &account, vec![Event::Account(ErasureStarted {})]).await;
    let mut node =
        on.launch(0, &[("CHANCERY_FAIL_POINT", "erasure.refused"), ("CHANCERY_FAIL_HOW", "abort")]);
    node.ended().await;
    assert!(node.said().contains("reached erasure.refused"), "{}", node.said());

    let node = on.start().await;
    node.until_it_says("an erasure is abandoned").await;
    let ana = ana.at(&node);
    let ana = ana.with_token_of(&ana.signs_in().await.expect(200));
    assert_eq!(ana.shows("acme").await["role"], "owner");
    let export = ana.gets("/v1/account/export").answer().await.expect(200).body();
    let events = export["events"].as_array().unwrap();
    let abandoned = events.iter().find(|it| it["line"]["type"] == "account.erasure_abandoned");
    let data = &abandoned.expect("it says so")["line"]["data"];
    assert_eq!(data["kept_by"].as_array().unwrap().len(), 1);
    ana.erases().answer().await.expect(409);
    node.stop().await;
    assert_whole(&on).await;
    on.assert_no_difference();
}

const SECRETS: [&str; 7] = [
    "telltale-mailbox",
    "Telltale Name",
    "Telltale Renamed",
    "telltale passphrase",
    "Telltale Company",
    "telltale-agent",
    "127.0.0.77",
];

/// Looks into every file of a folder.
fn assert_nothing_left(folder: &Path, wrapped: &[Vec<u8>]) {
    for file in files(folder) {
        let bytes = std::fs::read(&file).unwrap();
        let name = file.display().to_string();
        assert_none_of(&SECRETS, &name, &bytes);
        for key in wrapped {
            let is_there = bytes.windows(key.len()).any(|part| part == key.as_slice());
            assert!(!is_there, "a wrapped key stands in {name}");
        }
    }
}

/// The wrapped keys, by their subjects.
fn wrapped_keys(on: &Installation) -> HashMap<Vec<u8>, Option<Vec<u8>>> {
    let keyring = rusqlite::Connection::open(on.data().join("keyring.db")).unwrap();
    let mut read = keyring.prepare("SELECT subject, wrapped FROM subject_key").unwrap();
    let rows = read.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_of_an_erased_person_is_left_in_any_file() {
    let on = Installation::sqlite();
    let node = on.launch(0, &[("CHANCERY_LOG", "debug")]).serving().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let agent = "telltale-agent/1.0";
    let stranger = Person::with_address(&node, "telltale-mailbox@example.org");
    let stranger = stranger.from(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 77)));
    let body = json!({
        "email": "telltale-mailbox@example.org", "password": "telltale passphrase",
        "name": "Telltale Name", "company": "Telltale Company",
    });
    let registered = stranger.posts("/v1/auth/register", &body).with("user-agent", agent);
    let person = stranger.with_token_of(&registered.answer().await.expect(201));
    // ana's proof, the person's proof, and the invitation to them
    let sent = ana.invites("acme", &person.email, "admin").await;
    node.until_it_has_said("a mail is delivered", 3).await;
    person.accepts(&secret_of(&sent.body())).await.expect(200);
    let change = json!({ "name": "Telltale Renamed" });
    let renamed = person.patches("/v1/auth/me", &change).with("user-agent", agent);
    renamed.answer().await.expect(200);
    let forgotten = json!({ "email": "telltale-mailbox@example.org" });
    stranger.posts("/v1/auth/password/forgot", &forgotten).answer().await.expect(202);
    person.invites("acme", "dora@example.org", "viewer").await;
    person
        .patches("/v1/organization", &json!({ "name": "Telltale Name" }))
        .answer()
        .await
        .expect(200);
    let denied =
        person.posts("/v1/organizations/acme/transfer", &json!({})).with("user-agent", agent);
    denied.answer().await.expect(403);
    person.gets("/v1/auth/sessions").with("user-agent", agent).answer().await.expect(200);
    // the link to a new password, and the person's own invitation
    node.until_it_has_said("a mail is delivered", 5).await;
    let mails = files(&on.data().join("outbox"));
    let names_them = |mail: &Path| {
        let text = std::fs::read_to_string(mail).unwrap();
        text.contains("telltale-mailbox") || text.contains("Telltale")
    };
    assert_eq!(mails.iter().filter(|mail| names_them(mail)).count(), 4);
    let before = wrapped_keys(&on);

    let erased = json!({ "password": "telltale passphrase" });
    let erased = person.deletes("/v1/account").json(&erased).with("user-agent", agent);
    erased.answer().await.expect(204);
    node.until_it_says("an erasure is recorded wherever").await;
    node.until_it_says("no mails of an erased person are kept").await;

    let after = wrapped_keys(&on);
    let destroyed: Vec<Vec<u8>> = before
        .into_iter()
        .filter(|(subject, _)| after[subject].is_none())
        .filter_map(|(_, wrapped)| wrapped)
        .collect();
    assert_eq!(destroyed.len(), 2, "the person's, and that of their organization's name");
    // with what is still in the write-ahead logs, in a copy as an operator makes one, and without
    assert_nothing_left(&on.data(), &destroyed);
    let copy = tempfile::tempdir().unwrap();
    for name in ["log.db", "keyring.db", "state.db", "read.db"] {
        let database = rusqlite::Connection::open(on.data().join(name)).unwrap();
        let to = copy.path().join(name).display().to_string();
        database.execute("VACUUM INTO ?1", [to]).unwrap();
    }
    assert_nothing_left(copy.path(), &destroyed);
    assert_eq!(files(&on.data().join("outbox")).len(), 1, "the mail to ana stays");
    let said = node.stop().await;
    assert_none_of(&SECRETS, "what the program said", said.as_bytes());
    assert_nothing_left(&on.data(), &destroyed);
    assert_whole(&on).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_keyring_brings_nobody_back() {
    let on = Installation::sqlite();
    let node = on.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let (ben, dora) =
        (Person::registers(&node, "ben").await, Person::registers(&node, "dora").await);
    for person in [&ben, &dora] {
        ana.takes_in(person, "acme", "viewer").await;
    }
    dora.erases().answer().await.expect(204);
    node.stop().await;
    let keyring = on.data().join("keyring.db");
    let copy = std::fs::read(&keyring).unwrap();
    let node = on.start().await;
    ben.at(&node).erases().answer().await.expect(204);
    node.until_it_says("an erasure is recorded wherever").await;
    node.stop().await;

    std::fs::write(&keyring, copy).unwrap();
    for is_first in [true, false] {
        let node = on.start().await;
        let ana = ana.at(&node);
        let shown = ana.pages("/v1/organizations/acme/invitations", "invitations").await;
        assert!(shown.iter().all(|invitation| invitation["email"] == "erased"), "{shown:?}");
        ben.at(&node).signs_in().await.expect(401);
        assert_eq!(node.stop().await.contains("the keyring is an older copy"), is_first);
    }
    let keys = wrapped_keys(&on);
    assert_eq!(keys.values().filter(|wrapped| wrapped.is_none()).count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_server_keeps_no_word_of_an_erased_person() {
    let on = Installation::postgres().await;
    let node = on.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let person = Person::registers(&node, "telltale-mailbox").await;
    ana.takes_in(&person, "acme", "admin").await;
    let mut connection = on.database().connect().await;
    let keys = "SELECT subject, encode(wrapped, 'hex') FROM keyring.subject_key";
    let before: Vec<(uuid::Uuid, Option<String>)> =
        sqlx::query_as(keys).fetch_all(&mut connection).await.unwrap();
    person.erases().answer().await.expect(204);
    node.until_it_says("an erasure is recorded wherever").await;
    let after: HashMap<uuid::Uuid, Option<String>> =
        sqlx::query_as(keys).fetch_all(&mut connection).await.unwrap().into_iter().collect();
    let destroyed: Vec<String> = before
        .into_iter()
        .filter(|(subject, _)| after[subject].is_none())
        .filter_map(|(_, wrapped)| wrapped)
        .collect();
    assert_eq!(destroyed.len(), 2);
    node.stop().await;
    let tables = "SELECT schemaname || '.' || tablename FROM pg_tables \
                  WHERE schemaname IN ('log', 'keyring', 'state', 'read')";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut connection).await.unwrap();
    assert!(tables.len() > 10);
    for table in tables {
        let rows = sqlx::AssertSqlSafe(format!("SELECT t::text FROM {table} t"));
        let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&mut connection).await.unwrap();
        for row in rows {
            assert_none_of(&["telltale-mailbox"], &table, row.as_bytes());
            // what is kept as bytes is shown as their digits, within which text has digits of its own
            let digits = "telltale-mailbox".bytes().map(|byte| format!("{byte:02x}"));
            assert!(!row.contains(&digits.collect::<Vec<_>>().concat()), "{table}");
            assert!(destroyed.iter().all(|key| !row.contains(key)), "a wrapped key is in {table}");
        }
    }
}
