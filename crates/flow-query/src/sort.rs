//! Whole flows in order (`-O`).

use crate::counts::{COUNTER_FIELDS, Counts, Scratch};
use crate::spill::{Memory, Sorter};
use crate::topn::{Standing, TopN};
use crate::{Listing, Overview, QueryError, RowOrigin, Scanned, Sink};
use flow_model::{Counters, FieldSet, FlowBatch, Order, Selection};

/// Sorts the matching flows. Only what they are sorted by is kept while scanning; the flows themselves are read
/// again at the end.
#[derive(Clone, Debug)]
pub struct Sort {
    /// What is compared; ties go by first seen, then by the order of the input.
    pub order: Order,
    /// Whether small comes first.
    pub ascending: bool,
    /// How many flows are wanted; 0 = all.
    pub top: usize,
    /// The fields that are wanted of them.
    pub columns: FieldSet,
}

/// How much memory sorting may take.
#[derive(Debug)]
pub struct SortPlan {
    /// For what rows are sorted by, of each worker.
    standings: Memory,
    /// For the rows.
    rows: Memory,
}

/// What a worker keeps.
#[derive(Debug)]
pub struct SortPartial {
    best: Best,
}

#[derive(Debug)]
enum Best {
    First(TopN<()>),
    All(Sorter),
}

/// More than this are put in order in a file if need be. They take 3 MB.
const MOST_FIRST: usize = 1 << 16;

impl Sink for Sort {
    type Plan = SortPlan;
    type Partial = SortPartial;
    type Output = Listing;

    fn plan(&self, overview: &Overview<'_>) -> SortPlan {
        SortPlan {
            standings: overview.memory.part(1, 2 * overview.workers.max(1) as u64),
            rows: overview.memory.part(1, 2),
        }
    }

    fn columns(&self, _: &SortPlan) -> FieldSet {
        COUNTER_FIELDS
    }

    fn start(&self, plan: &SortPlan) -> SortPartial {
        let best = if (1..=MOST_FIRST).contains(&self.top) {
            Best::First(TopN::new(self.top))
        } else {
            Best::All(Sorter::new(plan.standings.clone()))
        };
        SortPartial { best }
    }

    fn push(
        &self,
        _: &SortPlan,
        partial: &mut SortPartial,
        batch: &FlowBatch,
        selection: &Selection,
        origin: RowOrigin,
    ) -> Result<(), QueryError> {
        let mut scratch = Scratch::new();
        let counts = Counts::new(batch, selection, &mut scratch);
        let standing = |index, row: &Counters| {
            Standing::by(self.order, self.ascending, row, origin.with_row(counts.row(index)))
        };
        match &mut partial.best {
            Best::First(best) => {
                counts.for_each(|index, row| best.push(standing(index, &row), || ()));
                Ok(())
            }
            Best::All(sorter) => {
                let mut pushed = Ok(());
                counts.for_each(|index, row| {
                    if pushed.is_ok() {
                        pushed = sorter.push(standing(index, &row), &[]);
                    }
                });
                pushed
            }
        }
    }

    fn finish(
        &self,
        plan: SortPlan,
        partials: Vec<SortPartial>,
        scanned: &Scanned<'_>,
    ) -> Result<Listing, QueryError> {
        let mut first = TopN::new(self.top);
        let mut all = Sorter::new(plan.standings.part(scanned.workers() as u64, 1));
        for partial in partials {
            match partial.best {
                Best::First(best) => first.merge(best),
                Best::All(sorter) => all.merge(sorter)?,
            }
        }
        let first = first.finish();
        let sorted = all.finish(self.top)?;
        let rows = first.len() as u64 + sorted.len();
        let origins = |visit: &mut dyn FnMut(RowOrigin) -> Result<(), QueryError>| {
            first.iter().try_for_each(|(standing, ())| visit(standing.origin))?;
            sorted.for_each(|standing, _| visit(standing.origin))
        };
        if scanned.fits(rows, size_of::<RowOrigin>(), self.columns, &plan.rows) {
            let mut listed = Vec::with_capacity(rows as usize);
            origins(&mut |origin| {
                listed.push(origin);
                Ok(())
            })?;
            return Ok(Listing::ready(scanned.fetch(&listed, self.columns)?));
        }
        Ok(Listing::made(rows, scanned.arrange(self.columns, &plan.rows, origins)?.into_batches()))
    }
}
