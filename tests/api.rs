//! What the HTTP interface promises, as a caller sees it. Mirrors `src/http`.

mod account;
mod as_of;
mod audit_log;
mod audit_search;
mod clock;
mod conditional;
mod denied_attempts;
mod document;
mod envelope;
mod idempotency;
mod organization;
mod privacy;
mod process;
mod reference;
mod reference_pages;
mod registration;
mod thin_path;
