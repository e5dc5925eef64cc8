//! Leases on connections: taken while there is room, renewed, given back, ended by what happens to their
//! database and organization, and counted as usage once.

use std::time::Instant;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use crate::listener::{Listener, SOON};
use crate::operations::database;
use crate::people::{Answer, Person, words};
use crate::postgres::Database;
use crate::rounds::rounds;
use crate::server::{Installation, Node, on_every_store};

on_every_store! {
    a_lease_is_taken_renewed_and_given_back
    leases_end_with_what_they_are_on
}

const ACME: &str = "/v1/organizations/acme";
const CONNECTIONS: &str = "/v1/organizations/acme/connections";
const STREAM: &str = "/v1/provisioner/leases/stream";
/// A database that there is not.
const NOBODYS: &str = "db_01h2xcejqtf2nbrexx3vqjhp41";

/// Ana has `acme`; the other one runs its databases.
struct People {
    ana: Person,
    provisioner: Person,
}

impl People {
    async fn on(installation: &Installation, node: &Node) -> Self {
        let ana = Person::registers(node, "ana").await;
        ana.creates("acme").await;
        let provisioner = ana.with_token(Some(installation.provisioner_token()));
        Self { ana, provisioner }
    }

    fn at(&self, node: &Node) -> Self {
        Self { ana: self.ana.at(node), provisioner: self.provisioner.at(node) }
    }

    /// A database of `acme` that runs.
    async fn has(&self, name: &str) -> String {
        let made = self.ana.posts(&format!("{ACME}/databases"), &database(name)).answer().await;
        let id = words(&made.expect(201).body()["id"]);
        self.provisioner.reports(&id, &json!({ "status": "running" })).await.expect(200);
        id
    }

    async fn listens(&self, behind: Option<u64>) -> Listener {
        let ask = self.provisioner.gets(STREAM);
        let ask = match behind {
            Some(last) => ask.with("last-event-id", &last.to_string()),
            None => ask,
        };
        Listener::opens(ask, "behind").await
    }
}

async fn connects(ana: &Person, database: &str) -> Answer {
    ana.posts(CONNECTIONS, &json!({ "database_id": database })).answer().await
}

/// The id of a lease that is taken.
async fn connected(ana: &Person, database: &str) -> String {
    words(&connects(ana, database).await.expect(201).body()["id"])
}

fn of(connection: &str) -> String {
    format!("{CONNECTIONS}/{connection}")
}

async fn renews(ana: &Person, connection: &str) -> Answer {
    ana.puts(&of(connection), &json!({})).answer().await
}

async fn living(ana: &Person) -> Vec<String> {
    let all = ana.pages(&format!("{CONNECTIONS}?page_size=2"), "connections").await;
    all.iter().map(|connection| words(&connection["id"])).collect()
}

async fn quota(ana: &Person) -> Value {
    let quotas = ana.gets(&format!("{ACME}/quotas")).answer().await.expect(200).body();
    let quotas = quotas["quotas"].as_array().unwrap().clone();
    quotas.into_iter().find(|quota| quota["name"] == "connections").expect("it is there")
}

/// For how many seconds connections were held open this month.
async fn seconds(ana: &Person) -> u64 {
    let usage = ana.gets(&format!("{ACME}/usage?group_by=database")).answer().await.expect(200);
    let usage = usage.body()["usage"].as_array().unwrap().clone();
    usage.iter().map(|database| database["connection_seconds"].as_u64().unwrap()).sum()
}

/// Waits until that is at least so much; it is told within a second or two.
async fn counts(ana: &Person, at_least: u64) -> u64 {
    let began = Instant::now();
    loop {
        let seconds = seconds(ana).await;
        if seconds >= at_least {
            return seconds;
        }
        assert!(began.elapsed() < SOON, "{seconds} of {at_least} seconds are told");
    }
}

async fn a_lease_is_taken_renewed_and_given_back(installation: Installation) {
    let node = installation.start().await;
    let people = People::on(&installation, &node).await;
    let ana = &people.ana;
    let orders = people.has("orders").await;
    let taken = connects(ana, &orders).await.expect(201).body();
    let id = words(&taken["id"]);
    assert!(id.starts_with("con_"), "{id}");
    assert_eq!(taken["database_id"], orders);
    let second = connected(ana, &orders).await;
    let third = connected(ana, &orders).await;
    let mut all = [&id, &second, &third].map(String::clone);
    let mut found = living(ana).await;
    all.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, all);
    assert_eq!(
        quota(ana).await,
        json!({
            "name": "connections", "limit": null, "used": 3, "remaining": null, "resets_at": null
        })
    );

    let renewed = renews(ana, &id).await.expect(200).body();
    assert_eq!((&renewed["id"], &renewed["created_at"]), (&taken["id"], &taken["created_at"]));
    assert!(words(&renewed["expires_at"]) >= words(&taken["expires_at"]));
    ana.deletes(&of(&id)).key("bye").answer().await.expect(204);
    let again = ana.deletes(&of(&id)).key("bye").answer().await.expect(204);
    assert!(again.is_replayed());
    for gone in [renews(ana, &id).await, ana.deletes(&of(&id)).answer().await] {
        assert_eq!(gone.refusal(), (404, "not_found".to_owned()));
    }
    assert_eq!(quota(ana).await["used"], 2);
    let held = counts(ana, 1).await;
    for connection in [&second, &third] {
        ana.deletes(&of(connection)).answer().await.expect(204);
    }
    counts(ana, held + 2).await;
    node.stop().await;
    installation.assert_no_difference();
}

