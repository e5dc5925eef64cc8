//! Plans, seats, trials and suspension, as owners and operators see them.

use events::time::Time;
use serde_json::{Value, json};

use crate::people::{Person, words};
use crate::rounds::rounds;
use crate::server::{Installation, Node, on_every_store};

on_every_store! {
    a_plan_is_taken_at_once_and_left_at_the_end_of_the_month
}

const PLAN: &str = "/v1/organizations/acme/plan";
const SEATS: &str = "/v1/organizations/acme/seats";
const LIMIT: &str = "/v1/organizations/acme/spend-limit";
const METHODS: &str = "/v1/organizations/acme/payment-methods";

async fn plan_of(ana: &Person) -> Value {
    ana.gets(PLAN).answer().await.expect(200).body()
}

async fn takes(ana: &Person, plan: &str, status: u16) -> Value {
    ana.puts(PLAN, &json!({ "plan": plan })).answer().await.expect(status).body()
}

/// A node with a clock that tests move, and this catalogue.
async fn selling(installation: &Installation, catalogue: &str) -> Node {
    let path = installation.data().with_extension("plans.toml");
    std::fs::write(&path, catalogue).unwrap();
    let path = path.display().to_string();
    let variables = [("CHANCERY_TEST_CLOCK", "on"), ("CHANCERY_PLANS", path.as_str())];
    installation.launch(0, &variables).serving().await
}

