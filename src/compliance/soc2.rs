//! What an organization's events show about the trust services criteria; the other frameworks ask
//! for much of the same. One file for each thing that controls look at.

pub(crate) mod actor;
pub(crate) mod attempt;
pub(crate) mod change;
pub(crate) mod disposal;
pub(crate) mod incident;
pub(crate) mod invitation;
pub(crate) mod joiner;
pub(crate) mod leaver;
pub(crate) mod privileged;
pub(crate) mod restore_test;
pub(crate) mod review;
pub(crate) mod role_change;
pub(crate) mod second_factor;
pub(crate) mod setting;
pub(crate) mod token;
pub(crate) mod verification;
