//! Where matching flows go.

use crate::{QueryError, Scanned};
use flow_model::{FieldSet, FlowBatch, MAX_BATCH_ROWS, Selection};

/// The place of a row in the input: number of its block over all files, and row in the block.
///
/// Origins ascend in the order of the input. They decide ties, and rows can be read again by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowOrigin(pub(crate) u64);

const ROW_BITS: u32 = MAX_BATCH_ROWS.trailing_zeros();

impl RowOrigin {
    /// Bits an origin has at most: 32 for the block, 16 for the row.
    pub(crate) const BITS: u32 = 32 + ROW_BITS;

    /// The origin of the first row of a block.
    pub(crate) fn of_block(block: u32) -> RowOrigin {
        RowOrigin(u64::from(block) << ROW_BITS)
    }

    /// The origin of a row of the block whose first row this is.
    #[inline]
    pub(crate) fn with_row(self, row: usize) -> RowOrigin {
        RowOrigin(self.0 | row as u64)
    }

    pub(crate) fn block(self) -> usize {
        (self.0 >> ROW_BITS) as usize
    }

    pub(crate) fn row(self) -> u32 {
        (self.0 & (MAX_BATCH_ROWS as u64 - 1)) as u32
    }
}

/// Collects the flows that match: one partial per worker, all of them brought together at the end.
///
/// Workers see blocks in no particular order, and which worker sees which block is chance. So a sink must not
/// depend on it: where order matters, it goes by [`RowOrigin`].
pub trait Sink: Sync {
    /// What one worker collects.
    type Partial: Send;
    /// The answer.
    type Output;

    /// The fields that [`push`](Self::push) reads.
    fn columns(&self) -> FieldSet;

    /// An empty partial.
    fn start(&self) -> Self::Partial;

    /// Takes the selected rows of a block, at least one; `origin` is the place of the block's row 0.
    ///
    /// # Errors
    /// What makes the whole query fail.
    fn push(
        &self,
        partial: &mut Self::Partial,
        batch: &FlowBatch,
        selection: &Selection,
        origin: RowOrigin,
    ) -> Result<(), QueryError>;

    /// Makes the answer of the partials of all workers.
    ///
    /// # Errors
    /// What makes the whole query fail.
    fn finish(&self, partials: Vec<Self::Partial>, scanned: &Scanned<'_>) -> Result<Self::Output, QueryError>;
}

/// Two sinks in one pass: each sees every flow, what both read is decoded once.
impl<A: Sink, B: Sink> Sink for (A, B) {
    type Partial = (A::Partial, B::Partial);
    type Output = (A::Output, B::Output);

    fn columns(&self) -> FieldSet {
        self.0.columns().union(self.1.columns())
    }

    fn start(&self) -> Self::Partial {
        (self.0.start(), self.1.start())
    }

    fn push(
        &self,
        partial: &mut Self::Partial,
        batch: &FlowBatch,
        selection: &Selection,
        origin: RowOrigin,
    ) -> Result<(), QueryError> {
        self.0.push(&mut partial.0, batch, selection, origin)?;
        self.1.push(&mut partial.1, batch, selection, origin)
    }

    fn finish(&self, partials: Vec<Self::Partial>, scanned: &Scanned<'_>) -> Result<Self::Output, QueryError> {
        let (left, right) = partials.into_iter().unzip();
        Ok((self.0.finish(left, scanned)?, self.1.finish(right, scanned)?))
    }
}

/// A sink that may be missing.
impl<S: Sink> Sink for Option<S> {
    type Partial = Option<S::Partial>;
    type Output = Option<S::Output>;

    fn columns(&self) -> FieldSet {
        self.as_ref().map_or(FieldSet::EMPTY, Sink::columns)
    }

    fn start(&self) -> Self::Partial {
        self.as_ref().map(Sink::start)
    }

    fn push(
        &self,
        partial: &mut Self::Partial,
        batch: &FlowBatch,
        selection: &Selection,
        origin: RowOrigin,
    ) -> Result<(), QueryError> {
        match (self, partial) {
            (Some(sink), Some(partial)) => sink.push(partial, batch, selection, origin),
            _ => Ok(()),
        }
    }

    fn finish(&self, partials: Vec<Self::Partial>, scanned: &Scanned<'_>) -> Result<Self::Output, QueryError> {
        self.as_ref().map(|sink| sink.finish(partials.into_iter().flatten().collect(), scanned)).transpose()
    }
}

/// No sink: the report says it all.
impl Sink for () {
    type Partial = ();
    type Output = ();

    fn columns(&self) -> FieldSet {
        FieldSet::EMPTY
    }

    fn start(&self) {}

    fn push(&self, (): &mut (), _: &FlowBatch, _: &Selection, _: RowOrigin) -> Result<(), QueryError> {
        Ok(())
    }

    fn finish(&self, _: Vec<()>, _: &Scanned<'_>) -> Result<(), QueryError> {
        Ok(())
    }
}
