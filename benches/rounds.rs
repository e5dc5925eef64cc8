//! Interleaved rounds of a raw reference and of ours, and the table line that comes of them.
//!
//! Machines are shared and rates move, so a ratio is taken within each round, and the median of
//! those ratios is what counts.

#![expect(clippy::print_stdout, reason = "a table is what a bench is for")]

use std::time::Duration;

const ROUNDS: usize = 5;

/// How long one round of one side should take.
pub(crate) fn length() -> Duration {
    let asked = std::env::var("CHANCERY_BENCH_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs_f64(asked.unwrap_or(1.0))
}

pub(crate) fn say(text: &str) {
    println!("{text}");
}

pub(crate) fn title(text: &str) {
    println!("\n{text}");
    println!("{:46} {:>10} {:>10} {:>6}  {:5}", "", "raw /s", "ours /s", "ratio", "goal");
}

/// Runs the rounds and prints their line. Each round does the same prepared work twice; what is
/// counted, and how long it took, the sides say themselves as a rate.
pub(crate) fn compare<W: Clone>(
    name: &str,
    goal: Option<f64>,
    mut prepare: impl FnMut() -> W,
    mut raw: impl FnMut(W) -> f64,
    mut ours: impl FnMut(W) -> f64,
) {
    let mut rates = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let work = prepare();
        let (raw, ours) = (raw(work.clone()), ours(work));
        rates.0.push(raw);
        rates.1.push(ours);
        rates.2.push(ours / raw);
    }
    let (raw, ours, ratio) = (median(rates.0), median(rates.1), median(rates.2));
    let verdict = match goal {
        Some(goal) if ratio >= goal => format!("{goal:.2}"),
        Some(goal) => format!("{goal:.2}  missed"),
        None => String::new(),
    };
    println!("{name:46} {raw:>10.0} {ours:>10.0} {ratio:>6.2}  {verdict}");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
