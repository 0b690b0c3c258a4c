//! The first N of many.

use crate::RowOrigin;
use flow_model::{Counters, Order};

/// Where a row or a group stands in an order. The smallest stands first; ties are decided by first seen, then
/// by the place in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Standing {
    rank: u64,
    first_ms: u64,
    pub(crate) origin: RowOrigin,
}

impl Standing {
    /// The standing by an order's value.
    #[inline]
    pub(crate) fn by(order: Order, ascending: bool, counters: &Counters, origin: RowOrigin) -> Standing {
        Standing { rank: rank(order.value(counters), ascending), first_ms: counters.first_ms, origin }
    }

    /// The standing by volume, most first.
    #[inline]
    pub(crate) fn by_volume(volume: u64) -> Standing {
        Standing { rank: rank(volume, false), first_ms: 0, origin: RowOrigin(0) }
    }

    /// See [`by_volume`](Self::by_volume).
    pub(crate) fn volume(self) -> u64 {
        !self.rank
    }

    /// The standing of a place among places, for rows that come in some order and are wanted in that of the input.
    pub(crate) fn by_origin(origin: RowOrigin, place: u64) -> Standing {
        Standing { rank: origin.0, first_ms: place, origin }
    }

    /// The place that [`by_origin`](Self::by_origin) was given.
    pub(crate) fn place(self) -> u64 {
        self.first_ms
    }

    /// Octets of [`to_octets`](Self::to_octets).
    pub(crate) const OCTETS: usize = 24;

    pub(crate) fn to_octets(self) -> [u8; Self::OCTETS] {
        let mut octets = [0; Self::OCTETS];
        let nums = [self.rank, self.first_ms, self.origin.0];
        octets.as_chunks_mut().0.iter_mut().zip(nums).for_each(|(octets, num)| *octets = num.to_le_bytes());
        octets
    }

    /// Reads what [`to_octets`](Self::to_octets) gave.
    pub(crate) fn from_octets(octets: &[u8]) -> Standing {
        let mut nums = octets.as_chunks().0.iter().map(|octets| u64::from_le_bytes(*octets));
        let mut next = || nums.next().unwrap_or(0);
        Standing { rank: next(), first_ms: next(), origin: RowOrigin(next()) }
    }

    /// The standing in order of appearance.
    pub(crate) const fn by_appearance(origin: RowOrigin) -> Standing {
        Standing { rank: 0, first_ms: 0, origin }
    }
}

/// A value's place in an order: the smallest comes first.
#[inline]
pub(crate) fn rank(value: u64, ascending: bool) -> u64 {
    if ascending { value } else { !value }
}

/// Keeps the first `limit` items in the order of their standing, then of themselves, in memory for twice as many.
#[derive(Debug)]
pub(crate) struct TopN<T> {
    limit: usize,
    items: Vec<(Standing, T)>,
    /// Whatever stands behind this need not be kept.
    last: Option<Standing>,
}

impl<T: Ord> TopN<T> {
    /// Keeps `limit` items; 0 = all.
    pub(crate) fn new(limit: usize) -> TopN<T> {
        TopN { limit, items: Vec::new(), last: None }
    }

    /// Another one of as many.
    pub(crate) fn another(&self) -> TopN<T> {
        TopN::new(self.limit)
    }

    /// Offers an item, which is made only if it may be among the first.
    #[inline]
    pub(crate) fn push(&mut self, standing: Standing, item: impl FnOnce() -> T) {
        if self.last.is_some_and(|last| standing > last) {
            return;
        }
        self.items.push((standing, item()));
        if self.limit != 0 && self.items.len() >= self.limit.saturating_mul(2) {
            self.shrink();
        }
    }

    /// Offers everything another one kept.
    pub(crate) fn merge(&mut self, other: TopN<T>) {
        if self.items.is_empty() && self.limit == other.limit {
            *self = other;
            return;
        }
        for (standing, item) in other.items {
            self.push(standing, || item);
        }
    }

    /// The items in order.
    pub(crate) fn finish(mut self) -> Vec<(Standing, T)> {
        if self.limit != 0 && self.items.len() > self.limit {
            self.shrink();
        }
        self.items.sort_unstable();
        self.items
    }

    fn shrink(&mut self) {
        let (_, last, _) = self.items.select_nth_unstable(self.limit - 1);
        self.last = Some(last.0);
        self.items.truncate(self.limit);
    }
}

/// Keeps the first `limit` items by rank and whatever stands equal to the last of them, in no particular order.
#[derive(Debug)]
pub(crate) struct TopTies<T> {
    limit: usize,
    items: Vec<(u64, T)>,
    /// Whatever stands behind this need not be kept.
    last: u64,
    /// Too many stood equal here, and were dropped: matters if no `limit` others stand before them.
    dropped: Option<u64>,
    shrink_at: usize,
}

