//! The data directory: who may write to it, and under which name a finished file goes into it.
//!
//! | name | what |
//! |---|---|
//! | `nfcapd.YYYYmmddHHMM` | a finished file |
//! | `nfcapd.current.PID` | the file being written |
//! | `nfcapd.current.PID.journal.OFFSET` | the first flows of the block that it will have there |
//! | `nfcapd.current.PID.N` | one that is complete and about to be filed |
//! | `nfcapd.current.*.orphan` | one that a dead predecessor left |
//! | `*.merge`, `*.merged` | a merger under way: its result, and the newer part once the result is complete |
//! | `.rcapd.stat` | locked while a collector uses the directory; contains its pid |
//! | `.rcapd.state` | what is known of exporters, for the next start |

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use chrono::{FixedOffset, Local};
use flow_file::{
    COLLECTOR_LOCK, COLLECTOR_STATE, FileError, FileFormat, FileLayout, FlowFile, Journaled, SlotName,
    SubDir, WORKING_PREFIX, journal_of, journaled, merge_files, working_name, working_pid,
};

use crate::lock::DirectoryLock;
use crate::log::Log;
use crate::process::{is_collector, is_in_use, with_patience};

const ORPHAN: &str = ".orphan";
const MERGE: &str = ".merge";
const MERGED: &str = ".merged";

/// Names tried for a file whose own name is taken by something that it cannot be merged with.
const MAX_FALLBACKS: i64 = 59;

/// The time zone of file names.
#[derive(Clone, Copy, Debug, Default)]
pub enum Zone {
    /// The system's, or that of `TZ`.
    #[default]
    Local,
    /// Another.
    Fixed(FixedOffset),
}

/// How files are called.
#[derive(Clone, Copy, Debug)]
pub struct Naming {
    /// Length of a slot in seconds.
    pub interval_s: u32,
    /// Sub-directories.
    pub layout: SubDir,
    /// The zone in which a slot's start is told.
    pub zone: Zone,
    /// Whether names end in the zone's offset.
    pub with_offset: bool,
}

impl Naming {
    /// The name for a slot, or, `behind` seconds later and with seconds in it, one beside it.
    fn name(&self, start_ms: u64, behind: i64) -> Option<SlotName> {
        let start_s = i64::try_from(start_ms / 1000).ok()?.checked_add(behind)?;
        let interval_s = if behind == 0 { self.interval_s } else { 1 };
        match (self.zone, self.with_offset) {
            (Zone::Local, false) => SlotName::new(start_s, interval_s, &Local),
            (Zone::Local, true) => SlotName::with_offset(start_s, interval_s, &Local),
            (Zone::Fixed(zone), false) => SlotName::new(start_s, interval_s, &zone),
            (Zone::Fixed(zone), true) => SlotName::with_offset(start_s, interval_s, &zone),
        }
    }
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// There is none.
    #[error("path does not exist: {0}")]
    Missing(PathBuf),
    /// It is something else.
    #[error("not a directory: {0}")]
    NotDirectory(PathBuf),
    /// Another collector writes to it.
    #[error(
        "Another collector with pid {pid} is already running, and configured for '{}'",
        directory.display()
    )]
    Busy {
        /// The directory.
        directory: PathBuf,
        /// The other collector, 0 if not known.
        pid: u32,
    },
    /// The system refuses.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// Why a file was not filed. It stays where it is, under its working name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilingError {
    /// The time has no name.
    #[error("no file name for {0} ms since 1970")]
    Unnamed(u64),
    /// Every possible name is taken.
    #[error("{}: this name and those beside it are taken", .0.display())]
    Taken(PathBuf),
    /// The system refuses.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// A data directory that is ours alone.
#[derive(Debug)]
pub(crate) struct Spool {
    directory: PathBuf,
    naming: Naming,
    format: FileFormat,
    lock: DirectoryLock,
    pid: u32,
}

/// What `Spool::file` did with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filed {
    /// It has this name now.
    As(PathBuf),
    /// It is part of the file of this name now.
    Merged(PathBuf),
}

