//! API tokens and organization keys as their owners see them: made, listed, rotated and revoked.

use serde_json::{Value, json};

use crate::people::{Answer, Person, words};
use crate::server::{Installation, on_every_store};

on_every_store! {
    a_repeat_shows_the_very_same_secret_after_a_kill
}

const ACME: &str = "/v1/organizations/acme";
const OWN: &str = "/v1/auth/tokens";

/// A token of somebody's own in an organization, with these scopes.
async fn token(who: &Person, slug: &str, scopes: &[&str]) -> Answer {
    let body = json!({ "token_name": "ci", "scopes": scopes, "organization": slug });
    who.posts(OWN, &body).answer().await.expect(201)
}

async fn key(who: &Person, slug: &str, scopes: &[&str]) -> Answer {
    let body = json!({ "token_name": "ci", "scopes": scopes, "kind": "organization" });
    who.posts(&format!("/v1/organizations/{slug}/tokens"), &body).answer().await.expect(201)
}

/// Where a member finds the token that an answer shows.
fn own(answer: &Answer) -> String {
    format!("{OWN}/{}", words(&answer.body()["token_info"]["id"]))
}

async fn two_members() -> (Installation, crate::server::Node, Person, Person) {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let ben = Person::joins(&node, "ben", &ana, "acme", "member").await;
    (installation, node, ana, ben)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_once_and_acts_in_one_organization() {
    let (_installation, _node, ana, ben) = two_members().await;
    ana.creates("other").await;
    let body = json!({ "token_name": " deploy ", "expires_in": "90d", "organization": "acme" });
    let made = ben.posts(OWN, &body).answer().await.expect(201);
    let (secret, info) = (words(&made.body()["token"]), made.body()["token_info"].clone());
    assert!(secret.starts_with("chy_pat_") && secret.len() == 57);
    let acme = words(&ben.shows("acme").await["id"]);
    let expected = json!({
        "id": info["id"], "token_name": "deploy", "kind": "personal", "prefix": secret[..12],
        "scopes": ["*"], "is_active": true, "owner": ben.id().await, "organization_id": acme,
        "last_used_at": null, "expires_at": info["expires_at"], "created_at": info["created_at"],
    });
    assert_eq!(info, expected);
    assert!(words(&info["id"]).starts_with("tok_"));

    let by_token = ben.with_token(Some(secret.clone()));
    let me = by_token.gets("/v1/auth/me").answer().await.expect(200).body();
    assert_eq!(
        (&me["email"], &me["active_organization"]),
        (&json!("ben@example.org"), &info["organization_id"])
    );
    assert_eq!(by_token.lists().await, ["acme"]);
    assert_eq!(by_token.gets("/v1/organization").answer().await.expect(200).body()["slug"], "acme");
    by_token.gets("/v1/organizations/other").answer().await.expect(404);
    let personal = ben.lists().await.swap_remove(0);
    by_token.gets(&format!("/v1/organizations/{personal}")).answer().await.expect(404);
    let contradicted = by_token.gets("/v1/organization").with("x-active-org-id", &personal);
    assert_eq!(contradicted.answer().await.refusal(), (400, "organization_mismatch".to_owned()));
    for path in ["/v1/auth/me", "/v1/organizations"] {
        let contradicted = by_token.gets(path).with("x-active-org-id", &personal).answer().await;
        assert_eq!(contradicted.refusal(), (400, "organization_mismatch".to_owned()), "{path}");
    }
    let renamed = by_token.patches(ACME, &json!({ "name": "Mine" })).answer().await;
    assert_eq!(renamed.refusal(), (403, "forbidden".to_owned()), "the role limits the token");

    let listed = ben.pages(OWN, "tokens").await;
    assert_eq!(listed.len(), 1);
    assert!(listed[0]["last_used_at"].is_string(), "{listed:?}");
    let shown = ben.gets(&own(&made)).answer().await.expect(200);
    assert_eq!(shown.body(), listed[0]);
    assert_eq!(shown.header("etag"), made.header("etag"));
    let tag = shown.header("etag").unwrap().to_owned();
    ben.gets(&own(&made)).with("if-none-match", &tag).answer().await.expect(304);
    let all = ana.pages(&format!("{ACME}/tokens"), "tokens").await;
    assert_eq!(all, listed, "an owner sees every member's");
    assert!(!all[0].to_string().contains(&secret));
    let other = ana.gets(&own(&made)).answer().await;
    assert_eq!(other.refusal(), (404, "not_found".to_owned()), "it is none of her own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_what_its_scopes_say() {
    let (_installation, _node, ana, _) = two_members().await;
    let made = token(&ana, "acme", &["members:read", "org:write", "members:read"]).await;
    assert_eq!(made.body()["token_info"]["scopes"], json!(["members:read", "org:write"]));
    let reader = ana.with_token_of(&made);
    reader.gets(&format!("{ACME}/members")).answer().await.expect(200);
    reader.gets(ACME).answer().await.expect(200);
    reader.renames("acme", "Acme Two").await;
    for (refused, scope) in [
        (reader.gets(&format!("{ACME}/audit-log")), "audit:read"),
        (reader.invite("acme", "dora@example.org", "viewer"), "members:write"),
        (reader.deletes(&format!("{ACME}/members/{}", ana.id().await)), "members:admin"),
        (reader.deletes(ACME).json(&json!({ "confirm": "acme" })), "org:admin"),
        (reader.gets(&format!("{ACME}/tokens")), "tokens:read"),
        (reader.gets(OWN), "tokens:read"),
        (reader.gets(&own(&made)), "tokens:read"),
        (reader.posts(OWN, &json!({ "token_name": "more" })), "*"),
        (reader.posts(&format!("{}/rotate", own(&made)), &json!({})), "*"),
        (reader.deletes(&own(&made)), "*"),
    ] {
        let answer = refused.answer().await;
        assert_eq!(answer.refusal(), (403, "missing_scope".to_owned()), "{scope}");
        assert_eq!(answer.body()["required_scope"], scope);
    }
    for refused in [
        reader.posts("/v1/organizations", &json!({ "name": "Two", "slug": "two" })),
        reader.gets("/v1/auth/sessions"),
        reader.patches("/v1/auth/me", &json!({ "name": "Anna" })),
    ] {
        let refused = refused.answer().await;
        assert_eq!(refused.refusal(), (403, "sign_in_required".to_owned()));
    }
    for scopes in [json!(["org:execute"]), json!(["members:read", "databases:read"])] {
        let body = json!({ "token_name": "x", "scopes": scopes, "organization": "acme" });
        let refused = ana.posts(OWN, &body).answer().await;
        assert_eq!(refused.refusal(), (400, "unknown_scope".to_owned()));
    }
    assert_eq!(ana.pages(OWN, "tokens").await.len(), 1, "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_is_named() {
    let (_installation, _node, ana, _) = two_members().await;
    let tokens = format!("{ACME}/tokens");
    for (path, body, fields) in [
        (OWN, json!({ "token_name": "", "expires_in": "0d" }), vec!["token_name", "expires_in"]),
        (OWN, json!({ "scopes": ["*"] }), vec!["token_name"]),
        (OWN, json!({ "token_name": "x", "scopes": [] }), vec!["scopes"]),
        (OWN, json!({ "token_name": "x", "scopes": null }), vec!["scopes"]),
        (OWN, json!({ "token_name": "x", "expires_in": "99999d" }), vec!["expires_in"]),
        (OWN, json!({ "token_name": "x", "kind": "organization" }), vec!["kind"]),
        (&tokens, json!({ "token_name": "x", "kind": "boss" }), vec!["kind"]),
    ] {
        let refused = ana.posts(path, &body).answer().await;
        assert_eq!(refused.refusal(), (422, "validation_failed".to_owned()), "{body}");
        let errors = refused.body()["errors"].as_array().unwrap().clone();
        let named: Vec<_> = errors.iter().map(|error| words(&error["field"])).collect();
        assert_eq!(named, fields, "{body}");
    }
    let rotate = format!("{}/rotate", own(&token(&ana, "acme", &["*"]).await));
    for overlap in ["25h", "-1h", "", "1"] {
        let refused = ana.posts(&rotate, &json!({ "overlap": overlap })).answer().await;
        assert_eq!(refused.refusal(), (422, "validation_failed".to_owned()), "{overlap}");
    }
    let body = json!({ "token_name": "x", "organization": "acme" });
    let mismatch = ana.posts(OWN, &body).with("x-active-org-id", &ana.lists().await[0]);
    assert_eq!(mismatch.answer().await.refusal(), (400, "organization_mismatch".to_owned()));
    let body = json!({ "token_name": "x", "organization": "nothing" });
    assert_eq!(ana.posts(OWN, &body).answer().await.refusal(), (404, "not_found".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_token_tells_why() {
    let installation = Installation::sqlite();
    let node = installation.start_with_clock(0).await;
    let operator = Person::operator(&node, installation.operator_token());
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let refusal = async |who: &Person| who.gets(ACME).answer().await.refusal();
    let because = |code: &str| (401, code.to_owned());

    let body = json!({ "token_name": "x", "expires_in": "2h", "organization": "acme" });
    let expiring = ana.posts(OWN, &body).answer().await.expect(201);
    let rotating = token(&ana, "acme", &["*"]).await;
    let revoked = token(&ana, "acme", &["*"]).await;
    ana.deletes(&own(&revoked)).answer().await.expect(204);
    assert_eq!(refusal(&ana.with_token_of(&revoked)).await, because("token_revoked"));
    ana.deletes(&own(&revoked)).answer().await.expect(204);

    let body = json!({ "overlap": "30m", "scopes": ["org:read"] });
    let path = format!("{}/rotate", own(&rotating));
    let rotated = ana.posts(&path, &body).answer().await.expect(200);
    assert_eq!(rotated.body()["token_info"]["scopes"], json!(["org:read"]));
    assert_ne!(rotated.body()["token"], rotating.body()["token"]);
    for serving in [&rotating, &rotated, &expiring] {
        ana.with_token_of(serving).gets(ACME).answer().await.expect(200);
    }
    let again = ana.posts(&path, &json!({})).answer().await;
    assert_eq!(again.refusal(), (409, "token_not_active".to_owned()));
    let more = json!({ "scopes": ["org:write"] });
    let more = ana.posts(&format!("{}/rotate", own(&rotated)), &more).answer().await;
    assert_eq!(more.refusal(), (422, "validation_failed".to_owned()), "no more than before");

    operator.advances("31m").await;
    let ana = ana.with_token_of(&ana.signs_in().await.expect(200));
    assert_eq!(refusal(&ana.with_token_of(&rotating)).await, because("token_rotated"));
    ana.with_token_of(&rotated).gets(ACME).answer().await.expect(200);
    operator.advances("90m").await;
    let ana = ana.with_token_of(&ana.signs_in().await.expect(200));
    assert_eq!(refusal(&ana.with_token_of(&expiring)).await, because("token_expired"));
    let unknown = format!("{}x", words(&rotated.body()["token"]).split_at(56).0);
    assert_eq!(refusal(&ana.with_token(Some(unknown))).await, because("invalid_token"));

    let listed = ana.pages(&format!("{OWN}?page_size=1"), "tokens").await;
    let listed: Vec<_> =
        listed.iter().map(|it| (it["id"].clone(), it["is_active"].clone())).collect();
    let id = |answer: &Answer| answer.body()["token_info"]["id"].clone();
    let expected = [(&rotated, true), (&revoked, false), (&rotating, false), (&expiring, false)];
    let expected: Vec<_> =
        expected.iter().map(|(token, active)| (id(token), json!(active))).collect();
    assert_eq!(listed, expected);
    let over = ana.gets(&own(&expiring)).answer().await.expect(200);
    assert_eq!((&over.body()["is_active"], over.header("etag")), (&json!(false), None));
    assert_eq!(
        ana.history("acme").await[1..],
        [
            "api_key.created",
            "api_key.created",
            "api_key.created",
            "api_key.revoked",
            "api_key.rotated"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_given_the_secret_of_anothers_token() {
    let (_installation, _node, ana, ben) = two_members().await;
    let bens = token(&ben, "acme", &["*"]).await;
    let anas = token(&ana, "acme", &["*"]).await;
    let at = |answer: &Answer| own(answer).replace(OWN, &format!("{ACME}/tokens"));
    let rotate = |who: &Person, answer: &Answer| {
        who.posts(&format!("{}/rotate", at(answer)), &json!({})).answer()
    };
    let refusal = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(rotate(&ana, &bens).await.refusal(), refusal(403, "not_your_token"));
    assert_eq!(rotate(&ben, &anas).await.refusal(), refusal(403, "forbidden"));
    ben.gets(&at(&bens)).answer().await.expect(200);
    for path in [at(&anas), format!("{ACME}/tokens/tok_01h2xcejqtf2nbrexx3vqjhp41")] {
        assert_eq!(ben.gets(&path).answer().await.refusal(), refusal(403, "forbidden"));
        assert_eq!(ben.deletes(&path).answer().await.refusal(), refusal(403, "forbidden"));
    }
    let missing = format!("{ACME}/tokens/nonsense");
    assert_eq!(ana.gets(&missing).answer().await.refusal(), refusal(404, "not_found"));
    let body = json!({ "token_name": "x", "kind": "organization" });
    let made = ben.posts(&format!("{ACME}/tokens"), &body).answer().await;
    assert_eq!(made.refusal(), refusal(403, "forbidden"));
    ana.deletes(&at(&bens)).answer().await.expect(204);
    let ended = ben.with_token_of(&bens).gets(ACME).answer().await;
    assert_eq!(ended.refusal(), refusal(401, "token_revoked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_acts_as_the_organization_and_outlives_its_maker() {
    let (_installation, node, ana, _) = two_members().await;
    let eva = Person::joins(&node, "eva", &ana, "acme", "admin").await;
    let made = key(&eva, "acme", &["*"]).await;
    let info = &made.body()["token_info"];
    assert_eq!((&info["kind"], &info["owner"]), (&json!("organization"), &json!(eva.id().await)));
    let key = Person::stranger(&node).with_token_of(&made);
    assert!(key.token.as_ref().unwrap().starts_with("chy_org_"));
    let personal = token(&eva, "acme", &["*"]).await;
    ana.deletes(&eva.as_member_of("acme").await).answer().await.expect(204);
    let ended = eva.with_token_of(&personal).gets(ACME).answer().await;
    assert_eq!(ended.refusal(), (401, "token_revoked".to_owned()));

    key.renames("acme", "Acme by a key").await;
    assert_eq!(key.lists().await, ["acme"]);
    let sent = key.invites("acme", "dora@example.org", "viewer").await.body();
    assert_eq!(sent["invited_by"], info["id"]);
    for nobody in [
        key.gets("/v1/auth/me"),
        key.gets(OWN),
        key.posts(OWN, &json!({ "token_name": "x" })),
        key.posts(&format!("{ACME}/tokens"), &json!({ "token_name": "x" })),
        key.posts(&format!("{ACME}/leave"), &json!({})),
    ] {
        assert_eq!(nobody.answer().await.refusal(), (403, "person_required".to_owned()));
    }
    let granted = key.invite("acme", "emil@example.org", "admin").answer().await;
    assert_eq!(granted.refusal(), (403, "forbidden".to_owned()), "a key is an admin, no owner");
    let another = json!({ "token_name": "next", "kind": "organization" });
    let another = key.posts(&format!("{ACME}/tokens"), &another).answer().await.expect(201);
    assert_eq!(another.body()["token_info"]["owner"], Value::Null);
    let log = ana.gets(&format!("{ACME}/audit-log?page_size=1")).answer().await.expect(200).body();
    assert_eq!(log["events"][0]["actor"]["id"], info["id"]);
    let path = format!("{ACME}/tokens/{}/rotate", words(&info["id"]));
    let rotated = ana.posts(&path, &json!({ "overlap": "0s" })).answer().await.expect(200);
    let over = key.gets(ACME).answer().await;
    assert_eq!(over.refusal(), (401, "token_rotated".to_owned()));
    key.with_token_of(&rotated).gets(ACME).answer().await.expect(200);
    ana.deletes(ACME).json(&json!({ "confirm": "acme" })).answer().await.expect(204);
    let gone = key.with_token_of(&rotated).gets(ACME).answer().await;
    assert_eq!(gone.refusal(), (401, "token_revoked".to_owned()));
}

async fn a_repeat_shows_the_very_same_secret_after_a_kill(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let body = json!({ "token_name": "ci", "organization": "acme" });
    let create = |who: &Person| who.posts(OWN, &body).key("create").answer();
    let made = create(&ana).await.expect(201);
    let rotate = |who: &Person| {
        who.posts(&format!("{}/rotate", own(&made)), &json!({})).key("rotate").answer()
    };
    let rotated = rotate(&ana).await.expect(200);
    node.kill();

    let node = installation.start().await;
    let ana = ana.at(&node);
    for (again, first) in [(create(&ana).await, &made), (rotate(&ana).await, &rotated)] {
        assert!(again.is_replayed());
        assert_eq!((again.status, again.body()), (first.status, first.body()));
        ana.with_token_of(&again).gets(ACME).answer().await.expect(200);
    }
    let other = json!({ "token_name": "ci", "organization": ana.lists().await[0] });
    let other = ana.posts(OWN, &other).key("create").answer().await;
    assert_eq!(other.refusal(), (422, "idempotency_key_reused".to_owned()));
    let weak = ana.with_token_of(&token(&ana, "acme", &["org:read"]).await);
    assert_eq!(create(&weak).await.refusal(), (403, "missing_scope".to_owned()));
    assert_eq!(ana.pages(OWN, "tokens").await.len(), 3);
    node.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn own_tokens_are_listed_over_all_organizations_that_let_one_in() {
    let (_installation, _node, ana, ben) = two_members().await;
    let personal = ben.lists().await.swap_remove(0);
    let mut made = Vec::new();
    for slug in [&personal, "acme", &personal, "acme"] {
        made.push(words(&token(&ben, slug, &["*"]).await.body()["token_info"]["id"]));
    }
    made.reverse();
    let ids = async |path: &str, header: &str| {
        let ask = ben.gets(path);
        let ask = if header.is_empty() { ask } else { ask.with("x-active-org-id", header) };
        let list = ask.answer().await.expect(200).body();
        list["tokens"].as_array().unwrap().iter().map(|it| words(&it["id"])).collect::<Vec<_>>()
    };
    assert_eq!(ids(OWN, "").await, made);
    assert_eq!(ids(OWN, "acme").await, [made[0].clone(), made[2].clone()]);
    let paged = ben.pages(&format!("{OWN}?page_size=1"), "tokens").await;
    assert_eq!(paged.iter().map(|it| words(&it["id"])).collect::<Vec<_>>(), made);
    let wrong = ben.gets(&format!("{OWN}/{}", made[0])).with("x-active-org-id", &personal);
    assert_eq!(wrong.answer().await.refusal(), (400, "organization_mismatch".to_owned()));
    ana.deletes(&ben.as_member_of("acme").await).answer().await.expect(204);
    assert_eq!(ids(OWN, "").await, [made[1].clone(), made[3].clone()]);
    ben.gets(&format!("{OWN}/{}", made[0])).answer().await.expect(404);
    let as_of = ben.gets(&format!("{OWN}?as_of=1")).answer().await;
    assert_eq!(as_of.refusal(), (400, "as_of_not_supported".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_shown_as_they_were() {
    let (_installation, _node, ana, ben) = two_members().await;
    let joined = ana.history("acme").await.len();
    let made = token(&ben, "acme", &["*"]).await;
    ben.deletes(&own(&made)).answer().await.expect(204);
    let list = format!("{ACME}/tokens");
    let one = own(&made).replace(OWN, &list);
    let was = async |version: usize| {
        let path = format!("{list}?page_size=1&as_of={version}");
        let tokens = ana.pages(&path, "tokens").await;
        tokens.iter().map(|it| it["is_active"] == true).collect::<Vec<_>>()
    };
    assert_eq!(was(joined - 1).await, [] as [bool; 0]);
    assert_eq!((was(joined).await, was(joined + 1).await), (vec![true], vec![false]));
    let then = ana.gets(&format!("{one}?as_of={joined}")).answer().await.expect(200);
    assert_eq!(then.header("as-of-version"), Some(joined.to_string().as_str()));
    assert_eq!(
        (&then.body()["is_active"], &then.body()["as_of_version"]),
        (&json!(true), &json!(joined))
    );
    ana.gets(&format!("{one}?as_of={}", joined - 1)).answer().await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn last_use_is_kept_over_a_restart() {
    let (installation, node, ana, _) = two_members().await;
    let made = token(&ana, "acme", &["*"]).await;
    ana.with_token_of(&made).gets(ACME).answer().await.expect(200);
    let used = ana.gets(&own(&made)).answer().await.expect(200).body()["last_used_at"].clone();
    assert!(used.is_string());
    node.stop().await;
    let node = installation.start().await;
    let shown = ana.at(&node).gets(&own(&made)).answer().await.expect(200).body();
    assert_eq!(shown["last_used_at"], used);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_know_api_keys_are_served() {
    let (_installation, _node, ana, _) = two_members().await;
    let body = json!({ "name": "ci", "scopes": ["databases:read"], "expires_in": "365d" });
    let path = "/v1/auth/api-keys";
    let made = ana.posts(path, &body).with("x-organization-id", "acme").answer().await;
    let made = made.expect(201).body();
    assert_eq!((&made["name"], &made["scopes"]), (&json!("ci"), &json!(["services:read"])));
    assert!(words(&made["api_key"]).starts_with(&words(&made["prefix"])));
    let listed = ana.pages(path, "api_keys").await;
    let one = format!("{path}/{}", words(&made["id"]));
    let shown = ana.gets(&one).answer().await.expect(200).body();
    assert_eq!(listed, std::slice::from_ref(&shown));
    for member in ["id", "name", "key_prefix", "scopes", "expires_at", "created_at"] {
        assert!(!shown[member].is_null(), "{member} of {shown}");
    }
    let rotated = ana.posts(&format!("{one}/rotate"), &json!({})).answer().await.expect(200).body();
    for member in ["id", "name", "token", "key_prefix", "scopes", "previous_token_valid_until"] {
        assert!(!rotated[member].is_null(), "{member} of {rotated}");
    }
    ana.deletes(&one).answer().await.expect(204);
    let key = ana.with_token(Some(words(&made["api_key"])));
    let ended = key.gets(ACME).answer().await;
    assert_eq!(ended.refusal(), (401, "token_revoked".to_owned()));
    ana.with_token(Some(words(&rotated["token"]))).gets("/v1/auth/me").answer().await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_many_tokens_that_do_not_exist_has_to_wait() {
    let installation = Installation::sqlite();
    let node = installation.launch(0, &[("CHANCERY_RATE_LIMITS", "on")]).serving().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let known = ana.with_token_of(&token(&ana, "acme", &["*"]).await);
    known.gets(ACME).answer().await.expect(200);
    let fresh = ana.with_token_of(&token(&ana, "acme", &["*"]).await);
    for _ in 0..30 {
        let guess = ana.with_token(Some(format!("chy_pat_{}", "0".repeat(49))));
        assert_eq!(guess.gets(ACME).answer().await.refusal(), (401, "invalid_token".to_owned()));
    }
    let limited = fresh.gets(ACME).answer().await;
    assert_eq!(limited.refusal(), (429, "too_many_requests".to_owned()));
    assert!(limited.header("retry-after").is_some());
    known.gets(ACME).answer().await.expect(200);
    ana.gets(ACME).answer().await.expect(200);
}
