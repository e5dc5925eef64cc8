//! The same logs, judged by a script that shares no code with this program: `tests/controls.py`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use events::evidence::Framework;
use events::recorded::Recorded;
use events::wire;
use serde::Deserialize;
use serde_json::json;

use super::evaluation::computation::Computation;
use super::random_log::{Given, log};
use super::{Control, Evaluation, Specification, Verdict};

const LOGS: u64 = 30;
const STEPS: u64 = 300;

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Opinion {
    result: String,
    exceptions: u64,
    population: u64,
}

pub(super) fn line(recorded: &Recorded) -> Vec<u8> {
    let mut draft = wire::Draft {
        stream: &recorded.stream,
        version: recorded.version,
        id: recorded.id,
        at: recorded.at,
        actor: &recorded.actor,
        cause: &recorded.cause,
        ip_address: recorded.ip_address.clone(),
        user_agent: recorded.user_agent.clone(),
        event: recorded.event.clone(),
        prev: recorded.prev,
    };
    wire::encode(&mut draft, |_| [0; 16]).expect("it fits into a line").line
}

/// What the script says of each control.
fn theirs(given: &Given, folder: &Path) -> BTreeMap<String, Opinion> {
    let (lines, facts) = (folder.join("events.jsonl"), folder.join("facts.json"));
    let mut text = Vec::new();
    for recorded in &given.recorded {
        text.extend(line(recorded));
        text.push(b'\n');
    }
    std::fs::write(&lines, text).expect("a temporary folder can be written");
    let runs = given.facts.verifications.iter();
    let runs: Vec<_> =
        runs.map(|run| json!({ "at": run.at, "succeeded": run.succeeded })).collect();
    let period = given.period;
    let known = json!({ "from": period.from, "to": period.to, "verifications": runs });
    std::fs::write(&facts, known.to_string()).expect("a temporary folder can be written");
    let python = std::env::var("CHANCERY_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/controls.py");
    let ran = Command::new(python)
        .arg(script)
        .arg(&lines)
        .arg(&facts)
        .output()
        .expect("there is a Python");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).expect("the script prints JSON")
}

/// What this program says of each control that is computed.
fn ours(given: &Given) -> BTreeMap<String, Opinion> {
    let mut opinions = BTreeMap::new();
    for framework in Framework::ALL {
        let specification = Specification::current(framework);
        let mut evaluation = Evaluation::of(specification, given.period, &given.facts);
        for recorded in &given.recorded {
            evaluation.take(recorded);
        }
        let computed: BTreeSet<&str> = specification
            .controls
            .iter()
            .filter(|control| control.computation != Computation::Unrecorded)
            .map(|control| control.id.as_str())
            .collect();
        let report = evaluation.finish();
        let controls = report.controls.iter().filter(|control| computed.contains(control.id));
        opinions.extend(controls.map(|control| (control.id.to_owned(), opinion(control))));
    }
    opinions
}

fn opinion(control: &Control) -> Opinion {
    let result = match control.result {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::NotApplicable => "not_applicable",
        Verdict::NotEvidenced => "not_evidenced",
    };
    let size = control.population.as_ref().map_or("0", |population| &population.size);
    Opinion {
        result: result.to_owned(),
        exceptions: control.exceptions.len() as u64,
        population: size.parse().expect("a size is a number"),
    }
}

#[test]
fn an_independent_script_comes_to_the_same_results() {
    let chosen = std::env::var("CHANCERY_TEST_SEED")
        .ok()
        .map(|seed| seed.parse().expect("a seed is a number"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut differences = Vec::new();
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for seed in (0..LOGS).chain(chosen) {
        let given = log(seed, STEPS);
        let (ours, theirs) = (ours(&given), theirs(&given, folder.path()));
        let names = |opinions: &BTreeMap<String, Opinion>| -> Vec<String> {
            opinions.keys().cloned().collect()
        };
        assert_eq!(names(&ours), names(&theirs));
        for (control, ours) in ours {
            let other = &theirs[&control];
            if ours != *other {
                differences.push(format!("{control} with seed {seed}: {ours:?}, not {other:?}"));
            }
            seen.entry(control).or_default().insert(ours.result);
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    // the logs are such that controls come out one way and another
    for (control, results) in seen {
        let is_observed = control.starts_with("soc2.") && !control.ends_with("disposal");
        let is_listed = control.ends_with("denied");
        let expected = if is_listed { "pass" } else { "fail" };
        assert!(!is_observed || results.contains(expected), "{control}: {results:?}");
        assert!(!is_observed || results.contains("pass"), "{control}: {results:?}");
    }
}
