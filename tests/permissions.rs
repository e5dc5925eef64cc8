//! Who may do what, as one table over the real server: each operation on an organization in the
//! server's own document, tried by everybody in an organization of its own. The table is
//! `permissions.txt`; an operation that is not in it fails the test, and
//! `CHANCERY_TEST_ACCEPT=1` writes it anew, to be read before it is committed.

use std::fmt::Write as _;

use serde_json::json;

use crate::operations::{Operation, Places, of_organizations};
use crate::people::{Person, words};
use crate::server::Installation;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/permissions.txt");
const ROLES: [&str; 5] = ["owner", "admin", "developer", "member", "viewer"];

struct People {
    founder: Person,
    /// The member on whom something is done: a viewer.
    other: Person,
    other_id: String,
    /// One of each role, somebody who belongs to nothing, and nobody.
    columns: Vec<(&'static str, Person)>,
}

/// What somebody is answered who tries an operation in a fresh organization.
async fn tried(operation: &Operation, people: &People, column: usize, slug: &str) -> u16 {
    let People { founder, other, other_id, columns } = people;
    let (role, who) = &columns[column];
    founder.creates(slug).await;
    founder.takes_in(other, slug, "viewer").await;
    if ROLES.contains(role) {
        founder.takes_in(who, slug, role).await;
    }
    let path = format!("/v1/organizations/{slug}/invitations");
    let invitation = json!({ "email": "invited@example.org", "role": "viewer" });
    let invited = founder.posts(&path, &invitation).answer().await.expect(201).body();
    let log = founder.gets(&format!("/v1/organizations/{slug}/audit-log?page_size=1"));
    let log = log.answer().await.expect(200).body();
    let places = Places {
        org: slug.to_owned(),
        member: other_id.clone(),
        invitation: words(&invited["id"]),
        event: words(&log["events"][0]["id"]),
    };
    let ask = operation.asked_by(who, &places, "");
    let ask = match operation.valid_body(&places) {
        Some(body) => ask.json(&body),
        None => ask,
    };
    ask.answer().await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_may_do_what_the_table_says() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let founder = Person::registers(&node, "founder").await;
    let other = Person::registers(&node, "other").await;
    let mut columns = Vec::new();
    for role in ROLES {
        columns.push((role, Person::registers(&node, role).await));
    }
    columns.push(("stranger", Person::registers(&node, "stranger").await));
    columns.push(("anonymous", Person::stranger(&node)));
    let other_id = other.id().await;
    let people = People { founder, other, other_id, columns };

    let operations = of_organizations(&node).await;
    let width = operations.iter().map(|it| it.path.len()).max().expect("there are some") + 8;
    let mut table = format!("{:width$}", "");
    for (role, _) in &people.columns {
        write!(table, "{role:>10}").unwrap();
    }
    for (row, operation) in operations.iter().enumerate() {
        write!(
            table,
            "\n{:7} {:rest$}",
            operation.method.as_str(),
            operation.path,
            rest = width - 8
        )
        .unwrap();
        for column in 0..people.columns.len() {
            let status = tried(operation, &people, column, &format!("o-{row}-{column}")).await;
            write!(table, "{status:>10}").unwrap();
        }
    }
    table.push('\n');
    if std::env::var_os("CHANCERY_TEST_ACCEPT").is_some() {
        std::fs::write(TABLE, &table).unwrap();
    }
    let accepted = std::fs::read_to_string(TABLE).unwrap_or_default();
    let (mut new, mut old) = (String::new(), String::new());
    for line in table.lines().filter(|line| !accepted.lines().any(|other| other == *line)) {
        writeln!(new, "{line}").unwrap();
    }
    for line in accepted.lines().filter(|line| !table.lines().any(|other| other == *line)) {
        writeln!(old, "{line}").unwrap();
    }
    assert!(
        table == accepted,
        "the server does this:\n{new}\nand tests/permissions.txt says this:\n{old}"
    );
}
