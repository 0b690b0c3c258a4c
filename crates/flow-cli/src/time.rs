//! The time window of rdump's `-t`.

use std::fmt;
use std::str::FromStr;

use chrono::{LocalResult, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone};

/// A time window as typed: wall clock times, or seconds at one end of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeSpec {
    /// `START`: from here on.
    From(NaiveDateTime),
    /// `START-END`.
    Between(NaiveDateTime, NaiveDateTime),
    /// `+N`: the first N seconds of the data.
    First(u64),
    /// `-N`: the last N seconds of the data.
    Last(u64),
}

/// Why a text is no time window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// A time is not of the form `yyyy[/MM[/dd[.HH[:mm[:ss]]]]]`, or no such time exists.
    #[error("not a time: `{text}`, expected {expected}")]
    Malformed {
        /// The time that was given.
        text: String,
        /// Which part is wrong and how it should look.
        expected: TimePart,
    },
    /// The number behind `+` or `-` is not one.
    #[error("not a number of seconds: `{text}`")]
    Seconds {
        /// What was given.
        text: String,
    },
}

/// A part of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimePart {
    /// The year, with four digits.
    Year,
    /// `/` and the month, with two digits.
    Month,
    /// `/` and the day, with two digits, as the month has it.
    Day,
    /// `.` and the hour, with two digits.
    Hour,
    /// `:` and the minute, with two digits.
    Minute,
    /// `:` and the second, with two digits.
    Second,
    /// Nothing more.
    End,
}

impl TimeSpec {
    /// The window in ms since 1970 UTC, both ends included: a flow lies in it when it starts at or after
    /// the first and ends at or before the second value. An open end is [`u64::MAX`].
    ///
    /// `zone` is the one wall clock times are meant in. Of a time that occurs twice, the window takes what
    /// makes it longer; a time that is skipped counts on from the time before. `span_ms` is the first and
    /// last time of the selected files, and matters for `+N` and `-N` only; without it they take all.
    pub fn resolve<Z: TimeZone>(&self, zone: &Z, span_ms: Option<(u64, u64)>) -> (u64, u64) {
        let all = (0, u64::MAX);
        match *self {
            TimeSpec::From(start) => (unix_ms(start, zone, Fold::Earlier), u64::MAX),
            TimeSpec::Between(start, end) => {
                (unix_ms(start, zone, Fold::Earlier), unix_ms(end, zone, Fold::Later))
            }
            TimeSpec::First(seconds) => span_ms.map_or(all, |(first_ms, _)| {
                (first_ms, first_ms.saturating_add(seconds.saturating_mul(1000)))
            }),
            TimeSpec::Last(seconds) => span_ms
                .map_or(all, |(_, last_ms)| (last_ms.saturating_sub(seconds.saturating_mul(1000)), last_ms)),
        }
    }

    /// Whether [`resolve`](Self::resolve) has to know the span of the data.
    pub const fn needs_span(&self) -> bool {
        matches!(self, TimeSpec::First(_) | TimeSpec::Last(_))
    }
}

/// `START`, `START-END`, `+N` or `-N`; times as `yyyy[/MM[/dd[.HH[:mm[:ss]]]]]`, what is left out being the
/// lowest value, also in END.
impl FromStr for TimeSpec {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let seconds = |digits: &str| {
            let numeric = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = if numeric { digits.parse().ok() } else { None };
            number.ok_or_else(|| TimeError::Seconds { text: text.to_owned() })
        };
        if let Some(digits) = text.strip_prefix('+') {
            return seconds(digits).map(TimeSpec::First);
        }
        if let Some(digits) = text.strip_prefix('-') {
            return seconds(digits).map(TimeSpec::Last);
        }
        match text.split_once('-') {
            Some((start, end)) => Ok(TimeSpec::Between(parse_time(start)?, parse_time(end)?)),
            None => parse_time(text).map(TimeSpec::From),
        }
    }
}

impl fmt::Display for TimePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimePart::Year => "a year as `yyyy`, from 1970 on",
            TimePart::Month => "a month as `/MM`",
            TimePart::Day => "a day as `/dd`",
            TimePart::Hour => "an hour as `.HH`",
            TimePart::Minute => "a minute as `:mm`",
            TimePart::Second => "a second as `:ss`",
            TimePart::End => "nothing more",
        })
    }
}

