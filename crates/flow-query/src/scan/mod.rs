//! Going through the blocks: what is read, what is not, and by whom. The only module that knows about threads.

mod gate;
mod spare;
mod tally;
mod workers;

use self::gate::{CloseOnDrop, Gate};
use self::spare::Spare;
use self::tally::{End, Tally};
use crate::arrange::Windows;
use crate::computed::{self, Knowledge};
use crate::counts::{Counts, Scratch};
use crate::fetch;
use crate::listing::row_octets;
use crate::spill::Memory;
use crate::{OpenBlock, Overview, Probe, Query, QueryError, Report, RowOrigin, Sink, Source, totals};
use flow_file::{FileError, FlowFile, RowCount};
use flow_filter::{EvalContext, FileContext};
use flow_model::{Before, Field, FieldSet, FlowBatch, Prune, Range, Selection, Totals};
use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use tally::Outcome;
pub(crate) use workers::Workers;

/// Answers a query about files: every matching flow goes into `sink`.
///
/// # Errors
/// When it was interrupted, or the sink failed. Files and blocks that cannot be read are left out and reported.
pub fn run<S: Sink>(query: &Query, sink: &S) -> Result<(S::Output, Report), QueryError> {
    with_files(query, |files, workers| Scan::new(query, files, workers).collect(sink))
}

/// Answers a query about `sources`; [`Query::files`] is not looked at.
///
/// # Errors
/// As [`run`].
pub fn run_on<R: Source, S: Sink>(
    sources: &[R],
    query: &Query,
    sink: &S,
) -> Result<(S::Output, Report), QueryError> {
    let (output, outcome) = Scan::new(query, sources, &mut Workers::new(query.threads)).collect(sink)?;
    Ok((output, outcome.into_report(Vec::new())))
}

/// Lists the matching flows of files in their order: `format` makes text (or whatever else) of the flows of a
/// block, on the workers; `emit` gets the pieces in order, on the calling thread, until it says
/// [`Break`](ControlFlow::Break). `format` is told what comes before the block; all flows there are counted
/// only if [`Query::counts_skipped`].
///
/// # Errors
/// When it was interrupted. Files and blocks that cannot be read are left out and reported.
pub fn list(
    query: &Query,
    columns: FieldSet,
    emit: &mut dyn FnMut(Vec<u8>) -> ControlFlow<()>,
    format: &(dyn Fn(&FlowBatch, &Selection, Before) -> Vec<u8> + Sync),
) -> Result<Report, QueryError> {
    let ((), report) = with_files(query, |files, workers| {
        let outcome = Scan::new(query, files, workers).stream(columns, emit, format)?;
        Ok(((), outcome))
    })?;
    Ok(report)
}

/// Lists the matching flows of `sources`; [`Query::files`] is not looked at.
///
/// # Errors
/// As [`list`].
pub fn list_on<R: Source, T: Send>(
    sources: &[R],
    query: &Query,
    columns: FieldSet,
    emit: &mut dyn FnMut(T) -> ControlFlow<()>,
    format: &(dyn Fn(&FlowBatch, &Selection, Before) -> T + Sync),
) -> Result<Report, QueryError> {
    let outcome =
        Scan::new(query, sources, &mut Workers::new(query.threads)).stream(columns, emit, format)?;
    Ok(outcome.into_report(Vec::new()))
}

