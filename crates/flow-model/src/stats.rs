//! What is known about a block without decoding it, and totals over flows.

use crate::FieldSet;
use crate::column::UNSPECIFIED;
use crate::{Column, Field, FlowBatch, Kind, Protocol, Selection, ValueRef, field_info};
use std::net::IpAddr;
use std::sync::LazyLock;

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
    /// How many rows the block has; 0 also when that is not known.
    pub rows: usize,
    ranges: Vec<Option<Range>>,
}

impl BlockStats {
    /// Statistics of `rows` rows in which every field is absent.
    pub fn absent(rows: usize) -> BlockStats {
        // Asked for once per block of every file of a query: copying is cheaper than a look at every field.
        static RANGES: LazyLock<Vec<Option<Range>>> = LazyLock::new(|| {
            let ranges = Field::EVERY.iter().map(|&field| match field_info(field).kind {
                Kind::Bytes => None,
                _ if FieldSet::COMPUTED.contains(field) => None,
                Kind::Ip => Some(Range::Ip { min: UNSPECIFIED, max: UNSPECIFIED }),
                _ => Some(Range::Num { min: field.default_num(), max: field.default_num() }),
            });
            ranges.collect()
        });
        BlockStats { rows, ranges: RANGES.clone() }
    }

    /// Statistics of a block of which nothing is known, not even how many rows it has.
    pub fn unknown() -> BlockStats {
        BlockStats { rows: 0, ranges: vec![None; Field::COUNT] }
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
    pub const FIELDS: crate::FieldSet = crate::FieldSet::of(&INPUTS);

    /// Adds the selected rows of `batch`.
    pub fn add(&mut self, batch: &FlowBatch, selection: &Selection, rule: CountRule) {
        let mut columns: [Vec<u64>; INPUTS.len()] = Default::default();
        if selection.is_all() {
            // In steps that stay in the nearest cache.
            for start in (0..batch.len()).step_by(STEP) {
                for (nums, field) in columns.iter_mut().zip(INPUTS) {
                    nums.clear();
                    batch.column(field).gather_range(start..batch.len().min(start + STEP), nums);
                }
                self.add_rows(&columns, rule);
            }
        } else {
            for (nums, field) in columns.iter_mut().zip(INPUTS) {
                batch.column(field).gather(selection, nums);
            }
            self.add_rows(&columns, rule);
        }
    }

    /// Adds rows, whose columns are in the order of [`INPUTS`].
    fn add_rows(&mut self, columns: &[Vec<u64>; INPUTS.len()], rule: CountRule) {
        let [first, last, proto, flows, packets, bytes, out_packets, out_bytes] = columns;
        let (counts, outs) = (packets.iter().zip(bytes), out_packets.iter().zip(out_bytes));
        let rows = proto.iter().zip(flows).zip(counts.zip(outs));
        for ((&proto, &flows), ((&packets, &bytes), (&out_packets, &out_bytes))) in rows {
            let class = class(proto);
            let all_packets = packets.saturating_add(out_packets);
            let all_bytes = bytes.saturating_add(out_bytes);
            let (flows, by_packets, by_bytes) = match rule {
                CountRule::Collected => (1, packets, bytes),
                CountRule::Written => (flows.max(1), all_packets, all_bytes),
            };
            add(&mut self.flows, flows);
            add(&mut self.packets, all_packets);
            add(&mut self.bytes, all_bytes);
            add(&mut self.flows_by[class], flows);
            add(&mut self.packets_by[class], by_packets);
            add(&mut self.bytes_by[class], by_bytes);
        }
        self.first_ms = first.iter().fold(self.first_ms, |first_ms, &ms| first_ms.min(ms));
        self.last_ms = last.iter().fold(self.last_ms, |last_ms, &ms| last_ms.max(ms));
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

/// What totals are made of.
const INPUTS: [Field; 8] = [
    Field::FirstMs,
    Field::LastMs,
    Field::Proto,
    Field::Flows,
    Field::InPackets,
    Field::InBytes,
    Field::OutPackets,
    Field::OutBytes,
];

/// Rows added at once: their inputs are 64 KiB.
const STEP: usize = 1024;

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
