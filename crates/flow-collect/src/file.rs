//! Blocks to disk: the writer thread, which appends them to the working file, and the filing thread, which
//! finishes files and puts them under their names.
//!
//! Two threads, so that a slow finish (fsync, a merger) does not keep the next slot's blocks waiting.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::UNIX_EPOCH;

use flow_file::{
    FileError, FileFormat, FileTail, FileWriter, Finished, FlowFile, StateImage, WriteOptions, merge_files,
};
use flow_model::{ExporterInfo, FlowBatch, LossLedger, NameInfo, SamplerInfo, Totals};

use crate::counters::count;
use crate::follow_up::FollowUp;
use crate::log::Log;
use crate::slot::Slots;
use crate::source::Source;
use crate::spool::{Filed, FilingError, scratch_path};
use crate::working::{Closed, Press, Working};

/// Blocks that may wait for the disk. Each is a few megabytes; flows of sources that send little are far less, and many of
/// these come at once.
pub(crate) const BLOCK_QUEUE_LEN: usize = 8;

/// Blocks whose memory is kept for the next ones.
pub(crate) const KEPT_BLOCKS: usize = 2;

/// Files that may wait to be finished, besides one of each source.
pub(crate) const FILING_QUEUE_LEN: usize = 64;

/// What the writer is told, and for which source.
pub(crate) struct SourceJob {
    pub(crate) source: Arc<Source>,
    pub(crate) job: Job,
}

/// What the writer is told about a source.
pub(crate) enum Job {
    /// A slot begins.
    Open {
        /// ms since 1970.
        created_ms: u64,
    },
    /// Whoever the flows to come are from.
    Origins(Origins),
    /// Flows of a block that is not full yet.
    Rows(FlowBatch),
    /// The last flows of a block.
    Block(FlowBatch),
    /// It ends.
    Close(Box<SlotEnd>),
}

/// Exporters, their samplers, and the names that they announced.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Origins {
    pub(crate) exporters: Vec<ExporterInfo>,
    pub(crate) samplers: Vec<SamplerInfo>,
    pub(crate) names: Vec<NameInfo>,
}

/// What is known about a slot when it ends.
pub(crate) struct SlotEnd {
    /// ms since 1970.
    pub(crate) start_ms: u64,
    /// For the end of the file.
    pub(crate) tail: FileTail,
    /// Datagrams with something wrong.
    pub(crate) bad_datagrams: u64,
    /// What the next run should know of exporters, when that is news.
    pub(crate) state: Option<StateImage>,
}

/// What the filing thread is told: a slot has ended.
pub(crate) struct Filing {
    source: Arc<Source>,
    writer: FileWriter,
    path: PathBuf,
    end: Box<SlotEnd>,
}

/// What the flows of all sources that are kept until their block is full may occupy together, about. Beyond, the largest
/// blocks are written before they are full.
const MAX_KEPT_MEMORY: usize = 256 << 20;

/// Appends flows to the working files of all sources.
pub(crate) struct BlockWriter {
    pub(crate) press: Arc<Press>,
    pub(crate) filing: SyncSender<Box<Filing>>,
    /// Where batches go when they are written, so that their memory is used again.
    pub(crate) written: SyncSender<FlowBatch>,
}

/// The writer's view of a source.
struct Desk {
    working: Working,
    memory: usize,
    /// One message for a row of failures.
    is_failing: bool,
}

impl BlockWriter {
    /// Works until nobody has jobs any more.
    pub(crate) fn run(self, jobs: &Receiver<SourceJob>) {
        let mut desks: HashMap<usize, Desk> = HashMap::new();
        let mut memory = 0;
        for SourceJob { source, job } in jobs {
            let desk = desks.entry(source.number).or_insert_with(|| Desk {
                working: Working::new(Arc::clone(&source), Arc::clone(&self.press)),
                memory: 0,
                is_failing: false,
            });
            let result = self.work(&source, &mut desk.working, job);
            desk.report(&source, result, &self.press.log);
            memory -= std::mem::replace(&mut desk.memory, desk.working.memory());
            memory += desk.memory;
            if memory > MAX_KEPT_MEMORY
                && let Some(largest) = desks.values_mut().max_by_key(|desk| desk.memory)
            {
                // Should it fail, the next flows of this source say so.
                let _ = largest.working.write_kept();
                memory -= std::mem::replace(&mut largest.memory, largest.working.memory());
                memory += largest.memory;
            }
        }
    }

