//! What aggregation, element statistics and sorting mean: one row after the other, maps of owned values.
//!
//! The query engine is tested against this. Nothing here is fast, and nothing here shall become so.

use flow_model::{Counters, Field, FlowBatch, Order, Value};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Rows that belong together, and what they add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The values the rows have in common.
    pub key: Vec<Value>,
    /// Sums; a row counts at least one flow.
    pub counters: Counters,
    /// Number of the first row of the group, counted over all batches from 0.
    pub first_row: u64,
}

/// The rows of all batches, grouped by `keys`, in the order in which the groups appear.
pub fn aggregate(batches: &[FlowBatch], keys: &[Field]) -> Vec<Group> {
    let mut groups = Groups::default();
    for_each_row(batches, |batch, row, number| {
        let key = keys.iter().map(|&field| value(batch, field, row)).collect();
        groups.add(key, counters(batch, row), number);
    });
    groups.finish()
}

/// The rows of all batches, grouped by addresses, ports and protocol, a TCP or UDP row with those of the opposite direction:
/// what these count in counts out. With each group the TCP flags of the rows that go the way of its first.
pub fn both_ways(batches: &[FlowBatch]) -> Vec<(Group, u64)> {
    let mut groups: Vec<(Group, u64)> = Vec::new();
    for_each_row(batches, |batch, row, number| {
        let key = |fields: [Field; 5]| -> Vec<Value> { fields.map(|field| value(batch, field, row)).into() };
        let forth = key([Field::SrcAddr, Field::DstAddr, Field::SrcPort, Field::DstPort, Field::Proto]);
        let back = key([Field::DstAddr, Field::SrcAddr, Field::DstPort, Field::SrcPort, Field::Proto]);
        let counters = counters(batch, row);
        let flags = batch.column(Field::TcpFlags).num(row);
        let has_two_ways = matches!(batch.column(Field::Proto).num(row), 6 | 17);
        if let Some((group, all)) = groups.iter_mut().find(|(group, _)| group.key == forth) {
            add(&mut group.counters, &counters);
            *all |= flags;
        } else if let Some((group, _)) =
            groups.iter_mut().find(|(group, _)| has_two_ways && group.key == back)
        {
            let turned = Counters {
                in_packets: counters.out_packets,
                in_bytes: counters.out_bytes,
                out_packets: counters.in_packets,
                out_bytes: counters.in_bytes,
                ..counters
            };
            add(&mut group.counters, &turned);
        } else {
            groups.push((Group { key: forth, counters, first_row: number }, flags));
        }
    });
    groups
}

/// What the rows of all batches add up to for each value of `fields`, in order of appearance: a row counts once
/// for each of the fields, even when two of them hold the same value. With `by_proto` the key is the protocol,
/// then the value.
pub fn statistic(batches: &[FlowBatch], fields: &[Field], by_proto: bool) -> Vec<Group> {
    let mut groups = Groups::default();
    for_each_row(batches, |batch, row, number| {
        for &field in fields {
            let mut key = Vec::new();
            if by_proto {
                key.push(value(batch, Field::Proto, row));
            }
            key.push(value(batch, field, row));
            groups.add(key, counters(batch, row), number);
        }
    });
    groups.finish()
}

/// Orders groups: by `order`, then the one seen first, then the one whose first row comes first.
pub fn sort_groups(groups: &mut [Group], order: Order, ascending: bool) {
    groups.sort_by_key(|group| {
        (rank(&group.counters, order, ascending), group.counters.first_ms, group.first_row)
    });
}

/// The numbers of all rows, ordered by `order`, then by their start, then as they come.
pub fn sort_rows(batches: &[FlowBatch], order: Order, ascending: bool) -> Vec<u64> {
    let mut rows = Vec::new();
    for_each_row(batches, |batch, row, number| {
        let counters = counters(batch, row);
        rows.push((rank(&counters, order, ascending), counters.first_ms, number));
    });
    rows.sort_unstable();
    rows.into_iter().map(|(_, _, number)| number).collect()
}

/// What one row counts.
pub fn counters(batch: &FlowBatch, row: usize) -> Counters {
    let num = |field| batch.column(field).num(row);
    Counters {
        first_ms: num(Field::FirstMs),
        last_ms: num(Field::LastMs),
        flows: num(Field::Flows).max(1),
        in_packets: num(Field::InPackets),
        in_bytes: num(Field::InBytes),
        out_packets: num(Field::OutPackets),
        out_bytes: num(Field::OutBytes),
    }
}

