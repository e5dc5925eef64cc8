//! What the HTTP interface promises, as a caller sees it. Mirrors `src/http`.

mod account;
mod audit_log;
mod audit_search;
mod conditional;
mod deletion;
mod document;
mod envelope;
mod idempotency;
mod membership;
mod organization;
mod privacy;
mod process;
mod reference;
mod reference_pages;
mod registration;
mod setting;
mod thin_path;
mod transfer;
