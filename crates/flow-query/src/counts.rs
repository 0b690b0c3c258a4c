//! Counters of rows as plain slices, and what they add up to.

use crate::RowOrigin;
use flow_model::{
    Column, Counters, Field, FieldSet, FlowBatch, Order, Protocol, Selection, Totals, Value, ValueRef, Values,
};
use std::cell::RefCell;

/// The fields that counters consist of.
pub(crate) const COUNTER_FIELDS: FieldSet = FieldSet::of(&[
    Field::FirstMs,
    Field::LastMs,
    Field::Flows,
    Field::InPackets,
    Field::InBytes,
    Field::OutPackets,
    Field::OutBytes,
]);

/// Memory for columns that have to be unpacked. It goes back to its thread: whatever a block is looked at for next, new memory
/// would cost more than to fill it.
#[derive(Debug, Default)]
pub(crate) struct Scratch(Unpacked);

#[derive(Debug, Default)]
struct Unpacked {
    columns: [Vec<u64>; 7],
    rows: Vec<u32>,
}

thread_local! {
    /// As many as were in use at once.
    static SPARE: RefCell<Vec<Unpacked>> = const { RefCell::new(Vec::new()) };
}

impl Scratch {
    /// Memory of this thread's, or new one.
    pub(crate) fn new() -> Scratch {
        Scratch(SPARE.with_borrow_mut(Vec::pop).unwrap_or_default())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let unpacked = std::mem::take(&mut self.0);
        // A thread that ends keeps nothing.
        let _ = SPARE.try_with(|spare| spare.borrow_mut().push(unpacked));
    }
}

/// Counters of the selected rows of a batch, one entry per selected row.
pub(crate) struct Counts<'a> {
    first_ms: &'a [u64],
    last_ms: &'a [u64],
    in_packets: &'a [u64],
    in_bytes: &'a [u64],
    /// `None` when every row is one flow.
    flows: Option<&'a [u64]>,
    /// Packets and bytes; `None` when all are 0.
    out: Option<(&'a [u64], &'a [u64])>,
    /// The selected rows; `None` when all are.
    rows: Option<&'a [u32]>,
    len: usize,
}

