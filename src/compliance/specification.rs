//! The specification of each framework's controls: which there are, on which sentence each result
//! is about, with which parameters, and what is not evidenced at all.
//!
//! A document that has been released is never edited: a packet is verified, and taken along again,
//! by the one that it was made under, for ever. To change what a framework asks:
//!
//! 1. Write `specifications/<framework>.v<n>.json` with a `version` of its own; a control that
//!    changes gets another `method`, too.
//! 2. Add it to [`DOCUMENTS`], behind those of its framework: from then on packets are made under it.
//! 3. What is computed in another way gets a name of its own among the computations, and so does
//!    whatever else a document may ask for: a member that older documents do not have means there
//!    what it has always meant. What older documents name keeps its meaning.
//! 4. Tell it in `docs/controls.md`, and `tests/controls.py` what it comes to.
//!
//! A test judges the same lines by every document, and compares with what came out when it was
//! released (`golden/`).

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::LazyLock;

use events::evidence::Framework;
use serde::Deserialize;

use super::evaluation::computation::Computation;
use super::evaluation::report::EvidenceKind;

#[derive(Debug)]
pub(crate) struct Specification {
    pub(crate) framework: Framework,
    /// The document itself, whose digest a packet names.
    pub(crate) document: &'static str,
    read: Document,
}

impl Deref for Specification {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.read
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
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
    /// Which personal values a packet opens, as `<event type>.<field>`; where it is left out, what
    /// the first documents meant.
    #[serde(default)]
    discloses: Option<Vec<String>>,
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

/// Every document that was ever released; of a framework, the oldest first.
const DOCUMENTS: [(Framework, &str); 5] = [
    (Framework::Soc2, include_str!("specifications/soc2.v1.json")),
    (Framework::GdprRopa, include_str!("specifications/gdpr_ropa.v1.json")),
    (Framework::GdprRopa, include_str!("specifications/gdpr_ropa.v2.json")),
    (Framework::Dora, include_str!("specifications/dora.v1.json")),
    (Framework::EuAiAct, include_str!("specifications/eu_ai_act.v1.json")),
];

static RELEASED: LazyLock<Vec<Specification>> =
    LazyLock::new(|| DOCUMENTS.map(|(framework, document)| read(framework, document)).into());

fn read(framework: Framework, document: &'static str) -> Specification {
    let read: Document = serde_json::from_str(document).expect("a test reads each document");
    Specification { framework, document, read }
}

impl Specification {
    /// The one that packets are made under now.
    pub(crate) fn current(framework: Framework) -> &'static Self {
        let of_framework = |it: &&Self| it.framework == framework;
        RELEASED.iter().rfind(of_framework).expect("each framework has a document")
    }

    /// The one that a packet says it was made under. `None` when this program does not know it.
    pub(crate) fn named(framework: Framework, version: &str) -> Option<&'static Self> {
        RELEASED.iter().find(|it| it.framework == framework && it.version == version)
    }

    #[cfg(test)]
    pub(crate) fn released() -> &'static [Self] {
        &RELEASED
    }

    /// Whether a packet opens such a value: of people, the addresses that invitations went to; of
    /// the organization, what it declared itself where a framework is about that.
    pub(crate) fn discloses(&self, kind: &str, field: &str) -> bool {
        match (&self.discloses, kind, field) {
            (Some(opened), _, _) => opened.iter().any(|it| {
                it.strip_prefix(kind).and_then(|rest| rest.strip_prefix('.')) == Some(field)
            }),
            (None, "member.invited", "email") => true,
            (None, "declaration.set", "text") => self.framework != Framework::Soc2,
            (None, _, _) => false,
        }
    }
}

impl Specified {
    /// A threshold; the document's tests make sure that each that is asked for is there.
    pub(crate) fn number(&self, name: &str) -> i64 {
        let value = self.parameters.get(name).and_then(|value| value.parse().ok());
        value.expect("the specification names every parameter of its computations")
    }
}
