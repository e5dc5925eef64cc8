//! Time as the log and the API write it: UTC, RFC 3339, milliseconds, `Z`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Datelike as _, Months, NaiveDate, NaiveTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub const DAY: Duration = Duration::from_hours(24);

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    pub const EPOCH: Self = Self(0);

    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub fn millis(self) -> i64 {
        self.0
    }

    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The calendar quarter (UTC) that this is in, half-open.
    pub fn quarter(self) -> (Self, Self) {
        let date = DateTime::from_timestamp_millis(self.0).unwrap_or_default().date_naive();
        let first = |year: i32, quarter: u32| {
            let day = NaiveDate::from_ymd_opt(year, quarter * 3 + 1, 1).unwrap_or_default();
            Self(day.and_time(NaiveTime::MIN).and_utc().timestamp_millis())
        };
        let (year, quarter) = (date.year(), date.month0() / 3);
        let end = if quarter == 3 { first(year + 1, 0) } else { first(year, quarter + 1) };
        (first(year, quarter), end)
    }

    /// The day (UTC) that this is in, half-open.
    pub fn day(self) -> (Self, Self) {
        let midnight = Self(self.0.div_euclid(MILLIS_A_DAY).saturating_mul(MILLIS_A_DAY));
        (midnight, midnight.after(DAY))
    }

    /// The calendar month (UTC) that this is in, half-open.
    pub fn month(self) -> (Self, Self) {
        let date = DateTime::from_timestamp_millis(self.0).unwrap_or_default().date_naive();
        let first = date.with_day(1).unwrap_or(date);
        let next = first.checked_add_months(Months::new(1)).unwrap_or(first);
        let start =
            |day: NaiveDate| Self(day.and_time(NaiveTime::MIN).and_utc().timestamp_millis());
        (start(first), start(next))
    }

    /// How long it is until `later`; nothing when that has passed.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or_default())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, millis) = (self.0.div_euclid(MILLIS_A_DAY), self.0.rem_euclid(MILLIS_A_DAY));
        match four_digit_year(days) {
            Some((year, month, day)) => {
                let text = written(year, month, day, millis);
                f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?)
            }
            None => {
                let time = DateTime::<Utc>::from_timestamp_millis(self.0).ok_or(fmt::Error)?;
                f.write_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
            }
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The form in which times are written: each line has one, so it is read and written by hand.
const FORM: [u8; 24] = *b"0000-00-00T00:00:00.000Z";
/// Where the form has its numbers: year, month, day, hour, minute, second, millisecond.
const NUMBERS: [(usize, usize); 7] = [(0, 4), (5, 2), (8, 2), (11, 2), (14, 2), (17, 2), (20, 3)];
const MILLIS_A_DAY: i64 = 86_400_000;
/// From 0000-03-01, where 400 years of the calendar begin, to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;
const DAYS_IN_400_YEARS: i64 = 146_097;

/// Year, month and day of a day counted from 1970, unless its year has more than four digits.
/// Years are counted from March, so that a leap day comes last.
fn four_digit_year(days: i64) -> Option<(i64, i64, i64)> {
    let days = days.checked_add(DAYS_TO_1970)?;
    let (era, day_of_era) =
        (days.div_euclid(DAYS_IN_400_YEARS), days.rem_euclid(DAYS_IN_400_YEARS));
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (0..=9999).contains(&year).then_some((year, month, day))
}

/// The day, counted from 1970, that [`four_digit_year`] takes apart.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_IN_400_YEARS + day_of_era - DAYS_TO_1970
}

fn written(year: i64, month: i64, day: i64, millis: i64) -> [u8; 24] {
    let seconds = millis / 1000;
    let numbers =
        [year, month, day, seconds / 3600, seconds / 60 % 60, seconds % 60, millis % 1000];
    let mut text = FORM;
    for ((start, length), mut number) in NUMBERS.into_iter().zip(numbers) {
        for place in text[start..start + length].iter_mut().rev() {
            *place += u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
        }
    }
    text
}

