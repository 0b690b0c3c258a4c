//! The sink that puts flows into bins.

use super::cells::{Cells, Placer};
use super::slots::{SlotScratch, Slots};
use super::timeline::{Placement, Timeline};
use crate::counts::{COUNTER_FIELDS, Counts, Scratch};
use crate::spill::Memory;
use crate::{
    Aggregate, Direction, KeyPart, Listing, Overview, Probe, QueryError, RowOrigin, Scanned, Sink, Statistics,
};
use flow_model::{Counters, FieldSet, FlowBatch, Selection};
use std::sync::Arc;

/// What the flows of each group add up to in each bin. The groups are those which the sinks show without bins, over all
/// flows; what is in none of them counts as the rest. Without sinks, everything does.
///
/// The bins of a group add up to exactly what the group has without bins, unless flows only count
/// [inside](Placement::Inside).
#[derive(Clone, Debug)]
pub struct Binned {
    /// The bins.
    pub timeline: Arc<Timeline>,
    /// Which of them the counters of a flow go to.
    pub placement: Placement,
    /// Groups of flows with equal keys.
    pub records: Option<Aggregate>,
    /// Element statistics.
    pub elements: Option<Statistics>,
}

/// One answer in bins. Their times are those of the bins.
#[derive(Debug)]
pub struct BinTable {
    /// The groups in order, as they are shown without bins.
    pub groups: Vec<FlowBatch>,
    /// For each group its counters in every bin.
    pub rows: Vec<Vec<Counters>>,
    /// The counters of all flows that are in none of the groups.
    pub rest: Vec<Counters>,
}

type Groups = (Option<Aggregate>, Option<Statistics>);

/// What all workers know.
pub struct BinnedPlan {
    stage: Stage,
    /// For the cells of all workers.
    memory: Memory,
    workers: usize,
    groups: Groups,
}

enum Stage {
    /// The groups are looked for.
    Search(Box<<Groups as Sink>::Plan>),
    /// The groups are known.
    Count(Vec<Table>),
}

struct Table {
    groups: Vec<FlowBatch>,
    slots: Slots,
}

impl Table {
    fn slots(&self) -> usize {
        self.groups.iter().map(FlowBatch::len).sum::<usize>() + 1
    }
}

/// What a worker keeps.
pub struct BinnedPartial {
    search: Option<<Groups as Sink>::Partial>,
    scratch: Scratch,
    slots: SlotScratch,
    placer: Placer,
    /// For each table.
    cells: Vec<Cells>,
}

impl Sink for Binned {
    type Plan = BinnedPlan;
    type Partial = BinnedPartial;
    /// The tables of [`records`](Self::records) by their rankings, then those of [`elements`](Self::elements), each by
    /// its orders; without either, one table without groups.
    type Output = Vec<BinTable>;

    fn weight(&self) -> u64 {
        1 + self.records.weight() + self.elements.weight()
    }

    fn plan(&self, overview: &Overview<'_>) -> BinnedPlan {
        let groups = (self.records.clone(), self.elements.clone());
        let stage = if let (None, None) = groups {
            Stage::Count(vec![Table { groups: Vec::new(), slots: Slots::nothing() }])
        } else {
            // They are done before the cells are needed.
            Stage::Search(Box::new(groups.plan(overview)))
        };
        BinnedPlan { stage, memory: overview.memory.clone(), workers: overview.workers, groups }
    }

    fn columns(&self, plan: &BinnedPlan) -> FieldSet {
        match &plan.stage {
            Stage::Search(search) => plan.groups.columns(search),
            Stage::Count(tables) => {
                tables.iter().fold(COUNTER_FIELDS, |fields, table| fields.union(table.slots.fields()))
            }
        }
    }

    fn probes(&self, plan: &BinnedPlan) -> Vec<Probe> {
        match &plan.stage {
            Stage::Search(search) => plan.groups.probes(search),
            Stage::Count(_) => Vec::new(),
        }
    }

    fn start(&self, plan: &BinnedPlan) -> BinnedPartial {
        BinnedPartial {
            search: match &plan.stage {
                Stage::Search(search) => Some(plan.groups.start(search)),
                Stage::Count(_) => None,
            },
            scratch: Scratch::default(),
            slots: SlotScratch::default(),
            placer: Placer::default(),
            cells: Vec::new(),
        }
    }

