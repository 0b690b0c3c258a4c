//! One test over the rows of a batch: decided once for a constant, once per entry of a dictionary, and in a loop
//! over the values of a plain column.

use crate::ast::{Number, Octets, Test};
use crate::bits::{Outcome, Rows, as_run, by_value, pack, pack_pairs, set_range};
use crate::derived::{by_derived, column, within};
use crate::eval::EvalContext;
use crate::payload::contains;
use crate::ranges::{AddrSet, NumSet, Ordinal};
use flow_model::{Column, Dictionary, Field, FlowBatch, MAX_BATCH_ROWS, Selection, ValueRef, Values};
use std::net::IpAddr;

/// Decides `test` for every row that is looked at. `selection` holds the same rows as `rows`.
pub(crate) fn run(
    test: &Test,
    batch: &FlowBatch,
    context: &EvalContext<'_>,
    rows: Rows<'_>,
    selection: &Selection,
) -> Outcome {
    if let Some(coded) = on_codes(test, batch) {
        return coded.rows(rows);
    }
    let bits = match test {
        Test::Ident(ident) => return constant(**ident == *context.ident),
        Test::Number(Number::Field(field), set) => match batch.column(*field) {
            Column::Plain(values) => by_number(rows, values, set),
            _ => return Outcome::None,
        },
        Test::Number(Number::Bits { field, shift, width }, set) => match batch.column(*field) {
            Column::Plain(values) => by_bits(rows, values, *shift, *width, set),
            _ => return Outcome::None,
        },
        Test::Number(Number::Count, set) => {
            let position = |row: usize| context.first_row.saturating_add(row as u64 + 1);
            match rows {
                Rows::All(len) => {
                    let positions: Vec<u64> = (0..len).map(position).collect();
                    pack(&positions, |position| within(position, set))
                }
                Rows::List(rows) => pack(rows, |row| within(position(row as usize), set)),
            }
        }
        Test::Number(derived, set) => by_derived(*derived, set, batch, selection),
        Test::Address(field, set) => match batch.column(*field) {
            Column::Plain(Values::Ip(values)) => by_address(rows, values, set),
            _ => return Outcome::None,
        },
        Test::Octets(field, octets) => {
            let column = batch.column(*field);
            match rows {
                Rows::All(len) => {
                    let every: Vec<u32> = (0..len as u32).collect();
                    pack(&every, |row| octets_match(octets, column.bytes(row as usize)))
                }
                Rows::List(rows) => pack(rows, |row| octets_match(octets, column.bytes(row as usize))),
            }
        }
        Test::Equal(one, other) => {
            let [one, other] = [*one, *other].map(|field| column(field, batch, selection));
            pack_pairs(&one, &other, |one, other| one == other)
        }
        Test::InPortBlock(port) => {
            let [port, start, end] =
                [*port, Field::PblockStart, Field::PblockEnd].map(|field| column(field, batch, selection));
            let within: Vec<bool> = port
                .iter()
                .zip(&*start)
                .zip(&*end)
                .map(|((port, start), end)| start <= port && port <= end)
                .collect();
            pack(&within, |within| within)
        }
    };
    Outcome::Bits(bits)
}

/// What a dictionary or a constant decides about all rows.
pub(crate) enum Coded<'b> {
    /// The same for every row.
    Const(bool),
    /// The entries from the first to the last number match, both included.
    Run(&'b [u16], u16, u16),
    /// The entries whose bit is set match.
    Mask(&'b [u16], Box<[u64; MASK_WORDS]>),
}

/// One bit for each code there can be, so that no code needs a bounds check; 8 KiB stay in the first-level cache.
const MASK_WORDS: usize = MAX_BATCH_ROWS / 64;

#[inline]
fn bit(mask: &[u64; MASK_WORDS], code: u16) -> bool {
    mask[usize::from(code >> 6)] >> (code & 63) & 1 == 1
}

impl Coded<'_> {
    pub(crate) fn rows(&self, rows: Rows<'_>) -> Outcome {
        match self {
            Coded::Const(value) => constant(*value),
            Coded::Run(codes, first, last) => {
                let width = last - first;
                Outcome::Bits(by_value(rows, codes, |code| code.wrapping_sub(*first) <= width))
            }
            Coded::Mask(codes, mask) => Outcome::Bits(by_value(rows, codes, |code| {
                mask[usize::from(code >> 6)] >> (code & 63) & 1 == 1
            })),
        }
    }
}

