//! kill -9 at the worst moments: nothing that was acknowledged is lost, nothing is there twice, and
//! whoever repeats an unanswered command with its key gets one effect.

use std::collections::HashMap;

use events::chain::Walk;
use events::organization::Event::{Created, Deleted, Updated};
use events::recorded::Recorded;
use events::stream::Stream;
use events::{Event, wire};
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::cut_off::PLACES;
use crate::oracle::read_everything;
use crate::people::Person;
use crate::rounds::rounds;
use crate::server::{Installation, Node, on_every_store};

const CALLERS: usize = 6;

on_every_store! {
    killing_the_server_anywhere_loses_nothing_and_repeats_nothing
}

/// Somebody who renames their organization again and again.
struct Caller {
    person: Person,
    slug: String,
    renamed: usize,
    /// Names that a 200 has acknowledged, in order.
    acknowledged: Vec<String>,
    /// A command without an answer: its key and its name.
    unanswered: Option<(String, String)>,
}

impl Caller {
    async fn begins(node: &Node, index: usize) -> Self {
        let person = Person::registers(node, &format!("caller-{index}")).await;
        let slug = format!("crash-{index}");
        person.creates(&slug).await;
        Self { person, slug, renamed: 0, acknowledged: Vec::new(), unanswered: None }
    }

    /// Renames until the server is gone.
    async fn goes_on(mut self) -> Self {
        loop {
            let (key, name) = self.unanswered.take().unwrap_or_else(|| {
                self.renamed += 1;
                (Uuid::new_v4().to_string(), format!("{} {}", self.slug, self.renamed))
            });
            let path = format!("/v1/organizations/{}", self.slug);
            let ask = self.person.patches(&path, &json!({ "name": name })).key(&key);
            match ask.try_answer().await {
                Ok(answer) if answer.status == 200 => self.acknowledged.push(name),
                Ok(answer) if answer.status < 500 => panic!("{answer:?}"),
                Ok(_) | Err(_) => {
                    self.unanswered = Some((key, name));
                    return self;
                }
            }
        }
    }
}

async fn killing_the_server_anywhere_loses_nothing_and_repeats_nothing(on: Installation) {
    let node = on.start().await;
    let mut callers = Vec::new();
    for index in 0..CALLERS {
        callers.push(Caller::begins(&node, index).await);
    }
    node.kill();

    let places: Vec<&str> = PLACES.into_iter().filter(|place| on.passes(place)).collect();
    for round in rounds() {
        let place = places[round % places.len()];
        let after = (1 + round % 7).to_string();
        let variables = [("CHANCERY_FAIL_POINT", place), ("CHANCERY_FAIL_AFTER", after.as_str())];
        let node = on.launch(0, &variables).serving().await;
        let mut going_on = JoinSet::new();
        for caller in callers.drain(..) {
            let person = caller.person.at(&node);
            going_on.spawn(Caller { person, ..caller }.goes_on());
        }
        node.until_it_says(&format!("reached {place}")).await;
        node.kill();
        callers = going_on.join_all().await;
    }

    let node = on.start().await;
    for caller in &mut callers {
        let Some((key, name)) = caller.unanswered.take() else { continue };
        let person = caller.person.at(&node);
        let path = format!("/v1/organizations/{}", caller.slug);
        for _ in 0..2 {
            person.patches(&path, &json!({ "name": name })).key(&key).answer().await.expect(200);
        }
        caller.acknowledged.push(name);
    }
    node.stop().await;
    on.assert_no_difference();
    let organizations = organizations_in_the_log(&on).await;
    for caller in &callers {
        assert_eq!(organizations[&caller.slug].names, caller.acknowledged, "{}", caller.slug);
    }
}

/// What the log says of one organization, in order.
#[derive(Default)]
pub(crate) struct Told {
    /// The type of each event.
    pub(crate) kinds: Vec<String>,
    /// Every name that it was given later.
    pub(crate) names: Vec<String>,
}

/// Every organization by its slug, from a log whose chains are whole.
pub(crate) async fn organizations_in_the_log(on: &Installation) -> HashMap<String, Told> {
    let log = on.log().await;
    let mut walks: HashMap<Stream, Walk> = HashMap::new();
    let mut slugs = HashMap::new();
    let mut organizations: HashMap<Stream, Told> = HashMap::new();
    for stored in read_everything(&log, 500).await {
        let recorded: Recorded =
            wire::decode(stored.position, &stored.line, &stored.sealed).expect("a line");
        let stream = recorded.stream;
        let walk = walks.entry(stream).or_insert_with(|| Walk::new(&stream));
        walk.step(&stored.line).unwrap_or_else(|broken| panic!("{stream}: {broken}"));
        let told = organizations.entry(stream).or_default();
        told.kinds.extend(wire::kind_of_line(&stored.line).map(str::to_owned));
        let Event::Organization(event) = recorded.event else { continue };
        match event {
            Created { slug, .. } => drop(slugs.insert(stream, slug)),
            Updated { name, .. } => told.names.extend(name.map(|name| name.to)),
            Deleted { .. } => {}
        }
    }
    log.close().await;
    let named = |(stream, told)| slugs.remove(&stream).map(|slug| (slug, told));
    organizations.into_iter().filter_map(named).collect()
}
