//! Whose a data directory is: a file in it that is locked, and says by whom.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use flow_file::COLLECTOR_LOCK;

use crate::spool::SpoolError;

/// A locked directory.
#[derive(Debug)]
pub(crate) struct DirectoryLock(Mutex<File>);

impl DirectoryLock {
    /// The lock of a directory, once `take` has it.
    pub(crate) fn take(
        directory: &Path,
        take: impl FnOnce(&File) -> Result<(), TryLockError>,
    ) -> Result<DirectoryLock, SpoolError> {
        locked(directory, take).map(|file| DirectoryLock(Mutex::new(file)))
    }

    /// Makes sure that it is still that of the directory: where this was removed and made again, its lock is another file.
    pub(crate) fn hold(&self, directory: &Path, pid: u32) -> Result<(), SpoolError> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let path = directory.join(COLLECTOR_LOCK);
        let which = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        if path.symlink_metadata().ok().map(which) == file.metadata().ok().map(which) {
            return Ok(());
        }
        let mut taken = locked(directory, File::try_lock)?;
        let written = write_pid(&mut taken, pid);
        written.map_err(|source| SpoolError::Io { path, action: "write it", source })?;
        *file = taken;
        Ok(())
    }

    /// Says whose it is.
    pub(crate) fn set_pid(&mut self, pid: u32) -> io::Result<()> {
        write_pid(self.file(), pid)
    }

    /// The file that is locked.
    pub(crate) fn file(&mut self) -> &mut File {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

fn locked(
    directory: &Path,
    take: impl FnOnce(&File) -> Result<(), TryLockError>,
) -> Result<File, SpoolError> {
    let path = directory.join(COLLECTOR_LOCK);
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = match opened {
        Ok(file) => file,
        Err(source) => return Err(SpoolError::Io { path, action: "open it", source }),
    };
    match take(&file) {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            // A pid that cannot be read is not known.
            let _ = (&mut file).take(20).read_to_string(&mut pid);
            let directory = directory.to_owned();
            Err(SpoolError::Busy { directory, pid: pid.trim().parse().unwrap_or(0) })
        }
        Err(TryLockError::Error(source)) => Err(SpoolError::Io { path, action: "lock it", source }),
    }
}

fn write_pid(file: &mut File, pid: u32) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{pid}")
}