impl fmt::Display for Filed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Filed::As(path) => write!(f, "as {}", path.display()),
            Filed::Merged(path) => write!(f, "into {}", path.display()),
        }
    }
}

impl Spool {
    /// Takes possession of a directory. A collector that has it may take a moment to end.
    /// `format` is that of the files that come of two.
    pub(crate) fn open(directory: &Path, naming: Naming, format: FileFormat) -> Result<Spool, SpoolError> {
        Spool::open_locked(directory, naming, format, |lock| {
            with_patience(|| lock.try_lock(), |error| matches!(error, TryLockError::WouldBlock))
        })
    }

    /// The same without patience, for when datagrams are waiting.
    pub(crate) fn open_at_once(
        directory: &Path,
        naming: Naming,
        format: FileFormat,
    ) -> Result<Spool, SpoolError> {
        Spool::open_locked(directory, naming, format, File::try_lock)
    }

    fn open_locked(
        directory: &Path,
        naming: Naming,
        format: FileFormat,
        take: impl FnOnce(&File) -> Result<(), TryLockError>,
    ) -> Result<Spool, SpoolError> {
        let canonical = directory.canonicalize().map_err(|_| SpoolError::Missing(directory.to_owned()))?;
        if !canonical.is_dir() {
            return Err(SpoolError::NotDirectory(directory.to_owned()));
        }
        let lock = DirectoryLock::take(&canonical, take)?;
        let mut spool = Spool { directory: canonical, naming, format, lock, pid: 0 };
        spool.refuse_foreign_collector()?;
        let path = spool.directory.join(COLLECTOR_LOCK);
        let written = spool.set_pid(std::process::id());
        written.map_err(|source| SpoolError::Io { path, action: "write it", source })?;
        Ok(spool)
    }

    /// Says which process has the directory now, and so how the working file is called.
    pub(crate) fn set_pid(&mut self, pid: u32) -> io::Result<()> {
        self.pid = pid;
        self.lock.set_pid(pid)
    }

    /// The file that is locked.
    pub(crate) fn lock(&mut self) -> &File {
        self.lock.file()
    }

    /// Makes sure that the directory is ours still. To be called before a file is made in it.
    pub(crate) fn hold(&self) -> Result<(), SpoolError> {
        self.lock.hold(&self.directory, self.pid)
    }

    /// The directory, absolute.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the file being written is.
    pub(crate) fn working_path(&self) -> PathBuf {
        self.directory.join(working_name(self.pid))
    }

