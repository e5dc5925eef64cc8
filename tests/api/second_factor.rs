//! The second factor, with the codes of programs that know nothing but the secret: `oathtool` and
//! Python's `pyotp`.

use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::account::basic;
use crate::oracle::read_everything;
use crate::people::{Answer, PASSWORD, Person, words};
use crate::server::{Installation, Node, files, on_every_store, text};

mod demand;

on_every_store! {
    codes_of_any_authenticator_are_accepted_and_none_twice
    failed_sign_ins_stand_in_the_history_of_their_account
}

const SETUP: &str = "/v1/auth/2fa/setup";
const VERIFY: &str = "/v1/auth/2fa/verify";
const DISABLE: &str = "/v1/auth/2fa/disable";

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

fn by_oathtool(secret: &str, seconds: i64) -> String {
    let now = format!("@{seconds}");
    output(Command::new("oathtool").args(["--totp", "--base32", "--now", &now, secret]))
}

fn by_pyotp(uri: &str, seconds: i64) -> String {
    let python = std::env::var("CHANCERY_TEST_PYTHON").expect("tests/run names it");
    let program = "import pyotp, sys; print(pyotp.parse_uri(sys.argv[1]).at(int(sys.argv[2])))";
    output(Command::new(python).args(["-c", program, uri, &seconds.to_string()]))
}

/// Somebody's authenticator, and the clock that the server goes by.
struct Authenticator {
    secret: String,
    uri: String,
    operator: Person,
}

impl Authenticator {
    fn of(shown: &Value, operator: &Person) -> Self {
        let (secret, uri) = (words(&shown["secret"]), words(&shown["otpauth_uri"]));
        Self { secret, uri, operator: operator.clone() }
    }

    /// Moves the clock to the beginning of a time step that nobody has used a code of; gives its
    /// seconds since 1970.
    async fn fresh_step(&self) -> i64 {
        let now = self.operator.advances("1s").await.millis().div_euclid(1000);
        let until = 60 - now.rem_euclid(30);
        self.operator.advances(&format!("{until}s")).await.millis().div_euclid(1000)
    }

    /// The code of a time step of its own.
    async fn code(&self) -> String {
        by_oathtool(&self.secret, self.fresh_step().await)
    }
}

async fn start(installation: &Installation) -> (Node, Person) {
    let node = installation.start_with_clock(0).await;
    let operator = Person::operator(&node, installation.operator_token());
    (node, operator)
}

/// Sets the second factor up and enables it; gives the authenticator and the backup codes.
async fn enabled(who: &Person, operator: &Person) -> (Authenticator, Vec<String>) {
    let shown = who.asks(Method::POST, SETUP).answer().await.expect(200).body();
    let authenticator = Authenticator::of(&shown, operator);
    let code = authenticator.code().await;
    let answer = who.posts(VERIFY, &json!({ "code": code })).answer().await.expect(200);
    (authenticator, backup_codes(&answer))
}

fn backup_codes(answer: &Answer) -> Vec<String> {
    let body = answer.body();
    assert_eq!(body["message_code"], "2fa_enabled");
    body["backup_codes"].as_array().expect("a list").iter().map(words).collect()
}

async fn signs_in(who: &Person, code: Option<&str>) -> Answer {
    let body = json!({ "email": who.email, "password": PASSWORD, "totp_code": code });
    who.with_token(None).posts("/v1/auth/login", &body).answer().await
}

/// A request with address and password, and a code or none.
async fn by_password(who: &Person, path: &str, code: Option<&str>) -> Answer {
    let ask = who.with_token(None).gets_by_password(path);
    match code {
        Some(code) => ask.with("x-otp", code).answer().await,
        None => ask.answer().await,
    }
}

fn required() -> (u16, String) {
    (401, "totp_required".to_owned())
}

fn invalid() -> (u16, String) {
    (401, "invalid_totp_code".to_owned())
}

