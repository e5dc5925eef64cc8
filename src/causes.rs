//! An error with everything that caused it, in one line for the log of the program.

use std::error::Error;
use std::fmt::Write as _;

pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let _ = write!(text, ": {cause}");
        next = cause.source();
    }
    text
}
