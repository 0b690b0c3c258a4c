//! The book-keeping file `.nfstat`, as nfexpire reads and writes it.
//!
//! One `key=value` a line with decimal numbers, lines with `#` in front, mode 0644, guarded by an fcntl write
//! lock for the whole run of whoever uses it. Only the limits in it decide anything here: sizes and times
//! are taken from the directory itself, so that a lost or wrong file cannot delete too much.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;

use crate::error::RetainError;
use crate::inventory::StoredFile;
use crate::plan::Limits;

/// The name of the file in its directory.
const STAT_FILE_NAME: &str = ".nfstat";

/// A longer file is not ours: nfexpire refuses it too.
const MAX_STAT_BYTES: u64 = 1 << 20;

/// nfexpire's low-water mark when none has been set.
const DEFAULT_WATERMARK: u64 = 95;

/// The state of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatStatus {
    /// The counts fit the directory.
    Ok,
    /// The directory has to be scanned before the counts are used.
    ForceRebuild,
}

/// The contents of `.nfstat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatRecord {
    /// Time of the oldest file, seconds since 1970 UTC.
    pub first_s: i64,
    /// Time of the newest file, seconds since 1970 UTC.
    pub last_s: i64,
    /// What the files occupy on disk.
    pub size_bytes: u64,
    /// The size limit; 0 = none.
    pub max_bytes: u64,
    /// How many files there are.
    pub file_count: u64,
    /// The age limit; 0 = none.
    pub lifetime_s: u64,
    /// The low-water mark in percent; 0 = not set.
    pub watermark: u64,
    /// Whether the counts can be used.
    pub status: StatStatus,
    /// Lines that mean nothing to us, kept as they are.
    pub other_lines: Vec<String>,
}

impl StatRecord {
    /// A record without limits and counts.
    pub(crate) fn empty() -> Self {
        StatRecord {
            first_s: 0,
            last_s: 0,
            size_bytes: 0,
            max_bytes: 0,
            file_count: 0,
            lifetime_s: 0,
            watermark: 0,
            status: StatStatus::ForceRebuild,
            other_lines: Vec::new(),
        }
    }

    /// The limits, with the default low-water mark if none is set.
    pub fn limits(&self) -> Limits {
        let watermark = if self.watermark == 0 { DEFAULT_WATERMARK } else { self.watermark };
        Limits {
            max_bytes: self.max_bytes,
            max_age_s: self.lifetime_s,
            missing_bytes: 0,
            low_water_percent: u8::try_from(watermark.min(100)).unwrap_or(100),
        }
    }

    /// Sets the default low-water mark if none is set.
    pub(crate) fn default_watermark(&mut self) {
        if self.watermark == 0 {
            self.watermark = DEFAULT_WATERMARK;
        }
    }

    /// Takes the counts of files, oldest first. Without files the times are now and the next run of nfexpire is
    /// asked to look again, as nfexpire does.
    pub(crate) fn count<'f>(&mut self, files: impl IntoIterator<Item = &'f StoredFile>, now_s: i64) {
        (self.first_s, self.last_s, self.status) = (now_s, now_s, StatStatus::ForceRebuild);
        (self.size_bytes, self.file_count) = (0, 0);
        for file in files {
            if self.file_count == 0 {
                self.first_s = file.start_s;
            }
            (self.last_s, self.status) = (file.start_s, StatStatus::Ok);
            self.size_bytes = self.size_bytes.saturating_add(file.allocated_bytes);
            self.file_count += 1;
        }
    }

    /// Reads the text of a file. Lines that are no `key=value` are given back and end up nowhere; a value
    /// that is no number counts as such a line and leaves the key at 0, which for a limit means none.
    pub(crate) fn parse(text: &str) -> (Self, Vec<String>) {
        let mut record = Self::empty();
        let mut invalid = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if line.starts_with('#') {
                record.other_lines.push(line.to_owned());
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                invalid.push(line.to_owned());
                continue;
            };
            let number = value.trim().parse::<u64>();
            let target = match key.trim() {
                "first" | "last" => None,
                "size" => Some(&mut record.size_bytes),
                "maxsize" => Some(&mut record.max_bytes),
                "numfiles" => Some(&mut record.file_count),
                "lifetime" => Some(&mut record.lifetime_s),
                "watermark" => Some(&mut record.watermark),
                "status" => {
                    record.status = if number == Ok(0) { StatStatus::Ok } else { StatStatus::ForceRebuild };
                    continue;
                }
                _ => {
                    record.other_lines.push(line.to_owned());
                    continue;
                }
            };
            match (target, number) {
                (Some(target), Ok(number)) => *target = number,
                (None, Ok(number)) => {
                    let time_s = i64::try_from(number).unwrap_or(i64::MAX);
                    *(if key.trim() == "first" { &mut record.first_s } else { &mut record.last_s }) = time_s;
                }
                (_, Err(_)) => invalid.push(line.to_owned()),
            }
        }
        if !invalid.is_empty() {
            record.status = StatStatus::ForceRebuild;
        }
        (record, invalid)
    }

    /// The text of the file, keys in nfexpire's order.
    pub(crate) fn to_text(&self) -> String {
        let status = match self.status {
            StatStatus::Ok => 0,
            StatStatus::ForceRebuild => 3,
        };
        let mut text = String::new();
        for (key, value) in [
            ("first", self.first_s.max(0).cast_unsigned()),
            ("last", self.last_s.max(0).cast_unsigned()),
            ("size", self.size_bytes),
            ("maxsize", self.max_bytes),
            ("numfiles", self.file_count),
            ("lifetime", self.lifetime_s),
            ("watermark", self.watermark),
            ("status", status),
        ] {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{key}={value}");
        }
        for line in &self.other_lines {
            let _ = writeln!(text, "{line}");
        }
        text
    }
}

