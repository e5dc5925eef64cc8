//! What came out: each check in a sentence, about which packet and which lines, with which keys, and
//! the first thing that is wrong. As text for people and as JSON for programs.

use std::fmt;

use events::time::Time;
use events::tree::Hash;
use serde::{Serialize, Serializer};

use super::fault::Fault;
use crate::note::Head;
use crate::packet::statement::{Period, Statement};
use crate::public_key::NoteKey;

/// One check that passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    check: &'static str,
    says: String,
}

/// Whom and what the signed statement is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct About {
    packet: String,
    organization: String,
    issuer: String,
    framework: &'static str,
    period: Period,
    challenge: String,
    generated_at: Time,
}

/// The lines that were checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Range {
    size: u64,
    root: Hash,
    last_recorded_at: Option<Time>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    #[serde(rename = "packet")]
    about: Option<About>,
    log: Option<Range>,
    /// The verifier's line of the key that signed the checkpoint.
    log_key: Option<String>,
    checks: Vec<Check>,
    /// What could not be checked here, and why.
    left_out: Vec<String>,
}

/// Valid where there is no fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) report: Report,
    pub(crate) fault: Option<Fault>,
}

impl Report {
    pub(super) fn checked(&mut self, check: &'static str, says: String) {
        self.checks.push(Check { check, says });
    }

    pub(super) fn left_out(&mut self, says: &str) {
        self.left_out.push(says.to_owned());
    }

    pub(super) fn is_about(&mut self, statement: &Statement) {
        let predicate = &statement.predicate;
        self.about = Some(About {
            packet: predicate.packet.id.to_string(),
            organization: predicate.organization.id.to_string(),
            issuer: predicate.issuer.name.clone(),
            framework: predicate.framework.id.as_str(),
            period: predicate.period,
            challenge: predicate.packet.challenge.clone(),
            generated_at: predicate.packet.generated_at,
        });
    }

    pub(super) fn ranges_over(&mut self, size: u64, root: Hash, last_recorded_at: Option<Time>) {
        self.log = Some(Range { size, root, last_recorded_at });
    }

    pub(super) fn log_key(&mut self, key: &NoteKey, is_name_pinned: bool) {
        self.log_key = Some(key.line());
        if !is_name_pinned {
            self.left_out(
                "the log key came without a name: that the log is of this installation is the \
                 packet's own word; pin the key as a verifier's line",
            );
        }
    }

    pub(super) fn continues(&mut self, kept: &[(Head, String)], later: Option<String>) {
        if kept.is_empty() {
            self.left_out(
                "no checkpoint was kept from earlier (--checkpoint): whoever holds both of the \
                 installation's keys could have rewritten the whole log",
            );
        }
        let sizes: Vec<_> = kept.iter().map(|(head, _)| head.size.to_string()).collect();
        let heads = (!kept.is_empty())
            .then(|| format!("it continues each kept checkpoint (of {} lines)", sizes.join(", ")));
        let says: Vec<_> = heads.into_iter().chain(later).collect();
        if !says.is_empty() {
            self.checked("V8", says.join("; "));
        }
    }

    pub(super) fn discloses(&mut self, values: usize, people: usize, missing: usize) {
        let erased = match missing {
            0 => String::new(),
            missing => format!("; {missing} files are gone, with the people who were erased"),
        };
        let says = format!(
            "{values} disclosed values of {people} subjects are those of their lines, and none is of \
             an erased person{erased}"
        );
        self.checked("V10", says);
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            valid: bool,
            #[serde(flatten)]
            report: &'a Report,
            #[serde(skip_serializing_if = "Option::is_none")]
            fault: Option<WrittenFault<'a>>,
        }
        #[derive(Serialize)]
        struct WrittenFault<'a> {
            code: String,
            message: &'a str,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            evidence: &'a [String],
        }
        let fault = self.fault.as_ref().map(|fault| WrittenFault {
            code: fault.code(),
            message: &fault.message,
            evidence: &fault.evidence,
        });
        Written { valid: fault.is_none(), report: &self.report, fault }.serialize(serializer)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { about, log, log_key, checks, left_out } = &self.report;
        if let Some(about) = about {
            writeln!(f, "packet        {}", about.packet)?;
            writeln!(f, "organization  {} at {}", about.organization, about.issuer)?;
            writeln!(f, "framework     {}", about.framework)?;
            writeln!(f, "period        {} to {}", about.period.from, about.period.to)?;
            writeln!(f, "challenge     {}", about.challenge)?;
            writeln!(f, "generated     {}", about.generated_at)?;
        }
        if let Some(log) = log {
            writeln!(f, "log           {} lines, root {}", log.size, log.root)?;
        }
        if let Some(key) = log_key {
            writeln!(f, "log key       {key}")?;
        }
        for check in checks {
            writeln!(f, "{:<4} ok       {}", check.check, check.says)?;
        }
        for says in left_out {
            writeln!(f, "not checked   {says}")?;
        }
        match &self.fault {
            None if log.is_none() => {
                writeln!(f, "VALID         as far as the envelope alone shows")
            }
            None => writeln!(f, "VALID"),
            Some(fault) => {
                writeln!(f, "INVALID       {fault}")?;
                let evidence = fault.evidence.iter();
                evidence.enumerate().try_for_each(|(at, note)| {
                    writeln!(f, "\nsigned head {} of the contradiction:\n{note}", at + 1)
                })
            }
        }
    }
}
