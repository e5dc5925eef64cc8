//! How much processor time a process has taken, as Linux counts it; nothing elsewhere.

use std::time::Duration;

/// Of all its threads, in and for the program.
pub(crate) fn time_of(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // behind the name, which may hold spaces: utime and stime, in hundredths of a second
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    Duration::from_millis(ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10)
}