/// What is locked.
const WHOLE_FILE: libc::flock = libc::flock {
    l_type: libc::F_WRLCK as libc::c_short,
    l_whence: libc::SEEK_SET as libc::c_short,
    l_start: 0,
    l_len: 0,
    l_pid: 0,
};

/// The open and locked file. The lock is the process's: another descriptor of this process on the same file
/// would take it away when closed.
#[derive(Debug)]
pub(crate) struct StatFile {
    path: PathBuf,
    file: File,
}

impl StatFile {
    /// Opens the file of a directory, made if missing, and waits for its lock.
    pub(crate) fn lock(base: &Path) -> Result<Self, RetainError> {
        let file = StatFile::open(base, true)?;
        loop {
            match fcntl(&file.file, FcntlArg::F_SETLKW(&WHOLE_FILE)) {
                Ok(_) => return Ok(file),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(file.error("locking", errno.into())),
            }
        }
    }

    /// Opens the file of a directory, if there is one, and locks it, unless somebody else has (`Err(())`).
    pub(crate) fn try_lock(base: &Path) -> Result<Option<Result<Self, ()>>, RetainError> {
        if !base.join(STAT_FILE_NAME).exists() {
            return Ok(None);
        }
        let file = StatFile::open(base, false)?;
        match fcntl(&file.file, FcntlArg::F_SETLK(&WHOLE_FILE)) {
            Ok(_) => Ok(Some(Ok(file))),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(Some(Err(()))),
            Err(errno) => Err(file.error("locking", errno.into())),
        }
    }

    fn open(base: &Path, create: bool) -> Result<Self, RetainError> {
        let path = base.join(STAT_FILE_NAME);
        // A link in a directory that others can write to must not lead us to another file, nor a pipe
        // keep us waiting.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(create)
            .truncate(false)
            .mode(0o644)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).bits())
            .open(&path)
            .map_err(|source| open_error(&path, source))?;
        check_kind(&path, &file)?;
        Ok(StatFile { path, file })
    }

    /// The text of a directory's file without making or locking it; empty when there is none.
    pub(crate) fn peek(base: &Path) -> Result<String, RetainError> {
        let path = base.join(STAT_FILE_NAME);
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).bits())
            .open(&path);
        match opened {
            Ok(file) => {
                check_kind(&path, &file)?;
                StatFile { path, file }.read()
            }
            Err(source) if source.kind() == ErrorKind::NotFound => Ok(String::new()),
            Err(source) => Err(open_error(&path, source)),
        }
    }

    /// The text of the file; bytes that are no UTF-8 make invalid lines.
    pub(crate) fn read(&mut self) -> Result<String, RetainError> {
        let mut bytes = Vec::new();
        let read = self.file.seek(SeekFrom::Start(0)).and_then(|_| {
            // One byte more than allowed tells that there are more.
            (&self.file).take(MAX_STAT_BYTES + 1).read_to_end(&mut bytes)
        });
        read.map_err(|source| self.error("reading", source))?;
        if bytes.len() as u64 > MAX_STAT_BYTES {
            let len_bytes = self.file.metadata().map_or(MAX_STAT_BYTES + 1, |metadata| metadata.len());
            return Err(RetainError::StatFileSize {
                path: self.path.clone(),
                len_bytes,
                max_bytes: MAX_STAT_BYTES,
            });
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Replaces the text: in place, because the lock belongs to the file, and in one write. What a crash
    /// could leave of a longer old text comes after all keys and asks for a rebuild at most.
    pub(crate) fn write(&mut self, record: &StatRecord) -> Result<(), RetainError> {
        let text = record.to_text();
        let written = self
            .file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.write_all(text.as_bytes()))
            .and_then(|()| self.file.set_len(text.len() as u64));
        written.map_err(|source| self.error("writing", source))
    }

    fn error(&self, action: &'static str, source: io::Error) -> RetainError {
        RetainError::StatFile { action, path: self.path.clone(), source }
    }
}