    fn push(
        &self,
        plan: &BinnedPlan,
        partial: &mut BinnedPartial,
        batch: &FlowBatch,
        selection: &Selection,
        origin: RowOrigin,
    ) -> Result<(), QueryError> {
        let BinnedPartial { search, scratch, slots, placer, cells } = partial;
        match (&plan.stage, search) {
            (Stage::Search(stage), Some(search)) => plan.groups.push(stage, search, batch, selection, origin),
            (Stage::Search(_), None) => Ok(()),
            (Stage::Count(tables), _) => {
                if cells.is_empty() {
                    let bins = self.timeline.bins();
                    cells.extend(tables.iter().map(|table| Cells::new(table.slots(), bins)));
                }
                let counts = Counts::new(batch, selection, scratch);
                for (table, cells) in tables.iter().zip(cells) {
                    let row = |index| counts.row(index);
                    table.slots.for_each(batch, counts.len(), row, slots, |index, slot, is_turned| {
                        let flow = counts.at(index);
                        let flow = if is_turned { turn(flow) } else { flow };
                        placer.place(&self.timeline, self.placement, cells, slot, &flow);
                    });
                }
                Ok(())
            }
        }
    }

    fn settle(
        &self,
        plan: &mut BinnedPlan,
        partials: &mut Vec<BinnedPartial>,
        scanned: &Scanned<'_>,
    ) -> Result<bool, QueryError> {
        let Stage::Search(search) = &mut plan.stage else { return Ok(false) };
        let mut searched: Vec<_> = partials.iter_mut().filter_map(|partial| partial.search.take()).collect();
        if plan.groups.settle(search, &mut searched, scanned)? {
            for (partial, searched) in partials.iter_mut().zip(searched) {
                partial.search = Some(searched);
            }
            return Ok(true);
        }
        let Stage::Search(search) = std::mem::replace(&mut plan.stage, Stage::Count(Vec::new())) else {
            return Ok(false);
        };
        let (records, elements) = plan.groups.finish(*search, searched, scanned)?;
        let mut tables = Vec::new();
        if let (Some(aggregate), Some(answers)) = (&self.records, records) {
            let both_ways = aggregate.direction != Direction::OneWay;
            for listing in answers {
                tables.push(self.table(
                    plan,
                    &tables,
                    std::slice::from_ref(&aggregate.key),
                    both_ways,
                    listing,
                )?);
            }
        }
        if let (Some(statistics), Some(answers)) = (&self.elements, elements) {
            for (spec, answers) in statistics.specs.iter().zip(answers) {
                let keys: Vec<_> = spec.statistic.fields.iter().map(|&field| spec.key(field)).collect();
                for answer in answers {
                    tables.push(self.table(plan, &tables, &keys, false, answer.rows)?);
                }
            }
        }
        plan.stage = Stage::Count(tables);
        Ok(true)
    }

    fn finish(
        &self,
        plan: BinnedPlan,
        partials: Vec<BinnedPartial>,
        _: &Scanned<'_>,
    ) -> Result<Vec<BinTable>, QueryError> {
        let Stage::Count(tables) = plan.stage else { return Ok(Vec::new()) };
        let mut sums: Vec<Option<Cells>> = tables.iter().map(|_| None).collect();
        for partial in partials {
            for (sum, cells) in sums.iter_mut().zip(partial.cells) {
                match sum {
                    None => *sum = Some(cells),
                    Some(sum) => sum.merge(cells),
                }
            }
        }
        let bins = self.timeline.bins();
        let tables = tables.into_iter().zip(sums).map(|(table, sums)| {
            let sums = sums.unwrap_or_else(|| Cells::new(table.slots(), bins));
            let mut rows = sums.finish(&self.timeline);
            let rest = rows.remove(0);
            BinTable { groups: table.groups, rows, rest }
        });
        Ok(tables.collect())
    }
}

impl Binned {
    /// A table of the groups that were found.
    fn table(
        &self,
        plan: &BinnedPlan,
        others: &[Table],
        keys: &[Vec<KeyPart>],
        both_ways: bool,
        listing: Listing,
    ) -> Result<Table, QueryError> {
        let found = usize::try_from(listing.len()).unwrap_or(usize::MAX);
        self.check_slots(others.iter().map(Table::slots).sum::<usize>().saturating_add(found), plan)?;
        let groups = listing.collect::<Result<Vec<_>, _>>()?;
        Ok(Table { slots: Slots::new(keys, both_ways, &groups)?, groups })
    }

    /// Whether there is memory for so many groups in bins.
    ///
    /// # Errors
    /// Says for how many there is.
    fn check_slots(&self, slots: usize, plan: &BinnedPlan) -> Result<(), QueryError> {
        let bins = self.timeline.bins();
        let limit = plan.memory.octets() / plan.workers.max(1) / Cells::OCTETS / bins;
        if slots <= limit { Ok(()) } else { Err(QueryError::TooManyCells { groups: slots, bins, limit }) }
    }
}

/// The same flow, seen from the other end.
fn turn(flow: Counters) -> Counters {
    Counters {
        in_packets: flow.out_packets,
        in_bytes: flow.out_bytes,
        out_packets: flow.in_packets,
        out_bytes: flow.in_bytes,
        ..flow
    }
}