/// Opens the query's files and lets `answer` have those that could be opened.
pub(crate) fn with_files<T>(
    query: &Query,
    answer: impl FnOnce(&[Arc<FlowFile>], &mut Workers) -> Result<(T, Outcome), QueryError>,
) -> Result<(T, Report), QueryError> {
    let mut workers = Workers::new(query.threads);
    let opened = workers.map_if_slow(&query.files, |path| FlowFile::open(path));
    let mut files = Vec::with_capacity(opened.len());
    let mut positions = Vec::with_capacity(opened.len());
    let mut unopened = Vec::new();
    for (position, result) in opened.into_iter().enumerate() {
        match result {
            Ok(file) => {
                let numbers = query.numbers.get(position).cloned().unwrap_or_default();
                files.push(Arc::new(file.with_numbers(numbers)));
                positions.push(position);
            }
            Err(error) => unopened.push((position, error)),
        }
    }
    files.extend(query.live.iter().cloned());
    positions.extend(query.files.len()..query.files.len() + query.live.len());
    let (answer, mut outcome) = answer(&files, &mut workers)?;
    for (position, _) in &mut outcome.problems {
        *position = positions[*position];
    }
    Ok((answer, outcome.into_report(unopened)))
}

/// What a sink may still ask for when every block was seen.
pub struct Scanned<'a> {
    workers: &'a Workers,
    rows: &'a (dyn Rows + Sync + 'a),
}

impl Scanned<'_> {
    /// Applies `function` to every item, on all workers; results are in the order of the items.
    pub fn map<T: Send, R: Send>(&self, items: Vec<T>, function: impl Fn(T) -> R + Sync) -> Vec<R> {
        self.workers.map(items, function)
    }

    /// Reads rows again, in the order given, as batches of at most [`MAX_BATCH_ROWS`](flow_model::MAX_BATCH_ROWS).
    ///
    /// # Errors
    /// When the query is interrupted, or a block cannot be read any more.
    pub fn fetch(&self, origins: &[RowOrigin], fields: FieldSet) -> Result<Vec<FlowBatch>, QueryError> {
        fetch::fetch(self, self.rows, origins, fields)
    }

    /// Reads rows again in another order than the input's, however many they are: those that `origins` calls its argument
    /// with.
    pub(crate) fn arrange(
        &self,
        fields: FieldSet,
        memory: &Memory,
        origins: impl FnOnce(&mut dyn FnMut(RowOrigin) -> Result<(), QueryError>) -> Result<(), QueryError>,
    ) -> Result<Windows, QueryError> {
        Windows::new(self, self.rows, fields, memory, origins)
    }

    /// Whether so many rows of these fields, and so many octets beside each, can be in memory at once.
    pub(crate) fn fits(&self, rows: u64, beside: usize, fields: FieldSet, memory: &Memory) -> bool {
        // As they are read, and in their order.
        let each = beside as u64 + 2 * row_octets(fields.intersect(self.fields()));
        rows.saturating_mul(each) <= memory.octets() as u64
    }

    /// The fields that any flow has.
    pub(crate) fn fields(&self) -> FieldSet {
        self.rows.fields()
    }

    /// How many workers there are.
    pub(crate) fn workers(&self) -> usize {
        self.workers.threads
    }
}

/// Access to single rows of a block.
pub(crate) trait Rows {
    /// The fields that any row has.
    fn fields(&self) -> FieldSet;
    /// The listed rows of a block, which ascend.
    fn read_rows(&self, block: usize, rows: Vec<u32>, fields: FieldSet) -> Result<FlowBatch, QueryError>;
}

/// How often per thread blocks may be finished ahead of the oldest unfinished one: enough that nobody waits for a
/// slow block, little enough that memory stays bounded.
const BLOCKS_AHEAD_PER_THREAD: usize = 4;

/// Octets of the text of a block's flows, about: 65,536 lines.
const TEXT_OF_BLOCK: usize = 16 << 20;

struct Block {
    source: u32,
    number: u32,
    /// Rows of all blocks before this one; about so many unless the filter counts flows.
    first_row: u64,
    /// What the time window makes of its flows.
    window: Prune,
}

