//! The specification of each framework's controls: which there are, on which sentence each result
//! is about, with which parameters, and what is not evidenced at all. A document that has been
//! published is never edited; a change is a new version beside it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use events::evidence::Framework;
use serde::Deserialize;

use super::evaluation::computation::Computation;
use super::evaluation::report::EvidenceKind;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Specification {
    /// `<framework>/<version>`.
    pub(crate) version: String,
    pub(crate) edition: String,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for whoever reads the document in a packet")
    )]
    pub(crate) categories: Vec<String>,
    /// What the packet's statements are about, and what is out of it.
    pub(crate) boundary: String,
    pub(crate) controls: Vec<Specified>,
    pub(crate) not_evidenced: Vec<Outside>,
    /// The document itself, whose digest a packet names.
    #[serde(skip)]
    pub(crate) document: &'static str,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Specified {
    pub(crate) id: String,
    pub(crate) criteria: Vec<String>,
    pub(crate) statement: String,
    pub(crate) method: String,
    pub(crate) computation: Computation,
    pub(crate) evidence_kind: EvidenceKind,
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) applicable_from: Option<String>,
    /// Why there is no evidence yet, where the computation is `unrecorded`.
    #[serde(default)]
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) limits: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outside {
    pub(crate) id: String,
    pub(crate) criteria: Vec<String>,
    pub(crate) reason: String,
}

impl Specification {
    pub(crate) fn of(framework: Framework) -> &'static Self {
        match framework {
            Framework::Soc2 => &SOC2,
            Framework::GdprRopa => &GDPR_ROPA,
            Framework::Dora => &DORA,
            Framework::EuAiAct => &EU_AI_ACT,
        }
    }
}

macro_rules! documents {
    ($($name:ident = $file:literal;)*) => {$(
        static $name: LazyLock<Specification> =
            LazyLock::new(|| read(include_str!(concat!("specifications/", $file))));
    )*};
}

documents! {
    SOC2 = "soc2.v1.json";
    GDPR_ROPA = "gdpr_ropa.v1.json";
    DORA = "dora.v1.json";
    EU_AI_ACT = "eu_ai_act.v1.json";
}

fn read(document: &'static str) -> Specification {
    let read = serde_json::from_str(document).expect("a test reads each document");
    Specification { document, ..read }
}

impl Specified {
    /// A threshold; the document's tests make sure that each that is asked for is there.
    pub(crate) fn number(&self, name: &str) -> i64 {
        let value = self.parameters.get(name).and_then(|value| value.parse().ok());
        value.expect("the specification names every parameter of its computations")
    }
}
