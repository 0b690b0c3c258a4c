//! What a directory holds.

use std::fs::{self, DirEntry};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chrono::TimeZone;
use flow_file::SlotName;

use crate::error::RetainError;

/// A finished file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Where it is, the base directory included.
    pub path: PathBuf,
    /// When its slot starts, from its name: seconds since 1970 UTC.
    pub start_s: i64,
    /// What it occupies on disk, in whole blocks of 512 bytes: what deleting it gives back.
    pub allocated_bytes: u64,
}

/// The finished files below a directory.
#[derive(Debug, Default)]
pub struct Inventory {
    files: Vec<StoredFile>,
    empty_directories: Vec<PathBuf>,
    problems: Vec<RetainError>,
}

impl Inventory {
    /// Looks through a directory, and through its sub-directories whose names start with a digit.
    ///
    /// Counted are regular files called `nfcapd.` and 12 or 14 digits that are a time, perhaps with an offset
    /// behind (nfcapd's `-Z`). `zone` is the collector's. Symbolic links are not followed.
    ///
    /// # Errors
    /// When the directory itself cannot be listed. Below it, what cannot be read is left out and reported by
    /// [`problems`](Self::problems).
    pub fn scan<Z: TimeZone>(base: &Path, zone: &Z) -> Result<Self, RetainError> {
        let mut inventory = Inventory::default();
        for entry in list(base)? {
            inventory.take(&entry, zone);
        }
        inventory.sort();
        Ok(inventory)
    }

    /// Adds what another directory holds.
    pub(crate) fn merge(&mut self, mut other: Inventory) {
        self.files.append(&mut other.files);
        self.empty_directories.append(&mut other.empty_directories);
        self.problems.append(&mut other.problems);
        self.sort();
    }

    fn sort(&mut self) {
        self.files.sort_by(|a, b| (a.start_s, &a.path).cmp(&(b.start_s, &b.path)));
    }

    /// The files, oldest first, those of one time in order of their paths.
    pub fn files(&self) -> &[StoredFile] {
        &self.files
    }

    /// Sub-directories without any entry.
    pub fn empty_directories(&self) -> &[PathBuf] {
        &self.empty_directories
    }

    /// What could not be read.
    pub fn problems(&self) -> &[RetainError] {
        &self.problems
    }

    /// What all files occupy on disk.
    pub fn allocated_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.allocated_bytes).sum()
    }

    /// The times of the oldest and of the newest file.
    pub fn span_s(&self) -> Option<(i64, i64)> {
        Some((self.files.first()?.start_s, self.files.last()?.start_s))
    }

    /// Forgets files that are gone, by their indices.
    pub(crate) fn forget(&mut self, gone: &[usize]) {
        let mut is_gone = vec![false; self.files.len()];
        for &index in gone {
            is_gone[index] = true;
        }
        let mut flags = is_gone.into_iter();
        self.files.retain(|_| !flags.next().unwrap_or(false));
    }

    fn take<Z: TimeZone>(&mut self, entry: &DirEntry, zone: &Z) {
        let path = entry.path();
        // Of the entry itself, not of what a link leads to.
        let file_type = match entry.file_type() {
            Ok(file_type) => file_type,
            Err(source) => return self.problems.push(RetainError::Size { path, source }),
        };
        let name = entry.file_name();
        if file_type.is_dir() && name.as_bytes().first().is_some_and(u8::is_ascii_digit) {
            match list(&path) {
                Ok(entries) if entries.is_empty() => self.empty_directories.push(path),
                Ok(entries) => entries.iter().for_each(|entry| self.take(entry, zone)),
                Err(problem) => self.problems.push(problem),
            }
        } else if file_type.is_file()
            && let Some(slot) = name.to_str().and_then(SlotName::parse)
        {
            match entry.metadata() {
                Ok(metadata) => self.files.push(StoredFile {
                    path,
                    start_s: slot.start_s(zone),
                    allocated_bytes: metadata.blocks().saturating_mul(512),
                }),
                // Renamed or deleted since it was listed.
                Err(source) if source.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => self.problems.push(RetainError::Size { path, source }),
            }
        }
    }
}

