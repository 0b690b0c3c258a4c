//! Orders of groups.

use crate::counts::Sums;
use crate::topn::Standing;
use flow_model::{CounterSide, Counters, Order};

/// An order of groups, and how many of them are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranking {
    /// What is compared; ties go by first seen, then by the order of the input. `None` = groups come in the order in
    /// which they appear.
    pub order: Option<Order>,
    /// Whether small comes first.
    pub ascending: bool,
    /// How many groups are wanted; 0 = all.
    pub top: usize,
    /// Which groups are wanted at all.
    pub bounds: Bounds,
}

/// What a group must count to be wanted (`-l`, `-L`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Its packets, in or out or both, whichever the order is about; without order, in.
    pub packets: Option<Bound>,
    /// Its bytes, of the same side.
    pub bytes: Option<Bound>,
}

/// One side of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// More than so many.
    Above(u64),
    /// Less than so many.
    Below(u64),
}

impl Bounds {
    fn contain(&self, side: CounterSide, counters: &Counters) -> bool {
        let (packets, bytes) = counters.of(side);
        let within = |bound: Option<Bound>, num| match bound {
            None => true,
            Some(Bound::Above(least)) => num > least,
            Some(Bound::Below(most)) => num < most,
        };
        within(self.packets, packets) && within(self.bytes, bytes)
    }
}

impl Ranking {
    /// The first `top` groups by `order`, in the order's usual direction.
    pub fn by(order: Order, top: usize) -> Ranking {
        Ranking { order: Some(order), ascending: order.ascends(), top, bounds: Bounds::default() }
    }

    /// The first `top` groups in order of appearance.
    pub fn by_appearance(top: usize) -> Ranking {
        Ranking { order: None, ascending: true, top, bounds: Bounds::default() }
    }

    /// Whether a group is wanted at all.
    pub(crate) fn admits(&self, sums: &Sums) -> bool {
        self.bounds == Bounds::default()
            || self.bounds.contain(self.order.map_or(CounterSide::In, Order::side), &sums.counters)
    }

    pub(crate) fn standing(&self, sums: &Sums) -> Standing {
        match self.order {
            Some(order) => Standing::by(order, self.ascending, &sums.counters, sums.origin()),
            None => Standing::by_appearance(sums.origin()),
        }
    }
}
