//! What flows are read from.

use flow_file::{Block, FileError, FileLayout, FlowFile, RowCount};
use flow_model::{
    BlockStats, CountRule, Field, FieldSet, FlowBatch, LossLedger, Membership, NoMembership, Range,
    Selection, Totals,
};
use std::sync::Arc;

/// Flows in blocks, each of which can be read alone and in parallel.
pub trait Source: Sync {
    /// The ident of whoever collected the flows.
    fn ident(&self) -> &str;
    /// Totals over all flows.
    fn totals(&self) -> &Totals;
    /// How the totals count; `None` when that is not known, or the totals may not be those of the flows.
    fn rule(&self) -> Option<CountRule>;
    /// What the collector lost.
    fn ledger(&self) -> &LossLedger;
    /// Damage found so far.
    fn problems(&self) -> &[FileError];
    /// How many blocks there are.
    fn block_count(&self) -> usize;
    /// How many rows a block has, as far as that is known without opening it.
    fn block_rows(&self, block: usize) -> RowCount;
    /// What is known about a block without reading it.
    fn block_stats(&self, block: usize) -> &BlockStats;
    /// The range of a field in a block, as [`block_stats`](Self::block_stats) has it. Queries with a time window ask for that
    /// of start and end of every block.
    fn block_range(&self, block: usize, field: Field) -> Option<Range> {
        self.block_stats(block).range(field)
    }
    /// The fields of which a block may have other than default values.
    fn block_fields(&self, block: usize) -> FieldSet;
    /// Octets a block occupies.
    fn block_bytes(&self, block: usize) -> u64;
    /// Tells whether a block may contain an address.
    fn membership(&self, block: usize) -> Box<dyn Membership + '_>;
    /// Opens a block, whose columns are then read as they are needed.
    ///
    /// # Errors
    /// Damage of the whole block.
    fn open(&self, block: usize) -> Result<impl OpenBlock, FileError>;
}

/// A block that is being read.
pub trait OpenBlock {
    /// How many rows it has.
    fn rows(&self) -> usize;
    /// What of it could not be read.
    fn problems(&self) -> &[FileError];
    /// Adds the columns of `fields` to a batch of as many rows as the block has; of rows that are not selected, the values
    /// may be anything.
    ///
    /// # Errors
    /// Damage.
    fn read(&self, fields: FieldSet, selection: &Selection, into: &mut FlowBatch) -> Result<(), FileError>;
    /// Gives the flows of a batch of all rows the numbers that their exporters have in a new file. In memory they have none
    /// but those.
    fn renumber(&self, batch: &mut FlowBatch) {
        let _ = batch;
    }
}

impl OpenBlock for Block<'_> {
    fn rows(&self) -> usize {
        self.rows()
    }

    fn problems(&self) -> &[FileError] {
        self.problems()
    }

    fn read(&self, fields: FieldSet, selection: &Selection, into: &mut FlowBatch) -> Result<(), FileError> {
        self.read_selected(fields, selection, into)
    }

    fn renumber(&self, batch: &mut FlowBatch) {
        self.renumber(batch);
    }
}

impl Source for FlowFile {
    fn ident(&self) -> &str {
        self.ident()
    }

    fn totals(&self) -> &Totals {
        self.totals()
    }

    fn rule(&self) -> Option<CountRule> {
        // What other programs stored is for those who ask for it.
        (self.layout() == FileLayout::Columnar).then(|| self.rule())
    }

    fn ledger(&self) -> &LossLedger {
        self.ledger()
    }

    fn problems(&self) -> &[FileError] {
        self.problems()
    }

    fn block_count(&self) -> usize {
        self.block_count()
    }

    fn block_rows(&self, block: usize) -> RowCount {
        self.block_rows(block)
    }

    fn block_stats(&self, block: usize) -> &BlockStats {
        self.block_stats(block)
    }

    fn block_range(&self, block: usize, field: Field) -> Option<Range> {
        self.block_range(block, field)
    }

    fn block_fields(&self, block: usize) -> FieldSet {
        self.block_fields(block)
    }

    fn block_bytes(&self, block: usize) -> u64 {
        self.block_bytes(block)
    }

