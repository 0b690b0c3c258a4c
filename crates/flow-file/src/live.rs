//! What has no name of its own yet: the file being written, and the journal of its open block.
//!
//! A **journal** stands beside a working file and is called after it: `nfcapd.current.PID.journal.OFFSET`. It is a file of
//! our format without footer, and holds the first rows of the block that the working file will have at that offset. A writer
//! makes it while a block fills slowly, and removes it when the block is written. So a reader knows from the two whether the
//! rows of the journal are in the working file already ([`journaled`]), whenever the writer died and whatever it wrote last.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::error::FileError;
use crate::file::FlowFile;
use crate::name::WORKING_PREFIX;

/// Between the name of a working file and the offset of its open block.
const JOURNAL: &str = ".journal.";

/// Of names of files that are a step of a merger: all that is in them is in other files too, or will be in a moment.
const STEPS: [&[u8]; 2] = [b".merge", b".merged"];

/// How often a directory is listed again because something in it has changed meanwhile, and the pause in between. A
/// writer makes or removes a journal at most a few times a second.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(5);

/// The path of the journal of `working`, whose open block goes to `offset`.
pub fn journal_path(working: &Path, offset: u64) -> PathBuf {
    let mut name = working.as_os_str().to_owned();
    name.push(format!("{JOURNAL}{offset}"));
    name.into()
}

/// The working file to which a journal of this path belongs, and where in it its rows go; `None` for other files.
pub fn journal_of(path: &Path) -> Option<(PathBuf, u64)> {
    let (working, offset) = path.file_name()?.to_str()?.rsplit_once(JOURNAL)?;
    let is_plain = working.starts_with(WORKING_PREFIX) && offset.bytes().all(|byte| byte.is_ascii_digit());
    let offset = offset.parse().ok()?;
    is_plain.then(|| (path.with_file_name(working), offset))
}

/// Where the rows of a journal are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journaled {
    /// In the journal alone.
    Here,
    /// In the working file, too.
    Stored,
    /// A part of them is in blocks of the working file from the offset on, which do not count.
    Partly,
}

/// Where the rows of `journal` are, which holds those of the open block that `working` has at `offset`.
///
/// # Errors
/// When a block of the working file cannot be read.
pub fn journaled(working: &FlowFile, offset: u64, journal: &FlowFile) -> Result<Journaled, FileError> {
    let written = rows(working, |block| working.block_offset(block) >= offset)?;
    Ok(match written {
        0 => Journaled::Here,
        written if written >= rows(journal, |_| true)? => Journaled::Stored,
        _ => Journaled::Partly,
    })
}

fn rows(file: &FlowFile, counts: impl Fn(usize) -> bool) -> Result<u64, FileError> {
    let blocks = (0..file.block_count()).filter(|&block| counts(block));
    blocks.map(|block| Ok(file.block(block)?.rows() as u64)).sum()
}

/// A file that has no name of its own yet, and its journal, as they were at one moment.
#[derive(Debug)]
pub struct LiveFile {
    /// Which file it is, whatever it is called: device and inode.
    pub identity: (u64, u64),
    /// The file being written, or about to be named.
    pub working: FlowFile,
    /// The flows behind those.
    pub journal: Option<FlowFile>,
}

/// The files of a data directory that have no name of their own yet.
#[derive(Debug, Default)]
pub struct LiveDirectory {
    path: PathBuf,
    /// Names and inodes.
    listed: BTreeMap<OsString, u64>,
    /// In the order of their names.
    pub files: Vec<LiveFile>,
}

