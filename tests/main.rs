//! Everything that is tested from outside, in one binary: one link, shared fixtures.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod api;
mod architecture;
mod crash;
mod event_log;
mod line;
mod nodes;
mod oracle;
mod people;
mod postgres;
mod proxy;
mod read_models;
mod rounds;
mod server;
mod written;
