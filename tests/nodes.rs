//! Several nodes over one database: what one wrote the other shows at once, and only one of them
//! advances the read models.

use std::time::Instant;

use sqlx::Connection as _;
use tokio::task::JoinSet;

use crate::people::Person;
use crate::postgres::Database;
use crate::server::{Installation, Node};

/// Callers at once.
const CALLERS: usize = 20;
/// Creations and renames of one round.
const WRITES: usize = 200;

/// 10 000 in all unless other rounds are asked for.
fn writes_of_each_caller() -> usize {
    (crate::rounds::rounds().len() * WRITES).div_ceil(CALLERS)
}

async fn two_nodes() -> (Installation, Node, Node) {
    let installation = Installation::postgres().await.with_master_key();
    let one = installation.start_node(0).await;
    let two = installation.start_node(1).await;
    (installation, one, two)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_wrote_the_other_shows_at_once() {
    let (installation, one, two) = two_nodes().await;
    let mut callers = JoinSet::new();
    let started = Instant::now();
    for number in 0..CALLERS {
        let here = Person::registers(&one, &format!("caller-{number}")).await;
        let there = here.at(&two);
        callers.spawn(async move {
            let (mut written_so_far, mut late, mut stale) = (0, 0, 0);
            for write in 0..writes_of_each_caller() {
                let (writer, reader) =
                    if write % 2 == 0 { (&here, &there) } else { (&there, &here) };
                // every tenth write founds an organization, the others rename the newest one
                let slug = format!("org-{number}-{}", write / 10);
                let written = if write % 10 == 0 {
                    writer.creates(&slug).await
                } else {
                    writer.renames(&slug, &format!("Name {write}")).await
                };
                written_so_far += 1;
                // an answer that came before the read models says so, and promises nothing
                if written.header("caught-up").is_some() {
                    late += 1;
                    continue;
                }
                stale += usize::from(reader.shows(&slug).await != written.body());
                if write % 10 == 0 {
                    let newest = reader.gets("/v1/organizations?page_size=2").answer().await;
                    let newest = newest.expect(200).body();
                    stale += usize::from(newest["organizations"][1]["slug"] != slug.as_str());
                }
            }
            (written_so_far, late, stale)
        });
    }
    let (mut writes, mut late, mut stale) = (0, 0, 0);
    for (of_caller, late_there, stale_there) in callers.join_all().await {
        writes += of_caller;
        late += late_there;
        stale += stale_there;
    }
    eprintln!("{writes} writes, {late} of them late, in {:?}", started.elapsed());
    assert_eq!(stale, 0, "answers that were older than the write before them");
    // a busy machine has many, but most must have been compared
    assert!(late * 2 <= writes, "{late} of {writes} came before the read models");
    one.stop().await;
    two.stop().await;
    installation.assert_no_difference();
}

/// How often the right to advance the read models has changed hands.
async fn epoch(database: &Database) -> i64 {
    let mut connection = database.connect().await;
    let epoch = sqlx::query_scalar("SELECT epoch FROM read.projector").fetch_one(&mut connection);
    let epoch = epoch.await.unwrap();
    connection.close().await.unwrap();
    epoch
}

/// Everything the read models hold, in one word. The trees over the logs follow a step behind.
async fn rows(database: &Database) -> String {
    let mut connection = database.connect().await;
    let all = "SELECT md5(string_agg(r::text, '|' ORDER BY r::text)) || ' ' || \
               (SELECT p.position::text FROM read.projector p) FROM read.row r \
               WHERE r.model <> 'ledger'";
    let rows = sqlx::query_scalar(all).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    rows
}

/// Lets the owner freeze while it writes rows, waits until the other node has taken over, and
/// wakes it: it must say this, and change nothing.
async fn owner_freezes_at(place: &str, waking: &str) {
    let installation = Installation::postgres().await.with_master_key();
    let variables = [
        ("CHANCERY_FAIL_POINT", place),
        ("CHANCERY_FAIL_HOW", "sleep"),
        // later than everything it does to start and to take in the registration
        ("CHANCERY_FAIL_AFTER", "40"),
    ];
    let owner = installation.launch(0, &variables).serving().await;
    let ana = Person::registers(&owner, "ana").await;
    let other = installation.start_node(1).await;
    let ana = ana.at(&other);
    ana.creates("acme").await;
    let before = epoch(installation.database()).await;
    let writing = async {
        for number in 0.. {
            ana.renames("acme", &format!("Acme {number}")).await;
        }
    };
    let there = format!("reached {place}");
    tokio::select! {
        _ = owner.until_it_says(&there) => {}
        () = writing => {}
    }
    owner.pause();

    let position = ana.renames("acme", "Acme after all").await.position();
    ana.waits_for(position).await;
    assert_eq!(ana.shows("acme").await["name"], "Acme after all");
    assert_eq!(epoch(installation.database()).await, before + 1);
    let settled = rows(installation.database()).await;

    owner.resume();
    owner.until_it_says(waking).await;
    assert_eq!(rows(installation.database()).await, settled, "its late commit changes nothing");
    ana.at(&owner).renames("acme", "Acme again").await;
    assert_eq!(ana.shows("acme").await["name"], "Acme again");
    assert_eq!(epoch(installation.database()).await, before + 1);
    owner.stop().await;
    other.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_slept_before_its_commit_changes_nothing() {
    owner_freezes_at("read.advancing", "another node advances the read models now").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_sleeps_within_its_commit_holds_nobody_up() {
    owner_freezes_at("read.advanced", "the projector pauses").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_is_paused_between_commits_is_replaced() {
    let (installation, one, two) = two_nodes().await;
    let ana = Person::registers(&one, "ana").await;
    ana.creates("acme").await;
    let before = epoch(installation.database()).await;
    one.pause();
    let ana = ana.at(&two);
    let position = ana.renames("acme", "Acme Two").await.position();
    ana.waits_for(position).await;
    one.resume();
    ana.at(&one).renames("acme", "Acme Three").await;
    assert_eq!(ana.shows("acme").await["name"], "Acme Three");
    assert_eq!(epoch(installation.database()).await, before + 1);
    one.stop().await;
    two.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_hands_over_at_once() {
    let (installation, one, two) = two_nodes().await;
    let ana = Person::registers(&one, "ana").await;
    let before = epoch(installation.database()).await;
    one.stop().await;
    let stopped = Instant::now();
    let created = ana.at(&two).creates("acme").await;
    // what is not handed over is taken when the lease runs out, ten seconds later or more
    assert!(stopped.elapsed().as_secs() < 8, "{:?}", stopped.elapsed());
    assert_eq!(ana.at(&two).shows("acme").await, created.body());
    assert_eq!(epoch(installation.database()).await, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_at_once_on_nothing_agree_on_one_log() {
    for installation in
        [Installation::postgres().await.with_master_key(), Installation::postgres().await]
    {
        let launched = [0, 1, 2].map(|node| installation.launch(node, &[]));
        let mut nodes = Vec::new();
        for node in launched {
            nodes.push(node.serving().await);
        }
        let ana = Person::registers(&nodes[0], "ana").await;
        for (number, node) in nodes.iter().enumerate() {
            ana.at(node).signs_in().await.expect(200);
            ana.at(node).creates(&format!("acme-{number}")).await;
        }
        for node in &nodes {
            assert_eq!(ana.at(node).lists().await[1..], ["acme-2", "acme-1", "acme-0"]);
        }
        let mut connection = installation.database().connect().await;
        let begun = "SELECT count(*) FROM log.event WHERE stream = 'platform'";
        let begun: i64 = sqlx::query_scalar(begun).fetch_one(&mut connection).await.unwrap();
        // its beginning, and one key of each purpose
        assert_eq!(begun, 3);
        connection.close().await.unwrap();
        for node in nodes {
            node.stop().await;
        }
        installation.assert_no_difference();
    }
}
