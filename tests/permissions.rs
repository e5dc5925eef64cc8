//! Who may do what, as one table over the real server: each operation on an organization in the
//! server's own document, tried by everybody in an organization of its own, and the scope that a
//! token needs for it. The table is `permissions.txt`; an operation that is not in it fails the
//! test, and `CHANCERY_TEST_ACCEPT=1` writes it anew, to be read before it is committed.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::operations::{
    Holdings, Operation, Places, Stated, draft_of, has_packet_made, has_payment_method,
    of_organizations, takes_a_plan,
};
use crate::people::{Answer, Person, words};
use crate::server::Installation;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/permissions.txt");
const ROLES: [&str; 5] = ["owner", "admin", "developer", "member", "viewer"];
const FAMILIES: [&str; 11] = [
    "audit",
    "backups",
    "billing",
    "compliance",
    "members",
    "org",
    "pipelines",
    "services",
    "tokens",
    "usage",
    "webhooks",
];
const LEVELS: [&str; 3] = ["read", "write", "admin"];
/// What only a person does who has signed in, so that no scope is enough.
const SIGN_IN: &str = "(sign in)";

struct People {
    founder: Person,
    /// The member on whom something is done: a viewer.
    other: Person,
    other_id: String,
    /// One of each role.
    members: Vec<Person>,
    stranger: Person,
    nobody: Person,
    provisioner: Person,
}

/// With which credential somebody asks.
#[derive(Clone)]
enum Asking<'a> {
    /// A member of this role with their session.
    Member(usize),
    /// The same with a token of theirs that has these scopes.
    Token(usize, &'a [String]),
    /// A key of the organization for everything.
    Key,
    Stranger,
    Nobody,
}

/// What somebody is answered who tries an operation in a fresh organization.
async fn tried(operation: &Operation, people: &People, asking: &Asking<'_>, slug: &str) -> Answer {
    let People { founder, other, other_id, members, stranger, nobody, provisioner } = people;
    founder.creates(slug).await;
    founder.takes_in(other, slug, "viewer").await;
    if let Asking::Member(role) | Asking::Token(role, _) = asking {
        founder.takes_in(&members[*role], slug, ROLES[*role]).await;
    }
    let path = format!("/v1/organizations/{slug}/invitations");
    let invitation = json!({ "email": "invited@example.org", "role": "viewer" });
    let invited = founder.posts(&path, &invitation).answer().await.expect(201).body();
    let log = founder.gets(&format!("/v1/organizations/{slug}/audit-log?page_size=1"));
    let log = log.answer().await.expect(200).body();
    let key = founder.makes_token(slug, "organization", &["*"]).await;
    let is_about_a_statement = operation.is_about_a_statement();
    let stated =
        if is_about_a_statement { Stated::by(founder, slug).await } else { Stated::default() };
    let is_about_evidence = operation.is_about_evidence();
    let packet =
        if is_about_evidence { has_packet_made(founder, slug).await } else { String::new() };
    let is_about_a_holding = operation.is_about_a_holding();
    let holdings = if is_about_a_holding {
        Holdings::named_in(Some(&operation.path), founder, provisioner, slug).await
    } else {
        Holdings::default()
    };
    let payment_method = if operation.is_about_a_payment_method() {
        has_payment_method(founder, slug).await
    } else {
        String::new()
    };
    if operation.is_about_seats() {
        takes_a_plan(founder, slug).await;
    }
    let places = Places {
        holdings,
        packet,
        payment_method,
        invoice: draft_of(founder, slug).await,
        org: slug.to_owned(),
        member: other_id.clone(),
        invitation: words(&invited["id"]),
        event: words(&log["events"][0]["id"]),
        token: words(&key.body()["token_info"]["id"]),
        stated,
    };
    let who = match asking {
        Asking::Member(role) => members[*role].clone(),
        Asking::Token(role, scopes) => {
            let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
            let made = members[*role].makes_token(slug, "personal", &scopes).await;
            members[*role].with_token_of(&made)
        }
        Asking::Key => {
            nobody.with_token_of(&founder.makes_token(slug, "organization", &["*"]).await)
        }
        Asking::Stranger => stranger.clone(),
        Asking::Nobody => nobody.clone(),
    };
    let ask = operation.asked_by(&who, &places, "");
    let ask = match operation.valid_body(&places) {
        Some(body) => ask.json(&body),
        None => ask,
    };
    ask.answer().await
}

/// The code of a refusal, and the scope that it asks for.
fn refusal(answer: &Answer) -> (u16, Value, Value) {
    let body = if answer.bytes.is_empty() { Value::Null } else { answer.body() };
    (answer.status, body["code"].clone(), body["required_scope"].clone())
}

