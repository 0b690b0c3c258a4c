//! Times in the local zone.

use crate::text::{clock, pair, triple};
use chrono::{DateTime, Local, Offset, TimeZone};
use std::fmt;
use std::sync::Arc;

/// The zone in which times are printed.
#[derive(Clone)]
pub struct Zone(Rule);

#[derive(Clone)]
enum Rule {
    Local,
    Fixed(i32),
    Rules(Arc<dyn Fn(i64) -> i32 + Send + Sync>),
}

impl Zone {
    /// The zone of this process: `TZ`, or the machine's.
    pub fn local() -> Zone {
        Zone(Rule::Local)
    }

    /// Coordinated universal time.
    pub fn utc() -> Zone {
        Zone::fixed(0)
    }

    /// A fixed offset, in seconds east of Greenwich.
    pub fn fixed(east_seconds: i32) -> Zone {
        Zone(Rule::Fixed(east_seconds))
    }

    /// A zone by its rules: the offset in seconds east of Greenwich at a time in seconds since 1970 UTC. It
    /// may change at quarters of an hour UTC only, which all zones of today observe.
    pub fn by_rules(offset_at: impl Fn(i64) -> i32 + Send + Sync + 'static) -> Zone {
        Zone(Rule::Rules(Arc::new(offset_at)))
    }

    /// `YYYY-MM-DD HH:MM:SS` of a time in milliseconds since 1970.
    pub fn text(&self, unix_ms: u64) -> String {
        let mut out = Vec::with_capacity(19);
        TimeWriter::new(self).seconds(&mut out, unix_ms, b' ');
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The offset from UTC at `unix_seconds`, in seconds east of Greenwich.
    pub fn offset_at(&self, unix_seconds: i64) -> i32 {
        match &self.0 {
            Rule::Fixed(east) => *east,
            Rule::Rules(offset_at) => offset_at(unix_seconds),
            Rule::Local => {
                let within_calendar = unix_seconds.clamp(0, END_OF_YEAR_9999);
                let utc = DateTime::from_timestamp(within_calendar, 0).unwrap_or_default().naive_utc();
                Local.offset_from_utc_datetime(&utc).fix().local_minus_utc()
            }
        }
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::Local => f.write_str("Zone::local()"),
            Rule::Fixed(east) => write!(f, "Zone::fixed({east})"),
            Rule::Rules(_) => f.write_str("Zone::by_rules(..)"),
        }
    }
}

/// Zones change their offset at quarters of an hour only (Lord Howe and Chatham are the closest).
const WINDOW_SECONDS: i64 = 900;

/// Windows remembered: 16 hours of flows.
const WINDOWS: i64 = 64;

const SECONDS_PER_DAY: i64 = 86_400;

/// Seconds since 1970: exporters may claim any time, calendars end.
const END_OF_YEAR_9999: i64 = 253_402_300_799;

/// Days remembered: flows of two days around midnight, and when they were received.
const DAYS: i64 = 8;

/// Prints times and remembers offsets and dates, so that most rows cost neither a zone lookup nor a calendar.
pub(crate) struct TimeWriter<'a> {
    zone: &'a Zone,
    /// Per slot, a window since 1970 and its offset.
    offsets: [(i64, i32); WINDOWS as usize],
    /// Per slot, a local day since 1970 and its `YYYY-MM-DD`.
    dates: [(i64, [u8; 10]); DAYS as usize],
}

static UTC: Zone = Zone(Rule::Fixed(0));

impl TimeWriter<'static> {
    /// One that prints UTC.
    pub(crate) fn utc() -> Self {
        TimeWriter::new(&UTC)
    }
}

