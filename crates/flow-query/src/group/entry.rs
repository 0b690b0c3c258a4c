//! A group's key and what is measured of it as few octets: most groups are one small flow.
//!
//! The key comes first: its words little-endian, without what is always zero at the end. [`Sums`] follow as
//!
//! | octets | content |
//! |---|---|
//! | 4 or 6 | origin |
//! | 2 | lengths of what follows |
//! | 2, 3, 4, 8 | start, since the earliest start of all files |
//! | 0, 2, 3, 8 | end, since the start |
//! | 1, 2, 4, 8 | packets in |
//! | 2, 3, 4, 8 | bytes in |
//! | 0 (= 1 flow), 1, 4, 8 | flows |
//! | 0 or 1 | TCP flags |
//! | 0 or 2 | whether the first row is turned round, TCP flags of the way back |
//! | 0, 4, 8 | packets out |
//! | 0, 4, 8 | bytes out |
//!
//! and a [`Volume`] as a number of 6, 14, 30 or 64 bits behind two bits which say so.

use super::key::Key;
use crate::RowOrigin;
use crate::counts::{Sums, Volume};
use flow_model::Counters;

/// How the entries of one shape are written in one query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    key_octets: usize,
    origin_octets: u8,
    base_ms: u64,
}

/// What is measured of a group.
pub(crate) trait Measure: Copy + Send + Sync {
    /// Of no row.
    const EMPTY: Self;
    /// Octets one may take, with room for the last write of eight.
    const MAX_LEN: usize;

    /// Whether it is known to be of no row.
    fn is_empty(&self) -> bool;
    /// By what groups are compared, where nothing else is measured; otherwise 0.
    fn volume(&self) -> u64;
    /// Adds what was measured of other rows of the group.
    fn merge(&mut self, other: &Self);
    /// Writes it.
    fn write(&self, form: Form, writer: &mut Writer<'_>);
    /// Reads it.
    fn read(form: Form, reader: &mut Reader<'_>) -> Self;
}

impl Form {
    /// The form of entries with keys of so many octets, in a query over `blocks` blocks whose flows start at `base_ms`
    /// or, rarely, before.
    pub(crate) fn new(key_octets: usize, blocks: usize, base_ms: u64) -> Form {
        Form { key_octets, origin_octets: if blocks <= 1 << 16 { 4 } else { 6 }, base_ms }
    }

    /// Octets of a key.
    pub(crate) fn key_octets(&self) -> usize {
        self.key_octets
    }

    /// The most octets an entry has, with room for the last write.
    pub(crate) fn max_len<M: Measure>(&self) -> usize {
        self.key_octets.next_multiple_of(8) + M::MAX_LEN
    }

    /// Writes an entry to the start of `out`, which has [`max_len`](Self::max_len) octets at least, and says how long it
    /// is.
    #[inline]
    pub(crate) fn encode<const W: usize, M: Measure>(
        &self,
        key: &Key<W>,
        measure: &M,
        out: &mut [u8],
    ) -> usize {
        let out = &mut out[..self.max_len::<M>()];
        for (word, octets) in key.0.iter().zip(out.as_chunks_mut::<8>().0) {
            *octets = word.to_le_bytes();
        }
        let mut writer = Writer { out, at: self.key_octets };
        measure.write(*self, &mut writer);
        writer.at
    }

    /// Appends what is measured of a group.
    pub(crate) fn put_measure<M: Measure>(&self, measure: &M, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + M::MAX_LEN, 0);
        let mut writer = Writer { out: &mut out[start..], at: 0 };
        measure.write(*self, &mut writer);
        let len = writer.at;
        out.truncate(start + len);
    }

    /// Reads what [`put_measure`](Self::put_measure) appended, all of `octets`.
    pub(crate) fn get_measure<M: Measure>(&self, octets: &[u8]) -> M {
        let mut entry = octets.to_vec();
        entry.resize(octets.len().max(M::MAX_LEN), 0);
        M::read(*self, &mut Reader { entry: &entry, at: 0 })
    }

    /// The key of the entry at the start of `entry`.
    #[inline]
    pub(crate) fn key<const W: usize>(&self, entry: &[u8]) -> Key<W> {
        let mut words = [0; W];
        let mut left = self.key_octets;
        for (word, octets) in words.iter_mut().zip(entry.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*octets) & mask(left.min(8) as u8);
            left = left.saturating_sub(8);
        }
        Key(words)
    }

