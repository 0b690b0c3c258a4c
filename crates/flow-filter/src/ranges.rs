//! Sets of numbers and addresses as sorted ranges: closed under union, intersection and complement.

use crate::bits::set_range;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An unsigned integer that ranges can be made of.
pub trait Ordinal: Copy + Ord + fmt::Debug {
    /// The smallest.
    const MIN: Self;
    /// The largest.
    const MAX: Self;
    /// The next larger one; `None` for the largest.
    fn next(self) -> Option<Self>;
    /// The next smaller one; `None` for the smallest.
    fn previous(self) -> Option<Self>;
    /// How many whole steps of 2 to the power of `shift` lie between `base` and this, which is not smaller.
    fn steps(self, base: Self, shift: u32) -> usize;
    /// How many bits it takes to count from `base` to this, which is not smaller.
    fn bits_above(self, base: Self) -> u32;
}

macro_rules! ordinal {
    ($($int:ty)*) => {$(
        impl Ordinal for $int {
            const MIN: Self = <$int>::MIN;
            const MAX: Self = <$int>::MAX;
            fn next(self) -> Option<Self> { self.checked_add(1) }
            fn previous(self) -> Option<Self> { self.checked_sub(1) }
            #[inline]
            fn steps(self, base: Self, shift: u32) -> usize { ((self - base) >> shift) as usize }
            fn bits_above(self, base: Self) -> u32 { <$int>::BITS - (self - base).leading_zeros() }
        }
    )*};
}

ordinal! { u32 u64 u128 }

/// A set of integers: inclusive ranges, ascending, with a gap between any two.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ranges<T> {
    ranges: Vec<(T, T)>,
    /// Present when there are many ranges.
    index: Option<Index<T>>,
}

/// Where to look for a value: the span of the set is cut into buckets of the same size, about one for each range, and each
/// bucket into [`SLOTS`](Self::SLOTS) slots. Of values that are not in a list of a million, nearly all fall into a slot
/// that no range touches: one memory access where a binary search takes twenty.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Index<T> {
    base: T,
    /// How many low bits of the distance from `base` lie within a slot.
    slot_shift: u32,
    /// How many bits of a slot's number lie within a bucket.
    bucket_shift: u32,
    /// One bit for each slot: whether a range touches it.
    touched: Box<[u64]>,
    /// For each bucket, and one past the last, the first range that ends in it or later.
    starts: Box<[u32]>,
}

impl<T: Ordinal> Index<T> {
    /// With fewer ranges the binary search stays in two cache lines and is as fast.
    const MIN_RANGES: usize = 32;
    /// With more buckets than this the starts, 4 MiB, would not stay in any cache.
    const MAX_BUCKETS: u32 = 1 << 20;
    /// With sixteen slots for a single value one slot in sixteen is touched, and a million values take 2 MiB.
    const SLOTS: u32 = 16;

    fn of(ranges: &[(T, T)]) -> Option<Index<T>> {
        let (&(base, _), &(_, last)) = (ranges.first()?, ranges.last()?);
        if ranges.len() < Self::MIN_RANGES || u32::try_from(ranges.len()).is_err() {
            return None;
        }
        let buckets = (ranges.len() as u32).min(Self::MAX_BUCKETS).next_power_of_two();
        let shift = last.bits_above(base).saturating_sub(buckets.ilog2());
        let slot_shift = shift.saturating_sub(Self::SLOTS.ilog2());
        let mut starts = Vec::with_capacity(buckets as usize + 1);
        let mut touched = vec![0; last.steps(base, slot_shift) / 64 + 1];
        for (at, &(low, high)) in (0..).zip(ranges) {
            starts.resize(starts.len().max(high.steps(base, shift) + 1), at);
            set_range(&mut touched, low.steps(base, slot_shift), high.steps(base, slot_shift) + 1);
        }
        // A value in the last bucket is not beyond the last range.
        starts.push(ranges.len() as u32 - 1);
        Some(Index {
            base,
            slot_shift,
            bucket_shift: shift - slot_shift,
            touched: touched.into(),
            starts: starts.into(),
        })
    }

