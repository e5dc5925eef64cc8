//! Members: listed, shown, given other roles, removed, and gone by themselves.

use serde_json::{Value, json};

use crate::people::{Person, next_link, words};
use crate::server::{Installation, on_every_store};

on_every_store! {
    whoever_is_removed_is_out_at_the_next_request
    the_last_owner_stays
}

const MEMBERS: &str = "/v1/organizations/acme/members";

async fn roles(person: &Person) -> Vec<(String, String)> {
    let members = person.pages(&format!("{MEMBERS}?page_size=100"), "members").await;
    let role = |member: &Value| (words(&member["user"]["name"]), words(&member["role"]));
    members.iter().map(role).collect()
}

/// Without what a mere request changes.
fn lasting(member: &Value) -> Value {
    let mut member = member.clone();
    let seen = member.as_object_mut().expect("a member is an object").remove("last_active_at");
    assert!(seen.is_some_and(|seen| seen.is_string()), "{member} came with a session");
    member
}

fn all_lasting(members: &[Value]) -> Vec<Value> {
    members.iter().map(lasting).collect()
}

fn named(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, role)| ((*name).to_owned(), (*role).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_says_who_belongs_and_since_when() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    ana.creates("acme").await;
    ana.takes_in(&ben, "acme", "developer").await;
    let members = ana.pages(MEMBERS, "members").await;
    let [newest, founder] = members.as_slice() else { panic!("{members:?}") };
    let id = words(&newest["id"]);
    assert!(id.starts_with("mem_") && id.len() == 30, "{id}");
    assert_eq!(
        lasting(newest),
        json!({
            "id": id, "user_id": ben.id().await, "role": "developer", "two_factor_enabled": false,
            "user": { "id": ben.id().await, "email": "ben@example.org", "name": "ben" },
            "joined_at": newest["joined_at"],
        })
    );
    assert!(words(&newest["joined_at"]) >= words(&founder["joined_at"]));
    assert_eq!(founder["role"], "owner");
    let again = ben.pages("/organizations/acme/members", "members").await;
    assert_eq!(all_lasting(&again), all_lasting(&members));
    let header = ben.gets("/v1/organization/members").with("x-active-org-id", "acme");
    let again = header.answer().await.expect(200).body()["members"].as_array().unwrap().clone();
    assert_eq!(all_lasting(&again), all_lasting(&members));
    let own = ben.pages("/v1/organization/members", "members").await;
    assert_eq!(own.len(), 1, "without a header it is the personal one");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_neither_skip_nor_repeat_while_members_come_and_go() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let mut others = Vec::new();
    for name in ["ben", "cleo", "dan", "eve"] {
        let other = Person::registers(&node, name).await;
        ana.takes_in(&other, "acme", "viewer").await;
        others.push(other);
    }
    let first = ana.gets(&format!("{MEMBERS}?page_size=2")).answer().await.expect(200);
    let late = Person::registers(&node, "flo").await;
    ana.takes_in(&late, "acme", "viewer").await;
    ana.deletes(&others[2].as_member_of("acme").await).answer().await.expect(204);
    let rest = ana.pages(&next_link(&first).expect("there is more"), "members").await;
    let names: Vec<_> = rest.iter().map(|member| words(&member["user"]["name"])).collect();
    assert_eq!(names, ["cleo", "ben", "ana"]);
    let foreign = next_link(&first).unwrap().replace("/members", "/audit-log");
    assert_eq!(ana.gets(&foreign).answer().await.refusal().1, "invalid_parameter");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_found_by_the_user_or_the_membership() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    ana.creates("acme").await;
    ana.takes_in(&ben, "acme", "viewer").await;
    let listed = ana.pages(MEMBERS, "members").await.swap_remove(0);
    for id in [&listed["user_id"], &listed["id"]] {
        let path = format!("{MEMBERS}/{}", words(id));
        let shown = ben.gets(&path).answer().await.expect(200);
        assert_eq!((&shown.body()["id"], &shown.body()["user"]), (&listed["id"], &listed["user"]));
        let tag = shown.header("etag").expect("a single resource has a tag").to_owned();
        ben.gets(&path).with("if-none-match", &tag).answer().await.expect(304);

        let change = json!({ "role": if path.contains("usr_") { "member" } else { "viewer" } });
        let changed = ana.patches(&path, &change).with("if-match", &tag).answer().await.expect(200);
        assert_eq!(changed.body()["role"], change["role"]);
        let shown = ben.gets(&path).answer().await.expect(200);
        assert_eq!(lasting(&changed.body()), lasting(&shown.body()));
        let stale = ana.patches(&path, &change).with("if-match", &tag).answer().await;
        assert_eq!(stale.refusal(), (412, "precondition_failed".to_owned()));
        let stale = ana.deletes(&path).with("if-match", &tag).answer().await;
        assert_eq!(stale.refusal(), (412, "precondition_failed".to_owned()));
    }
    let stranger = Person::registers(&node, "eve").await.id().await;
    for nobody in [stranger.as_str(), "mem_01h2xcejqtf2nbrexx3vqjhp41", "ben", "%F0%9F"] {
        let path = format!("{MEMBERS}/{nobody}");
        let role = json!({ "role": "viewer" });
        for ask in [ana.gets(&path), ana.patches(&path, &role), ana.deletes(&path)] {
            assert_eq!(ask.answer().await.refusal(), (404, "not_found".to_owned()), "{nobody}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_grants_or_takes_what_they_do_not_hold() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let mut people = Vec::new();
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    for role in ["owner", "admin", "developer", "member", "viewer"] {
        let person = Person::registers(&node, role).await;
        ana.takes_in(&person, "acme", role).await;
        people.push(person);
    }
    let [owner, admin, developer, member, viewer] = people.as_slice() else { panic!("five") };
    let other = Person::registers(&node, "other").await;
    ana.takes_in(&other, "acme", "admin").await;
    for (who, whom, role, status) in [
        (admin, viewer, "developer", 200),
        (admin, viewer, "viewer", 200),
        (admin, viewer, "admin", 403),
        (admin, viewer, "owner", 403),
        (admin, &other, "viewer", 403),
        (admin, admin, "viewer", 403),
        (admin, owner, "viewer", 403),
        (developer, viewer, "member", 403),
        (member, viewer, "member", 403),
        (viewer, viewer, "owner", 403),
        (owner, &other, "viewer", 200),
        (owner, &other, "owner", 200),
        (owner, &other, "admin", 200),
        (owner, viewer, "boss", 422),
    ] {
        let change = json!({ "role": role });
        let answer = who.patches(&whom.as_member_of("acme").await, &change).answer().await;
        assert_eq!(answer.status, status, "{} makes {} {role}", who.email, whom.email);
    }
    // an admin may remove an admin, though not make one less than that
    admin.deletes(&other.as_member_of("acme").await).answer().await.expect(204);
    for (who, whom) in [(admin, owner), (developer, viewer), (member, viewer), (viewer, member)] {
        let refused = who.deletes(&whom.as_member_of("acme").await).answer().await;
        assert_eq!(refused.refusal(), (403, "forbidden".to_owned()));
    }
    let history = ana.history("acme").await;
    assert_eq!(history.iter().filter(|action| *action == "member.role_changed").count(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_is_gone_and_told_so_again() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    ana.creates("acme").await;
    let myself = ben.as_member_of("acme").await;
    for (leave, status) in
        [(("POST", "/v1/organizations/acme/leave".to_owned()), 200), (("DELETE", myself), 204)]
    {
        ana.takes_in(&ben, "acme", "viewer").await;
        let ((method, path), key) = (leave, status.to_string());
        let ask = || ben.asks(method.parse().unwrap(), &path).key(&key).answer();
        let left = ask().await.expect(status);
        assert!(!left.is_replayed());
        let again = ask().await.expect(status);
        assert!(again.is_replayed());
        assert_eq!((again.bytes.clone(), again.position()), (left.bytes.clone(), left.position()));
        ben.gets("/v1/organizations/acme").answer().await.expect(404);
        assert_eq!(ben.lists().await.len(), 1);
        assert_eq!(roles(&ana).await, named(&[("ana", "owner")]));
    }
    let history = ana.history("acme").await;
    assert_eq!(history.iter().filter(|action| *action == "member.left").count(), 2);
    node.stop().await;
    installation.assert_no_difference();
}

async fn the_last_owner_stays(installation: Installation) {
    let node = installation.start().await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    ana.creates("acme").await;
    ana.takes_in(&ben, "acme", "admin").await;
    let me = ana.as_member_of("acme").await;
    let down = json!({ "role": "admin" });
    let leave = json!({});
    for ask in [
        ana.patches(&me, &down),
        ana.deletes(&me),
        ana.posts("/v1/organizations/acme/leave", &leave),
        ana.posts("/v1/organization/leave", &leave),
    ] {
        assert_eq!(ask.answer().await.refusal(), (409, "last_owner".to_owned()));
    }
    let promoted = json!({ "role": "owner" });
    ana.patches(&ben.as_member_of("acme").await, &promoted).answer().await.expect(200);
    ana.patches(&me, &down).answer().await.expect(200);
    assert_eq!(roles(&ben).await, named(&[("ben", "owner"), ("ana", "admin")]));
    assert_eq!(ben.shows("acme").await["owner_id"], ben.id().await);
    ana.patches(&me, &promoted).answer().await.expect(403);
    node.stop().await;
    installation.assert_no_difference();
}

async fn whoever_is_removed_is_out_at_the_next_request(installation: Installation) {
    let node = installation.start().await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    ana.creates("acme").await;
    ana.takes_in(&ben, "acme", "admin").await;
    let second = ben.with_token_of(&ben.signs_in().await);
    let by_password = || ben.gets_by_password("/v1/organizations/acme");
    by_password().answer().await.expect(200);
    ana.deletes(&ben.as_member_of("acme").await).answer().await.expect(204);
    let nothing = ben.gets("/v1/organizations/nothing-here").answer().await.refusal();
    for ask in [ben.gets("/v1/organizations/acme"), second.gets(MEMBERS), by_password()] {
        assert_eq!(ask.answer().await.refusal(), nothing);
    }
    let rename = json!({ "name": "Mine" });
    ben.patches("/v1/organizations/acme", &rename).answer().await.expect(404);
    // whoever comes back is another member
    ana.takes_in(&ben, "acme", "viewer").await;
    assert_eq!(roles(&ana).await, named(&[("ben", "viewer"), ("ana", "owner")]));
    node.stop().await;
    installation.assert_no_difference();
}