    /// What is measured in the entry at the start of `entry`, which is followed by [`max_len`](Self::max_len) octets or
    /// more, and how long the entry is.
    #[inline]
    pub(crate) fn measure<M: Measure>(&self, entry: &[u8]) -> (M, usize) {
        let mut reader = Reader { entry: &entry[..self.max_len::<M>()], at: self.key_octets };
        let measure = M::read(*self, &mut reader);
        (measure, reader.at)
    }
}

const START: [u8; 4] = [2, 3, 4, 8];
const DURATION: [u8; 4] = [0, 2, 3, 8];
const PACKETS: [u8; 4] = [1, 2, 4, 8];
const BYTES: [u8; 4] = [2, 3, 4, 8];
const FLOWS: [u8; 4] = [0, 1, 4, 8];
const OUT: [u8; 4] = [0, 4, 8, 8];

impl Measure for Sums {
    const EMPTY: Sums = Sums::EMPTY;
    const MAX_LEN: usize = 6 + 2 + 7 * 8 + 1 + 2 + 8;

    fn is_empty(&self) -> bool {
        self.counters.flows == 0
    }

    fn volume(&self) -> u64 {
        0
    }

    #[inline]
    fn merge(&mut self, other: &Sums) {
        Sums::merge(self, other);
    }

    #[inline]
    fn write(&self, form: Form, writer: &mut Writer<'_>) {
        let Counters { first_ms, last_ms, flows, in_packets, in_bytes, out_packets, out_bytes } =
            self.counters;
        writer.put(self.origin().0, form.origin_octets);
        let lengths = writer.at;
        writer.at += 2;
        let mut codes = 0;
        codes |= writer.put_short(first_ms.wrapping_sub(form.base_ms), START);
        codes |= writer.put_short(last_ms.wrapping_sub(first_ms), DURATION) << 2;
        codes |= writer.put_short(in_packets, PACKETS) << 4;
        codes |= writer.put_short(in_bytes, BYTES) << 6;
        if flows != 1 {
            codes |= writer.put_nonzero(flows, FLOWS) << 8;
        }
        if self.flags() != 0 {
            writer.put(self.flags().into(), 1);
            codes |= 1 << 14;
        }
        if self.is_turned() || self.back_flags() != 0 {
            writer.put(u64::from(self.is_turned()) | u64::from(self.back_flags()) << 8, 2);
            codes |= 1 << 15;
        }
        if out_packets | out_bytes != 0 {
            codes |= writer.put_short(out_packets, OUT) << 10;
            codes |= writer.put_short(out_bytes, OUT) << 12;
        }
        writer.out[lengths..lengths + 2].copy_from_slice(&(codes as u16).to_le_bytes());
    }

    #[inline]
    fn read(form: Form, reader: &mut Reader<'_>) -> Sums {
        let origin = RowOrigin(reader.take(form.origin_octets));
        let codes = reader.take(2) as usize;
        let first_ms = form.base_ms.wrapping_add(reader.take(START[codes & 3]));
        let last_ms = first_ms.wrapping_add(reader.take(DURATION[codes >> 2 & 3]));
        let in_packets = reader.take(PACKETS[codes >> 4 & 3]);
        let in_bytes = reader.take(BYTES[codes >> 6 & 3]);
        let mut counters =
            Counters { first_ms, last_ms, flows: 1, in_packets, in_bytes, out_packets: 0, out_bytes: 0 };
        let mut flags = 0;
        let mut ways = 0;
        if codes >> 8 != 0 {
            if codes >> 8 & 3 != 0 {
                counters.flows = reader.take(FLOWS[codes >> 8 & 3]);
            }
            if codes >> 14 & 1 != 0 {
                flags = reader.take(1) as u8;
            }
            if codes >> 15 & 1 != 0 {
                ways = reader.take(2);
            }
            counters.out_packets = reader.take(OUT[codes >> 10 & 3]);
            counters.out_bytes = reader.take(OUT[codes >> 12 & 3]);
        }
        Sums::new(counters, origin, flags).with_ways(ways & 1 != 0, (ways >> 8) as u8)
    }
}

impl Measure for Volume {
    const EMPTY: Volume = Volume(0);
    const MAX_LEN: usize = 9 + 8;

    fn is_empty(&self) -> bool {
        false
    }

    #[inline]
    fn volume(&self) -> u64 {
        self.0
    }

    #[inline]
    fn merge(&mut self, other: &Volume) {
        self.0 = self.0.saturating_add(other.0);
    }