    /// The ranges among which the first that does not end before `value` is, if `value` can be in the set at all: from, to,
    /// both included.
    #[inline]
    fn bucket(&self, value: T) -> Option<(usize, usize)> {
        if value < self.base {
            return None;
        }
        let slot = value.steps(self.base, self.slot_shift);
        if self.touched.get(slot / 64)? >> (slot % 64) & 1 == 0 {
            return None;
        }
        let bucket = slot >> self.bucket_shift;
        match self.starts.get(bucket..bucket + 2) {
            Some(&[from, to]) => Some((from as usize, to as usize)),
            _ => None,
        }
    }
}

impl<T: Ordinal> Ranges<T> {
    /// The empty set.
    pub const EMPTY: Ranges<T> = Ranges { ranges: Vec::new(), index: None };

    /// Every integer.
    pub fn all() -> Ranges<T> {
        Ranges::of_sorted(vec![(T::MIN, T::MAX)])
    }

    /// The integers from `low` to `high`, both included; none when `low` is larger.
    pub fn between(low: T, high: T) -> Ranges<T> {
        if low <= high { Ranges::of_sorted(vec![(low, high)]) } else { Ranges::EMPTY }
    }

    fn of_sorted(ranges: Vec<(T, T)>) -> Ranges<T> {
        let index = Index::of(&ranges);
        Ranges { ranges, index }
    }

    /// The integers in any of the given inclusive ranges, which may overlap.
    pub fn new(mut ranges: Vec<(T, T)>) -> Ranges<T> {
        ranges.retain(|(low, high)| low <= high);
        ranges.sort_unstable();
        ranges.dedup_by(|next, kept| {
            let touches = kept.1.next().is_none_or(|after| next.0 <= after);
            if touches {
                kept.1 = kept.1.max(next.1);
            }
            touches
        });
        ranges.shrink_to_fit();
        Ranges::of_sorted(ranges)
    }

    /// The integers in any of `sets`.
    pub fn union<'a>(sets: impl IntoIterator<Item = &'a Ranges<T>>) -> Ranges<T>
    where
        T: 'a,
    {
        Ranges::new(sets.into_iter().flat_map(|set| set.ranges.iter().copied()).collect())
    }

    /// The integers that are not in this set.
    #[must_use]
    pub fn complement(&self) -> Ranges<T> {
        let mut ranges = Vec::with_capacity(self.ranges.len() + 1);
        let mut low = Some(T::MIN);
        for &(first, last) in &self.ranges {
            if let (Some(low), Some(high)) = (low, first.previous())
                && low <= high
            {
                ranges.push((low, high));
            }
            low = last.next();
        }
        if let Some(low) = low {
            ranges.push((low, T::MAX));
        }
        Ranges::of_sorted(ranges)
    }

    /// The ranges, ascending.
    pub fn as_slice(&self) -> &[(T, T)] {
        &self.ranges
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether `value` is in the set.
    #[inline]
    pub fn contains(&self, value: T) -> bool {
        let (from, to) = match &self.index {
            None => (0, self.ranges.len()),
            Some(index) => match index.bucket(value) {
                Some((from, to)) => (from, to + 1),
                None => return false,
            },
        };
        let among = self.ranges.get(from..to).unwrap_or_default();
        let at = among.partition_point(|&(_, last)| last < value);
        among.get(at).is_some_and(|&(first, _)| first <= value)
    }

    /// Whether any integer from `low` to `high` is in the set.
    pub fn overlaps(&self, low: T, high: T) -> bool {
        let at = self.ranges.partition_point(|&(_, last)| last < low);
        self.ranges.get(at).is_some_and(|&(first, _)| first <= high)
    }

    /// Whether every integer from `low` to `high` is in the set.
    pub fn covers(&self, low: T, high: T) -> bool {
        let at = self.ranges.partition_point(|&(_, last)| last < low);
        self.ranges.get(at).is_some_and(|&(first, last)| first <= low && high <= last)
    }
}

/// A set of numbers.
pub type NumSet = Ranges<u64>;

impl NumSet {
    /// The numbers from `low` on.
    pub fn at_least(low: u64) -> NumSet {
        NumSet::between(low, u64::MAX)
    }