async fn a_plan_is_taken_at_once_and_left_at_the_end_of_the_month(installation: Installation) {
    let node = installation.start_with_clock(0).await;
    let operator = Person::operator(&node, installation.operator_token());
    let ana = Person::registers(&node, "ana").await;
    let shown = ana.creates("acme").await.body();
    assert_eq!((&shown["plan"], &shown["status"]), (&json!("unlimited"), &json!("active")));
    let before = plan_of(&ana).await;
    assert_eq!(before["limits"]["max_databases"], 0);
    assert_eq!(
        (&before["subscription_status"], &before["enabled"]),
        (&json!("none"), &json!(true))
    );

    let scale = takes(&ana, "scale", 200).await;
    assert_eq!((&scale["plan"], &scale["monthly_price"]), (&json!("scale"), &json!(99)));
    assert_eq!(scale["subscription_status"], "active");
    assert_eq!(
        scale["seats"],
        json!({ "included": 5, "extra": 0, "used": 1, "scheduled_extra": null })
    );
    assert_eq!(ana.shows("acme").await["plan"], "scale");
    assert_eq!(takes(&ana, "scale", 200).await, scale, "nothing has changed");

    let pro = takes(&ana, "pro", 200).await;
    assert_eq!((&pro["plan"], &pro["scheduled_plan"]["plan"]), (&json!("scale"), &json!("pro")));
    assert_eq!(pro["scheduled_plan"]["takes_effect_at"], pro["current_period_end"]);
    assert_eq!(takes(&ana, "scale", 200).await["scheduled_plan"], Value::Null);
    takes(&ana, "pro", 200).await;
    operator.advances("32d").await;
    let ana = ana.with_token_of(&ana.signs_in().await.expect(200));
    let left = plan_of(&ana).await;
    assert_eq!((&left["plan"], &left["scheduled_plan"]), (&json!("pro"), &Value::Null));
    assert_eq!(ana.shows("acme").await["plan"], "pro");
    let entries = ana.pages("/v1/organizations/acme/audit-log?action=plan.changed", "events").await;
    let at: Time = words(&entries[0]["created_at"]).parse().unwrap();
    assert_eq!((at, words(&entries[0]["actor"]["id"])), (at.month().0, "system".to_owned()));
    takes(&ana, "nothing", 422).await;
    node.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_are_held_by_members_and_pending_invitations() {
    let installation = Installation::sqlite();
    let node = installation.start_with_clock(0).await;
    let operator = Person::operator(&node, installation.operator_token());
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let refused = ana.puts(SEATS, &json!({ "extra_seats": 1 })).answer().await;
    assert_eq!(refused.refusal(), (409, "seats_unlimited".to_owned()));
    takes(&ana, "starter", 200).await;
    let full = ana.invite("acme", "ben@example.org", "member").answer().await;
    assert_eq!(full.refusal(), (402, "seat_limit".to_owned()));
    let added = ana.puts(SEATS, &json!({ "extra_seats": 2 })).answer().await.expect(200).body();
    assert_eq!(added["seats"]["extra"], 2);
    let ben = ana.invites("acme", "ben@example.org", "member").await.body();
    // of two at once there is room for one
    let both = json!({ "invitations": [
        { "email": "cora@example.org", "role": "viewer" },
        { "email": "dora@example.org", "role": "viewer" },
    ] });
    let results = ana.posts("/v1/organizations/acme/invitations/bulk", &both).answer().await;
    let results = results.expect(200).body()["results"].clone();
    assert_eq!(
        (&results[0]["status"], &results[1]["error"]["code"]),
        (&json!(201), &json!("seat_limit"))
    );
    assert_eq!(plan_of(&ana).await["seats"]["used"], 3);

    let refused = ana.puts(SEATS, &json!({ "extra_seats": 1 })).answer().await;
    assert_eq!(refused.refusal(), (409, "does_not_fit".to_owned()));
    let excess = json!([{ "field": "seats", "detail": "3 are in use, 2 would be allowed" }]);
    assert_eq!(refused.body()["errors"], excess);
    let invitation = format!("/v1/organizations/acme/invitations/{}", words(&ben["id"]));
    ana.deletes(&invitation).answer().await.expect(204);
    let fewer = ana.puts(SEATS, &json!({ "extra_seats": 1 })).answer().await.expect(200).body();
    assert_eq!(
        (&fewer["seats"]["extra"], &fewer["seats"]["scheduled_extra"]),
        (&json!(2), &json!(1))
    );
    operator.advances("32d").await;
    let ana = ana.with_token_of(&ana.signs_in().await.expect(200));
    assert_eq!(plan_of(&ana).await["seats"]["extra"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_want_the_last_seat_one_gets_it() {
    let installation = Installation::postgres().await.with_master_key();
    let (one, two) = (installation.start_node(0).await, installation.start_node(1).await);
    let ana = Person::registers(&one, "ana").await;
    let elsewhere = ana.at(&two);
    for round in rounds() {
        let slug = format!("acme-{round}");
        ana.creates(&slug).await;
        let plan = format!("/v1/organizations/{slug}/plan");
        let starter = json!({ "plan": "starter", "extra_seats": 1 });
        ana.puts(&plan, &starter).answer().await.expect(200);
        let (ben, cora) = tokio::join!(
            ana.invite(&slug, "ben@example.org", "member").answer(),
            elsewhere.invite(&slug, "cora@example.org", "member").answer(),
        );
        let mut statuses = [ben.status, cora.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 402], "round {round}");
        let seats = ana.gets(&plan).answer().await.expect(200).body()["seats"].clone();
        assert_eq!((&seats["used"], &seats["extra"]), (&json!(2), &json!(1)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_without_a_payment_method_ends_in_suspension_where_the_catalogue_says_so() {
    let installation = Installation::sqlite();
    let catalogue = "default_plan = \"starter\"\nsuspend_after_trial = true";
    let node = selling(&installation, catalogue).await;
    let operator = Person::operator(&node, installation.operator_token());
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let trial = plan_of(&ana).await;
    assert_eq!(
        (&trial["plan"], &trial["subscription_status"]),
        (&json!("starter"), &json!("trialing"))
    );
    let end: Time = words(&trial["trial_ends_at"]).parse().unwrap();
    let begun: Time = words(&trial["created_at"]).parse().unwrap();
    assert_eq!(begun.until(end).as_secs(), 14 * 24 * 60 * 60);
    operator.advances("15d").await;
    let ana = ana.with_token_of(&ana.signs_in().await.expect(200));
    assert_eq!(ana.shows("acme").await["status"], "suspended");
    let over = plan_of(&ana).await;
    assert_eq!((&over["enabled"], &over["subscription_status"]), (&json!(false), &json!("paused")));

    let manual = json!({ "provider": "manual", "hint": "bank transfer" });
    let added = ana.posts(METHODS, &manual).answer().await.expect(201).body();
    assert_eq!((&added["hint"], &added["reference"]), (&json!("bank transfer"), &Value::Null));
    assert_eq!(ana.shows("acme").await["status"], "active");
    assert_eq!(plan_of(&ana).await["has_payment_method"], true);
    let listed = ana.gets(METHODS).answer().await.expect(200).body();
    assert_eq!(listed["payment_methods"], json!([added]));
    let method = format!("{METHODS}/{}", words(&added["id"]));
    ana.deletes(&method).answer().await.expect(204);
    ana.deletes(&method).answer().await.expect(404);
    // a person's own organization had its trial, too
    let personal = ana.gets("/v1/organization/plan").answer().await.expect(200).body();
    assert_eq!(personal["enabled"], false);
    node.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_catalogue_never_reaches_back() {
    let installation = Installation::sqlite();
    let node = selling(&installation, "default_plan = \"pro\"").await;
    let operator = Person::operator(&node, installation.operator_token());
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let price = async |name: &str| {
        let plans = Person::stranger(&node).gets("/v1/plans").answer().await.expect(200).body();
        let plans = plans["plans"].as_array().unwrap().clone();
        plans.into_iter().find(|plan| plan["name"] == name).map(|it| it["monthly_price"].clone())
    };
    assert_eq!(price("pro").await, Some(json!(29)));
    let dearer = json!({ "monthly_price": "39.50", "limits": { "included_seats": 9 } });
    operator.puts("/v1/admin/plans/pro", &dearer).answer().await.expect(200);
    operator.puts("/v1/admin/plans/team", &dearer).answer().await.expect(200);
    ana.puts("/v1/admin/plans/team", &dearer).answer().await.expect(401);
    let wrong = json!({ "monthly_price": "39.505" });
    operator.puts("/v1/admin/plans/pro", &wrong).answer().await.expect(422);
    assert_eq!((price("pro").await, price("team").await), (Some(json!(39.5)), Some(json!(39.5))));
    let kept = plan_of(&ana).await;
    assert_eq!((&kept["monthly_price"], &kept["custom_pricing"]), (&json!(29), &json!(true)));
    assert_eq!(takes(&ana, "pro", 200).await["monthly_price"], 39.5);
    node.stop().await;
    // the file is the one that was taken in: what the operator changed stays
    let node = selling(&installation, "default_plan = \"pro\"").await;
    let plans = Person::stranger(&node).gets("/v1/plans").answer().await.expect(200).body();
    assert_eq!(plans["plans"].as_array().unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_sees_every_organization() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let operator = Person::operator(&node, installation.operator_token());
    let ana = Person::registers(&node, "ana").await;
    for slug in ["beta", "acme", "zeta"] {
        ana.creates(slug).await;
    }
    Person::joins(&node, "ben", &ana, "acme", "viewer").await;
    let plan = json!({ "plan": "starter", "extra_seats": 1 });
    ana.puts(PLAN, &plan).answer().await.expect(200);
    let suspend = "/v1/admin/organizations/zeta/suspend";
    operator.posts(suspend, &json!({})).answer().await.expect(200);
    let confirmed = json!({ "confirm": "beta" });
    ana.deletes("/v1/organizations/beta").json(&confirmed).answer().await.expect(204);
    let all = operator.pages("/v1/admin/organizations?page_size=1", "organizations").await;
    let (personal, others): (Vec<Value>, Vec<Value>) =
        all.into_iter().partition(|it| it["is_personal"] == true);
    assert_eq!(personal.len(), 2);
    let shown = |it: &Value| {
        let counts = (it["member_count"].clone(), it["database_count"].clone());
        (words(&it["slug"]), words(&it["plan"]), words(&it["status"]), counts)
    };
    let expected = |slug: &str, plan: &str, status: &str, members: u64| {
        (slug.to_owned(), plan.to_owned(), status.to_owned(), (json!(members), json!(0)))
    };
    assert_eq!(
        others.iter().map(shown).collect::<Vec<_>>(),
        [expected("acme", "starter", "active", 2), expected("zeta", "unlimited", "suspended", 1)]
    );
    assert_eq!(others[0]["id"], ana.shows("acme").await["id"]);
    let refused = ana.gets("/v1/admin/organizations").answer().await;
    assert_eq!(refused.refusal(), (401, "operator_only".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_suspends_and_resumes() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let operator = Person::operator(&node, installation.operator_token());
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let of = |verb: &str| format!("/v1/admin/organizations/acme/{verb}");
    ana.posts(&of("suspend"), &json!({})).answer().await.expect(401);
    let reason = json!({ "reason": "a complaint about Ana" });
    let suspended = operator.posts(&of("suspend"), &reason).answer().await.expect(200).body();
    assert_eq!(suspended["suspended_for"], "operator");
    assert_eq!(ana.shows("acme").await["status"], "suspended");
    // what would end a trial's suspension does not end this one
    ana.posts(METHODS, &json!({ "provider": "manual" })).answer().await.expect(201);
    assert_eq!(ana.shows("acme").await["status"], "suspended");
    operator.posts(&of("resume"), &json!({})).answer().await.expect(200);
    assert_eq!(ana.shows("acme").await["status"], "active");
    let nowhere = "/v1/admin/organizations/acne/suspend";
    operator.posts(nowhere, &json!({})).answer().await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spend_limit_is_dollars_and_cents() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let set = |limit: Value| ana.puts(LIMIT, &json!({ "spend_limit": limit }));
    for (limit, shown) in
        [(json!(100), json!(100)), (json!(10.25), json!(10.25)), (json!(0), json!(0))]
    {
        assert_eq!(set(limit).answer().await.expect(200).body()["spend_limit"], shown);
    }
    assert_eq!(set(Value::Null).answer().await.expect(200).body()["spend_limit"], Value::Null);
    for wrong in [json!(-1), json!(0.001), json!("10"), json!(1e300)] {
        set(wrong).answer().await.expect(422);
    }
    ana.puts(LIMIT, &json!({})).answer().await.expect(422);
}
