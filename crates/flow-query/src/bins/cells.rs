//! What flows add up to, by group and bin.

use super::share::{Share, Stretch, share};
use super::timeline::{Placement, Timeline};
use flow_model::Counters;

/// Flows, packets in, bytes in, packets out, bytes out.
type Sums<T> = [T; 5];

/// The place of the flows, which are never divided.
const FLOWS: usize = 0;

fn sums(flow: &Counters) -> Sums<u64> {
    [flow.flows, flow.in_packets, flow.in_bytes, flow.out_packets, flow.out_bytes]
}

/// The counters of one worker, or of all: for each slot, a group or the rest, those of every bin.
#[derive(Debug)]
pub(crate) struct Cells {
    bins: usize,
    sums: Vec<Sums<u64>>,
    /// Of each slot, once it has a flow that lasts through many bins: by how much all bins from one on have more than the
    /// one before, less what stands in `sums`. So such a flow costs no more than another.
    steps: Vec<Option<Box<[Sums<u128>]>>>,
}

/// Parts of more bins than this are noted as steps.
const MOST_ONE_BY_ONE: usize = 8;

impl Cells {
    /// Octets that a bin of a slot takes at most.
    pub(crate) const OCTETS: usize = size_of::<Sums<u64>>() + size_of::<Sums<u128>>();

    /// Nothing counted yet.
    pub(crate) fn new(slots: usize, bins: usize) -> Cells {
        Cells { bins, sums: vec![[0; 5]; slots * bins], steps: vec![None; slots] }
    }

    #[inline]
    fn cell(&mut self, slot: u32, bin: usize) -> &mut Sums<u64> {
        &mut self.sums[slot as usize * self.bins + bin]
    }

    /// Adds a flow to one bin.
    #[inline]
    fn add(&mut self, slot: u32, bin: usize, flow: &Counters) {
        add(self.cell(slot, bin), sums(flow));
    }

    /// Adds to one of the sums in the bins of a stretch.
    fn add_share(&mut self, slot: u32, stretch: Stretch, place: usize, Share { each, more }: Share) {
        let Stretch { first, bins, .. } = stretch;
        if bins <= MOST_ONE_BY_ONE {
            for bin in 0..bins {
                let sum = &mut self.cell(slot, first + bin)[place];
                *sum = sum.saturating_add(each + u64::from(bin < more));
            }
            return;
        }
        let len = self.bins;
        let steps = self.steps[slot as usize].get_or_insert_with(|| vec![[0; 5]; len].into());
        let mut step = |bin: usize, by: u128| {
            // What ends with the last bin needs no step down.
            if let Some(step) = steps.get_mut(bin) {
                step[place] = step[place].wrapping_add(by);
            }
        };
        step(first, u128::from(each) + u128::from(more > 0));
        if more > 0 {
            step(first + more, 1_u128.wrapping_neg());
        }
        step(first + bins, u128::from(each).wrapping_neg());
    }

    /// Adds what another worker counted.
    pub(crate) fn merge(&mut self, other: Cells) {
        for (sum, more) in self.sums.iter_mut().zip(&other.sums) {
            add(sum, *more);
        }
        for (steps, other) in self.steps.iter_mut().zip(other.steps) {
            match (steps, other) {
                (_, None) => {}
                (steps @ None, other) => *steps = other,
                (Some(steps), Some(other)) => {
                    for (sum, more) in steps.iter_mut().flatten().zip(other.iter().flatten()) {
                        *sum = sum.wrapping_add(*more);
                    }
                }
            }
        }
    }

    /// For each slot its counters in every bin, whose times are the bin's.
    pub(crate) fn finish(self, timeline: &Timeline) -> Vec<Vec<Counters>> {
        let slots = self.sums.chunks(self.bins).zip(self.steps);
        let rows = slots.map(|(cells, steps)| {
            let mut level: Sums<u128> = [0; 5];
            let counters = cells.iter().enumerate().map(|(bin, cell)| {
                let mut sums = *cell;
                if let Some(steps) = &steps {
                    for (level, step) in level.iter_mut().zip(&steps[bin]) {
                        *level = level.wrapping_add(*step);
                    }
                    add(&mut sums, level.map(|level| u64::try_from(level).unwrap_or(u64::MAX)));
                }
                let (first_ms, last_ms) = timeline.span(bin);
                let [flows, in_packets, in_bytes, out_packets, out_bytes] = sums;
                Counters { first_ms, last_ms, flows, in_packets, in_bytes, out_packets, out_bytes }
            });
            counters.collect()
        });
        rows.collect()
    }
}

