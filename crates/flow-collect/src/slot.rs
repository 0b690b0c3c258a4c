//! When files begin and end.

use flow_file::slot_start_s;

/// After this long past a slot's end without a datagram, the file is finished all the same.
const GRACE_MS: u64 = 1000;

/// How often a run may go back to an earlier slot. Each time costs a merge with a file that exists already: a
/// clock that is set back does so a few times, a capture with shuffled time stamps with every packet.
const MAX_STEPS_BACK: u32 = 64;

/// Which slot we are in, by the times of the datagrams. Times are ms since 1970.
#[derive(Debug)]
pub(crate) struct Slots {
    interval_s: u32,
    start_ms: Option<u64>,
    steps_back: u32,
}

impl Slots {
    pub(crate) fn new(interval_s: u32) -> Slots {
        Slots { interval_s: interval_s.max(1), start_ms: None, steps_back: 0 }
    }

    /// Where the current slot starts; `None` before the first one.
    pub(crate) fn start_ms(&self) -> Option<u64> {
        self.start_ms
    }

    /// Where it ends.
    pub(crate) fn end_ms(&self) -> Option<u64> {
        self.start_ms.map(|start_ms| start_ms.saturating_add(self.interval_ms()))
    }

    /// When a timer ends it.
    pub(crate) fn deadline_ms(&self) -> Option<u64> {
        self.end_ms().map(|end_ms| end_ms.saturating_add(GRACE_MS))
    }

    /// Whether a datagram of this time belongs to another slot than the current one.
    ///
    /// Datagrams that are late by less than a slot stay in the current one: a capture is not always in order,
    /// and clocks are corrected.
    pub(crate) fn is_elsewhere(&self, time_ms: u64) -> bool {
        let (Some(start_ms), Some(end_ms)) = (self.start_ms, self.end_ms()) else { return true };
        let goes_back = time_ms.saturating_add(self.interval_ms()) < start_ms;
        time_ms >= end_ms || (goes_back && self.steps_back < MAX_STEPS_BACK)
    }

    /// Whether the current slot is to be ended by the clock: its time is over, or the clock was set back.
    pub(crate) fn is_overdue(&self, now_ms: u64) -> bool {
        let (Some(start_ms), Some(deadline_ms)) = (self.start_ms, self.deadline_ms()) else { return false };
        now_ms >= deadline_ms || (now_ms < start_ms && self.is_elsewhere(now_ms))
    }

    /// Enters the slot of this time.
    pub(crate) fn enter(&mut self, time_ms: u64) {
        let start_ms = self.start_of(time_ms);
        if self.start_ms.is_some_and(|current_ms| start_ms < current_ms) {
            self.steps_back += 1;
        }
        self.start_ms = Some(start_ms);
    }

    /// The start of the slot in which a time lies.
    pub(crate) fn start_of(&self, time_ms: u64) -> u64 {
        let time_s = i64::try_from(time_ms / 1000).unwrap_or(i64::MAX);
        slot_start_s(time_s, self.interval_s).unsigned_abs().saturating_mul(1000)
    }

    fn interval_ms(&self) -> u64 {
        u64::from(self.interval_s) * 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_aligned_and_end_on_time() {
        let mut slots = Slots::new(300);
        assert!(slots.is_elsewhere(0));
        assert_eq!(slots.deadline_ms(), None);
        slots.enter(1_700_000_123_456);
        assert_eq!(slots.start_ms(), Some(1_700_000_100_000));
        assert_eq!(slots.end_ms(), Some(1_700_000_400_000));
        assert_eq!(slots.deadline_ms(), Some(1_700_000_401_000));
        assert!(!slots.is_elsewhere(1_700_000_399_999));
        assert!(slots.is_elsewhere(1_700_000_400_000));
        assert!(!slots.is_overdue(1_700_000_400_999));
        assert!(slots.is_overdue(1_700_000_401_000));
        assert!(!slots.is_overdue(1_700_000_000_000), "set back a little");
        assert!(slots.is_overdue(1_600_000_000_000), "set back by years");
    }

    #[test]
    fn late_datagrams_stay_and_large_steps_back_are_followed_a_few_times() {
        let mut slots = Slots::new(300);
        slots.enter(1_700_000_123_456);
        assert!(!slots.is_elsewhere(1_700_000_099_999));
        assert!(!slots.is_elsewhere(1_699_999_800_000));
        assert!(slots.is_elsewhere(1_699_999_799_999));
        for _ in 0..MAX_STEPS_BACK {
            assert!(slots.is_elsewhere(1_600_000_000_000));
            slots.enter(1_600_000_000_000);
            assert!(slots.is_elsewhere(1_700_000_000_000));
            slots.enter(1_700_000_000_000);
        }
        assert!(!slots.is_elsewhere(1_600_000_000_000));
        assert!(slots.is_elsewhere(1_800_000_000_000));
    }

    #[test]
    fn no_time_overflows() {
        for interval_s in [0, 1, 300, u32::MAX] {
            let mut slots = Slots::new(interval_s);
            for time_ms in [0, 1, u64::MAX, u64::MAX - 1] {
                slots.is_elsewhere(time_ms);
                slots.enter(time_ms);
                assert!(slots.end_ms() > slots.start_ms());
            }
        }
    }
}
