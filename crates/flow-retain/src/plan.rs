//! Which files have to go.

use std::path::PathBuf;

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

/// A size limit of one sub-directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The directory; files below it, however deep, count.
    pub directory: PathBuf,
    /// The most bytes that they may occupy on disk; 0 = any number.
    pub max_bytes: u64,
}

/// Why a file has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The files of its sub-directory occupy too much.
    Quota,
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
    /// By reason, in the order of [`Reason`]; the oldest of each first.
    pub deletions: Vec<Deletion>,
    /// Those that would have to go, and are kept.
    pub kept: Vec<Deletion>,
}

/// Decides which of the `files`, oldest first, have to go at the time `now_s` (seconds since 1970 UTC).
///
/// nfexpire's rules: a limit acts once it is reached; then the oldest files go until what is left is within
/// the low-water mark, first by size, then by age. Whether the age is reached, the oldest of all files says,
/// which may have gone for the size. There is no file too young and no number of files too
/// small to be deleted.
///
/// Quotas come before, each by the same rule as the size. `is_kept` is asked, once, of every file that would have to go;
/// where it says yes, younger files go instead.
pub fn plan(
    files: &[StoredFile],
    limits: &Limits,
    quotas: &[Quota],
    now_s: i64,
    is_kept: &mut dyn FnMut(&StoredFile) -> bool,
) -> Plan {
    let mut planner = Planner { files, is_kept, fates: vec![Fate::Open; files.len()], plan: Plan::default() };
    for quota in quotas {
        let goal = limits.low_water(quota.max_bytes);
        planner.shrink(|file| file.path.starts_with(&quota.directory), quota.max_bytes, goal, Reason::Quota);
    }
    planner.shrink(|_| true, limits.max_bytes, limits.low_water(limits.max_bytes), Reason::Size);
    if limits.max_age_s > 0 {
        planner.age(now_s, limits.max_age_s, limits.low_water(limits.max_age_s));
    }
    planner.free(limits.missing_bytes);
    planner.plan
}

/// The age of a file in seconds; one from the future is not old.
pub(crate) fn age_s(file: &StoredFile, now_s: i64) -> u64 {
    u64::try_from(now_s.saturating_sub(file.start_s)).unwrap_or(0)
}

/// What becomes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    Goes,
    IsKept,
}

struct Planner<'a> {
    files: &'a [StoredFile],
    is_kept: &'a mut dyn FnMut(&StoredFile) -> bool,
    fates: Vec<Fate>,
    plan: Plan,
}