/// A query and the blocks it is about.
pub(crate) struct Scan<'a, R> {
    query: &'a Query,
    sources: &'a [R],
    workers: &'a Workers,
    blocks: Vec<Block>,
    /// Rows of the blocks that the time window does not rule out; about so many.
    rows: u64,
    filter_fields: FieldSet,
    /// Totals of the sources that need not be added up.
    stored: Vec<Option<Totals>>,
    /// Blocks that are known to be damaged, and left out.
    damaged: Vec<(usize, FileError)>,
    memory: Memory,
    spare: Spare,
    /// Damage found when single rows were read again at the end.
    found_late: Mutex<Vec<(usize, FileError)>>,
}

/// What a pass over the blocks is to do.
struct Pass {
    fields: FieldSet,
    probes: Vec<Probe>,
    /// Whether flows are counted: in the first pass.
    counts: bool,
}

/// What became of a block.
enum Examined {
    /// Nothing in it can match.
    Skipped,
    Damaged(FileError),
    /// These rows match; the columns asked for are decoded if there is any.
    Matched {
        selection: Selection,
        /// What of the block could not be read.
        problems: Vec<FileError>,
    },
}

impl<'a, R: Source> Scan<'a, R> {
    pub(crate) fn new(query: &'a Query, sources: &'a [R], workers: &'a mut Workers) -> Scan<'a, R> {
        let mut blocks: Vec<Block> = Vec::new();
        for (number, source) in (0..).zip(sources) {
            blocks.extend((0..source.block_count()).map(|block| {
                let range = |field| source.block_range(block, field);
                let window = query.window.map_or(Prune::Always, |window| {
                    window.prune(range(Field::FirstMs), range(Field::LastMs))
                });
                Block { source: number, number: block as u32, first_row: 0, window }
            }));
        }
        let rows_of = |block: &Block| {
            let (source, number) = (&sources[block.source as usize], block.number as usize);
            match source.block_rows(number) {
                RowCount::About(_) if query.filter.counts_flows() => {
                    // What cannot be read is reported when its turn comes.
                    source.open(number).map_or(0, |block| block.rows())
                }
                RowCount::Exactly(rows) | RowCount::About(rows) => rows,
            }
        };
        let rows: Vec<usize> = if query.filter.counts_flows() {
            workers.map(blocks.iter().collect(), rows_of)
        } else {
            blocks.iter().map(rows_of).collect()
        };
        let (mut first_row, mut inside) = (0, 0);
        for (block, rows) in blocks.iter_mut().zip(rows) {
            block.first_row = first_row;
            first_row += rows as u64;
            if block.window != Prune::Never {
                inside += rows as u64;
            }
        }
        workers.expect(inside, is_dear(sources), query.max_memory);
        let stored = sources.iter().map(|source| totals::stored(source, query)).collect();
        Scan {
            query,
            sources,
            workers,
            blocks,
            rows: inside,
            filter_fields: query.filter.columns(),
            stored,
            damaged: Vec::new(),
            memory: Memory::new(query.max_memory),
            spare: Spare::default(),
            found_late: Mutex::default(),
        }
    }

    /// Lets `sink` have every matching row, in as many passes as it wants.
    pub(crate) fn collect<S: Sink>(&mut self, sink: &S) -> Result<(S::Output, Outcome), QueryError> {
        match self.try_collect(sink, false)? {
            Ok(answer) => Ok(answer),
            // A later pass, which read other columns, found blocks damaged that had been counted. Once more, without
            // them and with all columns from the start.
            Err(mut damaged) => {
                self.damaged.append(&mut damaged);
                self.try_collect(sink, true)?.map_err(|damaged| {
                    damaged.into_iter().next().map_or(QueryError::Interrupted, |(_, error)| error.into())
                })
            }
        }
    }

    /// As [`collect`](Self::collect), or the blocks in which a later pass found damage that the first had not met.
    /// `thorough`: every pass reads the same.
    #[expect(clippy::type_complexity, reason = "an answer, or what stands in its way")]
    fn try_collect<S: Sink>(
        &self,
        sink: &S,
        thorough: bool,
    ) -> Result<Result<(S::Output, Outcome), Vec<(usize, FileError)>>, QueryError> {
        let overview = Overview {
            blocks: self.blocks.len(),
            rows: self.rows,
            first_ms: self.sources.iter().map(|source| source.totals().first_ms).min().unwrap_or(u64::MAX),
            workers: self.workers.useful(self.blocks.len()),
            matching: if thorough || self.query.limit.is_some() { 0.0 } else { self.matching() },
            dear: is_dear(self.sources),
            memory: self.memory.clone(),
            spread: &|field| self.spread(field),
        };
        let scanned = Scanned { workers: self.workers, rows: self };
        let mut plan = sink.plan(&overview);
        let mut partials: Vec<S::Partial> = (0..overview.workers).map(|_| sink.start(&plan)).collect();
        let first = Pass { fields: sink.columns(&plan), probes: Vec::new(), counts: true };
        let tally = self.pass(sink, &plan, &mut partials, &first)?;
        while sink.settle(&mut plan, &mut partials, &scanned)? {
            let next = Pass { fields: sink.columns(&plan), probes: sink.probes(&plan), counts: false };
            let mut found = self.pass(sink, &plan, &mut partials, &next)?.problems;
            found.retain(|(index, _)| !tally.problems.iter().any(|(known, _)| known == index));
            if !found.is_empty() {
                return Ok(Err(found));
            }
        }
        self.spare.clear();
        let output = sink.finish(plan, partials, &scanned)?;
        Ok(Ok((output, self.outcome(tally)?)))
    }

    /// About which share of the rows of blocks that are not skipped match.
    fn matching(&self) -> f64 {
        if self.query.filter.matches_all() {
            return 1.0;
        }
        const SAMPLES: usize = 3;
        let pass = Pass { fields: FieldSet::EMPTY, probes: Vec::new(), counts: false };
        let (mut rows, mut matched) = (0, 0);
        // To look into the middle of a file of nfdump 1.6 may mean to decompress what comes before.
        let samples = if is_dear(self.sources) { 1 } else { SAMPLES };
        let inside: Vec<usize> =
            (0..self.blocks.len()).filter(|&index| self.blocks[index].window != Prune::Never).collect();
        self.spare.lend(|batch| {
            for sample in 0..samples.min(inside.len()) {
                let spread = (2 * sample + 1) * inside.len() / (2 * SAMPLES);
                let index = inside[if samples == 1 { 0 } else { spread }];
                if let Examined::Matched { selection, .. } = self.examine(index, &pass, batch) {
                    rows += selection.len();
                    matched += selection.count();
                }
            }
        });
        if rows == 0 { 0.0 } else { matched as f64 / rows as f64 }
    }

    /// How many different values a numeric field has at most.
    fn spread(&self, field: Field) -> u64 {
        let mut spread = Some((u64::MAX, 0));
        for block in self.blocks.iter().filter(|block| block.window != Prune::Never) {
            let range = self.sources[block.source as usize].block_range(block.number as usize, field);
            spread = match (spread, range) {
                (Some((low, high)), Some(Range::Num { min, max })) => Some((low.min(min), high.max(max))),
                _ => return u64::MAX,
            };
        }
        spread.map_or(u64::MAX, |(low, high)| high.saturating_sub(low).saturating_add(1))
    }

    /// One pass over all blocks.
    fn pass<S: Sink>(
        &self,
        sink: &S,
        plan: &S::Plan,
        partials: &mut Vec<S::Partial>,
        pass: &Pass,
    ) -> Result<Tally, QueryError> {
        let next = AtomicUsize::new(0);
        let gate = Gate::new(self.query.limit, self.blocks_ahead());
        let results = self.workers.run(std::mem::take(partials), |mut partial| {
            let mut push = |index: usize, batch: &FlowBatch, selection: &Selection| {
                sink.push(plan, &mut partial, batch, selection, RowOrigin::of_block(index as u32))
            };
            let tally = match self.query.limit {
                None => self.spare.lend(|batch| self.visit(&next, pass, batch, push)),
                Some(_) => self.visit_in_order(&next, &gate, pass, |index, found| {
                    gate.release(index);
                    found.map_or(Ok(()), |(batch, selection, _)| push(index, batch, selection))
                }),
            };
            tally.map(|tally| (partial, tally))
        });
        let mut tally = Tally::default();
        for result in results {
            let (partial, more) = result?;
            partials.push(partial);
            tally.merge(more);
        }
        Ok(tally)
    }

    /// Lets `emit` have what `format` makes of the matching rows of each block, in order.
    pub(crate) fn stream<T: Send>(
        &self,
        columns: FieldSet,
        emit: &mut dyn FnMut(T) -> ControlFlow<()>,
        format: &(dyn Fn(&FlowBatch, &Selection, Before) -> T + Sync),
    ) -> Result<Outcome, QueryError> {
        let next = AtomicUsize::new(0);
        let pass = Pass { fields: columns, probes: Vec::new(), counts: true };
        let gate = Gate::new(self.query.limit, self.blocks_ahead());
        let mut tally = Tally::default();
        let results = if self.workers.is_single(self.blocks.len()) {
            vec![self.visit_in_order(&next, &gate, &pass, |index, found| {
                gate.release(index);
                if let Some((batch, selection, before)) = found
                    && emit(format(batch, selection, before)).is_break()
                {
                    gate.close();
                }
                Ok(())
            })]
        } else {
            self.workers.run_beside(
                |sender| {
                    self.visit_in_order(&next, &gate, &pass, |index, found| {
                        let piece = found.map(|(batch, selection, before)| format(batch, selection, before));
                        // Nobody receives any more when `emit` has had enough; the gate is closed then.
                        let _ = sender.send((index, piece));
                        Ok(())
                    })
                },
                |receiver| {
                    let mut waiting = BTreeMap::new();
                    let mut due = 0;
                    for (index, piece) in receiver {
                        waiting.insert(index, piece);
                        while let Some(piece) = waiting.remove(&due) {
                            gate.release(due);
                            due += 1;
                            if piece.is_some_and(|piece| emit(piece).is_break()) {
                                gate.close();
                                return;
                            }
                        }
                    }
                },
            )
        };
        for result in results {
            tally.merge(result?);
        }
        self.outcome(tally)
    }

    fn blocks_ahead(&self) -> usize {
        let usual = self.workers.threads * BLOCKS_AHEAD_PER_THREAD;
        usual.min((self.memory.octets() / TEXT_OF_BLOCK).max(1))
    }

    /// Takes blocks until none is left.
    fn visit(
        &self,
        next: &AtomicUsize,
        pass: &Pass,
        batch: &mut FlowBatch,
        mut found: impl FnMut(usize, &FlowBatch, &Selection) -> Result<(), QueryError>,
    ) -> Result<Tally, QueryError> {
        let mut tally = Tally::default();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= self.blocks.len() {
                return Ok(tally);
            }
            if self.query.is_interrupted() {
                return Err(QueryError::Interrupted);
            }
            self.query.progress.take(index, self.blocks.len());
            let examined = self.examine(index, pass, batch);
            if let Some(selection) = self.count(index, examined, batch, pass, &mut tally) {
                found(index, batch, &selection)?;
            }
        }
    }