impl LiveDirectory {
    /// Opens them all as they are at one moment: every flow that its writer has stored is in one of them, and none in two.
    ///
    /// Files that cannot be read are left out and stand in the second part of the result.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn open(directory: &Path) -> Result<(LiveDirectory, Vec<FileError>), FileError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let listed = list(directory)?;
            let is_last = attempt == ATTEMPTS;
            let is_settled = !listed.keys().any(|name| is_step(name));
            let (files, problems, is_whole) = open_listed(directory, &listed)?;
            if is_last || (is_settled && is_whole && list(directory)? == listed) {
                return Ok((LiveDirectory { path: directory.to_owned(), listed, files }, problems));
            }
            thread::sleep(PAUSE);
        }
    }

    /// Whether the directory still has the same such files; what was read of it in between then fits to these.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn is_current(&self) -> Result<bool, FileError> {
        Ok(list(&self.path)? == self.listed)
    }
}

/// A file that can be opened again although it has another name by now, or none.
#[derive(Debug)]
pub struct HeldFile {
    file: File,
}

impl HeldFile {
    /// Holds the file of this path.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn hold(path: &Path) -> Result<HeldFile, FileError> {
        Ok(HeldFile { file: File::open(path).map_err(FileError::io(path, "open the file"))? })
    }

    /// Opens it as it is now.
    ///
    /// # Errors
    /// As [`FlowFile::open`].
    pub fn open(&self) -> Result<FlowFile, FileError> {
        FlowFile::open(Path::new(&format!("/proc/self/fd/{}", self.file.as_raw_fd())))
    }
}

/// Names and inodes of what is not named yet.
fn list(directory: &Path) -> Result<BTreeMap<OsString, u64>, FileError> {
    let failed = || FileError::io(directory, "list the directory");
    let mut listed = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(WORKING_PREFIX.as_bytes())
            && entry.file_type().is_ok_and(|kind| kind.is_file())
        {
            listed.insert(name, entry.ino());
        }
    }
    Ok(listed)
}

fn is_step(name: &OsStr) -> bool {
    STEPS.iter().any(|step| name.as_encoded_bytes().ends_with(step))
}

/// Opens what was listed; the last says whether nothing was in between two states.
fn open_listed(
    directory: &Path,
    listed: &BTreeMap<OsString, u64>,
) -> Result<(Vec<LiveFile>, Vec<FileError>, bool), FileError> {
    let (mut files, mut problems, mut is_whole) = (Vec::new(), Vec::new(), true);
    // Journals before the files that take their rows over: what was in neither then is in the journal.
    let mut journals = BTreeMap::new();
    for name in listed.keys() {
        let path = directory.join(name);
        if let Some((working, offset)) = journal_of(&path)
            && let Some(journal) = open_one(&path, &mut problems)
        {
            journals.entry(working).or_insert_with(Vec::new).push((offset, journal));
        }
    }
    for name in listed.keys() {
        let path = directory.join(name);
        if is_step(name) || journal_of(&path).is_some() {
            continue;
        }
        let Some(working) = open_one(&path, &mut problems) else { continue };
        let mut kept = None;
        for (offset, journal) in journals.remove(&path).unwrap_or_default() {
            match journaled(&working, offset, &journal)? {
                Journaled::Here => kept = Some(journal),
                Journaled::Stored => {}
                Journaled::Partly => is_whole = false,
            }
        }
        let identity = fs::metadata(&path).map_or((0, 0), |metadata| (metadata.dev(), metadata.ino()));
        files.push(LiveFile { identity, working, journal: kept });
    }
    // What a writer left that died before its file had a name again.
    files.extend(journals.into_values().flatten().map(|(_, working)| LiveFile {
        identity: (0, 0),
        working,
        journal: None,
    }));
    Ok((files, problems, is_whole))
}

