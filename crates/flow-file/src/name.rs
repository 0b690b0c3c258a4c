//! Names of the files in a data directory: slots, working files, sub-directories.
//!
//! A finished file is called `nfcapd.` and the local time at which its slot starts, `YYYYmmddHHMM`, or with
//! seconds when slots are shorter than a minute (nfcapd 1.6 and 1.7). The time zone is always an argument:
//! the binaries pass [`chrono::Local`], which reads `TZ` and `/etc/localtime` as nfdump does.
//!
//! Whatever else stands in a data directory while a collector works is called `nfcapd.current*` or has
//! `.stat` in its name; nfdump's own tools skip both.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use chrono::{
    DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike,
};

/// What the name of every finished file starts with, also when the flows came by sFlow.
pub const SLOT_PREFIX: &str = "nfcapd.";

/// What the names of files that are still being written, and of their companions, start with.
pub const WORKING_PREFIX: &str = "nfcapd.current";

/// The file that a collector of ours keeps locked in its directory; its process id stands in it.
pub const COLLECTOR_LOCK: &str = ".rcapd.stat";

/// Slots shorter than this many seconds have seconds in their names.
const SECONDS_BELOW: u32 = 60;

/// The name of a finished file: the local time at which its slot starts.
///
/// ```
/// use chrono::FixedOffset;
/// use flow_file::{SlotName, SubDir};
///
/// let zone = FixedOffset::east_opt(3600).unwrap();
/// let name = SlotName::new(1_700_000_100, 300, &zone).unwrap();
/// assert_eq!(name.to_string(), "nfcapd.202311142315");
/// assert_eq!(name.path(SubDir::Day).to_str(), Some("2023/11/14/nfcapd.202311142315"));
/// assert_eq!(SlotName::parse("nfcapd.202311142315").unwrap().start_s(&zone), 1_700_000_100);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlotName {
    local: NaiveDateTime,
    seconds: bool,
    /// Seconds east of Greenwich, when the name ends in `+hhmm` (nfcapd's `-Z`).
    offset_s: Option<i32>,
}

impl SlotName {
    /// The name of the slot that starts `start_s` seconds after 1970 UTC and lasts `interval_s` seconds.
    ///
    /// `None` for years before 1970 or after 9999, which have no name of this shape.
    pub fn new<Z: TimeZone>(start_s: i64, interval_s: u32, zone: &Z) -> Option<Self> {
        let local = DateTime::from_timestamp(start_s, 0)?.with_timezone(zone).naive_local();
        let seconds = interval_s < SECONDS_BELOW;
        // What the name does not show is not part of it, so that parsing gives an equal value.
        let local = if seconds { local } else { local.with_second(0)? };
        (1970..=9999).contains(&local.year()).then_some(SlotName { local, seconds, offset_s: None })
    }

    /// Like [`new`](Self::new), with the zone's offset behind the digits: `nfcapd.202311142215+0000`
    /// (nfcapd's `-Z`).
    pub fn with_offset<Z: TimeZone>(start_s: i64, interval_s: u32, zone: &Z) -> Option<Self> {
        let name = Self::new(start_s, interval_s, zone)?;
        let offset_s =
            DateTime::from_timestamp(start_s, 0)?.with_timezone(zone).offset().fix().local_minus_utc();
        // The suffix has minutes only; zones of former centuries had odd seconds.
        Some(SlotName { offset_s: Some(offset_s / 60 * 60), ..name })
    }