/// Which of the two times that a repeated hour has.
#[derive(Clone, Copy)]
enum Fold {
    Earlier,
    Later,
}

fn unix_ms<Z: TimeZone>(local: NaiveDateTime, zone: &Z, fold: Fold) -> u64 {
    let seconds = match (zone.from_local_datetime(&local), fold) {
        (LocalResult::Single(time), _) => time.timestamp(),
        // chrono does not always have them in order.
        (LocalResult::Ambiguous(one, other), Fold::Earlier) => one.timestamp().min(other.timestamp()),
        (LocalResult::Ambiguous(one, other), Fold::Later) => one.timestamp().max(other.timestamp()),
        (LocalResult::None, _) => {
            let before = zone.offset_from_utc_datetime(&(local - TimeDelta::days(1)));
            local.and_utc().timestamp() - i64::from(before.fix().local_minus_utc())
        }
    };
    // The first day of 1970 begins before 0 in the east.
    u64::try_from(seconds).unwrap_or(0) * 1000
}

fn parse_time(text: &str) -> Result<NaiveDateTime, TimeError> {
    let error = |expected| TimeError::Malformed { text: text.to_owned(), expected };
    let mut rest = text;
    let year = take_digits(&mut rest, 4).filter(|year| *year >= 1970).ok_or_else(|| error(TimePart::Year))?;
    // Separator, part, lowest and highest value, in order; a part may be left out with all behind it.
    let parts = [
        ('/', TimePart::Month, 1, 12),
        ('/', TimePart::Day, 1, 31),
        ('.', TimePart::Hour, 0, 23),
        (':', TimePart::Minute, 0, 59),
        (':', TimePart::Second, 0, 59),
    ];
    let mut values = parts.map(|(_, _, lowest, _)| lowest);
    for (value, (separator, part, lowest, highest)) in values.iter_mut().zip(parts) {
        if rest.is_empty() {
            break;
        }
        rest = rest.strip_prefix(separator).ok_or_else(|| error(part))?;
        *value = take_digits(&mut rest, 2)
            .filter(|value| (lowest..=highest).contains(value))
            .ok_or_else(|| error(part))?;
    }
    if !rest.is_empty() {
        return Err(error(TimePart::End));
    }
    let [month, day, hour, minute, second] = values;
    NaiveDate::from_ymd_opt(year.cast_signed(), month, day)
        .and_then(|date| date.and_hms_opt(hour, minute, second))
        .ok_or_else(|| error(TimePart::Day))
}

