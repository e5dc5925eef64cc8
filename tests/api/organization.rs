//! Create, list, read and change organizations.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::people::{Answer, Person, next_link, words};
use crate::server::Installation;

#[tokio::test(flavor = "multi_thread")]
async fn a_new_organization_says_all_about_itself() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let me = ana.gets("/v1/auth/me").answer().await.expect(200).body();
    let body = json!({
        "name": " Acme Engineering ", "slug": "acme-engineering",
        "billing_email": "Billing@acme.com", "country": "DE",
    });
    let created = ana.posts("/v1/organizations", &body).answer().await.expect(201).body();
    let id = words(&created["id"]);
    assert!(id.starts_with("org_") && id.len() == 30, "{id}");
    let created_at = words(&created["created_at"]);
    assert!(created_at.len() == 24 && created_at.ends_with('Z'), "{created_at}");
    assert_eq!(
        created,
        json!({
            "id": id, "name": "Acme Engineering", "slug": "acme-engineering",
            "is_personal": false, "role": "owner", "plan": "unlimited", "owner_id": me["id"],
            "member_count": 1, "database_count": 0, "country": "DE", "created_at": created_at,
            "status": "active", "billing_email": "Billing@acme.com",
        })
    );
    assert_eq!(ana.shows(&id).await, created, "an id serves like a slug");
    assert_eq!(ana.shows("acme-engineering").await, created);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slug_is_given_out_once() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    ana.creates("acme").await;
    for person in [&ana, &ben] {
        let body = json!({ "name": "Another", "slug": "acme" });
        let refused = person.posts("/v1/organizations", &body).answer().await;
        assert_eq!(refused.refusal(), (409, "slug_taken".to_owned()));
    }
    assert_eq!(ana.shows("acme").await["name"], "acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contested_slug_has_one_winner() {
    let installation = Installation::postgres().await.with_master_key();
    let (one, two) = (installation.start_node(0).await, installation.start_node(1).await);
    let (ana, ben) = (Person::registers(&one, "ana").await, Person::registers(&two, "ben").await);
    for round in 0..10 {
        let body = json!({ "name": "Acme", "slug": format!("acme-{round}") });
        let asks =
            [&ana, &ben, &ana, &ben].map(|who| who.posts("/v1/organizations", &body).answer());
        let [a, b, c, d] = asks;
        let (a, b, c, d) = tokio::join!(a, b, c, d);
        let mut statuses = [a, b, c, d].map(|answer| answer.status);
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slug_that_is_none_is_refused_by_name() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let long = "x".repeat(64);
    for slug in [
        "ab", &long, "Acme", "acme_inc", "-acme", "acme-", "ac--me", "acmé", "new", "api", "admin",
        "docs", "login", "setup", "account", "verify", "u-acme",
    ] {
        let body = json!({ "name": "Acme", "slug": slug });
        let refused = ana.posts("/v1/organizations", &body).answer().await;
        assert_eq!(refused.refusal(), (422, "validation_failed".to_owned()), "{slug}");
        assert_eq!(refused.body()["errors"][0]["field"], "slug", "{slug}");
    }
    for slug in ["abc", &long[1..], "1-2-3"] {
        ana.creates(slug).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_of_a_body_is_named_at_once() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let body = json!({ "name": "", "slug": "A", "billing_email": "x", "country": "Germany" });
    let refused = ana.posts("/v1/organizations", &body).answer().await.expect(422).body();
    let fields: Vec<_> =
        refused["errors"].as_array().unwrap().iter().map(|error| words(&error["field"])).collect();
    assert_eq!(fields, ["name", "slug", "billing_email", "country"]);
    assert_eq!(refused["error"], refused["detail"]);

    ana.creates("acme").await;
    let change = json!({ "slug": "acme-two" });
    let refused = ana.patches("/v1/organizations/acme", &change).answer().await.expect(422);
    assert_eq!(refused.body()["errors"][0]["field"], "slug", "a slug is never changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_touches_only_the_fields_it_names() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let body =
        json!({ "name": "Acme", "slug": "acme", "billing_email": "b@acme.com", "country": "DE" });
    let mut expected = ana.posts("/v1/organizations", &body).answer().await.expect(201).body();
    for (change, field, value) in [
        (json!({ "name": "Acme Two" }), "name", json!("Acme Two")),
        (json!({ "billing_email": "c@acme.com" }), "billing_email", json!("c@acme.com")),
        (json!({ "country": "FR" }), "country", json!("FR")),
        (json!({ "country": null }), "country", Value::Null),
        (json!({ "billing_email": null }), "billing_email", Value::Null),
        (json!({}), "name", json!("Acme Two")),
    ] {
        expected[field] = value;
        let path = "/v1/organizations/acme";
        let changed = ana.patches(path, &change).answer().await.expect(200).body();
        assert_eq!(changed, expected, "{change}");
        assert_eq!(ana.shows("acme").await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_personal_organization_can_be_renamed() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let change = json!({ "name": "Ana's desk" });
    let renamed = ana.patches("/v1/organization", &change).answer().await.expect(200).body();
    assert_eq!((&renamed["name"], &renamed["is_personal"]), (&json!("Ana's desk"), &json!(true)));
    assert_eq!(ana.gets("/v1/organization").answer().await.expect(200).body(), renamed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_chooses_the_active_organization_and_never_contradicts() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let acme = ana.creates("acme").await.body();
    let acme_id = words(&acme["id"]);
    ana.creates("other").await;
    for (name, value) in
        [("x-active-org-id", "acme"), ("x-organization-id", "acme"), ("x-active-org-id", &acme_id)]
    {
        let asked = ana.gets("/v1/organization").with(name, value).answer().await;
        assert_eq!(asked.expect(200).body(), acme);
        ana.gets("/v1/organizations/acme").with(name, value).answer().await.expect(200);
        let contradicted = ana.gets("/v1/organizations/other").with(name, value).answer().await;
        assert_eq!(contradicted.refusal(), (400, "organization_mismatch".to_owned()));
    }
    let both = ana.gets("/v1/organization").with("x-active-org-id", "acme");
    let both = both.with("x-organization-id", "other").answer().await;
    assert_eq!(both.refusal(), (400, "organization_mismatch".to_owned()));
    let nothing = ana.gets("/v1/organization").with("x-active-org-id", "nothing").answer().await;
    assert_eq!(nothing.refusal(), (404, "not_found".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_name_in_the_path_never_means_the_active_organization() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let change = json!({ "name": "Renamed" });
    for organization in ["/v1/organizations/%FF", "/organizations/%FF"] {
        let asks = [
            ana.gets(organization),
            ana.gets(organization).with("x-active-org-id", "acme"),
            ana.gets(&format!("{organization}/members")),
            ana.patches(organization, &change).with("x-active-org-id", "acme"),
        ];
        for ask in asks {
            assert_eq!(ask.answer().await.refusal(), (404, "not_found".to_owned()));
        }
    }
    assert_ne!(ana.shows("acme").await["name"], "Renamed");
}

/// An answer without what differs from request to request.
fn bare(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let request = answer.header("x-request-id").expect("each answer has one").to_owned();
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().replace(&request, "ID")))
        .filter(|(name, _)| name != "date")
        .collect();
    headers.sort();
    let bytes = String::from_utf8(answer.bytes.clone()).unwrap().replace(&request, "ID");
    (answer.status, headers, bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_the_answer_for_nothing() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let (ana, eve) = (Person::registers(&node, "ana").await, Person::registers(&node, "eve").await);
    let id = words(&ana.creates("acme").await.body()["id"]);
    let personal = ana.gets("/v1/organization").answer().await.expect(200).body();
    let there = ["acme".to_owned(), id.clone(), words(&personal["slug"]), words(&personal["id"])];
    let nothing_id = format!("{}{}", &id[..29], if id.ends_with('0') { "1" } else { "0" });
    let nothing = ["nothing", &nothing_id, "u-000000000000", "org_x", "Not A Slug"];
    let routes = [
        (Method::GET, "", None),
        (Method::PATCH, "", Some(r#"{"name":"Mine"}"#)),
        // authorization comes before the body is looked at
        (Method::PATCH, "", Some("{")),
        (Method::GET, "/audit-log", None),
        (Method::GET, "/audit-log?page_size=1000", None),
        (Method::GET, "?unknown=1", None),
    ];
    for (method, rest, body) in routes {
        let ask = async |org: &str| {
            let path = format!("/v1/organizations/{}{rest}", org.replace(' ', "%20"));
            let ask = eve.asks(method.clone(), &path);
            let ask = match body {
                Some(body) => ask.bytes("application/json", body),
                None => ask,
            };
            bare(&ask.answer().await)
        };
        let expected = ask(nothing[0]).await;
        assert_eq!(expected.0, 404, "{method} {rest}");
        for org in there.iter().map(String::as_str).chain(nothing) {
            assert_eq!(ask(org).await, expected, "{method} {org}{rest}");
        }
        for org in &there {
            let path = if rest.starts_with("/audit-log") { "/audit-log" } else { "" };
            let asked = eve.asks(method.clone(), &format!("/v1/organization{path}"));
            let asked = asked.with("x-active-org-id", org).bytes("application/json", "{}");
            assert_eq!(asked.answer().await.status, 404, "{method} {org} as the active one");
        }
    }
    assert_eq!(ana.shows("acme").await["name"], "acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_has_the_personal_organization_first_then_the_newest() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let (ana, ben) = (Person::registers(&node, "ana").await, Person::registers(&node, "ben").await);
    for number in 0..5 {
        ana.creates(&format!("acme-{number}")).await;
        ben.creates(&format!("ben-{number}")).await;
    }
    let listed = ana.lists().await;
    assert!(listed[0].starts_with("u-"));
    assert_eq!(listed[1..], ["acme-4", "acme-3", "acme-2", "acme-1", "acme-0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_neither_skip_nor_repeat_while_writes_go_on() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let mut before = HashSet::new();
    for number in 0..12 {
        before.insert(format!("before-{number}"));
        ana.creates(&format!("before-{number}")).await;
    }
    let (mut seen, mut round) = (Vec::new(), 0);
    let mut next = Some("/v1/organizations?page_size=3".to_owned());
    while let Some(path) = next {
        let page = ana.gets(&path).answer().await.expect(200);
        let items = page.body()["organizations"].as_array().unwrap().clone();
        assert!(items.len() == 3 || next_link(&page).is_none());
        seen.extend(items.iter().map(|organization| words(&organization["slug"])));
        ana.creates(&format!("during-{round}")).await;
        ana.renames(&format!("before-{round}"), "Renamed").await;
        (next, round) = (next_link(&page), round + 1);
    }
    let once: HashSet<&String> = seen.iter().collect();
    assert_eq!(once.len(), seen.len(), "{seen:?}");
    let old: HashSet<String> =
        seen.iter().filter(|slug| slug.starts_with("before")).cloned().collect();
    assert_eq!(old, before);
    assert_eq!(round, 5, "13 organizations are five pages: {seen:?}");
}
