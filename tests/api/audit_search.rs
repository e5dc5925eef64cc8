//! Finding entries of an audit log: filters, pages by number, and one entry by its id.

use serde_json::{Value, json};

use crate::people::{Answer, Person, next_link, unproven, words};
use crate::server::{Installation, on_every_store};

on_every_store! {
    entries_are_found_by_whatever_they_hold
    numbered_pages_stay_as_the_first_one_found_them
}

const LOG: &str = "/v1/organizations/acme/audit-log";

/// The versions on a page, and how many there are in all.
fn found(answer: &Answer) -> (Vec<u64>, Option<u64>) {
    let body = answer.body();
    let events = body["events"].as_array().expect("a list").iter();
    (
        events.map(|event| event["version"].as_u64().unwrap()).collect(),
        body["meta"]["total"].as_u64(),
    )
}

async fn entries_are_found_by_whatever_they_hold(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let eve = Person::registers(&node, "eve").await;
    let [me, other] = [&ana, &eve].map(|person| person.gets("/v1/auth/me").answer());
    let [me, other] = [me.await, other.await].map(|answer| words(&answer.body()["id"]));
    let acme = words(&ana.creates("acme").await.body()["id"]);
    ana.renames("acme", "Blue Émeraude").await;
    let billing = json!({ "billing_email": "secret@acme.com" });
    ana.patches("/v1/organizations/acme", &billing).answer().await.expect(200);
    let entries = ana.gets(LOG).answer().await.expect(200).body()["events"].clone();
    let at = |index: usize| words(&entries[index]["created_at"]);
    let (newest, oldest) = (words(&entries[0]["id"]), at(2));
    let request = words(&entries[1]["request_id"]);

    for (query, versions) in [
        ("action=organization.updated".to_owned(), vec![2, 1]),
        ("action=organization.*".to_owned(), vec![2, 1, 0]),
        ("action=member.*".to_owned(), vec![]),
        ("action=organization".to_owned(), vec![400]),
        (format!("actor={me}"), vec![2, 1, 0]),
        ("actor=ANA@example.org".to_owned(), vec![2, 1, 0]),
        (format!("actor={other}"), vec![]),
        ("actor=eve@example.org".to_owned(), vec![]),
        ("actor=nobody@example.org".to_owned(), vec![]),
        ("actor=system".to_owned(), vec![]),
        ("resource_type=organization".to_owned(), vec![2, 1, 0]),
        ("resource_type=member".to_owned(), vec![]),
        (format!("resource_id={acme}"), vec![2, 1, 0]),
        (format!("resource_id={me}"), vec![]),
        (format!("until={oldest}"), vec![]),
        (format!("since={oldest}"), vec![2, 1, 0]),
        ("since=2999-01-01T00:00:00Z".to_owned(), vec![]),
        ("until=2999-01-01T00:00:00%2B02:00".to_owned(), vec![2, 1, 0]),
        ("q=blue+%C3%A9MERAUDE".to_owned(), vec![1]),
        (format!("q={newest}"), vec![2]),
        (format!("q={request}"), vec![1]),
        ("q=updated&action=organization.updated".to_owned(), vec![2, 1]),
        ("q=100%25_".to_owned(), vec![]),
        // what is personal is in no index
        ("q=secret".to_owned(), vec![]),
        ("q=ana@example.org".to_owned(), vec![]),
        (format!("q=updated&actor={me}&resource_id={acme}&since={oldest}"), vec![2, 1]),
    ] {
        let answer = ana.gets(&format!("{LOG}?{query}")).answer().await;
        if versions == [400] {
            assert_eq!(answer.refusal(), (400, "invalid_parameter".to_owned()), "{query}");
            continue;
        }
        let total = versions.len() as u64;
        assert_eq!(found(&answer.expect(200)), (versions.clone(), Some(total)), "{query}");
        // page by page, both ways
        for way in ["page_size=1", "per_page=1"] {
            let pages = ana.pages(&format!("{LOG}?{query}&{way}"), "events").await;
            let paged: Vec<_> = pages.iter().map(|event| event["version"].as_u64()).collect();
            assert_eq!(paged, versions.iter().copied().map(Some).collect::<Vec<_>>(), "{query}");
        }
    }
}

