//! Everything that is tested from outside, in one binary: one link, shared fixtures.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod administrator;
mod api;
mod architecture;
mod attacks;
mod auditor;
mod crash;
mod cut_off;
mod cuts;
mod dice;
mod erasure;
mod event_log;
mod invitations;
mod line;
mod listener;
mod log_verification;
mod mailbox;
mod naive_fold;
mod nodes;
mod operations;
mod oracle;
mod orders;
mod owners;
mod people;
mod permissions;
mod postgres;
mod proxy;
mod read_models;
mod replay;
mod rights;
mod rounds;
mod server;
mod strangers;
mod third_party;
mod used;
mod versions;
mod written;
