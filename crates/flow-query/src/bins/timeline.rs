//! Spans of time that follow one another.

/// Bins: spans of time without gaps between them, each from its beginning up to the beginning of the next.
///
/// The first and the last take in what lies before and behind them, so that nothing is lost where files are wrong about
/// the times of their flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// Where bins begin, ms since 1970, and where the last one ends.
    edges: Vec<u64>,
    /// For each bin the first one behind it that has another width.
    run_ends: Vec<usize>,
}

/// Which bins the counters of a flow go to. The flow itself counts in the bin of its start, or with [`Last`](Self::Last) of
/// its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// To all that it lasts through, by the time it spent in each.
    #[default]
    Spread,
    /// To that in which it starts.
    First,
    /// To that in which it ends.
    Last,
    /// To that in which it lies completely, both ends included, as a time window takes flows; so what starts and ends where
    /// two bins meet is in both, and what crosses from one to the next in none.
    Inside {
        /// A flow may end so many ms behind its bin.
        beyond_ms: u64,
    },
}

impl Timeline {
    /// Bins between these times in ms since 1970; `None` unless they are at least two, and ascend.
    pub fn new(edges: Vec<u64>) -> Option<Timeline> {
        if edges.len() < 2 || edges.windows(2).any(|pair| pair[0] >= pair[1]) {
            return None;
        }
        let bins = edges.len() - 1;
        let mut run_ends = vec![bins; bins];
        for bin in (1..bins).rev() {
            let width = |bin: usize| edges[bin + 1] - edges[bin];
            run_ends[bin - 1] = if width(bin - 1) == width(bin) { run_ends[bin] } else { bin };
        }
        Some(Timeline { edges, run_ends })
    }

    /// How many bins there are, at least one.
    pub fn bins(&self) -> usize {
        self.run_ends.len()
    }

    /// Where a bin begins and where it ends.
    pub fn span(&self, bin: usize) -> (u64, u64) {
        (self.edges[bin], self.edges[bin + 1])
    }

    /// Where bins begin, and where the last one ends.
    pub fn edges(&self) -> &[u64] {
        &self.edges
    }

    /// The first bin behind `bin` that has another width, or the number of bins.
    pub(crate) fn run_end(&self, bin: usize) -> usize {
        self.run_ends[bin]
    }

    /// The bin of a time. `near` is the one that was found last: flows come more or less in the order of time.
    #[inline]
    pub(crate) fn find(&self, ms: u64, near: &mut usize) -> usize {
        if self.edges[*near] > ms || self.edges[*near + 1] <= ms {
            *near = self.edges[1..self.bins()].partition_point(|edge| *edge <= ms);
        }
        *near
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_wherever_one_looked_before() {
        let timeline = Timeline::new(vec![100, 200, 300, 350]).unwrap();
        assert_eq!((timeline.bins(), timeline.span(1)), (3, (200, 300)));
        for (ms, bin) in
            [(0, 0), (100, 0), (199, 0), (200, 1), (299, 1), (300, 2), (349, 2), (350, 2), (u64::MAX, 2)]
        {
            for mut near in 0..3 {
                assert_eq!(timeline.find(ms, &mut near), bin, "{ms}");
            }
        }
        assert_eq!((0..3).map(|bin| timeline.run_end(bin)).collect::<Vec<_>>(), [2, 2, 3]);
    }

    #[test]
    fn bins_go_forward() {
        for wrong in [vec![], vec![5], vec![5, 5], vec![5, 4]] {
            assert_eq!(Timeline::new(wrong), None);
        }
    }
}
