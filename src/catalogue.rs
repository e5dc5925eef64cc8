//! What there is to choose from: regions and tiers of databases. Built in.

/// Codes of the regions, in the order in which they are shown.
pub(crate) const REGIONS: [&str; 6] = ["fsn1", "nbg1", "hel1", "ash", "hil", "sin"];

/// Tiers of databases, the smallest first.
pub(crate) const TIERS: [&str; 9] =
    ["free", "micro", "small", "medium", "large", "xl", "2xl", "4xl", "8xl"];
