//! The server and the command line.

mod address;
pub mod event_log;
mod fail_point;
mod keyring;
mod operational;
mod read_store;
mod sqlite_file;
