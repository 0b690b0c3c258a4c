//! A directory under retention, from the lock to the last line written.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use chrono::TimeZone;

use crate::error::RetainError;
use crate::execute::{Outcome, execute};
use crate::inventory::{Inventory, list};
use crate::plan::{Limits, Plan, Quota, age_s, plan};
use crate::stat_record::{StatFile, StatRecord, StatStatus};
use crate::translation::may_hold_translations;

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

/// What one run is to heed besides the limits that the directory keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunLimits {
    /// How many bytes are missing on the file system.
    pub missing_bytes: u64,
    /// The most bytes for sub-directories, by their paths below the directory.
    pub quotas: Vec<(PathBuf, u64)>,
    /// Files that may hold records of address translation stay until they are so old, in seconds, whatever the limits say.
    pub keep_translations_s: u64,
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

/// A directory, locked against other runs of rexpire and nfexpire, with what it holds and its limits; or a profile of
/// NfSen's, whose sub-directories are such directories under common limits.
///
/// Every session looks through the directories itself. A collector's new files are therefore counted without
/// talking to the collector.
#[derive(Debug)]
pub struct Session {
    base: PathBuf,
    directories: Vec<Directory>,
    /// Limits, and the counts of all directories.
    record: StatRecord,
    inventory: Inventory,
    now_s: i64,
}

/// A directory with an `.nfstat` of its own.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// None for a look without effects.
    stat_file: Option<StatFile>,
    record: StatRecord,
    origin: Origin,
}

impl Directory {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where its limits and counts came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Opens a directory, and locks it unless it is only looked at.
    fn open(path: PathBuf, access: Access) -> Result<Directory, RetainError> {
        let (stat_file, text) = match access {
            Access::Change => {
                let mut stat_file = StatFile::lock(&path)?;
                let text = stat_file.read()?;
                (Some(stat_file), text)
            }
            Access::Look => (None, StatFile::peek(&path)?),
        };
        let (record, invalid) = StatRecord::parse(&text);
        let origin = if text.is_empty() {
            Origin::Created
        } else if !invalid.is_empty() {
            Origin::Invalid(invalid)
        } else if record.status == StatStatus::ForceRebuild {
            Origin::Requested
        } else {
            Origin::Kept
        };
        Ok(Directory { path, stat_file, record, origin })
    }
}

/// What a session may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Delete files and write `.nfstat`, under a lock for which others are waited for.
    Change,
    /// Neither lock nor change anything.
    Look,
}

/// nfexpire's low-water mark of a profile when none is given.
const PROFILE_WATERMARK: u64 = 98;

impl Session {
    /// Looks through a directory. `now_s` is the time, in seconds since 1970 UTC, for all that follows.
    ///
    /// # Errors
    /// When the directory cannot be listed or its `.nfstat` not be opened, locked and read.
    pub fn open<Z: TimeZone>(base: &Path, access: Access, zone: &Z, now_s: i64) -> Result<Self, RetainError> {
        check_directory(base)?;
        let directory = Directory::open(base.to_owned(), access)?;
        let record = directory.record.clone();
        let inventory = Inventory::scan(base, zone)?;
        Ok(Session::start(base, vec![directory], record, inventory, now_s))
    }

    /// Looks through a profile: every sub-directory whose name does not start with a dot is a channel. The profile keeps no
    /// limits: they are those that are [set](Self::change_limits).
    ///
    /// # Errors
    /// As [`open`](Self::open), for any of the channels.
    pub fn open_profile<Z: TimeZone>(
        base: &Path,
        access: Access,
        zone: &Z,
        now_s: i64,
    ) -> Result<Self, RetainError> {
        check_directory(base)?;
        let mut directories = Vec::new();
        let mut inventory = Inventory::default();
        for path in channels(base)? {
            inventory.merge(Inventory::scan(&path, zone)?);
            directories.push(Directory::open(path, access)?);
        }
        let record = StatRecord { watermark: PROFILE_WATERMARK, ..StatRecord::empty() };
        Ok(Session::start(base, directories, record, inventory, now_s))
    }

    fn start(
        base: &Path,
        directories: Vec<Directory>,
        record: StatRecord,
        inventory: Inventory,
        now_s: i64,
    ) -> Session {
        let mut session = Session { base: base.to_owned(), directories, record, inventory, now_s };
        session.count();
        session
    }

