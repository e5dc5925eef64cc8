//! Databases: asked for, started and stopped, resized and deleted, with what belongs to them, under
//! each of their names, as they are and as they were.

use serde_json::{Value, json};

use crate::operations::{Holdings, database};
use crate::people::{Person, words};
use crate::server::{Installation, on_every_store};

on_every_store! {
    a_database_is_asked_for_used_and_deleted
}

const DATABASES: &str = "/v1/organizations/acme/databases";

fn of(database: &str) -> String {
    format!("{DATABASES}/{database}")
}

async fn a_database_is_asked_for_used_and_deleted(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let provisioner = ana.with_token(Some(installation.provisioner_token()));
    let made = ana.posts(DATABASES, &database("orders")).key("orders").answer().await.expect(201);
    let (tag, body) = (made.header("etag").unwrap().to_owned(), made.body());
    let id = words(&body["id"]);
    assert!(id.starts_with("db_"), "{id}");
    assert_eq!((&body["status"], &body["tier"]), (&json!("pending"), &json!("micro")));
    let again = ana.posts(DATABASES, &database("orders")).key("orders").answer().await.expect(201);
    assert!(again.is_replayed() && again.body() == body);
    let refused = ana.posts(DATABASES, &database("orders")).answer().await;
    assert_eq!(refused.refusal(), (409, "name_taken".to_owned()));
    assert_eq!(ana.shows("acme").await["database_count"], 1);

    let order =
        async |what: &str| ana.posts(&format!("{}/{what}", of(&id)), &json!({})).answer().await;
    assert_eq!(order("start").await.refusal(), (409, "illegal_state".to_owned()));
    let running = json!({ "status": "running", "endpoint": "orders.example.com:5432" });
    let reported = provisioner.reports(&id, &running).await.expect(200).body();
    assert_eq!((&reported["id"], &reported["status"]), (&json!(id), &json!("running")));
    let shown = ana.gets(&of(&id)).answer().await.expect(200);
    assert_eq!(shown.body()["endpoint"], json!({ "host": "orders.example.com", "port": 5432 }));
    let stale = ana.patches(&of(&id), &json!({ "name": "other" })).with("if-match", &tag);
    assert_eq!(stale.answer().await.refusal(), (412, "precondition_failed".to_owned()));
    let current = shown.header("etag").unwrap();
    ana.gets(&of(&id)).with("if-none-match", current).answer().await.expect(304);
    ana.patches(&of(&id), &json!({ "name": "other" }))
        .with("if-match", current)
        .answer()
        .await
        .expect(200);

    assert_eq!(order("stop").await.expect(200).body()["status"], "stopped");
    assert_eq!(order("start").await.expect(200).body()["status"], "running");
    let resize = json!({ "tier": "large", "storage_gb": 20, "node_count": 3 });
    let resized = ana.posts(&format!("{}/resize", of(&id)), &resize).answer().await.expect(200);
    assert_eq!(
        (&resized.body()["tier"], &resized.body()["storage_gb"]),
        (&json!("large"), &json!(20))
    );
    let shrink = ana.posts(&format!("{}/resize", of(&id)), &json!({ "storage_gb": 19 }));
    assert_eq!(
        words(&shrink.answer().await.expect(422).body()["errors"][0]["field"]),
        "storage_gb"
    );

    ana.deletes(&of(&id)).answer().await.expect(204);
    assert_eq!(ana.gets(&of(&id)).answer().await.expect(200).body()["status"], "deleting");
    assert_eq!(order("start").await.refusal(), (409, "illegal_state".to_owned()));
    provisioner.reports(&id, &json!({ "status": "deleted" })).await.expect(200);
    assert_eq!(ana.gets(&of(&id)).answer().await.refusal(), (404, "not_found".to_owned()));
    assert_eq!(ana.shows("acme").await["database_count"], 0);
    let of_it: Vec<String> = ana.history("acme").await;
    let expected = [
        "organization.created",
        "database.created",
        "database.facts_reported",
        "database.started",
        "database.updated",
        "database.stopped",
        "database.started",
        "database.resized",
        "database.deletion_started",
        "database.deleted",
    ];
    assert_eq!(of_it, expected);

    // as it was, it is there
    let then = ana.gets(&format!("{}?as_of=4", of(&id))).answer().await.expect(200).body();
    assert_eq!((&then["name"], &then["as_of_version"]), (&json!("other"), &json!(4)));
    let then = ana.gets(&format!("{DATABASES}?as_of=1")).answer().await.expect(200).body();
    assert_eq!(then["databases"][0]["status"], "pending");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_databases_are_and_how_large_is_for_the_settings_to_say() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let settings = json!({ "allowed_regions": ["nbg1"], "default_tier": "large" });
    ana.patches("/v1/organizations/acme/settings", &settings).answer().await.expect(200);
    let refused = ana.posts(DATABASES, &database("orders")).answer().await.expect(422).body();
    assert_eq!(words(&refused["errors"][0]["field"]), "region");
    let project = json!({ "name": "Shop", "region": "nbg1" });
    let project = ana.posts("/v1/organizations/acme/projects", &project).answer().await.expect(201);
    let body = json!({ "name": "orders", "project_id": project.body()["id"] });
    let made = ana.posts(DATABASES, &body).answer().await.expect(201).body();
    assert_eq!((&made["region"], &made["tier"]), (&json!("nbg1"), &json!("large")));
    assert_eq!((&made["database_type"], &made["version"]), (&json!("postgresql"), &json!("17")));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_in_a_database_is_named_where_it_is() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let body = json!({
        "name": "Or--ders-", "database_type": "mysql", "version": "17", "tier": "tiny",
        "region": "moon", "storage_gb": 0, "node_count": 99,
    });
    let refused = ana.posts(DATABASES, &body).answer().await.expect(422).body();
    let fields: Vec<String> =
        refused["errors"].as_array().unwrap().iter().map(|error| words(&error["field"])).collect();
    assert_eq!(fields, ["name", "version", "region", "tier", "storage_gb", "node_count"]);
    for name in ["ab", "1ab", "ab-", "a--b", "Abc", "a_b", &"a".repeat(64)] {
        ana.posts(DATABASES, &database(name)).answer().await.expect(422);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_a_database_comes_and_goes() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let provisioner = ana.with_token(Some(installation.provisioner_token()));
    let held = Holdings::of(&ana, &provisioner, "acme").await;
    let at = |path: &str| format!("{}/{path}", of(&held.database));
    let shown = async |path: &str| ana.gets(&at(path)).answer().await.expect(200).body();

    let reveal = format!("users/{}/reveal-password", held.user);
    let first = ana.posts(&at(&reveal), &json!({})).answer().await.expect(200).body();
    assert_eq!(words(&first["password"]).len(), 43);
    assert_eq!(ana.posts(&at(&reveal), &json!({})).answer().await.body(), first);
    let reset = format!("users/{}/reset-password", held.user);
    let second = ana.posts(&at(&reset), &json!({})).answer().await.expect(200).body();
    assert_ne!(first["password"], second["password"]);
    let listed = shown("users").await;
    assert_eq!(listed["users"][0]["username"], "app");
    assert!(listed["users"][0].get("password").is_none());
    let taken = ana.posts(&at("users"), &json!({ "username": "app" })).answer().await;
    assert_eq!(taken.refusal(), (409, "name_taken".to_owned()));

    let backup = shown(&format!("backups/{}", held.backup)).await;
    let told = (&backup["status"], &backup["kind"], &backup["size_bytes"]);
    assert_eq!(told, (&json!("succeeded"), &json!("manual"), &json!(7)));
    let running = ana.posts(&at("backups"), &json!({})).answer().await.expect(201).body();
    let running = format!("backups/{}", words(&running["id"]));
    let refused = ana.deletes(&at(&running)).answer().await;
    assert_eq!(refused.refusal(), (409, "backup_unfinished".to_owned()));
    assert_eq!(shown("backup-schedule").await["enabled"], false);
    let schedule =
        json!({ "enabled": true, "interval_hours": 12, "hour": 1, "retention_days": 30 });
    let set = ana.puts(&at("backup-schedule"), &schedule).answer().await.expect(200);
    assert_eq!((&set.body(), &shown("backup-schedule").await), (&schedule, &schedule));

    let listed = ana.posts(&at("ip-allowlist"), &json!({ "cidr": "192.0.2.0/24" })).answer().await;
    assert_eq!(listed.refusal(), (409, "network_listed".to_owned()));
    let described = json!({ "cidr": "198.51.100.7", "description": "Office" });
    ana.posts(&at("ip-allowlist"), &described).answer().await.expect(201);
    ana.patches(&at("ip-allowlist"), &json!({ "enabled": true })).answer().await.expect(200);
    let list = shown("ip-allowlist").await;
    assert_eq!(
        (&list["enabled"], &list["rules"][0]["description"]),
        (&json!(true), &json!("Office"))
    );

    let alert =
        json!({ "name": "cpu", "metric": "cpu_percent", "comparison": "below", "threshold": 1 });
    let alert = ana.puts(&at(&format!("alerts/{}", held.alert)), &alert).answer().await.expect(200);
    assert_eq!(alert.body()["comparison"], "below");
    let pipeline = shown(&format!("pipelines/{}", held.pipeline)).await;
    assert_eq!((&pipeline["source"], &pipeline["target"]), (&json!("orders"), &json!("warehouse")));
    let odd = json!({ "name": "odd", "source": "a", "target": "b", "schedule": "every day" });
    ana.posts(&at("pipelines"), &odd).answer().await.expect(422);

    // whoever runs it is told all that it takes
    let asked = format!("/v1/provisioner/databases/{}", held.database);
    let wanted = provisioner.gets(&asked).answer().await.expect(200).body();
    assert_eq!(wanted["users"][0]["password"], second["password"]);
    assert_eq!(wanted["ip_allowlist_enabled"], true);
    assert_eq!(wanted["backups_requested"].as_array().unwrap().len(), 1);

    for part in ["users", "backups", "ip-allowlist", "alerts", "pipelines"] {
        let id = match part {
            "users" => &held.user,
            "backups" => &held.backup,
            "ip-allowlist" => &held.rule,
            "alerts" => &held.alert,
            _ => &held.pipeline,
        };
        let place = at(&format!("{part}/{id}"));
        ana.deletes(&place).answer().await.expect(204);
        assert_eq!(ana.deletes(&place).answer().await.refusal(), (404, "not_found".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_who_reads_a_database_reads_what_has_happened_to_it() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let provisioner = ana.with_token(Some(installation.provisioner_token()));
    let held = Holdings::of(&ana, &provisioner, "acme").await;
    ana.posts(DATABASES, &database("another")).answer().await.expect(201);
    let ben = Person::joins(&node, "ben", &ana, "acme", "viewer").await;
    let path = format!("{}/events?page_size=2", of(&held.database));
    let events = ben.pages(&path, "events").await;
    let actions: Vec<String> = events.iter().map(|event| words(&event["action"])).collect();
    let expected = [
        "pipeline.set",
        "alert.set",
        "database_allowlist.rule_added",
        "database_user.created",
        "backup.completed",
        "backup.requested",
        "database.started",
        "database.created",
    ];
    assert_eq!(actions, expected);
    assert!(events.iter().all(|event| event.get("ip_address").is_none()));
    assert_eq!(
        (&events[4]["actor"]["kind"], &events[0]["actor"]["kind"]),
        (&json!("operator"), &json!("user"))
    );
    let ends = events[0]["changes"].as_array().unwrap().last().unwrap();
    assert_eq!(ends["to"], json!({ "source": "orders", "target": "warehouse" }));
    let refused = ben.posts(&of(&held.database), &json!({})).answer().await;
    assert_eq!(refused.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_a_database_in_other_words() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let id = words(&ana.creates("acme").await.body()["id"]);
    let wanted = json!({
        "name": "orders", "database_type": "postgresql", "version": "17", "plan_name": "small",
        "zone": "hel1", "storage_size_gb": 50, "node_count": 1,
    });
    let ask = |path: &str| ana.posts(path, &wanted).with("x-active-org-id", &id).key("one");
    let made = ask("/managed-services").answer().await.expect(201).body();
    let service = (&made["plan_name"], &made["zone"], &made["storage_size_gb"]);
    assert_eq!(service, (&json!("small"), &json!("hel1"), &json!(50)));
    // one command, whatever it is called
    let again = ask("/v1/databases").answer().await.expect(201);
    assert!(again.is_replayed() && again.body()["id"] == made["id"]);
    assert!(again.body().get("zone").is_none());
    let listed = ana.gets("/v1/organizations/acme/services").answer().await.expect(200).body();
    assert_eq!(listed["services"], json!([made]));
    assert!(listed.get("databases").is_none());
    let databases = ana.gets("/v1/databases").with("x-organization-id", "acme").answer().await;
    assert_eq!(databases.expect(200).body()["databases"][0]["id"], made["id"]);
    let users = format!("/managed-services/{}/database-users", words(&made["id"]));
    let user = json!({ "username": "app" });
    ana.posts(&users, &user).with("x-active-org-id", "acme").answer().await.expect(201);
    let both = json!({ "name": "other", "tier": "small", "plan_name": "small", "region": "fsn1" });
    ana.posts(DATABASES, &both).answer().await.expect(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_of_a_database_is_in_no_line() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let organization = words(&ana.creates("acme").await.body()["id"]);
    let provisioner = ana.with_token(Some(installation.provisioner_token()));
    let held = Holdings::of(&ana, &provisioner, "acme").await;
    let project = format!("/v1/organizations/acme/projects/{}", held.project);
    let told = json!({ "description": "a secret plan", "tags": ["hidden"] });
    let told: Value = ana.patches(&project, &told).answer().await.expect(200).body();
    assert_eq!(
        (&told["description"], &told["tags"]),
        (&json!("a secret plan"), &json!(["hidden"]))
    );
    let failed = json!({ "status": "failed", "reason": "the disk of ana is full" });
    provisioner.reports(&held.database, &failed).await.expect(200);
    let shown = ana.gets(&of(&held.database)).answer().await.expect(200).body();
    assert_eq!(shown["failure_reason"], "the disk of ana is full");
    node.stop().await;
    let stream = events::stream::Stream::Organization(organization.parse().unwrap());
    let stored = installation.log().await.read_stream(&stream, 0, 100).await.unwrap();
    let lines: String =
        stored.iter().map(|event| String::from_utf8_lossy(&event.line).into_owned()).collect();
    assert!(lines.contains("pipeline.set"));
    for word in ["secret plan", "hidden", "disk of ana", "warehouse"] {
        assert!(!lines.contains(word), "{word} stands in a line");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_who_want_the_last_database_of_a_plan_one_gets_it() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let starter = json!({ "plan": "starter" });
    ana.puts("/v1/organizations/acme/plan", &starter).answer().await.expect(200);
    for name in ["first", "second"] {
        ana.posts(DATABASES, &database(name)).answer().await.expect(201);
    }
    let asked = (0..8).map(|number| {
        let ana = ana.clone();
        let wanted = database(&format!("third-{number}"));
        tokio::spawn(async move { ana.posts(DATABASES, &wanted).answer().await })
    });
    let answers = futures_util::future::join_all(asked).await;
    let (made, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().map(Result::unwrap).partition(|answer| answer.status == 201);
    assert_eq!(made.len(), 1);
    for refused in refused {
        assert_eq!(refused.refusal(), (402, "quota_exceeded".to_owned()));
        assert_eq!(refused.body()["errors"][0]["field"], "databases");
    }
    // one that is on its way out is not counted
    let gone = of(&words(&made[0].body()["id"]));
    ana.deletes(&gone).answer().await.expect(204);
    ana.posts(DATABASES, &database("fourth")).answer().await.expect(201);
}
