//! Flows that are in no finished file yet: what a query counts in with `--live`, and what `--follow` waits for.

use crate::input::Input;
use crate::output::Output;
use crate::plan::Plan;
use anyhow::{Context, bail};
use flow_cli::Messages;
use flow_file::{COLLECTOR_LOCK, FileError, FlowFile, HeldFile, LiveDirectory, LiveFile, working_pid};
use flow_model::{Before, FieldSet, FlowBatch, Selection};
use flow_output::RecordPrinter;
use flow_query::{MemorySource, Query, QueryError, list_on};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How often `--follow` looks for new flows, ms. The collector makes them visible within a second.
const LOOK_EVERY_MS: u16 = 200;

/// How often a selection is made anew because files got their names meanwhile.
const ATTEMPTS: u32 = 5;

/// The files of a selection, and what its directories have that is no file yet, at one moment.
///
/// # Errors
/// As [`Input::find`], and when a directory cannot be listed.
pub(crate) fn find(plan: &Plan, messages: &Messages) -> anyhow::Result<(Input, Vec<Arc<FlowFile>>)> {
    let directories = directories(plan)?;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let (mut files, mut listed) = (Vec::new(), Vec::new());
        for directory in &directories {
            let (mut live, problems) = LiveDirectory::open(directory)?;
            for problem in &problems {
                messages.problem(problem);
            }
            for LiveFile { working, journal, .. } in live.files.drain(..) {
                files.push(Arc::new(working));
                files.extend(journal.map(Arc::new));
            }
            listed.push(live);
        }
        let input = Input::find(plan, messages)?;
        let current: Result<Vec<bool>, FileError> = listed.iter().map(LiveDirectory::is_current).collect();
        if attempt == ATTEMPTS || current?.into_iter().all(|is_current| is_current) {
            return Ok((input, files));
        }
    }
}

/// Prints flows as they are stored, from now on, until it is interrupted or nobody reads them.
///
/// # Errors
/// When nobody reads them, or a directory cannot be listed.
pub(crate) fn follow(
    plan: &Plan,
    query: &Query,
    printer: &RecordPrinter,
    out: &mut Output,
    messages: &Messages,
) -> anyhow::Result<()> {
    let mut followed: Vec<Followed> = directories(plan)?.into_iter().map(Followed::new).collect();
    let mut seen = Before::default();
    let mut is_first = true;
    out.print(|out| printer.header(out))?;
    out.finish().context("writing to stdout")?;
    while !query.interrupt.load(Ordering::Relaxed) {
        let mut batches = Vec::new();
        for directory in &mut followed {
            directory.look(is_first, &mut batches, messages)?;
        }
        is_first = false;
        if !batches.is_empty() {
            let (fields, so_far) = (printer.fields(), seen);
            seen.rows += batches.iter().map(|batch| batch.len() as u64).sum::<u64>();
            let mut emit = |(text, count): (Vec<u8>, u64)| {
                seen.selected += count;
                out.emit(&text)
            };
            let format = |batch: &FlowBatch, selection: &Selection, before: Before| {
                let mut text = Vec::new();
                let before =
                    Before { selected: so_far.selected + before.selected, rows: so_far.rows + before.rows };
                printer.rows(batch, selection, before, &mut text);
                (text, selection.count() as u64)
            };
            match list_on(&[MemorySource::new(batches)], query, fields, &mut emit, &format) {
                Err(QueryError::Interrupted) => break,
                result => result?,
            };
            out.finish().context("writing to stdout")?;
        }
        wait_for_reader()?;
    }
    Ok(())
}

/// Pauses, and notices when nobody reads any more.
fn wait_for_reader() -> io::Result<()> {
    let stdout = io::stdout();
    let mut waiting = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
    match poll(&mut waiting, PollTimeout::from(LOOK_EVERY_MS)) {
        Ok(0) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Ok(_) => Err(io::ErrorKind::BrokenPipe.into()),
        Err(error) => Err(error.into()),
    }
}

/// The data directories of a selection: those that a collector has had, or else those of the files.
fn directories(plan: &Plan) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for place in plan.selection.directories() {
        let is_data = |path: &Path| path.join(COLLECTOR_LOCK).exists();
        // Files may stand in sub-directories of the data directory, and it in one of several sources.
        let above = place.ancestors().find(|path| is_data(path)).map(Path::to_owned);
        let below = || -> Vec<PathBuf> {
            let entries = fs::read_dir(&place).into_iter().flatten().filter_map(Result::ok);
            entries.map(|entry| entry.path()).filter(|path| is_data(path)).collect()
        };
        match above {
            Some(directory) => found.push(directory),
            None => found.extend(below()),
        }
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        bail!("--live and --follow need the directory of a collector: see -r, -R and -M");
    }
    Ok(found)
}

/// A data directory, and how far its files were printed.
struct Followed {
    directory: PathBuf,
    files: HashMap<(u64, u64), Position>,
}

/// A file that grows, and how many of its flows were seen.
struct Position {
    file: HeldFile,
    rows: u64,
}

impl Followed {
    fn new(directory: PathBuf) -> Followed {
        Followed { directory, files: HashMap::new() }
    }

    /// Collects the flows that came since the last look; `skip` those that are there already.
    fn look(&mut self, skip: bool, batches: &mut Vec<FlowBatch>, messages: &Messages) -> anyhow::Result<()> {
        let (live, problems) = LiveDirectory::open(&self.directory)?;
        for problem in problems.iter().filter(|_| skip) {
            messages.problem(problem);
        }
        // What has its name by now, or is a part of another file, was complete before.
        let is_listed = |identity: &(u64, u64)| live.files.iter().any(|file| file.identity == *identity);
        for (_, mut position) in self.files.extract_if(|identity, _| !is_listed(identity)) {
            let file = position.file.open()?;
            position.read(&[Some(&file)], skip, batches)?;
        }
        for LiveFile { identity, working, journal } in &live.files {
            let name = working.path().file_name().and_then(|name| name.to_str());
            if !self.files.contains_key(identity) {
                // Others are what was left by a predecessor, and about to be filed.
                if name.and_then(working_pid).is_none() {
                    continue;
                }
                let Ok(file) = HeldFile::hold(working.path()) else { continue };
                self.files.insert(*identity, Position { file, rows: 0 });
            }
            if let Some(position) = self.files.get_mut(identity) {
                position.read(&[Some(working), journal.as_ref()], skip, batches)?;
            }
        }
        Ok(())
    }
}

impl Position {
    /// Takes the flows behind those that were seen.
    fn read(
        &mut self,
        files: &[Option<&FlowFile>],
        skip: bool,
        batches: &mut Vec<FlowBatch>,
    ) -> Result<(), FileError> {
        let mut first = 0;
        for file in files.iter().flatten() {
            for block in 0..file.block_count() {
                let block = file.block(block)?;
                let rows = block.rows() as u64;
                let seen = self.rows.saturating_sub(first).min(rows);
                first += rows;
                if seen == rows {
                    continue;
                }
                self.rows = first;
                if !skip {
                    let batch = block.to_batch(FieldSet::ALL)?;
                    let new = Selection::from_rows(batch.len(), (seen as u32..rows as u32).collect());
                    batches.push(batch.select(&new));
                }
            }
        }
        Ok(())
    }
}