/// Decides `test` without looking at rows, when its column is a constant or a dictionary.
pub(crate) fn on_codes<'b>(test: &Test, batch: &'b FlowBatch) -> Option<Coded<'b>> {
    let field = match test {
        Test::Number(Number::Field(field) | Number::Bits { field, .. }, _)
        | Test::Address(field, _)
        | Test::Octets(field, _) => *field,
        Test::Number(..) | Test::Equal(..) | Test::InPortBlock(_) | Test::Ident(_) => return None,
    };
    match batch.column(field) {
        Column::Constant(value) => Some(Coded::Const(decide(test, value.as_ref()))),
        Column::Dictionary(Dictionary { codes, values }) => {
            let words = match (test, values) {
                (Test::Number(Number::Field(_), set), Values::U8(v)) => sorted(v, set),
                (Test::Number(Number::Field(_), set), Values::U16(v)) => sorted(v, set),
                (Test::Number(Number::Field(_), set), Values::U32(v)) => sorted(v, set),
                (Test::Number(Number::Field(_), set), Values::U64(v)) => sorted(v, set),
                (Test::Address(_, set), Values::Ip(v)) => sorted_addresses(v, set),
                _ => {
                    let entries: Vec<u32> = (0..values.len() as u32).collect();
                    pack(&entries, |entry| decide(test, values.get(entry as usize)))
                }
            };
            Some(coded(codes, &words, values.len()))
        }
        Column::Plain(_) => None,
    }
}

/// The cheapest way to test codes by the decisions about `len` entries.
fn coded<'b>(codes: &'b [u16], words: &[u64], len: usize) -> Coded<'b> {
    match as_run(words) {
        Some((0, end)) if end == len => Coded::Const(true),
        Some((first, end)) => Coded::Run(codes, first as u16, (end - 1) as u16),
        None if words.iter().all(|&word| word == 0) => Coded::Const(false),
        None => {
            let mut mask = Box::new([0; MASK_WORDS]);
            mask.iter_mut().zip(words).for_each(|(mask, word)| *mask = *word);
            Coded::Mask(codes, mask)
        }
    }
}

/// Which of ascending values lie in a set: by walking along both, or, where the set has more ranges than there are
/// values, by looking up each value.
fn sorted<V: Copy + Into<u64>>(values: &[V], set: &NumSet) -> Vec<u64> {
    if set.as_slice().len() > values.len() {
        return pack(values, |value| set.contains(value.into()));
    }
    let mut words = vec![0; values.len().div_ceil(64)];
    mark_sorted(&mut words, 0..values.len(), |at| values[at].into(), set.as_slice());
    words
}