impl<'a> Counts<'a> {
    /// The counters of the selected rows. Columns that can be used as they are, are.
    pub(crate) fn new(batch: &'a FlowBatch, selection: &Selection, scratch: &'a mut Scratch) -> Counts<'a> {
        let ways = [Field::InPackets, Field::InBytes, Field::OutPackets, Field::OutBytes];
        Counts::with_ways(ways, batch, selection, scratch)
    }

    /// The same seen from the other end: what goes out comes in.
    pub(crate) fn turned(
        batch: &'a FlowBatch,
        selection: &Selection,
        scratch: &'a mut Scratch,
    ) -> Counts<'a> {
        let ways = [Field::OutPackets, Field::OutBytes, Field::InPackets, Field::InBytes];
        Counts::with_ways(ways, batch, selection, scratch)
    }

    fn with_ways(
        ways: [Field; 4],
        batch: &'a FlowBatch,
        selection: &Selection,
        scratch: &'a mut Scratch,
    ) -> Counts<'a> {
        let Unpacked { columns, rows } = &mut scratch.0;
        let [first, last, flows, in_packets, in_bytes, out_packets, out_bytes] = columns;
        let [packets, bytes, packets_back, bytes_back] = ways;
        let constant = |field, value| is_constant(batch.column(field), value);
        let no_out = constant(packets_back, 0) && constant(bytes_back, 0);
        rows.clear();
        if !selection.is_all() {
            selection.for_each(|row| rows.push(row as u32));
        }
        let slice = |field, buffer| slice(batch.column(field), selection, buffer);
        Counts {
            first_ms: slice(Field::FirstMs, first),
            last_ms: slice(Field::LastMs, last),
            in_packets: slice(packets, in_packets),
            in_bytes: slice(bytes, in_bytes),
            flows: (!constant(Field::Flows, 1)).then(|| slice(Field::Flows, flows)),
            out: (!no_out).then(|| (slice(packets_back, out_packets), slice(bytes_back, out_bytes))),
            rows: (!selection.is_all()).then_some(rows.as_slice()),
            len: selection.count(),
        }
    }

    /// How many rows are selected.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The selected rows; `None` when all are.
    pub(crate) fn rows(&self) -> Option<&'a [u32]> {
        self.rows
    }

    /// The number in the batch of the selected row `index`.
    #[inline]
    pub(crate) fn row(&self, index: usize) -> usize {
        self.rows.map_or(index, |rows| rows[index] as usize)
    }

    /// The counters of the selected row `index`.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> Counters {
        Counters {
            first_ms: self.first_ms[index],
            last_ms: self.last_ms[index],
            flows: self.flows.map_or(1, |flows| flows[index].max(1)),
            in_packets: self.in_packets[index],
            in_bytes: self.in_bytes[index],
            out_packets: self.out.map_or(0, |(packets, _)| packets[index]),
            out_bytes: self.out.map_or(0, |(_, bytes)| bytes[index]),
        }
    }

    /// Calls `visit` with the index among the selected rows and the counters of each.
    #[expect(clippy::inline_always, reason = "`visit` is a loop body, and there are several loops")]
    #[inline(always)]
    pub(crate) fn for_each(&self, mut visit: impl FnMut(usize, Counters)) {
        let len = self.len;
        let (first_ms, last_ms) = (&self.first_ms[..len], &self.last_ms[..len]);
        let (in_packets, in_bytes) = (&self.in_packets[..len], &self.in_bytes[..len]);
        let base = |index: usize| Counters {
            first_ms: first_ms[index],
            last_ms: last_ms[index],
            flows: 1,
            in_packets: in_packets[index],
            in_bytes: in_bytes[index],
            out_packets: 0,
            out_bytes: 0,
        };
        match (self.flows, self.out) {
            (None, None) => (0..len).for_each(|index| visit(index, base(index))),
            (Some(flows), None) => {
                let flows = &flows[..len];
                (0..len)
                    .for_each(|index| visit(index, Counters { flows: flows[index].max(1), ..base(index) }));
            }
            (flows, Some((out_packets, out_bytes))) => {
                let (out_packets, out_bytes) = (&out_packets[..len], &out_bytes[..len]);
                for index in 0..len {
                    let counters = Counters {
                        flows: flows.map_or(1, |flows| flows[index].max(1)),
                        out_packets: out_packets[index],
                        out_bytes: out_bytes[index],
                        ..base(index)
                    };
                    visit(index, counters);
                }
            }
        }
    }

    /// Adds the rows to `totals`, counted as in a file that was written anew.
    pub(crate) fn add_to(&self, totals: &mut Totals, batch: &FlowBatch) {
        let mut by_class = [Counters { first_ms: u64::MAX, ..Counters::default() }; 4];
        match batch.column(Field::Proto) {
            Column::Constant(value) => {
                let class = class(value.as_ref());
                let sum = &mut by_class[class];
                self.for_each(|_, row| add_both(sum, &row));
            }
            Column::Dictionary(dictionary) => {
                let mut classes = [0_u8; 256];
                for (entry, code) in classes.iter_mut().zip(0..dictionary.values.len()) {
                    *entry = class(dictionary.values.get(code)) as u8;
                }
                let of = |row: usize| usize::from(classes[usize::from(dictionary.codes[row] as u8)] & 3);
                self.for_each(|index, row| add_both(&mut by_class[of(self.row(index))], &row));
            }
            Column::Plain(Values::U8(protos)) => {
                let classes: [u8; 256] =
                    std::array::from_fn(|proto| class(ValueRef::Num(proto as u64)) as u8 & 3);
                let of = |row: usize| usize::from(classes[usize::from(protos[row])]);
                self.for_each(|index, row| add_both(&mut by_class[of(self.row(index))], &row));
            }
            Column::Plain(values) => {
                self.for_each(|index, row| {
                    add_both(&mut by_class[class(values.get(self.row(index)))], &row);
                });
            }
        }
        for (class, sum) in by_class.iter().enumerate() {
            add(&mut totals.flows_by[class], sum.flows);
            add(&mut totals.packets_by[class], sum.in_packets);
            add(&mut totals.bytes_by[class], sum.in_bytes);
            add(&mut totals.flows, sum.flows);
            add(&mut totals.packets, sum.in_packets);
            add(&mut totals.bytes, sum.in_bytes);
            totals.first_ms = totals.first_ms.min(sum.first_ms);
            totals.last_ms = totals.last_ms.max(sum.last_ms);
        }
    }
}

/// The one number by which groups are compared, where it can be added up row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Volume(pub(crate) u64);

