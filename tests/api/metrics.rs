//! What operators watch.

use std::collections::BTreeMap;

use serde_json::json;

use crate::people::{PASSWORD, Person};
use crate::server::{Installation, on_every_store};

on_every_store! {
    metrics_tell_what_is_served_and_where_the_stores_stand
}

/// Every sample by its name and labels. The text must be what Prometheus reads: each family is
/// described before its samples, and nothing comes twice.
pub(crate) async fn metrics(who: &Person) -> BTreeMap<String, String> {
    let answer = who.with_token(None).gets("/metrics").answer().await.expect(200);
    let kind = answer.header("content-type");
    assert_eq!(kind, Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = String::from_utf8(answer.bytes).expect("it is text");
    assert!(text.ends_with('\n'));
    let (mut samples, mut family) = (BTreeMap::new(), String::new());
    for line in text.lines() {
        if let Some(described) = line.strip_prefix("# ") {
            let mut words = described.split(' ');
            let (what, name) = (words.next().unwrap(), words.next().unwrap());
            assert!(matches!(what, "HELP" | "TYPE"), "{line}");
            name.clone_into(&mut family);
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').expect("a name and a value");
        assert!(!family.is_empty() && sample.starts_with(&family), "{line} is of {family}");
        assert!(value.parse::<f64>().is_ok(), "{line} has a number");
        let before = samples.insert(sample.to_owned(), value.to_owned());
        assert_eq!(before, None, "{sample} comes twice");
    }
    samples
}

/// The samples of a name, by the value of their one label.
fn by_label(samples: &BTreeMap<String, String>, name: &str) -> BTreeMap<String, String> {
    let of = |sample: &str| Some(sample.strip_prefix(name)?.split('"').nth(1)?.to_owned());
    samples.iter().filter_map(|(sample, value)| Some((of(sample)?, value.clone()))).collect()
}

#[track_caller]
pub(crate) fn whole(value: &str) -> u64 {
    value.parse().expect("a whole number")
}

fn requests(method: &str, route: &str, class: &str) -> String {
    format!(
        "http_server_request_duration_seconds_count{{http_request_method=\"{method}\",\
         http_response_status_class=\"{class}\",http_route=\"{route}\"}}"
    )
}

async fn metrics_tell_what_is_served_and_where_the_stores_stand(installation: Installation) {
    let node = installation.start().await;
    let ana = Person::registers(&node, "ana").await;
    ana.creates("acme").await;
    let position = ana.renames("acme", "Acme Two").await.position();
    ana.gets("/organizations/acme").answer().await.expect(200);
    ana.gets("/v1/organizations/acme/").answer().await.expect(200);
    ana.gets("/v1/organizations/nothing").answer().await.expect(404);
    ana.gets("/v1/no/such/route").answer().await.expect(404);
    ana.asks("BREW".parse().unwrap(), "/v1/auth/me").answer().await.expect(405);

    let samples = metrics(&ana).await;
    let one = "/organizations/{org}";
    for (sample, count) in [
        (requests("POST", "/auth/register", "2xx"), "1"),
        (requests("GET", one, "2xx"), "2"),
        (requests("GET", one, "4xx"), "1"),
        (requests("PATCH", one, "2xx"), "1"),
        (requests("GET", "unknown", "4xx"), "1"),
        (requests("other", "/auth/me", "4xx"), "1"),
        ("chancery_refusals_total{code=\"not_found\"}".to_owned(), "2"),
        (format!("chancery_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")), "1"),
        ("chancery_appends_total{outcome=\"conflict\"}".to_owned(), "0"),
        ("chancery_queue_refusals_total{queue=\"passwords\"}".to_owned(), "0"),
        ("chancery_mails_waiting".to_owned(), "0"),
        ("chancery_projector_owner".to_owned(), "1"),
    ] {
        assert_eq!(samples.get(&sample).map(String::as_str), Some(count), "{sample}: {samples:#?}");
    }
    assert!(whole(&samples["chancery_events_appended_total"]) >= 4);
    assert!(whole(&samples["chancery_log_head_position"]) >= position);
    let models = by_label(&samples, "chancery_read_model_position{");
    assert!(models.len() > 5 && models.values().all(|at| whole(at) >= position), "{models:?}");
    let stuck = by_label(&samples, "chancery_read_model_stuck{");
    assert!(stuck.len() == models.len() && stuck.values().all(|stuck| stuck == "0"), "{stuck:?}");
    let up = by_label(&samples, "chancery_store_up{");
    assert_eq!(
        up.into_iter().collect::<Vec<_>>(),
        [
            ("event_log".to_owned(), "1".to_owned()),
            ("read_store".to_owned(), "1".to_owned()),
            ("state".to_owned(), "1".to_owned()),
        ]
    );
    let reactions = by_label(&samples, "chancery_reaction_position{");
    assert!(reactions.contains_key("mail") && reactions.len() == 8, "{reactions:?}");

    // neither who nor which organization
    let id = ana.id().await;
    for sample in samples.keys() {
        assert!(!["acme", "ana", "org_", &id].iter().any(|told| sample.contains(told)), "{sample}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_who_is_sent_away() {
    let installation = Installation::sqlite();
    let node = installation.launch(0, &[("CHANCERY_RATE_LIMITS", "on")]).serving().await;
    let ana = Person::registers(&node, "ana").await;
    let body = json!({ "email": ana.email, "password": format!("{PASSWORD}, but not hers") });
    let stranger = Person::stranger(&node);
    for _ in 0..12 {
        stranger.posts("/v1/auth/login", &body).answer().await;
    }
    let refusals = by_label(&metrics(&ana).await, "chancery_refusals_total{");
    assert_eq!(refusals["invalid_credentials"], "10");
    assert_eq!(refusals["too_many_requests"], "2");
}
