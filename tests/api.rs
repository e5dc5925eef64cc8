//! What the HTTP interface promises, as a caller sees it. Mirrors `src/http`.

mod account;
mod as_of;
mod audit_log;
mod audit_search;
mod clock;
mod conditional;
mod deletion;
mod denied_attempts;
mod document;
mod envelope;
mod idempotency;
mod mail;
mod membership;
mod organization;
mod password;
mod privacy;
mod process;
mod rate_limit;
mod reference;
mod reference_pages;
mod registration;
mod session;
mod setting;
mod thin_path;
mod transfer;
