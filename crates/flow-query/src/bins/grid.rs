//! Where bins begin, in the calendar of a zone.

use super::timeline::Timeline;
use std::fmt;

/// How bins are laid over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Seconds of a bin.
    pub width: u64,
    /// Where bins begin.
    pub alignment: Alignment,
}

/// Where bins begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alignment {
    /// Where the clock on the wall shows a multiple of the width: bins of an hour at full hours, of a day at midnight, of a
    /// week on Mondays. When clocks are changed, a bin may be longer or shorter by that; of an hour that comes twice both
    /// have bins, unless bins are longer than what is repeated.
    #[default]
    Clock,
    /// At the start of what is asked about, each as long as the others.
    Start,
}

/// Why time cannot be cut into such bins.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GridError {
    /// There would be too many.
    #[error("bins of {} make {bins}, more than {most}; bins of {} would do", Width(*.width), Width(*.would_do))]
    TooMany {
        /// Seconds of a bin.
        width: u64,
        /// How many bins there would be, about.
        bins: u64,
        /// How many are possible.
        most: usize,
        /// The seconds of bins that would do.
        would_do: u64,
    },
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

/// Widths that people count in.
const USUAL: [u64; 22] = [
    1,
    2,
    5,
    10,
    15,
    30,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    4 * HOUR,
    6 * HOUR,
    8 * HOUR,
    12 * HOUR,
    DAY,
    WEEK,
    4 * WEEK,
];

/// The first day of 1970 was a Thursday; Monday came four days later.
const MONDAY: i64 = 4 * DAY.cast_signed();

impl Grid {
    /// As many bins there may be: a year of five minutes.
    pub const MOST_BINS: usize = 1 << 17;

    /// The bins from `first_ms` to `last_ms`. `offset_at` tells how many seconds the zone is east of Greenwich at a time in
    /// seconds since 1970.
    ///
    /// # Errors
    /// When there would be too many.
    pub fn timeline(
        &self,
        first_ms: u64,
        last_ms: u64,
        offset_at: impl Fn(i64) -> i32,
    ) -> Result<Timeline, GridError> {
        let width = self.width.clamp(1, WIDEST);
        let last_ms = last_ms.max(first_ms.saturating_add(1)).min(LAST_MS);
        let first_ms = first_ms.min(last_ms - 1);
        let bins = (last_ms - first_ms) / 1_000 / width;
        let most = Grid::MOST_BINS;
        let too_many = || {
            let enough = |width: &u64| (last_ms - first_ms) / 1_000 / width < most as u64 / 2;
            let would_do = USUAL.into_iter().find(enough).unwrap_or((last_ms - first_ms) / 1_000);
            GridError::TooMany { width, bins, most, would_do }
        };
        if bins >= most as u64 {
            return Err(too_many());
        }
        let edges = match self.alignment {
            Alignment::Start => {
                let bins = (last_ms - first_ms).div_ceil(width * 1_000);
                (0..=bins).map(|edge| first_ms + edge * width * 1_000).collect()
            }
            Alignment::Clock => by_clock(width.cast_signed(), first_ms, last_ms, &offset_at),
        };
        if edges.len() > most + 1 {
            return Err(too_many());
        }
        Ok(Timeline::new(edges).unwrap_or_else(|| unreachable!("edges ascend, and there are two")))
    }
}

/// No bin is longer: some 30,000 years.
const WIDEST: u64 = 1 << 40;

/// No bin ends behind this: far beyond all calendars, and far from where numbers end.
const LAST_MS: u64 = 1 << 62;

fn by_clock(width: i64, first_ms: u64, last_ms: u64, offset_at: &impl Fn(i64) -> i32) -> Vec<u64> {
    let phase = if width % WEEK.cast_signed() == 0 { MONDAY } else { 0 };
    let offset = |at: i64| i64::from(offset_at(at));
    let first = (first_ms / 1_000).cast_signed();
    // Begin before any change of the clocks that the first bin may have seen.
    let mut edge = first - width - BEFORE;
    let mut edges = Vec::new();
    loop {
        let next = next_edge(edge, width, phase, &offset);
        if next > first {
            if edges.is_empty() {
                edges.push(edge.max(0) as u64 * 1_000);
            }
            edges.push(next as u64 * 1_000);
            if next as u64 * 1_000 >= last_ms {
                return edges;
            }
        }
        edge = next;
    }
}

/// Clocks are changed by less than this.
const BEFORE: i64 = 3 * HOUR.cast_signed();

/// The first edge behind a time.
fn next_edge(after: i64, width: i64, phase: i64, offset: &impl Fn(i64) -> i64) -> i64 {
    let before = offset(after);
    let local = ((after + before - phase).div_euclid(width) + 1) * width + phase;
    let next = local - before;
    let then = offset(next);
    if (then - before) % width == 0 {
        return next;
    }
    let changed = local - then;
    if changed > after && offset(changed) == then {
        return changed;
    }
    // The clocks skip that time: the bin begins when they are put forward.
    let (mut low, mut high) = (after.max(changed), next);
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if offset(middle) == then { high = middle } else { low = middle }
    }
    high
}

/// A width in the largest unit that leaves no rest.
struct Width(u64);

