//! Does the time a failed sign-in takes tell whether an address has an account? Both are asked in
//! turns, so that whatever else the machine does happens to both. Says the medians and by how much
//! they differ; less than 5 % is the promise.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::json;
use tokio::runtime::Runtime;

/// Pairs of sign-ins, unless `CHANCERY_BENCH_ROUNDS` says otherwise.
const ROUNDS: usize = 500;
const KNOWN: &str = "ana@example.org";
const UNKNOWN: &str = "nobody@example.org";

fn main() {
    let rounds = std::env::var("CHANCERY_BENCH_ROUNDS").ok();
    let rounds = rounds.map_or(ROUNDS, |text| text.parse().expect("a number of rounds"));
    let data = tempfile::tempdir().expect("a folder can be made");
    let mut server = Command::new(env!("CARGO_BIN_EXE_chancery"))
        .args(["serve", "--listen", "127.0.0.1:0", "--rate-limits", "off", "--data"])
        .arg(data.path())
        .env_remove("CHANCERY_BENCH_ROUNDS")
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(server.stderr.take().expect("it is piped")).lines();
    let url = lines
        .find_map(|line| {
            let line = line.expect("it is text");
            line.split_once("chancery serves on ").map(|(_, url)| url.to_owned())
        })
        .expect("it says where it serves");
    std::thread::spawn(move || lines.count());
    let runtime = Runtime::new().expect("a runtime starts");
    let (mut known, mut unknown) = runtime.block_on(measure(&url, rounds));
    let (known, unknown) = (median(&mut known), median(&mut unknown));
    let difference = (known.as_secs_f64() / unknown.as_secs_f64() - 1.0) * 100.0;
    eprintln!(
        "failed sign-ins, medians of {rounds}: known address {known:.2?}, unknown {unknown:.2?}, \
         {difference:+.2} %"
    );
    server.kill().expect("it is ours");
    server.wait().expect("it is ours");
}

async fn measure(url: &str, rounds: usize) -> (Vec<Duration>, Vec<Duration>) {
    let client = Client::new();
    let body = json!({ "email": KNOWN, "password": "correct horse battery", "name": "Ana" });
    let registered = client.post(format!("{url}/v1/auth/register")).json(&body).send().await;
    assert_eq!(registered.expect("it answers").status(), 201);
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // who goes first changes, so that being first cannot matter
        let order = [(KNOWN, &mut known), (UNKNOWN, &mut unknown)];
        let order: Vec<_> =
            if round % 2 == 0 { order.into() } else { order.into_iter().rev().collect() };
        for (email, times) in order {
            times.push(sign_in(&client, url, email).await);
        }
    }
    (known, unknown)
}

async fn sign_in(client: &Client, url: &str, email: &str) -> Duration {
    let body = json!({ "email": email, "password": "not the right password" });
    let started = Instant::now();
    let answer = client.post(format!("{url}/v1/auth/login")).json(&body).send().await;
    let answer = answer.expect("it answers");
    let took = started.elapsed();
    assert_eq!(answer.status(), 401);
    answer.bytes().await.expect("it has a body");
    took
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
