//! What does not fit into memory.
//!
//! A query has so much [`Memory`], of which each of its sinks gets a part. What grows with the input is collected in
//! [`Pile`]s, parts of the whole that may live in memory or in a file: groups by the hash of their keys, rows by their place
//! in the answer. What has to come in an order goes through a [`Sorter`], whose sorted runs may live in a file too. So all of
//! it costs one way to the disk and one back, however little memory there is, and the answer is the same.
//!
//! The files have no name: the system removes them when the program ends, however it ends.

mod pile;
mod sorter;

pub(crate) use pile::{Pile, Place, View};
pub(crate) use sorter::{Sorted, SortedCursor, Sorter};

use crate::QueryError;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How much memory something may take before it goes on in temporary files.
#[derive(Clone, Debug)]
pub struct Memory {
    octets: u64,
    /// Octets that went to files so far, in the whole query.
    spilled: Arc<AtomicU64>,
}

impl Memory {
    /// So many octets, or whatever there is.
    pub(crate) fn new(octets: Option<u64>) -> Memory {
        Memory { octets: octets.unwrap_or(u64::MAX), spilled: Arc::default() }
    }

    /// How many octets.
    pub(crate) fn octets(&self) -> usize {
        usize::try_from(self.octets).unwrap_or(usize::MAX)
    }

    /// `share` of `whole` equal parts of it.
    pub(crate) fn part(&self, share: u64, whole: u64) -> Memory {
        Memory {
            octets: (self.octets / whole.max(1)).saturating_mul(share),
            spilled: Arc::clone(&self.spilled),
        }
    }

    /// A temporary file for what is beyond.
    pub(crate) fn spill(&self) -> Spill {
        Spill { file: Mutex::default(), end: AtomicU64::new(0), spilled: Arc::clone(&self.spilled) }
    }

    /// Octets that went to files so far, in the whole query.
    pub(crate) fn spilled(&self) -> u64 {
        self.spilled.load(Ordering::Relaxed)
    }
}

/// A temporary file that has no name, made when it is first written to.
#[derive(Debug)]
pub(crate) struct Spill {
    file: Mutex<Option<Arc<File>>>,
    end: AtomicU64,
    spilled: Arc<AtomicU64>,
}

impl Spill {
    /// Appends octets and says where they stand.
    ///
    /// # Errors
    /// When there is no directory for temporary files, or no room in it.
    pub(crate) fn append(&self, octets: &[u8]) -> Result<u64, QueryError> {
        let len = octets.len() as u64;
        let offset = self.end.fetch_add(len, Ordering::Relaxed);
        self.file().and_then(|file| file.write_all_at(octets, offset)).map_err(failed)?;
        self.spilled.fetch_add(len, Ordering::Relaxed);
        Ok(offset)
    }

    /// Reads octets that were appended.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), QueryError> {
        self.file().and_then(|file| file.read_exact_at(into, offset)).map_err(failed)
    }

    /// Whether nothing was ever appended.
    pub(crate) fn is_empty(&self) -> bool {
        self.end.load(Ordering::Relaxed) == 0
    }

    fn file(&self) -> io::Result<Arc<File>> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &*file {
            return Ok(Arc::clone(file));
        }
        let made = Arc::new(tempfile::tempfile_in(directory())?);
        *file = Some(Arc::clone(&made));
        Ok(made)
    }
}

/// `TMPDIR`, or the system's directory for temporary files.
fn directory() -> PathBuf {
    std::env::temp_dir()
}

fn failed(cause: io::Error) -> QueryError {
    QueryError::TemporaryFile { directory: directory(), cause }
}
