//! A collector's new files in the book-keeping of its directory.

use std::path::Path;

use crate::error::RetainError;
use crate::stat_record::{StatFile, StatRecord, StatStatus};

/// Files of a directory that its `.nfstat` does not count yet.
///
/// nfexpire takes the counts in `.nfstat` for true; a collector that tells of its files there needs no other channel to
/// it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Booking {
    span_s: Option<(i64, i64)>,
    allocated_bytes: u64,
    file_count: u64,
    /// What is to be booked is not known exactly.
    needs_scan: bool,
}

impl Booking {
    /// Adds a file with the time in its name, seconds since 1970 UTC, and what it occupies on disk.
    pub fn add(&mut self, start_s: i64, allocated_bytes: u64) {
        let (first_s, last_s) = self.span_s.unwrap_or((start_s, start_s));
        self.span_s = Some((first_s.min(start_s), last_s.max(start_s)));
        self.allocated_bytes = self.allocated_bytes.saturating_add(allocated_bytes);
        self.file_count += 1;
    }

    /// A file that was counted before has changed: whoever uses the counts next has to look for himself.
    pub fn add_change(&mut self) {
        self.needs_scan = true;
    }

    /// Books everything into a directory's `.nfstat`, if it has one. While somebody else has it locked, which is not
    /// waited for, everything stays to be booked.
    ///
    /// # Errors
    /// When the file cannot be opened, locked, read or written; nothing is left to be booked then.
    pub fn enter(&mut self, base: &Path) -> Result<(), RetainError> {
        if *self == Booking::default() {
            return Ok(());
        }
        let booking = std::mem::take(self);
        match StatFile::try_lock(base)? {
            None => Ok(()),
            Some(Err(())) => {
                // Whoever has it may have seen our files, or not.
                *self = Booking { needs_scan: true, ..booking };
                Ok(())
            }
            Some(Ok(mut file)) => {
                let (mut record, _) = StatRecord::parse(&file.read()?);
                booking.apply(&mut record);
                file.write(&record)
            }
        }
    }

    fn apply(&self, record: &mut StatRecord) {
        if self.needs_scan {
            record.status = StatStatus::ForceRebuild;
        }
        if record.status == StatStatus::ForceRebuild {
            return;
        }
        if let Some((first_s, last_s)) = self.span_s {
            record.first_s = record.first_s.min(first_s);
            record.last_s = record.last_s.max(last_s);
        }
        record.size_bytes = record.size_bytes.saturating_add(self.allocated_bytes);
        record.file_count = record.file_count.saturating_add(self.file_count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const STORED: &str =
        "first=1000\nlast=2000\nsize=8192\nmaxsize=5\nnumfiles=2\nlifetime=6\nwatermark=7\nstatus=0\n";

    fn booking() -> Booking {
        let mut booking = Booking::default();
        booking.add(2300, 4096);
        booking.add(2600, 12_288);
        booking
    }

    #[test]
    fn new_files_are_counted() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join(".nfstat");
        fs::write(&path, STORED).unwrap();
        let mut booking = booking();
        booking.enter(base.path()).unwrap();
        let expected =
            "first=1000\nlast=2600\nsize=24576\nmaxsize=5\nnumfiles=4\nlifetime=6\nwatermark=7\nstatus=0\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        booking.enter(base.path()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), expected, "once");
    }

    #[test]
    fn no_record_is_made() {
        let base = tempfile::tempdir().unwrap();
        let mut booking = booking();
        booking.enter(base.path()).unwrap();
        assert_eq!(booking, Booking::default());
        assert!(!base.path().join(".nfstat").exists());
    }

    #[test]
    fn what_is_not_known_exactly_asks_for_a_scan() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join(".nfstat");
        fs::write(&path, STORED).unwrap();
        let mut booking = booking();
        booking.add_change();
        booking.enter(base.path()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), STORED.replace("status=0", "status=3"));
    }
}
