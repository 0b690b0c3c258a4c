//! Temporary files that nobody else can put anything into.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A new directory, ours alone, that goes with everything in it when it is dropped.
#[derive(Debug)]
pub(crate) struct ScratchDir(PathBuf);

impl ScratchDir {
    /// Makes one where the system keeps temporary files.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn new() -> io::Result<ScratchDir> {
        let parent = std::env::temp_dir();
        let mut number = 0;
        loop {
            let directory = parent.join(format!("rdump.{}.{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&directory) {
                // One that a process of the same number left, or that somebody laid in the way.
                Err(error) if error.kind() == ErrorKind::AlreadyExists && number < MOST_TRIES => number += 1,
                result => return result.map(|()| ScratchDir(directory)),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchDir {
    /// What leads here matters more than what stays behind.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const MOST_TRIES: u32 = 100;