pub(crate) fn list(directory: &Path) -> Result<Vec<DirEntry>, RetainError> {
    fs::read_dir(directory)
        .and_then(Iterator::collect)
        .map_err(|source| RetainError::List { path: directory.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir_all, write};
    use std::os::unix::fs::symlink;

    use chrono::{FixedOffset, Utc};
    use tempfile::TempDir;

    use super::*;

    fn tree(paths: &[&str]) -> TempDir {
        let base = TempDir::new().unwrap();
        for path in paths {
            let path = base.path().join(path);
            create_dir_all(path.parent().unwrap()).unwrap();
            write(path, [7; 1000]).unwrap();
        }
        base
    }

    fn names(base: &TempDir, inventory: &Inventory) -> Vec<String> {
        let name = |file: &StoredFile| file.path.strip_prefix(base).unwrap().to_str().unwrap().to_owned();
        inventory.files().iter().map(name).collect()
    }

    #[test]
    fn finds_finished_files_oldest_first() {
        let base = tree(&[
            "nfcapd.202311142215",
            "nfcapd.20231114221459",
            "2023/11/13/nfcapd.202311130000",
            "10-0-0-1/nfcapd.202311142215",
            "nfcapd.202311142300+0100",
        ]);
        let inventory = Inventory::scan(base.path(), &Utc).unwrap();
        assert_eq!(
            names(&base, &inventory),
            [
                "2023/11/13/nfcapd.202311130000",
                "nfcapd.202311142300+0100",
                "nfcapd.20231114221459",
                "10-0-0-1/nfcapd.202311142215",
                "nfcapd.202311142215",
            ]
        );
        assert_eq!(inventory.span_s(), Some((1_699_833_600, 1_700_000_100)));
        assert_eq!(inventory.files()[0].allocated_bytes % 512, 0);
        assert!(inventory.allocated_bytes() >= 5 * 1024);
        let east = Inventory::scan(base.path(), &FixedOffset::east_opt(3600).unwrap()).unwrap();
        assert_eq!(east.span_s(), Some((1_699_830_000, 1_699_999_200)));
    }

    #[test]
    fn leaves_everything_else_alone() {
        let base = tree(&[
            "nfcapd.current.4711",
            "nfcapd.current.4711.stat",
            ".nfstat",
            "nfcapd.202311142215.gz",
            "nfcapd.202399999999",
            "sfcapd.202311142215",
            "notes",
            "x/nfcapd.202311142215",
            ".2/nfcapd.202311142215",
        ]);
        let elsewhere = tree(&["nfcapd.202311142215"]);
        symlink(elsewhere.path(), base.path().join("2023")).unwrap();
        symlink(elsewhere.path().join("nfcapd.202311142215"), base.path().join("nfcapd.202001010000"))
            .unwrap();
        create_dir_all(base.path().join("nfcapd.202311142215")).unwrap();
        let inventory = Inventory::scan(base.path(), &Utc).unwrap();
        assert_eq!(inventory.files(), []);
        assert_eq!(inventory.span_s(), None);
        assert!(inventory.empty_directories().is_empty());
        assert!(inventory.problems().is_empty());
    }

    #[test]
    fn notes_empty_directories() {
        let base = tree(&["1/2/x"]);
        for path in ["1/3/4", "5", "a"] {
            create_dir_all(base.path().join(path)).unwrap();
        }
        let mut inventory = Inventory::scan(base.path(), &Utc).unwrap();
        inventory.empty_directories.sort();
        assert_eq!(inventory.empty_directories(), [base.path().join("1/3/4"), base.path().join("5")]);
    }

    #[test]
    fn a_missing_directory_is_an_error() {
        let base = TempDir::new().unwrap();
        let error = Inventory::scan(&base.path().join("x"), &Utc).unwrap_err();
        assert!(matches!(error, RetainError::List { path, .. } if path.ends_with("x")));
    }

    #[test]
    fn forgets_by_index() {
        let base = tree(&["nfcapd.202311142200", "nfcapd.202311142205", "nfcapd.202311142210"]);
        let mut inventory = Inventory::scan(base.path(), &Utc).unwrap();
        inventory.forget(&[2, 0]);
        assert_eq!(names(&base, &inventory), ["nfcapd.202311142205"]);
    }
}
