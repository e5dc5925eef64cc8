//! An audit log as it grows.

use std::time::Instant;

use serde_json::json;
use tokio::task::JoinSet;

use crate::listener::{Listener, SOON};
use crate::people::{Ask, PASSWORD, Person, words};
use crate::server::{Installation, on_every_store};

on_every_store! {
    entries_come_as_they_are_recorded
    whoever_may_read_it_no_more_is_cut_off
}

const LOG: &str = "/v1/organizations/acme/audit-log";
/// Opens a stream.
async fn opens(ask: Ask) -> Listener {
    Listener::opens(ask, "from version").await
}

async fn entries_come_as_they_are_recorded(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let stream = format!("{LOG}/stream");
    let mut listener = opens(ana.gets(&stream)).await;
    let mut all = opens(ana.gets(&format!("{stream}?from=0"))).await;
    ana.renames("acme", "Acme 1").await;
    ana.invites("acme", "ben@example.org", "viewer").await;
    let mut later = opens(ana.gets(&stream).with("last-event-id", "1")).await;
    let some = format!("{stream}?from=0&action=member.*");
    let mut some = opens(ana.gets(&some)).await;
    ana.renames("acme", "Acme 2").await;
    let listed = ana.pages(LOG, "events").await;
    let listed: Vec<_> = listed.into_iter().rev().collect();
    for (version, entry) in (0..4).zip(&listed) {
        let mut heard = vec![all.hears_of(version).await];
        if version > 0 {
            heard.push(listener.hears_of(version).await);
        }
        if version > 1 {
            heard.push(later.hears_of(version).await);
        }
        if version == 2 {
            heard.push(some.hears_of(version).await);
        }
        for heard in heard {
            assert_eq!(heard.data, *entry);
            assert_eq!(heard.event, words(&entry["action"]));
        }
    }
    // the header, which a browser sends after a break, counts more than what the address began with
    let again = ana.gets(&format!("{stream}?last_event_id=0")).with("last-event-id", "2");
    opens(again).await.hears_of(3).await;
    for odd in ["last_event_id=4", "last_event_id=-1", "from=5", "from=x", "action=x"] {
        let refused = ana.gets(&format!("{stream}?{odd}")).answer().await;
        assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{odd}");
    }
    let refused = ana.gets(&stream).with("last-event-id", "x").answer().await;
    assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()));
}

/// Entries heard before a reader goes away and comes back.
const AT_A_TIME: u64 = 17;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_skipped_or_repeated_beside_writers_on_several_nodes() {
    let installation = Installation::postgres().await.with_master_key();
    let one = installation.start_node(0).await;
    let two = installation.start_node(1).await;
    let ana = Person::registers(&one, "ana").await;
    ana.creates("acme").await;
    let (writers, writes) = (4, 60);
    let end = writers * writes;
    let mut listeners = JoinSet::new();
    for number in 0..3 {
        let nodes = [ana.at(&one), ana.at(&two)];
        listeners.spawn(async move {
            let (mut next, mut node) = (0, number);
            while next <= end {
                let ask = nodes[node % 2].gets(&format!("{LOG}/stream?from={next}"));
                let ask = if next == 0 {
                    ask
                } else {
                    ask.with("last-event-id", &(next - 1).to_string())
                };
                let mut listener = opens(ask).await;
                for _ in 0..AT_A_TIME.min(end + 1 - next) {
                    listener.hears_of(next).await;
                    next += 1;
                }
                node += 1;
            }
        });
    }
    let mut writing = JoinSet::new();
    for writer in 0..writers {
        let person = ana.at(if writer % 2 == 0 { &one } else { &two });
        writing.spawn(async move {
            for write in 0..writes {
                person.renames("acme", &format!("Acme {writer} {write}")).await;
            }
        });
    }
    writing.join_all().await;
    listeners.join_all().await;
    assert_eq!(ana.history("acme").await.len() as u64, end + 1);
}

async fn whoever_may_read_it_no_more_is_cut_off(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let ben = Person::joins(&node, "ben", &ana, "acme", "admin").await;
    let bens = ben.as_member_of("acme").await;
    let stream = format!("{LOG}/stream");

    let signed_in = ben.with_token_of(&ben.signs_in().await);
    let mut session = opens(signed_in.gets(&stream)).await;
    signed_in.posts("/v1/auth/logout", &json!({})).answer().await.expect(200);
    assert!(session.hears().await.is_none(), "who has signed out reads no more");

    let mut demoted = opens(ben.gets(&stream)).await;
    ana.patches(&bens, &json!({ "role": "developer" })).answer().await.expect(200);
    assert!(demoted.hears().await.is_none(), "nor who is demoted");
    let refused = ben.gets(&stream).answer().await;
    assert_eq!(refused.refusal(), (403, "forbidden".to_owned()));
    ana.patches(&bens, &json!({ "role": "admin" })).answer().await.expect(200);

    let made = ben.makes_token("acme", "personal", &["audit:read"]).await;
    let mut token = opens(ben.with_token_of(&made).gets(&stream)).await;
    let id = words(&made.body()["token_info"]["id"]);
    ben.deletes(&format!("/v1/organizations/acme/tokens/{id}")).answer().await.expect(204);
    assert!(token.hears().await.is_none(), "nor a token that is revoked");

    let mut by_password = opens(ben.gets_by_password(&stream)).await;
    let mut by_session = opens(ben.gets(&stream)).await;
    let change = json!({ "current_password": PASSWORD, "new_password": "another long passphrase" });
    ben.posts("/v1/auth/password", &change).answer().await.expect(200);
    assert!(by_password.hears().await.is_none(), "nor a password that is another one");

    ana.deletes(&bens).answer().await.expect(204);
    assert!(by_session.hears().await.is_none(), "nor who is removed");
    let mut last = opens(ana.gets(&stream)).await;
    let confirmed = json!({ "confirm": "acme" });
    ana.deletes("/v1/organizations/acme").json(&confirmed).answer().await.expect(204);
    assert!(last.hears().await.is_none(), "nor anybody what is deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_holds_so_many_streams_and_no_more() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let stream = format!("{LOG}/stream");
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(opens(ana.gets(&stream)).await);
    }
    let refused = ana.gets(&stream).answer().await;
    assert_eq!(refused.refusal(), (429, "too_many_streams".to_owned()));
    assert!(refused.header("retry-after").is_some());
    // another credential has its own
    let token = ana.with_token_of(&ana.makes_token("acme", "personal", &["audit:read"]).await);
    opens(token.gets(&stream)).await;
    open.pop();
    let began = Instant::now();
    while ana.gets(&stream).answer().await.status == 429 {
        assert!(began.elapsed() < SOON, "a stream that was closed makes room");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_stream_does_not_hold_up_the_end() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let mut listener = opens(ana.gets(&format!("{LOG}/stream"))).await;
    let started = Instant::now();
    node.stop().await;
    // requests that are under way would get twenty
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    assert!(listener.hears().await.is_none(), "it has ended, and is not torn");
}
