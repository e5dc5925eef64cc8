//! What was released keeps its meaning: a document's bytes, and what comes out when lines that
//! were written down once are judged by it. `golden/` holds the lines and the results; one of a new
//! document is written by the first run, and none is ever changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use events::recorded::{Position, Recorded};
use events::time::Time;
use events::wire;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::evaluated;
use crate::compliance::random_log::{Given, log};
use crate::compliance::second_opinion::line;
use crate::compliance::{Facts, Period, Specification, Verification};
use crate::packet::content::hex;

/// Each makes another log. Where there are events of a new kind, one is added that has them.
const SEEDS: [u64; 4] = [1, 2, 3, 4];
const STEPS: u64 = 150;

/// What is judged besides the lines.
#[derive(Serialize, Deserialize)]
struct About {
    from: Time,
    to: Time,
    verifications: Vec<Verification>,
}

/// What came out, by control and list; long things by their digest.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Came {
    document_sha256: String,
    out: BTreeMap<String, String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/compliance/golden")
}

fn digest(value: &impl Serialize) -> String {
    let canonical = serde_json_canonicalizer::to_vec(value).expect("it is JSON");
    hex(&Sha256::digest(canonical))
}

fn came_out(specification: &'static Specification, given: &Given) -> Came {
    let report = evaluated(specification, given);
    let mut out = BTreeMap::new();
    for control in &report.controls {
        let shown = serde_json::to_value(control).expect("it is JSON");
        let result = shown["result"].as_str().expect("a control has a result");
        out.insert(control.id.to_owned(), format!("{result} {}", digest(&shown)));
    }
    for population in &report.populations {
        let digest = hex(&Sha256::digest(&population.lines));
        out.insert(population.name.clone(), format!("{} {digest}", population.size));
    }
    out.insert("not_evidenced".to_owned(), digest(&report.not_evidenced));
    for (name, section) in report.sections.as_object().expect("they have names") {
        out.insert(format!("sections.{name}"), digest(section));
    }
    Came { document_sha256: hex(&Sha256::digest(specification.document)), out }
}

/// What stands in the file, which is made where there is none.
fn kept(path: &Path, made: impl FnOnce() -> Vec<u8>, added: &mut Vec<PathBuf>) -> Vec<u8> {
    if !path.exists() {
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("it can be made");
        fs::write(path, made()).expect("it can be written");
        added.push(path.to_owned());
    }
    fs::read(path).expect("it can be read")
}

fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("it is JSON");
    text.push(b'\n');
    text
}

fn given(seed: u64, added: &mut Vec<PathBuf>) -> Given {
    let made = log(seed, STEPS);
    let lines = || {
        let lines = made.recorded.iter().map(|recorded| [line(recorded), b"\n".to_vec()].concat());
        lines.collect::<Vec<_>>().concat()
    };
    let about = || {
        let Period { from, to } = made.period;
        pretty(&About { from, to, verifications: made.facts.verifications.clone() })
    };
    let lines = kept(&folder().join(format!("log-{seed}.jsonl")), lines, added);
    let about = kept(&folder().join(format!("log-{seed}.json")), about, added);
    let About { from, to, verifications } = serde_json::from_slice(&about).expect("it is known");
    let read = |line: &[u8]| -> Recorded {
        wire::decode(Position::default(), line, &[]).expect("every line ever written is read")
    };
    let lines = lines.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
    let (period, facts) = (Period { from, to }, Facts { verifications });
    Given { recorded: lines.map(read).collect(), period, facts }
}

#[test]
fn what_was_released_still_comes_to_the_same() {
    let mut added = Vec::new();
    for seed in SEEDS {
        let given = given(seed, &mut added);
        for specification in Specification::released() {
            let came = came_out(specification, &given);
            let name = specification.version.replace('/', "-");
            let path = folder().join(format!("log-{seed}.{name}.json"));
            let before = kept(&path, || pretty(&came), &mut added);
            let before: Came = serde_json::from_slice(&before).expect("it is known");
            assert_eq!(came, before, "{} of log {seed}", specification.version);
        }
    }
    assert_eq!(added, Vec::<PathBuf>::new(), "these files were made just now: review and commit");
}

#[test]
fn lines_that_were_written_down_lead_to_different_results() {
    let mut results = BTreeMap::<String, u64>::new();
    for seed in SEEDS {
        let given = given(seed, &mut Vec::new());
        for specification in Specification::released() {
            for (name, came) in came_out(specification, &given).out {
                let is_control = !name.contains("population-") && came.contains(' ');
                let result = came.split(' ').next().unwrap_or_default();
                *results.entry(result.to_owned()).or_default() += u64::from(is_control);
            }
        }
    }
    for result in ["pass", "fail", "not_applicable", "not_evidenced"] {
        assert!(results.get(result).is_some_and(|count| *count > 3), "{result}: {results:?}");
    }
}

#[test]
fn a_packet_is_judged_by_the_document_that_it_names() {
    for specification in Specification::released() {
        let framework = specification.framework;
        let read: Value = serde_json::from_str(specification.document).expect("it is JSON");
        assert_eq!(read["version"], Value::from(specification.version.as_str()));
        let newest = Specification::released().iter().rfind(|it| it.framework == framework);
        assert_eq!(newest.map(|it| &it.version), Some(&Specification::current(framework).version));
        assert!(Specification::named(framework, "soc2/0.0.0").is_none());
        for other in events::evidence::Framework::ALL.into_iter().filter(|it| *it != framework) {
            assert!(Specification::named(other, &specification.version).is_none());
        }
    }
}