/// The fields that make up the volume of an order; `None` when groups cannot be compared before they are complete.
pub(crate) fn volume_fields(order: Order) -> Option<FieldSet> {
    Some(FieldSet::of(match order {
        Order::Flows => &[Field::Flows],
        Order::Packets => &[Field::InPackets, Field::OutPackets],
        Order::InPackets => &[Field::InPackets],
        Order::OutPackets => &[Field::OutPackets],
        Order::Bytes => &[Field::InBytes, Field::OutBytes],
        Order::InBytes => &[Field::InBytes],
        Order::OutBytes => &[Field::OutBytes],
        _ => return None,
    }))
}

/// Volumes of the selected rows of a batch, one entry per selected row.
pub(crate) struct Volumes<'a> {
    nums: Nums<'a>,
    rows: Option<&'a [u32]>,
    len: usize,
}

enum Nums<'a> {
    Constant(u64),
    Each(&'a [u64]),
    Sum(&'a [u64], &'a [u64]),
}

impl<'a> Volumes<'a> {
    /// The volumes by an order that has [`volume_fields`].
    pub(crate) fn new(
        order: Order,
        batch: &'a FlowBatch,
        selection: &Selection,
        scratch: &'a mut Scratch,
    ) -> Volumes<'a> {
        let Unpacked { columns: [left, right, ..], rows } = &mut scratch.0;
        rows.clear();
        if !selection.is_all() {
            selection.for_each(|row| rows.push(row as u32));
        }
        let constant = |field| match batch.column(field) {
            Column::Constant(Value::Num(num)) => Some(*num),
            _ => None,
        };
        let sum = |ins: Field, outs: Field, left: &'a mut Vec<u64>, right: &'a mut Vec<u64>| {
            if constant(outs) == Some(0) {
                return Nums::Each(slice(batch.column(ins), selection, left));
            }
            Nums::Sum(slice(batch.column(ins), selection, left), slice(batch.column(outs), selection, right))
        };
        let nums = match order {
            Order::Packets => sum(Field::InPackets, Field::OutPackets, left, right),
            Order::Bytes => sum(Field::InBytes, Field::OutBytes, left, right),
            order => {
                let field = match order {
                    Order::InPackets => Field::InPackets,
                    Order::OutPackets => Field::OutPackets,
                    Order::InBytes => Field::InBytes,
                    Order::OutBytes => Field::OutBytes,
                    _ => Field::Flows,
                };
                let least = u64::from(field == Field::Flows);
                match constant(field) {
                    Some(num) => Nums::Constant(num.max(least)),
                    None if field == Field::Flows => {
                        left.clear();
                        batch.column(field).gather(selection, left);
                        for num in &mut *left {
                            *num = least.max(*num);
                        }
                        Nums::Each(left)
                    }
                    None => Nums::Each(slice(batch.column(field), selection, left)),
                }
            }
        };
        Volumes { nums, rows: (!selection.is_all()).then_some(rows.as_slice()), len: selection.count() }
    }

    /// How many rows are selected.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The selected rows; `None` when all are.
    pub(crate) fn rows(&self) -> Option<&'a [u32]> {
        self.rows
    }

    /// The number in the batch of the selected row `index`.
    #[inline]
    pub(crate) fn row(&self, index: usize) -> usize {
        self.rows.map_or(index, |rows| rows[index] as usize)
    }

    /// The volume of the selected row `index`.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> Volume {
        Volume(match self.nums {
            Nums::Constant(num) => num,
            Nums::Each(nums) => nums[index],
            Nums::Sum(left, right) => left[index].saturating_add(right[index]),
        })
    }

    /// Calls `visit` with the index among the selected rows and the volume of each.
    #[expect(clippy::inline_always, reason = "`visit` is a loop body, and there are several loops")]
    #[inline(always)]
    pub(crate) fn for_each(&self, mut visit: impl FnMut(usize, Volume)) {
        match self.nums {
            Nums::Constant(num) => (0..self.len).for_each(|index| visit(index, Volume(num))),
            Nums::Each(nums) => nums.iter().enumerate().for_each(|(index, &num)| visit(index, Volume(num))),
            Nums::Sum(left, right) => {
                let nums = left.iter().zip(right).map(|(&left, &right)| left.saturating_add(right));
                nums.enumerate().for_each(|(index, num)| visit(index, Volume(num)));
            }
        }
    }
}