/// Calls `visit` with every row of every batch, and with its number over all batches.
pub fn for_each_row(batches: &[FlowBatch], mut visit: impl FnMut(&FlowBatch, usize, u64)) {
    let mut number = 0;
    for batch in batches {
        for row in 0..batch.len() {
            visit(batch, row, number);
            number += 1;
        }
    }
}

fn value(batch: &FlowBatch, field: Field, row: usize) -> Value {
    batch.column(field).get(row).to_owned()
}

/// Ascends in the order in which rows are shown.
fn rank(counters: &Counters, order: Order, ascending: bool) -> u64 {
    let value = order.value(counters);
    if ascending { value } else { u64::MAX - value }
}

#[derive(Default)]
struct Groups(BTreeMap<Vec<Value>, (Counters, u64)>);

impl Groups {
    fn add(&mut self, key: Vec<Value>, more: Counters, row: u64) {
        match self.0.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert((more, row));
            }
            Entry::Occupied(mut entry) => {
                add(&mut entry.get_mut().0, &more);
            }
        }
    }

    fn finish(self) -> Vec<Group> {
        let mut groups: Vec<Group> = self
            .0
            .into_iter()
            .map(|(key, (counters, first_row))| Group { key, counters, first_row })
            .collect();
        // The fields of one statistic may give a row two groups: the key decides then.
        groups.sort_by_key(|group| group.first_row);
        groups
    }
}

fn add(sum: &mut Counters, more: &Counters) {
    sum.first_ms = sum.first_ms.min(more.first_ms);
    sum.last_ms = sum.last_ms.max(more.last_ms);
    sum.flows = sum.flows.saturating_add(more.flows);
    sum.in_packets = sum.in_packets.saturating_add(more.in_packets);
    sum.in_bytes = sum.in_bytes.saturating_add(more.in_bytes);
    sum.out_packets = sum.out_packets.saturating_add(more.out_packets);
    sum.out_bytes = sum.out_bytes.saturating_add(more.out_bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_model::BatchBuilder;

    fn rows(rows: &[(u64, u64, u64)]) -> FlowBatch {
        let mut builder = BatchBuilder::new();
        for &(src, dst, bytes) in rows {
            builder.set(Field::SrcPort, src);
            builder.set(Field::DstPort, dst);
            builder.set(Field::InBytes, bytes);
            builder.finish_row();
        }
        builder.finish()
    }

    #[test]
    fn a_row_counts_for_both_sides() {
        let batches = [rows(&[(1, 2, 10)]), rows(&[(2, 2, 5)])];
        let mut groups = statistic(&batches, &[Field::SrcPort, Field::DstPort], false);
        let shown = |groups: &[Group]| -> Vec<(u64, u64, u64)> {
            groups
                .iter()
                .map(|group| match group.key[0] {
                    Value::Num(port) => (port, group.counters.flows, group.counters.in_bytes),
                    _ => unreachable!(),
                })
                .collect()
        };
        assert_eq!(shown(&groups), [(1, 1, 10), (2, 3, 20)]);
        sort_groups(&mut groups, Order::Bytes, false);
        assert_eq!(shown(&groups), [(2, 3, 20), (1, 1, 10)]);
    }

    #[test]
    fn what_goes_back_counts_out() {
        let mut builder = BatchBuilder::new();
        for (proto, src, dst, bytes, flags) in
            [(6, 1, 2, 10, 2), (6, 2, 1, 5, 16), (6, 1, 2, 1, 8), (1, 1, 2, 3, 0), (1, 2, 1, 4, 0)]
        {
            builder.set(Field::Proto, proto);
            builder.set(Field::SrcPort, src);
            builder.set(Field::DstPort, dst);
            builder.set(Field::InBytes, bytes);
            builder.set(Field::TcpFlags, flags);
            builder.finish_row();
        }
        let groups = both_ways(&[builder.finish()]);
        let shown: Vec<_> = groups
            .iter()
            .map(|(group, flags)| {
                (group.first_row, group.counters.in_bytes, group.counters.out_bytes, *flags)
            })
            .collect();
        assert_eq!(shown, [(0, 11, 5, 10), (3, 3, 0, 0), (4, 4, 0, 0)]);
    }

    #[test]
    fn groups_and_rows_keep_their_order_of_appearance() {
        let batches = [rows(&[(9, 1, 3), (8, 1, 4)]), rows(&[(9, 2, 1)])];
        let groups = aggregate(&batches, &[Field::SrcPort]);
        assert_eq!(groups.iter().map(|group| group.first_row).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(groups[0].counters.in_bytes, 4);
        assert_eq!(sort_rows(&batches, Order::InBytes, true), [2, 0, 1]);
        assert_eq!(sort_rows(&batches, Order::InBytes, false), [1, 0, 2]);
    }
}
