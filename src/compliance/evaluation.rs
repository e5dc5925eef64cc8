//! The evaluation of a framework's controls, in one pass over an organization's events. The rules
//! that turn what was found into a result are the same for all controls, and stand in [`ruled`]:
//! an empty population is never a pass, and what was declared never makes one of what is missing.

pub(crate) mod computation;
pub(crate) mod finding;
pub(crate) mod interval;
pub(crate) mod log;
pub(crate) mod report;
mod section;

use std::collections::BTreeMap;

use events::evidence::Framework;
use events::recorded::Recorded;
use events::time::Time;
use serde::{Deserialize, Serialize};

use self::finding::{Findings, Recording, WhenEmpty};
use self::log::Log;
pub(crate) use self::log::Period;
use self::report::{
    Control, Erased, EvidenceKind, NotEvidenced, Parameter, Population, PopulationReference,
    Report, Verdict,
};
use self::section::Sections;
use super::dora::role::DeclaredRole;
use super::eu_ai_act::DeclaredSystems;
use super::specification::{Specification, Specified};

/// One run of the verifier, which the platform's own stream records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verification {
    pub(crate) at: Time,
    pub(crate) succeeded: bool,
}

/// What is no event of the organization. Empty when it is not known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) verifications: Vec<Verification>,
}

/// What looks at every event up to the end of the period, for one control.
pub(crate) trait Check: Send {
    /// `log` is what stood before the event.
    fn take(&mut self, log: &Log, recorded: &Recorded);

    /// Lines of its population that it keeps although it will not look at them again: they may be
    /// taken away. A population that grows with every event must not wait for the end.
    fn standing(&mut self) -> Option<&mut Vec<u8>> {
        None
    }

    /// `window` is the part of the period in which the organization existed, `log` what stands at its
    /// end.
    fn finish(self: Box<Self>, log: &Log, window: Period) -> Findings;
}

/// Whether a framework concerns the organization at all, by what it declared.
pub(crate) trait Gate: Send {
    fn take(&mut self, log: &Log, recorded: &Recorded);

    fn finish(self: Box<Self>, log: &Log, window: Period) -> Scope;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    In,
    /// It declared that the framework does not concern it.
    DeclaredOut,
    /// Whether it does cannot be told.
    Unknown(&'static str),
}

/// The controls of one specification, performed again over one organization's events, which are fed
/// in the order of their versions, from the first.
pub(crate) struct Evaluation {
    specification: &'static Specification,
    log: Log,
    checks: Vec<(&'static Specified, Box<dyn Check>)>,
    gate: Option<Box<dyn Gate>>,
    sections: Sections,
    erased: Vec<Erased>,
}

impl Evaluation {
    pub(crate) fn of(specification: &'static Specification, period: Period, facts: &Facts) -> Self {
        let checks = specification.controls.iter();
        let checks = checks.map(|control| (control, control.computation.check(control, facts)));
        Self {
            specification,
            log: Log::new(period),
            checks: checks.collect(),
            gate: gate(specification.framework),
            sections: Sections::default(),
            erased: Vec::new(),
        }
    }

    /// Personal values may be sealed or absent: they are never looked at.
    pub(crate) fn take(&mut self, recorded: &Recorded) {
        if let events::Event::Erasure(events::erasure::Event::Erased { subject }) = recorded.event {
            // whatever the period: it decides what a packet may still disclose
            let erased_by_version = recorded.version;
            self.erased.push(Erased { subject, erased_by_version, digests: Vec::new() });
        }
        if !self.log.begin(recorded) {
            return;
        }
        for (_, check) in &mut self.checks {
            check.take(&self.log, recorded);
        }
        if let Some(gate) = &mut self.gate {
            gate.take(&self.log, recorded);
        }
        self.sections.take(&self.log, recorded);
        self.log.end(recorded);
    }

    /// Takes away what stands of the populations already, by the names of their files. What is left
    /// of each at the end comes behind it.
    pub(crate) fn standing(&mut self) -> Vec<(String, Vec<u8>)> {
        // of an organization that did not exist in the period nothing is kept in the end
        if !self.log.has_existed_in_period() {
            return Vec::new();
        }
        let parts = self.checks.iter_mut().filter_map(|(control, check)| {
            let lines = check.standing().filter(|lines| !lines.is_empty())?;
            Some((population_file(control), std::mem::take(lines)))
        });
        parts.collect()
    }

