//! Read models are what the log says: after traffic, after a rebuild, beside a fact that one of
//! them cannot take in, and not at all when the log is another than they were built from.

use chancery::event_log::{Expected, NewEvent};
use events::Event;
use events::chain::Link;
use events::id::{CommandId, EventId, OrganizationId};
use events::organization::{self, Changed, ChangedPersonal};
use events::personal::Personal;
use events::recorded::{Actor, BodyMac, Cause};
use events::stream::Stream;
use events::time::Time;
use events::wire::{self, Draft};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::metrics::{metrics, whole};
use crate::people::Person;
use crate::server::{Installation, on_every_store, text};

on_every_store! {
    a_rebuild_changes_nothing
    a_fact_that_one_model_cannot_take_in_stops_that_model_only
}

async fn a_rebuild_changes_nothing(installation: Installation) {
    let node = installation.start().await;
    let mut people = Vec::new();
    for name in ["ana", "ben", "eve"] {
        let person = Person::registers(&node, name).await;
        for number in 0..4 {
            let slug = format!("{name}-{number}");
            person.creates(&slug).await;
            person.renames(&slug, "Renamed").await;
        }
        let billing = json!({ "billing_email": "b@acme.com", "country": "DE", "name": "Desk" });
        person.patches("/v1/organization", &billing).answer().await.expect(200);
        people.push(person);
    }
    let mut before = Vec::new();
    for person in &people {
        before.push((person.lists().await, person.history(&person.lists().await[1]).await));
    }
    node.stop().await;
    installation.assert_no_difference();
    let rebuilt = installation.run(&["projections", "rebuild"]);
    assert!(rebuilt.status.success(), "{}", text(&rebuilt.stderr));
    installation.assert_no_difference();

    let node = installation.start().await;
    for (person, before) in people.iter().zip(before) {
        let person = person.at(&node);
        let lists = person.lists().await;
        let history = person.history(&lists[1]).await;
        assert_eq!((lists, history), before);
    }
}

/// An event of an organization that was never founded: a change of it fits no row.
pub(crate) fn unfounded(event: Event) -> (Stream, NewEvent) {
    let stream = Stream::Organization(OrganizationId(Uuid::new_v4()));
    let id = EventId(Uuid::new_v4());
    let mut draft = Draft {
        stream: &stream,
        version: 0,
        id,
        at: Time::from_millis(0),
        actor: &Actor::System,
        cause: &Cause {
            command: CommandId(Uuid::new_v4()),
            body: BodyMac([0; 32]),
            request: Uuid::nil(),
            token: None,
        },
        ip_address: Personal::Absent,
        user_agent: Personal::Absent,
        event,
        prev: Link::FIRST,
    };
    let encoded = wire::encode(&mut draft, |_| [0; 16]).expect("a line that can be written");
    (stream, NewEvent { id, kind: encoded.kind, line: encoded.line, sealed: Vec::new() })
}

/// The models that are not live, and what is wrong with them.
fn ailing(ready: &Value) -> Vec<[&str; 3]> {
    let models = ready["read_models"].as_array().expect("they are named");
    let ailing = models.iter().filter(|model| model["status"] != "live");
    ailing
        .map(|model| ["name", "status", "error"].map(|what| model[what].as_str().unwrap()))
        .collect()
}