    /// The one number.
    pub fn only(value: u64) -> NumSet {
        NumSet::between(value, value)
    }
}

/// A set of addresses. IPv4 and IPv6 addresses are different addresses, also where one maps the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddrSet {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl AddrSet {
    /// The empty set.
    pub const EMPTY: AddrSet = AddrSet { v4: Ranges::EMPTY, v6: Ranges::EMPTY };

    /// The set of these IPv4 and these IPv6 addresses.
    pub fn of(v4: Ranges<u32>, v6: Ranges<u128>) -> AddrSet {
        AddrSet { v4, v6 }
    }

    /// Every IPv4 address.
    pub fn all_v4() -> AddrSet {
        AddrSet { v4: Ranges::all(), v6: Ranges::EMPTY }
    }

    /// Every IPv6 address.
    pub fn all_v6() -> AddrSet {
        AddrSet { v4: Ranges::EMPTY, v6: Ranges::all() }
    }

    /// The addresses in any of `networks`: an address and how many of its leading bits count. Other bits are
    /// masked off, a length beyond the family's is cut to it.
    pub fn networks(networks: impl IntoIterator<Item = (IpAddr, u8)>) -> AddrSet {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (addr, prefix_len) in networks {
            match addr {
                IpAddr::V4(addr) => {
                    let host_bits = u32::MAX.checked_shr(prefix_len.into()).unwrap_or(0);
                    v4.push((u32::from(addr) & !host_bits, u32::from(addr) | host_bits));
                }
                IpAddr::V6(addr) => {
                    let host_bits = u128::MAX.checked_shr(prefix_len.into()).unwrap_or(0);
                    v6.push((u128::from(addr) & !host_bits, u128::from(addr) | host_bits));
                }
            }
        }
        AddrSet { v4: Ranges::new(v4), v6: Ranges::new(v6) }
    }

    /// The addresses in any of `sets`.
    pub fn union<'a>(sets: impl IntoIterator<Item = &'a AddrSet> + Clone) -> AddrSet {
        AddrSet {
            v4: Ranges::union(sets.clone().into_iter().map(|set| &set.v4)),
            v6: Ranges::union(sets.into_iter().map(|set| &set.v6)),
        }
    }

    /// The addresses that are not in this set.
    #[must_use]
    pub fn complement(&self) -> AddrSet {
        AddrSet { v4: self.v4.complement(), v6: self.v6.complement() }
    }

    /// The IPv4 addresses, as numbers.
    pub fn v4(&self) -> &Ranges<u32> {
        &self.v4
    }

    /// The IPv6 addresses, as numbers.
    pub fn v6(&self) -> &Ranges<u128> {
        &self.v6
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether `addr` is in the set.
    #[inline]
    pub fn contains(&self, addr: IpAddr) -> bool {
        match addr {
            IpAddr::V4(addr) => self.v4.contains(addr.into()),
            IpAddr::V6(addr) => self.v6.contains(addr.into()),
        }
    }

    /// Whether any address from `low` to `high` is in the set, IPv4 before IPv6.
    pub fn overlaps(&self, low: IpAddr, high: IpAddr) -> bool {
        match (low, high) {
            (IpAddr::V4(low), IpAddr::V4(high)) => self.v4.overlaps(low.into(), high.into()),
            (IpAddr::V6(low), IpAddr::V6(high)) => self.v6.overlaps(low.into(), high.into()),
            (IpAddr::V4(low), IpAddr::V6(high)) => {
                self.v4.overlaps(low.into(), u32::MAX) || self.v6.overlaps(0, high.into())
            }
            (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// Whether every address from `low` to `high` is in the set, IPv4 before IPv6.
    pub fn covers(&self, low: IpAddr, high: IpAddr) -> bool {
        match (low, high) {
            (IpAddr::V4(low), IpAddr::V4(high)) => self.v4.covers(low.into(), high.into()),
            (IpAddr::V6(low), IpAddr::V6(high)) => self.v6.covers(low.into(), high.into()),
            (IpAddr::V4(low), IpAddr::V6(high)) => {
                self.v4.covers(low.into(), u32::MAX) && self.v6.covers(0, high.into())
            }
            (IpAddr::V6(_), IpAddr::V4(_)) => true,
        }
    }

    /// The addresses of the set one by one, when there are at most `limit` and no more ranges than that.
    pub fn members(&self, limit: usize) -> Option<Vec<IpAddr>> {
        let mut members = Vec::new();
        for &(low, high) in self.v4.as_slice() {
            if (high - low) as usize >= limit - members.len() {
                return None;
            }
            members.extend((low..=high).map(|addr| IpAddr::V4(Ipv4Addr::from(addr))));
        }
        for &(low, high) in self.v6.as_slice() {
            if high - low >= (limit - members.len()) as u128 {
                return None;
            }
            members.extend((low..=high).map(|addr| IpAddr::V6(Ipv6Addr::from(addr))));
        }
        Some(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn small() -> impl Strategy<Value = Vec<(u64, u64)>> {
        let end = prop_oneof![0_u64..20, u64::MAX - 20..=u64::MAX];
        prop::collection::vec((end.clone(), end), 0..6)
    }

    proptest! {
        #[test]
        fn many_ranges_are_looked_up_by_their_place(
            values in prop::collection::btree_set(prop_oneof![any::<u64>(), 0_u64..5_000, u64::MAX - 50..=u64::MAX], 32..600),
            wide: bool,
        ) {
            let spread = |value: u64| if wide { u128::from(value) << 60 | 7 } else { u128::from(value) };
            let large = Ranges::new(values.iter().map(|&value| (spread(value), spread(value))).collect());
            let small = Ranges::new(values.iter().map(|&value| (value, value)).collect());
            for &value in &values {
                for near in value.saturating_sub(2)..=value.saturating_add(2) {
                    prop_assert_eq!(small.contains(near), values.contains(&near));
                    prop_assert_eq!(large.contains(spread(near)), values.contains(&near));
                }
            }
            prop_assert_eq!(large.contains(u128::MAX), false);
        }

        #[test]
        fn ranges_are_sets(a in small(), b in small()) {
            let within = |ranges: &[(u64, u64)], value| ranges.iter().any(|&(low, high)| low <= value && value <= high);
            let (set, other) = (Ranges::new(a.clone()), Ranges::new(b.clone()));
            let both = Ranges::union([&set, &other]);
            prop_assert!(both.as_slice().windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
            for value in (0..25).chain(u64::MAX - 25..=u64::MAX) {
                prop_assert_eq!(set.contains(value), within(&a, value));
                prop_assert_eq!(set.complement().contains(value), !within(&a, value));
                prop_assert_eq!(both.contains(value), within(&a, value) || within(&b, value));
            }
            for low in 0..22 {
                for high in low..22 {
                    prop_assert_eq!(set.overlaps(low, high), (low..=high).any(|value| set.contains(value)));
                    prop_assert_eq!(set.covers(low, high), (low..=high).all(|value| set.contains(value)));
                }
            }
            prop_assert_eq!(set.complement().complement(), set);
        }
    }

    #[test]
    fn networks_are_ranges_of_their_family() {
        let net = |text: &str, len| (text.parse::<IpAddr>().unwrap(), len);
        let set = AddrSet::networks([net("10.0.0.5", 24), net("2001:db8::1", 32), net("10.0.1.0", 32)]);
        assert_eq!(set.v4().as_slice(), [(0x0a00_0000, 0x0a00_0100)]);
        for (text, within) in
            [("10.0.0.255", true), ("10.0.1.1", false), ("2001:db8:ffff::", true), ("::a00:0", false)]
        {
            assert_eq!(set.contains(text.parse().unwrap()), within, "{text}");
        }
        let everything = AddrSet::networks([net("1.2.3.4", 0), net("::1", 0)]);
        assert!(everything.covers("0.0.0.0".parse().unwrap(), "ffff::".parse().unwrap()));
        assert!(everything.complement().is_empty());
        assert_eq!(AddrSet::networks([net("1.2.3.4", 30)]).members(4).unwrap().len(), 4);
        assert_eq!(AddrSet::networks([net("1.2.3.4", 30)]).members(3), None);
    }
}