    fn work(&self, source: &Arc<Source>, working: &mut Working, job: Job) -> Result<(), FileError> {
        let (result, batch) = match job {
            Job::Open { created_ms } => return working.open(created_ms),
            Job::Origins(known) => {
                working.set_origins(known);
                return Ok(());
            }
            Job::Rows(batch) => (working.take(&batch), batch),
            Job::Block(batch) => (working.complete(&batch), batch),
            Job::Close(mut end) => {
                let Closed { writer, path, lost } = working.close()?;
                end.tail.ledger.unwritten += lost;
                let filing = Filing { source: Arc::clone(source), writer, path, end };
                // If the filing thread is gone, so is the process.
                let _ = self.filing.send(Box::new(filing));
                return Ok(());
            }
        };
        // If enough are waiting for reuse, this one is not needed.
        let _ = self.written.try_send(batch);
        result
    }
}

impl Desk {
    fn report(&mut self, source: &Source, result: Result<(), FileError>, log: &Log) {
        let ident = &source.ident;
        match result {
            Ok(()) if self.is_failing => {
                self.is_failing = false;
                log.info(format_args!("Ident: '{ident}' flows are written again"));
            }
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                log.error(format_args!("Ident: '{ident}' flows cannot be written: {error}"));
            }
            _ => {}
        }
    }
}

/// A file that waits to be put under its name.
pub(crate) struct Leftover {
    pub(crate) source: Arc<Source>,
    pub(crate) path: PathBuf,
}

/// Files that are finished at the same time. Most of it is waiting for the disk, which does for many what it does for one.
const FILED_AT_ONCE: usize = 256;

/// Threads that do so.
const FILING_THREADS: usize = 16;

/// Finishes files and puts them under their names.
pub(crate) struct Filer {
    pub(crate) log: Arc<Log>,
    pub(crate) interval_s: u32,
    pub(crate) format: FileFormat,
    /// What follows when a file has its name.
    pub(crate) follow_up: FollowUp,
}

impl Filer {
    /// Files what predecessors left, and then what it is given, until nobody gives it more. Returns how many
    /// files it could not file; they wait for the next start.
    pub(crate) fn run(mut self, leftovers: Vec<Leftover>, filings: &Receiver<Box<Filing>>) -> u64 {
        for orphan in &leftovers {
            self.adopt(orphan);
        }
        drop(leftovers);
        let mut unfiled = Vec::new();
        let mut next = None;
        while let Some(first) = next.take().or_else(|| filings.recv().ok().map(|filing| *filing)) {
            let batch;
            (batch, next) = gather(first, filings);
            // What failed earlier may succeed now: there may be room on the disk again.
            let sources: HashSet<usize> = batch.iter().map(|filing| filing.source.number).collect();
            unfiled.retain(|leftover: &Leftover| {
                !sources.contains(&leftover.source.number) || !self.adopt(leftover)
            });
            for done in file_all(batch, &self.log) {
                self.conclude(done, &mut unfiled);
            }
        }
        self.follow_up.finish();
        unfiled.len() as u64
    }

    /// What follows when it has been tried to file a file.
    fn conclude(&mut self, done: Done, unfiled: &mut Vec<Leftover>) {
        let Done { source, start_ms, result, saved } = done;
        match result {
            Ok((filed, lines)) => {
                self.follow_up.filed(&source, &filed, start_ms);
                for line in &lines {
                    self.log.info(line);
                }
            }
            Err((error, path)) => {
                self.log.error(format_args!("{error}; kept as {}", path.display()));
                unfiled.push(Leftover { source, path });
            }
        }
        if let Err(error) = saved {
            count(&self.follow_up.counters.state_failures, 1);
            self.log.error(format_args!("what is known of exporters is not saved: {error}"));
        }
    }

    /// Finishes and files what a dead predecessor left, or says why not.
    fn adopt(&mut self, orphan: &Leftover) -> bool {
        let name = orphan.path.display();
        match self.try_adopt(orphan) {
            Ok(Some((flows, filed))) => {
                self.log.info(format_args!("Adopted {name}: {flows} flows, filed {filed}"));
            }
            Ok(None) => self.log.info(format_args!("Removed {name}: nothing in it")),
            Err(error) => {
                self.log.error(format_args!("cannot adopt {name}: {error}"));
                return false;
            }
        }
        true
    }

