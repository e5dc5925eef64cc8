//! Spans of time as people write them: a whole number and a unit.

use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a duration is a whole number of s, m, h or d, like 90d")]
pub struct InvalidDuration;

/// A span as people write it: `30s`, `5m`, `1h`, `90d`.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let unit = text.chars().next_back().ok_or(InvalidDuration)?;
    let number = &text[..text.len() - unit.len_utf8()];
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(InvalidDuration),
    };
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(InvalidDuration);
    }
    let count: u64 = number.parse().map_err(|_| InvalidDuration)?;
    // nothing lasts longer than a log can be old
    let span = count.checked_mul(seconds).filter(|span| u32::try_from(*span).is_ok());
    span.filter(|span| *span > 0).map(Duration::from_secs).ok_or(InvalidDuration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let seconds = |text| parse(text).ok().map(|span| span.as_secs());
        let read = ["30s", "5m", "1h", "90d"].map(seconds);
        assert_eq!(read, [Some(30), Some(300), Some(3600), Some(7_776_000)]);
        for odd in [
            "",
            "s",
            "1",
            "-1d",
            "+1d",
            "1.5h",
            "1w",
            "0s",
            "1 d",
            "1d ",
            "99999999999999999999d",
            "1\u{b5}",
        ] {
            assert_eq!(parse(odd), Err(InvalidDuration), "{odd}");
        }
    }
}
