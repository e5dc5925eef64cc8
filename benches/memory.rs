//! How much memory a process has taken, as Linux counts it; nothing elsewhere.

use std::fs;

/// From when on the most is counted.
pub(crate) struct Memory {
    process: u32,
    before: u64,
}

impl Memory {
    pub(crate) fn of(process: u32) -> Self {
        // 5: the most that was ever taken begins anew
        drop(fs::write(format!("/proc/{process}/clear_refs"), "5"));
        Self { process, before: kilobytes(process, "VmRSS:") }
    }

    /// In MB, at most at any time since.
    pub(crate) fn grown(&self) -> u64 {
        kilobytes(self.process, "VmHWM:").saturating_sub(self.before) / 1000
    }
}

fn kilobytes(process: u32, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