    /// Where the `number`th complete file waits to be filed.
    pub(crate) fn waiting_path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{}.{number}", working_name(self.pid)))
    }

    /// Where what is known of exporters is kept for the next start.
    pub(crate) fn state_path(&self) -> PathBuf {
        self.directory.join(COLLECTOR_STATE)
    }

    /// Finds what dead predecessors left. Every file of ours gets a name that no living collector uses; mergers
    /// are brought to a state from which none of their flows is lost or doubled.
    pub(crate) fn leftovers(&self, log: &Log) -> Vec<PathBuf> {
        let settled = self.settle_mergers().and_then(|()| self.settle_journals());
        let result = settled.and_then(|()| self.working_files());
        let files = match result {
            Ok(files) => files,
            Err(error) => {
                log.error(format_args!("{}: looking for leftovers: {error}", self.directory.display()));
                return Vec::new();
            }
        };
        let mut orphans = Vec::new();
        for path in files {
            let in_our_way = path == self.working_path();
            if !in_our_way && is_foreign(&path) && (FlowFile::open(&path).is_err() || is_in_use(&path)) {
                log.error(format_args!("{}: left by another program; not touched", path.display()));
                continue;
            }
            match orphaned(&path) {
                Ok(path) => orphans.push(path),
                Err(error) => log.error(format_args!("{}: cannot be adopted: {error}", path.display())),
            }
        }
        // Flows of a journal come behind those of its file.
        orphans.sort_by_key(|path| journal_of(&path.with_extension("")).is_some());
        orphans
    }

    /// Puts a finished file under the name of its slot. If that exists, the two become one; if they cannot,
    /// because it is another program's or damaged, it stays, and ours goes beside it, under a name with seconds.
    ///
    /// `is_empty` says that the file holds nothing which an existing one could gain by.
    pub(crate) fn file(
        &self,
        finished: &Path,
        start_ms: u64,
        is_empty: bool,
        log: &Log,
    ) -> Result<Filed, FilingError> {
        for behind in 0..=MAX_FALLBACKS {
            let name = self.naming.name(start_ms, behind).ok_or(FilingError::Unnamed(start_ms))?;
            let target = self.directory.join(name.path(self.naming.layout));
            let parent = target.parent().unwrap_or(&self.directory);
            fs::create_dir_all(parent).map_err(failed(parent, "create it"))?;
            if fs::symlink_metadata(&target).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                fs::rename(finished, &target).map_err(failed(&target, "rename to it"))?;
                sync(parent)?;
                return Ok(Filed::As(target));
            }
            if is_empty {
                fs::remove_file(finished).map_err(failed(finished, "remove it"))?;
                return Ok(Filed::Merged(target));
            }
            match merge(&target, finished, self.format) {
                Ok(()) => {
                    sync(parent)?;
                    return Ok(Filed::Merged(target));
                }
                Err(error) => log.error(format_args!("cannot merge: {error}; filing beside it")),
            }
        }
        let name = self.naming.name(start_ms, 0).ok_or(FilingError::Unnamed(start_ms))?;
        Err(FilingError::Taken(self.directory.join(name.path(self.naming.layout))))
    }

    /// nfcapd does not know our lock, but it shows itself by its working file.
    fn refuse_foreign_collector(&self) -> Result<(), SpoolError> {
        let io_error = |source| SpoolError::Io { path: self.directory.clone(), action: "read it", source };
        let alive = self
            .working_files()
            .map_err(io_error)?
            .into_iter()
            .filter(|path| is_foreign(path))
            .filter_map(|path| working_pid(path.file_name()?.to_str()?))
            .find(|&pid| is_collector(pid));
        match alive {
            Some(pid) => Err(SpoolError::Busy { directory: self.directory.clone(), pid }),
            None => Ok(()),
        }
    }

    /// Undoes mergers that were interrupted before their result replaced the older part, and clears up behind
    /// those that were interrupted afterwards.
    fn settle_mergers(&self) -> io::Result<()> {
        for merged in self.working_files()? {
            let Some(newer) = without_suffix(&merged, MERGED) else { continue };
            if with_suffix(&newer, MERGE).exists() {
                fs::rename(&merged, &newer)?;
            } else {
                fs::remove_file(&merged)?;
            }
        }
        for result in self.working_files()? {
            if without_suffix(&result, MERGE).is_some() {
                fs::remove_file(&result)?;
            }
        }
        Ok(())
    }

    /// Removes the journals whose flows are in their working files, and makes leftovers in their own right of the others.
    fn settle_journals(&self) -> io::Result<()> {
        for path in self.working_files()? {
            let Some((working, offset)) = journal_of(&path) else { continue };
            let state = match (FlowFile::open(&working), FlowFile::open(&path)) {
                // A file of which nobody knows what is in it has nothing.
                (Ok(working), Ok(journal)) => {
                    journaled(&working, offset, &journal).unwrap_or(Journaled::Here)
                }
                _ => Journaled::Here,
            };
            match state {
                Journaled::Here => {
                    orphaned(&path)?;
                }
                Journaled::Stored => fs::remove_file(&path)?,
                Journaled::Partly => {
                    OpenOptions::new().write(true).open(&working)?.set_len(offset)?;
                    orphaned(&path)?;
                }
            }
        }
        Ok(())
    }

    fn working_files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let is_ours = entry.file_name().as_encoded_bytes().starts_with(WORKING_PREFIX.as_bytes());
            if is_ours && entry.file_type()?.is_file() {
                files.push(entry.path());
            }
        }
        files.sort();
        Ok(files)
    }
}

