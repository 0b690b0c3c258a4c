//! Building the sorted dictionary of a column.
//!
//! This is most of what writing costs, so each width has its own way: presence tables for 8 and 16 bits, a small
//! table where few values are distinct, and otherwise a hash table in front of a sort of what is distinct. Keys come
//! from the network: the hash is seeded, and the sorts do not depend on the values.

use flow_model::{BytesValues, Column, Dictionary, Value, Values};
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;

/// The distinct addresses of one or more columns, each list strictly ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) v4: Vec<u32>,
    pub(crate) v6: Vec<u128>,
}

impl Addresses {
    /// Of addresses in ascending order.
    pub(crate) fn from_sorted(addrs: impl Iterator<Item = IpAddr>) -> Addresses {
        let mut addresses = Addresses::default();
        for addr in addrs {
            match addr {
                IpAddr::V4(addr) => addresses.v4.push(addr.to_bits()),
                IpAddr::V6(addr) => addresses.v6.push(addr.to_bits()),
            }
        }
        addresses
    }

    pub(crate) fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// The addresses of both.
    #[must_use]
    pub(crate) fn union(&self, other: &Addresses) -> Addresses {
        Addresses { v4: union(&self.v4, &other.v4), v6: union(&self.v6, &other.v6) }
    }
}

fn union<T: Copy + Ord>(a: &[T], b: &[T]) -> Vec<T> {
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while let (Some(&left), Some(&right)) = (a.get(i), b.get(j)) {
        out.push(left.min(right));
        i += usize::from(left <= right);
        j += usize::from(right <= left);
    }
    out.extend_from_slice(&a[i..]);
    out.extend_from_slice(&b[j..]);
    out
}

/// The column as a constant if all rows agree, otherwise as a dictionary in which every entry is used.
pub(crate) fn dictionary(column: &Column) -> Column {
    match column {
        Column::Constant(value) => Column::Constant(value.clone()),
        Column::Plain(values) if is_constant(values) => Column::Constant(values.get(0).to_owned()),
        Column::Plain(values) => Column::Dictionary(of_values(values)),
        Column::Dictionary(dictionary) => compact(dictionary),
    }
}

/// Whether all of one or more values are equal.
pub(crate) fn is_constant(values: &Values) -> bool {
    fn all<T: PartialEq>(values: &[T]) -> bool {
        values.first().is_some_and(|first| values.iter().all(|value| value == first))
    }
    match values {
        Values::U8(v) => all(v),
        Values::U16(v) => all(v),
        Values::U32(v) => all(v),
        Values::U64(v) => all(v),
        Values::Ip(v) => all(v),
        Values::Bytes(v) => !v.is_empty() && v.iter().all(|value| value == v.get(0)),
    }
}