/// Takes exactly so many digits off the front.
fn take_digits(rest: &mut &str, count: usize) -> Option<u32> {
    let (digits, behind) = rest.split_at_checked(count)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    *rest = behind;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use chrono::{FixedOffset, Utc};

    use super::*;

    /// 2023-11-14 22:00:00 UTC.
    const TEN_PM_MS: u64 = 1_699_999_200_000;

    fn window(text: &str) -> (u64, u64) {
        text.parse::<TimeSpec>().unwrap().resolve(&Utc, None)
    }

    fn error(text: &str) -> String {
        text.parse::<TimeSpec>().unwrap_err().to_string()
    }

    #[test]
    fn missing_parts_are_lowest_at_both_ends() {
        let day_ms = 86_400_000;
        assert_eq!(window("2023/11/14.22:00:00"), (TEN_PM_MS, u64::MAX));
        assert_eq!(window("2023/11/14.22"), (TEN_PM_MS, u64::MAX));
        assert_eq!(window("2023/11/14.22:10-2023/11/14.22:10"), (TEN_PM_MS + 600_000, TEN_PM_MS + 600_000));
        assert_eq!(window("2023/11/14-2023/11/15"), {
            let midnight_ms = TEN_PM_MS - 22 * 3_600_000;
            (midnight_ms, midnight_ms + day_ms)
        });
        assert_eq!(window("1970-1970/02"), (0, 31 * day_ms));
        assert_eq!(window("2023/11-2024"), (1_698_796_800_000, 1_704_067_200_000));
    }

    #[test]
    fn times_are_meant_in_the_zone() {
        let spec: TimeSpec = "2023/11/14.22-2023/11/14.23".parse().unwrap();
        let east = FixedOffset::east_opt(3600).unwrap();
        assert_eq!(spec.resolve(&east, None), (TEN_PM_MS - 3_600_000, TEN_PM_MS));
        let start: TimeSpec = "1970".parse().unwrap();
        assert_eq!(start.resolve(&east, None), (0, u64::MAX));
    }

    /// A zone in which every time occurs twice, an hour apart.
    #[derive(Clone, Copy, Debug)]
    struct Twice;

    impl TimeZone for Twice {
        type Offset = FixedOffset;

        fn from_offset(_: &FixedOffset) -> Self {
            Twice
        }

        fn offset_from_local_date(&self, _: &NaiveDate) -> LocalResult<FixedOffset> {
            self.offset_from_local_datetime(&NaiveDateTime::default())
        }

        fn offset_from_local_datetime(&self, _: &NaiveDateTime) -> LocalResult<FixedOffset> {
            LocalResult::Ambiguous(self.offset_from_utc_datetime(&NaiveDateTime::default()), summer())
        }

        fn offset_from_utc_date(&self, _: &NaiveDate) -> FixedOffset {
            self.offset_from_utc_datetime(&NaiveDateTime::default())
        }

        fn offset_from_utc_datetime(&self, _: &NaiveDateTime) -> FixedOffset {
            FixedOffset::east_opt(3600).unwrap()
        }
    }

    fn summer() -> FixedOffset {
        FixedOffset::east_opt(7200).unwrap()
    }

    #[test]
    fn a_repeated_time_makes_the_window_longer() {
        let spec: TimeSpec = "2023/11/14.22-2023/11/14.22".parse().unwrap();
        assert_eq!(spec.resolve(&Twice, None), (TEN_PM_MS - 7_200_000, TEN_PM_MS - 3_600_000));
    }

    #[test]
    fn relative_windows_count_from_the_ends_of_the_data() {
        let span_ms = Some((5_500, 99_900));
        let resolve = |text: &str| text.parse::<TimeSpec>().unwrap().resolve(&Utc, span_ms);
        assert_eq!(resolve("+60"), (5_500, 65_500));
        assert_eq!(resolve("-60"), (39_900, 99_900));
        assert_eq!(resolve("-600"), (0, 99_900));
        assert_eq!(resolve("+18446744073709551615"), (5_500, u64::MAX));
        assert_eq!(window("+60"), (0, u64::MAX));
        assert!("+60".parse::<TimeSpec>().unwrap().needs_span());
        assert!(!"2023".parse::<TimeSpec>().unwrap().needs_span());
    }

    #[test]
    fn malformed_times_name_the_part() {
        for (text, part) in [
            ("", "a year as `yyyy`, from 1970 on"),
            ("abcd", "a year as `yyyy`, from 1970 on"),
            ("23/11/14", "a year as `yyyy`, from 1970 on"),
            ("1969/12/31", "a year as `yyyy`, from 1970 on"),
            ("2023/1/14", "a month as `/MM`"),
            ("2023/13/14", "a month as `/MM`"),
            ("2023.11", "a month as `/MM`"),
            ("2023/11/32", "a day as `/dd`"),
            ("2023/02/29", "a day as `/dd`"),
            ("2023/11/14 22", "an hour as `.HH`"),
            ("2023/11/14T22:00:00", "an hour as `.HH`"),
            ("2023/11/14.24", "an hour as `.HH`"),
            ("2023/11/14.22:1", "a minute as `:mm`"),
            ("2023/11/14.22:10:60", "a second as `:ss`"),
            ("2023/11/14.22:10:+5", "a second as `:ss`"),
            ("2023/11/14.22:10:00.500", "nothing more"),
            ("2023/11/é", "a day as `/dd`"),
        ] {
            assert_eq!(error(text), format!("not a time: `{text}`, expected {part}"));
        }
        assert_eq!(error("2023/11/14-"), "not a time: ``, expected a year as `yyyy`, from 1970 on");
        assert_eq!(error("2023/11/14-2024-2025"), "not a time: `2024-2025`, expected a month as `/MM`");
        assert_eq!(error("+"), "not a number of seconds: `+`");
        assert_eq!(error("-5m"), "not a number of seconds: `-5m`");
        assert_eq!(error("++5"), "not a number of seconds: `++5`");
        assert_eq!(error("+99999999999999999999"), "not a number of seconds: `+99999999999999999999`");
    }
}