/// Merges two files into one in place of the first, and removes the second. If it is interrupted anywhere,
/// [`Spool::settle_mergers`] knows from the names that exist how far it came.
fn merge(existing: &Path, newer: &Path, format: FileFormat) -> Result<(), FileError> {
    let scratch = with_suffix(newer, MERGE);
    let merged = with_suffix(newer, MERGED);
    let io_error = |path: &Path, action| {
        let path = path.to_owned();
        move |cause| FileError::Io { path, action, cause: std::sync::Arc::new(cause) }
    };
    let file = FlowFile::open(existing)?;
    // Only whoever asks for blocks learns what is wrong with files of nfdump's.
    file.block_count();
    if let Some(problem) = file.problems().first() {
        // The result would be without what cannot be found in it now.
        return Err(problem.clone());
    }
    if let Err(error) = merge_files(existing, newer, &scratch, format) {
        // It may not even exist.
        let _ = fs::remove_file(&scratch);
        return Err(error);
    }
    fs::rename(newer, &merged).map_err(io_error(&merged, "rename to it"))?;
    if let Err(error) = fs::rename(&scratch, existing) {
        fs::rename(&merged, newer).map_err(io_error(newer, "rename to it"))?;
        let _ = fs::remove_file(&scratch);
        return Err(io_error(existing, "replace it")(error));
    }
    fs::remove_file(&merged).map_err(io_error(&merged, "remove it"))
}

/// Whether a file is one of nfdump's.
fn is_foreign(path: &Path) -> bool {
    match FileLayout::announced(path) {
        Ok(layout) => matches!(layout, Some(FileLayout::Nfdump1 | FileLayout::Nfdump2)),
        Err(_) => false,
    }
}

/// Gives a leftover a name that says so.
fn orphaned(path: &Path) -> io::Result<PathBuf> {
    if path.extension() == Some(OsStr::new(&ORPHAN[1..])) {
        return Ok(path.to_owned());
    }
    let mut target = with_suffix(path, ORPHAN);
    let mut number = 1;
    while target.exists() {
        number += 1;
        target = with_suffix(path, &format!(".{number}{ORPHAN}"));
    }
    fs::rename(path, &target)?;
    Ok(target)
}

