//! Deletes what a plan says.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::RetainError;
use crate::inventory::Inventory;
use crate::plan::Plan;

/// An empty directory that was found empty is left alone for so long: a collector may just have made it.
const EMPTY_GRACE: Duration = Duration::from_hours(1);

/// What has been deleted.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The files that are gone, by their places in the inventory.
    pub deleted: Vec<usize>,
    /// What they occupied on disk.
    pub freed_bytes: u64,
    /// What could not be deleted.
    pub problems: Vec<RetainError>,
    /// Whether the run was ended before the end of the plan.
    pub stopped: bool,
}

/// Deletes the files of a plan, and the sub-directories that are empty then.
///
/// `keep_going` is asked before every file. A file that is gone already counts as deleted; one that cannot be
/// deleted is reported and the rest goes on. Directories are removed only below one of `bases` and only when their
/// names start with a digit; one that was empty before only when it is not new at `now_s`.
pub fn execute(
    bases: &[&Path],
    inventory: &Inventory,
    plan: &Plan,
    now_s: i64,
    keep_going: &mut dyn FnMut() -> bool,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut directories = BTreeSet::new();
    for deletion in &plan.deletions {
        let Some(file) = inventory.files().get(deletion.index) else { continue };
        if !keep_going() {
            outcome.stopped = true;
            break;
        }
        match fs::remove_file(&file.path) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                outcome.problems.push(RetainError::Delete { path: file.path.clone(), source });
                continue;
            }
            _ => {}
        }
        outcome.deleted.push(deletion.index);
        outcome.freed_bytes += file.allocated_bytes;
        directories.extend(file.path.parent().map(Path::to_owned));
    }
    if !plan.deletions.is_empty() {
        directories.extend(inventory.empty_directories().iter().filter(|path| is_old(path, now_s)).cloned());
        directories.iter().rev().for_each(|directory| remove_empty(bases, directory));
    }
    outcome
}

/// Removes a directory and those above it as long as they are empty. That one is not is the usual case and
/// no error: the system refuses, and nothing is lost.
fn remove_empty(bases: &[&Path], directory: &Path) {
    let removable = |path: &&Path| {
        let name = path.file_name().map(OsStr::as_bytes);
        bases.iter().any(|base| path != base && path.starts_with(base))
            && name.and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit)
    };
    for path in directory.ancestors().take_while(removable) {
        if fs::remove_dir(path).is_err() {
            break;
        }
    }
}

fn is_old(path: &PathBuf, now_s: i64) -> bool {
    use std::os::unix::fs::MetadataExt;
    let grace_s = EMPTY_GRACE.as_secs().cast_signed();
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.mtime() < now_s.saturating_sub(grace_s))
}

#[cfg(test)]
mod tests {
    use std::fs::{File, create_dir_all, write};
    use std::time::SystemTime;

    use chrono::Utc;
    use tempfile::TempDir;

    use super::*;
    use crate::plan::{Deletion, Reason};

    const NOW_S: i64 = 1_700_000_000;

    fn tree(paths: &[&str]) -> TempDir {
        let base = TempDir::new().unwrap();
        for path in paths {
            let path = base.path().join(path);
            create_dir_all(path.parent().unwrap()).unwrap();
            write(path, [7; 1000]).unwrap();
        }
        base
    }

    fn delete_first(count: usize) -> Plan {
        let deletion = |index| Deletion { index, reason: Reason::Age };
        Plan { deletions: (0..count).map(deletion).collect(), kept: Vec::new() }
    }

    fn exists(base: &TempDir, path: &str) -> bool {
        base.path().join(path).exists()
    }

    #[test]
    fn deletes_files_and_the_directories_they_leave_empty() {
        let base = tree(&[
            "2023/11/13/nfcapd.202311130000",
            "2023/11/14/nfcapd.202311140000",
            "2023/11/14/nfcapd.202311140005",
            "2024/nfcapd.202311120000",
            "2024/foreign",
            "3/nfcapd.202311110000",
        ]);
        let inventory = Inventory::scan(base.path(), &Utc).unwrap();
        let outcome = execute(&[base.path()], &inventory, &delete_first(4), NOW_S, &mut || true);
        assert_eq!(outcome.deleted, [0, 1, 2, 3]);
        assert_eq!(outcome.freed_bytes, inventory.files()[..4].iter().map(|file| file.allocated_bytes).sum());
        assert!(outcome.problems.is_empty() && !outcome.stopped);
        for gone in ["2023/11/13", "2024/nfcapd.202311120000", "3", "2023/11/14/nfcapd.202311140000"] {
            assert!(!exists(&base, gone), "{gone}");
        }
        for kept in ["2023/11/14/nfcapd.202311140005", "2024/foreign"] {
            assert!(exists(&base, kept), "{kept}");
        }
    }

    #[test]
    fn the_base_stays_whatever_its_name() {
        let above = tree(&["2023/nfcapd.202311130000"]);
        let base = above.path().join("2023");
        let inventory = Inventory::scan(&base, &Utc).unwrap();
        execute(&[&base], &inventory, &delete_first(1), NOW_S, &mut || true);
        assert_eq!(fs::read_dir(&base).unwrap().count(), 0);
    }

    #[test]
    fn stops_when_told() {
        let base = tree(&["nfcapd.202311130000", "nfcapd.202311130005", "nfcapd.202311130010"]);
        let inventory = Inventory::scan(base.path(), &Utc).unwrap();
        let mut asked = 0;
        let outcome = execute(&[base.path()], &inventory, &delete_first(3), NOW_S, &mut || {
            asked += 1;
            asked <= 2
        });
        assert_eq!(outcome.deleted, [0, 1]);
        assert!(outcome.stopped && exists(&base, "nfcapd.202311130010"));
    }

    #[test]
    fn a_file_gone_meanwhile_is_no_problem_but_one_that_stays_is() {
        let base = tree(&["nfcapd.202311130000", "nfcapd.202311130005", "nfcapd.202311130010"]);
        let inventory = Inventory::scan(base.path(), &Utc).unwrap();
        fs::remove_file(base.path().join("nfcapd.202311130000")).unwrap();
        fs::remove_file(base.path().join("nfcapd.202311130005")).unwrap();
        create_dir_all(base.path().join("nfcapd.202311130005/x")).unwrap();
        let outcome = execute(&[base.path()], &inventory, &delete_first(3), NOW_S, &mut || true);
        assert_eq!(outcome.deleted, [0, 2]);
        let problems: Vec<String> = outcome.problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, [format!("deleting `{}`", base.path().join("nfcapd.202311130005").display())]);
    }

    #[test]
    fn old_empty_directories_go_and_new_ones_stay() {
        let base = tree(&["nfcapd.202311130000"]);
        for path in ["1/2", "3", "a"] {
            create_dir_all(base.path().join(path)).unwrap();
        }
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
        File::open(base.path().join("1/2")).unwrap().set_modified(long_ago).unwrap();
        let inventory = Inventory::scan(base.path(), &Utc).unwrap();
        execute(&[base.path()], &inventory, &Plan::default(), NOW_S, &mut || true);
        assert!(exists(&base, "1/2"));
        execute(&[base.path()], &inventory, &delete_first(1), NOW_S, &mut || true);
        assert!(!exists(&base, "1") && exists(&base, "3") && exists(&base, "a"));
    }
}
