//! An organization that demands a second factor of its members.

use reqwest::Method;
use serde_json::{Value, json};

use super::{SETUP, VERIFY, by_password, enabled, signs_in, start};
use crate::people::{Person, words};
use crate::server::Installation;

const ACME: &str = "/v1/organizations/acme";

/// Reads the organization's history until this has happened so often.
async fn until_it_happened(who: &Person, action: &str, times: usize) -> Vec<Value> {
    let path = format!("{ACME}/audit-log?action={action}&page_size=100");
    for _ in 0..2000 {
        let found = who.pages(&path, "events").await;
        if found.len() >= times {
            return found;
        }
        tokio::task::yield_now().await;
    }
    panic!("{action} never happens {times} times");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_demands_it_from_the_next_sign_in() {
    let installation = Installation::sqlite();
    let (node, operator) = start(&installation).await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let ben = Person::joins(&node, "ben", &ana, "acme", "admin").await;
    let id = words(&ana.shows("acme").await["id"]);
    let settings = format!("{ACME}/settings");
    let demand = json!({ "require_2fa": true });
    by_password(&ben, ACME, None).await.expect(200);
    let token = ben.with_token_of(&ben.makes_token("acme", "personal", &["*"]).await);
    let key = ana.with_token_of(&ana.makes_token("acme", "organization", &["*"]).await);

    let (_, codes) = enabled(&ana, &operator).await;
    let preview = ana.posts(&format!("{settings}/preview"), &demand).answer().await.expect(200);
    let blocked = preview.body()["blocked"].clone();
    assert_eq!(blocked.as_array().map(Vec::len), Some(1), "{blocked}");
    assert_eq!(blocked[0]["email"], "ben@example.org");
    assert_eq!(blocked[0]["reasons"], json!(["two_factor_required"]));
    assert_eq!(signs_in(&ben, None).await.body()["organizations_requiring_2fa"], json!([]));
    ana.patches(&settings, &demand).answer().await.expect(200);
    operator.advances("1s").await;

    // who was in stays in, also with a password that is remembered
    ben.gets(ACME).answer().await.expect(200);
    by_password(&ben, ACME, None).await.expect(200);
    for who in [&token, &key] {
        who.gets(ACME).answer().await.expect(200);
    }
    let newer = ben.with_token_of(&ben.makes_token("acme", "personal", &["*"]).await);
    assert_eq!(newer.gets(ACME).answer().await.refusal(), (403, "two_factor_required".to_owned()));
    let set_up = token.asks(Method::POST, SETUP).answer().await;
    assert_eq!(set_up.refusal(), (403, "sign_in_required".to_owned()));
    let signed_in = signs_in(&ben, None).await.expect(200);
    assert_eq!(signed_in.body()["organizations_requiring_2fa"], json!([id]));
    let ben = ben.with_token_of(&signed_in);
    let refused = ben.gets(ACME).answer().await;
    assert_eq!(refused.refusal(), (403, "two_factor_required".to_owned()));
    let sentence = words(&refused.body()["detail"]);
    assert!(sentence.contains(SETUP) && sentence.contains(VERIFY), "{sentence}");
    ben.gets("/v1/auth/me").answer().await.expect(200);
    let other = ben.lists().await;
    assert!(other.contains(&"acme".to_owned()), "it is still theirs: {other:?}");

    // and who does what the sentence says gets in
    let (authenticator, _) = enabled(&ben, &operator).await;
    ben.gets(ACME).answer().await.expect(200);
    let code = authenticator.code().await;
    let signed_in = signs_in(&ben, Some(&code)).await.expect(200);
    assert_eq!(signed_in.body()["organizations_requiring_2fa"], json!([]));
    ben.with_token_of(&signed_in).gets(ACME).answer().await.expect(200);
    signs_in(&ana, Some(&codes[0])).await.expect(200);

    let changes = until_it_happened(&ana, "member.second_factor_changed", 2).await;
    let change = &changes[0];
    assert_eq!(change["actor"]["kind"], "system");
    assert_eq!(
        change["changes"],
        json!([{ "field": "two_factor_enabled", "from": false, "to": true }])
    );
    for path in [format!("{ACME}/members"), ana.as_member_of("acme").await] {
        let shown = ana.gets(&path).answer().await.expect(200).body();
        let first = shown.get("members").map_or(&shown, |members| &members[0]);
        assert_eq!(first["two_factor_enabled"], true, "{shown}");
    }
    // who has one when they join is known to have one
    ana.patches(&settings, &json!({ "require_2fa": false })).answer().await.expect(200);
    ana.deletes(&ben.as_member_of("acme").await).answer().await.expect(204);
    ana.takes_in(&ben, "acme", "viewer").await;
    until_it_happened(&ana, "member.second_factor_changed", 3).await;
    node.stop().await;
    installation.assert_no_difference();
}
