//! What the evidence costs.

#![expect(clippy::print_stdout, reason = "a table is what a bench is for")]

mod line;
mod pass;

fn main() {
    pass::measure();
}