impl<'a> TimeWriter<'a> {
    pub(crate) fn new(zone: &'a Zone) -> TimeWriter<'a> {
        TimeWriter {
            zone,
            offsets: [(i64::MIN, 0); WINDOWS as usize],
            dates: [(i64::MIN, [0; 10]); DAYS as usize],
        }
    }

    /// Appends `YYYY-MM-DD HH:MM:SS`, the whole seconds of a time in ms; `between` stands between date and
    /// clock.
    #[inline]
    pub(crate) fn seconds(&mut self, out: &mut Vec<u8>, unix_ms: u64, between: u8) {
        out.extend_from_slice(&self.text(unix_ms, between)[..19]);
    }

    /// Appends `YYYY-MM-DD HH:MM:SS.mmm`.
    #[inline]
    pub(crate) fn millis(&mut self, out: &mut Vec<u8>, unix_ms: u64, between: u8) {
        out.extend_from_slice(&self.text(unix_ms, between));
    }

    #[inline]
    fn text(&mut self, unix_ms: u64, between: u8) -> [u8; 23] {
        let unix_seconds = (unix_ms / 1_000).cast_signed();
        let local = unix_seconds + i64::from(self.offset(unix_seconds));
        let day = local.div_euclid(SECONDS_PER_DAY);
        let slot = &mut self.dates[day.rem_euclid(DAYS) as usize];
        if slot.0 != day {
            *slot = (day, date(day));
        }
        let [h1, h2, c1, m1, m2, c2, s1, s2] = clock(local.rem_euclid(SECONDS_PER_DAY) as u64);
        let [y1, y2, y3, y4, d1, n1, n2, d2, t1, t2] = slot.1;
        let [f1, f2, f3] = triple(unix_ms % 1_000);
        [y1, y2, y3, y4, d1, n1, n2, d2, t1, t2, between, h1, h2, c1, m1, m2, c2, s1, s2, b'.', f1, f2, f3]
    }

    #[inline]
    fn offset(&mut self, unix_seconds: i64) -> i32 {
        let window = unix_seconds.div_euclid(WINDOW_SECONDS);
        let slot = &mut self.offsets[window.rem_euclid(WINDOWS) as usize];
        if slot.0 != window {
            *slot = (window, self.zone.offset_at(unix_seconds));
        }
        slot.1
    }
}

/// `YYYY-MM-DD` of a day since 1970; of years beyond 9999 the last four digits.
fn date(day: i64) -> [u8; 10] {
    // The Gregorian calendar repeats every 146,097 days; years are counted from March, so that the leap day
    // ends one.
    let shifted = day + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = (era * 400 + year_of_era + i64::from(month <= 2)).rem_euclid(10_000) as u64;
    let ([y1, y2], [y3, y4]) = (pair(year / 100), pair(year % 100));
    let ([m1, m2], [d1, d2]) = (pair(month as u64), pair(day_of_month as u64));
    [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;

    fn text(zone: &Zone, unix_ms: u64) -> String {
        let mut out = Vec::new();
        TimeWriter::new(zone).millis(&mut out, unix_ms, b' ');
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dates_agree_with_the_calendar() {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        for day in (-1_000..80_000).step_by(7).chain([59, 60, 11_016, 11_017, 47_540, 47_541]) {
            let expected = epoch.checked_add_signed(chrono::TimeDelta::days(day)).unwrap().to_string();
            assert_eq!(std::str::from_utf8(&date(day)).unwrap(), expected);
        }
    }

    #[test]
    fn a_change_of_offset_is_seen_at_once() {
        // Central European time: an hour forward on 2023-03-26 at 01:00 UTC.
        let zone = Zone::by_rules(|at| if at < 1_679_792_400 { 3_600 } else { 7_200 });
        let mut out = Vec::new();
        let mut writer = TimeWriter::new(&zone);
        for unix_ms in [1_679_792_399_999, 1_679_792_400_000, 1_679_792_399_000] {
            writer.millis(&mut out, unix_ms, b' ');
            out.push(b'\n');
        }
        let expected = "2023-03-26 01:59:59.999\n2023-03-26 03:00:00.000\n2023-03-26 01:59:59.000\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn offsets_that_are_no_whole_hours_and_times_beyond_reason() {
        assert_eq!(text(&Zone::fixed(20_700), 1_700_000_000_123), "2023-11-15 03:58:20.123");
        assert_eq!(text(&Zone::fixed(-12_600), 0), "1969-12-31 20:30:00.000");
        assert_eq!(text(&Zone::utc(), 0), "1970-01-01 00:00:00.000");
        assert_eq!(text(&Zone::local(), u64::MAX).len(), 23);
    }
}
