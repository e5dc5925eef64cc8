//! How often something may be tried.

use std::time::Instant;

use serde_json::json;
use tokio::task::JoinSet;

use super::account::basic;
use crate::people::{Answer, PASSWORD, Person};
use crate::server::{Installation, Node};

async fn limited(installation: &Installation) -> Node {
    installation.launch(0, &[("CHANCERY_RATE_LIMITS", "on")]).serving().await
}

async fn tries(who: &Person, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "password": password });
    who.posts("/v1/auth/login", &body).answer().await
}

#[track_caller]
fn assert_limited(answer: &Answer, at_most: u64) {
    assert_eq!(answer.refusal(), (429, "too_many_requests".to_owned()));
    let after: u64 = answer.header("retry-after").expect("when to come back").parse().unwrap();
    assert!((1..=at_most).contains(&after), "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_failed_sign_ins_are_throttled() {
    let installation = Installation::sqlite();
    let node = limited(&installation).await;
    let ana = Person::registers(&node, "ana").await;
    let stranger = Person::stranger(&node);
    let mut callers = JoinSet::new();
    for caller in 0..20 {
        let (stranger, email) = (stranger.clone(), ana.email.clone());
        callers.spawn(async move {
            let mut statuses = Vec::new();
            for number in 0..500 {
                let wrong = format!("wrong password {caller} {number}");
                statuses.push(tries(&stranger, &email, &wrong).await.status);
            }
            statuses
        });
    }
    let statuses = callers.join_all().await.concat();
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((count(401), count(429)), (10, 9_990));
    // the right one has to wait as well, but who is signed in is not disturbed
    assert_limited(&tries(&stranger, &ana.email, PASSWORD).await, 61);
    let by_basic = stranger.gets("/v1/auth/me").with("authorization", &basic(&ana.email, PASSWORD));
    assert_limited(&by_basic.answer().await, 61);
    ana.gets("/v1/auth/me").answer().await.expect(200);
    // an address without an account is treated alike
    let statuses: Vec<u16> = {
        let mut statuses = Vec::new();
        for _ in 0..11 {
            statuses.push(tries(&stranger, "nobody@example.org", PASSWORD).await.status);
        }
        statuses
    };
    assert_eq!(statuses, [[401; 10].as_slice(), &[429]].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_proves_their_password_is_never_throttled() {
    let installation = Installation::sqlite();
    let node = limited(&installation).await;
    let ana = Person::registers(&node, "ana").await;
    let mut callers = JoinSet::new();
    for _ in 0..40 {
        let stranger = Person::stranger(&node);
        let credential = basic(&ana.email, PASSWORD);
        callers.spawn(async move {
            stranger.gets("/v1/auth/me").with("authorization", &credential).answer().await.status
        });
    }
    assert_eq!(callers.join_all().await, [200; 40]);
    for _ in 0..12 {
        tries(&ana, &ana.email, PASSWORD).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_and_mails_are_counted_for_each_client() {
    let installation = Installation::sqlite();
    let node = limited(&installation).await;
    let ana = Person::registers(&node, "ana").await;
    for number in 0..8 {
        let body = json!({ "email": format!("person-{number}@example.org") });
        ana.posts("/v1/auth/password/forgot", &body).answer().await.expect(202);
    }
    let verification = || ana.asks(reqwest::Method::POST, "/v1/auth/email/verification");
    verification().answer().await.expect(202);
    assert_limited(&verification().answer().await, 61);
    let body = json!({ "email": "ben@example.org", "password": PASSWORD, "name": "Ben" });
    assert_limited(&ana.posts("/v1/auth/register", &body).answer().await, 61);
    tries(&ana, &ana.email, PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_has_so_many_requests_and_every_answer_says_how_many_are_left() {
    let installation = Installation::sqlite();
    let node = limited(&installation).await;
    let ana = Person::registers(&node, "ana").await;
    let ben = Person::registers(&node, "ben").await;
    let policy = Some("\"default\";q=200;w=2;qu=\"requests\"");
    let first = ana.gets("/v1/auth/me").answer().await.expect(200);
    assert_eq!(first.header("ratelimit-policy"), policy);
    assert_eq!(first.header("ratelimit"), Some("\"default\";r=199;t=1"));
    assert_eq!(Person::stranger(&node).gets("/livez").answer().await.header("ratelimit"), None);

    let started = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let ana = ana.clone();
        callers.spawn(async move {
            let mut answers = Vec::new();
            for _ in 0..100 {
                answers.push(ana.gets("/livez").answer().await);
            }
            answers
        });
    }
    let answers = callers.join_all().await.concat();
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    let most = 200 + usize::try_from(started.elapsed().as_millis() / 10).unwrap() + 1;
    assert!(served <= most, "{served} of {most}");
    let refused = answers.iter().find(|answer| answer.status != 200).expect("some were too many");
    assert_limited(refused, 2);
    assert_eq!(refused.header("ratelimit-policy"), policy);
    assert_eq!(refused.header("ratelimit"), Some("\"default\";r=0;t=2"));
    ben.gets("/v1/auth/me").answer().await.expect(200);
}

/// What is left of the limits of a route, by their names.
fn left(answer: &Answer) -> Vec<(String, u64)> {
    let left = answer.header("ratelimit").expect("the route is limited").split(", ");
    let left = left.map(|item| {
        let mut parts = item.split(';');
        let name = parts.next().unwrap().trim_matches('"').to_owned();
        let requests = parts.next().and_then(|part| part.strip_prefix("r=")).unwrap();
        (name, requests.parse().unwrap())
    });
    left.collect()
}

fn of(name: &str, requests: u64) -> Vec<(String, u64)> {
    vec![(name.to_owned(), requests)]
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_without_a_credential_say_what_is_left_of_their_limits() {
    let installation = Installation::sqlite();
    let node = limited(&installation).await;
    let ana = Person::registers(&node, "ana").await;
    let stranger = Person::stranger(&node);
    let register = json!({ "email": ana.email, "password": PASSWORD, "name": "Ana" });
    let taken = stranger.posts("/v1/auth/register", &register).answer().await.expect(409);
    assert_eq!(left(&taken), of("registrations-and-mails", 8));
    assert_eq!(
        taken.header("ratelimit-policy"),
        Some("\"registrations-and-mails\";q=10;w=60;qu=\"requests\"")
    );
    // the same for an address that has an account and for one that has none
    for (used, email) in [ana.email.as_str(), "nobody@example.org"].into_iter().enumerate() {
        let body = json!({ "email": email });
        let forgot = stranger.posts("/v1/auth/password/forgot", &body).answer().await;
        assert_eq!(left(&forgot.expect(202)), of("registrations-and-mails", 7 - used as u64));
    }
    let both = ana.asks(reqwest::Method::POST, "/v1/auth/email/verification").answer().await;
    let both = left(&both.expect(202));
    assert_eq!(
        (both[0].0.as_str(), &both[1..]),
        ("default", &of("registrations-and-mails", 5)[..])
    );

    // a client is told of its own failures: ten with one account, thirty in all
    let mut told = Vec::new();
    for email in [ana.email.as_str(), "nobody@example.org", "eve@example.org"] {
        let mut of_one = Vec::new();
        for _ in 0..11 {
            let answer = tries(&stranger, email, "not the right password").await;
            let body = String::from_utf8(answer.bytes.clone()).unwrap();
            assert!(!body.contains(email), "{body}");
            of_one.push((answer.status, left(&answer)));
        }
        told.push(of_one);
    }
    let own = |refused| of("failed-sign-ins", refused);
    let expected: Vec<_> = (0..10).rev().map(|refused| (401, own(refused))).collect();
    let expected = [expected, vec![(429, own(0))]].concat();
    assert_eq!((&told[0], &told[1]), (&expected, &expected));
    assert_eq!(told[2][9], (401, own(0)));
    let last = tries(&stranger, "finn@example.org", PASSWORD).await;
    assert_limited(&last, 61);
    assert_eq!(left(&last), of("failed-sign-ins-of-client", 0));
    let policy = last.header("ratelimit-policy").unwrap();
    assert_eq!(policy, "\"failed-sign-ins-of-client\";q=30;w=60;qu=\"requests\"");
}
