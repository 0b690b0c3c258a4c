//! The orders of `-s` and `-O`.

/// Which counters an order looks at, and so which ones a statistic prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CounterSide {
    /// Counters in.
    In,
    /// Counters out.
    Out,
    /// Their sum.
    Both,
}

/// What rows are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Order {
    /// Flows.
    Flows,
    /// Packets in and out.
    Packets,
    /// Packets in.
    InPackets,
    /// Packets out.
    OutPackets,
    /// Bytes in and out.
    Bytes,
    /// Bytes in.
    InBytes,
    /// Bytes out.
    OutBytes,
    /// Packets per second, in and out.
    Pps,
    /// Packets per second in.
    InPps,
    /// Packets per second out.
    OutPps,
    /// Bits per second, in and out.
    Bps,
    /// Bits per second in.
    InBps,
    /// Bits per second out.
    OutBps,
    /// Bytes per packet, in and out.
    Bpp,
    /// Bytes per packet in.
    InBpp,
    /// Bytes per packet out.
    OutBpp,
    /// Start of the flow.
    Start,
    /// End of the flow.
    End,
    /// Duration of the flow.
    Duration,
}

/// In the order in which nfdump prints the tables of one `-s`; the first name is the one in headings.
static NAMES: &[(Order, &[&str])] = &[
    (Order::Flows, &["flows"]),
    (Order::Packets, &["packets"]),
    (Order::InPackets, &["ipkg", "ipkt", "ipkts", "ipackets"]),
    (Order::OutPackets, &["opkg", "opkt", "opkts", "opackets"]),
    (Order::Bytes, &["bytes"]),
    (Order::InBytes, &["ibyte", "ibytes"]),
    (Order::OutBytes, &["obyte", "obytes"]),
    (Order::Pps, &["pps"]),
    (Order::InPps, &["ipps"]),
    (Order::OutPps, &["opps"]),
    (Order::Bps, &["bps"]),
    (Order::InBps, &["ibps"]),
    (Order::OutBps, &["obps"]),
    (Order::Bpp, &["bpp"]),
    (Order::InBpp, &["ibpp"]),
    (Order::OutBpp, &["obpp"]),
    (Order::Start, &["tstart"]),
    (Order::End, &["tend"]),
    (Order::Duration, &["duration"]),
];

impl Order {
    /// The order called `name`, in either case.
    pub fn by_name(name: &str) -> Option<Order> {
        let known = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        NAMES.iter().find(|(_, names)| known(names)).map(|(order, _)| *order)
    }

    /// The name in headings.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(order, _)| *order == self).map_or("", |(_, names)| names[0])
    }

    /// Whether small comes first unless `:d` is said.
    pub fn ascends(self) -> bool {
        matches!(self, Order::Start | Order::End)
    }

    /// The order that looks at the other side's counters: in at out, out at in.
    #[must_use]
    pub fn turned(self) -> Order {
        match self {
            Order::InPackets => Order::OutPackets,
            Order::OutPackets => Order::InPackets,
            Order::InBytes => Order::OutBytes,
            Order::OutBytes => Order::InBytes,
            Order::InPps => Order::OutPps,
            Order::OutPps => Order::InPps,
            Order::InBps => Order::OutBps,
            Order::OutBps => Order::InBps,
            Order::InBpp => Order::OutBpp,
            Order::OutBpp => Order::InBpp,
            order => order,
        }
    }

    /// The counters it looks at.
    pub fn side(self) -> CounterSide {
        match self {
            Order::Packets | Order::Bytes | Order::Pps | Order::Bps | Order::Bpp => CounterSide::Both,
            Order::OutPackets | Order::OutBytes | Order::OutPps | Order::OutBps | Order::OutBpp => {
                CounterSide::Out
            }
            _ => CounterSide::In,
        }
    }

    /// The value rows are compared by, as nfdump computes it: rates are whole numbers, 0 without duration.
    pub fn value(self, counters: &Counters) -> u64 {
        let (packets, bytes) = counters.of(self.side());
        match self {
            Order::Flows => counters.flows,
            Order::Packets | Order::InPackets | Order::OutPackets => packets,
            Order::Bytes | Order::InBytes | Order::OutBytes => bytes,
            Order::Pps | Order::InPps | Order::OutPps => pps(packets, counters.duration_ms()),
            Order::Bps | Order::InBps | Order::OutBps => bps(bytes, counters.duration_ms()),
            Order::Bpp | Order::InBpp | Order::OutBpp => bpp(bytes, packets),
            Order::Start => counters.first_ms,
            Order::End => counters.last_ms,
            Order::Duration => counters.duration_ms(),
        }
    }
}

/// What a flow or a group of flows adds up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Earliest start, ms since 1970.
    pub first_ms: u64,
    /// Latest end, ms since 1970.
    pub last_ms: u64,
    /// Flows.
    pub flows: u64,
    /// Packets in.
    pub in_packets: u64,
    /// Bytes in.
    pub in_bytes: u64,
    /// Packets out.
    pub out_packets: u64,
    /// Bytes out.
    pub out_bytes: u64,
}

impl Counters {
    /// Packets and bytes of one side.
    pub fn of(&self, side: CounterSide) -> (u64, u64) {
        match side {
            CounterSide::In => (self.in_packets, self.in_bytes),
            CounterSide::Out => (self.out_packets, self.out_bytes),
            CounterSide::Both => (
                self.in_packets.saturating_add(self.out_packets),
                self.in_bytes.saturating_add(self.out_bytes),
            ),
        }
    }

    /// Last minus first; 0 when negative.
    pub fn duration_ms(&self) -> u64 {
        self.last_ms.saturating_sub(self.first_ms)
    }
}

/// Packets per second, a whole number; 0 without duration.
pub fn pps(packets: u64, duration_ms: u64) -> u64 {
    rate(packets, 1_000, duration_ms)
}

/// Bits per second, a whole number; 0 without duration.
pub fn bps(bytes: u64, duration_ms: u64) -> u64 {
    rate(bytes, 8_000, duration_ms)
}

/// Bytes per packet, a whole number; 0 without packets.
pub fn bpp(bytes: u64, packets: u64) -> u64 {
    bytes.checked_div(packets).unwrap_or(0)
}

fn rate(count: u64, scale: u64, duration_ms: u64) -> u64 {
    if duration_ms == 0 {
        return 0;
    }
    match count.checked_mul(scale) {
        Some(product) => product / duration_ms,
        None => {
            u64::try_from(u128::from(count) * u128::from(scale) / u128::from(duration_ms)).unwrap_or(u64::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_name_an_order() {
        assert_eq!(Order::by_name("IBYTES"), Some(Order::InBytes));
        assert_eq!(Order::by_name("ibyte"), Some(Order::InBytes));
        assert_eq!(Order::by_name("byte"), None);
        assert_eq!(Order::InBytes.name(), "ibyte");
    }

    #[test]
    fn turning_goes_there_and_back() {
        for (order, _) in NAMES {
            assert_eq!(order.turned().turned(), *order);
            let side = match order.side() {
                CounterSide::Out => CounterSide::In,
                CounterSide::In if order.turned() != *order => CounterSide::Out,
                side => side,
            };
            assert_eq!(order.turned().side(), side, "{order:?}");
        }
    }

    #[test]
    fn rates_do_not_overflow() {
        assert_eq!(bps(u64::MAX, 1), u64::MAX);
        assert_eq!(bps(1500, 10_500), 1142);
        assert_eq!(pps(10, 0), 0);
        assert_eq!(bpp(1, 0), 0);
    }
}
