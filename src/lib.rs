//! The server and the command line.

pub mod event_log;
mod fail_point;
mod sqlite_file;