    /// Takes blocks until none is left or the limit is reached, and decides in their order which rows count.
    /// `found` is called for every block that counts, with what comes before it.
    fn visit_in_order(
        &self,
        next: &AtomicUsize,
        gate: &Gate,
        pass: &Pass,
        mut found: impl FnMut(usize, Option<(&FlowBatch, &Selection, Before)>) -> Result<(), QueryError>,
    ) -> Result<Tally, QueryError> {
        let mut tally = Tally::default();
        let mut batch = FlowBatch::new(0);
        let mut closer = CloseOnDrop(Some(gate));
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= self.blocks.len() || !gate.admit(index) {
                closer.0 = None;
                return Ok(tally);
            }
            if self.query.is_interrupted() {
                return Err(QueryError::Interrupted);
            }
            self.query.progress.take(index, self.blocks.len());
            let mut examined = self.examine(index, pass, &mut batch);
            let count = match &examined {
                Examined::Matched { selection, .. } => selection.count() as u64,
                _ => 0,
            };
            let Some(passed) = gate.pass(index, self.rows_of(index, &examined), count) else {
                closer.0 = None;
                return Ok(tally);
            };
            if let Examined::Matched { selection, .. } = &mut examined
                && let Some(last) = gate.limit_reached_at(selection, &passed)
            {
                selection.truncate(passed.taken as usize);
                tally.end = Some(End { processed: passed.rows_before + last + 1, block: index });
            }
            let matched = self.count(index, examined, &batch, pass, &mut tally);
            let before = Before { selected: passed.number, rows: passed.rows_before };
            found(index, matched.as_ref().map(|selection| (&batch, selection, before)))?;
        }
    }

    /// Finds the matching rows of a block and decodes into `batch` what the pass needs if there are any.
    fn examine(&self, index: usize, pass: &Pass, batch: &mut FlowBatch) -> Examined {
        if let Some((_, error)) = self.damaged.iter().find(|(damaged, _)| *damaged == index) {
            return Examined::Damaged(error.clone());
        }
        let Block { source: number, number: block, first_row, window } = self.blocks[index];
        if window == Prune::Never {
            return Examined::Skipped;
        }
        let (source, block) = (&self.sources[number as usize], block as usize);
        let window = self.query.window.filter(|_| window == Prune::Maybe);
        let filter = if self.query.filter.matches_all() {
            Prune::Always
        } else {
            let file = FileContext { ident: source.ident() };
            self.query.filter.prune(source.block_stats(block), &*source.membership(block), &file)
        };
        if filter == Prune::Never {
            return Examined::Skipped;
        }
        let block = match source.open(block) {
            Ok(block) => block,
            Err(error) => return Examined::Damaged(error),
        };
        batch.reset(block.rows());
        let mut selection = Selection::all(batch.len());
        let fields = pass.fields.union(self.total_fields(number, pass));
        let mut read = || {
            if let Some(window) = window {
                self.read(&block, source, FieldSet::of(&[Field::FirstMs, Field::LastMs]), &selection, batch)?;
                window.select(batch, &mut selection);
            }
            if filter == Prune::Maybe && !selection.is_empty() {
                self.read(&block, source, self.filter_fields, &selection, batch)?;
                let context = EvalContext { ident: source.ident(), first_row };
                self.query.filter.eval(batch, &context, &mut selection);
            }
            for probe in &pass.probes {
                if !selection.is_empty() {
                    self.read(&block, source, FieldSet::of(&[probe.field]), &selection, batch)?;
                    probe.select(batch, &mut selection);
                }
            }
            if selection.is_empty() {
                return Ok(());
            }
            self.read(&block, source, fields, &selection, batch)?;
            if let Some(labels) = self.query.filter.labels().filter(|_| fields.contains(Field::Label)) {
                self.read(&block, source, labels.columns(), &selection, batch)?;
                labels.apply(batch, &EvalContext { ident: source.ident(), first_row }, &selection);
            }
            if self.renumbers(fields) {
                block.renumber(batch);
            }
            Ok(())
        };
        match read() {
            Ok(()) => Examined::Matched { selection, problems: block.problems().to_vec() },
            Err(error) => Examined::Damaged(error),
        }
    }

    /// Adds columns to a batch of an open block's rows, stored and computed ones.
    fn read(
        &self,
        block: &impl OpenBlock,
        source: &R,
        fields: FieldSet,
        selection: &Selection,
        batch: &mut FlowBatch,
    ) -> Result<(), FileError> {
        block.read(computed::stored(fields), selection, batch)?;
        let knowledge = Knowledge {
            ident: source.ident(),
            gazetteer: self.query.gazetteer.as_deref(),
            networks: self.query.networks.as_deref(),
        };
        computed::compute(fields, selection, knowledge, batch);
        Ok(())
    }

    /// Whether exporters have other numbers in the answer than in their files.
    fn renumbers(&self, fields: FieldSet) -> bool {
        !self.query.numbers.is_empty() && fields.contains(Field::ExporterId)
    }

    /// How many rows of a block count as looked at; those of a block that was never opened only if it says so, or if they
    /// are asked for.
    fn rows_of(&self, index: usize, examined: &Examined) -> u64 {
        let Block { source, number, .. } = self.blocks[index];
        match examined {
            Examined::Skipped => match self.sources[source as usize].block_rows(number as usize) {
                RowCount::Exactly(rows) => rows as u64,
                RowCount::About(_) if self.query.counts_skipped => {
                    self.sources[source as usize].open(number as usize).map_or(0, |block| block.rows() as u64)
                }
                RowCount::About(_) => 0,
            },
            Examined::Damaged(_) => 0,
            Examined::Matched { selection, .. } => selection.len() as u64,
        }
    }

    /// Counts what became of a block, and hands out the rows that match if there are any.
    fn count(
        &self,
        index: usize,
        examined: Examined,
        batch: &FlowBatch,
        pass: &Pass,
        tally: &mut Tally,
    ) -> Option<Selection> {
        let Block { source, number: block, .. } = self.blocks[index];
        tally.rows += self.rows_of(index, &examined);
        match examined {
            Examined::Skipped => tally.skipped += 1,
            Examined::Damaged(error) => tally.problems.push((index, error)),
            Examined::Matched { selection, problems } => {
                tally.problems.extend(problems.into_iter().map(|problem| (index, problem)));
                tally.bytes_read += self.sources[source as usize].block_bytes(block as usize);
                if !selection.is_empty() {
                    tally.passed += selection.count() as u64;
                    if !self.total_fields(source, pass).is_empty() {
                        Counts::new(batch, &selection, &mut Scratch::new()).add_to(&mut tally.totals, batch);
                    }
                    return Some(selection);
                }
            }
        }
        None
    }

    /// What has to be read of a source for the totals.
    fn total_fields(&self, source: u32, pass: &Pass) -> FieldSet {
        if pass.counts && self.stored[source as usize].is_none() { Totals::FIELDS } else { FieldSet::EMPTY }
    }

    /// Adds the totals of sources that know them, or adds them up where a block was damaged.
    fn add_stored(&self, tally: &mut Tally) -> Result<(), QueryError> {
        let pass = Pass { fields: Totals::FIELDS, probes: Vec::new(), counts: false };
        let mut batch = FlowBatch::new(0);
        for (number, stored) in self.stored.iter().enumerate() {
            let Some(stored) = stored else { continue };
            let is_damaged = |&(index, _): &(usize, _)| self.blocks[index].source as usize == number;
            if !tally.problems.iter().any(is_damaged) {
                tally.totals.merge(stored);
                continue;
            }
            for index in (0..self.blocks.len()).filter(|&index| self.blocks[index].source as usize == number)
            {
                if self.query.is_interrupted() {
                    return Err(QueryError::Interrupted);
                }
                let known = tally.problems.iter().any(|(known, _)| *known == index);
                if let (false, Examined::Matched { selection, .. }) =
                    (known, self.examine(index, &pass, &mut batch))
                {
                    Counts::new(&batch, &selection, &mut Scratch::new()).add_to(&mut tally.totals, &batch);
                }
            }
        }
        Ok(())
    }

    fn outcome(&self, mut tally: Tally) -> Result<Outcome, QueryError> {
        self.add_stored(&mut tally)?;
        let mut report = Report {
            totals: tally.totals,
            processed: tally.end.map_or(tally.rows, |end| end.processed),
            passed: tally.passed,
            blocks_skipped: tally.skipped,
            bytes_read: tally.bytes_read,
            files: self.sources.len(),
            spilled: self.memory.spilled(),
            ..Report::default()
        };
        let mut problems = Vec::new();
        let (mut first_ms, mut last_ms) = (u64::MAX, 0);
        let last_source = tally.end.map_or(usize::MAX, |end| self.blocks[end.block].source as usize);
        for (number, source) in self.sources.iter().enumerate() {
            report.ledger.merge(source.ledger());
            problems.extend(source.problems().iter().map(|problem| (number, problem.clone())));
            if number <= last_source && source.totals().first_ms != u64::MAX {
                first_ms = first_ms.min(source.totals().first_ms);
                last_ms = last_ms.max(source.totals().last_ms);
            }
        }
        if first_ms != u64::MAX {
            if let Some(window) = self.query.window {
                first_ms = first_ms.max(window.first_ms);
                last_ms = last_ms.min(window.last_ms);
            }
            report.span_ms = Some((first_ms, last_ms));
        }
        tally.problems.append(&mut self.found_late.lock().unwrap_or_else(PoisonError::into_inner));
        tally.problems.sort_by_key(|(index, _)| *index);
        problems.extend(
            tally.problems.into_iter().map(|(index, problem)| (self.blocks[index].source as usize, problem)),
        );
        problems.sort_by_key(|(source, _)| *source);
        // What a file has that this version does not know, it has in every block.
        let mut told = HashSet::new();
        problems.retain(|(source, problem)| {
            problem.unknown().is_none_or(|unknown| told.insert((*source, unknown)))
        });
        Ok(Outcome { report, problems })
    }
}

