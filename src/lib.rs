//! The server and the command line.

mod address;
pub mod event_log;
mod fail_point;
mod keyring;
mod sqlite_file;