    /// Reads a file name (without directory): the prefix, 12 or 14 digits that are a date and a time, and
    /// perhaps `+hhmm` or `-hhmm`.
    pub fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(SLOT_PREFIX)?;
        let digits_len = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, suffix) = rest.split_at(digits_len);
        let seconds = match digits_len {
            12 => false,
            14 => true,
            _ => return None,
        };
        let number = |from: usize, to: usize| digits.get(from..to).and_then(|text| text.parse::<u32>().ok());
        let date = NaiveDate::from_ymd_opt(number(0, 4)?.cast_signed(), number(4, 6)?, number(6, 8)?)?;
        let second = if seconds { number(12, 14)? } else { 0 };
        let local = date.and_hms_opt(number(8, 10)?, number(10, 12)?, second)?;
        let offset_s = if suffix.is_empty() { None } else { Some(parse_offset(suffix)?) };
        (local.year() >= 1970).then_some(SlotName { local, seconds, offset_s })
    }

    /// When the slot starts, on the clock of the collector.
    pub fn local(&self) -> NaiveDateTime {
        self.local
    }

    /// When the slot starts, in seconds since 1970 UTC.
    ///
    /// `zone` is the one of the collector, and does not matter when the name carries an offset. In the hour
    /// that a clock repeats, the later of the two times, so that nothing looks older than it is; for a time
    /// that a clock skips, the time before the skip goes on.
    pub fn start_s<Z: TimeZone>(&self, zone: &Z) -> i64 {
        let as_utc_s = self.local.and_utc().timestamp();
        if let Some(offset_s) = self.offset_s {
            return as_utc_s - i64::from(offset_s);
        }
        match zone.from_local_datetime(&self.local) {
            LocalResult::Single(time) => time.timestamp(),
            // chrono does not always have them in order.
            LocalResult::Ambiguous(one, other) => one.timestamp().max(other.timestamp()),
            LocalResult::None => {
                let before = zone.offset_from_utc_datetime(&(self.local - TimeDelta::days(1)));
                as_utc_s - i64::from(before.fix().local_minus_utc())
            }
        }
    }

    /// The digits of the name: `202311142215`, or 14 of them.
    pub fn digits(&self) -> String {
        let format = if self.seconds { "%Y%m%d%H%M%S" } else { "%Y%m%d%H%M" };
        self.local.format(format).to_string()
    }

    /// Where the file belongs below the data directory: the layout's sub-directories and the name.
    pub fn path(&self, layout: SubDir) -> PathBuf {
        let mut path = layout.directory(&self.local);
        path.push(self.to_string());
        path
    }
}

impl fmt::Display for SlotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SLOT_PREFIX}{}", self.digits())?;
        if let Some(offset_s) = self.offset_s {
            let sign = if offset_s < 0 { '-' } else { '+' };
            let minutes = offset_s.abs() / 60;
            write!(f, "{sign}{:02}{:02}", minutes / 60, minutes % 60)?;
        }
        Ok(())
    }
}

/// How finished files are spread over sub-directories: nfcapd's `-S 0` to `-S 8`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SubDir {
    /// 0: none.
    #[default]
    Flat,
    /// 1: year, month, day.
    Day,
    /// 2: year, month, day, hour.
    DayHour,
    /// 3: year, week (its Mondays counted), day of the week (1 = Monday).
    Week,
    /// 4: as 3, and the hour.
    WeekHour,
    /// 5: year, day of the year.
    YearDay,
    /// 6: as 5, and the hour.
    YearDayHour,
    /// 7: the date in one word.
    IsoDate,
    /// 8: as 7, and the hour.
    IsoDateHour,
}

impl SubDir {
    /// Every layout, in the order of their numbers, which is also the order in which nfdump tries them.
    pub const ALL: [SubDir; 9] = [
        SubDir::Flat,
        SubDir::Day,
        SubDir::DayHour,
        SubDir::Week,
        SubDir::WeekHour,
        SubDir::YearDay,
        SubDir::YearDayHour,
        SubDir::IsoDate,
        SubDir::IsoDateHour,
    ];

    /// The layout with a number of `-S`.
    pub fn from_level(level: usize) -> Option<Self> {
        Self::ALL.get(level).copied()
    }