#[inline]
fn add(sums: &mut Sums<u64>, more: Sums<u64>) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum = sum.saturating_add(more);
    }
}

/// Puts flows where they belong.
#[derive(Debug, Default)]
pub(crate) struct Placer {
    /// The bin that was found last.
    near: usize,
    stretches: Vec<Stretch>,
    shares: Vec<(Share, u64)>,
}

impl Placer {
    /// Adds a flow to a slot.
    #[inline]
    pub(crate) fn place(
        &mut self,
        timeline: &Timeline,
        placement: Placement,
        cells: &mut Cells,
        slot: u32,
        flow: &Counters,
    ) {
        match placement {
            Placement::Spread => {
                let bin = timeline.find(flow.first_ms, &mut self.near);
                if flow.last_ms <= timeline.edges()[bin + 1] || bin + 1 == timeline.bins() {
                    cells.add(slot, bin, flow);
                } else {
                    self.spread(timeline, cells, slot, bin, flow);
                }
            }
            Placement::First => cells.add(slot, timeline.find(flow.first_ms, &mut self.near), flow),
            Placement::Last => cells.add(slot, timeline.find(flow.last_ms, &mut self.near), flow),
            Placement::Inside { beyond_ms } => self.put_inside(timeline, beyond_ms, cells, slot, flow),
        }
    }

    /// Adds a flow to the bins in which it starts and ends: one, none, two where bins meet, or all from its end to its start
    /// if it ends before it starts, as such a flow is in all these time windows.
    fn put_inside(
        &mut self,
        timeline: &Timeline,
        beyond_ms: u64,
        cells: &mut Cells,
        slot: u32,
        flow: &Counters,
    ) {
        let (edges, end) = (timeline.edges(), flow.last_ms.saturating_sub(beyond_ms));
        let last = timeline.find(flow.first_ms, &mut self.near);
        let containing = timeline.find(end, &mut { last });
        let first = if end == edges[containing] { containing.saturating_sub(1) } else { containing };
        if flow.first_ms < edges[0] || end > edges[timeline.bins()] || first > last {
            return;
        }
        let stretch = Stretch { first, bins: last - first + 1, weight: 0 };
        for (place, count) in sums(flow).into_iter().enumerate() {
            cells.add_share(slot, stretch, place, Share { each: count, more: 0 });
        }
    }

