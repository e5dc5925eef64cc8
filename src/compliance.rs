//! What an organization's events show about the controls of a framework: specifications, and their
//! evaluation over the events in their order. Only recorded facts count; nothing is read beside
//! them, so that whoever holds the same lines comes to the same results.

mod dora;
mod eu_ai_act;
mod evaluation;
mod gdpr_ropa;
mod soc2;
mod specification;

#[cfg(test)]
mod random_log;
#[cfg(test)]
mod tests;

#[cfg(test)]
mod second_opinion;

pub(crate) use evaluation::report::Report;
#[cfg(test)]
pub(crate) use evaluation::report::{Control, EvidenceKind, Verdict};
pub(crate) use evaluation::{Evaluation, Facts, Period, Verification};
pub(crate) use specification::Specification;