    /// Sets limits.
    pub fn change_limits(&mut self, change: &LimitChange) {
        let record = &mut self.record;
        record.max_bytes = change.max_bytes.unwrap_or(record.max_bytes);
        record.lifetime_s = change.max_age_s.unwrap_or(record.lifetime_s);
        if let Some(percent) = change.low_water_percent {
            record.watermark = if percent == 0 { 100 } else { u64::from(percent) };
        }
        self.count();
    }

    /// Decides what has to go under the limits, and those of this run. The low-water mark, if none is set, is then nfexpire's
    /// default.
    pub fn plan(&mut self, run: &RunLimits) -> Plan {
        self.record.default_watermark();
        self.count();
        let limits = Limits { missing_bytes: run.missing_bytes, ..self.record.limits() };
        let quota = |(path, max_bytes): &(PathBuf, u64)| Quota {
            directory: self.base.join(path),
            max_bytes: *max_bytes,
        };
        let quotas: Vec<Quota> = run.quotas.iter().map(quota).collect();
        plan(self.inventory.files(), &limits, &quotas, self.now_s, &mut |file| {
            age_s(file, self.now_s) < run.keep_translations_s && may_hold_translations(&file.path)
        })
    }

    /// Deletes what a plan of this session says. `keep_going` is asked before every file.
    ///
    /// While that goes on, `.nfstat` asks for a rebuild, so that after a crash nobody relies on its counts.
    /// A session that only [looks](Access::Look) deletes nothing.
    pub fn execute(&mut self, plan: &Plan, keep_going: &mut dyn FnMut() -> bool) -> Outcome {
        if self.directories.iter().any(|directory| directory.stat_file.is_none()) {
            return Outcome::default();
        }
        if !plan.deletions.is_empty()
            && let Err(problem) = self.write(Some(StatStatus::ForceRebuild))
        {
            return Outcome { problems: vec![problem], ..Outcome::default() };
        }
        let bases: Vec<&Path> = self.directories.iter().map(Directory::path).collect();
        let outcome = execute(&bases, &self.inventory, plan, self.now_s, keep_going);
        self.inventory.forget(&outcome.deleted);
        self.count();
        outcome
    }

    /// Writes `.nfstat` and gives the directory free.
    ///
    /// # Errors
    /// When `.nfstat` cannot be written.
    pub fn close(mut self) -> Result<StatRecord, RetainError> {
        self.write(None)?;
        Ok(self.record)
    }

    /// Writes every `.nfstat`, with a status other than that of its counts if one is given.
    fn write(&mut self, status: Option<StatStatus>) -> Result<(), RetainError> {
        for Directory { stat_file, record, .. } in &mut self.directories {
            if let Some(stat_file) = stat_file {
                stat_file.write(&StatRecord { status: status.unwrap_or(record.status), ..record.clone() })?;
            }
        }
        Ok(())
    }

    /// Limits and counts as they stand.
    pub fn record(&self) -> &StatRecord {
        &self.record
    }

    /// The directory, or the channels of the profile.
    pub fn directories(&self) -> &[Directory] {
        &self.directories
    }

    /// What the directories hold.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The directory, or the profile.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Takes the counts from the inventory.
    fn count(&mut self) {
        let files = self.inventory.files();
        self.record.count(files, self.now_s);
        for Directory { path, record, .. } in &mut self.directories {
            if *path == self.base {
                record.clone_from(&self.record);
            } else {
                record.count(files.iter().filter(|file| file.path.starts_with(&*path)), self.now_s);
            }
        }
    }
}

fn check_directory(base: &Path) -> Result<(), RetainError> {
    if base.is_dir() { Ok(()) } else { Err(RetainError::NoDirectory { path: base.to_owned() }) }
}

