//! What a member was not allowed to do stands in the organization's audit log.

use serde_json::{Value, json};

use crate::people::Person;
use crate::server::{Installation, Node, on_every_store};

on_every_store! {
    the_first_of_many_attempts_is_recorded_at_once_and_the_rest_counted
}

/// Ana owns Acme, Ben may only look.
async fn an_owner_and_a_viewer(installation: &Installation) -> (Node, Person, Person, String) {
    let node = installation.start_with_clock(0).await;
    let ana = Person::registers(&node, "ana").await;
    let ben = Person::registers(&node, "ben").await;
    ana.creates("acme").await;
    ana.takes_in(&ben, "acme", "viewer").await;
    let account = ben.id().await;
    (node, ana, ben, account)
}

/// The denied attempts in Acme's log, newest first.
async fn denied(ana: &Person) -> Vec<Value> {
    let path = "/v1/organizations/acme/audit-log?action=access.denied&page_size=100";
    ana.pages(path, "events").await
}

/// How often the entries tell that an operation was tried.
fn attempts(found: &[Value], operation: &str) -> u64 {
    let of_it = found.iter().filter(|it| it["resource"]["id"] == operation);
    of_it.map(|it| it["changes"][0]["to"].as_u64().unwrap()).sum()
}

/// Reads until at least so many attempts at each operation stand there: they are recorded beside
/// the request, and a minute may end between any two.
async fn until_denied(ana: &Person, counts: &[(&str, u64)]) -> Vec<Value> {
    for _ in 0..2000 {
        let found = denied(ana).await;
        if counts.iter().all(|(operation, count)| attempts(&found, operation) >= *count) {
            return found;
        }
        tokio::task::yield_now().await;
    }
    panic!("there are never so many attempts: {counts:?}");
}

async fn the_first_of_many_attempts_is_recorded_at_once_and_the_rest_counted(
    installation: Installation,
) {
    let (node, ana, ben, account) = an_owner_and_a_viewer(&installation).await;
    let rename = json!({ "name": "Ben's" });
    for _ in 0..5 {
        let ask = ben.patches("/organizations/acme", &rename).with("user-agent", "tests/1");
        assert_eq!(ask.answer().await.refusal(), (403, "forbidden".to_owned()));
        let refused = ben.gets("/v1/organizations/acme/audit-log/").answer().await;
        assert_eq!(refused.refusal(), (403, "forbidden".to_owned()));
    }
    let found = until_denied(&ana, &[("listAuditLog", 1), ("updateOrganization", 1)]).await;
    let update = found.last().unwrap();
    assert_eq!(update["resource"]["id"], "updateOrganization", "it came first");
    assert_eq!(update["actor"]["id"], account);
    assert_eq!(update["actor"]["email"], "ben@example.org");
    assert_eq!(update["resource"]["type"], "operation");
    assert_eq!(update["changes"], json!([{ "field": "attempts", "from": null, "to": 1 }]));
    assert_eq!(update["user_agent"], "tests/1");
    assert_eq!(update["ip_address"], "127.0.0.1");
    assert_eq!(ana.shows("acme").await["name"], "acme");
    // whoever stops the server does not lose the rest: one event for each of the two
    node.stop().await;
    let node = installation.start_with_clock(0).await;
    let all = [("updateOrganization", 5), ("listAuditLog", 5)];
    let found = until_denied(&ana.at(&node), &all).await;
    for (operation, count) in all {
        assert_eq!(attempts(&found, operation), count);
    }
    assert!(found.len() < 10, "not every attempt is an event: {found:?}");
    node.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_leave_nothing_behind() {
    let installation = Installation::sqlite();
    let (node, ana, ben, _) = an_owner_and_a_viewer(&installation).await;
    let eve = Person::registers(&node, "eve").await;
    for path in ["/v1/organizations/acme", "/v1/organizations/acme/audit-log"] {
        eve.gets(path).answer().await.expect(404);
        Person::stranger(&node).gets(path).answer().await.expect(401);
    }
    eve.patches("/v1/organizations/acme", &json!({})).answer().await.expect(404);
    ben.gets("/v1/organizations/acme").answer().await.expect(200);
    ben.asks(reqwest::Method::HEAD, "/v1/organizations/acme/audit-log").answer().await.expect(403);
    let found = until_denied(&ana, &[("listAuditLog", 1)]).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["resource"]["id"], "listAuditLog");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_counted_is_recorded_when_the_minute_ends() {
    let installation = Installation::sqlite();
    let (node, ana, ben, _) = an_owner_and_a_viewer(&installation).await;
    for _ in 0..3 {
        ben.gets("/v1/organizations/acme/audit-log").answer().await.expect(403);
    }
    until_denied(&ana, &[("listAuditLog", 1)]).await;
    Person::operator(&node, installation.operator_token()).advances("1m").await;
    let found = until_denied(&ana, &[("listAuditLog", 3)]).await;
    assert_eq!(attempts(&found, "listAuditLog"), 3);
    // another minute, another first
    ben.gets("/v1/organizations/acme/audit-log").answer().await.expect(403);
    let later = until_denied(&ana, &[("listAuditLog", 4)]).await;
    assert_eq!((attempts(&later, "listAuditLog"), later.len()), (4, found.len() + 1));
}

/// An operation has one name in the log, by whichever address it was tried.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_two_addresses_has_one_name() {
    let installation = Installation::sqlite();
    let (_node, ana, ben, _) = an_owner_and_a_viewer(&installation).await;
    let invitation = json!({ "email": "dora@example.org" });
    for path in ["/organizations/acme/invites", "/v1/organizations/acme/members"] {
        ben.posts(path, &invitation).answer().await.expect(403);
    }
    ben.gets("/v1/organizations/acme/invites").answer().await.expect(403);
    ben.deletes("/organizations/acme/invites/inv_x").answer().await.expect(403);
    let all = [("createInvitation", 1), ("listInvitations", 1), ("cancelInvitation", 1)];
    let found = until_denied(&ana, &all).await;
    assert_eq!(attempts(&found, "unknown"), 0, "{found:?}");
}

/// Of many invitations some may be more than their sender can give.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_denied_in_part_is_an_attempt_too() {
    let installation = Installation::sqlite();
    let (node, ana, ..) = an_owner_and_a_viewer(&installation).await;
    let dora = Person::joins(&node, "dora", &ana, "acme", "admin").await;
    let path = "/v1/organizations/acme/invitations/bulk";
    let send = |role: &str| {
        let two = [
            json!({ "email": "emil@example.org" }),
            json!({ "email": "x@example.org", "role": role }),
        ];
        dora.posts(path, &json!({ "invitations": two })).key(role)
    };
    let sent = send("owner").answer().await.expect(200).body();
    assert_eq!(
        (&sent["results"][0]["status"], &sent["results"][1]["status"]),
        (&json!(201), &json!(403))
    );
    assert!(send("owner").answer().await.expect(200).is_replayed());
    send("viewer").answer().await.expect(200);
    let refused = dora.invite("acme", "finn@example.org", "owner").answer().await;
    assert_eq!(refused.refusal(), (403, "forbidden".to_owned()));
    // attempts are recorded in the order of the requests
    let found = until_denied(&ana, &[("createInvitation", 1)]).await;
    assert_eq!(attempts(&found, "createInvitations"), 1, "{found:?}");
    assert_eq!(found[1]["actor"]["email"], "dora@example.org");
}