/// `None` for any other form, and for a date that no calendar has.
fn read(text: &[u8; 24]) -> Option<Time> {
    let mut numbers = [0; 7];
    let mut rest = FORM;
    for ((start, length), number) in NUMBERS.into_iter().zip(&mut numbers) {
        for (place, kept) in text[start..start + length].iter().zip(&mut rest[start..]) {
            let digit = place.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            *number = *number * 10 + i64::from(digit);
            *kept = *place;
        }
    }
    let [year, month, day, hour, minute, second, milli] = numbers;
    let date = days(year, month, day);
    let sound = rest == *text && hour < 24 && minute < 60 && second < 60;
    if !sound || four_digit_year(date) != Some((year, month, day)) {
        return None;
    }
    Some(Time(date * MILLIS_A_DAY + ((hour * 60 + minute) * 60 + second) * 1000 + milli))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time is written as RFC 3339 says, like 2026-01-31T09:30:00Z")]
pub struct InvalidTime;

impl FromStr for Time {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        if let Some(time) = text.as_bytes().try_into().ok().and_then(read) {
            return Ok(time);
        }
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| InvalidTime)?;
        Ok(Self(time.timestamp_millis()))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::wire::parsed(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the calendar library reads.
    fn theirs(text: &str) -> Result<Time, InvalidTime> {
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| InvalidTime)?;
        Ok(Time(time.timestamp_millis()))
    }

    /// What looks like a time, with numbers that are often just out of place.
    fn looks_like_a_time() -> impl Strategy<Value = String> {
        let year = prop_oneof![0..=9999_u32, Just(1600), Just(1900), Just(2000), Just(2024)];
        let date = (year, 0..=13_u32, prop_oneof![0..=32_u32, 28..=31_u32]);
        let time = (0..=24_u32, 0..=60_u32, 0..=61_u32);
        let fraction = prop_oneof![3 => "[.][0-9]{3}", 1 => "([.][0-9]{0,12})?"];
        let offset = prop_oneof![3 => "Z", 2 => "[+-][0-2][0-9]:[0-6][0-9]", 1 => "z|[+-]00|"];
        let between = prop_oneof![4 => Just('T'), 1 => Just('t'), 1 => Just(' '), 1 => Just('_')];
        (date, between, time, fraction, offset).prop_map(
            |(date, between, time, fraction, offset)| {
                let ((year, month, day), (hour, minute, second)) = (date, time);
                format!(
                    "{year:04}-{month:02}-{day:02}{between}{hour:02}:{minute:02}:{second:02}\
                 {fraction}{offset}"
                )
            },
        )
    }

    /// Every time that the calendar library can write.
    fn any_time() -> impl Strategy<Value = i64> {
        let first = DateTime::<Utc>::MIN_UTC.timestamp_millis();
        let last = DateTime::<Utc>::MAX_UTC.timestamp_millis();
        prop_oneof![first..=last, -62_167_219_200_000..=253_402_300_799_999_i64]
    }

    #[test]
    fn a_quarter_ends_where_the_next_begins() {
        let read = |text: &str| text.parse::<Time>().expect("a time");
        let quarter = |text: &str| {
            let (start, end) = read(text).quarter();
            (start.to_string(), end.to_string())
        };
        let fourth = ("2026-10-01T00:00:00.000Z".to_owned(), "2027-01-01T00:00:00.000Z".to_owned());
        assert_eq!(quarter("2026-11-22T17:00:00.000Z"), fourth);
        assert_eq!(quarter("2026-12-31T23:59:59.999Z"), fourth);
        assert_eq!(quarter("2027-01-01T00:00:00.000Z").0, fourth.1);
        assert_eq!(quarter("2028-02-29T12:00:00.000Z").1, "2028-04-01T00:00:00.000Z");
    }

    #[test]
    fn a_day_ends_where_the_next_begins() {
        let day = |text: &str| {
            let (start, end) = text.parse::<Time>().expect("a time").day();
            [start.to_string(), end.to_string()]
        };
        let last = ["2026-01-31T00:00:00.000Z", "2026-02-01T00:00:00.000Z"];
        assert_eq!(day("2026-01-31T00:00:00.000Z"), last);
        assert_eq!(day("2026-01-31T23:59:59.999Z"), last);
        let before = ["1969-12-31T00:00:00.000Z", "1970-01-01T00:00:00.000Z"];
        assert_eq!(day("1969-12-31T23:59:59.999Z"), before);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

        #[test]
        fn any_time_is_written_as_the_calendar_library_does(millis in any_time()) {
            let library = DateTime::<Utc>::from_timestamp_millis(millis).unwrap();
            let text = Time(millis).to_string();
            prop_assert_eq!(&text, &library.to_rfc3339_opts(SecondsFormat::Millis, true));
            if text.len() == FORM.len() {
                prop_assert_eq!(text.parse(), Ok(Time(millis)));
            }
        }

        #[test]
        fn what_looks_like_a_time_is_one_if_the_calendar_library_says_so(
            text in looks_like_a_time(),
        ) {
            prop_assert_eq!(text.parse::<Time>(), theirs(&text));
        }

        #[test]
        fn one_changed_character_makes_what_the_calendar_library_reads(
            (millis, place, other) in (any_time(), 0..FORM.len(), any::<char>()),
        ) {
            let mut text: Vec<char> = Time(millis).to_string().chars().collect();
            text[place] = other;
            let text: String = text.into_iter().collect();
            prop_assert_eq!(text.parse::<Time>(), theirs(&text));
        }
    }

    #[test]
    fn times_are_written_and_read_as_the_calendar_library_does() {
        // every 37 days and some odd milliseconds, from year 0 to 9999
        let (first, last) = (-62_167_219_200_000, 253_402_300_799_999);
        let step = 37 * MILLIS_A_DAY + 12_345_678;
        for millis in (first..=last).step_by(usize::try_from(step).unwrap()).chain([last, -1, 0]) {
            let theirs = DateTime::<Utc>::from_timestamp_millis(millis).unwrap();
            let theirs = theirs.to_rfc3339_opts(SecondsFormat::Millis, true);
            let time = Time::from_millis(millis);
            assert_eq!(time.to_string(), theirs);
            assert_eq!(theirs.parse(), Ok(time));
            assert_eq!(theirs.as_bytes().try_into().ok().and_then(read), Some(time));
        }
    }

    #[test]
    fn other_forms_of_rfc_3339_are_read_too() {
        let time = "2026-01-31T09:30:00Z".parse();
        assert_eq!(time, Ok(Time::from_millis(1_769_851_800_000)));
        assert_eq!("2026-01-31T10:30:00.0000+01:00".parse(), time);
        assert_eq!("2026-01-31t09:30:00.000z".parse(), time);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "2026-02-29T09:30:00.000Z",
            "2026-13-01T09:30:00.000Z",
            "2026-00-01T09:30:00.000Z",
            "2026-01-31T24:00:00.000Z",
            "2026-01-31T09:60:00.000Z",
            "2026-01-31T09:30:00,000Z",
            "2026-01-31T09:30:00.00:Z",
            "",
        ] {
            assert_eq!(text.parse::<Time>(), Err(InvalidTime), "{text}");
        }
    }

    #[test]
    fn years_beyond_four_digits_are_left_to_the_calendar_library() {
        assert_eq!(
            Time::from_millis(253_402_300_800_000).to_string(),
            "+10000-01-01T00:00:00.000Z"
        );
    }
}