/// `None` for one that is gone, or has nothing in it yet.
fn open_one(path: &Path, problems: &mut Vec<FileError>) -> Option<FlowFile> {
    match FlowFile::open(path) {
        Ok(file) => Some(file),
        Err(FileError::Empty { .. }) => None,
        Err(FileError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            problems.push(error);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Compression, FileFormat, FileTail, FileWriter, WriteOptions};
    use flow_model::{BatchBuilder, CountRule, Field, FlowBatch};

    fn create(path: &Path) -> FileWriter {
        let format = FileFormat::Columnar(Compression::Light);
        let options = WriteOptions { ident: "x".into(), format, rule: CountRule::Collected, created_ms: 5 };
        FileWriter::create(path, options).unwrap()
    }

    fn batch(ports: std::ops::Range<u64>) -> FlowBatch {
        let mut builder = BatchBuilder::new();
        for port in ports {
            builder.set(Field::SrcPort, port);
            builder.finish_row();
        }
        builder.finish()
    }

    /// Flows of a directory that have no file yet.
    fn flows(directory: &Path) -> u64 {
        let (live, problems) = LiveDirectory::open(directory).unwrap();
        assert!(problems.is_empty(), "{problems:?}");
        assert!(live.is_current().unwrap());
        let count = |file: &FlowFile| file.totals().flows;
        live.files.iter().map(|file| count(&file.working) + file.journal.as_ref().map_or(0, count)).sum()
    }

    #[test]
    fn a_journal_is_called_after_its_working_file_and_the_offset() {
        let working = Path::new("/d/nfcapd.current.7");
        let path = journal_path(working, 4096);
        assert_eq!(path, Path::new("/d/nfcapd.current.7.journal.4096"));
        assert_eq!(journal_of(&path), Some((working.to_owned(), 4096)));
        for other in [
            "nfcapd.current.7",
            "nfcapd.current.7.journal.",
            "nfcapd.current.7.journal.+1",
            "nfcapd.current.7.journal.1x",
            "nfcapd.current.7.journal.99999999999999999999",
            "nfcapd.current.7.journal.4096.orphan",
            "other.journal.5",
        ] {
            assert_eq!(journal_of(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn rows_count_once_at_every_moment_of_a_block() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("nfcapd.current.7");
        let mut working = create(&path);
        working.write(&batch(0..10)).unwrap();
        assert_eq!(flows(directory.path()), 10);
        let journal_path = journal_path(&path, working.byte_len());
        let mut journal = create(&journal_path);
        assert_eq!(flows(directory.path()), 10);
        journal.write(&batch(10..13)).unwrap();
        journal.write(&batch(13..15)).unwrap();
        assert_eq!(flows(directory.path()), 15);
        // The block has what is in the journal, and more.
        working.write(&batch(10..17)).unwrap();
        assert_eq!(flows(directory.path()), 17);
        fs::remove_file(&journal_path).unwrap();
        assert_eq!(flows(directory.path()), 17);
        // One that is finished and not named yet counts, a step of a merger does not.
        working.finish(FileTail::default()).unwrap();
        fs::rename(&path, directory.path().join("nfcapd.current.7.1")).unwrap();
        assert_eq!(flows(directory.path()), 17);
    }

    #[test]
    fn a_journal_whose_working_file_is_gone_counts() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = create(&directory.path().join("nfcapd.current.7.journal.40"));
        journal.write(&batch(0..3)).unwrap();
        assert_eq!(flows(directory.path()), 3);
    }

    #[test]
    fn blocks_that_are_not_all_there_do_not_count() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("a"), directory.path().join("b"));
        let mut working = create(&path);
        let offset = working.byte_len();
        let mut journal = create(&other);
        journal.write(&batch(0..5)).unwrap();
        let rule = || journaled(&FlowFile::open(&path).unwrap(), offset, &FlowFile::open(&other).unwrap());
        assert_eq!(rule().unwrap(), Journaled::Here);
        working.write(&batch(0..3)).unwrap();
        assert_eq!(rule().unwrap(), Journaled::Partly);
        working.write(&batch(3..6)).unwrap();
        assert_eq!(rule().unwrap(), Journaled::Stored);
    }

    #[test]
    fn a_held_file_is_read_on_under_another_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("nfcapd.current.7");
        let mut working = create(&path);
        let held = HeldFile::hold(&path).unwrap();
        fs::rename(&path, directory.path().join("nfcapd.200001010000")).unwrap();
        working.write(&batch(0..3)).unwrap();
        assert_eq!(held.open().unwrap().totals().flows, 3);
    }
}