async fn codes_of_any_authenticator_are_accepted_and_none_twice(installation: Installation) {
    let (node, operator) = start(&installation).await;
    let ana = Person::registers(&node, "ana").await;
    let shown = ana.asks(Method::POST, SETUP).answer().await.expect(200).body();
    let authenticator = Authenticator::of(&shown, &operator);
    assert_eq!(authenticator.secret.len(), 32, "20 bytes");
    assert_eq!(shown["qr_code_url"], shown["otpauth_uri"]);
    assert!(authenticator.uri.starts_with("otpauth://totp/127.0.0.1:ana@example.org?"));
    assert!(words(&shown["qr_code_svg"]).starts_with("<svg "));
    // nothing is asked for before the authenticator has shown that it works
    signs_in(&ana, None).await.expect(200);
    let early = ana.posts(VERIFY, &json!({ "code": "000000" })).answer().await;
    assert_eq!(early.refusal(), invalid());
    assert_eq!(ana.gets("/v1/auth/me").answer().await.body()["two_factor_enabled"], false);

    let first = authenticator.code().await;
    let answer = ana.posts(VERIFY, &json!({ "code": first })).answer().await.expect(200);
    assert_eq!(backup_codes(&answer).len(), 10);
    // the session goes on, and a second one is not made beside the first
    assert_eq!(ana.gets("/v1/auth/me").answer().await.body()["two_factor_enabled"], true);
    let again = ana.asks(Method::POST, SETUP).answer().await;
    assert_eq!(again.refusal(), (409, "two_factor_enabled".to_owned()));

    assert_eq!(signs_in(&ana, None).await.refusal(), required());
    assert_eq!(signs_in(&ana, Some("")).await.refusal(), required());
    assert_eq!(signs_in(&ana, Some("123")).await.refusal(), invalid());
    assert_eq!(signs_in(&ana, Some(&first)).await.refusal(), invalid(), "it has enabled it");
    let wrong = json!({ "email": ana.email, "password": "wrong, wrong, wrong" });
    let wrong = ana.posts("/v1/auth/login", &wrong).answer().await;
    assert_eq!(wrong.refusal(), (401, "invalid_credentials".to_owned()));

    let code = by_pyotp(&authenticator.uri, authenticator.fresh_step().await);
    let answer = signs_in(&ana, Some(&code)).await.expect(200);
    assert_eq!(answer.body()["user"]["two_factor_enabled"], true);
    assert_eq!(signs_in(&ana, Some(&code)).await.refusal(), invalid());
    let seconds = authenticator.fresh_step().await;
    let spaced = by_oathtool(&authenticator.secret, seconds);
    let spaced = format!("{} {}", &spaced[..3], &spaced[3..]);
    signs_in(&ana, Some(&spaced)).await.expect(200);
    node.stop().await;
    let node = installation.start_with_clock(0).await;
    let ana = ana.at(&node);
    assert_eq!(signs_in(&ana, Some(&spaced)).await.refusal(), invalid(), "a restart forgets none");
    node.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_serves_one_step_early_and_late_and_not_two() {
    let installation = Installation::sqlite();
    let (node, operator) = start(&installation).await;
    let ana = Person::registers(&node, "ana").await;
    let (authenticator, _) = enabled(&ana, &operator).await;
    let shifted = async |steps: i64| {
        authenticator.fresh_step().await;
        let seconds = authenticator.fresh_step().await + 30 * steps;
        signs_in(&ana, Some(&by_oathtool(&authenticator.secret, seconds))).await
    };
    assert_eq!(shifted(-2).await.refusal(), invalid());
    shifted(-1).await.expect(200);
    shifted(1).await.expect(200);
    // time goes on while this is asked, so that two steps early could become one
    assert_eq!(shifted(4).await.refusal(), invalid());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_who_bring_a_code_to_any_node_one_gets_in() {
    let installation = Installation::postgres().await.with_master_key();
    let (one, operator) = start(&installation).await;
    let two = installation.start_with_clock(1).await;
    let ana = Person::registers(&one, "ana").await;
    by_password(&ana.at(&two), "/v1/auth/me", None).await.expect(200);
    let (authenticator, backup_codes) = enabled(&ana, &operator).await;
    let forgotten = by_password(&ana.at(&two), "/v1/auth/me", None).await;
    assert_eq!(forgotten.refusal(), required(), "on the other node, too");
    for code in [authenticator.code().await, backup_codes[0].clone()] {
        let mut callers = JoinSet::new();
        for caller in 0..12 {
            let ana = ana.at(if caller % 2 == 0 { &one } else { &two });
            let code = code.clone();
            callers.spawn(async move { signs_in(&ana, Some(&code)).await });
        }
        let answers = callers.join_all().await;
        let (got_in, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 200);
        assert_eq!(got_in.len(), 1, "{answers:?}");
        assert!(refused.iter().all(|answer| answer.refusal() == invalid()), "{refused:?}");
        for node in [&one, &two] {
            assert_eq!(signs_in(&ana.at(node), Some(&code)).await.refusal(), invalid());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_backup_code_serves_once_however_it_is_written() {
    let installation = Installation::sqlite();
    let (node, operator) = start(&installation).await;
    let ana = Person::registers(&node, "ana").await;
    let (_, codes) = enabled(&ana, &operator).await;
    assert_eq!(codes.len(), 10);
    assert!(codes.iter().all(|code| code.len() == 11 && code.as_bytes()[5] == b'-'), "{codes:?}");
    for (number, code) in codes.iter().enumerate() {
        let written = match number % 3 {
            0 => code.clone(),
            1 => code.to_uppercase().replace('-', " "),
            _ => code.replace('-', ""),
        };
        signs_in(&ana, Some(&written)).await.expect(200);
        assert_eq!(signs_in(&ana, Some(code)).await.refusal(), invalid(), "{number}");
    }
    assert_eq!(signs_in(&ana, Some("aaaaa-aaaaa")).await.refusal(), invalid());
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_throttled_and_asking_for_the_code_is_none() {
    let installation = Installation::sqlite();
    let variables = [("CHANCERY_RATE_LIMITS", "on"), ("CHANCERY_TEST_CLOCK", "on")];
    let node = installation.launch(0, &variables).serving().await;
    let operator = Person::operator(&node, installation.operator_token());
    let ana = Person::registers(&node, "ana").await;
    let (authenticator, codes) = enabled(&ana, &operator).await;
    for _ in 0..12 {
        assert_eq!(signs_in(&ana, None).await.refusal(), required());
    }
    let right = authenticator.code().await;
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let ana = ana.clone();
        callers.spawn(async move { signs_in(&ana, Some("no such code")).await.status });
    }
    let statuses = callers.join_all().await;
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((count(401), count(429)), (10, 90));
    for code in [&right, &codes[0]] {
        let limited = (429, "too_many_requests".to_owned());
        assert_eq!(signs_in(&ana, Some(code)).await.refusal(), limited);
        assert_eq!(by_password(&ana, "/v1/auth/me", Some(code)).await.refusal(), limited);
        let body = json!({ "password": PASSWORD, "code": code });
        assert_eq!(ana.posts(DISABLE, &body).answer().await.refusal(), limited);
    }
    ana.gets("/v1/auth/me").answer().await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_alone_is_remembered_only_after_a_code() {
    let installation = Installation::sqlite();
    let (node, operator) = start(&installation).await;
    let ana = Person::registers(&node, "ana").await;
    let me = "/v1/auth/me";
    by_password(&ana, me, None).await.expect(200);
    let (authenticator, codes) = enabled(&ana, &operator).await;
    let refused = by_password(&ana, me, None).await;
    assert_eq!(refused.refusal(), required(), "what was remembered is forgotten");
    assert!(refused.header("www-authenticate").is_some_and(|it| it.contains("Basic")));
    assert_eq!(by_password(&ana, me, Some("000 000 0")).await.refusal(), invalid());
    let code = authenticator.code().await;
    by_password(&ana, me, Some(&code)).await.expect(200);
    by_password(&ana, me, None).await.expect(200);
    // it is remembered for the pair, and the code is used
    by_password(&ana, me, Some("whatever")).await.expect(200);
    assert_eq!(signs_in(&ana, Some(&code)).await.refusal(), invalid());
    let stranger = Person::stranger(&node).gets(me);
    let stranger = stranger.with("authorization", &basic(&ana.email, "another password"));
    let refused = stranger.with("x-otp", &codes[0]).answer().await;
    assert_eq!(refused.refusal(), (401, "invalid_credentials".to_owned()));
    node.stop().await;

    // another process remembers nothing; the backup code was not used by the wrong password
    let node = installation.start_with_clock(0).await;
    let ana = ana.at(&node);
    assert_eq!(by_password(&ana, me, None).await.refusal(), required());
    assert_eq!(by_password(&ana, me, Some(&code)).await.refusal(), invalid());
    by_password(&ana, me, Some(&codes[0])).await.expect(200);
    assert_eq!(signs_in(&ana, Some(&codes[0])).await.refusal(), invalid());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_disabled_by_password_and_code() {
    let installation = Installation::sqlite();
    let (node, operator) = start(&installation).await;
    let ana = Person::registers(&node, "ana").await;
    let disable = |password: &str, code: &str| {
        ana.posts(DISABLE, &json!({ "password": password, "code": code })).key("disable").answer()
    };
    let none = (409, "two_factor_not_set_up".to_owned());
    assert_eq!(disable(PASSWORD, "123456").await.refusal(), none);
    let early = ana.posts(VERIFY, &json!({ "code": "123456" })).answer().await;
    assert_eq!(early.refusal(), none);
    let (authenticator, codes) = enabled(&ana, &operator).await;
    let wrong = disable("wrong, wrong, wrong", &codes[0]).await;
    assert_eq!(wrong.refusal(), (403, "wrong_password".to_owned()));
    assert_eq!(disable(PASSWORD, "123456789").await.refusal(), invalid());
    signs_in(&ana, Some(&codes[0])).await.expect(200);
    assert_eq!(disable(PASSWORD, &codes[0]).await.refusal(), invalid());
    let code = authenticator.code().await;
    let body = json!({ "password": PASSWORD, "code": code });
    let by = |key: &'static str| ana.posts(DISABLE, &body).key(key).answer();
    let disabled = by("first").await.expect(200);
    assert_eq!(disabled.body(), json!({ "message_code": "2fa_disabled" }));
    let again = by("first").await.expect(200);
    assert!(again.is_replayed() && again.position() == disabled.position());
    assert_eq!(by("second").await.refusal(), none);
    signs_in(&ana, None).await.expect(200);
    by_password(&ana, "/v1/auth/me", None).await.expect(200);
    assert_eq!(ana.gets("/v1/auth/me").answer().await.body()["two_factor_enabled"], false);

    // another one has another secret, and the old codes are nobody's
    let (other, others) = enabled(&ana, &operator).await;
    assert_ne!(other.secret, authenticator.secret);
    assert!(codes.iter().all(|code| !others.contains(code)));
    assert_eq!(signs_in(&ana, Some(&codes[1])).await.refusal(), invalid());
    signs_in(&ana, Some(&others[1])).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_shows_what_was_shown_once() {
    let installation = Installation::sqlite();
    let (node, operator) = start(&installation).await;
    let ana = Person::registers(&node, "ana").await;
    let set_up = |ana: &Person, key: &str| ana.asks(Method::POST, SETUP).key(key).answer();
    let shown = set_up(&ana, "one").await.expect(200);
    assert_eq!(set_up(&ana, "one").await.expect(200).body(), shown.body());
    let newer = set_up(&ana, "two").await.expect(200).body();
    assert_ne!(newer["secret"], shown.body()["secret"]);
    // only the newest secret is good for anything
    let older = Authenticator::of(&shown.body(), &operator).code().await;
    let refused = ana.posts(VERIFY, &json!({ "code": older })).answer().await;
    assert_eq!(refused.refusal(), invalid());
    node.stop().await;
    let variables = [
        ("CHANCERY_TEST_CLOCK", "on"),
        ("CHANCERY_FAIL_POINT", "log.committed"),
        ("CHANCERY_FAIL_HOW", "abort"),
    ];
    let mut dying = installation.launch(0, &variables).serving().await;
    let authenticator = Authenticator::of(&newer, &operator.at(&dying));
    let body = json!({ "code": authenticator.code().await });
    let unanswered = ana.at(&dying).posts(VERIFY, &body).key("verify").try_answer().await;
    assert!(unanswered.is_err(), "{unanswered:?}");
    dying.ended().await;
    let node = installation.start_with_clock(0).await;
    let ana = ana.at(&node);
    let again = || ana.posts(VERIFY, &body).key("verify").answer();
    let answer = again().await.expect(200);
    assert!(answer.is_replayed());
    let codes = backup_codes(&answer);
    assert_eq!(backup_codes(&again().await.expect(200)), codes);
    let other = ana.posts(VERIFY, &json!({ "code": "1" })).key("verify").answer().await;
    assert_eq!(other.refusal(), (422, "idempotency_key_reused".to_owned()));
    // a secret in use is shown to nobody any more
    let shown = set_up(&ana, "two").await;
    assert_eq!(shown.refusal(), (409, "two_factor_enabled".to_owned()));
    signs_in(&ana, Some(&codes[9])).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_secret_nor_codes_are_kept_in_the_clear() {
    let installation = Installation::sqlite();
    let (node, operator) = start(&installation).await;
    let ana = Person::registers(&node, "ana").await;
    let (authenticator, codes) = enabled(&ana, &operator).await;
    signs_in(&ana, Some(&codes[0])).await.expect(200);
    let said = node.stop().await;
    let mut kept: Vec<(String, Vec<u8>)> = vec![("the program's log".to_owned(), said.into())];
    for path in files(&installation.data()) {
        kept.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
    assert!(kept.len() > 4, "the stores are there");
    let bare = codes.iter().map(|code| code.replace('-', ""));
    for secret in codes.iter().cloned().chain(bare).chain([authenticator.secret]) {
        for (what, bytes) in &kept {
            let is_there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!is_there, "{what} has `{secret}`");
        }
    }
}

async fn failed_sign_ins_stand_in_the_history_of_their_account(installation: Installation) {
    let (node, operator) = start(&installation).await;
    let ana = Person::registers(&node, "ana").await;
    let (_, codes) = enabled(&ana, &operator).await;
    let wrong = json!({ "email": ana.email, "password": "wrong, wrong, wrong" });
    for _ in 0..4 {
        ana.posts("/v1/auth/login", &wrong).answer().await.expect(401);
        signs_in(&ana, Some("000")).await.expect(401);
    }
    // neither what asks for the code, nor what succeeds, nor an address that nobody has
    signs_in(&ana, None).await.expect(401);
    signs_in(&ana, Some(&codes[0])).await.expect(200);
    let nobody = json!({ "email": "nobody@example.org", "password": PASSWORD });
    ana.posts("/v1/auth/login", &nobody).answer().await.expect(401);
    let account = ana.id().await;
    node.stop().await;

    let log = installation.log().await;
    let stored = read_everything(&log, 500).await;
    log.close().await;
    drop(log);
    let lines = stored.iter().map(|event| serde_json::from_slice::<Value>(&event.line).unwrap());
    let failed: Vec<Value> =
        lines.filter(|line| line["type"] == "account.sign_in_failed").collect();
    for reason in ["password", "second_factor"] {
        let of_it: Vec<_> = failed.iter().filter(|line| line["data"]["reason"] == reason).collect();
        let count: u64 = of_it.iter().map(|line| line["data"]["count"].as_u64().unwrap()).sum();
        assert_eq!(count, 4, "{failed:?}");
        assert!(of_it[0]["_sd"].as_array().is_some_and(|sealed| sealed.len() == 1), "{failed:?}");
    }
    assert!(failed.iter().all(|line| line["stream"] == format!("account-{account}")));
    let node = installation.start_with_clock(0).await;
    signs_in(&ana.at(&node), Some(&codes[1])).await.expect(200);
    node.stop().await;
    installation.assert_no_difference();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_their_account_erased_shows_a_code() {
    let installation = Installation::sqlite();
    let (node, operator) = start(&installation).await;
    let ana = Person::registers(&node, "ana").await;
    let (_, backup_codes) = enabled(&ana, &operator).await;
    assert_eq!(ana.erases().answer().await.refusal(), required());
    let with = |code: &str| json!({ "password": PASSWORD, "totp_code": code });
    let refused = ana.deletes("/v1/account").json(&with("000000")).answer().await;
    assert_eq!(refused.refusal(), invalid());
    ana.gets("/v1/auth/me").answer().await.expect(200);
    ana.deletes("/v1/account").json(&with(&backup_codes[0])).answer().await.expect(204);
    ana.gets("/v1/auth/me").answer().await.expect(401);
}
