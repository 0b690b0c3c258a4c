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
        let value = order.value(counters);
        Standing { rank: if ascending { value } else { !value }, first_ms: counters.first_ms, origin }
    }

    /// The standing in order of appearance.
    pub(crate) fn by_appearance(origin: RowOrigin) -> Standing {
        Standing { rank: 0, first_ms: 0, origin }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
    }
}