    fn try_adopt(&mut self, orphan: &Leftover) -> Result<Option<(u64, Filed)>, FilerError> {
        let Leftover { source, path: orphan } = orphan;
        let file = match FlowFile::open(orphan) {
            Ok(file) if file.is_finished() || file.block_count() > 0 => file,
            // Its writer died before the first block was on disk.
            Ok(_) | Err(FileError::Empty { .. }) => {
                fs::remove_file(orphan).map_err(|source| FilerError::Remove { source })?;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let start_ms = Slots::new(self.interval_s).start_of(created_ms(&file));
        for problem in file.problems() {
            self.log.error(problem);
        }
        let totals = if file.is_finished() { *file.totals() } else { complete(&file, orphan, self.format)? };
        let filed = source.spool.file(orphan, start_ms, false, &self.log)?;
        self.follow_up.filed(source, &filed, start_ms);
        Ok(Some((totals.flows, filed)))
    }
}

/// What has become of a file.
struct Done {
    source: Arc<Source>,
    start_ms: u64,
    /// Where it is, and what is to be said; or why it is still where it was.
    result: Result<(Filed, Vec<String>), (FilerError, PathBuf)>,
    /// Whether the next start will know what is known of exporters.
    saved: Result<(), FileError>,
}

/// What waits to be filed with the first of it, no two files of one source, and what came next.
fn gather(first: Filing, filings: &Receiver<Box<Filing>>) -> (Vec<Filing>, Option<Filing>) {
    let mut sources = HashSet::from([first.source.number]);
    let mut batch = vec![first];
    while batch.len() < FILED_AT_ONCE {
        match filings.try_recv() {
            Ok(filing) if sources.insert(filing.source.number) => batch.push(*filing),
            Ok(filing) => return (batch, Some(*filing)),
            Err(_) => break,
        }
    }
    (batch, None)
}

/// Files all, by several threads if there are several, and says in their order what has become of them.
fn file_all(batch: Vec<Filing>, log: &Log) -> Vec<Done> {
    let threads = FILING_THREADS.min(batch.len());
    if threads == 1 {
        return batch.into_iter().map(|filing| file_one(filing, log)).collect();
    }
    let waiting = Mutex::new(batch.into_iter().enumerate());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || std::iter::from_fn(next).map(|(place, filing)| (place, file_one(filing, log))).collect();
    let mut done: Vec<(usize, Done)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let results = threads.into_iter().flat_map(|thread| -> Vec<_> {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        results.collect()
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, done)| done).collect()
}

/// Finishes a file, puts it under its name, and saves what is known of exporters.
fn file_one(filing: Filing, log: &Log) -> Done {
    let Filing { source, writer, path, end } = filing;
    let SlotEnd { start_ms, tail, bad_datagrams, state } = *end;
    let result = finish(&source, writer, &path, (start_ms, tail, bad_datagrams), log);
    let saved = state.map_or(Ok(()), |state| state.write(&source.spool.state_path()));
    Done { source, start_ms, result: result.map_err(|error| (error, path)), saved }
}

/// Where the file is then, and what is to be said.
fn finish(
    source: &Source,
    writer: FileWriter,
    path: &Path,
    (start_ms, tail, bad_datagrams): (u64, FileTail, u64),
    log: &Log,
) -> Result<(Filed, Vec<String>), FilerError> {
    let Source { ident, spool, .. } = source;
    let (ledger, sequence_failures) = (tail.ledger, tail.sequence_failures);
    let loss = loss_line(ident, &ledger, &tail.exporters);
    let Finished { totals, mut omitted } = writer.finish(tail)?;
    let is_empty = totals.flows == 0 && ledger == LossLedger::default();
    let filed = spool.file(path, start_ms, is_empty, log)?;
    let mut lines = vec![rotation_line(ident, &totals, sequence_failures, bad_datagrams)];
    lines.extend(loss);
    // Those stand in the log, above.
    omitted.losses = false;
    if !omitted.is_empty() {
        lines.push(format!("Ident: '{ident}' no place in nfdump's layout: {omitted}"));
    }
    Ok((filed, lines))
}

/// Why a file was not filed.
#[derive(Debug, thiserror::Error)]
enum FilerError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Filing(#[from] FilingError),
    #[error("cannot remove it: {source}")]
    Remove { source: io::Error },
    #[error("cannot replace it: {source}")]
    Replace { source: io::Error },
}

/// Gives a file without footer one, by merging it into an empty file: blocks are copied, not encoded anew.
fn complete(file: &FlowFile, path: &Path, format: FileFormat) -> Result<Totals, FilerError> {
    let (empty, scratch) = (scratch_path(path, "empty"), scratch_path(path, "complete"));
    let options = WriteOptions {
        ident: file.ident().to_owned(),
        format: FileFormat::default(),
        rule: file.rule(),
        created_ms: created_ms(file),
    };
    let result = FileWriter::create(&empty, options)
        .and_then(|writer| writer.finish(FileTail::default()))
        .and_then(|_| merge_files(&empty, path, &scratch, format));
    // Should this fail, the next start clears it away.
    let _ = fs::remove_file(&empty);
    let totals = result?;
    fs::rename(&scratch, path).map_err(|source| FilerError::Replace { source })?;
    Ok(totals)
}

/// When a file was begun. A file of nfdump 1.6 that was not finished does not tell: when it was last written to.
fn created_ms(file: &FlowFile) -> u64 {
    let written_ms = || {
        let age = file.path().metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        u64::try_from(age.as_millis()).ok()
    };
    match file.created_ms() {
        0 => written_ms().unwrap_or(0),
        created_ms => created_ms,
    }
}

/// The line that monitoring parses.
fn rotation_line(ident: &str, totals: &Totals, sequence_failures: u64, bad_datagrams: u64) -> String {
    let Totals { flows, packets, bytes, .. } = totals;
    format!(
        "Ident: '{ident}' Flows: {flows}, Packets: {packets}, Bytes: {bytes}, Sequence Errors: {sequence_failures}, Bad Packets: {bad_datagrams}"
    )
}

/// What was lost, cause by cause, if anything was. Missing by sequence are flows; where numbers count datagrams, flows are
/// estimated.
fn loss_line(ident: &str, ledger: &LossLedger, exporters: &[ExporterInfo]) -> Option<String> {
    let (mut datagrams, mut about) = (0_u64, 0_u64);
    for exporter in exporters {
        let missing = exporter.missing_flows();
        if missing.is_estimate {
            datagrams = datagrams.saturating_add(exporter.ledger.missed);
            about = about.saturating_add(missing.flows);
        }
    }
    let causes = [
        ("datagrams dropped by the kernel", ledger.kernel_drops),
        ("datagrams dropped by a full queue", ledger.queue_drops),
        ("flows not written", ledger.unwritten),
        ("missing by sequence", ledger.missed.saturating_sub(datagrams)),
        ("datagrams missing by sequence", datagrams),
        ("sets without template", ledger.no_template),
        ("malformed", ledger.malformed),
        ("refused", ledger.refused),
    ];
    let lost =
        causes.iter().filter(|(_, count)| *count > 0).map(|(cause, count)| format!("{cause}: {count}"));
    let mut lost: Vec<String> = lost.collect();
    if about > 0 {
        lost.push(format!("flows in missing datagrams: ~{about}"));
    }
    (!lost.is_empty()).then(|| format!("Ident: '{ident}' Lost: {}", lost.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::Counters;
    use crate::spool::{Naming, Spool, Zone};
    use chrono::FixedOffset;
    use flow_file::{BlockCompression, FileLayout, SubDir};
    use flow_model::{BatchBuilder, CountRule, Field};
    use std::sync::mpsc;
    use tempfile::TempDir;

    /// 2023-11-14 22:15:00 UTC.
    const START_MS: u64 = 1_700_000_100_000;

    fn source(directory: &TempDir) -> Arc<Source> {
        let zone = Zone::Fixed(FixedOffset::east_opt(0).unwrap());
        let naming = Naming { interval_s: 300, layout: SubDir::Flat, zone, with_offset: false };
        let spool = Spool::open(directory.path(), naming, FileFormat::default()).unwrap();
        Arc::new(Source { number: 0, ident: "x".to_owned(), spool })
    }

    fn batch(flows: u64) -> FlowBatch {
        let mut builder = BatchBuilder::new();
        for flow in 0..flows {
            builder.set(Field::SrcPort, flow);
            builder.set(Field::InPackets, 2);
            builder.set(Field::InBytes, 100);
            builder.finish_row();
        }
        builder.finish()
    }

    fn close(start_ms: u64) -> Job {
        let ledger = LossLedger { datagrams: 1, kernel_drops: 7, missed: 3, ..LossLedger::default() };
        let span_if_empty = Some((start_ms, start_ms + 300_000));
        let tail = FileTail { ledger, sequence_failures: 2, span_if_empty, ..FileTail::default() };
        Job::Close(Box::new(SlotEnd { start_ms, tail, bad_datagrams: 5, state: None }))
    }

    fn writer(log: &Arc<Log>) -> (BlockWriter, Receiver<Box<Filing>>) {
        let (filing, filings) = mpsc::sync_channel(FILING_QUEUE_LEN);
        let (counters, format) = (Arc::default(), FileFormat::default());
        let press = Arc::new(Press { log: Arc::clone(log), counters, format, sync: false });
        let writer = BlockWriter { press, filing, written: mpsc::sync_channel(1).0 };
        (writer, filings)
    }

    fn filer(log: &Arc<Log>) -> Filer {
        let follow_up = FollowUp::new(Arc::clone(log), Arc::default());
        Filer { log: Arc::clone(log), interval_s: 300, format: FileFormat::default(), follow_up }
    }

    fn leftovers(source: &Arc<Source>, log: &Log) -> Vec<Leftover> {
        let found = source.spool.leftovers(log).into_iter();
        found.map(|path| Leftover { source: Arc::clone(source), path }).collect()
    }

    /// Lets the writer do its jobs, and the filer what the writer asks for.
    fn run(source: &Arc<Source>, log: &Arc<Log>, jobs: Vec<Job>) -> (u64, Arc<Counters>) {
        let (writer, filings) = writer(log);
        let counters = Arc::clone(&writer.press.counters);
        let (sender, receiver) = mpsc::channel();
        for job in jobs {
            sender.send(SourceJob { source: Arc::clone(source), job }).unwrap();
        }
        drop(sender);
        writer.run(&receiver);
        (filer(log).run(Vec::new(), &filings), counters)
    }

    #[test]
    fn slots_become_files_and_log_lines() {
        let directory = tempfile::tempdir().unwrap();
        let (source, log) = (source(&directory), Arc::new(Log::to_memory()));
        let open = |created_ms| Job::Open { created_ms };
        let next_ms = START_MS + 300_000;
        let jobs = vec![
            open(START_MS + 5),
            Job::Block(batch(10)),
            Job::Block(batch(1)),
            close(START_MS),
            open(next_ms),
            close(next_ms),
        ];
        assert_eq!(run(&source, &log, jobs).0, 0);
        let file = FlowFile::open(&source.spool.directory().join("nfcapd.202311142215")).unwrap();
        assert_eq!((file.ident(), file.created_ms(), file.block_count()), ("x", START_MS + 5, 2));
        assert_eq!((file.totals().flows, file.totals().sequence_failures), (11, 2));
        assert_eq!(file.ledger().kernel_drops, 7);
        let empty = FlowFile::open(&source.spool.directory().join("nfcapd.202311142220")).unwrap();
        assert!(empty.is_finished());
        assert_eq!((empty.totals().flows, empty.totals().first_ms), (0, next_ms));
        let lost = "Ident: 'x' Lost: datagrams dropped by the kernel: 7, missing by sequence: 3";
        let expected = [
            "Ident: 'x' Flows: 11, Packets: 22, Bytes: 1100, Sequence Errors: 2, Bad Packets: 5",
            lost,
            "Ident: 'x' Flows: 0, Packets: 0, Bytes: 0, Sequence Errors: 2, Bad Packets: 5",
            lost,
        ];
        assert_eq!(log.lines(), expected);
    }

    #[test]
    fn files_of_many_sources_are_filed_together_and_those_of_one_in_order() {
        let log = Arc::new(Log::to_memory());
        let (writer, filings) = writer(&log);
        let directories: Vec<TempDir> = (0..20).map(|_| tempfile::tempdir().unwrap()).collect();
        let sources: Vec<_> = directories
            .iter()
            .enumerate()
            .map(|(number, directory)| {
                let Source { ident, spool, .. } = Arc::into_inner(source(directory)).unwrap();
                Arc::new(Source { number, ident: format!("{ident}{number}"), spool })
            })
            .collect();
        let (sender, receiver) = mpsc::channel();
        // Two slots, of which the second of the first source ends before the first of the last one.
        for half in [&sources[..10], &sources[10..]] {
            for slot in 0..2 {
                for source in half {
                    let start_ms = START_MS + slot * 300_000;
                    let jobs =
                        [Job::Open { created_ms: start_ms }, Job::Block(batch(slot + 1)), close(start_ms)];
                    for job in jobs {
                        sender.send(SourceJob { source: Arc::clone(source), job }).unwrap();
                    }
                }
            }
        }
        drop(sender);
        writer.run(&receiver);
        assert_eq!(filer(&log).run(Vec::new(), &filings), 0);
        let lines: Vec<String> = log.lines().into_iter().filter(|line| line.contains("Flows:")).collect();
        let line = |source: usize, flows: u64| {
            format!("Ident: 'x{source}' Flows: {flows}, Packets: {}, Bytes: {}", flows * 2, flows * 100)
        };
        let expected = [(0..10, 1), (0..10, 2), (10..20, 1), (10..20, 2)];
        let expected =
            expected.into_iter().flat_map(|(sources, flows)| sources.map(move |source| line(source, flows)));
        assert_eq!(lines.len(), 40);
        lines
            .iter()
            .zip(expected)
            .for_each(|(line, expected)| assert!(line.starts_with(&expected), "{line}"));
        for source in &sources {
            let file = FlowFile::open(&source.spool.directory().join("nfcapd.202311142220")).unwrap();
            assert_eq!(file.totals().flows, 2);
        }
    }

    #[test]
    fn flows_that_cannot_be_written_are_counted_and_service_resumes() {
        let directory = tempfile::tempdir().unwrap();
        let (source, log) = (source(&directory), Arc::new(Log::to_memory()));
        let (writer, filings) = writer(&log);
        let counters = Arc::clone(&writer.press.counters);
        std::fs::remove_dir_all(source.spool.directory()).unwrap();
        let (sender, receiver) = mpsc::sync_channel(0);
        let thread = std::thread::spawn(move || writer.run(&receiver));
        let send = |job| sender.send(SourceJob { source: Arc::clone(&source), job }).unwrap();
        for _ in 0..2 {
            send(Job::Open { created_ms: START_MS });
            send(Job::Block(batch(10)));
            send(close(START_MS));
        }
        // Once this is taken, everything before it has been done.
        send(Job::Open { created_ms: START_MS });
        std::fs::create_dir(source.spool.directory()).unwrap();
        send(Job::Block(batch(4)));
        send(close(START_MS));
        drop(sender);
        thread.join().unwrap();
        filer(&log).run(Vec::new(), &filings);
        assert_eq!(counters.lost_flows.load(std::sync::atomic::Ordering::Relaxed), 20);
        let lines = log.lines();
        assert!(lines[0].starts_with("Ident: 'x' flows cannot be written: "), "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.contains("cannot be written")).count(), 1, "{lines:?}");
        assert_eq!(lines[1], "Ident: 'x' flows are written again");
        let file = FlowFile::open(&source.spool.directory().join("nfcapd.202311142215")).unwrap();
        assert_eq!(file.totals().flows, 4);
    }

    #[test]
    fn orphans_are_finished_and_filed_under_their_slot() {
        let directory = tempfile::tempdir().unwrap();
        let (source, log) = (source(&directory), Arc::new(Log::to_memory()));
        let path = |name: &str| source.spool.directory().join(name);
        let orphan = |name: &str, created_ms| {
            let options = WriteOptions {
                ident: "old".to_owned(),
                format: FileFormat::default(),
                rule: CountRule::Collected,
                created_ms,
            };
            FileWriter::create(&path(name), options).unwrap()
        };
        // Two of the same slot, one of a later slot cut off within its second block, and one without flows.
        for (name, created_ms) in [("a.orphan", START_MS), ("b.orphan", START_MS + 299_999)] {
            orphan(name, created_ms).write(&batch(10)).unwrap();
        }
        let mut torn = orphan("c.orphan", START_MS + 300_000);
        torn.write(&batch(5)).unwrap();
        let whole = torn.byte_len();
        torn.write(&batch(6)).unwrap();
        fs::OpenOptions::new().write(true).open(path("c.orphan")).unwrap().set_len(whole + 20).unwrap();
        drop(orphan("d.orphan", START_MS));
        fs::write(path("e.orphan"), "").unwrap();
        fs::write(path("f.orphan"), "rubbish").unwrap();

        let (_, filings) = mpsc::sync_channel(1);
        let orphans = ["a", "b", "c", "d", "e", "f"].map(|name| path(&format!("{name}.orphan")));
        let leftover = |path| Leftover { source: Arc::clone(&source), path };
        filer(&log).run(orphans.map(leftover).into(), &filings);
        let first = FlowFile::open(&path("nfcapd.202311142215")).unwrap();
        assert_eq!((first.is_finished(), first.ident(), first.totals().flows), (true, "old", 20));
        let second = FlowFile::open(&path("nfcapd.202311142220")).unwrap();
        assert_eq!((second.is_finished(), second.totals().flows), (true, 5));
        let mut left: Vec<_> = fs::read_dir(source.spool.directory())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, [".rcapd.stat", "f.orphan", "nfcapd.202311142215", "nfcapd.202311142220"]);
        let lines = log.lines();
        assert_eq!(lines.iter().filter(|line| line.starts_with("Adopted")).count(), 3, "{lines:?}");
        assert!(
            lines.iter().any(|line| line.starts_with("cannot adopt") && line.contains("f.orphan")),
            "{lines:?}"
        );
    }

    #[test]
    fn what_a_dead_nfcapd_left_is_filed_under_its_slot_and_into_its_file() {
        let nfdump = FileFormat::Nfdump {
            compression: BlockCompression::Lz4,
            release: flow_file::NfdumpRelease::default(),
        };
        for (format, layout) in [(FileFormat::default(), FileLayout::Columnar), (nfdump, FileLayout::Nfdump2)]
        {
            let directory = tempfile::tempdir().unwrap();
            let (source, log) = (source(&directory), Arc::new(Log::to_memory()));
            let path = |name: &str| source.spool.directory().join(name);
            let create = |name: &str, created_ms| {
                let ident = "theirs".to_owned();
                let options = WriteOptions { ident, format: nfdump, rule: CountRule::Collected, created_ms };
                FileWriter::create(&path(name), options).unwrap()
            };
            // Two of one slot, whose file there is, and one of the next, with a random name.
            create("nfcapd.current.4194305", START_MS + 1000).write(&batch(10)).unwrap();
            create("nfcapd.current.4194306", START_MS + 2000).write(&batch(20)).unwrap();
            create("nfcapd.current.a1b2c3", START_MS + 301_000).write(&batch(5)).unwrap();
            let mut filed = create("nfcapd.202311142215", START_MS);
            filed.write(&batch(3)).unwrap();
            filed.finish(FileTail::default()).unwrap();
            let (_, filings) = mpsc::sync_channel(1);
            let filer = Filer { format, ..filer(&log) };
            filer.run(leftovers(&source, &log), &filings);
            let first = FlowFile::open(&path("nfcapd.202311142215")).unwrap();
            assert_eq!((first.totals().flows, first.ident()), (33, "theirs"), "{:?}", log.lines());
            let second = FlowFile::open(&path("nfcapd.202311142220")).unwrap();
            assert_eq!((second.is_finished(), second.totals().flows, second.layout()), (true, 5, layout));
            let left = fs::read_dir(source.spool.directory()).unwrap().count();
            assert_eq!(left, 3, "the lock and two files");
            assert!(log.lines().iter().all(|line| line.starts_with("Adopted")), "{:?}", log.lines());
        }
    }

    #[test]
    fn the_rotation_line_is_nfcapds() {
        let totals = Totals { flows: 2, packets: 20, bytes: 2000, ..Totals::default() };
        let expected = "Ident: 'none' Flows: 2, Packets: 20, Bytes: 2000, Sequence Errors: 0, Bad Packets: 0";
        assert_eq!(rotation_line("none", &totals, 0, 0), expected);
        let fine = LossLedger { datagrams: 9, flows: 90, ..LossLedger::default() };
        assert_eq!(loss_line("none", &fine, &[]), None);
        let ledger = LossLedger { missed: 4, ..fine };
        let exporter =
            |version| ExporterInfo { sysid: 1, version, addr: [192, 0, 2, 1].into(), domain: 0, ledger };
        let (of_both, both) = (LossLedger { missed: 8, ..fine }, [exporter(10), exporter(9)]);
        let expected = "Ident: 'none' Lost: missing by sequence: 4, datagrams missing by sequence: 4, flows in missing datagrams: ~40";
        assert_eq!(loss_line("none", &of_both, &both).as_deref(), Some(expected));
    }
}
