//! What it costs that the log proves itself: to append, to verify, to make a packet of it and to prove
//! one of its entries. `-- ledger`, `-- pass` or `-- packet` measures one of them.

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

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let runtime = Runtime::new().expect("a runtime starts");
    let named: Vec<String> =
        std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let is_wanted = |name: &str| named.is_empty() || named.iter().any(|named| named == name);
    if is_wanted("ledger") {
        ledger::measure(&runtime);
    }
    if is_wanted("pass") {
        pass::measure();
    }
    if is_wanted("packet") {
        packet::measure(&runtime);
    }
}
