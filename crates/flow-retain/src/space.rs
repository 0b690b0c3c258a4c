//! Space on the file system, whoever uses it.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::error::RetainError;

/// How much has to stay free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MinFree {
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths of the file system, at most 100.
    Percent(u8),
}

impl MinFree {
    /// How many bytes are missing on the file system of a directory, of those that everybody may use.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn missing_bytes(self, directory: &Path) -> Result<u64, RetainError> {
        let space = statvfs(directory)
            .map_err(|errno| RetainError::Space { path: directory.to_owned(), source: errno.into() })?;
        let bytes = |blocks: u64| blocks.saturating_mul(space.fragment_size());
        Ok(self.missing(bytes(space.blocks()), bytes(space.blocks_available())))
    }

    fn missing(self, total: u64, available: u64) -> u64 {
        let goal = match self {
            MinFree::Bytes(bytes) => bytes,
            MinFree::Percent(percent) => (u128::from(total) * u128::from(percent.min(100)) / 100) as u64,
        };
        goal.saturating_sub(available)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing() {
        assert_eq!(MinFree::Percent(10).missing(1_000, 30), 70);
        assert_eq!(MinFree::Percent(10).missing(1_000, 100), 0);
        assert_eq!(MinFree::Bytes(50).missing(1_000, 30), 20);
        assert_eq!(MinFree::Percent(100).missing(u64::MAX, 1), u64::MAX - 1);
        assert_eq!(MinFree::Bytes(0).missing_bytes(Path::new("/")).unwrap(), 0);
        assert!(MinFree::Bytes(u64::MAX).missing_bytes(Path::new("/")).unwrap() > u64::MAX / 2);
        let error = MinFree::Percent(1).missing_bytes(Path::new("/no/such/place")).unwrap_err();
        assert_eq!(error.to_string(), "asking for the free space of `/no/such/place`");
    }
}