impl fmt::Display for Width {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(WEEK, "w"), (DAY, "d"), (HOUR, "h"), (MINUTE, "m")];
        let unit = units.into_iter().find(|(unit, _)| self.0 > 0 && self.0.is_multiple_of(*unit));
        let (unit, name) = unit.unwrap_or((1, "s"));
        write!(f, "{}{name}", self.0 / unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-29 01:00 UTC, when clocks in Berlin went from 02:00 to 03:00, and 2026-10-25 01:00 UTC, from 03:00 to 02:00.
    const SPRING: i64 = 1_774_746_000;
    const AUTUMN: i64 = 1_792_890_000;

    fn berlin(at: i64) -> i32 {
        if (SPRING..AUTUMN).contains(&at) { 7_200 } else { 3_600 }
    }

    fn hours(timeline: &Timeline) -> Vec<f64> {
        timeline.edges().windows(2).map(|edge| (edge[1] - edge[0]) as f64 / 3_600_000.0).collect()
    }

    fn bins(width: u64, first: i64, last: i64) -> Timeline {
        let grid = Grid { width, alignment: Alignment::Clock };
        grid.timeline(first as u64 * 1_000, last as u64 * 1_000, berlin).unwrap()
    }

    fn local(timeline: &Timeline, edge: usize) -> i64 {
        let at = (timeline.edges()[edge] / 1_000).cast_signed();
        (at + i64::from(berlin(at))).rem_euclid(86_400)
    }

    #[test]
    fn days_begin_at_midnight_and_may_have_23_or_25_hours() {
        let noon = 10 * 3_600;
        let days = bins(DAY, SPRING - 86_400 + noon, SPRING + 86_400 + noon);
        assert_eq!(hours(&days), [24.0, 23.0, 24.0]);
        assert!((0..=3).all(|edge| local(&days, edge) == 0));
        let days = bins(DAY, AUTUMN + noon, AUTUMN + noon + 1);
        assert_eq!(hours(&days), [25.0]);
        assert_eq!(hours(&bins(DAY, AUTUMN - 2 * 86_400, AUTUMN + 86_400)), [24.0, 24.0, 25.0, 24.0]);
        let quarters = bins(6 * HOUR, SPRING - 3_600, SPRING + 86_400);
        assert_eq!(hours(&quarters), [5.0, 6.0, 6.0, 6.0, 6.0]);
        assert_eq!(hours(&bins(6 * HOUR, AUTUMN - 1, AUTUMN + 8 * 3_600)), [7.0, 6.0]);
        assert_eq!(hours(&bins(2 * HOUR, SPRING - 7_000, SPRING + 7_000)), [2.0, 1.0, 2.0]);
        assert_eq!(hours(&bins(3 * HOUR, AUTUMN - 1, AUTUMN + 7_300)), [4.0, 3.0]);
    }

    #[test]
    fn short_bins_go_on_as_if_nothing_happened() {
        for change in [SPRING, AUTUMN] {
            for width in [HOUR, 5 * MINUTE, 30] {
                let timeline = bins(width, change - 7_200, change + 7_200);
                assert_eq!(timeline.bins() as u64, 14_400 / width);
                assert!(timeline.edges().windows(2).all(|edge| edge[1] - edge[0] == width * 1_000));
                assert!(timeline.edges().contains(&(change as u64 * 1_000)));
            }
        }
    }

    #[test]
    fn weeks_begin_on_mondays() {
        let weeks = bins(WEEK, AUTUMN, AUTUMN + 86_400);
        // AUTUMN is a Sunday, at 02:00 the second time.
        assert_eq!(hours(&weeks), [169.0, 168.0]);
        assert_eq!(weeks.edges()[1], (AUTUMN as u64 + 22 * 3_600) * 1_000);
    }

    #[test]
    fn a_midnight_that_is_skipped_is_when_clocks_are_put_forward() {
        // From 23:59:59 to 01:00.
        let offset = |at: i64| if at < 40 * 86_400 { 0 } else { 3_600 };
        let grid = Grid { width: DAY, alignment: Alignment::Clock };
        let day = 86_400_000;
        let days = grid.timeline(39 * day + 5, 41 * day, offset).unwrap();
        assert_eq!(days.edges(), [39 * day, 40 * day, 41 * day - 3_600_000, 42 * day - 3_600_000]);
    }

    #[test]
    fn bins_may_begin_where_the_question_does() {
        let grid = Grid { width: 100, alignment: Alignment::Start };
        let timeline = grid.timeline(5_500, 305_500, |_| 3_600).unwrap();
        assert_eq!(timeline.edges(), [5_500, 105_500, 205_500, 305_500]);
        assert_eq!(grid.timeline(5_500, 5_500, |_| 0).unwrap().edges(), [5_500, 105_500]);
        assert_eq!(grid.timeline(u64::MAX, u64::MAX, |_| 0).unwrap().bins(), 1);
    }

    #[test]
    fn too_many_bins_are_refused_with_a_width_that_would_do() {
        let grid = Grid { width: 1, alignment: Alignment::Clock };
        let month = 31 * 86_400_000;
        let error = grid.timeline(month, 2 * month, |_| 0).unwrap_err();
        assert_eq!(error.to_string(), "bins of 1s make 2678400, more than 131072; bins of 1m would do");
        let wide = Grid { width: 5 * MINUTE, ..grid };
        assert_eq!(wide.timeline(month, 13 * month, |_| 0).unwrap().bins(), 12 * 31 * 288);
        let error = wide.timeline(0, 1_800_000_000_000, |_| 0).unwrap_err();
        assert_eq!(error.to_string(), "bins of 5m make 6000000, more than 131072; bins of 8h would do");
        assert!(Grid { width: u64::MAX, ..grid }.timeline(0, u64::MAX, |_| 0).is_ok());
    }
}