    /// The layout as strftime(3) writes it; empty for [`SubDir::Flat`].
    pub const fn format(self) -> &'static str {
        match self {
            SubDir::Flat => "",
            SubDir::Day => "%Y/%m/%d",
            SubDir::DayHour => "%Y/%m/%d/%H",
            SubDir::Week => "%Y/%W/%u",
            SubDir::WeekHour => "%Y/%W/%u/%H",
            SubDir::YearDay => "%Y/%j",
            SubDir::YearDayHour => "%Y/%j/%H",
            SubDir::IsoDate => "%F",
            SubDir::IsoDateHour => "%F/%H",
        }
    }

    /// The sub-directories for a local time, relative to the data directory.
    pub fn directory(self, local: &NaiveDateTime) -> PathBuf {
        PathBuf::from(local.format(self.format()).to_string())
    }

    /// How many sub-directories lie between the data directory and its files.
    pub fn depth(self) -> usize {
        match self.format() {
            "" => 0,
            format => format.split('/').count(),
        }
    }
}

/// The start of the slot in which a time lies. Slots are aligned to 1970 UTC, not to local time: with slots
/// of an hour in a zone half an hour off, they start at half past.
pub const fn slot_start_s(time_s: i64, interval_s: u32) -> i64 {
    let interval_s = if interval_s == 0 { 1 } else { interval_s as i64 };
    time_s - time_s.rem_euclid(interval_s)
}

/// The name of the file a collector is writing. `pid` is that of the process that writes.
pub fn working_name(pid: u32) -> String {
    format!("{WORKING_PREFIX}.{pid}")
}