fn mark_sorted<T: Ordinal>(
    words: &mut [u64],
    entries: std::ops::Range<usize>,
    value: impl Fn(usize) -> T,
    ranges: &[(T, T)],
) {
    let search = |from: usize, before: &dyn Fn(T) -> bool| {
        // Doubling steps from where the last search ended: neighbours are near each other.
        let mut step = 1;
        let mut low = from;
        while low + step < entries.end && before(value(low + step - 1)) {
            low += step;
            step *= 2;
        }
        let mut high = (low + step).min(entries.end);
        while low < high {
            let middle = usize::midpoint(low, high);
            if before(value(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    };
    let mut at = entries.start;
    let mut next = 0;
    while at < entries.end && next < ranges.len() {
        let here = value(at);
        // Ranges that end before the value, in doubling steps as above.
        let mut step = 1;
        while ranges.get(next + step - 1).is_some_and(|&(_, last)| last < here) {
            next += step;
            step *= 2;
        }
        let window = &ranges[next..(next + step).min(ranges.len())];
        next += window.partition_point(|&(_, last)| last < here);
        let Some(&(first, last)) = ranges.get(next) else {
            return;
        };
        let from = search(at, &|value| value < first);
        let to = search(from, &|value| value <= last);
        set_range(words, from, to);
        at = to;
        next += 1;
    }
}

fn sorted_addresses(values: &[IpAddr], set: &AddrSet) -> Vec<u64> {
    if set.v4().as_slice().len() + set.v6().as_slice().len() > values.len() {
        return pack(values, |addr| set.contains(addr));
    }
    let mut words = vec![0; values.len().div_ceil(64)];
    let v4 = values.partition_point(IpAddr::is_ipv4);
    let as_v4 = |index: usize| match values[index] {
        IpAddr::V4(addr) => u32::from(addr),
        IpAddr::V6(_) => u32::MAX,
    };
    let as_v6 = |index: usize| match values[index] {
        IpAddr::V4(_) => 0,
        IpAddr::V6(addr) => u128::from(addr),
    };
    mark_sorted(&mut words, 0..v4, as_v4, set.v4().as_slice());
    mark_sorted(&mut words, v4..values.len(), as_v6, set.v6().as_slice());
    words
}

/// A width numbers are held in.
trait Lane: Copy + Ord {
    const MAX: u64;
    fn narrow(num: u64) -> Self;
    fn wide(self) -> u64;
    fn minus(self, other: Self) -> Self;
}

macro_rules! lane {
    ($($int:ty)*) => {$(
        impl Lane for $int {
            const MAX: u64 = <$int>::MAX as u64;
            #[inline]
            fn narrow(num: u64) -> Self { num as $int }
            #[inline]
            fn wide(self) -> u64 { u64::from(self) }
            #[inline]
            fn minus(self, other: Self) -> Self { self.wrapping_sub(other) }
        }
    )*};
}

lane! { u8 u16 u32 u64 }

/// Up to this many ranges are all compared, without branches; more are searched.
const FEW_RANGES: usize = 4;

fn by_number(rows: Rows<'_>, values: &Values, set: &NumSet) -> Vec<u64> {
    fn lanes<T: Lane>(rows: Rows<'_>, values: &[T], set: &NumSet) -> Vec<u64> {
        let ranges: Vec<(T, T)> = set
            .as_slice()
            .iter()
            .filter(|(low, _)| *low <= T::MAX)
            .map(|&(low, high)| (T::narrow(low), T::narrow(high.min(T::MAX))))
            .map(|(low, high)| (low, high.minus(low)))
            .collect();
        match ranges[..] {
            [] => vec![0; rows.len().div_ceil(64)],
            [(low, width)] => by_value(rows, values, |value| value.minus(low) <= width),
            [first, .., last] if ranges.len() <= FEW_RANGES => {
                let middle = |index: usize| *ranges[..ranges.len() - 1].get(index).unwrap_or(&last);
                let all = [first, middle(1), middle(2), last];
                by_value(rows, values, |value| {
                    all.iter().fold(false, |within, &(low, width)| within | (value.minus(low) <= width))
                })
            }
            _ => by_value(rows, values, |value| set.contains(value.wide())),
        }
    }
    match values {
        Values::U8(values) => {
            let mut table = [false; 256];
            for (value, within) in (0..).zip(&mut table) {
                *within = set.contains(value);
            }
            by_value(rows, values, |value| table[usize::from(value)])
        }
        Values::U16(values) if set.as_slice().len() > FEW_RANGES => {
            let mut mask = Box::new([0; MASK_WORDS]);
            for &(low, high) in set.as_slice().iter().filter(|(low, _)| u16::try_from(*low).is_ok()) {
                set_range(&mut *mask, low as usize, high.min(u16::MAX.into()) as usize + 1);
            }
            by_value(rows, values, |value| bit(&mask, value))
        }
        Values::U16(values) => lanes(rows, values, set),
        Values::U32(values) => lanes(rows, values, set),
        Values::U64(values) => lanes(rows, values, set),
        Values::Ip(_) | Values::Bytes(_) => vec![0; rows.len().div_ceil(64)],
    }
}

fn by_bits(rows: Rows<'_>, values: &Values, shift: u8, width: u8, set: &NumSet) -> Vec<u64> {
    fn lanes<T: Lane>(rows: Rows<'_>, values: &[T], shift: u8, width: u8, set: &NumSet) -> Vec<u64> {
        let mask = (1_u64 << width) - 1;
        match set.as_slice() {
            [(low, high)] => {
                let (low, span) = (*low, high - low);
                by_value(rows, values, |value| (value.wide() >> shift & mask).wrapping_sub(low) <= span)
            }
            _ => by_value(rows, values, |value| set.contains(value.wide() >> shift & mask)),
        }
    }
    match values {
        Values::U8(values) => lanes(rows, values, shift, width, set),
        Values::U16(values) => lanes(rows, values, shift, width, set),
        Values::U32(values) => lanes(rows, values, shift, width, set),
        Values::U64(values) => lanes(rows, values, shift, width, set),
        Values::Ip(_) | Values::Bytes(_) => vec![0; rows.len().div_ceil(64)],
    }
}

fn by_address(rows: Rows<'_>, values: &[IpAddr], set: &AddrSet) -> Vec<u64> {
    match (set.v4().as_slice(), set.v6().as_slice()) {
        ([(low, high)], []) => {
            let (low, span) = (*low, high - low);
            by_value(rows, values, |addr| match addr {
                IpAddr::V4(addr) => u32::from(addr).wrapping_sub(low) <= span,
                IpAddr::V6(_) => false,
            })
        }
        _ => by_value(rows, values, |addr| set.contains(addr)),
    }
}

/// Decides a test that looks at one field by its value.
fn decide(test: &Test, value: ValueRef<'_>) -> bool {
    match (test, value) {
        (Test::Number(Number::Field(_), set), ValueRef::Num(num)) => set.contains(num),
        (Test::Number(Number::Bits { shift, width, .. }, set), ValueRef::Num(num)) => {
            set.contains(num >> shift & ((1 << width) - 1))
        }
        (Test::Address(_, set), ValueRef::Ip(addr)) => set.contains(addr),
        (Test::Octets(_, octets), ValueRef::Bytes(bytes)) => octets_match(octets, bytes),
        _ => false,
    }
}

fn octets_match(octets: &Octets, value: &[u8]) -> bool {
    match octets {
        Octets::Equal(pattern) => **pattern == *value,
        Octets::Contain(pattern) => contains(value, pattern),
        Octets::Payload(payload) => payload.holds(value),
    }
}

fn constant(value: bool) -> Outcome {
    if value { Outcome::All } else { Outcome::None }
}