fn of_values(values: &Values) -> Dictionary {
    match values {
        Values::U8(v) => {
            let (codes, distinct) = of_small::<256>(v.iter().map(|&value| value.into()));
            Dictionary { codes, values: Values::U8(distinct.into_iter().map(|value| value as u8).collect()) }
        }
        Values::U16(v) => {
            let (codes, distinct) = of_narrow(v);
            let distinct = distinct.into_iter().map(|value| value as u16).collect();
            Dictionary { codes, values: Values::U16(distinct) }
        }
        Values::U32(v) => {
            let (codes, distinct) = of_narrow(v);
            Dictionary { codes, values: Values::U32(distinct) }
        }
        Values::U64(v) => {
            let mut codes = vec![0; v.len()];
            let rows = v.iter().copied().zip(0..);
            let hash = |key: u64| (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32;
            if let Some(distinct) = of_few(rows, hash, &mut codes) {
                return Dictionary { codes, values: Values::U64(distinct) };
            }
            let (codes, distinct) = of_wide(v.iter().copied());
            Dictionary { codes, values: Values::U64(distinct) }
        }
        Values::Ip(v) => {
            let (codes, addresses) = of_addresses(v);
            let v4 = addresses.v4.into_iter().map(|bits| IpAddr::V4(bits.into()));
            let v6 = addresses.v6.into_iter().map(|bits| IpAddr::V6(bits.into()));
            Dictionary { codes, values: Values::Ip(v4.chain(v6).collect()) }
        }
        Values::Bytes(v) => {
            let (codes, distinct) = of_wide(v.iter());
            let mut strings = BytesValues::default();
            for string in distinct {
                strings.push(string);
            }
            Dictionary { codes, values: Values::Bytes(strings) }
        }
    }
}

/// Numbers below this have a table of their own.
const SMALL: usize = 65_536;

/// From this many rows on: with fewer, as a journal has them, to clear and search the table costs more than to hash.
const SMALL_FROM_ROWS: usize = 2048;

/// Codes and distinct values of numbers of up to 32 bits.
fn of_narrow<T: Copy + Into<u32>>(values: &[T]) -> (Vec<u16>, Vec<u32>) {
    let numbers = values.iter().map(|&value| value.into());
    if values.len() >= SMALL_FROM_ROWS && numbers.clone().all(|number| (number as usize) < SMALL) {
        let (codes, distinct) = of_small::<SMALL>(numbers.map(|number| number as usize));
        return (codes, distinct.into_iter().map(|number| number as u32).collect());
    }
    let mut codes = vec![0; values.len()];
    let distinct = of_pairs(numbers.enumerate().map(|(row, key)| pair(key, row)), &mut codes);
    (codes, distinct)
}

/// Codes and distinct values of numbers below `N`, a power of two.
fn of_small<const N: usize>(values: impl Iterator<Item = usize> + Clone) -> (Vec<u16>, Vec<usize>) {
    let mut seen = vec![false; N];
    let seen: &mut [bool; N] = seen.as_mut_slice().try_into().expect("it is N long");
    for value in values.clone() {
        seen[value % N] = true;
    }
    let mut code_of = vec![0_u16; N];
    let code_of: &mut [u16; N] = code_of.as_mut_slice().try_into().expect("it is N long");
    let mut distinct = Vec::new();
    for (octet, seen) in seen.as_chunks::<8>().0.iter().enumerate() {
        // Most values of most columns do not occur: look at eight at once.
        if *seen != [false; 8] {
            for bit in (0..8).filter(|&bit| seen[bit]) {
                code_of[octet * 8 + bit] = distinct.len() as u16;
                distinct.push(octet * 8 + bit);
            }
        }
    }
    (values.map(|value| code_of[value % N]).collect(), distinct)
}

/// Codes and distinct addresses; the codes of IPv6 addresses follow those of IPv4 addresses.
pub(crate) fn of_addresses(addrs: &[IpAddr]) -> (Vec<u16>, Addresses) {
    let mut codes = vec![0; addrs.len()];
    let mut v4 = Vec::with_capacity(addrs.len());
    let mut v6 = Vec::new();
    for (row, addr) in addrs.iter().enumerate() {
        match addr {
            IpAddr::V4(addr) => v4.push(pair(addr.to_bits(), row)),
            IpAddr::V6(addr) => v6.push((addr.to_bits(), row)),
        }
    }
    let v4 = of_pairs(v4.iter().copied(), &mut codes);
    let v6 = if v6.is_empty() {
        Vec::new()
    } else {
        let (v6_codes, distinct) = of_wide(v6.iter().map(|&(bits, _)| bits));
        for ((_, row), code) in v6.into_iter().zip(v6_codes) {
            codes[row] = v4.len() as u16 + code;
        }
        distinct
    };
    (codes, Addresses { v4, v6 })
}

/// A 32-bit key above its row.
fn pair(key: u32, row: usize) -> u64 {
    u64::from(key) << 16 | row as u64
}

fn key(pair: u64) -> u32 {
    (pair >> 16) as u32
}

fn row(pair: u64) -> usize {
    (pair & 0xffff) as usize
}

/// Writes the code of every pair's row and gives the distinct keys, ascending.
fn of_pairs(pairs: impl Iterator<Item = u64> + Clone, codes: &mut [u16]) -> Vec<u32> {
    // Fibonacci hashing.
    let hash = |key: u32| key.wrapping_mul(0x9e37_79b1);
    if let Some(distinct) = of_few(pairs.clone().map(|pair| (key(pair), row(pair))), hash, codes) {
        return distinct;
    }
    let (found, distinct) = number(pairs.clone().map(key));
    let sorted = sort_by_key(distinct.into_iter().zip(0..).map(|(key, code)| pair(key, code)).collect());
    let mut rank = vec![0_u16; sorted.len()];
    for (place, &pair) in sorted.iter().enumerate() {
        rank[row(pair)] = place as u16;
    }
    for (pair, code) in pairs.zip(found) {
        codes[row(pair)] = rank[usize::from(code)];
    }
    sorted.into_iter().map(key).collect()
}

/// Writes the code of every key's row and gives the distinct keys, ascending, by a small table; `None` when many
/// are distinct, or when they collide more than chance explains: whoever crafts such keys costs us another way.
fn of_few<K: Copy + Ord + Default>(
    rows: impl Iterator<Item = (K, usize)> + Clone,
    hash: impl Fn(K) -> u32,
    codes: &mut [u16],
) -> Option<Vec<K>> {
    const FEW: usize = 256;
    const SLOTS: usize = 1024;
    const EMPTY: u16 = u16::MAX;
    let mut slots = [EMPTY; SLOTS];
    let mut keys = [K::default(); FEW];
    let mut count = 0;
    let mut collisions = 0;
    for (key, row) in rows.clone() {
        let mut slot = (hash(key) >> 22) as usize;
        let code = loop {
            let code = slots[slot % SLOTS];
            if code == EMPTY {
                *keys.get_mut(count)? = key;
                slots[slot % SLOTS] = count as u16;
                count += 1;
                break count as u16 - 1;
            }
            if keys[usize::from(code) % FEW] == key {
                break code;
            }
            slot += 1;
            collisions += 1;
        };
        if collisions > codes.len() {
            return None;
        }
        codes[row] = code;
    }
    let mut order: Vec<(K, u16)> = keys[..count].iter().copied().zip(0..).collect();
    order.sort_unstable();
    let mut rank = [0_u16; FEW];
    for (place, &(_, code)) in order.iter().enumerate() {
        rank[usize::from(code)] = place as u16;
    }
    for (_, row) in rows {
        let code = &mut codes[row];
        *code = rank[usize::from(*code) % FEW];
    }
    Some(order.into_iter().map(|(key, _)| key).collect())
}

/// Sorts pairs by their 32-bit key: a radix sort, leaving out digits in which all keys agree.
fn sort_by_key(mut pairs: Vec<u64>) -> Vec<u64> {
    const DIGIT: u32 = 8;
    const PASSES: usize = 4;
    const BUCKETS: usize = 1 << DIGIT;
    let digit = |pair: u64, pass: usize| (pair >> (16 + pass as u32 * DIGIT)) as usize % BUCKETS;
    let mut counts = [[0_u32; BUCKETS]; PASSES];
    for &pair in &pairs {
        for (pass, counts) in counts.iter_mut().enumerate() {
            counts[digit(pair, pass)] += 1;
        }
    }
    let mut sorted = vec![0; pairs.len()];
    for (pass, counts) in counts.iter_mut().enumerate() {
        if counts.contains(&(pairs.len() as u32)) {
            continue;
        }
        let mut start = 0;
        for count in counts.iter_mut() {
            start += std::mem::replace(count, start);
        }
        for &pair in &pairs {
            let place = &mut counts[digit(pair, pass)];
            sorted[*place as usize] = pair;
            *place += 1;
        }
        std::mem::swap(&mut pairs, &mut sorted);
    }
    pairs
}

/// Codes and distinct values, ascending.
fn of_wide<T: Copy + Ord + Hash>(values: impl Iterator<Item = T>) -> (Vec<u16>, Vec<T>) {
    let (mut codes, distinct) = number(values);
    let mut order: Vec<(T, u16)> = distinct.into_iter().zip(0..=u16::MAX).collect();
    order.sort_unstable_by_key(|&(key, _)| key);
    let mut rank = vec![0_u16; order.len()];
    for (place, &(_, code)) in order.iter().enumerate() {
        rank[usize::from(code)] = place as u16;
    }
    for code in &mut codes {
        *code = rank[usize::from(*code)];
    }
    (codes, order.into_iter().map(|(key, _)| key).collect())
}

/// Numbers the distinct values in the order of their first occurrence.
fn number<T: Copy + Eq + Hash>(values: impl Iterator<Item = T>) -> (Vec<u16>, Vec<T>) {
    let hasher = foldhash::fast::RandomState::default();
    let rows = values.size_hint().0;
    let mut table: HashTable<u16> = HashTable::with_capacity(rows / 2);
    let mut distinct: Vec<T> = Vec::new();
    let mut codes: Vec<u16> = Vec::with_capacity(rows);
    for value in values {
        let found = table.entry(
            hasher.hash_one(value),
            |&code| distinct[usize::from(code)] == value,
            |&code| hasher.hash_one(distinct[usize::from(code)]),
        );
        let code = *found.or_insert_with(|| distinct.len() as u16).get();
        if usize::from(code) == distinct.len() {
            distinct.push(value);
        }
        codes.push(code);
    }
    (codes, distinct)
}

/// Leaves out entries that no row uses.
fn compact(dictionary: &Dictionary) -> Column {
    let mut code_of = vec![0_u16; dictionary.values.len()];
    dictionary.codes.iter().for_each(|&code| code_of[usize::from(code)] = 1);
    let used: Vec<usize> = (0..code_of.len()).filter(|&code| code_of[code] == 1).collect();
    if let [only] = used[..] {
        return Column::Constant(dictionary.values.get(only).to_owned());
    }
    if used.len() == code_of.len() {
        return Column::Dictionary(dictionary.clone());
    }
    let mut values = Values::new(dictionary.values.kind());
    for (code, &old) in used.iter().enumerate() {
        code_of[old] = code as u16;
        values.push(dictionary.values.get(old));
    }
    let codes = dictionary.codes.iter().map(|&code| code_of[usize::from(code)]).collect();
    Column::Dictionary(Dictionary { codes, values })
}

/// The value every row has, when the column is a constant or looks like one.
pub(crate) fn constant(column: &Column) -> Option<Value> {
    match column {
        Column::Constant(value) => Some(value.clone()),
        Column::Plain(values) if is_constant(values) => Some(values.get(0).to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_model::ValueRef;
    use proptest::prelude::*;

    fn check(values: &Values) {
        let column = Column::Plain(values.clone());
        let built = dictionary(&column);
        (0..values.len()).for_each(|row| assert_eq!(built.get(row), column.get(row), "row {row}"));
        if let Column::Dictionary(dictionary) = built {
            let len = dictionary.values.len();
            assert!((1..len).all(|code| dictionary.values.get(code - 1) < dictionary.values.get(code)));
            let mut used = vec![false; len];
            dictionary.codes.iter().for_each(|&code| used[usize::from(code)] = true);
            assert!(used.into_iter().all(|used| used));
        }
    }

    proptest! {
        #[test]
        fn dictionaries_are_sorted_and_answer_like_the_column(
            seed in prop::collection::vec(any::<u64>(), 1..40),
            rows in 1_usize..4000,
        ) {
            let values: Vec<u64> = (0..rows).map(|row| seed[row % seed.len()].rotate_left(row as u32 / 100)).collect();
            check(&Values::U8(values.iter().map(|&v| v as u8).collect()));
            check(&Values::U16(values.iter().map(|&v| v as u16).collect()));
            check(&Values::U32(values.iter().map(|&v| v as u32).collect()));
            check(&Values::U64(values.clone()));
            check(&Values::Ip(values.iter().map(|&v| match v % 3 {
                0 => IpAddr::V4((v as u32).into()),
                _ => IpAddr::V6((u128::from(v) << (v % 60)).into()),
            }).collect()));
            let mut strings = Values::new(flow_model::Kind::Bytes);
            for v in &values {
                strings.push(ValueRef::Bytes(&v.to_le_bytes()[..v.leading_zeros() as usize % 9]));
            }
            check(&strings);
        }
    }

    #[test]
    fn a_full_block_of_distinct_values_has_a_code_for_each() {
        check(&Values::U16((0..=u16::MAX).rev().collect()));
        check(&Values::U32((0..65_536).map(|i| i * 65_521).collect()));
        check(&Values::U64((0..65_536_u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect()));
    }

    #[test]
    fn entries_that_no_row_uses_are_left_out() {
        let wide = Dictionary { codes: vec![3, 1, 3], values: Values::U16(vec![10, 20, 30, 40]) };
        let Column::Dictionary(narrow) = dictionary(&Column::Dictionary(wide)) else { panic!() };
        assert_eq!(narrow, Dictionary { codes: vec![1, 0, 1], values: Values::U16(vec![20, 40]) });
        let one = Dictionary { codes: vec![2, 2], values: Values::U16(vec![10, 20, 30]) };
        assert_eq!(dictionary(&Column::Dictionary(one)), Column::Constant(Value::Num(30)));
    }
}