/// What a group of rows adds up to, in one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Sums {
    pub(crate) counters: Counters,
    /// The origin of the group's first row; above it, whether that row is turned round, the TCP flags of the rows that go the
    /// other way, and those of the rows that go its way.
    tag: u64,
}

const FLAGS_SHIFT: u32 = 56;
const BACK_FLAGS_SHIFT: u32 = 48;
const TURNED: u64 = 1 << RowOrigin::BITS;
const ORIGIN_MASK: u64 = TURNED - 1;
const _: () =
    assert!(RowOrigin::BITS < BACK_FLAGS_SHIFT, "an origin, a bit and twice eight flags fit 64 bits");

impl Sums {
    /// The sum of no row.
    pub(crate) const EMPTY: Sums = Sums {
        counters: Counters {
            first_ms: u64::MAX,
            last_ms: 0,
            flows: 0,
            in_packets: 0,
            in_bytes: 0,
            out_packets: 0,
            out_bytes: 0,
        },
        tag: ORIGIN_MASK,
    };

    /// Sums as they were read out of another one.
    #[inline]
    pub(crate) fn new(counters: Counters, origin: RowOrigin, flags: u8) -> Sums {
        Sums { counters, tag: origin.0 | u64::from(flags) << FLAGS_SHIFT }
    }

    /// The same with what says about both directions.
    #[inline]
    pub(crate) fn with_ways(self, turned: bool, back_flags: u8) -> Sums {
        let tag = self.tag | u64::from(turned) << RowOrigin::BITS | u64::from(back_flags) << BACK_FLAGS_SHIFT;
        Sums { tag, ..self }
    }

    /// Adds the rows of another sum.
    #[inline]
    pub(crate) fn merge(&mut self, other: &Sums) {
        if (self.tag ^ other.tag) & TURNED == 0 {
            self.merge_same_way(other);
        } else if other.origin() < self.origin() {
            *self = self.turn();
            self.merge_same_way(other);
        } else {
            self.merge_same_way(&other.turn());
        }
    }

    #[inline]
    fn merge_same_way(&mut self, other: &Sums) {
        add_counters(&mut self.counters, &other.counters);
        self.tag =
            (self.tag & ORIGIN_MASK).min(other.tag & ORIGIN_MASK) | (self.tag | other.tag) & !ORIGIN_MASK;
    }

    /// The same rows, seen from the other end.
    fn turn(&self) -> Sums {
        let Counters { in_packets, in_bytes, out_packets, out_bytes, .. } = self.counters;
        let counters = Counters {
            in_packets: out_packets,
            in_bytes: out_bytes,
            out_packets: in_packets,
            out_bytes: in_bytes,
            ..self.counters
        };
        Sums::new(counters, self.origin(), self.back_flags()).with_ways(!self.is_turned(), self.flags())
    }

    /// The origin of the first row.
    pub(crate) fn origin(&self) -> RowOrigin {
        RowOrigin(self.tag & ORIGIN_MASK)
    }

    /// The TCP flags of all rows that go the way of the first.
    pub(crate) fn flags(&self) -> u8 {
        (self.tag >> FLAGS_SHIFT) as u8
    }

    /// The TCP flags of all rows that go the other way.
    pub(crate) fn back_flags(&self) -> u8 {
        (self.tag >> BACK_FLAGS_SHIFT) as u8
    }

    /// Whether the key is the first row's turned round.
    pub(crate) fn is_turned(&self) -> bool {
        self.tag & TURNED != 0
    }
}

/// Adds the columns of counters to a batch with a row for each sum.
pub(crate) fn put_counters<'a>(batch: &mut FlowBatch, sums: &(impl Iterator<Item = &'a Sums> + Clone)) {
    let mut nums = |field, num: fn(&Counters) -> u64| {
        let nums = sums.clone().map(|sums| num(&sums.counters)).collect();
        batch.insert(field, Column::Plain(Values::U64(nums)));
    };
    nums(Field::FirstMs, |counters| counters.first_ms);
    nums(Field::LastMs, |counters| counters.last_ms);
    nums(Field::Flows, |counters| counters.flows);
    nums(Field::InPackets, |counters| counters.in_packets);
    nums(Field::InBytes, |counters| counters.in_bytes);
    nums(Field::OutPackets, |counters| counters.out_packets);
    nums(Field::OutBytes, |counters| counters.out_bytes);
}

