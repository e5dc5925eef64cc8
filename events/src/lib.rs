//! What can happen in Chancery, and who decides it.
//!
//! Everything here is a pure function of its arguments: no clock, no randomness, no I/O.

pub mod account;
pub mod address;
pub mod chain;
pub mod id;
pub mod organization;
pub mod permission;
pub mod personal;
pub mod platform;
pub mod recorded;
pub mod stream;
pub mod time;
pub mod wire;

#[cfg(test)]
mod given;

/// Every fact the log can hold.
///
/// Closed on purpose: a new variant stops the build everywhere it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Platform(platform::Event),
    Address(address::Event),
    Account(account::Event),
    Organization(organization::Event),
}

impl Event {
    /// Shows every personal field by its name, so that each can be sealed, opened or withheld.
    pub fn personal(&mut self, visit: &mut dyn FnMut(&'static str, &mut personal::Personal)) {
        match self {
            Self::Account(event) => event.personal(visit),
            Self::Organization(event) => event.personal(visit),
            Self::Platform(_) | Self::Address(_) => {}
        }
    }
}

/// What the decisions of one stream need to know, folded from its events.
pub trait State: Default + Send + Sync + 'static {
    /// Never fails and never checks a rule: what is in the log has happened.
    fn evolve(&mut self, recorded: &recorded::Recorded);
}
