//! Times on the wire, and as ms since 1970 UTC.

/// Seconds from 1900, where NTP counts from, to 1970.
const NTP_TO_UNIX_S: u64 = 2_208_988_800;

/// The time of uptime stamp `stamp_ms` by a header that had `uptime_ms` at `unix_ms`.
///
/// Both counters are 32 bits of ms and wrap every 49.7 days. The distance modulo 2³² covers a wrap before
/// export and one inside the flow; a distance of 2³¹ or more means a stamp that is ahead of the header's
/// clock.
#[inline]
pub(crate) fn from_uptime(unix_ms: u64, uptime_ms: u32, stamp_ms: u32) -> u64 {
    let distance = uptime_ms.wrapping_sub(stamp_ms).cast_signed();
    unix_ms.saturating_add_signed(-i64::from(distance))
}

/// The time of uptime stamp `stamp_ms` of an exporter that started at `init_ms`, by a message of `export_ms`.
///
/// The counter may have wrapped since the start: of the possible times the one nearest to the export counts.
/// An exporter whose start lies further back than any runs did not know the date when it started, and is
/// taken at its word.
#[inline]
pub(crate) fn from_init(init_ms: u64, stamp_ms: u64, export_ms: u64) -> u64 {
    const PERIOD: u64 = 1 << 32;
    /// Ten years.
    const MOST_PERIODS: u64 = 74;
    let stamp = init_ms.saturating_add(stamp_ms);
    match export_ms.saturating_sub(stamp).saturating_add(PERIOD / 2) / PERIOD {
        periods @ 0..=MOST_PERIODS => stamp.saturating_add(periods * PERIOD),
        _ => stamp,
    }
}

/// The time of an NTP timestamp: seconds since 1900, then a fraction of 32 bits (RFC 7011 6.1.9 and 6.1.10).
/// Rounded down; 0, which no clock shows, stays 0.
#[inline]
pub(crate) fn from_ntp(stamp: u64) -> u64 {
    if stamp == 0 {
        return 0;
    }
    let seconds = stamp >> 32;
    // 32 bits of seconds overflow in 2036: what lies before 1970 belongs to the next era.
    let seconds = if seconds < NTP_TO_UNIX_S { seconds + (1 << 32) } else { seconds };
    (seconds - NTP_TO_UNIX_S) * 1000 + (((stamp & 0xffff_ffff) * 1000) >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    #[test]
    fn uptime_stamps_around_a_wrap() {
        assert_eq!(from_uptime(NOW, 5_000, 3_000), NOW - 2_000);
        assert_eq!(from_uptime(NOW, 1_000, u32::MAX - 999), NOW - 2_000);
        assert_eq!(from_uptime(NOW, 5_000, 7_000), NOW + 2_000);
        assert_eq!(from_uptime(NOW, u32::MAX, 999), NOW + 1_000);
        assert_eq!(from_uptime(100, 5_000, 3_000), 0);
    }

    #[test]
    fn stamps_since_the_start_of_the_exporter() {
        assert_eq!(from_init(NOW, 5_000, NOW + 6_000), NOW + 5_000);
        assert_eq!(from_init(NOW, 5_000, NOW + (1 << 32) + 6_000), NOW + (1 << 32) + 5_000);
        assert_eq!(from_init(NOW, 7_000, NOW + 6_000), NOW + 7_000);
        assert_eq!(from_init(u64::MAX, 7_000, NOW), u64::MAX);
        assert_eq!(from_init(1_000, 7_000, NOW), 8_000);
    }

    #[test]
    fn ntp_timestamps() {
        assert_eq!(from_ntp(NTP_TO_UNIX_S << 32), 0);
        assert_eq!(from_ntp(((NTP_TO_UNIX_S + 1) << 32) + (1 << 31)), 1_500);
        assert_eq!(from_ntp(u64::MAX), ((1 << 32) - 1 - NTP_TO_UNIX_S) * 1000 + 999);
        assert_eq!(from_ntp(0), 0);
        assert_eq!(from_ntp(1 << 32), ((1 << 32) + 1 - NTP_TO_UNIX_S) * 1000);
    }
}
