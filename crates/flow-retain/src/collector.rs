//! Whether a collector works in a directory.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use flow_file::COLLECTOR_LOCK;

use crate::error::RetainError;

/// More octets than a process id has.
const MAX_PID_LEN: u64 = 20;

/// The process id of the collector of ours that has a directory now; 0 when it has not written it yet.
///
/// # Errors
/// When its lock cannot be looked at.
pub fn collector_pid(directory: &Path) -> Result<Option<u32>, RetainError> {
    let path = directory.join(COLLECTOR_LOCK);
    let failed = |source: io::Error| RetainError::CollectorLock { path: path.clone(), source };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(source) if source.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(source)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            file.take(MAX_PID_LEN).read_to_string(&mut pid).map_err(failed)?;
            Ok(Some(pid.trim().parse().unwrap_or(0)))
        }
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_locked_file_is_a_collector_and_one_that_was_left_is_not() {
        let directory = TempDir::new().unwrap();
        assert_eq!(collector_pid(directory.path()).unwrap(), None);
        let path = directory.path().join(COLLECTOR_LOCK);
        fs::write(&path, "4711\n").unwrap();
        assert_eq!(collector_pid(directory.path()).unwrap(), None);
        let lock = File::options().write(true).open(&path).unwrap();
        lock.lock().unwrap();
        assert_eq!(collector_pid(directory.path()).unwrap(), Some(4711));
    }
}
