//! A group's key and sums as few octets: most groups are one small flow.
//!
//! | octets | content |
//! |---|---|
//! | as many as the key has | key, its words little-endian, without what is always zero at the end |
//! | 4 or 6 | origin |
//! | 2 | lengths of what follows |
//! | 2, 3, 4, 8 | start, since the earliest start of all files |
//! | 0, 2, 3, 8 | end, since the start |
//! | 1, 2, 4, 8 | packets in |
//! | 2, 3, 4, 8 | bytes in |
//! | 0 (= 1 flow), 1, 4, 8 | flows |
//! | 0 or 1 | TCP flags |
//! | 0, 4, 8 | packets out |
//! | 0, 4, 8 | bytes out |

use super::key::Key;
use crate::RowOrigin;
use crate::counts::Sums;
use flow_model::Counters;

/// How the entries of one shape are written in one query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) key_octets: usize,
    origin_octets: usize,
    base_ms: u64,
}

const START: [u8; 4] = [2, 3, 4, 8];
const DURATION: [u8; 4] = [0, 2, 3, 8];
const PACKETS: [u8; 4] = [1, 2, 4, 8];
const BYTES: [u8; 4] = [2, 3, 4, 8];
const FLOWS: [u8; 4] = [0, 1, 4, 8];
const OUT: [u8; 4] = [0, 4, 8, 8];

/// Octets an entry has at most beside its key. Values are written eight octets at a time, so this many must be there.
const MAX_BESIDE_KEY: usize = 6 + 2 + 7 * 8 + 1 + 8;

impl Form {
    /// The form of entries with keys of so many octets, in a query over `blocks` blocks whose flows start at `base_ms`
    /// or, rarely, before.
    pub(crate) fn new(key_octets: usize, blocks: usize, base_ms: u64) -> Form {
        let origin_octets = if blocks <= 1 << 16 { 4 } else { 6 };
        Form { key_octets, origin_octets, base_ms }
    }

    /// The most octets an entry has, with room for the last write.
    pub(crate) fn max_len(&self) -> usize {
        self.key_octets.next_multiple_of(8) + MAX_BESIDE_KEY
    }

    /// Writes an entry to the start of `out`, which has [`max_len`](Self::max_len) octets at least, and says how long it
    /// is.
    #[inline]
    pub(crate) fn encode<const W: usize>(&self, key: &Key<W>, sums: &Sums, out: &mut [u8]) -> usize {
        let out = &mut out[..self.max_len()];
        for (word, octets) in key.0.iter().zip(out.as_chunks_mut::<8>().0) {
            *octets = word.to_le_bytes();
        }
        let Counters { first_ms, last_ms, flows, in_packets, in_bytes, out_packets, out_bytes } = sums.counters;
        let mut writer = Writer { out, at: self.key_octets };
        writer.put(sums.origin().0, self.origin_octets as u8);
        let lengths = writer.at;
        writer.at += 2;
        let mut codes = 0;
        codes |= writer.put_short(first_ms.wrapping_sub(self.base_ms), START);
        codes |= writer.put_short(last_ms.wrapping_sub(first_ms), DURATION) << 2;
        codes |= writer.put_short(in_packets, PACKETS) << 4;
        codes |= writer.put_short(in_bytes, BYTES) << 6;
        if flows != 1 {
            codes |= writer.put_nonzero(flows, FLOWS) << 8;
        }
        if sums.flags() != 0 {
            writer.put(sums.flags().into(), 1);
            codes |= 1 << 14;
        }
        if out_packets | out_bytes != 0 {
            codes |= writer.put_short(out_packets, OUT) << 10;
            codes |= writer.put_short(out_bytes, OUT) << 12;
        }
        let len = writer.at;
        out[lengths..lengths + 2].copy_from_slice(&(codes as u16).to_le_bytes());
        len
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

    /// The sums of the entry at the start of `entry`, which is followed by [`max_len`](Self::max_len) octets or more, and
    /// how long the entry is.
    #[inline]
    pub(crate) fn sums(&self, entry: &[u8]) -> (Sums, usize) {
        let mut reader = Reader { entry: &entry[..self.max_len()], at: self.key_octets };
        let origin = RowOrigin(reader.take(self.origin_octets as u8));
        let codes = reader.take(2) as usize;
        let first_ms = self.base_ms.wrapping_add(reader.take(START[codes & 3]));
        let last_ms = first_ms.wrapping_add(reader.take(DURATION[codes >> 2 & 3]));
        let in_packets = reader.take(PACKETS[codes >> 4 & 3]);
        let in_bytes = reader.take(BYTES[codes >> 6 & 3]);
        let mut counters =
            Counters { first_ms, last_ms, flows: 1, in_packets, in_bytes, out_packets: 0, out_bytes: 0 };
        let mut flags = 0;
        if codes >> 8 != 0 {
            if codes >> 8 & 3 != 0 {
                counters.flows = reader.take(FLOWS[codes >> 8 & 3]);
            }
            if codes >> 14 & 1 != 0 {
                flags = reader.take(1) as u8;
            }
            counters.out_packets = reader.take(OUT[codes >> 10 & 3]);
            counters.out_bytes = reader.take(OUT[codes >> 12 & 3]);
        }
        (Sums::new(counters, origin, flags), reader.at)
    }
}

struct Writer<'a> {
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
        let code = u32::from(num > mask(lens[0])) + u32::from(num > mask(lens[1])) + u32::from(num > mask(lens[2]));
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

struct Reader<'a> {
    entry: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    #[inline]
    fn take(&mut self, len: u8) -> u64 {
        let octets = &self.entry[self.at..self.at + 8];
        self.at += usize::from(len);
        octets.first_chunk().map_or(0, |octets| u64::from_le_bytes(*octets)) & mask(len)
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
            origin in 0_u64..1 << 48,
            flags: u8,
            many: bool,
        ) {
            let mut key = Key(words);
            key.0[1] &= mask(key_octets as u8 - 8);
            let [first_ms, last_ms, flows, in_packets, in_bytes, out_packets, out_bytes] = nums;
            let counters =
                Counters { first_ms, last_ms, flows, in_packets, in_bytes, out_packets, out_bytes };
            let origin = RowOrigin(if many { origin } else { origin & 0xffff_ffff });
            let sums = Sums::new(counters, origin, flags);
            let form = Form::new(key_octets, if many { 65_537 } else { 65_536 }, base_ms);
            let mut out = vec![0xaa; form.max_len() + 3];
            let len = form.encode(&key, &sums, &mut out);
            prop_assert!(len <= form.max_len() - 8);
            let (read, read_len) = form.sums(&out);
            prop_assert_eq!(read_len, len);
            prop_assert_eq!((read.counters, read.origin(), read.flags()), (counters, origin, flags));
            prop_assert_eq!(form.key::<2>(&out), key);
        }
    }
}
