//! How often a test breaks something: fifty times, or as `CHANCERY_TEST_ROUNDS` says.

use std::ops::Range;

pub(crate) fn rounds() -> Range<usize> {
    let rounds = std::env::var("CHANCERY_TEST_ROUNDS").ok();
    0..rounds.map_or(50, |text| text.parse().expect("CHANCERY_TEST_ROUNDS is a number"))
}