#[inline]
fn add_counters(sum: &mut Counters, more: &Counters) {
    sum.first_ms = sum.first_ms.min(more.first_ms);
    sum.last_ms = sum.last_ms.max(more.last_ms);
    add(&mut sum.flows, more.flows);
    add(&mut sum.in_packets, more.in_packets);
    add(&mut sum.in_bytes, more.in_bytes);
    add(&mut sum.out_packets, more.out_packets);
    add(&mut sum.out_bytes, more.out_bytes);
}

/// Adds a row with its counters out added to its counters in.
#[inline]
fn add_both(sum: &mut Counters, row: &Counters) {
    sum.first_ms = sum.first_ms.min(row.first_ms);
    sum.last_ms = sum.last_ms.max(row.last_ms);
    add(&mut sum.flows, row.flows);
    add(&mut sum.in_packets, row.in_packets.saturating_add(row.out_packets));
    add(&mut sum.in_bytes, row.in_bytes.saturating_add(row.out_bytes));
}

#[inline]
fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

/// The place of a protocol in the arrays of [`Totals`].
fn class(proto: ValueRef<'_>) -> usize {
    let ValueRef::Num(proto) = proto else { return 3 };
    match Protocol(proto as u8) {
        Protocol::TCP => 0,
        Protocol::UDP => 1,
        Protocol::ICMP | Protocol::ICMP6 => 2,
        _ => 3,
    }
}

fn is_constant(column: &Column, value: u64) -> bool {
    matches!(column, Column::Constant(Value::Num(num)) if *num == value)
}

/// The numbers of the selected rows: the column itself where possible, otherwise unpacked into `buffer`.
pub(crate) fn slice<'a>(column: &'a Column, selection: &Selection, buffer: &'a mut Vec<u64>) -> &'a [u64] {
    if let (Column::Plain(Values::U64(values)), true) = (column, selection.is_all()) {
        return values;
    }
    buffer.clear();
    column.gather(selection, buffer);
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_model::CountRule;
    use flow_testkit::generate::{Mix, batch};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn totals_are_those_of_the_model(seed: u64, rows in 1_usize..200, every in 1_usize..5) {
            let batch = batch(seed, rows, Mix::default());
            let selection = Selection::from_fn(rows, |row| row % every == 0);
            let mut expected = Totals::default();
            expected.add(&batch, &selection, CountRule::Written);
            let mut scratch = Scratch::default();
            let mut totals = Totals::default();
            Counts::new(&batch, &selection, &mut scratch).add_to(&mut totals, &batch);
            prop_assert_eq!(totals, expected);
        }
    }

    #[test]
    fn sums_keep_the_first_origin_and_all_flags() {
        let row = Counters { first_ms: 5, last_ms: 9, flows: 1, in_bytes: u64::MAX, ..Counters::default() };
        let mut sums = Sums::EMPTY;
        sums.merge(&Sums::new(row, RowOrigin::of_block(7), 2));
        sums.merge(&Sums::new(Counters { first_ms: 4, ..row }, RowOrigin::of_block(3), 16));
        assert_eq!((sums.origin(), sums.flags(), sums.is_turned()), (RowOrigin::of_block(3), 18, false));
        assert_eq!((sums.counters.first_ms, sums.counters.in_bytes, sums.counters.flows), (4, u64::MAX, 2));
    }

    #[test]
    fn sums_go_the_way_of_their_first_row_in_whatever_order_they_meet() {
        let row = |block, in_bytes, flags, turned| {
            let counters = Counters {
                first_ms: 5,
                last_ms: 9,
                flows: 1,
                in_bytes,
                out_packets: 1,
                ..Counters::default()
            };
            Sums::new(counters, RowOrigin::of_block(block), flags).with_ways(turned, 0)
        };
        let rows = [row(3, 100, 2, true), row(4, 20, 16, false), row(5, 3, 8, true)];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut sums = Sums::EMPTY;
            for index in order {
                sums.merge(&rows[index]);
            }
            assert_eq!((sums.origin(), sums.is_turned()), (RowOrigin::of_block(3), true), "{order:?}");
            assert_eq!((sums.flags(), sums.back_flags()), (10, 16));
            assert_eq!((sums.counters.in_bytes, sums.counters.out_bytes), (103, 20));
            assert_eq!((sums.counters.in_packets, sums.counters.out_packets), (1, 2));
        }
    }
}
