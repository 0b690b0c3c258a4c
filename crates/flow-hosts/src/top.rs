//! The largest of many, and what each of them adds up to.

use crate::rollup::Bytes;
use std::collections::HashMap;
use std::hash::Hash;

/// So many are kept of a day.
pub(crate) const KEPT: usize = 32;

/// A protocol and the port of the side that serves; port 0 where there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service {
    /// Protocol number.
    pub proto: u8,
    /// Port.
    pub port: u16,
}

/// The largest of one day, largest first, and those of the day before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Top<K> {
    /// Number of the day.
    pub(crate) day: u64,
    pub(crate) today: Vec<(K, Bytes)>,
    pub(crate) yesterday: Vec<(K, Bytes)>,
}

impl<K> Default for Top<K> {
    fn default() -> Top<K> {
        Top { day: 0, today: Vec::new(), yesterday: Vec::new() }
    }
}

impl<K: Copy + Ord + Hash> Top<K> {
    /// Adds what came together on a day. What is of a day that is over counts to the one that is kept.
    pub(crate) fn add(&mut self, day: u64, sums: impl Iterator<Item = (K, Bytes)>) {
        if day > self.day {
            let today = std::mem::take(&mut self.today);
            self.yesterday = if day == self.day + 1 { today } else { Vec::new() };
            self.day = day;
        }
        let mut all: HashMap<K, Bytes> = self.today.drain(..).collect();
        for (key, bytes) in sums {
            add(all.entry(key).or_default(), bytes);
        }
        let mut all: Vec<(K, Bytes)> = all.into_iter().collect();
        all.sort_unstable_by_key(|&(key, bytes)| (std::cmp::Reverse(total(bytes)), key));
        all.truncate(KEPT);
        self.today = all;
    }

    /// Those of the day, or of the day before while there is nothing yet.
    pub(crate) fn shown(&self) -> &[(K, Bytes)] {
        if self.today.is_empty() { &self.yesterday } else { &self.today }
    }
}

pub(crate) fn add(sum: &mut Bytes, more: Bytes) {
    for (sum, more) in sum.iter_mut().zip(more) {
        *sum = sum.saturating_add(more);
    }
}

pub(crate) fn total([bytes_in, bytes_out]: Bytes) -> u64 {
    bytes_in.saturating_add(bytes_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_of_a_day_stay() {
        let mut top: Top<u32> = Top::default();
        top.add(7, (0..100).map(|key| (key, [u64::from(key), 1])));
        assert_eq!(top.today.len(), KEPT);
        assert_eq!(top.today[0], (99, [99, 1]));
        top.add(7, [(5, [1_000, 0]), (99, [1, 1])].into_iter());
        assert_eq!(top.shown()[..2], [(5, [1_000, 0]), (99, [100, 2])]);
        top.add(8, std::iter::empty());
        assert_eq!((top.shown()[0].0, top.today.len()), (5, 0));
        top.add(8, [(1, [1, 1])].into_iter());
        assert_eq!(top.shown(), [(1, [1, 1])]);
        top.add(10, std::iter::empty());
        assert!(top.shown().is_empty());
    }
}
