//! Regulation (EU) 2022/2554: whom it concerns is declared, major incidents are reported in time, and
//! the retention of the audit log. The rest is asked as for SOC 2.

pub(crate) mod report;
pub(crate) mod retention;
pub(crate) mod role;
