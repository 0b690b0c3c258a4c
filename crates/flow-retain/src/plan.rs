//! Which files have to go.

use crate::inventory::StoredFile;

/// The limits of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes that files may occupy on disk; 0 = any number.
    pub max_bytes: u64,
    /// The greatest age of a file in seconds, from the start of its slot; 0 = any age.
    pub max_age_s: u64,
    /// How many bytes are missing on the file system; 0 = none.
    pub missing_bytes: u64,
    /// Once a limit of size or age is reached, files go until this percentage of it is left. Beyond 100 counts as 100.
    pub low_water_percent: u8,
}

impl Limits {
    /// What may remain of a limit that has been reached.
    fn low_water(&self, limit: u64) -> u64 {
        (u128::from(limit) * u128::from(self.low_water_percent.min(100)) / 100) as u64
    }
}

/// Why a file has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The files occupy too much.
    Size,
    /// It is too old.
    Age,
    /// The file system is too full.
    Space,
}

/// One file that has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Its place among the files planned for.
    pub index: usize,
    /// Why.
    pub reason: Reason,
}

/// The files that have to go, in the order in which to delete them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The oldest first, those for their size before those for their age, and those for others' use of the file system last.
    pub deletions: Vec<Deletion>,
}

/// Decides which of the `files`, oldest first, have to go at the time `now_s` (seconds since 1970 UTC).
///
/// nfexpire's rules: a limit acts once it is reached; then the oldest files go until what is left is within
/// the low-water mark, first by size, then by age. Whether the age is reached, the oldest of all files says,
/// which may have gone for the size. There is no file too young and no number of files too
/// small to be deleted.
pub fn plan(files: &[StoredFile], limits: &Limits, now_s: i64) -> Plan {
    let age_s = |file: &StoredFile| u64::try_from(now_s.saturating_sub(file.start_s)).unwrap_or(0);
    let mut deletions = Vec::new();
    let mut rest = files.iter().enumerate().peekable();

    let mut occupied: u64 = files.iter().map(|file| file.allocated_bytes).sum();
    if limits.max_bytes > 0 && occupied >= limits.max_bytes {
        let goal = limits.low_water(limits.max_bytes);
        while occupied > goal
            && let Some((index, file)) = rest.next()
        {
            occupied -= file.allocated_bytes;
            deletions.push(Deletion { index, reason: Reason::Size });
        }
    }

    if limits.max_age_s > 0 && files.first().is_some_and(|oldest| age_s(oldest) >= limits.max_age_s) {
        let goal = limits.low_water(limits.max_age_s);
        while let Some((index, _)) = rest.next_if(|(_, file)| age_s(file) > goal) {
            deletions.push(Deletion { index, reason: Reason::Age });
        }
    }

    let mut freed: u64 = deletions.iter().map(|deletion| files[deletion.index].allocated_bytes).sum();
    while freed < limits.missing_bytes
        && let Some((index, file)) = rest.next()
    {
        freed += file.allocated_bytes;
        deletions.push(Deletion { index, reason: Reason::Space });
    }
    Plan { deletions }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_S: i64 = 3600;

    /// Ten files of 4 KiB, one an hour, the newest as old as `newest_age_s`.
    fn files(now_s: i64, newest_age_s: i64) -> Vec<StoredFile> {
        (0..10)
            .rev()
            .map(|hours| StoredFile {
                path: format!("{hours}").into(),
                start_s: now_s - newest_age_s - hours * HOUR_S,
                allocated_bytes: 4096,
            })
            .collect()
    }

    fn left(max_bytes: u64, max_age_s: u64, low_water_percent: u8) -> usize {
        let now_s = 1_700_000_000;
        let plan = plan(
            &files(now_s, 600),
            &Limits { max_bytes, max_age_s, low_water_percent, missing_bytes: 0 },
            now_s,
        );
        let indices: Vec<usize> = plan.deletions.iter().map(|deletion| deletion.index).collect();
        assert_eq!(indices, (0..indices.len()).collect::<Vec<_>>(), "oldest first, without gaps");
        10 - indices.len()
    }

    #[test]
    fn without_limits_everything_stays() {
        assert_eq!(left(0, 0, 95), 10);
    }

    #[test]
    fn size_goes_down_to_the_low_water_mark() {
        // Each run against nfexpire 1.7.1.
        for (max_bytes, percent, expected) in [
            (40_960, 100, 10),
            (40_959, 100, 9),
            (40_960, 50, 5),
            (36_864, 100, 9),
            (36_864, 50, 4),
            (36_863, 50, 4),
            (36_000, 33, 2),
            (45_000, 50, 10),
            (30_000, 50, 3),
            (20_000, 5, 0),
            (1, 100, 0),
        ] {
            assert_eq!(left(max_bytes, 0, percent), expected, "-s {max_bytes} -w {percent}");
        }
        assert_eq!(left(20_000, 0, 200), 4);
        assert_eq!(left(u64::MAX, 0, 100), 10);
    }

    #[test]
    fn age_acts_once_the_oldest_file_is_too_old() {
        // Each run against nfexpire 1.7.1.
        assert_eq!(left(0, 12 * 3600, 50), 10);
        assert_eq!(left(0, 8 * 3600, 50), 4);
        assert_eq!(left(0, 5 * 3600, 100), 5);
        assert_eq!(left(0, 300, 100), 0);
        assert_eq!(left(0, u64::MAX, 100), 10);
    }

    #[test]
    fn an_age_that_is_reached_acts_but_a_mark_that_is_reached_does_not() {
        // As nfexpire 1.7.1 with names in seconds: 60 s old at -t 1M.
        let now_s = 1_700_000_000;
        let aged = |ages: &[i64], low_water_percent| {
            let file = |age: &i64| StoredFile {
                path: format!("{age}").into(),
                start_s: now_s - age,
                allocated_bytes: 4096,
            };
            let files: Vec<_> = ages.iter().map(file).collect();
            plan(&files, &Limits { max_bytes: 0, max_age_s: 60, low_water_percent, missing_bytes: 0 }, now_s)
                .deletions
                .len()
        };
        assert_eq!(aged(&[62, 61, 60, 59, 58, 0], 100), 2);
        assert_eq!(aged(&[60, 40, 0], 50), 2);
        assert_eq!(aged(&[59, 40, 0], 50), 0);
        assert_eq!(aged(&[61, 30, 0], 50), 1);
    }

    #[test]
    fn size_comes_before_age() {
        let now_s = 1_700_000_000;
        let limits =
            Limits { max_bytes: 32_768, max_age_s: 5 * 3600, low_water_percent: 100, missing_bytes: 0 };
        let reasons: Vec<Reason> = plan(&files(now_s, 600), &limits, now_s)
            .deletions
            .iter()
            .map(|deletion| deletion.reason)
            .collect();
        assert_eq!(reasons, [Reason::Size, Reason::Size, Reason::Age, Reason::Age, Reason::Age]);
    }

    #[test]
    fn an_age_that_was_reached_before_size_acted_acts() {
        // As nfexpire 1.7.1: size leaves files of less than 5 hours, and those over 2.5 hours go with the oldest.
        assert_eq!(left(20_480, 5 * 3600, 100), 5);
        assert_eq!(left(32_768, 5 * 3600, 50), 3);
        assert_eq!(left(32_768, 10 * 3600, 50), 4);
    }

    #[test]
    fn a_full_file_system_takes_what_is_missing_and_no_more() {
        let now_s = 1_700_000_000;
        let reasons = |max_age_s, missing_bytes| {
            let limits = Limits { max_bytes: 0, max_age_s, missing_bytes, low_water_percent: 100 };
            let plan = plan(&files(now_s, 600), &limits, now_s);
            let count = |reason| plan.deletions.iter().filter(|deletion| deletion.reason == reason).count();
            (count(Reason::Age), count(Reason::Space))
        };
        assert_eq!((reasons(0, 0), reasons(0, 1), reasons(0, 4097)), ((0, 0), (0, 1), (0, 2)));
        assert_eq!((reasons(5 * 3600, 4096), reasons(5 * 3600, 30_000)), ((5, 0), (5, 3)));
        assert_eq!(reasons(0, u64::MAX), (0, 10));
    }

    #[test]
    fn files_from_the_future_are_not_old() {
        let now_s = 1_700_000_000;
        let file = StoredFile { path: "x".into(), start_s: i64::MAX, allocated_bytes: 4096 };
        let limits = Limits { max_bytes: 0, max_age_s: 1, low_water_percent: 0, missing_bytes: 0 };
        assert_eq!(plan(std::slice::from_ref(&file), &limits, now_s), Plan::default());
        let ancient = StoredFile { start_s: i64::MIN, ..file };
        assert_eq!(plan(&[ancient], &limits, now_s).deletions.len(), 1);
    }
}
