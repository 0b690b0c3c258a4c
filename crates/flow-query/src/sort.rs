//! Whole flows in order (`-O`).

use crate::counts::{COUNTER_FIELDS, Counts, Scratch};
use crate::topn::{Standing, TopN};
use crate::{Overview, QueryError, RowOrigin, Scanned, Sink};
use flow_model::{FieldSet, FlowBatch, Order, Selection};

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

/// What a worker keeps.
#[derive(Debug)]
pub struct SortPartial {
    scratch: Scratch,
    best: TopN<()>,
}

impl Sink for Sort {
    type Plan = ();
    type Partial = SortPartial;
    type Output = Vec<FlowBatch>;

    fn plan(&self, _: &Overview<'_>) {}

    fn columns(&self, (): &()) -> FieldSet {
        COUNTER_FIELDS
    }

    fn start(&self, (): &()) -> SortPartial {
        SortPartial { scratch: Scratch::default(), best: TopN::new(self.top) }
    }

    fn push(
        &self,
        (): &(),
        partial: &mut SortPartial,
        batch: &FlowBatch,
        selection: &Selection,
        origin: RowOrigin,
    ) -> Result<(), QueryError> {
        let SortPartial { scratch, best } = partial;
        let counts = Counts::new(batch, selection, scratch);
        counts.for_each(|index, row| {
            let origin = origin.with_row(counts.row(index));
            best.push(Standing::by(self.order, self.ascending, &row, origin), || ());
        });
        Ok(())
    }

    fn finish(
        &self,
        (): (),
        partials: Vec<SortPartial>,
        scanned: &Scanned<'_>,
    ) -> Result<Vec<FlowBatch>, QueryError> {
        let mut best = TopN::new(self.top);
        for partial in partials {
            best.merge(partial.best);
        }
        let origins: Vec<RowOrigin> =
            best.finish().into_iter().map(|(standing, ())| standing.origin).collect();
        scanned.fetch(&origins, self.columns)
    }
}