async fn leases_end_with_what_they_are_on(installation: Installation) {
    let node = installation.start().await;
    let people = People::on(&installation, &node).await;
    let ana = &people.ana;
    let operator = Person::operator(&node, installation.operator_token());
    let mut listener = people.listens(None).await;
    let names = ["one", "two", "three", "four"];
    let mut databases = Vec::new();
    for name in names {
        databases.push(people.has(name).await);
    }
    let mut leases = Vec::new();
    for database in &databases {
        leases.push(connected(ana, database).await);
    }
    let illegal = (409, "illegal_state".to_owned());
    let mut ended = 0;
    let mut expect = async |lease: usize, reason: &str| {
        ended += 1;
        let heard = listener.hears_of(ended).await;
        assert_eq!(heard.event, "lease.ended");
        assert_eq!(
            (&heard.data["id"], &heard.data["database_id"], &heard.data["reason"]),
            (&json!(leases[lease]), &json!(databases[lease]), &json!(reason))
        );
        ended
    };
    let stop = format!("{ACME}/databases/{}/stop", databases[0]);
    ana.posts(&stop, &json!({})).answer().await.expect(200);
    assert_eq!(connects(ana, &databases[0]).await.refusal(), illegal);
    expect(0, "stopped").await;
    assert_eq!(renews(ana, &leases[0]).await.status, 404);
    people.provisioner.reports(&databases[1], &json!({ "status": "failed" })).await.expect(200);
    expect(1, "failed").await;
    let gone = format!("{ACME}/databases/{}", databases[2]);
    ana.deletes(&gone).answer().await.expect(204);
    expect(2, "database_deleted").await;
    assert_eq!(living(ana).await, [leases[3].clone()]);

    let order =
        |what: &str| operator.posts(&format!("/v1/admin/organizations/acme/{what}"), &json!({}));
    order("suspend").answer().await.expect(200);
    let suspended = (402, "organization_suspended".to_owned());
    assert_eq!(connects(ana, &databases[3]).await.refusal(), suspended);
    expect(3, "suspended").await;
    order("resume").answer().await.expect(200);
    let last = connected(ana, &databases[3]).await;
    let confirmed = json!({ "confirm": "acme" });
    ana.deletes(ACME).json(&confirmed).answer().await.expect(204);
    let heard = listener.hears_of(5).await.data;
    assert_eq!((&heard["id"], &heard["reason"]), (&json!(last), &json!("deleted")));

    // who comes back misses nothing, after a crash too
    node.kill();
    let node = installation.start().await;
    let people = people.at(&node);
    let mut again = people.listens(Some(2)).await;
    for (id, reason) in [(3, "database_deleted"), (4, "suspended"), (5, "deleted")] {
        assert_eq!(again.hears_of(id).await.data["reason"], reason);
    }
    node.stop().await;
    assert!(again.hears().await.is_none(), "it has ended, and is not torn");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_for_a_database_that_runs() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let people = People::on(&installation, &node).await;
    let ana = &people.ana;
    let pending = ana.posts(&format!("{ACME}/databases"), &database("new")).answer().await;
    let pending = words(&pending.expect(201).body()["id"]);
    assert_eq!(connects(ana, &pending).await.refusal(), (409, "illegal_state".to_owned()));
    for unknown in [NOBODYS, "orders"] {
        let refused = connects(ana, unknown).await;
        assert_eq!(refused.refusal(), (422, "validation_failed".to_owned()));
        assert_eq!(refused.body()["errors"][0]["field"], "database_id");
    }
    let orders = people.has("orders").await;
    let lease = connected(ana, &orders).await;
    ana.creates("other").await;
    for elsewhere in [
        ana.puts(&format!("/v1/organizations/other/connections/{lease}"), &json!({})),
        ana.deletes(&format!("/v1/organizations/other/connections/{lease}")),
        ana.puts(&of("con_01h2xcejqtf2nbrexx3vqjhp41"), &json!({})),
        ana.puts(&of("nonsense"), &json!({})),
    ] {
        assert_eq!(elsewhere.answer().await.refusal(), (404, "not_found".to_owned()));
    }
    assert_eq!(living(ana).await, [lease]);
    let refused = ana.gets(STREAM).answer().await;
    assert_eq!(refused.refusal(), (401, "provisioner_only".to_owned()));
    for odd in ["last_event_id=7", "last_event_id=x", "from=1"] {
        let refused = people.provisioner.gets(&format!("{STREAM}?{odd}")).answer().await;
        assert_eq!(refused.status, 400, "{odd}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_gives_the_same_lease() {
    let installation = Installation::postgres().await.with_master_key();
    let (one, two) = (installation.start_node(0).await, installation.start_node(1).await);
    let here = People::on(&installation, &one).await;
    let there = here.ana.at(&two);
    let orders = here.has("orders").await;
    let body = json!({ "database_id": orders });
    let take = |who: &Person| who.posts(CONNECTIONS, &body).key("first").answer();
    let first = take(&here.ana).await.expect(201);
    let id = words(&first.body()["id"]);
    let renew = |who: &Person| who.puts(&of(&id), &json!({})).key("renewal").answer();
    let renewed = renew(&here.ana).await.expect(200);
    let renewed_again = renew(&there).await.expect(200);
    assert!(renewed_again.is_replayed() && renewed_again.body() == renewed.body());
    for ended in [false, true] {
        if ended {
            there.deletes(&of(&id)).answer().await.expect(204);
        }
        let again = take(&there).await.expect(201);
        assert!(again.is_replayed());
        assert_eq!(again.body(), first.body());
    }
    assert!(living(&there).await.is_empty(), "a repeat takes no other one");
    let other = json!({ "database_id": NOBODYS });
    let refused = there.posts(CONNECTIONS, &other).key("first").answer().await;
    assert_eq!(refused.refusal(), (422, "idempotency_key_reused".to_owned()));
    one.kill();
    let again = take(&there).await.expect(201);
    assert_eq!(again.body(), first.body());
}

/// A node that sells plans with one connection and one database.
async fn selling_one(installation: &Installation, node: usize) -> Node {
    let path = installation.data().with_extension("plans.toml");
    let plan = "default_plan = \"one\"\n[[plans]]\nname = \"one\"\nmonthly_price = \"1.00\"\n\
                limits = { connections = 1, databases = 1 }\n";
    std::fs::write(&path, plan).unwrap();
    let path = path.display().to_string();
    let mut variables = vec![("CHANCERY_PLANS", path.as_str())];
    // provisioners come to every node with the credential of the first
    let token = if node == 0 { None } else { Some(installation.provisioner_token()) };
    let token = token.as_deref().map(str::trim);
    variables.extend(token.map(|token| ("CHANCERY_PROVISIONER_TOKEN", token)));
    installation.launch(node, &variables).serving().await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_want_the_last_connection_one_gets_it() {
    let installation = Installation::postgres().await.with_master_key();
    let (one, two) = (selling_one(&installation, 0).await, selling_one(&installation, 1).await);
    let here = People::on(&installation, &one).await;
    let (ana, there) = (&here.ana, here.ana.at(&two));
    let orders = here.has("orders").await;
    let mut firsts = [0, 0];
    for round in rounds() {
        let (a, b) = tokio::join!(connects(ana, &orders), connects(&there, &orders));
        let (place, taken, refused) = if a.status == 201 { (0, a, b) } else { (1, b, a) };
        assert_eq!(taken.status, 201, "round {round}: {taken:?}");
        assert_eq!(refused.refusal(), (402, "quota_exceeded".to_owned()), "round {round}");
        assert_eq!(refused.body()["errors"][0]["field"], "connections");
        firsts[place] += 1;
        let quota = quota(&there).await;
        assert_eq!(
            (&quota["limit"], &quota["used"], &quota["remaining"]),
            (&json!(1), &json!(1), &json!(0))
        );
        ana.deletes(&of(&words(&taken.body()["id"]))).answer().await.expect(204);
    }
    eprintln!("{} rounds; one was first {} times", rounds().len(), firsts[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_want_the_last_database_one_gets_it() {
    let installation = Installation::postgres().await.with_master_key();
    let (one, two) = (selling_one(&installation, 0).await, selling_one(&installation, 1).await);
    let ana = Person::registers(&one, "ana").await;
    let there = ana.at(&two);
    ana.creates("acme").await;
    let databases = format!("{ACME}/databases");
    for round in rounds() {
        let wanted = |name: &str| database(&format!("{name}-{round}"));
        let (a, b) = tokio::join!(
            ana.posts(&databases, &wanted("orders")).answer(),
            there.posts(&databases, &wanted("stock")).answer(),
        );
        let (made, refused) = if a.status == 201 { (a, b) } else { (b, a) };
        assert_eq!(made.status, 201, "round {round}: {made:?}");
        assert_eq!(refused.refusal(), (402, "quota_exceeded".to_owned()), "round {round}");
        assert_eq!(refused.body()["errors"][0]["field"], "databases");
        let path = format!("{databases}/{}", words(&made.body()["id"]));
        there.deletes(&path).answer().await.expect(204);
    }
}

/// Makes every lease older, as if it had been taken so long ago and never been renewed.
async fn make_older(database: &Database, seconds: u64) {
    let mut connection = database.connect().await;
    let older = format!(
        "UPDATE state.connection_lease SET began_at = began_at - {millis}, \
         told_until = told_until - {millis}, expires_at = expires_at - {millis}, \
         untold_at = least(untold_at, told_until)",
        millis = seconds * 1000
    );
    connection.execute(AssertSqlSafe(older)).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_renews_ends_on_every_node() {
    let installation = Installation::postgres().await.with_master_key();
    let (one, two) = (selling_one(&installation, 0).await, selling_one(&installation, 1).await);
    let here = People::on(&installation, &one).await;
    let there = here.at(&two);
    let orders = here.has("orders").await;
    let lease = connected(&here.ana, &orders).await;
    let mut listeners = [here.listens(None).await, there.listens(None).await];
    assert_eq!(living(&there.ana).await, std::slice::from_ref(&lease));
    make_older(installation.database(), 61).await;
    // whether anybody has looked or not
    assert!(living(&there.ana).await.is_empty());
    assert_eq!(renews(&there.ana, &lease).await.status, 404);
    let next = connected(&there.ana, &orders).await;
    for listener in &mut listeners {
        let heard = listener.hears_of(1).await.data;
        assert_eq!((&heard["id"], &heard["reason"]), (&json!(lease), &json!("expired")));
    }
    // a minute, and what the next one is held for
    assert_eq!(counts(&here.ana, 60).await, 60);

    // the node that gave a lease dies; the lease lives
    let [_, mut listener] = listeners;
    one.kill();
    assert_eq!(connects(&there.ana, &orders).await.refusal().1, "quota_exceeded");
    renews(&there.ana, &next).await.expect(200);
    there.ana.deletes(&of(&next)).answer().await.expect(204);
    let heard = listener.hears_of(2).await.data;
    assert_eq!((&heard["id"], &heard["reason"]), (&json!(next), &json!("released")));
    connected(&there.ana, &orders).await;
    assert!(counts(&there.ana, 61).await >= 61);
}

#[tokio::test(flavor = "multi_thread")]
async fn seconds_count_once_though_they_are_told_twice() {
    let installation = Installation::postgres().await.with_master_key();
    let variables = [("CHANCERY_FAIL_POINT", "connection.told"), ("CHANCERY_FAIL_HOW", "abort")];
    let mut node = installation.launch(0, &variables).serving().await;
    let people = People::on(&installation, &node).await;
    let orders = people.has("orders").await;
    let lease = connected(&people.ana, &orders).await;
    make_older(installation.database(), 30).await;
    people.ana.deletes(&of(&lease)).answer().await.expect(204);
    // told, and dead before it knows that
    node.ended().await;
    let node = installation.start().await;
    let people = people.at(&node);
    let told = counts(&people.ana, 30).await;
    let next = connected(&people.ana, &orders).await;
    people.ana.deletes(&of(&next)).answer().await.expect(204);
    let after = counts(&people.ana, told + 1).await;
    assert!(after < told + 30, "{told}, then {after}: the first one counts once");
    node.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_comes_too_late_is_told_so() {
    let installation = Installation::postgres().await.with_master_key();
    let node = installation.start().await;
    let people = People::on(&installation, &node).await;
    let orders = people.has("orders").await;
    for _ in 0..2 {
        let lease = connected(&people.ana, &orders).await;
        people.ana.deletes(&of(&lease)).answer().await.expect(204);
    }
    counts(&people.ana, 2).await;
    let mut connection = installation.database().connect().await;
    let old = "UPDATE state.connection_lease SET ended_at = 0, untold_at = NULL WHERE sequence = 1";
    connection.execute(old).await.unwrap();
    let is_forgotten = "SELECT forgotten = 1 FROM state.connection_end";
    let began = Instant::now();
    while !sqlx::query_scalar::<_, bool>(is_forgotten).fetch_one(&mut connection).await.unwrap() {
        assert!(began.elapsed() < SOON, "what is old is forgotten");
    }
    connection.close().await.unwrap();
    let late = people.provisioner.gets(STREAM).with("last-event-id", "0").answer().await;
    assert_eq!(late.refusal(), (410, "leases_forgotten".to_owned()));
    people.listens(Some(1)).await.hears_of(2).await;
}