/// The process that wrote a working file, when the name is exactly [`working_name`]'s. nfcapd 1.7.8 ends the
/// name in six random characters instead; all digits among them is possible and then taken for a pid.
pub fn working_pid(name: &str) -> Option<u32> {
    let digits = name.strip_prefix(WORKING_PREFIX)?.strip_prefix('.')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Whether a walk through a directory takes the regular file of this name. There is no need for the name to
/// start with `nfcapd.` (nfdump 1.7.1).
pub fn is_data_file(name: &OsStr) -> bool {
    let name = name.as_bytes();
    let contains = |part: &[u8]| name.windows(part.len()).any(|window| window == part);
    !name.starts_with(WORKING_PREFIX.as_bytes())
        && name != b".nfstat"
        && !contains(b".stat")
        && !contains(b".DS_Store")
        && !contains(b"pcap")
}

/// `+hhmm` or `-hhmm` as seconds.
fn parse_offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i32 = digits.parse().ok()?;
    let (hours, minutes) = (number / 100, number % 100);
    (hours <= 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use chrono::{FixedOffset, Utc};

    use super::*;

    fn east(seconds: i32) -> FixedOffset {
        FixedOffset::east_opt(seconds).unwrap()
    }

    /// A zone with one spring and one autumn change: +1 h between the two, whose local times are
    /// 2023-03-26 02:00 (skips an hour) and 2023-10-29 03:00 (repeats an hour), as in Berlin.
    #[derive(Clone, Copy, Debug)]
    struct Berlin;

    const SPRING_S: i64 = 1_679_792_400;
    const AUTUMN_S: i64 = 1_698_541_200;

    impl TimeZone for Berlin {
        type Offset = FixedOffset;

        fn from_offset(_: &FixedOffset) -> Self {
            Berlin
        }

        fn offset_from_local_date(&self, local: &NaiveDate) -> LocalResult<FixedOffset> {
            self.offset_from_local_datetime(&local.and_hms_opt(0, 0, 0).unwrap())
        }

        fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> LocalResult<FixedOffset> {
            let fits = |offset: i32| {
                let utc_s = local.and_utc().timestamp() - i64::from(offset);
                (Self::offset_at(utc_s).local_minus_utc() == offset).then(|| east(offset))
            };
            match (fits(7200), fits(3600)) {
                (Some(summer), Some(winter)) => LocalResult::Ambiguous(summer, winter),
                (Some(one), None) | (None, Some(one)) => LocalResult::Single(one),
                (None, None) => LocalResult::None,
            }
        }

        fn offset_from_utc_date(&self, utc: &NaiveDate) -> FixedOffset {
            self.offset_from_utc_datetime(&utc.and_hms_opt(0, 0, 0).unwrap())
        }

        fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> FixedOffset {
            Self::offset_at(utc.and_utc().timestamp())
        }
    }

    impl Berlin {
        fn offset_at(utc_s: i64) -> FixedOffset {
            east(if (SPRING_S..AUTUMN_S).contains(&utc_s) { 7200 } else { 3600 })
        }
    }

    #[test]
    fn names_a_slot_by_its_local_start() {
        let time_s = 1_700_000_100; // 2023-11-14 22:15:00 UTC
        let name =
            |interval_s, offset_s| SlotName::new(time_s, interval_s, &east(offset_s)).unwrap().to_string();
        assert_eq!(name(300, 0), "nfcapd.202311142215");
        assert_eq!(name(60, 0), "nfcapd.202311142215");
        assert_eq!(name(59, 0), "nfcapd.20231114221500");
        assert_eq!(name(300, 19_800), "nfcapd.202311150345");
        assert_eq!(name(300, -12_600), "nfcapd.202311141845");
    }

    #[test]
    fn appends_the_offset_on_request() {
        let name = |offset_s| SlotName::with_offset(1_700_000_100, 300, &east(offset_s)).unwrap().to_string();
        assert_eq!(name(0), "nfcapd.202311142215+0000");
        assert_eq!(name(19_800), "nfcapd.202311150345+0530");
        assert_eq!(name(-12_600), "nfcapd.202311141845-0330");
    }

    #[test]
    fn refuses_years_without_four_digits() {
        assert!(SlotName::new(-1, 300, &Utc).is_none());
        assert!(SlotName::new(253_402_300_800, 300, &Utc).is_none());
        assert!(SlotName::new(i64::MAX, 300, &Utc).is_none());
        assert!(SlotName::new(253_402_300_799, 300, &Utc).is_some());
    }

    #[test]
    fn reads_back_what_it_writes() {
        for zone in [east(0), east(19_800), east(-36_000)] {
            for interval_s in [5, 300] {
                for start_s in (1_600_000_000..1_800_000_000).step_by(7_654_320) {
                    let start_s = slot_start_s(start_s, interval_s);
                    let name = SlotName::new(start_s, interval_s, &zone).unwrap();
                    assert_eq!(SlotName::parse(&name.to_string()), Some(name));
                    assert_eq!(name.start_s(&zone), start_s);
                    let zoned = SlotName::with_offset(start_s, interval_s, &zone).unwrap();
                    assert_eq!(SlotName::parse(&zoned.to_string()), Some(zoned));
                    assert_eq!(zoned.start_s(&Utc), start_s);
                }
            }
        }
    }

    #[test]
    fn refuses_other_names() {
        for name in [
            "nfcapd.",
            "nfcapd.current.4711",
            "nfcapd.2023111422",
            "nfcapd.2023111422150",
            "nfcapd.202311142215x",
            "nfcapd.202311142215+00",
            "nfcapd.202311142215+0060",
            "nfcapd.202311142215+00:0",
            "nfcapd.202311142215 0000",
            "nfcapd.202311142215.zst",
            "nfcapd.202313142215",
            "nfcapd.202302292215",
            "nfcapd.202311142460",
            "nfcapd.196912312355",
            "nfcapd.+02311142215",
            "sfcapd.202311142215",
            "202311142215",
        ] {
            assert_eq!(SlotName::parse(name), None, "{name}");
        }
        assert!(SlotName::parse("nfcapd.202402292215").is_some());
    }

    #[test]
    fn a_repeated_hour_counts_as_the_later_one() {
        let start_s = |name: &str| SlotName::parse(name).unwrap().start_s(&Berlin);
        assert_eq!(start_s("nfcapd.202310290155"), AUTUMN_S - 3900);
        assert_eq!(start_s("nfcapd.202310290200"), AUTUMN_S);
        assert_eq!(start_s("nfcapd.202310290230"), AUTUMN_S + 1800);
        assert_eq!(start_s("nfcapd.202310290230+0200"), AUTUMN_S - 1800);
        assert_eq!(start_s("nfcapd.202310290300"), AUTUMN_S + 3600);
    }

    #[test]
    fn a_skipped_hour_continues_the_time_before() {
        let start_s = |name: &str| SlotName::parse(name).unwrap().start_s(&Berlin);
        assert_eq!(start_s("nfcapd.202303260155"), SPRING_S - 300);
        assert_eq!(start_s("nfcapd.202303260230"), SPRING_S + 1800);
        assert_eq!(start_s("nfcapd.202303260300"), SPRING_S);
    }

    #[test]
    fn aligns_slots_to_the_epoch() {
        assert_eq!(slot_start_s(1_700_000_123, 300), 1_700_000_100);
        assert_eq!(slot_start_s(1_700_000_100, 300), 1_700_000_100);
        assert_eq!(slot_start_s(1_700_000_099, 300), 1_699_999_800);
        assert_eq!(slot_start_s(1_700_000_123, 7), 1_700_000_123 - 1_700_000_123 % 7);
        assert_eq!(slot_start_s(-1, 300), -300);
        assert_eq!(slot_start_s(5, 0), 5);
        assert_eq!(slot_start_s(i64::MAX, u32::MAX), i64::MAX - i64::MAX % i64::from(u32::MAX));
    }

    #[test]
    fn spreads_files_over_the_nine_layouts() {
        // 2024-01-01 was a Monday; week numbers count Mondays from the first one on.
        let expected = [
            ("nfcapd.202401011305", "", "2024/01/01", "2024/01/01/13", "2024/01/1", "2024/01/1/13"),
            ("nfcapd.202312310005", "", "2023/12/31", "2023/12/31/00", "2023/52/7", "2023/52/7/00"),
            ("nfcapd.202301010005", "", "2023/01/01", "2023/01/01/00", "2023/00/7", "2023/00/7/00"),
        ];
        for (name, flat, day, day_hour, week, week_hour) in expected {
            let slot = SlotName::parse(name).unwrap();
            let directories = [flat, day, day_hour, week, week_hour];
            for (level, directory) in directories.iter().enumerate() {
                let layout = SubDir::from_level(level).unwrap();
                assert_eq!(slot.path(layout), PathBuf::from(directory).join(name));
            }
        }
        let slot = SlotName::parse("nfcapd.202403010905").unwrap();
        let rest: Vec<_> = (5..9).map(|level| slot.path(SubDir::from_level(level).unwrap())).collect();
        let expected = ["2024/061", "2024/061/09", "2024-03-01", "2024-03-01/09"];
        assert_eq!(rest, expected.map(|directory| PathBuf::from(directory).join("nfcapd.202403010905")));
        assert_eq!(SubDir::from_level(9), None);
        assert_eq!(SubDir::ALL.map(SubDir::depth), [0, 3, 4, 3, 4, 2, 3, 1, 2]);
    }

    #[test]
    fn walks_take_any_file_but_our_own_and_foreign_clutter() {
        for name in ["nfcapd.202311142215", "flows", "nfcapd.202311142215+0000", ".hidden", "nfcapd", "stat"]
        {
            assert!(is_data_file(OsStr::new(name)), "{name}");
        }
        for name in [
            ".nfstat",
            "nfcapd.current",
            "nfcapd.current.4711",
            "nfcapd.current.a8Xk2p",
            "exporters.stat",
            "x.stats.old",
            ".DS_Store",
            "dump.pcap",
            "pcap-2023",
        ] {
            assert!(!is_data_file(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn tells_who_wrote_a_working_file() {
        assert_eq!(working_name(4711), "nfcapd.current.4711");
        assert_eq!(working_pid("nfcapd.current.4711"), Some(4711));
        for name in ["nfcapd.current", "nfcapd.current.", "nfcapd.current.a8Xk2p", "nfcapd.current.4711.log"]
        {
            assert_eq!(working_pid(name), None, "{name}");
        }
    }
}
