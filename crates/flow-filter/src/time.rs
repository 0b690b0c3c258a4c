//! Times as filters spell them.

/// What a local time is in UTC: takes ms since 1970 of the clock on the wall, gives ms since 1970 UTC.
pub type LocalMs<'a> = &'a dyn Fn(i64) -> i64;

/// Reads ISO 8601 with `T` or a blank between date and time, down to milliseconds; what is left out is the lowest
/// value, and a year is the least. `Z` or `+hh:mm` at the end fixes the zone; otherwise `local_ms` knows it, and
/// without that it is UTC.
pub(crate) fn parse(text: &str, local_ms: Option<LocalMs<'_>>) -> Option<u64> {
    let (text, zone) = split_zone(text)?;
    let (date, time) = match text.find(['T', ' ']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let mut date = date.split('-');
    let year = digits(date.next()?, 4, 4)?;
    let month = date.next().map_or(Some(1), |month| digits(month, 1, 2))?;
    let day = date.next().map_or(Some(1), |day| digits(day, 1, 2))?;
    if date.next().is_some() || !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    let mut ms = days_since_1970(year, month, day) * 86_400_000;
    if let Some(time) = time {
        let (time, fraction) = match time.split_once('.') {
            Some((time, fraction)) => (time, fraction),
            None => (time, "0"),
        };
        let mut time = time.split(':');
        let hour = digits(time.next()?, 1, 2)?;
        let minute = time.next().map_or(Some(0), |minute| digits(minute, 1, 2))?;
        let second = time.next().map_or(Some(0), |second| digits(second, 1, 2))?;
        if time.next().is_some() || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let milli = digits(fraction, 1, 3)? * [100, 10, 1][fraction.len() - 1];
        ms += ((hour * 60 + minute) * 60 + second) * 1_000 + milli;
    }
    let utc = match (zone, local_ms) {
        (Some(offset_ms), _) => ms - offset_ms,
        (None, Some(local_ms)) => local_ms(ms),
        (None, None) => ms,
    };
    u64::try_from(utc).ok()
}

/// The text without its zone, and the zone's offset from UTC in ms.
fn split_zone(text: &str) -> Option<(&str, Option<i64>)> {
    if let Some(rest) = text.strip_suffix(['Z', 'z']) {
        return Some((rest, Some(0)));
    }
    let Some(time_at) = text.find(['T', ' ']) else {
        return Some((text, None));
    };
    let Some(at) = text[time_at..].find(['+', '-']).map(|at| time_at + at) else {
        return Some((text, None));
    };
    let (hours, minutes) = text[at + 1..].split_once(':')?;
    let offset = (digits(hours, 2, 2)? * 60 + digits(minutes, 2, 2)?) * 60_000;
    Some((&text[..at], Some(if text.as_bytes()[at] == b'-' { -offset } else { offset })))
}

fn digits(text: &str, least: usize, most: usize) -> Option<i64> {
    let fits = (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, which repeats every 146,097 days. The year is
/// counted from March, so that the leap day is its last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + year * 365 + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, ms) in [
            ("1970", 0),
            ("2023-11-14", 1_699_920_000_000),
            ("2023-11-14T22", 1_699_999_200_000),
            ("2023-11-14 22:13:20", 1_700_000_000_000),
            ("2023-11-14T22:13:20.5", 1_700_000_000_500),
            ("2023-11-14T22:13:20.123Z", 1_700_000_000_123),
            ("2023-11-14T23:13:20+01:00", 1_700_000_000_000),
            ("2023-11-14T21:13:20-01:00", 1_700_000_000_000),
            ("2024-02-29", 1_709_164_800_000),
            ("2000-03-01", 951_868_800_000),
        ] {
            assert_eq!(parse(text, None), Some(ms), "{text}");
        }
        for text in [
            "",
            "23",
            "2023/11/14",
            "2023-13",
            "2023-02-29",
            "2023-11-14T24",
            "2023-11-14T22:13:20.1234",
            "1969",
        ] {
            assert_eq!(parse(text, None), None, "{text}");
        }
        let hour_ahead = |ms| ms - 3_600_000;
        assert_eq!(parse("2023-11-14T23:13:20", Some(&hour_ahead)), Some(1_700_000_000_000));
        assert_eq!(parse("2023-11-14T22:13:20Z", Some(&hour_ahead)), Some(1_700_000_000_000));
    }
}
