//! Two owners who demote, remove, leave and transfer at once: there is always an owner, and what
//! comes out is what comes out when one is faster than the other.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde_json::json;

use crate::people::{PASSWORD, Person, words};
use crate::rounds::rounds;
use crate::server::Installation;

/// What one of two owners does, to themselves or to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Deed {
    DemoteOther,
    StepDown,
    RemoveOther,
    Leave,
    Transfer,
}

const DEEDS: [Deed; 5] =
    [Deed::DemoteOther, Deed::StepDown, Deed::RemoveOther, Deed::Leave, Deed::Transfer];

/// Two people who own every organization here, somebody who watches, and their ids.
struct Cast {
    ana: Person,
    ben: Person,
    watcher: Person,
    ana_id: String,
    ben_id: String,
}

/// What each was answered, and who is what afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    statuses: [u16; 2],
    roles: [Option<String>; 2],
}

impl Cast {
    async fn meets(ana: Person, ben: Person, watcher: Person) -> Self {
        let (ana_id, ben_id) = (ana.id().await, ben.id().await);
        Self { ana, ben, watcher, ana_id, ben_id }
    }

    /// An organization that both own and the third one sees.
    async fn founds(&self, slug: &str) {
        self.ana.creates(slug).await;
        self.ana.takes_in(&self.ben, slug, "owner").await;
        self.ana.takes_in(&self.watcher, slug, "viewer").await;
    }

    async fn ana_does(&self, deed: Deed, slug: &str) -> u16 {
        does(&self.ana, &self.ana_id, &self.ben_id, deed, slug).await
    }

    async fn ben_does(&self, deed: Deed, slug: &str) -> u16 {
        does(&self.ben, &self.ben_id, &self.ana_id, deed, slug).await
    }

    async fn outcome(&self, statuses: [u16; 2], slug: &str) -> Outcome {
        let path = format!("/v1/organizations/{slug}/members");
        let members = self.watcher.pages(&path, "members").await;
        let role = |id: &String| {
            let member = members.iter().find(|member| member["user_id"] == id.as_str());
            member.map(|member| words(&member["role"]))
        };
        let roles = [role(&self.ana_id), role(&self.ben_id)];
        let is_owned = roles.iter().any(|role| role.as_deref() == Some("owner"));
        assert!(is_owned, "{slug} has no owner: {statuses:?} {roles:?}");
        Outcome { statuses, roles }
    }

    /// What comes out when one waits for the other.
    async fn one_after_the_other(&self, deeds: (Deed, Deed), slug: &str) -> [Outcome; 2] {
        let (first, second) = (format!("{slug}-a"), format!("{slug}-b"));
        self.founds(&first).await;
        let ana = self.ana_does(deeds.0, &first).await;
        let ben = self.ben_does(deeds.1, &first).await;
        let ana_first = self.outcome([ana, ben], &first).await;
        self.founds(&second).await;
        let ben = self.ben_does(deeds.1, &second).await;
        let ana = self.ana_does(deeds.0, &second).await;
        [ana_first, self.outcome([ana, ben], &second).await]
    }
}

async fn does(who: &Person, own: &str, other: &str, deed: Deed, slug: &str) -> u16 {
    let organization = format!("/v1/organizations/{slug}");
    let member = |id: &str| format!("{organization}/members/{id}");
    let lower = json!({ "role": "member" });
    let gift = json!({ "new_owner_id": other, "password": PASSWORD, "keep_role": "member" });
    let ask = match deed {
        Deed::DemoteOther => who.patches(&member(other), &lower),
        Deed::StepDown => who.patches(&member(own), &lower),
        Deed::RemoveOther => who.deletes(&member(other)),
        Deed::Leave => who.posts(&format!("{organization}/leave"), &json!({})),
        Deed::Transfer => who.posts(&format!("{organization}/transfer"), &gift),
    };
    ask.answer().await.status
}

async fn race(cast: &Cast) {
    let mut in_turn: HashMap<(Deed, Deed), [Outcome; 2]> = HashMap::new();
    let mut faster = [0, 0];
    for round in rounds() {
        let deeds = (DEEDS[round % 5], DEEDS[round / 5 % 5]);
        if let Entry::Vacant(unknown) = in_turn.entry(deeds) {
            let turn = format!("turn-{round}");
            unknown.insert(cast.one_after_the_other(deeds, &turn).await);
        }
        let slug = format!("race-{round}");
        cast.founds(&slug).await;
        let (ana, ben) = tokio::join!(cast.ana_does(deeds.0, &slug), cast.ben_does(deeds.1, &slug));
        let outcome = cast.outcome([ana, ben], &slug).await;
        let place = in_turn[&deeds].iter().position(|in_turn| *in_turn == outcome);
        let place = place.unwrap_or_else(|| {
            panic!("{deeds:?} at once: {outcome:?}, one after the other: {:?}", in_turn[&deeds])
        });
        faster[place] += 1;
    }
    eprintln!("{} rounds; one was first {} times", rounds().len(), faster[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_owners_on_one_node_leave_an_owner() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let ben = Person::registers(&node, "ben").await;
    let watcher = Person::registers(&node, "cleo").await;
    race(&Cast::meets(ana, ben, watcher).await).await;
    node.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_owners_on_two_nodes_leave_an_owner() {
    let installation = Installation::postgres().await.with_master_key();
    let (one, two) = (installation.start_node(0).await, installation.start_node(1).await);
    let ana = Person::registers(&one, "ana").await;
    let ben = Person::registers(&one, "ben").await.at(&two);
    let watcher = Person::registers(&two, "cleo").await;
    race(&Cast::meets(ana, ben, watcher).await).await;
    one.stop().await;
    two.stop().await;
    installation.assert_no_difference();
}
