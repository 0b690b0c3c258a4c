//! Orders of groups.

use crate::counts::Sums;
use crate::topn::Standing;
use flow_model::Order;

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
}

impl Ranking {
    /// The first `top` groups by `order`, in the order's usual direction.
    pub fn by(order: Order, top: usize) -> Ranking {
        Ranking { order: Some(order), ascending: order.ascends(), top }
    }

    /// The first `top` groups in order of appearance.
    pub fn by_appearance(top: usize) -> Ranking {
        Ranking { order: None, ascending: true, top }
    }

    pub(crate) fn standing(&self, sums: &Sums) -> Standing {
        match self.order {
            Some(order) => Standing::by(order, self.ascending, &sums.counters, sums.origin()),
            None => Standing::by_appearance(sums.origin()),
        }
    }
}
