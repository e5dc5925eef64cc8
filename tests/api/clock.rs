//! Time that tests move: for all nodes, never back, and with everything done that falls due.

use std::time::Duration;

use events::chain::Link;
use events::id::{InvitationId, SubjectId};
use events::invitation::{Event as Invited, Links};
use events::permission::Role;
use events::personal::Personal;
use events::time::Time;
use serde_json::json;
use uuid::Uuid;

use crate::people::{Answer, Person, words};
use crate::server::{Installation, on_every_store};
use crate::written::write;

on_every_store! {
    what_falls_due_is_done_in_order_each_at_its_own_time
}

const DAY: Duration = Duration::from_hours(24);

fn shown(answer: &Answer) -> Time {
    answer.header("test-clock").expect("every answer tells the time").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_stands_still_for_everybody_unless_asked() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let operator = Person::operator(&node, installation.operator_token());
    let answer = operator.posts("/v1/admin/clock", &json!({ "advance": "1d" })).answer().await;
    assert_eq!(answer.refusal(), (404, "not_found".to_owned()));
    assert_eq!(answer.header("test-clock"), None);
    let document = operator.gets("/openapi.json").answer().await.body();
    assert!(document["paths"].get("/v1/admin/clock").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_operator_moves_it_and_only_forward() {
    let installation = Installation::sqlite();
    let node = installation.start_with_clock(0).await;
    let ana = Person::registers(&node, "ana").await;
    let token = installation.operator_token();
    let advance = |person: &Person, span: &str| {
        person.posts("/v1/admin/clock", &json!({ "advance": span })).answer()
    };
    let wrong = token.replace(&token[20..], &"0".repeat(token.len() - 20));
    for nobody in [Person::stranger(&node), ana.clone(), Person::operator(&node, wrong)] {
        let refused = advance(&nobody, "1d").await;
        assert_eq!(refused.refusal(), (401, "operator_only".to_owned()));
        assert!(refused.header("www-authenticate").is_some());
    }
    let operator = Person::operator(&node, token);
    for span in ["401d", "-1d", "0s", "1w", "", "tomorrow"] {
        assert_eq!(advance(&operator, span).await.refusal(), (422, "validation_failed".to_owned()));
    }
    let refused = operator.posts("/v1/admin/clock", &json!({ "back": "1d" })).answer().await;
    assert_eq!(refused.refusal(), (422, "validation_failed".to_owned()));

    let before = shown(&ana.gets("/v1/auth/me").answer().await.expect(200));
    let now = operator.advances("400d").await;
    assert!(now >= before.after(DAY * 400) && now < before.after(DAY * 401));
    assert!(shown(&operator.gets("/livez").answer().await) >= now);
    // the session ended long ago
    ana.gets("/v1/auth/me").answer().await.expect(401);
    let ana = ana.with_token_of(&ana.signs_in().await.expect(200));
    let created = words(&ana.creates("acme").await.body()["created_at"]);
    assert!(created.parse::<Time>().unwrap() >= now);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stays_moved_after_a_restart_and_is_never_left() {
    let installation = Installation::sqlite();
    let node = installation.start_with_clock(0).await;
    let now = Person::operator(&node, installation.operator_token()).advances("31d").await;
    node.kill();
    let node = installation.start_with_clock(0).await;
    assert!(shown(&Person::stranger(&node).gets("/livez").answer().await) >= now);
    node.stop().await;
    let mut node = installation.launch(0, &[]);
    assert!(!node.ended().await.success());
    assert!(node.said().contains("start it with --test-clock"), "{}", node.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_share_it() {
    let installation = Installation::postgres().await.with_master_key();
    let (one, two) =
        (installation.start_with_clock(0).await, installation.start_with_clock(1).await);
    let ana = Person::registers(&one, "ana").await;
    let now = Person::operator(&one, installation.operator_token()).advances("2h").await;
    assert!(shown(&ana.at(&two).gets("/livez").answer().await) >= now);
    ana.at(&two).gets("/v1/auth/me").answer().await.expect(401);
}

fn id(number: u128) -> InvitationId {
    InvitationId(Uuid::from_u128(number))
}

fn sent(number: u128, expires_at: Time) -> events::Event {
    Invited::Sent {
        invitation: id(number),
        invitee: SubjectId(Uuid::from_u128(number)),
        role: Role::Member,
        issue: 1,
        links: Links { copied: Link::FIRST, mailed: Link::FIRST },
        expires_at,
        email: Personal::Absent,
    }
    .into()
}

async fn what_falls_due_is_done_in_order_each_at_its_own_time(installation: Installation) {
    let node = installation.start_with_clock(0).await;
    let ana = Person::registers(&node, "ana").await;
    let acme = words(&ana.creates("acme").await.body()["id"]);
    let now = shown(&ana.gets("/livez").answer().await);
    node.stop().await;
    let due = |days: u32| now.after(DAY * days);
    let rejected = Invited::Rejected { invitation: id(4) };
    let facts =
        vec![sent(1, due(7)), sent(2, due(3)), sent(3, due(20)), sent(4, due(5)), rejected.into()];
    write(&installation, &acme, facts).await;

    let node = installation.start_with_clock(0).await;
    Person::operator(&node, installation.operator_token()).advances("10d").await;
    let ana = ana.at(&node);
    let ana = ana.with_token_of(&ana.signs_in().await.expect(200));
    let path = "/v1/organizations/acme/audit-log?action=invitation.expired&page_size=10";
    let expired = ana.pages(path, "events").await;
    let told: Vec<_> = expired
        .iter()
        .map(|entry| {
            assert_eq!(
                (&entry["actor"]["id"], &entry["actor"]["kind"]),
                (&json!("system"), &json!("system"))
            );
            (words(&entry["resource"]["id"]), words(&entry["created_at"]))
        })
        .collect();
    let expected =
        [(1, 7), (2, 3)].map(|(number, days)| (id(number).to_string(), due(days).to_string()));
    assert_eq!(told, expected, "newest first");
    node.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fell_due_while_the_server_was_down_is_done_when_it_is_back() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let acme = ana.creates("acme").await.body();
    node.stop().await;
    let due: Time = words(&acme["created_at"]).parse().unwrap();
    write(&installation, &words(&acme["id"]), vec![sent(1, due)]).await;
    let node = installation.start().await;
    let ana = ana.at(&node);
    let path = "/v1/organizations/acme/audit-log?action=invitation.expired";
    for _ in 0..5000 {
        let found = ana.gets(path).answer().await.expect(200).body();
        if let Some(entry) = found["events"].get(0) {
            assert_eq!(entry["created_at"], due.to_string());
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it was never done");
}