    #[inline]
    fn write(&self, _: Form, writer: &mut Writer<'_>) {
        let num = self.0;
        let code = u8::from(num >> 6 != 0) + u8::from(num >> 14 != 0) + u8::from(num >> 30 != 0);
        if code < 3 {
            writer.put(num << 2 | u64::from(code), 1 << code);
        } else {
            writer.put(code.into(), 1);
            writer.put(num, 8);
        }
    }

    #[inline]
    fn read(_: Form, reader: &mut Reader<'_>) -> Volume {
        let word = reader.peek();
        let code = (word & 3) as u8;
        if code < 3 {
            reader.at += 1 << code;
            Volume((word & mask(1 << code)) >> 2)
        } else {
            reader.at += 1;
            Volume(reader.take(8))
        }
    }
}

/// Where an entry is written.
pub(crate) struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    #[inline]
    fn put(&mut self, num: u64, len: u8) {
        self.out[self.at..self.at + 8].copy_from_slice(&num.to_le_bytes());
        self.at += usize::from(len);
    }

    /// Writes a number in the shortest of four lengths and says which that is.
    #[inline]
    fn put_short(&mut self, num: u64, lens: [u8; 4]) -> u32 {
        let longer = |len| u32::from(num > mask(len));
        let code = longer(lens[0]) + longer(lens[1]) + longer(lens[2]);
        self.put(num, lens[code as usize]);
        code
    }

    /// The same without the first length.
    #[inline]
    fn put_nonzero(&mut self, num: u64, lens: [u8; 4]) -> u32 {
        let code = 1 + u32::from(num > mask(lens[1])) + u32::from(num > mask(lens[2]));
        self.put(num, lens[code as usize]);
        code
    }
}

/// Where an entry is read.
pub(crate) struct Reader<'a> {
    entry: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    #[inline]
    fn peek(&self) -> u64 {
        let octets = &self.entry[self.at..self.at + 8];
        octets.first_chunk().map_or(0, |octets| u64::from_le_bytes(*octets))
    }

    #[inline]
    fn take(&mut self, len: u8) -> u64 {
        let num = self.peek() & mask(len);
        self.at += usize::from(len);
        num
    }
}

/// The largest number of so many octets.
#[inline]
const fn mask(octets: u8) -> u64 {
    MASKS[octets as usize & 15]
}

static MASKS: [u64; 16] = {
    let mut masks = [u64::MAX; 16];
    let mut octets = 0;
    while octets < 8 {
        masks[octets] = (1 << (8 * octets)) - 1;
        octets += 1;
    }
    masks
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Numbers of every length.
    fn num() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0_u32..65).prop_map(|(num, shift)| num.checked_shr(shift).unwrap_or(0))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            words: [u64; 2],
            key_octets in 9_usize..=16,
            nums in prop::array::uniform7(num()),
            base_ms in num(),
            origin in 0_u64..1 << RowOrigin::BITS,
            flags: u8,
            turned: bool,
            back_flags: u8,
            many: bool,
        ) {
            let mut key = Key(words);
            key.0[1] &= mask(key_octets as u8 - 8);
            let [first_ms, last_ms, flows, in_packets, in_bytes, out_packets, out_bytes] = nums;
            let counters =
                Counters { first_ms, last_ms, flows, in_packets, in_bytes, out_packets, out_bytes };
            let origin = RowOrigin(if many { origin } else { origin & 0xffff_ffff });
            let sums = Sums::new(counters, origin, flags).with_ways(turned, back_flags);
            let form = Form::new(key_octets, if many { 65_537 } else { 65_536 }, base_ms);
            let mut out = vec![0xaa; form.max_len::<Sums>() + 3];
            let len = form.encode(&key, &sums, &mut out);
            prop_assert!(len <= form.max_len::<Sums>() - 8);
            let (read, read_len) = form.measure::<Sums>(&out);
            prop_assert_eq!(read_len, len);
            prop_assert_eq!((read.counters, read.origin(), read.flags()), (counters, origin, flags));
            prop_assert_eq!((read.is_turned(), read.back_flags()), (turned, back_flags));
            prop_assert_eq!(form.key::<2>(&out), key);

            for volume in nums {
                let len = form.encode(&key, &Volume(volume), &mut out);
                prop_assert!(len <= form.max_len::<Volume>() - 8);
                let (read, read_len) = form.measure::<Volume>(&out);
                prop_assert_eq!((read.0, read_len), (volume, len));
                prop_assert_eq!(form.key::<2>(&out), key);
            }
        }
    }
}
