//! What is known about a block without decoding it, and totals over flows.

use crate::column::UNSPECIFIED;
use crate::{Column, Field, FlowBatch, Kind, Protocol, Selection, ValueRef, field_info};
use std::net::IpAddr;

/// The smallest and the largest value of a field in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Of numbers.
    Num {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// Of addresses; every IPv4 address is below every IPv6 address.
    Ip {
        /// The smallest.
        min: IpAddr,
        /// The largest.
        max: IpAddr,
    },
}

/// Per field, the range of its values in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockStats {
    /// How many rows the block has.
    pub rows: usize,
    ranges: Vec<Option<Range>>,
}

impl BlockStats {
    /// Statistics of `rows` rows in which every field is absent.
    pub fn absent(rows: usize) -> BlockStats {
        let ranges = Field::ALL
            .iter()
            .map(|&field| match field_info(field).kind {
                Kind::Bytes => None,
                Kind::Ip => Some(Range::Ip { min: UNSPECIFIED, max: UNSPECIFIED }),
                _ => Some(Range::Num { min: field.default_num(), max: field.default_num() }),
            })
            .collect();
        BlockStats { rows, ranges }
    }

    /// Statistics of a batch whose fields are all decoded.
    pub fn of(batch: &FlowBatch) -> BlockStats {
        let mut stats = BlockStats::absent(batch.len());
        for field in batch.fields().iter() {
            stats.ranges[field as usize] = range_of(batch.column(field), batch.len());
        }
        stats
    }

    /// The range of `field`; `None` when it is not known.
    pub fn range(&self, field: Field) -> Option<Range> {
        self.ranges[field as usize]
    }

    /// Says what the range of `field` is.
    pub fn set_range(&mut self, field: Field, range: Option<Range>) {
        self.ranges[field as usize] = range;
    }
}

fn range_of(column: &Column, len: usize) -> Option<Range> {
    let mut values = (0..len).map(|row| column.get(row));
    let first = values.next()?;
    let (min, max) = match column {
        Column::Constant(_) => (first, first),
        Column::Dictionary(dictionary) => {
            (dictionary.values.get(0), dictionary.values.get(dictionary.values.len() - 1))
        }
        Column::Plain(_) => values.fold((first, first), |(min, max), value| (min.min(value), max.max(value))),
    };
    match (min, max) {
        (ValueRef::Num(min), ValueRef::Num(max)) => Some(Range::Num { min, max }),
        (ValueRef::Ip(min), ValueRef::Ip(max)) => Some(Range::Ip { min, max }),
        _ => None,
    }
}

/// Answers whether a block may contain an address, from its membership filter.
pub trait Membership {
    /// `false` only when no row has `addr` in `field`.
    fn may_contain(&self, field: Field, addr: IpAddr) -> bool;
}

/// Knows nothing: any block may contain any address.
pub struct NoMembership;

impl Membership for NoMembership {
    fn may_contain(&self, _: Field, _: IpAddr) -> bool {
        true
    }
}

/// What statistics say about a predicate on a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prune {
    /// No row matches.
    Never,
    /// Rows may match.
    Maybe,
    /// Every row matches.
    Always,
}

/// Which of nfdump's two ways of counting applies to [`Totals`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountRule {
    /// As the collector: a record is one flow, and counters by protocol leave out counters out.
    Collected,
    /// As a rewritten file: a record counts its flows, and all counters include counters out.
    Written,
}

/// Totals over flows, what `-I` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Flows: TCP, UDP, ICMP and ICMPv6, others.
    pub flows_by: [u64; 4],
    /// Packets by protocol, in the same order.
    pub packets_by: [u64; 4],
    /// Bytes by protocol, in the same order.
    pub bytes_by: [u64; 4],
    /// All flows.
    pub flows: u64,
    /// All packets, in and out.
    pub packets: u64,
    /// All bytes, in and out.
    pub bytes: u64,
    /// Earliest start, ms since 1970; `u64::MAX` without flows.
    pub first_ms: u64,
    /// Latest end, ms since 1970.
    pub last_ms: u64,
    /// Discontinuities in the exporters' sequence numbers.
    pub sequence_failures: u64,
}

impl Default for Totals {
    fn default() -> Self {
        Totals {
            flows_by: [0; 4],
            packets_by: [0; 4],
            bytes_by: [0; 4],
            flows: 0,
            packets: 0,
            bytes: 0,
            first_ms: u64::MAX,
            last_ms: 0,
            sequence_failures: 0,
        }
    }
}

