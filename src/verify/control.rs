//! V11: the controls performed again over the packet's own lines, by the specification that the
//! packet names, come to exactly the results that it says; and none of the specification's controls
//! is left out, evidenced or not.

use std::collections::BTreeMap;

use events::recorded::Recorded;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::fault::{Checked, Fault, Reason, ensure};
use super::file::{Listed, sha256_of};
use crate::compliance::{Evaluation, Facts, Period, Specification};
use crate::packet::content::hex;
use crate::packet::statement::Predicate;
use crate::packet::{POPULATION, SPECIFICATION};

/// A population is taken away after so many events: it can be as long as the log.
const AT_ONCE: u64 = 1000;

/// Nothing where the packet was made under a specification that this program does not know.
pub(super) struct Controls(Option<Known>);

struct Known {
    specification: &'static Specification,
    evaluation: Evaluation,
    /// Of the populations, as far as they were seen.
    hashes: BTreeMap<String, Sha256>,
}

impl Controls {
    /// What is no event of the organization, such as each run of the log's verifier, is the
    /// statement's own word.
    pub(super) fn of(predicate: &Predicate) -> Self {
        let period = Period { from: predicate.period.from, to: predicate.period.to };
        let facts = Facts { verifications: predicate.verifications.clone() };
        let framework = predicate.framework.id;
        let known = Specification::named(framework, &predicate.framework.specification.version);
        Self(known.map(|specification| {
            let evaluation = Evaluation::of(specification, period, &facts);
            Known { specification, evaluation, hashes: BTreeMap::new() }
        }))
    }

    pub(super) fn take(&mut self, recorded: &Recorded) {
        let Self(Some(known)) = self else { return };
        known.evaluation.take(recorded);
        if recorded.version.is_multiple_of(AT_ONCE) {
            for (name, lines) in known.evaluation.standing() {
                known.hashes.entry(name).or_default().update(&lines);
            }
        }
    }

    /// `document` is the packet's specification. Says in a sentence what was found.
    pub(super) fn check(
        self,
        predicate: &Predicate,
        listed: &Listed,
        document: &[u8],
    ) -> Checked<String> {
        covers(predicate, document)?;
        let named = &predicate.framework.specification;
        let is_named = named.sha256 == sha256_of(document);
        ensure(is_named, Reason::Specification, || {
            format!("the statement names another specification than {SPECIFICATION}")
        })?;
        let Self(Some(Known { specification: known, evaluation, mut hashes })) = self else {
            let message = format!("this program does not know {}; a newer one may", named.version);
            return Err(Fault::new(Reason::Specification, message));
        };
        ensure(document == known.document.as_bytes(), Reason::Specification, || {
            format!("{} is not as it was released", named.version)
        })?;
        let report = evaluation.finish();
        same_list("control", &predicate.controls, &json(&report.controls))?;
        same_list("gap", &predicate.not_evidenced, &json(&report.not_evidenced))?;
        ensure(predicate.sections == report.sections, Reason::Reperformance, || {
            "the lists in `sections` are not those that the lines lead to".to_owned()
        })?;
        let populations: BTreeMap<_, _> = report
            .populations
            .iter()
            .map(|population| {
                let hash = hashes.remove(&population.name).unwrap_or_default();
                let hash = hash.chain_update(&population.lines).finalize();
                (population.name.as_str(), hex(&hash))
            })
            .collect();
        let files = listed.iter().filter(|(name, _)| name.starts_with(POPULATION));
        let files: BTreeMap<_, _> =
            files.map(|(name, file)| (name.as_str(), file.digest.sha256.clone())).collect();
        let names = populations.keys().chain(files.keys());
        for name in names {
            ensure(populations.get(name) == files.get(name), Reason::Reperformance, || {
                "it is not the population that the lines lead to".to_owned()
            })
            .map_err(|fault| fault.in_file(name))?;
        }
        Ok(format!(
            "{} controls and {} populations of {} come out the same when performed again; {} points \
             are named as not evidenced",
            report.controls.len(),
            report.populations.len(),
            known.version,
            report.not_evidenced.len()
        ))
    }
}

fn json(items: &impl Serialize) -> Vec<Value> {
    match serde_json::to_value(items) {
        Ok(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

fn id(item: &Value) -> &str {
    item.get("id").and_then(Value::as_str).unwrap_or_default()
}

/// Every id of the specification stands once in the statement, and no other.
fn covers(predicate: &Predicate, document: &[u8]) -> Checked<()> {
    let document = super::json::read(document)
        .map_err(|why| Fault::new(Reason::Specification, why.to_string()).in_file(SPECIFICATION))?;
    let listed = |name: &str| match document.get(name) {
        Some(Value::Array(items)) => items.clone(),
        _ => Vec::new(),
    };
    let mut open: BTreeMap<String, u32> = BTreeMap::new();
    for item in listed("controls").iter().chain(&listed("not_evidenced")) {
        *open.entry(id(item).to_owned()).or_default() += 1;
    }
    for item in predicate.controls.iter().chain(&predicate.not_evidenced) {
        let left = open.get_mut(id(item)).filter(|left| **left > 0);
        let left = left.ok_or_else(|| {
            let message = format!("{:?} stands twice, or is not in the specification", id(item));
            Fault::new(Reason::Coverage, message)
        })?;
        *left -= 1;
    }
    let left_out = open.iter().find(|(_, left)| **left > 0);
    left_out.map_or(Ok(()), |(id, _)| {
        let message = format!("{id:?} is in the specification and not in the statement");
        Err(Fault::new(Reason::Coverage, message))
    })
}

fn same_list(what: &str, said: &[Value], found: &[Value]) -> Checked<()> {
    let pairs = said.iter().zip(found);
    if let Some((said, found)) = pairs.into_iter().find(|(said, found)| said != found) {
        return Err(Fault::new(Reason::Reperformance, difference(what, said, found)));
    }
    ensure(said.len() == found.len(), Reason::Reperformance, || {
        format!("it has {} {what}s, not {}", said.len(), found.len())
    })
}

/// In which members the two differ; results are short enough to be shown.
fn difference(what: &str, said: &Value, found: &Value) -> String {
    let result = |item: &Value| item.get("result").cloned().unwrap_or_default();
    let empty = serde_json::Map::new();
    let (mine, theirs) = (found.as_object().unwrap_or(&empty), said.as_object().unwrap_or(&empty));
    let mut names: Vec<_> = mine.keys().chain(theirs.keys()).collect();
    names.sort();
    names.dedup();
    names.retain(|name| mine.get(*name) != theirs.get(*name));
    let names: Vec<_> = names.into_iter().map(String::as_str).collect();
    format!(
        "the {what} {:?} says {}, the lines lead to {}; they differ in {}",
        id(said),
        result(said),
        result(found),
        names.join(", ")
    )
}