async fn a_fact_that_one_model_cannot_take_in_stops_that_model_only(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    node.stop().await;

    let (stream, poison) = unfounded(Event::Organization(organization::Event::Updated {
        name: Some(Changed { from: "Nothing".to_owned(), to: "Something".to_owned() }),
        country: None,
        personal_name: ChangedPersonal::default(),
        billing_email: ChangedPersonal::default(),
    }));
    let log = installation.log().await;
    let at = log.append(&stream, Expected::NoStream, vec![poison]).await.unwrap().position;
    log.close().await;
    drop(log);

    let node = installation.start().await;
    node.until_it_says("a read model is stuck").await;
    let ana = ana.at(&node);
    let renamed = ana.renames("acme", "Acme Two").await;
    assert_eq!(renamed.body()["name"], "Acme Two");
    assert_eq!(renamed.header("caught-up"), None, "the others go on");
    let history = ana.history("acme").await;
    assert_eq!(history, ["organization.created", "organization.updated"]);
    ana.signs_in().await.expect(200);

    let ready = ana.gets("/readyz").answer().await.expect(200).body();
    assert_eq!(ready["status"], "degraded");
    let [[name, status, error]] = ailing(&ready)[..] else { panic!("one is stuck: {ready}") };
    assert_eq!((name, status), ("organization_overview", "stuck"));
    assert!(error.contains(&format!("at position {at}")), "{error}");
    let metrics = metrics(&ana).await;
    let of = |name: &str, model: &str| &metrics[&format!("{name}{{read_model=\"{model}\"}}")];
    assert_eq!(of("chancery_read_model_stuck", "organization_overview"), "1");
    assert_eq!(of("chancery_read_model_stuck", "audit_trail"), "0");
    let [behind, live] = ["organization_overview", "audit_trail"]
        .map(|model| whole(of("chancery_read_model_position", model)));
    assert!(behind < live, "{behind} is behind {live}");
    node.stop().await;

    // a restart tries again, and stops at the same place
    let node = installation.start().await;
    node.until_it_says("a read model is stuck").await;
    let ready = ana.at(&node).gets("/readyz").answer().await.expect(200).body();
    assert_eq!(ready["status"], "degraded");
    assert_eq!(ailing(&ready)[0][..2], ["organization_overview", "stuck"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_falls_due_and_cannot_be_done_is_named_in_readiness() {
    let installation = Installation::sqlite();
    installation.start().await.stop().await;
    let rows = rusqlite::Connection::open(installation.data().join("read.db")).unwrap();
    let unreadable = "INSERT INTO row VALUES ('due_list', 'due', 'inv_0', '0', '{}')";
    rows.execute(unreadable, []).unwrap();
    rows.close().unwrap();

    let node = installation.start().await;
    node.until_it_says("what has fallen due is not done yet").await;
    let ready = Person::stranger(&node).gets("/readyz").answer().await.expect(200).body();
    assert_eq!(ready["status"], "degraded", "{ready}");
    let due = json!({ "name": "due", "error": "what is due cannot be read" });
    assert!(ready["reactions"].as_array().unwrap().contains(&due), "{ready}");
    node.stop().await;

    let rebuilt = installation.run(&["projections", "rebuild"]);
    assert!(rebuilt.status.success(), "{}", text(&rebuilt.stderr));
    let node = installation.start().await;
    let ready = Person::stranger(&node).gets("/readyz").answer().await.expect(200).body();
    assert_eq!(ready["status"], "ready", "{ready}");
    let said = node.stop().await;
    assert!(!said.contains("WARN"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_older_than_its_read_models_is_not_served() {
    let installation = Installation::sqlite();
    let data = installation.data();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    node.stop().await;
    std::fs::copy(data.join("log.db"), data.join("older")).unwrap();

    let node = installation.start().await;
    ana.at(&node).creates("lost").await;
    ana.at(&node).renames("acme", "Lost").await;
    node.stop().await;
    let left = data.join("log.db-wal").metadata().map_or(0, |file| file.len());
    assert_eq!(left, 0, "a log that was closed is one file");
    std::fs::rename(data.join("older"), data.join("log.db")).unwrap();

    let node = installation.start().await;
    let ana = ana.at(&node);
    // asked at once, before anybody has had time to find out
    for path in [
        "/v1/organizations",
        "/v1/organizations/acme",
        "/v1/organization",
        "/v1/organizations/acme/audit-log",
    ] {
        let refused = ana.gets(path).answer().await;
        assert_eq!(refused.refusal(), (503, "unavailable".to_owned()), "{path}");
        assert!(refused.header("retry-after").is_some());
    }
    let ready = ana.gets("/readyz").answer().await.expect(503).body();
    assert_eq!(ready["status"], "not_ready");
    let projector = ready["projector"].as_str().unwrap();
    assert!(projector.contains("the read models know events that the log has not"), "{projector}");
    ana.gets("/livez").answer().await.expect(200);
    node.stop().await;

    let rebuilt = installation.run(&["projections", "rebuild"]);
    assert!(rebuilt.status.success(), "{}", text(&rebuilt.stderr));
    installation.assert_no_difference();
    let node = installation.start().await;
    let ana = ana.at(&node);
    assert_eq!(ana.lists().await[1..], ["acme"]);
    assert_eq!(ana.shows("acme").await["name"], "acme");
    ana.creates("lost").await;
    assert_eq!(ana.gets("/readyz").answer().await.expect(200).body()["status"], "ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn read_models_that_were_lost_are_built_anew() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let listed = ana.lists().await;
    node.stop().await;
    for file in ["read.db", "read.db-wal", "read.db-shm"] {
        drop(std::fs::remove_file(installation.data().join(file)));
    }
    let node = installation.start().await;
    let position = ana.at(&node).renames("acme", "Acme Two").await.position();
    let ask = ana.at(&node).gets("/v1/organizations").with("at-least", &position.to_string());
    ask.answer().await.expect(200);
    assert_eq!(ana.at(&node).lists().await, listed);
    node.stop().await;
    installation.assert_no_difference();
}
