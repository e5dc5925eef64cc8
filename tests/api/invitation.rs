//! Invitations as members handle them: send, list, send again, withdraw.

use serde_json::{Value, json};

use crate::people::{Person, next_link, secret_of, words};
use crate::server::Installation;

const WEEK: i64 = 7 * 24 * 3600;

/// Seconds since a midnight long ago, of a time as the API writes it.
fn seconds(time: &Value) -> i64 {
    let text = words(time);
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    // days from civil, by Howard Hinnant
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day;
    days * 24 * 3600 + number(11, 13) * 3600 + number(14, 16) * 60 + number(17, 19)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_invitation_says_all_about_itself() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let me = ana.gets("/v1/auth/me").answer().await.expect(200).body();
    ana.creates("acme").await;
    let sent = ana.invites("acme", " Dora@Example.org", "developer").await;
    let body = sent.body();
    let (id, url) = (words(&body["id"]), words(&body["accept_url"]));
    assert!(id.starts_with("inv_") && id.len() == 30, "{id}");
    let secret = url.strip_prefix(&format!("{}/invitations/", node.url())).expect("our own link");
    assert_eq!(secret.len(), 43);
    assert_eq!(seconds(&body["expires_at"]), seconds(&body["created_at"]) + WEEK);
    let mut expected = json!({
        "id": id, "email": "dora@example.org", "role": "developer", "status": "pending",
        "expires_at": body["expires_at"], "invited_by": me["id"], "accept_url": url,
        "created_at": body["created_at"],
    });
    assert_eq!(body, expected);

    expected.as_object_mut().unwrap().remove("accept_url");
    let listed = ana.pages("/v1/organizations/acme/invitations", "invitations").await;
    assert_eq!(listed, [expected.clone()]);
    let path = format!("/v1/organizations/acme/invitations/{id}");
    let shown = ana.gets(&path).answer().await.expect(200);
    assert_eq!(shown.body(), expected);
    assert_eq!(shown.header("etag"), sent.header("etag"));
    let tag = shown.header("etag").unwrap();
    ana.gets(&path).with("if-none-match", tag).answer().await.expect(304);
    assert_eq!(ana.history("acme").await, ["organization.created", "member.invited"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_said_to_be_more_becomes_a_member() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let body = json!({ "email": "dora@example.org" });
    let sent = ana.posts("/v1/organizations/acme/invitations", &body).answer().await.expect(201);
    assert_eq!(sent.body()["role"], "member");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_invited_once_and_a_member_never() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    ana.creates("other").await;
    ana.invites("acme", "dora@example.org", "viewer").await;
    for (email, code) in [
        ("DORA@example.org", "already_invited"),
        ("ana@example.org", "already_member"),
        ("Ana@EXAMPLE.org", "already_member"),
    ] {
        let refused = ana.invite("acme", email, "viewer").answer().await;
        assert_eq!(refused.refusal(), (409, code.to_owned()), "{email}");
    }
    ana.invites("other", "dora@example.org", "viewer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_is_named() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let path = "/v1/organizations/acme/invitations";
    for (body, fields) in [
        (json!({ "email": "dora", "role": "king" }), vec!["email", "role"]),
        (json!({ "role": "viewer" }), vec!["email"]),
        (json!({ "email": "dora@example.org", "name": "Dora" }), vec!["name"]),
    ] {
        let refused = ana.posts(path, &body).answer().await;
        assert_eq!(refused.refusal(), (422, "validation_failed".to_owned()));
        let errors = refused.body()["errors"].as_array().unwrap().clone();
        let named: Vec<_> = errors.iter().map(|error| words(&error["field"])).collect();
        assert_eq!(named, fields);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_grants_by_invitation_what_they_could_not_grant_by_hand() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    for (role, may_grant) in [
        ("owner", vec!["owner", "admin", "developer", "member", "viewer"]),
        ("admin", vec!["developer", "member", "viewer"]),
        ("developer", vec![]),
        ("member", vec![]),
        ("viewer", vec![]),
    ] {
        let who = Person::joins(&node, role, &ana, "acme", role).await;
        for granted in ["owner", "admin", "developer", "member", "viewer"] {
            let email = format!("{granted}-of-{role}@example.org");
            let answer = who.invite("acme", &email, granted).answer().await;
            let expected = if may_grant.contains(&granted) { 201 } else { 403 };
            assert_eq!(answer.status, expected, "{role} invites {granted}");
        }
        let reads = if may_grant.is_empty() { 403 } else { 200 };
        let listed = who.gets("/v1/organizations/acme/invitations").answer().await;
        assert_eq!(listed.status, reads, "{role} lists");
    }
    // what admins may not grant they may not send again, but they may withdraw it
    let admin = Person::joins(&node, "another", &ana, "acme", "admin").await;
    let sent = ana.invites("acme", "dora@example.org", "admin").await.body();
    let path = format!("/v1/organizations/acme/invitations/{}", words(&sent["id"]));
    let refused = admin.posts(&format!("{path}/resend"), &json!({})).answer().await;
    assert_eq!(refused.refusal(), (403, "forbidden".to_owned()));
    admin.deletes(&path).answer().await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_sent_again_with_a_new_link_five_times_at_most() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let dora = Person::registers(&node, "dora").await;
    ana.creates("acme").await;
    let first = ana.invites("acme", &dora.email, "viewer").await;
    let path = format!("/v1/organizations/acme/invitations/{}", words(&first.body()["id"]));
    let resend = || ana.posts(&format!("{path}/resend"), &json!({})).answer();
    let mut last = first;
    for _ in 0..5 {
        let again = resend().await.expect(200);
        let (old, new) = (secret_of(&last.body()), secret_of(&again.body()));
        assert_ne!(old, new);
        let dead = dora.gets(&format!("/v1/invitations/{old}")).answer().await;
        assert_eq!(dead.refusal(), (410, "invitation_closed".to_owned()));
        assert_eq!(dora.accepts(&old).await.refusal(), (410, "invitation_closed".to_owned()));
        dora.gets(&format!("/v1/invitations/{new}")).answer().await.expect(200);
        assert!(seconds(&again.body()["expires_at"]) >= seconds(&last.body()["expires_at"]));
        assert_ne!(again.header("etag"), last.header("etag"));
        last = again;
    }
    assert_eq!(resend().await.refusal(), (409, "resend_limit".to_owned()));
    dora.accepts(&secret_of(&last.body())).await.expect(200);
    assert_eq!(resend().await.refusal(), (410, "invitation_closed".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_invitation_admits_nobody_and_makes_room_for_another() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let dora = Person::registers(&node, "dora").await;
    ana.creates("acme").await;
    let sent = ana.invites("acme", &dora.email, "viewer").await;
    let path = format!("/v1/organizations/acme/invitations/{}", words(&sent.body()["id"]));
    let stale = ana.deletes(&path).with("if-match", "\"0\"").answer().await;
    assert_eq!(stale.refusal(), (412, "precondition_failed".to_owned()));
    let tag = sent.header("etag").unwrap();
    let canceled = ana.deletes(&path).with("if-match", tag).answer().await.expect(204);
    assert!(canceled.bytes.is_empty() && canceled.position() > 0);
    let closed = (410, "invitation_closed".to_owned());
    assert_eq!(ana.deletes(&path).answer().await.refusal(), closed);
    assert_eq!(dora.accepts(&secret_of(&sent.body())).await.refusal(), closed);
    let shown = ana.gets(&path).answer().await.expect(200);
    assert_eq!(shown.body()["status"], "canceled");
    ana.invites("acme", &dora.email, "viewer").await;
    let nothing = ana.deletes("/v1/organizations/acme/invitations/inv_x").answer().await;
    assert_eq!(nothing.refusal(), (404, "not_found".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_by_what_became_of_each_and_read_in_pages() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let mut sent = Vec::new();
    for number in 0..9 {
        let answer = ana.invites("acme", &format!("guest-{number}@example.org"), "viewer").await;
        sent.push(answer.body());
    }
    for number in [1, 4, 7] {
        let path = format!("/v1/organizations/acme/invitations/{}", words(&sent[number]["id"]));
        ana.deletes(&path).answer().await.expect(204);
    }
    let guest = Person::registers(&node, "guest-2").await;
    guest.declines(&secret_of(&sent[2])).await.expect(200);
    let guest = Person::registers(&node, "guest-3").await;
    guest.accepts(&secret_of(&sent[3])).await.expect(200);

    for (query, expected) in [
        ("", vec![8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ("status=pending", vec![8, 6, 5, 0]),
        ("status=canceled", vec![7, 4, 1]),
        ("status=rejected", vec![2]),
        ("status=accepted", vec![3]),
        ("status=expired", vec![]),
    ] {
        for (family, plural) in [("invitations", "invitations"), ("invites", "invites")] {
            let path = format!("/v1/organizations/acme/{family}?page_size=2&{query}");
            let listed = ana.pages(path.trim_end_matches('&'), plural).await;
            let emails: Vec<_> = listed.iter().map(|item| words(&item["email"])).collect();
            let expected: Vec<_> =
                expected.iter().map(|number| format!("guest-{number}@example.org")).collect();
            assert_eq!(emails, expected, "{query}");
        }
    }
    let page = ana.gets("/v1/organizations/acme/invitations?status=pending&page_size=1");
    let next = next_link(&page.answer().await.expect(200)).unwrap();
    assert!(next.contains("status=pending"), "{next}");
    for wrong in ["status=", "status=open", "status=Pending", "state=pending", "page_size=0"] {
        let refused = ana.gets(&format!("/v1/organizations/acme/invitations?{wrong}"));
        assert_eq!(refused.answer().await.refusal().0, 400, "{wrong}");
    }
    let of_another = next.replace("pending", "canceled");
    assert_eq!(ana.gets(&of_another).answer().await.refusal().0, 400, "a token of another list");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_each_is_sent_or_told_why_it_is_not() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    ana.invites("acme", "emil@example.org", "viewer").await;
    let admin = Person::joins(&node, "ben", &ana, "acme", "admin").await;
    let body = json!({ "invitations": [
        { "email": "dora@example.org" },
        { "email": "emil@example.org" },
        { "email": "Dora@example.org", "role": "viewer" },
        { "email": "ana@example.org" },
        { "email": "finn@example.org", "role": "owner" },
        { "email": "gina", "role": "king" },
        { "email": "hans@example.org", "role": "viewer" },
        { "email": 7 },
        { "role": "viewer" },
        { "email": "ida@example.org", "name": "Ida" },
        "jon@example.org",
        null,
    ]});
    let path = "/v1/organizations/acme/invitations/bulk";
    let sent = admin.posts(path, &body).key("many").answer().await.expect(200);
    let results = sent.body()["results"].as_array().unwrap().clone();
    let told: Vec<_> = results
        .iter()
        .map(|result| {
            let code = result["error"]["code"].as_str().unwrap_or("sent").to_owned();
            (result["index"].as_u64().unwrap(), result["status"].as_u64().unwrap(), code)
        })
        .collect();
    let expected = [
        (0, 201, "sent"),
        (1, 409, "already_invited"),
        (2, 409, "already_invited"),
        (3, 409, "already_member"),
        (4, 403, "forbidden"),
        (5, 422, "validation_failed"),
        (6, 201, "sent"),
        (7, 422, "validation_failed"),
        (8, 422, "validation_failed"),
        (9, 422, "validation_failed"),
        (10, 422, "validation_failed"),
        (11, 422, "validation_failed"),
    ];
    assert_eq!(told, expected.map(|(index, status, code)| (index, status, code.to_owned())));
    let detail = words(&results[5]["error"]["detail"]);
    assert!(detail.contains("`email`") && detail.contains("`role`"), "{detail}");
    for (index, detail) in [
        (7, "`email` has the wrong type"),
        (8, "`email` is required"),
        (9, "`name` is not known here"),
        (10, "has the wrong type"),
        (11, "has the wrong type"),
    ] {
        assert_eq!(results[index]["error"]["detail"], detail);
    }
    assert_eq!(results[0]["invitation"]["role"], "member");
    let dora = Person::registers(&node, "dora").await;
    dora.accepts(&secret_of(&results[0]["invitation"])).await.expect(200);

    let again = admin.posts(path, &body).key("many").answer().await.expect(200);
    assert!(again.is_replayed());
    assert_eq!(again.body(), sent.body(), "one key is for all of them");
    let other = json!({ "invitations": [{ "email": "ida@example.org" }] });
    let reused = admin.posts(path, &other).key("many").answer().await;
    assert_eq!(reused.refusal(), (422, "idempotency_key_reused".to_owned()));

    let many = |count: usize| {
        let all = (0..count).map(|number| json!({ "email": format!("m{number}@example.org") }));
        json!({ "invitations": all.collect::<Vec<_>>() })
    };
    for count in [0, 101] {
        let refused = admin.posts(path, &many(count)).answer().await;
        assert_eq!(refused.body()["errors"][0]["field"], "invitations", "{count}");
    }
    let sent = admin.posts(path, &many(100)).answer().await.expect(200).body();
    let results = sent["results"].as_array().unwrap();
    assert!(results.len() == 100 && results.iter().all(|result| result["status"] == 201));
    let pending = ana.pages("/v1/organizations/acme/invites?status=pending", "invites").await;
    assert_eq!(pending.len(), 102);
}

/// Other names for the same, as the reference products have them.
#[tokio::test(flavor = "multi_thread")]
async fn invitations_are_known_by_other_names_too() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let id = words(&ana.creates("acme").await.body()["id"]);
    let ask = |method: reqwest::Method, path: &str| {
        ana.asks(method, path).with("x-active-org-id", "acme")
    };
    let mut guests = 0;
    for family in [
        format!("/organizations/{id}/invites"),
        "/v1/organizations/acme/invites".to_owned(),
        "/v1/organizations/acme/members".to_owned(),
        "/organizations/acme/members/".to_owned(),
        "/v1/organization/members".to_owned(),
        "/v1/organization/invites".to_owned(),
        "/organization/invitations".to_owned(),
    ] {
        guests += 1;
        let body = json!({ "email": format!("guest-{guests}@example.org"), "role": "viewer" });
        let sent = ask(reqwest::Method::POST, &family).json(&body).answer().await.expect(201);
        let id = words(&sent.body()["id"]);
        let family = family.replace("members/", "invites").replace("members", "invitations");
        let one = format!("{family}/{id}");
        ask(reqwest::Method::GET, &one).answer().await.expect(200);
        ask(reqwest::Method::POST, &format!("{one}/resend")).answer().await.expect(200);
        ask(reqwest::Method::DELETE, &one).answer().await.expect(204);
        let listed = ask(reqwest::Method::GET, &family).answer().await.expect(200).body();
        let plural = if family.contains("invites") { "invites" } else { "invitations" };
        assert_eq!(listed[plural].as_array().unwrap().len(), guests, "{family}");
    }
}
