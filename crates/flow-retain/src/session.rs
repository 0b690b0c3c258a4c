//! A directory under retention, from the lock to the last line written.

use std::path::{Path, PathBuf};

use chrono::TimeZone;

use crate::error::RetainError;
use crate::execute::{Outcome, execute};
use crate::inventory::Inventory;
use crate::plan::{Plan, plan};
use crate::stat_record::{StatFile, StatRecord, StatStatus};

/// Limits to be set; `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitChange {
    /// The size limit in bytes; 0 removes it.
    pub max_bytes: Option<u64>,
    /// The age limit in seconds; 0 removes it.
    pub max_age_s: Option<u64>,
    /// The low-water mark in percent, at most 100; 0 means 100.
    pub low_water_percent: Option<u8>,
}

/// Where the limits and counts of a session came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// From a sound `.nfstat`.
    Kept,
    /// There was none.
    Created,
    /// From an `.nfstat` whose counts were not to be used.
    Requested,
    /// From an `.nfstat` with these lines that cannot be understood.
    Invalid(Vec<String>),
}

/// A directory, locked against other runs of rexpire and nfexpire, with what it holds and its limits.
///
/// Every session looks through the directory itself. A collector's new files are therefore counted without
/// talking to the collector.
#[derive(Debug)]
pub struct Session {
    base: PathBuf,
    /// None for a look without effects.
    stat_file: Option<StatFile>,
    record: StatRecord,
    origin: Origin,
    inventory: Inventory,
    now_s: i64,
}

impl Session {
    /// Locks a directory, waiting for others, and looks through it. `now_s` is the time, in seconds since
    /// 1970 UTC, for all that follows.
    ///
    /// # Errors
    /// When the directory cannot be listed or its `.nfstat` not be opened, locked and read.
    pub fn open<Z: TimeZone>(base: &Path, zone: &Z, now_s: i64) -> Result<Self, RetainError> {
        check_directory(base)?;
        let mut stat_file = StatFile::lock(base)?;
        let text = stat_file.read()?;
        Self::start(base, Some(stat_file), &text, zone, now_s)
    }

    /// Looks through a directory without locking or changing anything, not even its `.nfstat`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn look<Z: TimeZone>(base: &Path, zone: &Z, now_s: i64) -> Result<Self, RetainError> {
        check_directory(base)?;
        let text = StatFile::peek(base)?;
        Self::start(base, None, &text, zone, now_s)
    }

    fn start<Z: TimeZone>(
        base: &Path,
        stat_file: Option<StatFile>,
        text: &str,
        zone: &Z,
        now_s: i64,
    ) -> Result<Self, RetainError> {
        let (record, invalid) = StatRecord::parse(text);
        let origin = if text.is_empty() {
            Origin::Created
        } else if !invalid.is_empty() {
            Origin::Invalid(invalid)
        } else if record.status == StatStatus::ForceRebuild {
            Origin::Requested
        } else {
            Origin::Kept
        };
        let inventory = Inventory::scan(base, zone)?;
        let mut session = Session { base: base.to_owned(), stat_file, record, origin, inventory, now_s };
        session.count();
        Ok(session)
    }

    /// Sets limits.
    pub fn change_limits(&mut self, change: &LimitChange) {
        let record = &mut self.record;
        record.max_bytes = change.max_bytes.unwrap_or(record.max_bytes);
        record.lifetime_s = change.max_age_s.unwrap_or(record.lifetime_s);
        if let Some(percent) = change.low_water_percent {
            record.watermark = if percent == 0 { 100 } else { u64::from(percent) };
        }
    }

    /// Decides what has to go under the limits. The low-water mark, if none is set, is then nfexpire's
    /// default.
    pub fn plan(&mut self) -> Plan {
        self.record.default_watermark();
        plan(self.inventory.files(), &self.record.limits(), self.now_s)
    }

    /// Deletes what a plan of this session says. `keep_going` is asked before every file.
    ///
    /// While that goes on, `.nfstat` asks for a rebuild, so that after a crash nobody relies on its counts.
    /// A session that only [`look`](Self::look)s deletes nothing.
    pub fn execute(&mut self, plan: &Plan, keep_going: &mut dyn FnMut() -> bool) -> Outcome {
        let Some(stat_file) = &mut self.stat_file else { return Outcome::default() };
        if !plan.deletions.is_empty() {
            let rebuild = StatRecord { status: StatStatus::ForceRebuild, ..self.record.clone() };
            if let Err(problem) = stat_file.write(&rebuild) {
                return Outcome { problems: vec![problem], ..Outcome::default() };
            }
        }
        let outcome = execute(&self.base, &self.inventory, plan, self.now_s, keep_going);
        self.inventory.forget(&outcome.deleted);
        self.count();
        outcome
    }

    /// Writes `.nfstat` and gives the directory free.
    ///
    /// # Errors
    /// When `.nfstat` cannot be written.
    pub fn close(mut self) -> Result<StatRecord, RetainError> {
        if let Some(stat_file) = &mut self.stat_file {
            stat_file.write(&self.record)?;
        }
        Ok(self.record)
    }

    /// Limits and counts as they stand.
    pub fn record(&self) -> &StatRecord {
        &self.record
    }

    /// Where they came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What the directory holds.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The directory.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Takes the counts from the inventory. Without files the times are now and the next run of nfexpire is
    /// asked to look again, as nfexpire does.
    fn count(&mut self) {
        let span_s = self.inventory.span_s();
        (self.record.first_s, self.record.last_s) = span_s.unwrap_or((self.now_s, self.now_s));
        self.record.status = if span_s.is_some() { StatStatus::Ok } else { StatStatus::ForceRebuild };
        self.record.size_bytes = self.inventory.allocated_bytes();
        self.record.file_count = self.inventory.files().len() as u64;
    }
}