/// The directories of a profile's channels, in the order of their names.
fn channels(profile: &Path) -> Result<Vec<PathBuf>, RetainError> {
    let mut channels = Vec::new();
    for entry in list(profile)? {
        let path = entry.path();
        let is_hidden = entry.file_name().as_bytes().starts_with(b".");
        let file_type =
            entry.file_type().map_err(|source| RetainError::Size { path: path.clone(), source })?;
        if file_type.is_dir() && !is_hidden {
            channels.push(path);
        }
    }
    channels.sort();
    Ok(channels)
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
        let session = Session::open(base.path(), Access::Change, &Utc, NOW_S).unwrap();
        assert_eq!(session.directories()[0].origin(), &Origin::Created);
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
        let mut session = Session::open(base.path(), Access::Change, &Utc, NOW_S).unwrap();
        session.change_limits(&LimitChange {
            max_bytes: None,
            max_age_s: Some(900),
            low_water_percent: Some(0),
        });
        session.close().unwrap();

        let mut session = Session::open(base.path(), Access::Change, &Utc, NOW_S).unwrap();
        assert_eq!(session.directories()[0].origin(), &Origin::Kept);
        assert_eq!((session.record().lifetime_s, session.record().watermark), (900, 100));
        let plan = session.plan(&RunLimits::default());
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
        let mut session = Session::open(base.path(), Access::Change, &Utc, NOW_S).unwrap();
        session.change_limits(&LimitChange { max_age_s: Some(60), ..LimitChange::default() });
        let plan = session.plan(&RunLimits::default());
        session.execute(&plan, &mut || true);
        let record = session.close().unwrap();
        assert_eq!((record.first_s, record.last_s, record.file_count), (NOW_S, NOW_S, 0));
        assert_eq!(record.watermark, 95);
        assert!(stat_text(&base).ends_with("watermark=95\nstatus=3\n"));
        assert_eq!(
            Session::open(base.path(), Access::Change, &Utc, NOW_S).unwrap().directories()[0].origin(),
            &Origin::Requested
        );
    }

    #[test]
    fn a_wrong_record_is_corrected_by_the_directory() {
        let base = directory();
        let wrong = "first=1\nlast=2\nsize=999999999999\nmaxsize=50000\nnumfiles=7\njunk\nstatus=0\n";
        fs::write(base.path().join(".nfstat"), wrong).unwrap();
        let mut session = Session::open(base.path(), Access::Change, &Utc, NOW_S).unwrap();
        assert_eq!(session.directories()[0].origin(), &Origin::Invalid(vec!["junk".to_owned()]));
        assert_eq!(session.plan(&RunLimits::default()), Plan::default());
        assert_eq!(session.record().file_count, 3);
    }

    #[test]
    fn a_look_changes_nothing() {
        let base = directory();
        let mut session = Session::open(base.path(), Access::Look, &Utc, NOW_S).unwrap();
        session.change_limits(&LimitChange { max_bytes: Some(1), ..LimitChange::default() });
        let plan = session.plan(&RunLimits::default());
        assert_eq!(plan.deletions.len(), 3);
        assert!(session.execute(&plan, &mut || true).deleted.is_empty());
        session.close().unwrap();
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 3);
    }

    #[test]
    fn channels_of_a_profile_share_limits_and_count_for_themselves() {
        let base = TempDir::new().unwrap();
        for path in
            ["2a/nfcapd.202311142200", "2a/nfcapd.202311142210", "b/2023/nfcapd.202311142205", "c/x", ".d/x"]
        {
            let path = base.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, [7; 1000]).unwrap();
        }
        fs::write(base.path().join("nfcapd.202311142100"), "no channel").unwrap();
        let mut session = Session::open_profile(base.path(), Access::Change, &Utc, NOW_S).unwrap();
        let paths: Vec<_> = session.directories().iter().map(|one| one.path().to_owned()).collect();
        assert_eq!(paths, ["2a", "b", "c"].map(|name| base.path().join(name)));
        assert_eq!((session.record().file_count, session.record().watermark), (3, 98));
        session.change_limits(&LimitChange {
            max_age_s: Some(850),
            low_water_percent: Some(100),
            ..LimitChange::default()
        });
        let plan = session.plan(&RunLimits::default());
        assert_eq!(plan.deletions.len(), 2, "the oldest of all channels first");
        assert_eq!(session.execute(&plan, &mut || true).deleted, [0, 1]);
        let record = session.close().unwrap();
        assert_eq!((record.file_count, record.first_s), (1, 1_699_999_800));
        let stat = |channel: &str| fs::read_to_string(base.path().join(channel).join(".nfstat")).unwrap();
        assert!(stat("2a").contains("numfiles=1\nlifetime=0\nwatermark=0\nstatus=0"), "{}", stat("2a"));
        assert!(stat("b").contains("numfiles=0\nlifetime=0\nwatermark=0\nstatus=3"), "{}", stat("b"));
        assert!(!base.path().join("b/2023").exists() && base.path().join("2a").exists());
        assert!(!base.path().join(".nfstat").exists() && base.path().join("nfcapd.202311142100").exists());
    }

    #[test]
    fn what_is_no_directory_is_an_error() {
        let base = directory();
        let path = base.path().join("nfcapd.202311142200");
        let error = Session::open(&path, Access::Change, &Utc, NOW_S).unwrap_err();
        assert_eq!(error.to_string(), format!("no such directory: `{}`", path.display()));
    }
}
