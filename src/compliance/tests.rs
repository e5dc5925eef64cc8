//! What must hold whatever a log says, and what each control says to small ones.

use std::collections::{BTreeMap, BTreeSet};

use events::evidence::Framework;
use events::wire;
use proptest::prelude::*;
use serde_json::Value;

use super::evaluation::log::RECORDED_WITHIN;
use super::random_log::{Given, log};
use super::*;

mod declared;
mod observed;
mod released;
mod told;

fn evaluated(specification: &'static Specification, given: &Given) -> Report {
    let mut evaluation = Evaluation::of(specification, given.period, &given.facts);
    for recorded in &given.recorded {
        evaluation.take(recorded);
    }
    evaluation.finish()
}

/// The same, with the populations taken away while they grow, and put together again.
fn evaluated_in_parts(specification: &'static Specification, given: &Given) -> Report {
    let mut evaluation = Evaluation::of(specification, given.period, &given.facts);
    let mut parts: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for recorded in &given.recorded {
        evaluation.take(recorded);
        if recorded.version.is_multiple_of(7) {
            for (name, mut lines) in evaluation.standing() {
                parts.entry(name).or_default().append(&mut lines);
            }
        }
    }
    let mut report = evaluation.finish();
    for population in &mut report.populations {
        let mut lines = parts.remove(&population.name).unwrap_or_default();
        lines.append(&mut population.lines);
        population.lines = lines;
    }
    report
}

/// Neither floats nor integers beyond 2^53.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_u64().is_some_and(|number| number < 1 << 53),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happened_every_control_says_something_honest(seed in any::<u64>()) {
        let given = log(seed, 200);
        for specification in Specification::released() {
            let report = evaluated(specification, &given);
            let ids: Vec<&str> = report
                .controls
                .iter()
                .map(|control| control.id)
                .chain(report.not_evidenced.iter().map(|outside| outside.id))
                .collect();
            let expected = specification.controls.len() + specification.not_evidenced.len();
            prop_assert_eq!(ids.len(), expected);
            prop_assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), expected);
            for control in &report.controls {
                let file = control.population.as_ref();
                let population = file.and_then(|file| {
                    report.populations.iter().find(|known| known.name == file.file)
                });
                let size = population.map_or(0, |population| population.size);
                prop_assert_eq!(file.is_some(), population.is_some());
                if let Some(population) = population {
                    let text = std::str::from_utf8(&population.lines).expect("JSON is text");
                    prop_assert_eq!(text.lines().count() as u64, size);
                    prop_assert!(text.lines().all(|line| wire::is_canonical(line.as_bytes())));
                }
                match control.result {
                    Verdict::Pass => prop_assert!(size > 0 && control.exceptions.is_empty()),
                    Verdict::Fail => prop_assert!(!control.exceptions.is_empty()),
                    Verdict::NotApplicable | Verdict::NotEvidenced => {
                        prop_assert!(control.reason.is_some());
                    }
                }
                for exception in &control.exceptions {
                    let has_locator =
                        exception.get("versions").is_some() || exception.get("gap_from").is_some();
                    prop_assert!(has_locator, "{} {exception}", control.id);
                }
            }
            prop_assert_eq!(&report, &evaluated(specification, &given));
            prop_assert_eq!(&report, &evaluated_in_parts(specification, &given));
            let report = serde_json::to_value(&report).expect("a report is JSON");
            prop_assert!(is_exact(&report), "a number that RFC 8785 does not keep");
        }
    }
}

/// In these logs something happens in the period to an organization that did not exist in it.
#[test]
fn nothing_stands_of_an_organization_that_did_not_exist_in_the_period() {
    for seed in [7_183_608_240_663_123_606, 14_812_181_540_974_209_934] {
        let given = log(seed, 200);
        for specification in Specification::released() {
            let whole = evaluated(specification, &given);
            assert_eq!(whole, evaluated_in_parts(specification, &given));
        }
    }
}

#[test]
fn every_document_names_each_control_once_and_is_explained() {
    let explained = include_str!("../../docs/controls.md");
    let mut versions = BTreeSet::new();
    for specification in Specification::released() {
        let (framework, mut names) = (specification.framework, BTreeSet::new());
        assert!(specification.version.starts_with(&format!("{}/", framework.as_str())));
        assert!(versions.insert(specification.version.as_str()), "{}", specification.version);
        let named = Specification::named(framework, &specification.version);
        assert!(named.is_some_and(|named| std::ptr::eq(named, specification)));
        assert!(explained.contains(&format!("`{}`", specification.version)));
        assert!(!specification.edition.is_empty() && !specification.boundary.is_empty());
        assert!(!specification.categories.is_empty() && !specification.document.is_empty());
        for control in &specification.controls {
            assert!(names.insert(control.id.as_str()), "{} stands twice", control.id);
            if let Some(delay) = control.parameters.get("max_recording_delay_seconds") {
                assert_eq!(*delay, RECORDED_WITHIN.as_secs().to_string(), "{}", control.id);
            }
            assert!(explained.contains(&format!("`{}`", control.id)), "{}", control.id);
            assert!(explained.contains(&control.statement), "{}", control.id);
            let is_due_later = control.applicable_from.is_some();
            assert_eq!(is_due_later, framework == Framework::EuAiAct, "{}", control.id);
        }
        for outside in &specification.not_evidenced {
            assert!(names.insert(outside.id.as_str()), "{} stands twice", outside.id);
            assert!(explained.contains(&format!("`{}`", outside.id)), "{}", outside.id);
        }
    }
}
