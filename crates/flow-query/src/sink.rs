//! Where matching flows go.

use crate::spill::Memory;
use crate::{QueryError, Scanned};
use flow_model::{Field, FieldSet, FlowBatch, MAX_BATCH_ROWS, Selection, Value};

/// The place of a row in the input: number of its block over all files, and row in the block.
///
/// Origins ascend in the order of the input. They decide ties, and rows can be read again by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowOrigin(pub(crate) u64);

const ROW_BITS: u32 = MAX_BATCH_ROWS.trailing_zeros();

impl RowOrigin {
    /// Bits an origin has at most: 31 for the block, more than files can be opened, and 16 for the row.
    pub(crate) const BITS: u32 = 31 + ROW_BITS;

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

/// What is known before the first block is read.
pub struct Overview<'a> {
    /// How many blocks there are.
    pub blocks: usize,
    /// How many rows they have.
    pub rows: u64,
    /// The earliest start of all flows, ms since 1970, as the files tell it.
    pub first_ms: u64,
    /// How many workers there are.
    pub workers: usize,
    /// About which share of the rows that are looked at match, from 0 to 1. 0 also when another pass may not see the same
    /// rows for less.
    pub matching: f64,
    /// Whether another pass over the blocks costs about as much as the first: they are decompressed again as a whole.
    pub dear: bool,
    /// How much memory the sink may take for what grows with the input.
    pub memory: Memory,
    pub(crate) spread: &'a dyn Fn(Field) -> u64,
}

impl Overview<'_> {
    /// The same with `share` of `whole` parts of the memory.
    fn with_share(&self, share: u64, whole: u64) -> Overview<'_> {
        Overview { memory: self.memory.part(share, whole), ..*self }
    }

    /// How many different values a field has at most; `u64::MAX` when nobody knows.
    pub fn spread(&self, field: Field) -> u64 {
        (self.spread)(field)
    }
}

/// A field and the values of it that are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The field.
    pub field: Field,
    /// The values, ascending.
    pub values: Vec<Value>,
}

/// Collects the flows that match: one partial per worker, all of them brought together at the end.
///
/// Workers see blocks in no particular order, and which worker sees which block is chance. So a sink must not
/// depend on it: where order matters, it goes by [`RowOrigin`].
pub trait Sink: Sync {
    /// What all workers know of one run.
    type Plan: Sync;
    /// What one worker collects.
    type Partial: Send;
    /// The answer.
    type Output;

    /// How many things it collects that grow with the input: the memory of a query is shared out by this.
    fn weight(&self) -> u64 {
        1
    }

    /// Begins a run.
    fn plan(&self, overview: &Overview<'_>) -> Self::Plan;

    /// The fields that [`push`](Self::push) reads in the pass that comes next.
    fn columns(&self, plan: &Self::Plan) -> FieldSet;

    /// What rows must have to be worth pushing in the pass that comes next, which is not the first: a value of every
    /// probe. Rows that do not may be pushed nevertheless.
    fn probes(&self, _plan: &Self::Plan) -> Vec<Probe> {
        Vec::new()
    }

    /// An empty partial.
    fn start(&self, plan: &Self::Plan) -> Self::Partial;

    /// Takes the selected rows of a block, at least one; `origin` is the place of the block's row 0.
    ///
    /// # Errors
    /// What makes the whole query fail.
    fn push(
        &self,
        plan: &Self::Plan,
        partial: &mut Self::Partial,
        batch: &FlowBatch,
        selection: &Selection,
        origin: RowOrigin,
    ) -> Result<(), QueryError>;

    /// After a pass over all blocks: says whether another one is needed, in which the same rows are pushed again.
    ///
    /// # Errors
    /// What makes the whole query fail.
    fn settle(
        &self,
        _plan: &mut Self::Plan,
        _partials: &mut Vec<Self::Partial>,
        _scanned: &Scanned<'_>,
    ) -> Result<bool, QueryError> {
        Ok(false)
    }

    /// Makes the answer of the partials of all workers.
    ///
    /// # Errors
    /// What makes the whole query fail.
    fn finish(
        &self,
        plan: Self::Plan,
        partials: Vec<Self::Partial>,
        scanned: &Scanned<'_>,
    ) -> Result<Self::Output, QueryError>;
}

/// Two sinks in one pass: each sees every flow, what both read is decoded once.
impl<A: Sink, B: Sink> Sink for (A, B) {
    type Plan = (Planned<A::Plan>, Planned<B::Plan>);
    type Partial = (A::Partial, B::Partial);
    type Output = (A::Output, B::Output);

    fn weight(&self) -> u64 {
        self.0.weight() + self.1.weight()
    }

    fn plan(&self, overview: &Overview<'_>) -> Self::Plan {
        let (left, right) = (self.0.weight(), self.1.weight());
        let share = |weight| overview.with_share(weight, left + right);
        (Planned::new(self.0.plan(&share(left))), Planned::new(self.1.plan(&share(right))))
    }

    fn columns(&self, plan: &Self::Plan) -> FieldSet {
        plan.0.columns(&self.0).union(plan.1.columns(&self.1))
    }

    fn probes(&self, plan: &Self::Plan) -> Vec<Probe> {
        match (plan.0.complete, plan.1.complete) {
            (false, true) => self.0.probes(&plan.0.plan),
            (true, false) => self.1.probes(&plan.1.plan),
            // What one does not want, the other may.
            _ => Vec::new(),
        }
    }