fn check_kind(path: &Path, file: &File) -> Result<(), RetainError> {
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err(RetainError::StatFileKind { path: path.to_owned() }),
        Err(source) => Err(RetainError::StatFile { action: "reading", path: path.to_owned(), source }),
    }
}

fn open_error(path: &Path, source: io::Error) -> RetainError {
    match source.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ELOOP | Errno::EISDIR) => RetainError::StatFileKind { path: path.to_owned() },
        _ => RetainError::StatFile { action: "opening", path: path.to_owned(), source },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    const TEXT: &str = "first=1795467600\nlast=1795500000\nsize=40960\nmaxsize=0\nnumfiles=10\n\
                        lifetime=432000\nwatermark=100\nstatus=0\n";

    #[test]
    fn reads_and_writes_what_nfexpire_writes() {
        let (record, invalid) = StatRecord::parse(TEXT);
        assert_eq!(invalid, Vec::<String>::new());
        assert_eq!(
            record,
            StatRecord {
                first_s: 1_795_467_600,
                last_s: 1_795_500_000,
                size_bytes: 40_960,
                max_bytes: 0,
                file_count: 10,
                lifetime_s: 432_000,
                watermark: 100,
                status: StatStatus::Ok,
                other_lines: Vec::new(),
            }
        );
        assert_eq!(record.to_text(), TEXT);
        let (rebuild, _) = StatRecord::parse(&TEXT.replace("status=0", "status=3"));
        assert_eq!(rebuild.status, StatStatus::ForceRebuild);
    }

    #[test]
    fn keeps_unknown_keys_and_comments() {
        let text = format!("{TEXT}# ours\nquota=7\n");
        let (record, invalid) = StatRecord::parse(&text);
        assert_eq!(invalid, Vec::<String>::new());
        assert_eq!(record.to_text(), text);
    }

    #[test]
    fn a_wrong_line_never_makes_a_limit() {
        let text = TEXT.replace("lifetime=432000", "lifetime=5x").replace("maxsize=0", "maxsize=-1");
        let (record, invalid) = StatRecord::parse(&format!("{text}junk\n"));
        assert_eq!(invalid, ["maxsize=-1", "lifetime=5x", "junk"]);
        assert_eq!((record.max_bytes, record.lifetime_s), (0, 0));
        assert_eq!(record.status, StatStatus::ForceRebuild);
        let (record, _) = StatRecord::parse("watermark=500\nfirst=18446744073709551615\n");
        assert_eq!(record.limits().low_water_percent, 100);
        assert_eq!(StatRecord::empty().limits().low_water_percent, 95);
    }

    #[test]
    fn a_shorter_text_replaces_a_longer_one() {
        let base = TempDir::new().unwrap();
        fs::write(base.path().join(STAT_FILE_NAME), format!("{TEXT}{}", "x".repeat(5000))).unwrap();
        let mut file = StatFile::lock(base.path()).unwrap();
        assert_eq!(file.read().unwrap().len(), TEXT.len() + 5000);
        let (record, _) = StatRecord::parse(TEXT);
        file.write(&record).unwrap();
        assert_eq!(file.read().unwrap(), TEXT);
        assert_eq!(StatFile::peek(base.path()).unwrap(), TEXT);
    }

    #[test]
    fn refuses_what_is_no_such_file() {
        let base = TempDir::new().unwrap();
        let path = base.path().join(STAT_FILE_NAME);
        symlink(base.path().join("target"), &path).unwrap();
        assert!(matches!(StatFile::lock(base.path()), Err(RetainError::StatFileKind { .. })));
        assert!(matches!(StatFile::peek(base.path()), Err(RetainError::StatFileKind { .. })));
        assert!(!base.path().join("target").exists());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(StatFile::lock(base.path()), Err(RetainError::StatFileKind { .. })));
        fs::remove_dir(&path).unwrap();
        File::create(&path).unwrap().set_len(MAX_STAT_BYTES + 5).unwrap();
        let error = StatFile::lock(base.path()).unwrap().read().unwrap_err();
        assert!(
            matches!(error, RetainError::StatFileSize { len_bytes, .. } if len_bytes == MAX_STAT_BYTES + 5)
        );
    }

    #[test]
    fn peeking_makes_nothing() {
        let base = TempDir::new().unwrap();
        assert_eq!(StatFile::peek(base.path()).unwrap(), "");
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 0);
    }
}