impl Planner<'_> {
    /// Says that a file has to go, unless that was said before; gives whether it does now.
    fn take(&mut self, index: usize, reason: Reason) -> bool {
        if self.fates[index] != Fate::Open {
            return false;
        }
        let is_kept = (self.is_kept)(&self.files[index]);
        let (fate, list) = if is_kept {
            (Fate::IsKept, &mut self.plan.kept)
        } else {
            (Fate::Goes, &mut self.plan.deletions)
        };
        self.fates[index] = fate;
        list.push(Deletion { index, reason });
        !is_kept
    }

    /// Brings files that occupy `limit` or more down to `goal`.
    fn shrink(&mut self, counts: impl Fn(&StoredFile) -> bool, limit: u64, goal: u64, reason: Reason) {
        let files = self.files;
        let counted: Vec<usize> = (0..files.len())
            .filter(|&index| self.fates[index] != Fate::Goes && counts(&files[index]))
            .collect();
        let mut occupied: u64 = counted.iter().map(|&index| files[index].allocated_bytes).sum();
        if limit == 0 || occupied < limit {
            return;
        }
        for index in counted {
            if occupied <= goal {
                break;
            }
            if self.take(index, reason) {
                occupied -= files[index].allocated_bytes;
            }
        }
    }

    /// Takes what is older than `goal_s`, if anything that is not kept has reached `limit_s`.
    fn age(&mut self, now_s: i64, limit_s: u64, goal_s: u64) {
        let files = self.files;
        let too_old = files.iter().take_while(|file| age_s(file, now_s) >= limit_s).count();
        if (0..too_old).any(|index| self.fates[index] == Fate::Goes || self.take(index, Reason::Age)) {
            let beyond_goal = files.iter().take_while(|file| age_s(file, now_s) > goal_s).count();
            for index in 0..beyond_goal {
                self.take(index, Reason::Age);
            }
        }
    }

    /// Takes the oldest until all that go give back so much.
    fn free(&mut self, missing_bytes: u64) {
        let files = self.files;
        let bytes = |deletion: &Deletion| files[deletion.index].allocated_bytes;
        let mut freed: u64 = self.plan.deletions.iter().map(bytes).sum();
        for (index, file) in files.iter().enumerate() {
            if freed >= missing_bytes {
                break;
            }
            if self.take(index, Reason::Space) {
                freed += file.allocated_bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Deletion, Limits, Plan, Quota, Reason, StoredFile, age_s};

    const HOUR_S: i64 = 3600;

    /// Without quotas, and nothing is kept.
    fn plan(files: &[StoredFile], limits: &Limits, now_s: i64) -> Plan {
        super::plan(files, limits, &[], now_s, &mut |_| false)
    }

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

    /// Files in two sub-directories, of 1 to 9 blocks and any age up to three days, oldest first.
    fn mixed() -> impl Strategy<Value = Vec<StoredFile>> {
        let file = (0..2_usize, 0..72 * HOUR_S, 1..10_u64).prop_map(|(source, age_s, blocks)| StoredFile {
            path: format!("/flows/{source}/{age_s}").into(),
            start_s: NOW_S - age_s,
            allocated_bytes: blocks * 4096,
        });
        prop::collection::vec(file, 0..60).prop_map(|mut files| {
            files.sort_by_key(|file| file.start_s);
            files
        })
    }

    fn limits() -> impl Strategy<Value = Limits> {
        let some = |most: u64| prop_oneof![Just(0), 1..most];
        (some(1 << 20), some(96 * 3600), some(1 << 20), 0..=100_u8).prop_map(
            |(max_bytes, max_age_s, missing_bytes, low_water_percent)| Limits {
                max_bytes,
                max_age_s,
                missing_bytes,
                low_water_percent,
            },
        )
    }

    const NOW_S: i64 = 1_700_000_000;

    fn quotas(max_bytes: u64) -> [Quota; 1] {
        [Quota { directory: "/flows/1".into(), max_bytes }]
    }

    fn bytes<'f>(files: impl IntoIterator<Item = &'f StoredFile>) -> u64 {
        files.into_iter().map(|file| file.allocated_bytes).sum()
    }

    proptest! {
        /// Whatever is asked: nothing that is kept goes, nothing goes twice, and every limit holds for what is left and not kept.
        #[test]
        fn limits_hold_and_what_is_kept_stays(
            files in mixed(),
            limits in limits(),
            quota in prop_oneof![Just(0), 1..1_u64 << 19],
            kept_age_s in 0..48 * 3600_u64,
        ) {
            let is_kept = |file: &StoredFile| age_s(file, NOW_S) < kept_age_s && file.allocated_bytes.is_multiple_of(8192);
            let mut asked = vec![0; files.len()];
            let plan = super::plan(&files, &limits, &quotas(quota), NOW_S, &mut |file| {
                let index = files.iter().position(|other| std::ptr::eq(other, file)).unwrap();
                asked[index] += 1;
                is_kept(file)
            });
            prop_assert!(asked.iter().all(|&times| times <= 1));
            let mut gone: Vec<usize> = plan.deletions.iter().map(|deletion| deletion.index).collect();
            prop_assert!(plan.deletions.is_sorted_by_key(|deletion| (deletion.reason, deletion.index)));
            gone.sort_unstable();
            prop_assert!(gone.is_sorted_by(|a, b| a < b));
            prop_assert!(gone.iter().all(|&index| !is_kept(&files[index])));
            prop_assert!(plan.kept.iter().all(|kept| is_kept(&files[kept.index])));

            let left = || files.iter().enumerate().filter(|(index, _)| !gone.contains(index)).map(|(_, file)| file);
            let movable = || left().filter(|file| !is_kept(file));
            if limits.max_bytes > 0 && bytes(left()) >= limits.max_bytes && limits.low_water_percent < 100 {
                prop_assert_eq!(movable().count(), 0);
            }
            if limits.max_age_s > 0 {
                prop_assert!(movable().all(|file| age_s(file, NOW_S) <= limits.max_age_s));
            }
            let freed: u64 = gone.iter().map(|&index| files[index].allocated_bytes).sum();
            if freed < limits.missing_bytes {
                prop_assert_eq!(movable().count(), 0);
            }
            let of_quota = |file: &&StoredFile| file.path.starts_with("/flows/1");
            if quota > 0 && bytes(left().filter(of_quota)) > quota {
                prop_assert_eq!(movable().filter(of_quota).count(), 0);
            }
        }

        /// No more goes than has to: each file that goes is the oldest that can, and without the last of them the limit would not hold.
        #[test]
        fn no_more_goes_than_has_to(files in mixed(), max_bytes in 1..1_u64 << 20, percent in 0..=100_u8) {
            let limits = Limits { max_bytes, max_age_s: 0, missing_bytes: 0, low_water_percent: percent };
            let goal = max_bytes * u64::from(percent) / 100;
            let of_quota: Vec<StoredFile> =
                files.iter().filter(|file| file.path.starts_with("/flows/1")).cloned().collect();
            for (counted, plan) in [
                (&files, plan(&files, &limits, NOW_S)),
                (&of_quota, super::plan(&files, &Limits { max_bytes: 0, ..limits }, &quotas(max_bytes), NOW_S, &mut |_| false)),
            ] {
                let count = plan.deletions.len();
                let gone: Vec<&StoredFile> = plan.deletions.iter().map(|deletion| &files[deletion.index]).collect();
                prop_assert_eq!(&gone, &counted[..count].iter().collect::<Vec<_>>());
                if count > 0 {
                    prop_assert!(bytes(counted) >= max_bytes && bytes(&counted[count - 1..]) > goal);
                } else {
                    prop_assert!(bytes(counted) < max_bytes || bytes(counted) <= goal);
                }
            }
        }

        /// Without quotas and without anything kept, a file goes only if all older ones do: nfexpire's way.
        #[test]
        fn without_exceptions_the_oldest_go(files in mixed(), limits in limits()) {
            let plan = plan(&files, &limits, NOW_S);
            let indices: Vec<usize> = plan.deletions.iter().map(|deletion| deletion.index).collect();
            prop_assert_eq!(indices, (0..plan.deletions.len()).collect::<Vec<_>>());
            prop_assert!(plan.kept.is_empty());
        }
    }

    #[test]
    fn a_kept_file_does_not_make_younger_ones_too_old() {
        let limits = Limits { max_bytes: 0, max_age_s: 5 * 3600, missing_bytes: 0, low_water_percent: 50 };
        let files = files(NOW_S, 600);
        let all_kept = super::plan(&files, &limits, &[], NOW_S, &mut |file| age_s(file, NOW_S) > 4 * 3600);
        assert_eq!((all_kept.deletions.len(), all_kept.kept.len()), (0, 5));
        let oldest_kept = super::plan(&files, &limits, &[], NOW_S, &mut |file| age_s(file, NOW_S) > 9 * 3600);
        assert_eq!((oldest_kept.deletions.len(), oldest_kept.kept.len()), (6, 1));
        assert_eq!(oldest_kept.kept, [Deletion { index: 0, reason: Reason::Age }]);
    }
}
