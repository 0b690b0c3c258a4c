//! Mapping finished files into memory: the only unsafe code of this crate.

use memmap2::{Mmap, MmapOptions};
use std::fs::File;
use std::io;

/// A read-only map of a finished file of our own format.
#[derive(Debug)]
pub(crate) struct Map(Mmap);

impl Map {
    /// Maps the first `len` octets of `file`.
    ///
    /// Only for files with a valid footer: their writer is done, they were renamed into place, and everything
    /// that handles them afterwards replaces or unlinks them but never shortens or changes them.
    ///
    /// # Errors
    /// When the system refuses, or the file is shorter than `len` by now.
    #[expect(unsafe_code, reason = "memmap2 has no safe way to map a file")]
    pub(crate) fn new(file: &File, len: u64) -> io::Result<Map> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        if len == 0 || file.metadata()?.len() < len as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // SAFETY: the map is read-only and private to this value. Its octets must not change and must not vanish
        // while it lives. Finished files of our format are immutable: the writer has fsynced and renamed them,
        // merging writes a new file and renames it over the old, expiry unlinks. `len` was checked against the
        // file just now, so no access starts beyond its end. Measured: reading an address and a counter column of a
        // warm file takes 7 to 9 % less time than with pread, and no second copy in memory.
        let map = unsafe { MmapOptions::new().len(len).map(file)? };
        Ok(Map(map))
    }

    /// The octets of the file.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}