/// Whether some blocks must be decompressed as a whole before anything of them is known.
fn is_dear(sources: &[impl Source]) -> bool {
    sources
        .iter()
        .any(|source| source.block_count() > 0 && matches!(source.block_rows(0), RowCount::About(_)))
}

impl<R: Source> Rows for Scan<'_, R> {
    fn fields(&self) -> FieldSet {
        let inside = self.blocks.iter().filter(|block| block.window != Prune::Never);
        let fields = inside.fold(FieldSet::EMPTY, |fields, block| {
            fields.union(self.sources[block.source as usize].block_fields(block.number as usize))
        });
        // Labels come from the filter.
        self.query.filter.labels().map_or(fields, |_| fields.union(FieldSet::of(&[Field::Label])))
    }

    fn read_rows(&self, block: usize, rows: Vec<u32>, fields: FieldSet) -> Result<FlowBatch, QueryError> {
        if self.query.is_interrupted() {
            return Err(QueryError::Interrupted);
        }
        let Block { source, number, .. } = self.blocks[block];
        let report = |error| {
            self.found_late.lock().unwrap_or_else(PoisonError::into_inner).push((block, error));
        };
        let origin = &self.sources[source as usize];
        let opened = match origin.open(number as usize) {
            Ok(opened) => opened,
            Err(error) => {
                report(error);
                let mut batch = FlowBatch::new(rows.len());
                batch.mark_decoded(fields);
                return Ok(batch);
            }
        };
        let mut batch = FlowBatch::new(opened.rows());
        let selection = Selection::from_rows(batch.len(), rows);
        if self.read(&opened, origin, fields, &selection, &mut batch).is_err() {
            // Columns that cannot be read are absent; the others are shown.
            for field in fields.iter() {
                let read = self.read(&opened, origin, FieldSet::of(&[field]), &selection, &mut batch);
                if let Err(error) = read {
                    report(error);
                    batch.mark_decoded(FieldSet::of(&[field]));
                }
            }
        }
        if self.renumbers(fields) {
            opened.renumber(&mut batch);
        }
        Ok(if selection.is_all() { batch } else { batch.select(&selection) })
    }
}