    fn start(&self, plan: &Self::Plan) -> Self::Partial {
        (self.0.start(&plan.0.plan), self.1.start(&plan.1.plan))
    }

    fn push(
        &self,
        plan: &Self::Plan,
        partial: &mut Self::Partial,
        batch: &FlowBatch,
        selection: &Selection,
        origin: RowOrigin,
    ) -> Result<(), QueryError> {
        if !plan.0.complete {
            self.0.push(&plan.0.plan, &mut partial.0, batch, selection, origin)?;
        }
        if !plan.1.complete {
            self.1.push(&plan.1.plan, &mut partial.1, batch, selection, origin)?;
        }
        Ok(())
    }

    fn settle(
        &self,
        plan: &mut Self::Plan,
        partials: &mut Vec<Self::Partial>,
        scanned: &Scanned<'_>,
    ) -> Result<bool, QueryError> {
        let (mut left, mut right): (Vec<_>, Vec<_>) = std::mem::take(partials).into_iter().unzip();
        let again =
            plan.0.settle(&self.0, &mut left, scanned)? | plan.1.settle(&self.1, &mut right, scanned)?;
        partials.extend(left.into_iter().zip(right));
        Ok(again)
    }

    fn finish(
        &self,
        plan: Self::Plan,
        partials: Vec<Self::Partial>,
        scanned: &Scanned<'_>,
    ) -> Result<Self::Output, QueryError> {
        let (left, right) = partials.into_iter().unzip();
        Ok((self.0.finish(plan.0.plan, left, scanned)?, self.1.finish(plan.1.plan, right, scanned)?))
    }
}

/// The plan of one of two sinks, and whether this one has everything it needs.
#[derive(Debug)]
pub struct Planned<P> {
    plan: P,
    complete: bool,
}

impl<P> Planned<P> {
    fn new(plan: P) -> Planned<P> {
        Planned { plan, complete: false }
    }

    fn columns<S: Sink<Plan = P>>(&self, sink: &S) -> FieldSet {
        if self.complete { FieldSet::EMPTY } else { sink.columns(&self.plan) }
    }

    fn settle<S: Sink<Plan = P>>(
        &mut self,
        sink: &S,
        partials: &mut Vec<S::Partial>,
        scanned: &Scanned<'_>,
    ) -> Result<bool, QueryError> {
        self.complete = self.complete || !sink.settle(&mut self.plan, partials, scanned)?;
        Ok(!self.complete)
    }
}

/// A sink that may be missing.
impl<S: Sink> Sink for Option<S> {
    type Plan = Option<S::Plan>;
    type Partial = Option<S::Partial>;
    type Output = Option<S::Output>;

    fn weight(&self) -> u64 {
        self.as_ref().map_or(0, Sink::weight)
    }

    fn plan(&self, overview: &Overview<'_>) -> Self::Plan {
        self.as_ref().map(|sink| sink.plan(overview))
    }

    fn columns(&self, plan: &Self::Plan) -> FieldSet {
        self.as_ref().zip(plan.as_ref()).map_or(FieldSet::EMPTY, |(sink, plan)| sink.columns(plan))
    }

    fn probes(&self, plan: &Self::Plan) -> Vec<Probe> {
        self.as_ref().zip(plan.as_ref()).map_or(Vec::new(), |(sink, plan)| sink.probes(plan))
    }

    fn start(&self, plan: &Self::Plan) -> Self::Partial {
        self.as_ref().zip(plan.as_ref()).map(|(sink, plan)| sink.start(plan))
    }

    fn push(
        &self,
        plan: &Self::Plan,
        partial: &mut Self::Partial,
        batch: &FlowBatch,
        selection: &Selection,
        origin: RowOrigin,
    ) -> Result<(), QueryError> {
        match (self, plan, partial) {
            (Some(sink), Some(plan), Some(partial)) => sink.push(plan, partial, batch, selection, origin),
            _ => Ok(()),
        }
    }

    fn settle(
        &self,
        plan: &mut Self::Plan,
        partials: &mut Vec<Self::Partial>,
        scanned: &Scanned<'_>,
    ) -> Result<bool, QueryError> {
        let (Some(sink), Some(plan)) = (self, plan) else { return Ok(false) };
        let mut present: Vec<S::Partial> = std::mem::take(partials).into_iter().flatten().collect();
        let again = sink.settle(plan, &mut present, scanned)?;
        partials.extend(present.into_iter().map(Some));
        Ok(again)
    }

    fn finish(
        &self,
        plan: Self::Plan,
        partials: Vec<Self::Partial>,
        scanned: &Scanned<'_>,
    ) -> Result<Self::Output, QueryError> {
        let Some((sink, plan)) = self.as_ref().zip(plan) else { return Ok(None) };
        sink.finish(plan, partials.into_iter().flatten().collect(), scanned).map(Some)
    }
}

/// No sink: the report says it all.
impl Sink for () {
    type Plan = ();
    type Partial = ();
    type Output = ();

    fn weight(&self) -> u64 {
        0
    }

    fn plan(&self, _: &Overview<'_>) {}

    fn columns(&self, (): &()) -> FieldSet {
        FieldSet::EMPTY
    }

    fn start(&self, (): &()) {}

    fn push(
        &self,
        (): &(),
        (): &mut (),
        _: &FlowBatch,
        _: &Selection,
        _: RowOrigin,
    ) -> Result<(), QueryError> {
        Ok(())
    }

    fn finish(&self, (): (), _: Vec<()>, _: &Scanned<'_>) -> Result<(), QueryError> {
        Ok(())
    }
}