impl Totals {
    /// The fields that [`add`](Self::add) reads.
    pub const FIELDS: crate::FieldSet = crate::FieldSet::of(&[
        Field::FirstMs,
        Field::LastMs,
        Field::Proto,
        Field::Flows,
        Field::InPackets,
        Field::InBytes,
        Field::OutPackets,
        Field::OutBytes,
    ]);

    /// Adds the selected rows of `batch`.
    pub fn add(&mut self, batch: &FlowBatch, selection: &Selection, rule: CountRule) {
        let column = |field| {
            let mut nums = Vec::new();
            batch.column(field).gather(selection, &mut nums);
            nums
        };
        let (first, last) = (column(Field::FirstMs), column(Field::LastMs));
        let (proto, flows) = (column(Field::Proto), column(Field::Flows));
        let (packets, bytes) = (column(Field::InPackets), column(Field::InBytes));
        let (out_packets, out_bytes) = (column(Field::OutPackets), column(Field::OutBytes));
        for row in 0..selection.count() {
            let class = class(proto[row]);
            let all_packets = packets[row].saturating_add(out_packets[row]);
            let all_bytes = bytes[row].saturating_add(out_bytes[row]);
            let (flows, by_packets, by_bytes) = match rule {
                CountRule::Collected => (1, packets[row], bytes[row]),
                CountRule::Written => (flows[row].max(1), all_packets, all_bytes),
            };
            add(&mut self.flows, flows);
            add(&mut self.packets, all_packets);
            add(&mut self.bytes, all_bytes);
            add(&mut self.flows_by[class], flows);
            add(&mut self.packets_by[class], by_packets);
            add(&mut self.bytes_by[class], by_bytes);
            self.first_ms = self.first_ms.min(first[row]);
            self.last_ms = self.last_ms.max(last[row]);
        }
    }

    /// Adds other totals.
    pub fn merge(&mut self, other: &Totals) {
        for class in 0..4 {
            add(&mut self.flows_by[class], other.flows_by[class]);
            add(&mut self.packets_by[class], other.packets_by[class]);
            add(&mut self.bytes_by[class], other.bytes_by[class]);
        }
        add(&mut self.flows, other.flows);
        add(&mut self.packets, other.packets);
        add(&mut self.bytes, other.bytes);
        add(&mut self.sequence_failures, other.sequence_failures);
        self.first_ms = self.first_ms.min(other.first_ms);
        self.last_ms = self.last_ms.max(other.last_ms);
    }
}

fn add(total: &mut u64, more: u64) {
    *total = total.saturating_add(more);
}

fn class(proto: u64) -> usize {
    match Protocol(proto as u8) {
        Protocol::TCP => 0,
        Protocol::UDP => 1,
        Protocol::ICMP | Protocol::ICMP6 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BatchBuilder;

    fn batch() -> FlowBatch {
        let mut builder = BatchBuilder::new();
        for (proto, bytes, out) in [(6, 10, 1), (58, 20, 2), (1, 30, 0)] {
            builder.set(Field::FirstMs, 1_000 + bytes);
            builder.set(Field::LastMs, 2_000 + bytes);
            builder.set(Field::Proto, proto);
            builder.set(Field::InBytes, bytes);
            builder.set(Field::OutBytes, out);
            builder.set(Field::Flows, 2);
            builder.finish_row();
        }
        builder.finish()
    }

    #[test]
    fn the_two_rules_count_flows_and_out_counters_differently() {
        let batch = batch();
        let mut collected = Totals::default();
        collected.add(&batch, &Selection::all(3), CountRule::Collected);
        assert_eq!((collected.flows, collected.bytes, collected.bytes_by), (3, 63, [10, 0, 50, 0]));
        assert_eq!((collected.first_ms, collected.last_ms), (1_010, 2_030));
        let mut written = Totals::default();
        written.add(&batch, &Selection::all(3), CountRule::Written);
        assert_eq!((written.flows, written.bytes, written.bytes_by), (6, 63, [11, 0, 52, 0]));
    }

    #[test]
    fn ranges_of_absent_and_present_fields() {
        let stats = BlockStats::of(&batch());
        assert_eq!(stats.range(Field::Proto), Some(Range::Num { min: 1, max: 58 }));
        assert_eq!(stats.range(Field::SrcAs), Some(Range::Num { min: 0, max: 0 }));
        assert_eq!(stats.range(Field::SrcAddr), Some(Range::Ip { min: UNSPECIFIED, max: UNSPECIFIED }));
        assert_eq!(stats.range(Field::UserName), None);
    }
}
