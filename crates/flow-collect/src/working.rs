//! A source's file while it is being written: blocks, and the journal of the open one.
//!
//! Flows come in full blocks, or, from a source that sends little, about once a second. Those of a block that is not full
//! yet are kept, and at the same time appended to a [journal](flow_file::journal_path), so that they outlive us. When
//! the block is written the journal goes.
//!
//! Where something cannot be written (the disk is full, the directory is gone), flows are kept up to a block, and tried
//! again with what comes next. Only what exceeds that is lost, and counted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flow_file::{Compression, FileError, FileFormat, FileWriter, WriteOptions, journal_path};
use flow_model::{BatchBuilder, CountRule, FlowBatch, MAX_BATCH_ROWS, Selection};

use crate::counters::{Counters, count};
use crate::file::Origins;
use crate::log::Log;
use crate::source::Source;

/// A block is written, rather than kept, from this many rows on: waiting for more would save little.
const ENOUGH_ROWS: usize = MAX_BATCH_ROWS / 2;

/// A block that is kept is written when its rows occupy this much: flows with long strings.
const ENOUGH_OCTETS: usize = 32 << 20;

/// What the files of all sources have in common.
pub(crate) struct Press {
    pub(crate) log: Arc<Log>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) format: FileFormat,
    /// Wait for the disk with every block and every entry of a journal.
    pub(crate) sync: bool,
}

/// A source's file being written.
pub(crate) struct Working {
    source: Arc<Source>,
    press: Arc<Press>,
    created_ms: u64,
    origins: Origins,
    file: Option<FileWriter>,
    /// Flows of the block that is not full yet.
    kept: BatchBuilder,
    journal: Option<FileWriter>,
    /// Files closed so far.
    closed: u64,
    /// Flows of this slot that could not be written.
    lost: u64,
}

/// A file that is complete but for its end.
pub(crate) struct Closed {
    pub(crate) writer: FileWriter,
    pub(crate) path: PathBuf,
    /// Flows of the slot that are not in it.
    pub(crate) lost: u64,
}

impl Working {
    pub(crate) fn new(source: Arc<Source>, press: Arc<Press>) -> Working {
        Working {
            source,
            press,
            created_ms: 0,
            origins: Origins::default(),
            file: None,
            kept: BatchBuilder::new(),
            journal: None,
            closed: 0,
            lost: 0,
        }
    }

    /// Begins a slot.
    pub(crate) fn open(&mut self, created_ms: u64) -> Result<(), FileError> {
        self.created_ms = created_ms;
        self.origins = Origins::default();
        self.have_file()
    }

    /// Says whom the flows to come are from.
    pub(crate) fn set_origins(&mut self, origins: Origins) {
        self.origins = origins;
    }

    /// Takes flows of a block that is not full yet.
    pub(crate) fn take(&mut self, batch: &FlowBatch) -> Result<(), FileError> {
        if batch.len() >= ENOUGH_ROWS {
            return self.complete(batch);
        }
        let made_room = self.make_room(batch.len());
        self.keep(batch);
        if self.kept.len() >= ENOUGH_ROWS || self.memory() >= ENOUGH_OCTETS {
            return made_room.and(self.write_kept());
        }
        made_room.and(self.write_journal(batch))
    }

    /// Takes the last flows of a block.
    pub(crate) fn complete(&mut self, batch: &FlowBatch) -> Result<(), FileError> {
        let made_room = self.make_room(batch.len());
        if !self.kept.is_empty() {
            self.keep(batch);
            return self.write_kept();
        }
        let result = self.write(batch);
        if result.is_err() {
            self.keep(batch);
        }
        made_room.and(result)
    }

    /// Writes the block although it is not full.
    pub(crate) fn write_kept(&mut self) -> Result<(), FileError> {
        if self.kept.is_empty() {
            return Ok(());
        }
        let batch = self.kept.finish();
        let result = self.write(&batch);
        if result.is_err() {
            self.keep(&batch);
        } else if batch.len() >= ENOUGH_ROWS {
            self.kept.recycle(batch);
        } else {
            // Sources that send little do not keep the memory of a whole block.
            self.kept = BatchBuilder::new();
        }
        result
    }

    /// Octets of the flows that are in no block yet, about.
    pub(crate) fn memory(&self) -> usize {
        if self.kept.is_empty() { 0 } else { self.kept.memory() }
    }

    /// Ends the slot, and makes way for the next one's file. Flows that cannot be written now are lost.
    pub(crate) fn close(&mut self) -> Result<Closed, FileError> {
        self.closed += 1;
        let written = self.write_kept();
        self.give_up();
        if let Err(error) = written.and_then(|()| self.have_file()) {
            self.lost = 0;
            return Err(error);
        }
        let working = self.source.spool.working_path();
        let writer = self.file.take().ok_or_else(|| gone(&working))?;
        let waiting = self.source.spool.waiting_path(self.closed);
        let path = match fs::rename(&working, &waiting) {
            Ok(()) => waiting,
            Err(error) => {
                self.press.log.error(format_args!("{}: cannot rename to it: {error}", waiting.display()));
                working
            }
        };
        Ok(Closed { writer, path, lost: std::mem::take(&mut self.lost) })
    }