impl<T> TopTies<T> {
    /// How many may stand equal to the last before it is too many.
    const MOST_TIES: usize = 1 << 12;

    /// Keeps the first `limit` items, at least 1.
    pub(crate) fn new(limit: usize) -> TopTies<T> {
        TopTies { limit, items: Vec::new(), last: u64::MAX, dropped: None, shrink_at: 2 * limit + 64 }
    }

    /// Offers an item, which is made only if it may be among the first.
    #[inline]
    pub(crate) fn push(&mut self, rank: u64, item: impl FnOnce() -> T) {
        if rank > self.last || self.dropped.is_some_and(|dropped| rank >= dropped) {
            return;
        }
        self.items.push((rank, item()));
        if self.items.len() >= self.shrink_at {
            self.shrink();
        }
    }

    /// Offers everything another one kept.
    pub(crate) fn merge(&mut self, other: TopTies<T>) {
        if let Some(rank) = other.dropped {
            self.drop_at(rank);
        }
        for (rank, item) in other.items {
            self.push(rank, || item);
        }
    }

    /// The items; `None` when too many stood equal.
    pub(crate) fn finish(mut self) -> Option<impl Iterator<Item = T>> {
        self.shrink();
        let complete = self.dropped.is_none() || self.items.len() >= self.limit;
        complete.then(|| self.items.into_iter().map(|(_, item)| item))
    }

    fn shrink(&mut self) {
        if self.items.len() >= self.limit {
            let (_, (last, _), _) = self.items.select_nth_unstable_by_key(self.limit - 1, |(rank, _)| *rank);
            let last = *last;
            self.last = last;
            self.dropped = None;
            self.items.retain(|(rank, _)| *rank <= last);
            if self.items.len() > self.limit + Self::MOST_TIES {
                self.drop_at(last);
            }
        }
        self.shrink_at = self.shrink_at.max(2 * self.items.len());
    }

    fn drop_at(&mut self, rank: u64) {
        if rank <= self.last && self.dropped.is_none_or(|dropped| rank < dropped) {
            self.dropped = Some(rank);
            self.last = rank;
            self.items.retain(|(other, _)| *other < rank);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn too_many_ties_are_said_to_be_too_many() {
        let many = || {
            let mut ties = TopTies::new(3);
            (0..20_000).for_each(|place| ties.push(7, || place));
            ties
        };
        assert!(many().finish().is_none());
        // Unless enough others stand before them.
        let mut better = TopTies::new(3);
        (0..3).for_each(|place| better.push(6, || place));
        let mut worse = many();
        worse.merge(better);
        assert_eq!(worse.finish().unwrap().count(), 3);
    }

    proptest! {
        #[test]
        fn is_the_head_of_the_sorted_whole(
            values in prop::collection::vec((0_u64..6, 0_u64..3), 0..120),
            limit in 0_usize..20,
            cut in 0_usize..120,
        ) {
            let standing = |place: usize, &(bytes, first_ms): &(u64, u64)| {
                let counters = Counters { in_bytes: bytes, first_ms, ..Counters::default() };
                Standing::by(Order::Bytes, false, &counters, RowOrigin(place as u64 / 2))
            };
            let mut expected: Vec<(Standing, usize)> =
                values.iter().enumerate().map(|(place, value)| (standing(place, value), place)).collect();
            expected.sort_unstable();
            if limit != 0 {
                expected.truncate(limit);
            }
            let (mut head, mut tail) = (TopN::new(limit), TopN::new(limit));
            for (place, value) in values.iter().enumerate() {
                let part = if place < cut { &mut head } else { &mut tail };
                part.push(standing(place, value), || place);
            }
            tail.merge(head);
            prop_assert_eq!(tail.finish(), expected);
        }

        #[test]
        fn ties_of_the_last_are_kept(ranks in prop::collection::vec(0_u64..9, 0..400), limit in 1_usize..20, cut in 0_usize..400) {
            let (mut head, mut tail) = (TopTies::new(limit), TopTies::new(limit));
            for (place, &rank) in ranks.iter().enumerate() {
                let part = if place < cut { &mut head } else { &mut tail };
                part.push(rank, || place);
            }
            tail.merge(head);
            let mut kept: Vec<usize> = tail.finish().unwrap().collect();
            kept.sort_unstable();
            let mut sorted = ranks.clone();
            sorted.sort_unstable();
            let last = sorted.get(limit - 1).copied().unwrap_or(u64::MAX);
            let expected: Vec<usize> = (0..ranks.len()).filter(|&place| ranks[place] <= last).collect();
            prop_assert_eq!(kept, expected);
        }
    }
}