    /// Adds a flow that starts in the bin `first` and ends behind it.
    #[inline(never)]
    fn spread(&mut self, timeline: &Timeline, cells: &mut Cells, slot: u32, first: usize, flow: &Counters) {
        let edges = timeline.edges();
        let last = timeline.find(flow.last_ms - 1, &mut { first });
        let stretches = &mut self.stretches;
        stretches.clear();
        stretches.push(Stretch { first, bins: 1, weight: edges[first + 1] - flow.first_ms });
        let mut bin = first + 1;
        while bin < last {
            let end = timeline.run_end(bin).min(last);
            stretches.push(Stretch { first: bin, bins: end - bin, weight: edges[bin + 1] - edges[bin] });
            bin = end;
        }
        stretches.push(Stretch { first: last, bins: 1, weight: flow.last_ms - edges[last] });
        for (place, count) in sums(flow).into_iter().enumerate() {
            if place == FLOWS {
                let flows = &mut cells.cell(slot, first)[FLOWS];
                *flows = flows.saturating_add(count);
            } else if count > 0 {
                share(count, flow.last_ms - flow.first_ms, stretches, &mut self.shares);
                for (stretch, (share, _)) in stretches.iter().zip(&self.shares) {
                    cells.add_share(slot, *stretch, place, *share);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(first_ms: u64, last_ms: u64, in_bytes: u64) -> Counters {
        Counters { first_ms, last_ms, flows: 1, in_packets: 1, in_bytes, ..Counters::default() }
    }

    fn bytes(edges: &[u64], placement: Placement, flows: &[Counters]) -> Vec<u64> {
        let timeline = Timeline::new(edges.to_vec()).unwrap();
        let (mut cells, mut placer) = (Cells::new(1, timeline.bins()), Placer::default());
        for flow in flows {
            placer.place(&timeline, placement, &mut cells, 0, flow);
        }
        cells.finish(&timeline)[0].iter().map(|cell| cell.in_bytes).collect()
    }

    #[test]
    fn a_flow_is_spread_by_the_time_it_spends_in_each_bin() {
        let edges = [0, 100, 200, 300];
        let spread = |first, last, count| bytes(&edges, Placement::Spread, &[flow(first, last, count)]);
        assert_eq!(spread(50, 250, 400), [100, 200, 100]);
        assert_eq!(spread(50, 100, 400), [400, 0, 0]);
        assert_eq!(spread(100, 100, 400), [0, 400, 0]);
        assert_eq!(spread(90, 120, 10), [3, 7, 0]);
        // Of equal remainders the earlier bin has it.
        assert_eq!(spread(50, 150, 1), [1, 0, 0]);
        // What lies outside is in the outer bins, and so is what ends before it starts.
        assert_eq!(spread(250, 900, 7), [0, 0, 7]);
        assert_eq!(spread(150, 20, 7), [0, 7, 0]);
    }

    #[test]
    fn a_flow_through_many_bins_is_spread_in_the_same_way() {
        let edges: Vec<u64> = (0..40).map(|edge| edge * 10).chain([400, 415, 430]).collect();
        let binned = bytes(&edges, Placement::Spread, &[flow(15, 420, 1_000), flow(95, 305, u64::MAX)]);
        let (first, second) = (
            bytes(&edges, Placement::Spread, &[flow(15, 420, 1_000)]),
            bytes(&edges, Placement::Spread, &[flow(95, 305, u64::MAX)]),
        );
        assert_eq!(first.iter().sum::<u64>(), 1_000);
        assert_eq!(second.iter().map(|part| u128::from(*part)).sum::<u128>(), u128::from(u64::MAX));
        // Of 405 ms 5 are in the first, 10 in each of the next 38, and 15 and 5; 27 of the 38 have what rounding leaves.
        assert_eq!((first[0], first[1], first[2], first[39], first[40], first[41]), (0, 12, 25, 24, 37, 12));
        assert_eq!(binned, first.iter().zip(&second).map(|(one, other)| one + other).collect::<Vec<_>>());
    }

    #[test]
    fn counters_may_stand_at_one_end_or_be_of_flows_inside_alone() {
        let edges = [0, 100, 200];
        let flows =
            [flow(50, 150, 1), flow(100, 100, 2), flow(10, 100, 4), flow(120, 200, 8), flow(101, 201, 16)];
        assert_eq!(bytes(&edges, Placement::First, &flows), [5, 26]);
        assert_eq!(bytes(&edges, Placement::Last, &flows), [0, 31]);
        assert_eq!(bytes(&edges, Placement::Inside { beyond_ms: 0 }, &flows), [6, 10]);
        assert_eq!(bytes(&edges, Placement::Inside { beyond_ms: 1 }, &flows), [6, 26]);
        assert_eq!(bytes(&[20, 100, 200], Placement::Inside { beyond_ms: 0 }, &flows), [2, 10]);
    }

    #[test]
    fn workers_add_up() {
        let timeline = Timeline::new((0..30).collect()).unwrap();
        let place = |flows: &[Counters], cells: &mut Cells| {
            let mut placer = Placer::default();
            for flow in flows {
                placer.place(&timeline, Placement::Spread, cells, 1, flow);
            }
        };
        let flows = [flow(1, 29, 100), flow(3, 4, 7), flow(2, 20, 50), flow(5, 25, u64::MAX)];
        let [mut whole, mut one, mut other, mut third] = [(); 4].map(|()| Cells::new(2, 29));
        place(&flows, &mut whole);
        place(&flows[..2], &mut one);
        place(&flows[2..3], &mut other);
        place(&flows[3..], &mut third);
        other.merge(third);
        one.merge(other);
        assert_eq!(one.finish(&timeline), whole.finish(&timeline));
    }
}