/// A name for an intermediate result, which the next start clears away if we do not.
pub(crate) fn scratch_path(path: &Path, purpose: &str) -> PathBuf {
    with_suffix(path, &format!(".{purpose}{MERGE}"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn without_suffix(path: &Path, suffix: &str) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?.strip_suffix(suffix)?;
    Some(path.with_file_name(OsString::from(name)))
}

fn failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> FilingError {
    let path = path.to_owned();
    move |source| FilingError::Io { path, action, source }
}

/// Makes names last.
fn sync(directory: &Path) -> Result<(), FilingError> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed(directory, "sync it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_file::{Compression, FileTail, FileWriter, WriteOptions};
    use flow_model::{BatchBuilder, CountRule, Field};
    use tempfile::TempDir;

    /// 2023-11-14 22:15:00 UTC.
    const START_MS: u64 = 1_700_000_100_000;

    const NAMING: Naming = Naming {
        interval_s: 300,
        layout: SubDir::Flat,
        zone: Zone::Fixed(FixedOffset::east_opt(0).unwrap()),
        with_offset: false,
    };

    fn spool(directory: &TempDir) -> Spool {
        Spool::open(directory.path(), NAMING, FileFormat::default()).unwrap()
    }

    /// A finished file with as many flows.
    fn write(path: &Path, flows: u64) {
        unfinished(path, flows).finish(FileTail::default()).unwrap();
    }

    fn unfinished(path: &Path, flows: u64) -> FileWriter {
        let options = WriteOptions {
            ident: "test".to_owned(),
            format: Compression::Lz4.into(),
            rule: CountRule::Collected,
            created_ms: START_MS + 7,
        };
        let mut writer = FileWriter::create(path, options).unwrap();
        let mut builder = BatchBuilder::new();
        for flow in 0..flows {
            builder.set(Field::SrcPort, flow);
            builder.finish_row();
        }
        if flows > 0 {
            writer.write(&builder.finish()).unwrap();
        }
        writer
    }

    fn flows(path: &Path) -> u64 {
        let file = FlowFile::open(path).unwrap();
        assert!(file.is_finished(), "{}", path.display());
        file.totals().flows
    }

    /// The names in a directory, less the lock's.
    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != COLLECTOR_LOCK)
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_gets_the_name_of_its_slot() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = spool(&directory);
        let log = Log::to_memory();
        let path = |name: &str| spool.directory.join(name);
        write(&path("nfcapd.current.5.1"), 3);
        let filed = spool.file(&path("nfcapd.current.5.1"), START_MS, false, &log).unwrap();
        assert_eq!(filed, Filed::As(path("nfcapd.202311142215")));
        assert_eq!(flows(&path("nfcapd.202311142215")), 3);

        spool.naming.layout = SubDir::DayHour;
        spool.naming.interval_s = 30;
        let path = |name: &str| spool.directory.join(name);
        write(&path("nfcapd.current.5.2"), 4);
        spool.file(&path("nfcapd.current.5.2"), START_MS + 30_000, false, &log).unwrap();
        assert_eq!(flows(&path("2023/11/14/22/nfcapd.20231114221530")), 4);
        assert!(log.lines().is_empty());
    }

    #[test]
    fn a_slot_that_exists_is_merged() {
        let directory = tempfile::tempdir().unwrap();
        let spool = spool(&directory);
        let (log, newer) = (Log::to_memory(), spool.waiting_path(1));
        write(&spool.directory.join("nfcapd.202311142215"), 3);
        write(&newer, 4);
        let filed = spool.file(&newer, START_MS, false, &log).unwrap();
        assert_eq!(filed, Filed::Merged(spool.directory.join("nfcapd.202311142215")));
        assert_eq!(names(&spool.directory), ["nfcapd.202311142215"]);
        assert_eq!(flows(&spool.directory.join("nfcapd.202311142215")), 7);

        write(&newer, 0);
        spool.file(&newer, START_MS, true, &log).unwrap();
        assert_eq!(names(&spool.directory), ["nfcapd.202311142215"]);
        assert!(log.lines().is_empty());
    }

    #[test]
    fn what_cannot_be_merged_stays_and_ours_goes_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let spool = spool(&directory);
        let taken = spool.directory.join("nfcapd.202311142215");
        // nfdump 1.7's magic and layout version, and plain rubbish.
        for content in [&b"\x0c\xa5\x02\x00 flows of another program"[..], b"rubbish", b""] {
            let log = Log::to_memory();
            fs::write(&taken, content).unwrap();
            for flows in [3, 4] {
                write(&spool.waiting_path(1), flows);
                spool.file(&spool.waiting_path(1), START_MS, false, &log).unwrap();
                assert_eq!(log.lines().len(), 1);
            }
            assert_eq!(names(&spool.directory), ["nfcapd.202311142215", "nfcapd.20231114221501"]);
            assert_eq!(fs::read(&taken).unwrap(), content);
            assert_eq!(flows(&spool.directory.join("nfcapd.20231114221501")), 7);
            fs::remove_file(spool.directory.join("nfcapd.20231114221501")).unwrap();
        }
        fs::remove_file(&taken).unwrap();
        fs::create_dir(&taken).unwrap();
        write(&spool.waiting_path(1), 5);
        spool.file(&spool.waiting_path(1), START_MS, false, &Log::to_memory()).unwrap();
        assert_eq!(flows(&spool.directory.join("nfcapd.20231114221501")), 5);
    }

    #[test]
    fn a_file_of_which_a_part_is_missing_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let spool = spool(&directory);
        let taken = spool.directory.join("nfcapd.202311142215");
        let block_end = unfinished(&taken, 9).byte_len() as usize;
        let torn = fs::read(&taken).unwrap()[..block_end - 5].to_vec();
        fs::write(&taken, &torn).unwrap();
        write(&spool.waiting_path(1), 5);
        let log = Log::to_memory();
        spool.file(&spool.waiting_path(1), START_MS, false, &log).unwrap();
        assert_eq!(flows(&spool.directory.join("nfcapd.20231114221501")), 5);
        assert_eq!(fs::read(&taken).unwrap(), torn);
    }

    #[test]
    fn leftovers_get_names_that_no_collector_uses() {
        let directory = tempfile::tempdir().unwrap();
        let spool = spool(&directory);
        let path = |name: &str| spool.directory.join(name);
        let own = working_name(std::process::id());
        write(&path(&own), 1);
        write(&path(&format!("{own}.1")), 2);
        drop(unfinished(&path("nfcapd.current.4194305"), 3));
        write(&path("nfcapd.current.4194305.orphan"), 4);
        fs::write(path("nfcapd.current.4194306"), b"\x0c\xa5\x02\x00 flows of another program").unwrap();
        fs::write(path("nfcapd.current.4194307"), b"").unwrap();
        write(&path("nfcapd.202311142215"), 5);
        let log = Log::to_memory();
        let mut expected = [
            format!("{own}.1.orphan"),
            format!("{own}.orphan"),
            "nfcapd.current.4194305.2.orphan".to_owned(),
            "nfcapd.current.4194305.orphan".to_owned(),
            "nfcapd.current.4194307.orphan".to_owned(),
        ];
        expected.sort();
        let mut found = spool.leftovers(&log);
        found.sort();
        assert_eq!(found, expected.each_ref().map(|name| path(name)));
        assert!(path("nfcapd.current.4194306").exists() && path("nfcapd.202311142215").exists());
        assert_eq!(log.lines().len(), 1);

        let mut again = spool.leftovers(&log);
        again.sort();
        assert_eq!(again, expected.map(|name| path(&name)));
    }

    #[test]
    fn an_interrupted_merger_neither_loses_nor_doubles_flows() {
        // How far it came, and the files of ours that are then expected.
        for (state, expected) in
            [("scratch begun", 1), ("scratch complete", 1), ("newer renamed", 1), ("replaced", 0)]
        {
            let directory = tempfile::tempdir().unwrap();
            let spool = spool(&directory);
            let existing = spool.directory.join("nfcapd.202311142215");
            let newer = spool.directory.join("nfcapd.current.4194305.1");
            write(&existing, 3);
            write(&newer, 4);
            let scratch = with_suffix(&newer, MERGE);
            let merged = with_suffix(&newer, MERGED);
            merge_files(&existing, &newer, &scratch, FileFormat::default()).unwrap();
            match state {
                "scratch begun" => fs::write(&scratch, &fs::read(&scratch).unwrap()[..50]).unwrap(),
                "newer renamed" => fs::rename(&newer, &merged).unwrap(),
                "replaced" => {
                    fs::rename(&newer, &merged).unwrap();
                    fs::rename(&scratch, &existing).unwrap();
                }
                _ => {}
            }
            let log = Log::to_memory();
            let orphans = spool.leftovers(&log);
            assert_eq!(orphans.len(), expected, "{state}");
            for orphan in orphans {
                spool.file(&orphan, START_MS, false, &log).unwrap();
            }
            assert_eq!(names(&spool.directory), ["nfcapd.202311142215"], "{state}");
            assert_eq!(flows(&existing), 7, "{state}");
            assert!(log.lines().is_empty(), "{state}");
        }
    }

    #[test]
    fn flows_of_a_journal_are_adopted_once() {
        // Rows of the file's last block, and what then is left to be adopted.
        for (written, expected) in
            [(None, vec![4, 9]), (Some(9), vec![13]), (Some(12), vec![16]), (Some(5), vec![4, 9])]
        {
            let directory = tempfile::tempdir().unwrap();
            let spool = spool(&directory);
            let working = spool.directory.join("nfcapd.current.4194305");
            let mut writer = unfinished(&working, 4);
            let offset = writer.byte_len();
            drop(unfinished(&flow_file::journal_path(&working, offset), 9));
            if let Some(rows) = written {
                let mut builder = BatchBuilder::new();
                (0..rows).for_each(|_| builder.finish_row());
                writer.write(&builder.finish()).unwrap();
            }
            drop(writer);
            let log = Log::to_memory();
            let orphans = spool.leftovers(&log);
            let flows = |path: &PathBuf| FlowFile::open(path).unwrap().totals().flows;
            assert_eq!(orphans.iter().map(flows).collect::<Vec<_>>(), expected);
            assert_eq!(spool.leftovers(&log), orphans);
            assert!(log.lines().is_empty());
        }
        // Its file may be gone, and it may be rubbish.
        let directory = tempfile::tempdir().unwrap();
        let spool = spool(&directory);
        fs::write(spool.directory.join("nfcapd.current.4194305.journal.7"), "rubbish").unwrap();
        drop(unfinished(&spool.directory.join("nfcapd.current.4194306.journal.48"), 3));
        assert_eq!(spool.leftovers(&Log::to_memory()).len(), 2);
    }

    #[test]
    fn the_hour_that_a_clock_repeats_is_one_file() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = spool(&directory);
        // 2026-10-25 in Berlin: 02:30 summer time, and an hour later 02:30 winter time.
        for (start_ms, offset_s, flows) in [(1_792_888_200_000, 7200, 3), (1_792_891_800_000, 3600, 4)] {
            spool.naming.zone = Zone::Fixed(FixedOffset::east_opt(offset_s).unwrap());
            write(&spool.waiting_path(1), flows);
            spool.file(&spool.waiting_path(1), start_ms, false, &Log::to_memory()).unwrap();
        }
        assert_eq!(names(&spool.directory), ["nfcapd.202610250230"]);
        assert_eq!(flows(&spool.directory.join("nfcapd.202610250230")), 7);
    }

    #[test]
    fn a_directory_has_one_collector() {
        let directory = tempfile::tempdir().unwrap();
        let first = spool(&directory);
        let error = Spool::open(directory.path(), NAMING, FileFormat::default()).unwrap_err();
        let expected = format!(
            "Another collector with pid {} is already running, and configured for '{}'",
            std::process::id(),
            first.directory.display()
        );
        assert_eq!(error.to_string(), expected);
        drop(first);
        Spool::open(directory.path(), NAMING, FileFormat::default()).unwrap();
    }

    #[test]
    fn a_directory_that_was_made_again_is_locked_again() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("flows");
        fs::create_dir(&directory).unwrap();
        let open = || Spool::open_at_once(&directory, NAMING, FileFormat::default());
        let first = open().unwrap();
        first.hold().unwrap();
        fs::remove_dir_all(&directory).unwrap();
        assert!(matches!(first.hold(), Err(SpoolError::Io { .. })));
        fs::create_dir(&directory).unwrap();
        first.hold().unwrap();
        let pid = std::process::id();
        assert!(matches!(open(), Err(SpoolError::Busy { pid: of, .. }) if of == pid));
        // Had another one been faster, it would be refused.
        fs::remove_file(directory.join(COLLECTOR_LOCK)).unwrap();
        let second = open().unwrap();
        assert!(matches!(first.hold(), Err(SpoolError::Busy { .. })));
        drop(second);
        first.hold().unwrap();
        assert!(open().is_err());
    }

    #[test]
    fn only_directories_are_taken() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(
            Spool::open(&file, NAMING, FileFormat::default()),
            Err(SpoolError::NotDirectory(_))
        ));
        assert!(matches!(
            Spool::open(&directory.path().join("no"), NAMING, FileFormat::default()),
            Err(SpoolError::Missing(_))
        ));
    }

    #[test]
    fn names_carry_the_offset_on_request() {
        let naming = Naming { with_offset: true, ..NAMING };
        assert_eq!(naming.name(START_MS, 0).unwrap().to_string(), "nfcapd.202311142215+0000");
        assert_eq!(naming.name(START_MS, 1).unwrap().to_string(), "nfcapd.20231114221501+0000");
        assert!(naming.name(u64::MAX, 0).is_none());
    }
}