    pub(crate) fn finish(self) -> Report {
        let Self { specification, log, checks, gate, sections, erased } = self;
        let (mut controls, mut populations) = (Vec::new(), Vec::new());
        let window = log.window();
        let scope = window.zip(gate).map_or(Scope::In, |(window, gate)| gate.finish(&log, window));
        for (control, check) in checks {
            let found = window.map(|window| (window, check.finish(&log, window)));
            let (control, population) = ruled(control, &log, scope, found);
            controls.push(control);
            populations.extend(population);
        }
        let outside = specification.not_evidenced.iter().map(|outside| NotEvidenced {
            id: &outside.id,
            criteria: &outside.criteria,
            reason: &outside.reason,
        });
        let sections = sections.finish(&log);
        Report { controls, not_evidenced: outside.collect(), populations, erased, sections }
    }
}

fn population_file(control: &Specified) -> String {
    format!("population-{}.jsonl", control.id)
}

fn gate(framework: Framework) -> Option<Box<dyn Gate>> {
    match framework {
        Framework::Soc2 | Framework::GdprRopa => None,
        Framework::Dora => Some(Box::new(DeclaredRole::default())),
        Framework::EuAiAct => Some(Box::new(DeclaredSystems::default())),
    }
}

/// What follows from what a control found.
fn ruled(
    control: &'static Specified,
    log: &Log,
    scope: Scope,
    found: Option<(Period, Findings)>,
) -> (Control, Option<Population>) {
    let (result, reason) = match &found {
        None => {
            (Verdict::NotEvidenced, Some("the organization did not exist in the period".to_owned()))
        }
        Some((window, found)) => verdict(control, log, scope, *window, found),
    };
    let found = found.map(|(_, found)| found).unwrap_or_default();
    let has_population = found.recording != Recording::Never || found.size > 0;
    let name = population_file(control);
    let population = has_population
        .then(|| PopulationReference { file: name.clone(), size: found.size.to_string() });
    let is_bare = found.recording == Recording::Never || found.size == 0;
    let evidence_kind = match result {
        Verdict::NotEvidenced if is_bare => EvidenceKind::None,
        Verdict::Pass | Verdict::Fail | Verdict::NotApplicable | Verdict::NotEvidenced => {
            control.evidence_kind
        }
    };
    let parameters = control.parameters.iter().map(|(name, value)| {
        (name.as_str(), Parameter { value: value.clone(), source: "default", version: None })
    });
    let ruled = Control {
        id: &control.id,
        criteria: &control.criteria,
        statement: &control.statement,
        method: &control.method,
        applicable_from: control.applicable_from.as_deref(),
        parameters: parameters.collect::<BTreeMap<_, _>>(),
        result,
        reason,
        evidence_kind,
        observed: found.observed,
        exceptions: found.exceptions,
        events: found.cited.versions,
        event_count: found.cited.count.to_string(),
        population,
        limits: control.limits.as_deref(),
    };
    let file = has_population.then_some(Population { name, size: found.size, lines: found.lines });
    (ruled, file)
}

fn verdict(
    control: &Specified,
    log: &Log,
    scope: Scope,
    window: Period,
    found: &Findings,
) -> (Verdict, Option<String>) {
    let not_evidenced = |why: &str| (Verdict::NotEvidenced, Some(why.to_owned()));
    let not_applicable = |why: &str| (Verdict::NotApplicable, Some(why.to_owned()));
    if found.recording == Recording::Never {
        let reason = control.reason.as_deref();
        return not_evidenced(reason.unwrap_or("no event of the organization's log says it"));
    }
    if !log.is_closed && log.deleted_at.is_none() {
        return not_evidenced("the log does not reach the end of the period");
    }
    match scope {
        Scope::In => {}
        Scope::DeclaredOut => return not_applicable("declared_out_of_scope"),
        Scope::Unknown(reason) => return not_evidenced(reason),
    }
    if !found.exceptions.is_empty() {
        return (Verdict::Fail, None);
    }
    match found.recording {
        Recording::Since(None) => {
            return not_evidenced("nothing of the kind was ever recorded");
        }
        Recording::Since(Some(first)) if first > window.from => {
            return not_evidenced("it was first recorded after the period began");
        }
        Recording::Since(Some(_)) | Recording::Always | Recording::Never => {}
    }
    match (found.size, found.when_empty) {
        (0, WhenEmpty::NoOccurrence) => not_applicable("no_occurrence"),
        (0, WhenEmpty::NoSubject) => not_applicable("no_subject"),
        (1.., _) => (Verdict::Pass, None),
    }
}
