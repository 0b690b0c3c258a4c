//! An input as a file: some entries take a path.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

/// Where files are in memory, if the system has such a place.
const IN_MEMORY: &str = "/dev/shm";

thread_local! {
    static DIRECTORY: RefCell<Option<tempfile::TempDir>> = const { RefCell::new(None) };
}

/// Writes `input` to a file of this thread and gives its path, valid until the next call.
pub(crate) fn file(input: &[u8]) -> PathBuf {
    DIRECTORY.with_borrow_mut(|directory| {
        let directory = directory.get_or_insert_with(|| {
            let place = Path::new(IN_MEMORY);
            let made = if place.is_dir() { tempfile::tempdir_in(place) } else { tempfile::tempdir() };
            made.expect("a temporary directory")
        });
        let path = directory.path().join("input");
        fs::write(&path, input).expect("writing a temporary file");
        path
    })
}
