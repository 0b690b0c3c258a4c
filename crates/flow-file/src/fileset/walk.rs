//! Walks through directories of flow files, in name order.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirEntry, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{SelectionWarning, cause_text};
use crate::name::is_data_file;

/// The part of a hierarchy between two paths, both included, component by component.
///
/// Only files at the very depth of the bounds are meant (nfdump 1.7.1 stops with an internal error when it
/// meets others).
pub(super) struct Bounds {
    /// Directories and file name of the first file, below the root of the walk.
    pub(super) first: Vec<OsString>,
    /// The same of the last one, which need not exist; as long as `first`.
    pub(super) last: Option<Vec<OsString>>,
}

impl Bounds {
    /// Which of `first` and `last` are the wrong way round, from the top: each entry a warning of nfdump's.
    pub(super) fn contradictions(&self) -> Vec<SelectionWarning> {
        let Some(last) = &self.last else { return Vec::new() };
        let wrong = |len: &usize| last[..*len] < self.first[..*len];
        let joined = |parts: &[OsString]| parts.iter().collect::<PathBuf>();
        let directories = self.first.len() - 1;
        let mut warnings: Vec<_> = (1..=directories)
            .filter(wrong)
            .map(|len| SelectionWarning::EntriesReversed {
                first: joined(&self.first[..len]),
                last: joined(&last[..len]),
            })
            .collect();
        if warnings.is_empty() && wrong(&self.first.len()) {
            warnings.push(SelectionWarning::FilesReversed {
                first: PathBuf::from(&self.first[directories]),
                last: PathBuf::from(&last[directories]),
            });
        }
        warnings
    }

    /// Whether a file of this path, or anything below a directory of this path, can lie between the bounds.
    fn admit(&self, path: &[OsString]) -> bool {
        let below_last = self.last.as_ref().is_none_or(|last| *path <= last[..path.len()]);
        below_last && *path >= self.first[..path.len()]
    }
}

/// Collects the files of one or more walks.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) files: Vec<PathBuf>,
    pub(super) warnings: Vec<SelectionWarning>,
}

impl Walk {
    /// All data files of a directory and its sub-directories, names of files and directories mixed.
    pub(super) fn everything(&mut self, root: &Path) {
        self.descend(root, &mut HashSet::new());
    }

    /// The data files between two bounds.
    pub(super) fn between(&mut self, root: &Path, bounds: &Bounds) {
        self.descend_between(root, &mut Vec::new(), bounds);
    }

    /// `ancestors` holds the directories from the root of the walk down to `directory`, by device and inode:
    /// symbolic links are followed, but not in circles.
    fn descend(&mut self, directory: &Path, ancestors: &mut HashSet<(u64, u64)>) {
        let Some(identity) = fs::metadata(directory).ok().as_ref().map(identity) else { return };
        if !ancestors.insert(identity) {
            return;
        }
        for entry in self.entries(directory) {
            match kind(&entry) {
                Kind::Directory => self.descend(&entry.path(), ancestors),
                Kind::File if is_data_file(&entry.file_name()) => self.files.push(entry.path()),
                Kind::File | Kind::Other => {}
            }
        }
        ancestors.remove(&identity);
    }

    /// `path` leads from the root of the walk to `directory`; the bounds end the descent.
    fn descend_between(&mut self, directory: &Path, path: &mut Vec<OsString>, bounds: &Bounds) {
        let at_files = path.len() + 1 == bounds.first.len();
        for entry in self.entries(directory) {
            path.push(entry.file_name());
            if bounds.admit(path) {
                match kind(&entry) {
                    Kind::Directory if !at_files => self.descend_between(&entry.path(), path, bounds),
                    Kind::File if at_files && is_data_file(&entry.file_name()) => {
                        self.files.push(entry.path());
                    }
                    _ => {}
                }
            }
            path.pop();
        }
    }

    /// The entries of a directory in byte order of their names.
    fn entries(&mut self, directory: &Path) -> Vec<DirEntry> {
        let mut entries = Vec::new();
        let listed = fs::read_dir(directory).and_then(|listing| {
            for entry in listing {
                entries.push(entry?);
            }
            Ok(())
        });
        if let Err(error) = listed {
            self.warnings
                .push(SelectionWarning::Unreadable { path: directory.to_owned(), cause: cause_text(&error) });
        }
        entries.sort_by_cached_key(DirEntry::file_name);
        entries
    }
}

/// What a file is on its device, whatever its path.
pub(super) fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// The components of a relative path.
pub(super) fn components(path: &Path) -> Vec<OsString> {
    path.iter().map(OsStr::to_owned).collect()
}

enum Kind {
    File,
    Directory,
    Other,
}

/// What an entry is, symbolic links followed. The directory itself usually tells, without another call.
fn kind(entry: &DirEntry) -> Kind {
    let file_type = match entry.file_type() {
        Ok(file_type) if file_type.is_symlink() => match fs::metadata(entry.path()) {
            Ok(metadata) => metadata.file_type(),
            Err(_) => return Kind::Other,
        },
        Ok(file_type) => file_type,
        Err(_) => return Kind::Other,
    };
    if file_type.is_file() {
        Kind::File
    } else if file_type.is_dir() {
        Kind::Directory
    } else {
        Kind::Other
    }
}