/// Every scope but those that include this one.
fn all_but(scope: &str) -> Vec<String> {
    let (family, level) = scope.split_once(':').unwrap_or((scope, ""));
    let lacking = LEVELS.iter().position(|known| *known == level);
    let mut scopes = Vec::new();
    for known in FAMILIES {
        let levels = if known == family { lacking.unwrap_or(LEVELS.len()) } else { LEVELS.len() };
        scopes.extend(LEVELS[..levels].last().map(|level| format!("{known}:{level}")));
    }
    scopes
}

/// The scope that an owner's token needs: with it alone the token does what its owner can, and with
/// every other one it does not.
async fn scope_of(operation: &Operation, people: &People, may: u16, slug: &str) -> String {
    let of_another_kind = ["webhooks:read".to_owned()];
    let asking = Asking::Token(0, &of_another_kind);
    let lacking = refusal(&tried(operation, people, &asking, &format!("{slug}-lacking")).await);
    if lacking.1 == "sign_in_required" {
        return SIGN_IN.to_owned();
    }
    assert_eq!((lacking.0, &lacking.1), (403, &json!("missing_scope")), "{operation:?}");
    let scope = words(&lacking.2);
    let enough = [scope.clone()];
    let asking = Asking::Token(0, &enough);
    let answer = tried(operation, people, &asking, &format!("{slug}-enough")).await;
    assert_eq!(answer.status, may, "{operation:?} with {scope}");
    let all_but = all_but(&scope);
    let asking = Asking::Token(0, &all_but);
    let answer = tried(operation, people, &asking, &format!("{slug}-others")).await;
    let expected = (403, json!("missing_scope"), json!(scope));
    assert_eq!(refusal(&answer), expected, "{operation:?} with {all_but:?}");
    scope
}

/// No token can do what its owner cannot, and one for everything does what its owner can, but for
/// what takes a sign-in.
fn assert_same(operation: &Operation, of_owner: &Answer, of_token: &Answer) {
    let is_sign_in = of_token.status == 403 && of_token.body()["code"] == "sign_in_required";
    assert!(is_sign_in || of_token.status == of_owner.status, "{operation:?}: {of_token:?}");
}

/// One line of the table, without its name.
async fn row(operation: &Operation, people: &People, slug: &str) -> String {
    let everything = ["*".to_owned()];
    let mut row = String::new();
    let mut may = 0;
    for (role, name) in ROLES.iter().enumerate() {
        let with_session =
            tried(operation, people, &Asking::Member(role), &format!("{slug}-{name}")).await;
        let asking = Asking::Token(role, &everything);
        let with_token = tried(operation, people, &asking, &format!("{slug}-{name}-token")).await;
        assert_same(operation, &with_session, &with_token);
        write!(row, "{:>10}", with_session.status).unwrap();
        if role == 0 {
            may = with_session.status;
        }
    }
    for (asking, name) in
        [(Asking::Key, "key"), (Asking::Stranger, "stranger"), (Asking::Nobody, "anonymous")]
    {
        let status = tried(operation, people, &asking, &format!("{slug}-{name}")).await.status;
        write!(row, "{status:>10}").unwrap();
    }
    let scope = scope_of(operation, people, may, slug).await;
    format!("{row}  {scope}")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_and_scope_may_do_what_the_table_says() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let founder = Person::registers(&node, "founder").await;
    let other = Person::registers(&node, "other").await;
    let mut members = Vec::new();
    for role in ROLES {
        members.push(Person::registers(&node, role).await);
    }
    let stranger = Person::registers(&node, "stranger").await;
    let nobody = Person::stranger(&node);
    let other_id = other.id().await;
    let provisioner = nobody.with_token(Some(installation.provisioner_token()));
    let people = People { founder, other, other_id, members, stranger, nobody, provisioner };
    let people = Arc::new(people);

    let operations = of_organizations(&node).await;
    let width = operations.iter().map(|it| it.path.len()).max().expect("there are some") + 8;
    let mut table = format!("{:width$}", "");
    for column in ROLES.iter().chain(&["key", "stranger", "anonymous"]) {
        write!(table, "{column:>10}").unwrap();
    }
    table.push_str("  scope");
    let mut rows = JoinSet::new();
    for (number, operation) in operations.iter().cloned().enumerate() {
        let people = Arc::clone(&people);
        rows.spawn(async move { (number, row(&operation, &people, &format!("o{number}")).await) });
    }
    let mut rows = rows.join_all().await;
    rows.sort_unstable();
    for (operation, (_, row)) in operations.iter().zip(rows) {
        let (method, path) = (operation.method.as_str(), &operation.path);
        write!(table, "\n{method:7} {path:rest$}{row}", rest = width - 8).unwrap();
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