fn check_directory(base: &Path) -> Result<(), RetainError> {
    if base.is_dir() { Ok(()) } else { Err(RetainError::NoDirectory { path: base.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use chrono::Utc;
    use tempfile::TempDir;

    use super::*;

    /// 2023-11-14 22:20:00 UTC.
    const NOW_S: i64 = 1_700_000_400;

    fn directory() -> TempDir {
        let base = TempDir::new().unwrap();
        for name in ["nfcapd.202311142200", "nfcapd.202311142205", "nfcapd.202311142210"] {
            fs::write(base.path().join(name), [7; 1000]).unwrap();
        }
        base
    }

    fn stat_text(base: &TempDir) -> String {
        fs::read_to_string(base.path().join(".nfstat")).unwrap()
    }

    #[test]
    fn a_first_session_makes_the_record() {
        let base = directory();
        let session = Session::open(base.path(), &Utc, NOW_S).unwrap();
        assert_eq!(session.origin(), &Origin::Created);
        let size = session.inventory().allocated_bytes();
        session.close().unwrap();
        assert_eq!(
            stat_text(&base),
            format!(
                "first=1699999200\nlast=1699999800\nsize={size}\nmaxsize=0\nnumfiles=3\n\
                 lifetime=0\nwatermark=0\nstatus=0\n"
            )
        );
    }

    #[test]
    fn limits_are_kept_and_used() {
        let base = directory();
        let mut session = Session::open(base.path(), &Utc, NOW_S).unwrap();
        session.change_limits(&LimitChange {
            max_bytes: None,
            max_age_s: Some(900),
            low_water_percent: Some(0),
        });
        session.close().unwrap();

        let mut session = Session::open(base.path(), &Utc, NOW_S).unwrap();
        assert_eq!(session.origin(), &Origin::Kept);
        assert_eq!((session.record().lifetime_s, session.record().watermark), (900, 100));
        let plan = session.plan();
        assert_eq!(plan.deletions.len(), 1);
        let mut during = String::new();
        let outcome = session.execute(&plan, &mut || {
            during = stat_text(&base);
            true
        });
        assert_eq!(outcome.deleted, [0]);
        assert!(during.ends_with("lifetime=900\nwatermark=100\nstatus=3\n"), "{during}");
        let record = session.close().unwrap();
        assert_eq!((record.file_count, record.first_s), (2, 1_699_999_500));
        assert!(!base.path().join("nfcapd.202311142200").exists());
    }

    #[test]
    fn an_emptied_directory_asks_for_a_rebuild() {
        let base = directory();
        let mut session = Session::open(base.path(), &Utc, NOW_S).unwrap();
        session.change_limits(&LimitChange { max_age_s: Some(60), ..LimitChange::default() });
        let plan = session.plan();
        session.execute(&plan, &mut || true);
        let record = session.close().unwrap();
        assert_eq!((record.first_s, record.last_s, record.file_count), (NOW_S, NOW_S, 0));
        assert_eq!(record.watermark, 95);
        assert!(stat_text(&base).ends_with("watermark=95\nstatus=3\n"));
        assert_eq!(Session::open(base.path(), &Utc, NOW_S).unwrap().origin(), &Origin::Requested);
    }

    #[test]
    fn a_wrong_record_is_corrected_by_the_directory() {
        let base = directory();
        let wrong = "first=1\nlast=2\nsize=999999999999\nmaxsize=50000\nnumfiles=7\njunk\nstatus=0\n";
        fs::write(base.path().join(".nfstat"), wrong).unwrap();
        let mut session = Session::open(base.path(), &Utc, NOW_S).unwrap();
        assert_eq!(session.origin(), &Origin::Invalid(vec!["junk".to_owned()]));
        assert_eq!(session.plan(), Plan::default());
        assert_eq!(session.record().file_count, 3);
    }

    #[test]
    fn a_look_changes_nothing() {
        let base = directory();
        let mut session = Session::look(base.path(), &Utc, NOW_S).unwrap();
        session.change_limits(&LimitChange { max_bytes: Some(1), ..LimitChange::default() });
        let plan = session.plan();
        assert_eq!(plan.deletions.len(), 3);
        assert!(session.execute(&plan, &mut || true).deleted.is_empty());
        session.close().unwrap();
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 3);
    }

    #[test]
    fn what_is_no_directory_is_an_error() {
        let base = directory();
        let path = base.path().join("nfcapd.202311142200");
        let error = Session::open(&path, &Utc, NOW_S).unwrap_err();
        assert_eq!(error.to_string(), format!("no such directory: `{}`", path.display()));
    }
}
