//! Who takes payments, and how one is asked for. There is one way so far; a provider of cards will be
//! another variant, which talks to it here and says what came of that. What is decided about an
//! invoice, and what is recorded of it, stays the same.

use events::subscription::Provider;

/// Who takes payments here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payments {
    /// Nobody is asked: invoices are paid outside, and it is recorded that they were.
    Manual,
}

/// A payment that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) provider: Provider,
    /// By which it is found outside.
    pub(crate) reference: Option<String>,
}

impl Payments {
    /// As `--billing` names it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        (name == "manual").then_some(Self::Manual)
    }

    /// What it is called in answers.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
        }
    }

    /// Has what is due of an invoice paid. `reference` is what the one who pays says about it.
    pub(crate) fn receive(self, reference: Option<String>) -> Received {
        match self {
            Self::Manual => Received { provider: Provider::Manual, reference },
        }
    }
}