    /// Writes what is kept, when this many rows more are too many for one block; what cannot be written then is lost.
    fn make_room(&mut self, rows: usize) -> Result<(), FileError> {
        if self.kept.len() + rows <= MAX_BATCH_ROWS {
            return Ok(());
        }
        let result = self.write_kept();
        self.give_up();
        result
    }

    fn keep(&mut self, batch: &FlowBatch) {
        self.kept.append(batch, &Selection::all(batch.len()));
    }

    /// Counts what is kept as lost.
    fn give_up(&mut self) {
        if !self.kept.is_empty() {
            self.lose(self.kept.len() as u64);
            self.kept = BatchBuilder::new();
            self.drop_journal();
        }
    }

    fn lose(&mut self, flows: u64) {
        self.lost += flows;
        count(&self.press.counters.lost_flows, flows);
    }

    /// Appends a block to the file. The journal goes then: its rows are in the block.
    fn write(&mut self, batch: &FlowBatch) -> Result<(), FileError> {
        self.have_file()?;
        let Working { file, origins, .. } = self;
        let file = file.as_mut().ok_or_else(|| gone(Path::new("")))?;
        let Origins { exporters, samplers, names } = origins;
        file.announce(exporters, samplers, names)?;
        file.write(batch)?;
        if self.press.sync {
            file.sync()?;
        }
        count(&self.press.counters.blocks, 1);
        self.drop_journal();
        Ok(())
    }

    /// Appends rows to the journal, which is made anew with all that are kept if there is none.
    fn write_journal(&mut self, batch: &FlowBatch) -> Result<(), FileError> {
        self.have_file()?;
        if self.journal.as_ref().is_some_and(|journal| is_gone(journal.path())) {
            self.journal = None;
        }
        let mut result = if let Some(journal) = &mut self.journal {
            journal.write(batch)
        } else {
            let offset = self.file.as_ref().map_or(0, FileWriter::byte_len);
            let path = journal_path(&self.source.spool.working_path(), offset);
            let all = self.kept.finish();
            self.keep(&all);
            let created = self.create(&path, FileFormat::Columnar(Compression::Light));
            created.and_then(|journal| self.journal.insert(journal).write(&all))
        };
        if let Some(journal) = &self.journal
            && self.press.sync
        {
            result = result.and_then(|()| journal.sync());
        }
        if result.is_err() {
            self.drop_journal();
        }
        result
    }

    fn drop_journal(&mut self) {
        if let Some(journal) = self.journal.take()
            && let Err(error) = fs::remove_file(journal.path())
            && error.kind() != io::ErrorKind::NotFound
        {
            // The next start knows from the file that these rows are in it.
            self.press.log.error(format_args!("{}: cannot remove it: {error}", journal.path().display()));
        }
    }

    /// Makes sure that there is a file. Where it could not be created, or somebody has removed it, tries again.
    fn have_file(&mut self) -> Result<(), FileError> {
        let path = self.source.spool.working_path();
        if let Some(file) = &self.file {
            if !is_gone(&path) {
                return Ok(());
            }
            let flows = file.totals().flows;
            (self.file, self.journal) = (None, None);
            self.lose(flows);
        }
        if path.exists() {
            // It could not be renamed when its slot ended, and the filing thread has not done with it yet.
            let cause = Arc::new(io::ErrorKind::AlreadyExists.into());
            return Err(FileError::Io { path, action: "create the file", cause });
        }
        if let Err(error) = self.source.spool.hold() {
            let cause = Arc::new(io::Error::other(error));
            return Err(FileError::Io { path, action: "create the file", cause });
        }
        self.file = Some(self.create(&path, self.press.format)?);
        Ok(())
    }

    fn create(&self, path: &Path, format: FileFormat) -> Result<FileWriter, FileError> {
        let (ident, rule) = (self.source.ident.clone(), CountRule::Collected);
        FileWriter::create(path, WriteOptions { ident, format, rule, created_ms: self.created_ms })
    }
}

