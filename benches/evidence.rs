//! What it costs that the log proves itself: to append, to verify, to make a packet of it and to prove
//! one of its entries.

#![expect(clippy::print_stdout, reason = "a table is what a bench is for")]

use tokio::runtime::Runtime;

mod callers;
mod ledger;
mod line;
mod memory;
mod packet;
mod pass;
mod rounds;
mod server;

fn main() {
    let runtime = Runtime::new().expect("a runtime starts");
    ledger::measure(&runtime);
    pass::measure();
    packet::measure(&runtime);
}