    fn membership(&self, block: usize) -> Box<dyn Membership + '_> {
        self.membership(block)
    }

    fn open(&self, block: usize) -> Result<impl OpenBlock, FileError> {
        self.block(block)
    }
}

impl<S: Source + Send> Source for Arc<S> {
    fn ident(&self) -> &str {
        (**self).ident()
    }

    fn totals(&self) -> &Totals {
        (**self).totals()
    }

    fn rule(&self) -> Option<CountRule> {
        (**self).rule()
    }

    fn ledger(&self) -> &LossLedger {
        (**self).ledger()
    }

    fn problems(&self) -> &[FileError] {
        (**self).problems()
    }

    fn block_count(&self) -> usize {
        (**self).block_count()
    }

    fn block_rows(&self, block: usize) -> RowCount {
        (**self).block_rows(block)
    }

    fn block_stats(&self, block: usize) -> &BlockStats {
        (**self).block_stats(block)
    }

    fn block_range(&self, block: usize, field: Field) -> Option<Range> {
        (**self).block_range(block, field)
    }

    fn block_fields(&self, block: usize) -> FieldSet {
        (**self).block_fields(block)
    }

    fn block_bytes(&self, block: usize) -> u64 {
        (**self).block_bytes(block)
    }

    fn membership(&self, block: usize) -> Box<dyn Membership + '_> {
        (**self).membership(block)
    }

    fn open(&self, block: usize) -> Result<impl OpenBlock, FileError> {
        (**self).open(block)
    }
}

/// Batches in memory as a source, one block each.
#[derive(Debug)]
pub struct MemorySource {
    ident: String,
    batches: Vec<FlowBatch>,
    stats: Vec<BlockStats>,
    totals: Totals,
    ledger: LossLedger,
}

impl MemorySource {
    /// A source of `batches`, whose fields must all be decoded.
    pub fn new(batches: Vec<FlowBatch>) -> MemorySource {
        let mut totals = Totals::default();
        for batch in &batches {
            totals.add(batch, &Selection::all(batch.len()), CountRule::Written);
        }
        MemorySource {
            ident: String::new(),
            stats: batches.iter().map(BlockStats::of).collect(),
            batches,
            totals,
            ledger: LossLedger::default(),
        }
    }

    /// The same source with an ident.
    #[must_use]
    pub fn with_ident(mut self, ident: &str) -> MemorySource {
        ident.clone_into(&mut self.ident);
        self
    }
}

impl Source for MemorySource {
    fn ident(&self) -> &str {
        &self.ident
    }

    fn totals(&self) -> &Totals {
        &self.totals
    }

    fn rule(&self) -> Option<CountRule> {
        Some(CountRule::Written)
    }

    fn ledger(&self) -> &LossLedger {
        &self.ledger
    }

    fn problems(&self) -> &[FileError] {
        &[]
    }

    fn block_count(&self) -> usize {
        self.batches.len()
    }

    fn block_rows(&self, block: usize) -> RowCount {
        RowCount::Exactly(self.batches[block].len())
    }

    fn block_stats(&self, block: usize) -> &BlockStats {
        &self.stats[block]
    }

    fn block_fields(&self, block: usize) -> FieldSet {
        self.batches[block].fields()
    }

    fn block_bytes(&self, _: usize) -> u64 {
        0
    }

    fn membership(&self, _: usize) -> Box<dyn Membership + '_> {
        Box::new(NoMembership)
    }

    fn open(&self, block: usize) -> Result<impl OpenBlock, FileError> {
        Ok(MemoryBlock(&self.batches[block]))
    }
}

/// A block in memory.
struct MemoryBlock<'a>(&'a FlowBatch);

impl OpenBlock for MemoryBlock<'_> {
    fn rows(&self) -> usize {
        self.0.len()
    }

    fn problems(&self) -> &[FileError] {
        &[]
    }

    fn read(&self, fields: FieldSet, _: &Selection, into: &mut FlowBatch) -> Result<(), FileError> {
        for field in fields.intersect(self.0.fields()).without(into.decoded()).iter() {
            into.insert(field, self.0.column(field).clone());
        }
        into.mark_decoded(fields);
        Ok(())
    }
}