fn is_gone(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn gone(path: &Path) -> FileError {
    let cause = Arc::new(io::ErrorKind::NotFound.into());
    FileError::Io { path: path.to_owned(), action: "find the file", cause }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::{Naming, Spool, Zone};
    use chrono::FixedOffset;
    use flow_file::{FlowFile, LiveDirectory, SubDir};
    use flow_model::Field;
    use std::sync::atomic::Ordering;
    use tempfile::TempDir;

    fn working(directory: &TempDir) -> Working {
        let zone = Zone::Fixed(FixedOffset::east_opt(0).unwrap());
        let naming = Naming { interval_s: 300, layout: SubDir::Flat, zone, with_offset: false };
        let spool = Spool::open(directory.path(), naming, FileFormat::default()).unwrap();
        let source = Arc::new(Source { number: 0, ident: "x".to_owned(), spool });
        let (log, counters) = (Arc::new(Log::to_memory()), Arc::default());
        let press = Arc::new(Press { log, counters, format: FileFormat::default(), sync: true });
        let mut working = Working::new(source, press);
        working.open(1_700_000_100_000).unwrap();
        working
    }

    fn batch(flows: usize) -> FlowBatch {
        let mut builder = BatchBuilder::new();
        for flow in 0..flows {
            builder.set(Field::SrcPort, flow as u64);
            builder.finish_row();
        }
        builder.finish()
    }

    /// Blocks of the file, its flows, and those of the journal.
    fn stored(directory: &TempDir) -> (usize, u64, u64) {
        let (live, problems) = LiveDirectory::open(directory.path()).unwrap();
        assert!(problems.is_empty(), "{problems:?}");
        let [file] = live.files.as_slice() else { panic!("{} files", live.files.len()) };
        let journal = file.journal.as_ref().map_or(0, |journal| journal.totals().flows);
        (file.working.block_count(), file.working.totals().flows, journal)
    }

    fn lost(working: &Working) -> u64 {
        working.press.counters.lost_flows.load(Ordering::Relaxed)
    }

    #[test]
    fn flows_are_in_the_journal_until_their_block_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let mut working = working(&directory);
        for (flows, expected) in [
            (10, (0, 0, 10)),
            (20, (0, 0, 30)),
            (ENOUGH_ROWS - 31, (0, 0, ENOUGH_ROWS as u64 - 1)),
            (1, (1, ENOUGH_ROWS as u64, 0)),
            (5, (1, ENOUGH_ROWS as u64, 5)),
            // Too many for one block.
            (ENOUGH_ROWS, (2, 2 * ENOUGH_ROWS as u64 + 5, 0)),
        ] {
            working.take(&batch(flows)).unwrap();
            assert_eq!(stored(&directory), expected, "{flows}");
        }
        working.take(&batch(7)).unwrap();
        working.complete(&batch(3)).unwrap();
        assert_eq!(stored(&directory), (3, 2 * ENOUGH_ROWS as u64 + 15, 0));
        working.take(&batch(4)).unwrap();
        let closed = working.close().unwrap();
        assert_eq!((closed.writer.totals().flows, closed.lost), (2 * ENOUGH_ROWS as u64 + 19, 0));
        assert_eq!(FlowFile::open(&closed.path).unwrap().block_count(), 4);
    }

    #[test]
    fn two_batches_that_are_too_many_for_a_block_are_two() {
        let directory = tempfile::tempdir().unwrap();
        let mut working = working(&directory);
        working.take(&batch(ENOUGH_ROWS - 1)).unwrap();
        working.complete(&batch(MAX_BATCH_ROWS - 5)).unwrap();
        assert_eq!(stored(&directory), (2, (ENOUGH_ROWS + MAX_BATCH_ROWS) as u64 - 6, 0));
    }

    #[test]
    fn what_cannot_be_written_is_kept_up_to_a_block() {
        let directory = tempfile::tempdir().unwrap();
        let mut working = working(&directory);
        working.take(&batch(100)).unwrap();
        working.complete(&batch(0)).unwrap();
        let path = working.source.spool.working_path();
        // Nothing can be created where the directory is no directory.
        let aside = tempfile::tempdir().unwrap();
        let moved = aside.path().join("moved");
        fs::rename(directory.path(), &moved).unwrap();
        working.take(&batch(10)).unwrap_err();
        assert_eq!(lost(&working), 100, "the file is gone with its flows");
        working.take(&batch(20)).unwrap_err();
        working.complete(&batch(MAX_BATCH_ROWS - 30)).unwrap_err();
        assert_eq!(lost(&working), 100);
        working.take(&batch(1)).unwrap_err();
        assert_eq!(lost(&working), 100 + MAX_BATCH_ROWS as u64);
        fs::create_dir(directory.path()).unwrap();
        working.take(&batch(2)).unwrap();
        assert_eq!(stored(&directory), (0, 0, 3));
        let closed = working.close().unwrap();
        assert_eq!((closed.lost, closed.writer.totals().flows), (100 + MAX_BATCH_ROWS as u64, 3));
        assert!(!path.exists());
    }

    #[test]
    fn a_journal_that_somebody_removed_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let mut working = working(&directory);
        working.take(&batch(10)).unwrap();
        fs::remove_file(working.journal.as_ref().unwrap().path()).unwrap();
        working.take(&batch(5)).unwrap();
        assert_eq!(stored(&directory), (0, 0, 15));
    }
}