async fn numbered_pages_stay_as_the_first_one_found_them(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    for number in 0..6 {
        ana.renames("acme", &format!("Acme {number}")).await;
    }
    for filter in ["", "&action=organization.*"] {
        let (first, _) = found(&ana.gets(LOG).answer().await.expect(200));
        let (mut versions, mut next) = (Vec::new(), Some(format!("{LOG}?per_page=3{filter}")));
        while let Some(path) = next {
            let page = ana.gets(&path).answer().await.expect(200);
            assert_eq!(page.body()["meta"]["total"], first.len(), "{path}");
            assert!(page.body().get("next_page_token").is_none());
            versions.extend(found(&page).0);
            next = next_link(&page);
            ana.renames("acme", &format!("Meanwhile {}", versions.len())).await;
        }
        assert_eq!(versions, first);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_names_no_way_of_paging_may_go_on_either_way() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    for number in 0..24 {
        ana.renames("acme", &format!("Acme {number}")).await;
    }
    let first = ana.gets(LOG).answer().await.expect(200);
    let meta = json!({ "page": 1, "per_page": 20, "total": 25, "total_pages": 2 });
    assert_eq!(first.body()["meta"], meta);
    let token = words(&first.body()["next_page_token"]);
    assert!(next_link(&first).unwrap().contains(&token));
    let rest = ana.gets(&format!("{LOG}?page_token={token}")).answer().await.expect(200);
    assert_eq!(found(&rest), (vec![4, 3, 2, 1, 0], None));
    let numbered = ana.gets(&format!("{LOG}?page=2")).answer().await.expect(200);
    assert_eq!(numbered.body()["events"], rest.body()["events"]);
    assert_eq!(next_link(&numbered), None);
    let beyond = ana.gets(&format!("{LOG}?page=3")).answer().await.expect(200);
    assert_eq!(found(&beyond), (vec![], Some(25)));
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_make_no_sense_are_refused() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    ana.renames("acme", "Acme Two").await;
    let first = ana.gets(&format!("{LOG}?page_size=1&q=acme")).answer().await.expect(200);
    let token = words(&first.body()["next_page_token"]);
    for query in [
        format!("page_token={token}"),
        format!("page_token={token}&q=two"),
        format!("page_token={token}&q=acme&page=2"),
        "page_size=10&per_page=10".to_owned(),
        "page=0".to_owned(),
        "page=-1".to_owned(),
        "per_page=101".to_owned(),
        "page=1&up_to_version=99".to_owned(),
        "up_to_version=1".to_owned(),
        "since=yesterday".to_owned(),
        "until=2026-01-01".to_owned(),
        "actor=somebody".to_owned(),
        "actor=@".to_owned(),
        "q=".to_owned(),
        "q=a%00b".to_owned(),
        format!("q={}", "x".repeat(201)),
        "action=*".to_owned(),
        "action=Member.Removed".to_owned(),
        "resource_id=".to_owned(),
        "resource_type=%27".to_owned(),
    ] {
        let refused = ana.gets(&format!("{LOG}?{query}")).answer().await;
        assert_eq!(refused.refusal(), (400, "invalid_parameter".to_owned()), "{query}");
    }
    ana.gets(&format!("{LOG}?q=acme&page_token={token}")).answer().await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_has_an_address_of_its_own() {
    let installation = Installation::sqlite();
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    let eve = Person::registers(&node, "eve").await;
    ana.creates("acme").await;
    ana.renames("acme", "Acme Two").await;
    eve.creates("eves").await;
    let entries = ana.gets(LOG).answer().await.expect(200).body()["events"].clone();
    let path = |id: &Value| format!("{LOG}/{}", words(id));
    for entry in entries.as_array().unwrap() {
        let shown = ana.gets(&path(&entry["id"])).answer().await.expect(200);
        assert_eq!(unproven(shown.body()), *entry);
        let tag = shown.header("etag").unwrap();
        assert_eq!(tag, format!("\"{}\"", entry["version"]));
        ana.gets(&path(&entry["id"])).with("if-none-match", tag).answer().await.expect(304);
        let active = format!("/v1/organization/audit-log/{}", words(&entry["id"]));
        let active = ana.gets(&active).with("x-active-org-id", "acme").answer().await.expect(200);
        assert_eq!(unproven(active.body()), *entry);
    }
    let foreign = eve.gets("/v1/organizations/eves/audit-log").answer().await.body();
    for id in [&foreign["events"][0]["id"], &json!("evt_nonsense"), &json!("7")] {
        ana.gets(&path(id)).answer().await.expect(404);
    }
    eve.gets(&path(&entries[0]["id"])).answer().await.expect(404);
}
